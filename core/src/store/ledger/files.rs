//! What became of files that came with messages, with the events that say so.

use super::vocabulary::{FileDone, FileEnd, FileNews};
use super::workbench::Batch;
use crate::clock::At;
use crate::event::{EventData, MediaEvent, NewEvent};
use crate::id::{MediaId, SessionKey};
use crate::store::error::Result;
use crate::store::media::{FAILURE, KEEP, TAKE_ROOM};
use crate::store::tx::values;

/// Its tenant has no room for it: the blob goes, and the row says so.
const NO_ROOM: &str =
    "UPDATE media SET state = 'failed', error = 'storage_full', next_at = NULL, blob = NULL,
        blob_key = NULL, sha256 = NULL
    WHERE tenant_id = $1 AND mode = $2 AND id = $3";

const MESSAGE: &str = "SELECT session_key, wa_id, chat, kind, mime, size FROM media
    WHERE tenant_id = $1 AND mode = $2 AND id = $3";

#[derive(sqlx::FromRow)]
struct OfMessage {
    session_key: Option<SessionKey>,
    wa_id: Option<String>,
    chat: Option<String>,
    kind: String,
    mime: String,
    size: Option<i64>,
}

pub(super) async fn write(batch: &mut Batch<'_, '_>, news: &FileNews) -> Result<FileDone> {
    let of = || values![news.tenant.as_str(), news.mode.as_str(), news.id.as_str()];
    let (done, told) = match &news.end {
        FileEnd::Kept { parts, sha256, size, room } => {
            let mut whole = of();
            whole.extend(parts.iter().cloned());
            if batch.tx.run(KEEP, whole).await? == 0 {
                return Ok(FileDone::NotWanted);
            }
            let wanted = values![news.tenant.as_str(), news.mode.as_str(), *size, *room];
            if size > room || batch.tx.run(TAKE_ROOM, wanted).await? == 0 {
                batch.tx.run(NO_ROOM, of()).await?;
                (FileDone::NoRoom, Some(Err("storage_full".to_owned())))
            } else {
                (FileDone::Written, Some(Ok(hex::encode(sha256))))
            }
        }
        FileEnd::Failed { state, at, error } => {
            let mut failure = of();
            failure.extend(values![*state, *at, error.as_str()]);
            if batch.tx.run(FAILURE, failure).await? == 0 {
                return Ok(FileDone::NotWanted);
            }
            (FileDone::Written, at.is_none().then(|| Err(error.clone())))
        }
    };
    if let Some(end) = told {
        let file: Option<OfMessage> = batch.tx.rows(MESSAGE, of()).await?.pop();
        batch.events.extend(file.and_then(|file| event(&news.id, file, end, batch.now)));
    }
    Ok(done)
}

/// `end` is the file's hash, or why there is none.
fn event(
    id: &MediaId,
    file: OfMessage,
    end: Result<String, String>,
    now: At,
) -> Option<(SessionKey, NewEvent)> {
    let told = MediaEvent {
        media_id: id.to_string(),
        message_id: file.wa_id?,
        chat: file.chat?,
        r#type: file.kind,
        mime_type: Some(file.mime),
        size: file.size,
        ..MediaEvent::default()
    };
    let data = match end {
        Ok(sha256) => EventData::MediaStored(MediaEvent { sha256: Some(sha256), ..told }),
        Err(error) => EventData::MediaFailed(MediaEvent { error: Some(error), ..told }),
    };
    Some((file.session_key?, NewEvent::new(now, data)))
}
