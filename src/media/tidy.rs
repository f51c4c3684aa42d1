//! What is kept no longer: rows first, then their blobs; and blobs that a crash left without a row.

use tracing::{error, info};
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::store::StoreError;

use super::Media;
use super::shelf::placed_at;

/// A blob may be in its place for so long before its row is written: a large one travels to a bucket.
const GRACE_MS: i64 = 3_600_000;
/// Blobs that are looked at in one go, and in how many of them a sweep consists. The next one goes on
/// where this one ended, so that a bucket of millions is looked through in days, at no cost to speak of.
const PAGE: usize = 500;
const PAGES: usize = 20;

impl Media {
    /// Removes what expired, and sweeps through part of the blobs. Call it every hour or so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tidy(&self, now: At) -> Result<(), StoreError> {
        let mut expired = 0;
        loop {
            let step = self.0.store.expire_media(now).await?;
            crash::point("media_expired");
            expired += step.rows;
            self.forget_blobs(step.blobs).await;
            if step.rows == 0 {
                break;
            }
        }
        let stray = self.sweep(now).await?;
        if expired + stray > 0 {
            info!("Removed {expired} files whose time was over, and {stray} that a crash had left");
        }
        Ok(())
    }

    /// How many blobs without a row were removed.
    async fn sweep(&self, now: At) -> Result<usize, StoreError> {
        let mut stray = 0;
        for _ in 0..PAGES {
            let after = self.0.swept.lock().clone();
            let names = match self.0.shelf.list(after, PAGE).await {
                Ok(names) => names,
                Err(problem) => {
                    error!("Stored files cannot be listed; see WAPID_MEDIA_URL: {problem}");
                    return Ok(stray);
                }
            };
            let is_end = names.len() < PAGE;
            *self.0.swept.lock() = names.last().filter(|_| !is_end).cloned();
            let is_old = |name: &String| placed_at(name).is_some_and(|at| now.since(at) > GRACE_MS);
            let unknown = self.0.store.unknown_blobs(names.into_iter().filter(is_old).collect()).await?;
            stray += unknown.len();
            self.forget_blobs(unknown).await;
            if is_end {
                break;
            }
        }
        Ok(stray)
    }

    /// Removes blobs that are nobody's. What cannot be removed now is found by a sweep.
    pub(super) async fn forget_blobs(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if let Err(problem) = self.0.shelf.remove(&name).await {
                error!("A stored file that nobody needs could not be removed: {problem}");
            }
        }
    }
}
