//! What edits and deletes do to the messages they name.
//!
//! The change is a row of its own, which keeps the history; here its effect is put on the message: the new
//! words with the first ones kept beside them, or the mark that it was taken back. A reaction and a vote leave
//! the message as it is.

use super::Result;
use super::events::Moved;
use crate::id::{MessageKey, TenantId};
use crate::key::Mode;
use crate::message::Status;
use crate::store::tx::{Tx, values};

/// An id names a message within its chat, and a chat of two has two names. Only who wrote a message may change it; an admin of a group may take it back, as WhatsApp's servers check.
/// People are compared by every name they have. What changes nothing is not done again, and what was erased
/// gets no words again.
pub(super) const APPLY: &str = "UPDATE messages SET
        original = CASE WHEN c.kind = 'edit' THEN COALESCE(messages.original, messages.body)
            ELSE messages.original END,
        body = CASE WHEN c.kind = 'edit' THEN c.body ELSE messages.body END,
        edited_at = CASE WHEN c.kind = 'edit' THEN c.moment ELSE messages.edited_at END,
        deleted_at = CASE WHEN c.kind = 'delete' THEN c.moment ELSE messages.deleted_at END
    FROM (SELECT m.session_key, m.target, m.kind, m.body, m.direction, m.sender, m.phone, m.lid, m.chat,
            CASE WHEN m.origin = 'api' THEN m.created_at ELSE m.sent_at END AS moment,
            m.kind = 'delete' AND m.chat LIKE '%@g.us' AND m.content LIKE '%\"by_admin\":true%' AS by_admin
        FROM messages m
        WHERE m.tenant_id = $1 AND m.mode = $2 AND m.key = $3 AND m.kind IN ('edit', 'delete')) c
    WHERE messages.session_key = c.session_key AND messages.wa_id = c.target
        AND messages.target IS NULL AND messages.deleted_at IS NULL
        AND (c.kind = 'delete' OR (messages.erased_at IS NULL AND messages.body <> c.body
            AND (messages.edited_at IS NULL OR messages.edited_at <= c.moment)))
        AND ((messages.direction = c.direction AND (c.direction = 'out' OR messages.sender = c.sender
                OR messages.phone = c.phone OR messages.lid = c.lid))
            OR c.by_admin)
        AND (messages.chat = c.chat OR (messages.chat NOT LIKE '%@g.us' AND c.chat NOT LIKE '%@g.us'
            AND (messages.phone = c.phone OR messages.lid = c.lid)))";

/// Puts a stored change on the message that it names, where that is in the log.
pub(super) async fn apply(
    tx: &mut Tx<'_>,
    (tenant, mode): (&TenantId, Mode),
    change: &MessageKey,
) -> Result<()> {
    tx.run(APPLY, values![tenant.as_str(), mode.as_str(), change.as_str()]).await?;
    Ok(())
}

/// The same for changes of ours, once WhatsApp has taken them.
pub(super) async fn apply_all<'a>(tx: &mut Tx<'_>, moved: impl Iterator<Item = &'a Moved>) -> Result<()> {
    for moved in moved.filter(|moved| moved.target.is_some() && moved.status != Status::Failed) {
        apply(tx, (&moved.tenant_id, moved.mode), &moved.key).await?;
    }
    Ok(())
}
