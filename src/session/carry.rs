//! Files of messages that leave: on WhatsApp's servers once, for however many messages carry them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use wapid_core::clock::At;
use wapid_core::content::Content;
use wapid_core::id::{MediaId, SessionKey};
use wapid_core::media::{Kind, State};
use wapid_core::store::TenantStore;
use wapid_core::store::ledger::Owner;
use wapid_core::store::media::MediaRow;

use super::Sessions;
use crate::link::{File, FileFailure, Link, Look, Place, SendFailure};

/// WhatsApp's servers keep a file for about a month; one that is older than this is put there anew.
const KEPT_MS: i64 = 7 * 86_400_000;
/// Uploads at the same time. Each needs some hundred KiB of memory, and a scratch file.
const UPLOADS: usize = 8;
/// How long an upload may take: 2 GiB at some 2 MiB/s.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(20 * 60);

/// Held by whoever uploads a file.
type Turn = tokio::sync::Mutex<()>;

/// Uploads on their way.
pub struct Carriage {
    room: Semaphore,
    /// Who uploads which file, so that all who carry it wait for one upload.
    turns: Mutex<HashMap<(MediaId, Kind), Weak<Turn>>>,
}

impl Default for Carriage {
    fn default() -> Self {
        Self { room: Semaphore::new(UPLOADS), turns: Mutex::default() }
    }
}

impl Carriage {
    fn turn(&self, id: &MediaId, kind: Kind) -> Arc<Turn> {
        let mut turns = self.turns.lock();
        turns.retain(|_, turn| turn.strong_count() > 0);
        let known = turns.entry((id.clone(), kind)).or_default();
        known.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *known = Arc::downgrade(&turn);
            turn
        })
    }
}

impl Sessions {
    /// A message with its chat's timer on it, where the chat has one and the message says nothing else.
    pub(super) fn in_time<'a>(
        &self,
        session: &SessionKey,
        chat: &str,
        content: &'a Content,
    ) -> Cow<'a, Content> {
        let is_open = content.context.expires_in.is_none() && content.target().is_none();
        let Some(seconds) = self.0.timers.of(session, chat).filter(|_| is_open) else {
            return Cow::Borrowed(content);
        };
        let mut content = content.clone();
        content.context.expires_in = Some(seconds);
        Cow::Owned(content)
    }

    /// The file that a message carries, on WhatsApp's servers. `None` for one that carries none.
    ///
    /// # Errors
    /// [`SendFailure::FileGone`] when the file is not in the store any more; `Lost` and `Internal` when it did
    /// not get there.
    pub(super) async fn carried(
        &self,
        owner: &Owner,
        content: &Content,
        link: &Link,
    ) -> Result<Option<File>, SendFailure> {
        let Some((kind, id)) = content.file() else { return Ok(None) };
        let tenant = self.store().tenant(owner.tenant.clone(), owner.mode);
        let internal = |error: &dyn std::fmt::Display| SendFailure::Internal(error.to_string());
        let row = tenant.media(id).await.map_err(|error| internal(&error))?;
        let row = row.ok_or(SendFailure::FileGone)?;
        let turn = self.0.carriage.turn(id, kind);
        let _turn = turn.lock().await;
        let place = match self.place_of(&tenant, &row, kind).await.map_err(|error| internal(&error))? {
            Some(place) => place,
            None => self.upload(&tenant, &row, kind, link).await?,
        };
        Ok(Some(File { kind, place, look: look_of(row) }))
    }

    /// Where the file lies already, if it still does.
    async fn place_of(
        &self,
        tenant: &TenantStore,
        row: &MediaRow,
        kind: Kind,
    ) -> anyhow::Result<Option<Place>> {
        let now = self.now();
        let is_fresh = |at: At| now.since(at) < KEPT_MS;
        if let Some(upload) = tenant.media_upload(&row.id, kind).await?
            && is_fresh(upload.uploaded_at)
        {
            return Ok(Some(serde_json::from_str(&upload.wire)?));
        }
        // One that arrived is sent on from where it lies, as WhatsApp's own apps do.
        if row.message.is_some()
            && row.kind == kind
            && is_fresh(row.created_at)
            && let Some(waiting) = tenant.waiting_media(&row.id).await?
        {
            return Ok(Some(serde_json::from_str(&waiting.wire)?));
        }
        Ok(None)
    }

    async fn upload(
        &self,
        tenant: &TenantStore,
        row: &MediaRow,
        kind: Kind,
        link: &Link,
    ) -> Result<Place, SendFailure> {
        if row.state != State::Stored {
            return Err(SendFailure::FileGone);
        }
        let internal = |error: &dyn std::fmt::Display| SendFailure::Internal(error.to_string());
        let _room = self.0.carriage.room.acquire().await.map_err(|error| internal(&error))?;
        let media = &self.0.parts.media;
        let reader = media.reader(row).map_err(|error| internal(&error))?;
        let scratch = media.scratch().map_err(|error| internal(&error))?;
        let uploaded = tokio::time::timeout(UPLOAD_PATIENCE, link.upload(kind, reader, scratch)).await;
        let place = uploaded.map_err(|_| SendFailure::Lost)?.map_err(|failure| match failure {
            FileFailure::Unreachable if !link.is_connected() => SendFailure::Lost,
            failure => internal(&failure),
        })?;
        let wire = serde_json::to_string(&place).map_err(|error| internal(&error))?;
        tenant.remember_upload(&row.id, kind, &wire).await.map_err(|error| internal(&error))?;
        Ok(place)
    }
}

fn look_of(row: MediaRow) -> Look {
    let whole = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok());
    Look {
        mime: row.mime,
        file_name: row.file_name,
        width: whole(row.width),
        height: whole(row.height),
        seconds: whole(row.seconds),
        waveform: row.waveform,
        thumbnail: row.thumbnail,
    }
}
