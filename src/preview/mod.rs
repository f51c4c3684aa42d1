//! What a link in a text leads to, as it is shown below the text: title, description, a small picture.
//!
//! A tenant's text names the page, so it is read through `outgoing` like everything that a tenant names, and
//! within bounds: 5 s for page and picture together, three redirects each, the first 512 KiB of the page, a
//! picture of at most 2 MiB. Nothing here fails: a page that cannot be had is not shown, and a picture that
//! cannot be had is left out. What was read is kept for ten minutes, so that a job's texts read a page once.
//!
//! Knows neither messages nor the protocol.
//!
//! | file | what |
//! |---|---|
//! | `find` | the first URL in a text; pure |
//! | `page` | what a page says of itself; pure |
//! | `kept` | what was read a moment ago |

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;
use url::Url;
use wapid_core::clock::At;
use wapid_core::content::Page;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::turns::Turns;

use crate::media::Media;
use crate::outgoing::{Asker, Download, DownloadError, Failure, Outgoing, Wish};

mod find;
mod kept;
mod page;

use find::first_url;
use kept::Kept;

/// For everything that one preview takes, standing in line included.
const PATIENCE: Duration = Duration::from_secs(5);
/// So much of a page is read; what it says of itself stands at its beginning.
const PAGE_MAX: usize = 512 << 10;
/// A larger picture is left out, in bytes.
const PICTURE_MAX: u64 = 2 << 20;
/// Pages that are read at a time. Each holds at most 2 MiB.
const READ_AT_ONCE: usize = 8;

/// A page, ready to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub page: Page,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

/// Where pages are read. Cheap to clone.
#[derive(Clone)]
pub struct Previews(Arc<Inner>);

struct Inner {
    outgoing: Outgoing,
    media: Media,
    turns: Turns,
    kept: Kept,
}

/// Why there is none. For our own log: it names no URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Lack {
    #[error("other pages are being read")]
    Busy,
    #[error("it took too long")]
    TooSlow,
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error("it is no page with a title")]
    NoPage,
    #[error("it is no picture that can be made small")]
    NoPicture,
}

impl Previews {
    pub fn new(outgoing: Outgoing, media: Media) -> Self {
        let (turns, kept) = (Turns::new(READ_AT_ONCE), Kept::default());
        Self(Arc::new(Inner { outgoing, media, turns, kept }))
    }

    /// Of the first URL in `text`. `None` where there is none, or its page cannot be shown.
    pub async fn of(&self, tenant: &TenantId, mode: Mode, text: &str, now: At) -> Option<Arc<Shown>> {
        let url = first_url(text)?;
        let cell = self.0.kept.cell((tenant.clone(), mode, url.to_owned()), now);
        // Whoever reads it may end with its session; then the next in line begins anew.
        let read = timeout(2 * PATIENCE, cell.get_or_try_init(|| self.make(tenant, mode, url)));
        read.await.ok()?.ok().cloned().flatten()
    }

    /// # Errors
    /// When others were in line: that says nothing of the page.
    async fn make(&self, tenant: &TenantId, mode: Mode, url: &str) -> Result<Option<Arc<Shown>>, Lack> {
        let deadline = Instant::now() + PATIENCE;
        let asker = Asker { tenant: tenant.clone(), mode };
        let shown = self.show(&asker, url, deadline).await;
        if let Err(why) = &shown {
            debug!("A link is sent without its preview: {why}");
        }
        match shown {
            Err(Lack::Busy) => Err(Lack::Busy),
            shown => Ok(shown.ok().map(Arc::new)),
        }
    }

    async fn show(&self, asker: &Asker, url: &str, deadline: Instant) -> Result<Shown, Lack> {
        let turn = timeout_at(deadline, self.0.turns.take(&asker.tenant)).await;
        let _turn = turn.map_err(|_| Lack::Busy)?.map_err(|_| Lack::Busy)?;
        let told =
            timeout_at(deadline, self.read(asker, url, deadline)).await.map_err(|_| Lack::TooSlow)??;
        let thumbnail = match &told.picture {
            Some(picture) => {
                let picture = timeout_at(deadline, self.picture(asker, picture, deadline)).await;
                let picture = picture.unwrap_or(Err(Lack::TooSlow));
                picture.inspect_err(|why| debug!("A preview has no picture: {why}")).ok()
            }
            None => None,
        };
        let page = Page { url: url.to_owned(), title: told.title, description: told.description };
        Ok(Shown { page, thumbnail })
    }

    async fn read(&self, asker: &Asker, url: &str, deadline: Instant) -> Result<page::Told, Lack> {
        let mut download = self.fetch(asker, url, u64::MAX, deadline).await?;
        if download.content_type().is_some_and(|kind| !is_page(kind)) {
            return Err(Lack::NoPage);
        }
        let base = download.url().clone();
        let mut html = Vec::new();
        while html.len() < PAGE_MAX
            && let Some(chunk) = download.chunk().await?
        {
            let room = PAGE_MAX - html.len();
            html.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        // So that an endless one does not hold its connection while it is looked at.
        drop(download);
        let told = tokio::task::spawn_blocking(move || page::read(&html, &base)).await;
        told.ok().flatten().ok_or(Lack::NoPage)
    }

    async fn picture(&self, asker: &Asker, url: &Url, deadline: Instant) -> Result<Vec<u8>, Lack> {
        let mut download = self.fetch(asker, url.as_str(), PICTURE_MAX, deadline).await?;
        let mut picture = Vec::new();
        while let Some(chunk) = download.chunk().await? {
            picture.extend_from_slice(&chunk);
        }
        self.0.media.glimpse(picture).await.ok_or(Lack::NoPicture)
    }

    async fn fetch(
        &self,
        asker: &Asker,
        url: &str,
        most: u64,
        deadline: Instant,
    ) -> Result<Download, DownloadError> {
        let target = self.0.outgoing.check(url, asker.clone()).map_err(Failure::from)?;
        let within = deadline.saturating_duration_since(Instant::now());
        self.0.outgoing.download(target, Wish { within, stall: within, most }).await
    }
}

/// `text/html; charset=utf-8`, and the stricter form of it.
fn is_page(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| kind.eq_ignore_ascii_case(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_one_by_its_type() {
        for page in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
            assert!(is_page(page), "{page}");
        }
        for other in ["image/png", "text/plain", "application/pdf", "", "text/htmlx"] {
            assert!(!is_page(other), "{other}");
        }
    }
}
