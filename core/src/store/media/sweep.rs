//! What is kept no longer, and blobs that have no row.

use std::collections::{BTreeMap, HashSet};

use super::GIVE_ROOM;
use crate::clock::At;
use crate::id::MediaId;
use crate::store::tx::{Texts, values};
use crate::store::{Result, Store};

/// Files that are forgotten in one transaction.
const STEP: i64 = 200;

pub(super) const EXPIRED: &str = "DELETE FROM media WHERE id IN
        (SELECT id FROM media WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)
    RETURNING tenant_id, mode, id, blob, size";

const FORGET_UPLOADS: &str = "WITH v (id) AS ({rows})
    DELETE FROM media_uploads WHERE media_id IN (SELECT v.id FROM v WHERE v.id IS NOT NULL)";

pub(super) const KNOWN: &str =
    "WITH v (blob) AS ({rows}) SELECT m.blob FROM v JOIN media m ON m.blob = v.blob";

/// Whose blobs are in a folder or a bucket: two databases may share one, and neither may sweep away what
/// is the other's.
const HOME: &str = "INSERT INTO settings (name, value) VALUES ('media_home', $1)
    ON CONFLICT (name) DO UPDATE SET value = settings.value RETURNING value";

/// What one step of expiry did.
#[derive(Debug, Default)]
pub struct Expired {
    pub rows: usize,
    /// Nobody's from here on.
    pub blobs: Vec<String>,
}

impl Store {
    /// Where this database's blobs live among others', the same for ever.
    pub async fn media_home(&self) -> Result<String> {
        let fresh = hex::encode(rand::random::<[u8; 8]>()).into_bytes();
        let mut tx = self.db.begin().await?;
        let home: Vec<(Vec<u8>,)> = tx.rows(HOME, values![Some(fresh)]).await?;
        tx.commit().await?;
        let home = home.into_iter().next().unwrap_or_default().0;
        Ok(String::from_utf8_lossy(&home).into_owned())
    }

    /// Forgets some files whose time is over. Call it until it finds none.
    pub async fn expire_media(&self, now: At) -> Result<Expired> {
        type Row = (String, String, MediaId, Option<String>, Option<i64>);
        let mut tx = self.db.begin().await?;
        let rows: Vec<Row> = tx.rows(EXPIRED, values![now, STEP]).await?;
        let ids = rows.iter().map(|(_, _, id, ..)| values![id.as_str()]).collect();
        tx.run_many(&mut Texts::default(), FORGET_UPLOADS, ids).await?;
        // Always in the same order, lest two that do so at once wait for each other.
        let mut room: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for (tenant, mode, _, blob, size) in &rows {
            if blob.is_some() {
                *room.entry((tenant, mode)).or_default() += size.unwrap_or(0);
            }
        }
        for ((tenant, mode), bytes) in room {
            tx.run(GIVE_ROOM, values![tenant, mode, bytes]).await?;
        }
        tx.commit().await?;
        Ok(Expired { rows: rows.len(), blobs: rows.into_iter().filter_map(|row| row.3).collect() })
    }

    /// Those of these blobs that no row names.
    pub async fn unknown_blobs(&self, names: Vec<String>) -> Result<Vec<String>> {
        let rows = names.iter().map(|name| values![name.as_str()]).collect();
        let mut tx = self.db.begin().await?;
        let known: Vec<(String,)> = tx.many(&mut Texts::default(), KNOWN, rows).await?;
        tx.commit().await?;
        let known: HashSet<String> = known.into_iter().map(|(name,)| name).collect();
        Ok(names.into_iter().filter(|name| !known.contains(name)).collect())
    }
}
