//! Files: their rows, and what WhatsApp has of them.
//!
//! A file's bytes are a blob elsewhere; its row names the blob and holds the key that opens it. A blob is
//! written before its row and deleted after it, so a row never promises what is not there, and a crash in
//! between leaves a blob without a row, which a sweep finds.
//!
//! | file | what |
//! |---|---|
//! | `received` | what somebody sent us and is to be fetched |
//! | `sweep` | what is kept no longer, and blobs that have no row |

use super::tx::{Tx, Value, values};
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::id::{MediaId, SessionKey, TenantId};
use crate::key::Mode;
use crate::media::{KEPT_DAYS, Kind, Origin, State};

mod received;
mod sweep;

pub(in crate::store) use received::{FAILURE, KEEP, insert_received, received_row};
pub use received::{NewReceived, Next, OfMessage, Waiting};

/// A file.
#[derive(Debug, Clone)]
pub struct MediaRow {
    pub id: MediaId,
    pub origin: Origin,
    pub kind: Kind,
    pub state: State,
    /// By content.
    pub mime: String,
    pub file_name: Option<String>,
    /// In bytes; while it waits, as its sender says.
    pub size: Option<i64>,
    pub sha256: Option<Vec<u8>>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub seconds: Option<i64>,
    pub is_animated: bool,
    /// Of a voice note: 64 values of 0 to 100.
    pub waveform: Option<Vec<u8>>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// There exactly when the state is [`State::Stored`].
    pub blob: Option<Blob>,
    /// That it came with, if it was received.
    pub message: Option<OfMessage>,
    /// To fetch it.
    pub tries: i64,
    pub next_at: Option<At>,
    pub error: Option<String>,
    pub created_at: At,
    pub expires_at: At,
}

/// Where a file's bytes are, and what opens them.
#[derive(Debug, Clone)]
pub struct Blob {
    pub name: String,
    pub key: BlobKey,
}

/// A key of one blob alone. Prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobKey(pub [u8; 32]);

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobKey")
    }
}

/// What is known of a file once all its bytes are there.
#[derive(Debug, Clone)]
pub struct Whole {
    pub kind: Kind,
    pub mime: String,
    pub size: i64,
    pub sha256: [u8; 32],
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub seconds: Option<i64>,
    pub is_animated: bool,
    pub waveform: Option<Vec<u8>>,
    pub thumbnail: Option<Vec<u8>>,
    pub blob: Blob,
}

/// A file whose blob is written.
#[derive(Debug, Clone)]
pub struct NewMedia {
    pub id: MediaId,
    pub origin: Origin,
    pub file_name: Option<String>,
    pub whole: Whole,
}

/// What WhatsApp has of a file.
#[derive(Debug, Clone)]
pub struct Upload {
    /// JSON that says where, with which keys.
    pub wire: String,
    pub uploaded_at: At,
}

/// Why a file was not added. Its blob is nobody's then.
#[derive(Debug, thiserror::Error)]
pub enum NotAdded {
    #[error("the tenant's files take all the room that they may")]
    Full,
    /// It was removed, or another process was faster.
    #[error("nobody waits for this file any more")]
    NotWanted,
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl From<sqlx::Error> for NotAdded {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

macro_rules! columns {
    () => {
        "id, origin, kind, state, mime, file_name, size, sha256, width, height, seconds, is_animated, waveform, \
         thumbnail, blob, blob_key, session_key, wa_id, chat, sender, from_me, tries, next_at, error, created_at, \
         expires_at"
    };
}
use columns;

const ONE: &str =
    concat!("SELECT ", columns!(), " FROM media WHERE tenant_id = $1 AND mode = $2 AND id = $3");

const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM media WHERE tenant_id = $1 AND mode = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
);

const INSERT: &str =
    "INSERT INTO media (tenant_id, mode, id, origin, kind, state, mime, file_name, size, sha256,
        width, height, seconds, is_animated, waveform, thumbnail, blob, blob_key, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, 'stored', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $18 + 86400000 * COALESCE((SELECT media_keep_days FROM tenant_settings
            WHERE tenant_id = $1 AND mode = $2), $19))";

/// Also when the first one is larger than all of the room: the caller looks at that.
pub(in crate::store) const TAKE_ROOM: &str =
    "INSERT INTO media_usage (tenant_id, mode, bytes) VALUES ($1, $2, $3)
    ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = media_usage.bytes + excluded.bytes
    WHERE media_usage.bytes + excluded.bytes <= $4";

const GIVE_ROOM: &str = "UPDATE media_usage SET bytes = bytes - $3 WHERE tenant_id = $1 AND mode = $2";

const REMOVE: &str = "DELETE FROM media WHERE tenant_id = $1 AND mode = $2 AND id = $3 RETURNING blob, size";

const EXTEND: &str = "UPDATE media SET expires_at = $4
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND expires_at < $4";

const OWN_UPLOAD: &str = "SELECT u.wire, u.uploaded_at FROM media m
    JOIN media_uploads u ON u.media_id = m.id AND u.kind = $4
    WHERE m.tenant_id = $1 AND m.mode = $2 AND m.id = $3";

/// Only of a file that is still there, and is the tenant's.
const REMEMBER: &str = "INSERT INTO media_uploads (media_id, kind, wire, uploaded_at)
    SELECT m.id, $4, $5, $6 FROM media m WHERE m.tenant_id = $1 AND m.mode = $2 AND m.id = $3
    ON CONFLICT (media_id, kind) DO UPDATE SET wire = excluded.wire, uploaded_at = excluded.uploaded_at";

const FORGET: &str = "DELETE FROM media_uploads WHERE kind = $4 AND media_id IN
    (SELECT id FROM media WHERE tenant_id = $1 AND mode = $2 AND id = $3)";

const FORGET_ALL: &str = "DELETE FROM media_uploads WHERE media_id = $1";

#[derive(sqlx::FromRow)]
struct Stored {
    id: MediaId,
    origin: Origin,
    kind: Kind,
    state: State,
    mime: String,
    file_name: Option<String>,
    size: Option<i64>,
    sha256: Option<Vec<u8>>,
    width: Option<i64>,
    height: Option<i64>,
    seconds: Option<i64>,
    is_animated: bool,
    waveform: Option<Vec<u8>>,
    thumbnail: Option<Vec<u8>>,
    blob: Option<String>,
    blob_key: Option<Vec<u8>>,
    session_key: Option<SessionKey>,
    wa_id: Option<String>,
    chat: Option<String>,
    sender: Option<String>,
    from_me: Option<bool>,
    tries: i64,
    next_at: Option<At>,
    error: Option<String>,
    created_at: At,
    expires_at: At,
}

impl Stored {
    fn read(self, store: &Store) -> Result<MediaRow> {
        let blob = match (self.blob, self.blob_key) {
            (Some(name), Some(sealed)) => {
                let key = store.seal.open(&key_place(&self.id), &sealed)?;
                let key = key.try_into().map_err(|_| crate::seal::SealError)?;
                Some(Blob { name, key: BlobKey(key) })
            }
            _ => None,
        };
        let message = self.session_key.map(|session| OfMessage {
            session,
            wa_id: self.wa_id.unwrap_or_default(),
            chat: self.chat.unwrap_or_default(),
            sender: self.sender.unwrap_or_default(),
            from_me: self.from_me.unwrap_or_default(),
        });
        Ok(MediaRow {
            id: self.id,
            origin: self.origin,
            kind: self.kind,
            state: self.state,
            mime: self.mime,
            file_name: self.file_name,
            size: self.size,
            sha256: self.sha256,
            width: self.width,
            height: self.height,
            seconds: self.seconds,
            is_animated: self.is_animated,
            waveform: self.waveform,
            thumbnail: self.thumbnail,
            blob,
            message,
            tries: self.tries,
            next_at: self.next_at,
            error: self.error,
            created_at: self.created_at,
            expires_at: self.expires_at,
        })
    }
}

fn key_place(id: &MediaId) -> String {
    format!("media:{id}")
}

fn upload_place(id: &MediaId, kind: Kind) -> String {
    format!("media upload:{id}:{kind}")
}

/// A file's parts, in the order of both statements that write them.
fn whole_values(store: &Store, id: &MediaId, whole: &Whole) -> Vec<Value> {
    values![
        whole.size,
        Some(whole.sha256.to_vec()),
        whole.width,
        whole.height,
        whole.seconds,
        whole.is_animated,
        whole.waveform.clone(),
        whole.thumbnail.clone(),
        whole.blob.name.as_str(),
        Some(store.seal.seal(&key_place(id), &whole.blob.key.0)),
    ]
}

/// Rows of files come first in every transaction, room second, so that no two wait for each other.
async fn take_room(
    tx: &mut Tx<'_>,
    (tenant, mode): (&TenantId, Mode),
    size: i64,
    room: i64,
) -> Result<(), NotAdded> {
    let values = values![tenant.as_str(), mode.as_str(), size, room];
    if size > room || tx.run(TAKE_ROOM, values).await? == 0 { Err(NotAdded::Full) } else { Ok(()) }
}

impl Store {
    /// Whose file it is; for links, which carry no key.
    pub async fn media_owner(&self, id: &MediaId) -> Result<Option<(TenantId, Mode)>> {
        const OWNER: &str = "SELECT tenant_id, mode FROM media WHERE id = $1";
        Ok(self.db.rows(OWNER, values![id.as_str()]).await?.pop())
    }
}

impl TenantStore {
    fn of_media(&self, id: &MediaId) -> Vec<Value> {
        values![self.tenant.as_str(), self.mode.as_str(), id.as_str()]
    }

    pub async fn media(&self, id: &MediaId) -> Result<Option<MediaRow>> {
        let row: Option<Stored> = self.store.db.rows(ONE, self.of_media(id)).await?.pop();
        row.map(|row| row.read(&self.store)).transpose()
    }

    /// Newest first, older than `before`.
    pub async fn media_page(&self, before: Option<&MediaId>, limit: i64) -> Result<Vec<MediaRow>> {
        // After every id that there is.
        let before = before.map_or("n", MediaId::as_str);
        let values = values![self.tenant.as_str(), self.mode.as_str(), before, limit];
        let rows: Vec<Stored> = self.store.db.rows(PAGE, values).await?;
        rows.into_iter().map(|row| row.read(&self.store)).collect()
    }

    /// Adds a file whose blob is written, if there is room for it among `room` bytes.
    ///
    /// # Errors
    /// When there is none.
    pub async fn add_media(&self, new: &NewMedia, room: i64) -> Result<MediaRow, NotAdded> {
        let mut values = self.of_media(&new.id);
        let whole = &new.whole;
        values.extend(values![
            new.origin.as_str(),
            whole.kind.as_str(),
            whole.mime.as_str(),
            new.file_name.as_deref()
        ]);
        values.extend(whole_values(&self.store, &new.id, whole));
        values.extend(values![self.now(), KEPT_DAYS]);
        let mut tx = self.store.db.begin().await?;
        tx.run(INSERT, values).await?;
        take_room(&mut tx, (&self.tenant, self.mode), whole.size, room).await?;
        tx.commit().await?;
        self.media(&new.id).await?.ok_or(NotAdded::NotWanted)
    }

    /// Removes a file's row; the name of its blob, which is nobody's from here on. `None` where there is no
    /// such file.
    pub async fn remove_media(&self, id: &MediaId) -> Result<Option<Option<String>>> {
        let mut tx = self.store.db.begin().await?;
        let removed: Option<(Option<String>, Option<i64>)> = tx.rows(REMOVE, self.of_media(id)).await?.pop();
        let Some((blob, size)) = removed else { return Ok(None) };
        tx.run(FORGET_ALL, values![id.as_str()]).await?;
        if blob.is_some() {
            let values = values![self.tenant.as_str(), self.mode.as_str(), size.unwrap_or(0)];
            tx.run(GIVE_ROOM, values).await?;
        }
        tx.commit().await?;
        Ok(Some(blob))
    }

    /// Keeps a file until then at least; `false` where it is kept that long already, or is not there.
    pub async fn extend_media(&self, id: &MediaId, until: At) -> Result<bool> {
        let mut values = self.of_media(id);
        values.extend(values![until]);
        Ok(self.run_media(EXTEND, values).await? > 0)
    }

    /// Bytes of the tenant's files in this mode.
    pub async fn media_used(&self) -> Result<i64> {
        const USED: &str = "SELECT bytes FROM media_usage WHERE tenant_id = $1 AND mode = $2";
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        Ok(self.store.db.rows::<(i64,)>(USED, place).await?.pop().map_or(0, |(bytes,)| bytes))
    }

    /// For how many days new files are kept; `None`: the default.
    pub async fn media_days(&self) -> Result<Option<i64>> {
        const DAYS: &str = "SELECT media_keep_days FROM tenant_settings WHERE tenant_id = $1 AND mode = $2";
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        Ok(self.store.db.rows::<(Option<i64>,)>(DAYS, place).await?.pop().and_then(|(days,)| days))
    }

    /// Says for how many days files are kept that come from here on.
    pub async fn keep_media(&self, days: Option<i64>) -> Result<()> {
        const KEEP: &str =
            "INSERT INTO tenant_settings (tenant_id, mode, media_keep_days) VALUES ($1, $2, $3)
            ON CONFLICT (tenant_id, mode) DO UPDATE SET media_keep_days = excluded.media_keep_days";
        self.run_media(KEEP, values![self.tenant.as_str(), self.mode.as_str(), days]).await?;
        Ok(())
    }

    /// What WhatsApp has of a file, as it was sent as `kind`.
    pub async fn media_upload(&self, id: &MediaId, kind: Kind) -> Result<Option<Upload>> {
        let mut values = self.of_media(id);
        values.extend(values![kind.as_str()]);
        let found: Option<(Vec<u8>, At)> = self.store.db.rows(OWN_UPLOAD, values).await?.pop();
        let Some((sealed, uploaded_at)) = found else { return Ok(None) };
        let wire = self.store.open_text(&upload_place(id, kind), &sealed)?;
        Ok(Some(Upload { wire, uploaded_at }))
    }

    /// Remembers what WhatsApp has, so that the next send need not upload; `false` where the file is gone.
    pub async fn remember_upload(&self, id: &MediaId, kind: Kind, wire: &str) -> Result<bool> {
        let sealed = self.store.seal.seal(&upload_place(id, kind), wire.as_bytes());
        let mut values = self.of_media(id);
        values.extend(values![kind.as_str(), Some(sealed), self.now()]);
        Ok(self.run_media(REMEMBER, values).await? > 0)
    }

    /// WhatsApp has it no longer.
    pub async fn forget_upload(&self, id: &MediaId, kind: Kind) -> Result<bool> {
        let mut values = self.of_media(id);
        values.extend(values![kind.as_str()]);
        Ok(self.run_media(FORGET, values).await? > 0)
    }

    async fn run_media(&self, sql: &'static str, values: Vec<Value>) -> Result<u64> {
        let mut tx = self.store.db.begin().await?;
        let touched = tx.run(sql, values).await?;
        tx.commit().await?;
        Ok(touched)
    }
}

impl Store {
    fn open_text(&self, place: &str, sealed: &[u8]) -> Result<String> {
        let plain = self.seal.open(place, sealed)?;
        String::from_utf8(plain).map_err(|_| crate::seal::SealError.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    /// What a request or a worker asks must cost the same beside many files.
    #[tokio::test]
    async fn files_are_found_by_an_index() {
        let mut plans = Plans::sqlite().await;
        for (sql, walks) in [
            (ONE, &[][..]),
            // A page's length.
            (PAGE, &["sqlite_autoindex_media_1 (tenant_id=? AND mode=? AND id<?)"]),
            (REMOVE, &[]),
            (EXTEND, &[]),
            (OWN_UPLOAD, &[]),
            (FORGET, &[]),
            // One for each kind that it was sent as.
            (FORGET_ALL, &["media_uploads (media_id=?)"]),
            (GIVE_ROOM, &[]),
            // What is due, as much as is asked for, and the first that will be.
            (received::DUE, &["media_due (session_key=? AND state=? AND next_at<?)"]),
            (received::NEXT_AT, &["media_due (session_key=? AND state=? AND next_at>?)"]),
            (
                received::OF_MESSAGE,
                &["media_by_message (session_key=? AND wa_id=? AND tenant_id=? AND mode=?)"],
            ),
            (received::KEEP, &[]),
            (received::FAILURE, &[]),
            // A step's length.
            (sweep::EXPIRED, &["media_by_expiry (expires_at<?)"]),
        ] {
            let wide = plans.wide_steps(sql, "", walks).await;
            assert!(wide.is_empty(), "{sql}: {wide:?}");
        }
        let wide = plans.wide_steps(sweep::KNOWN, "t", &[]).await;
        assert!(wide.is_empty(), "{wide:?}");
    }
}
