//! What somebody sent us: first a row that waits, written with its message; its bytes follow.

use super::{MediaRow, NotAdded, Stored, Whole, columns, whole_values};
use crate::clock::At;
use crate::event::MediaShown;
use crate::id::{MediaId, SessionKey, TenantId};
use crate::key::Mode;
use crate::media::{KEPT_DAYS, Kind};
use crate::store::ledger::{FileDone, FileEnd, FileNews, Owner};
use crate::store::tx::{Texts, Tx, Value, values};
use crate::store::{Result, Store, TenantStore};

/// The message that a file came with, as WhatsApp names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfMessage {
    pub session: SessionKey,
    pub wa_id: String,
    pub chat: String,
    /// Empty where it is ourselves.
    pub sender: String,
    /// From another device of ours.
    pub from_me: bool,
}

/// A file as its message describes it.
#[derive(Debug, Clone)]
pub struct NewReceived {
    pub id: MediaId,
    pub kind: Kind,
    pub mime: String,
    pub file_name: Option<String>,
    pub size: Option<i64>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub seconds: Option<i64>,
    pub is_animated: bool,
    pub waveform: Option<Vec<u8>>,
    pub thumbnail: Option<Vec<u8>>,
    /// Of [`Store::seal_media_wire`]: where WhatsApp has it, and its key.
    pub wire: Vec<u8>,
    /// When it is to be fetched; `None`: when somebody asks.
    pub next_at: Option<At>,
}

/// A file that is to be fetched.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub tenant: TenantId,
    pub mode: Mode,
    pub row: MediaRow,
    /// JSON, as it was sealed.
    pub wire: String,
}

/// What becomes of a file that could not be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then.
    At(At),
    /// Nobody tries again, unless asked to.
    Failed,
    /// It waits until somebody asks for it, as large ones do.
    Asked,
    /// WhatsApp has it no longer, and nor has its sender's phone.
    Gone,
}

const RECEIVED: &str = "WITH v (tenant_id, mode, id, kind, mime, file_name, size, width, height, seconds,
        is_animated, waveform, thumbnail, session_key, wa_id, chat, sender, from_me, wire, next_at, created_at, days)
        AS ({rows})
    INSERT INTO media (tenant_id, mode, id, origin, kind, state, mime, file_name, size, width, height, seconds,
        is_animated, waveform, thumbnail, session_key, wa_id, chat, sender, from_me, wire, next_at, created_at,
        expires_at)
    SELECT v.tenant_id, v.mode, v.id, 'received', v.kind, 'waiting', v.mime, v.file_name, v.size, v.width, v.height,
        v.seconds, v.is_animated, v.waveform, v.thumbnail, v.session_key, v.wa_id, v.chat, v.sender, v.from_me, v.wire,
        v.next_at, v.created_at, v.created_at + 86400000 * COALESCE((SELECT s.media_keep_days FROM tenant_settings s
            WHERE s.tenant_id = v.tenant_id AND s.mode = v.mode), v.days)
    FROM v WHERE v.id IS NOT NULL
    ON CONFLICT (tenant_id, mode, id) DO NOTHING";

pub(super) const DUE: &str = concat!(
    "SELECT tenant_id, mode, wire, ",
    columns!(),
    " FROM media WHERE session_key = $1 AND state = 'waiting' AND next_at <= $2 ORDER BY next_at, id LIMIT $3"
);

pub(super) const NEXT_AT: &str = "SELECT next_at FROM media
    WHERE session_key = $1 AND state = 'waiting' AND next_at > $2 ORDER BY next_at LIMIT 1";

pub(super) const OF_MESSAGE: &str = "SELECT id FROM media
    WHERE tenant_id = $1 AND mode = $2 AND session_key = $3 AND wa_id = $4 ORDER BY id";

const WITH_WIRE: &str = concat!(
    "SELECT tenant_id, mode, wire, ",
    columns!(),
    " FROM media WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND wire IS NOT NULL"
);

pub(in crate::store) const KEEP: &str =
    "UPDATE media SET kind = $4, mime = $5, state = 'stored', next_at = NULL, error = NULL,
        size = $6, sha256 = $7, width = COALESCE($8, width), height = COALESCE($9, height),
        seconds = COALESCE($10, seconds), is_animated = $11, waveform = COALESCE($12, waveform),
        thumbnail = COALESCE($13, thumbnail), blob = $14, blob_key = $15
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'stored'";

pub(in crate::store) const FAILURE: &str =
    "UPDATE media SET state = $4, next_at = $5, error = $6, tries = tries + 1
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'stored'";

const FETCH: &str = "UPDATE media SET state = 'waiting', next_at = $4, tries = 0
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'stored' AND wire IS NOT NULL";

const FORGET_SIZE: &str = "UPDATE media SET wire = $4, size = NULL
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'stored'";

const CHANGE_WIRE: &str = "UPDATE media SET wire = $4
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'stored'";

#[derive(sqlx::FromRow)]
struct StoredWaiting {
    tenant_id: TenantId,
    mode: Mode,
    wire: Vec<u8>,
    #[sqlx(flatten)]
    row: Stored,
}

impl StoredWaiting {
    fn read(self, store: &Store) -> Result<Waiting> {
        let wire = store.open_text(&wire_place(&self.row.id), &self.wire)?;
        Ok(Waiting { tenant: self.tenant_id, mode: self.mode, row: self.row.read(store)?, wire })
    }
}

fn wire_place(id: &MediaId) -> String {
    format!("media wire:{id}")
}

/// A row of [`insert_received`].
pub(in crate::store) fn received_row(
    owner: &Owner,
    message: &OfMessage,
    new: &NewReceived,
    now: At,
) -> Vec<Value> {
    values![
        owner.tenant.as_str(),
        owner.mode.as_str(),
        new.id.as_str(),
        new.kind.as_str(),
        new.mime.as_str(),
        new.file_name.as_deref(),
        new.size,
        new.width,
        new.height,
        new.seconds,
        new.is_animated,
        new.waveform.clone(),
        new.thumbnail.clone(),
        message.session.as_str(),
        message.wa_id.as_str(),
        message.chat.as_str(),
        message.sender.as_str(),
        message.from_me,
        Some(new.wire.clone()),
        new.next_at,
        now,
        KEPT_DAYS,
    ]
}

/// Writes files that wait, in the transaction of their messages.
pub(in crate::store) async fn insert_received(
    tx: &mut Tx<'_>,
    texts: &mut Texts,
    rows: Vec<Vec<Value>>,
) -> sqlx::Result<u64> {
    tx.run_many(texts, RECEIVED, rows).await
}

impl NewReceived {
    /// As events show it.
    pub(in crate::store) fn shown(&self) -> MediaShown {
        MediaShown {
            id: self.id.to_string(),
            mime_type: self.mime.clone(),
            file_name: self.file_name.clone(),
            size: self.size,
            seconds: self.seconds,
            width: self.width,
            height: self.height,
        }
    }
}

impl Store {
    /// Seals what [`NewReceived::wire`] holds.
    pub fn seal_media_wire(&self, id: &MediaId, json: &str) -> Vec<u8> {
        self.seal.seal(&wire_place(id), json.as_bytes())
    }

    /// Files of a session that are to be fetched now, those that waited longest first.
    pub async fn due_media(&self, session: &SessionKey, now: At, limit: i64) -> Result<Vec<Waiting>> {
        let rows: Vec<StoredWaiting> = self.db.rows(DUE, values![session.as_str(), now, limit]).await?;
        rows.into_iter().map(|row| row.read(self)).collect()
    }

    /// When the next file of a session is to be fetched that is not yet.
    pub async fn next_media_at(&self, session: &SessionKey, now: At) -> Result<Option<At>> {
        let next: Vec<(At,)> = self.db.rows(NEXT_AT, values![session.as_str(), now]).await?;
        Ok(next.first().map(|(at,)| *at))
    }
}

impl TenantStore {
    /// A received file with what it takes to fetch it, whatever its state.
    pub async fn waiting_media(&self, id: &MediaId) -> Result<Option<Waiting>> {
        let row: Option<StoredWaiting> = self.store.db.rows(WITH_WIRE, self.of_media(id)).await?.pop();
        row.map(|row| row.read(&self.store)).transpose()
    }

    /// Files that came with a message.
    pub async fn media_of_message(&self, session: &SessionKey, wa_id: &str) -> Result<Vec<MediaId>> {
        let values = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), wa_id];
        Ok(self.store.db.rows::<(MediaId,)>(OF_MESSAGE, values).await?.into_iter().map(|(id,)| id).collect())
    }

    /// A file that waited is here: its blob is written.
    ///
    /// # Errors
    /// When there is no room for it, or nobody waits for it.
    pub async fn keep_received(&self, id: &MediaId, whole: &Whole, room: i64) -> Result<MediaRow, NotAdded> {
        let mut parts = values![whole.kind.as_str(), whole.mime.as_str()];
        parts.extend(whole_values(&self.store, id, whole));
        let end = FileEnd::Kept { parts, sha256: whole.sha256, size: whole.size, room };
        match self.store.end_file(self.file_news(id, end)).await? {
            FileDone::Written => self.media(id).await?.ok_or(NotAdded::NotWanted),
            FileDone::NoRoom => Err(NotAdded::Full),
            FileDone::NotWanted => Err(NotAdded::NotWanted),
        }
    }

    /// One more try failed; `false` where nobody waits for it.
    pub async fn note_media_failure(&self, id: &MediaId, error: &str, next: Next) -> Result<bool> {
        let (state, at) = match next {
            Next::At(at) => ("waiting", Some(at)),
            Next::Failed => ("failed", None),
            Next::Asked => ("waiting", None),
            Next::Gone => ("gone", None),
        };
        let end = FileEnd::Failed { state, at, error: error.to_owned() };
        Ok(self.store.end_file(self.file_news(id, end)).await? == FileDone::Written)
    }

    fn file_news(&self, id: &MediaId, end: FileEnd) -> FileNews {
        FileNews { tenant: self.tenant.clone(), mode: self.mode, id: id.clone(), end }
    }

    /// Somebody asks for a file that is not here: it is fetched at `at`, with all its tries before it.
    pub async fn fetch_media(&self, id: &MediaId, at: At) -> Result<bool> {
        let mut values = self.of_media(id);
        values.extend(values![at]);
        Ok(self.run_media(FETCH, values).await? > 0)
    }

    /// Its sender said less than it has. How large it is nobody knows.
    pub async fn forget_media_size(&self, id: &MediaId, json: &str) -> Result<bool> {
        let mut values = self.of_media(id);
        values.extend(values![Some(self.store.seal_media_wire(id, json))]);
        Ok(self.run_media(FORGET_SIZE, values).await? > 0)
    }

    /// Its sender's phone gave it to WhatsApp again, elsewhere.
    pub async fn change_media_wire(&self, id: &MediaId, json: &str) -> Result<bool> {
        let mut values = self.of_media(id);
        values.extend(values![Some(self.store.seal_media_wire(id, json))]);
        Ok(self.run_media(CHANGE_WIRE, values).await? > 0)
    }
}
