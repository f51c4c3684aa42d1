//! What edits and deletes do to the messages they name.
//!
//! The change is a row of its own, which keeps the history; here its effect is put on the message: the new
//! words with the first ones kept beside them, or the mark that it was taken back. A reaction and a vote leave
//! the message as it is.
//!
//! An edit that comes too late changes nothing and is told to nobody, as on phones: else a contact would rewrite what
//! was agreed on long ago, in our log alone. Its row stays, so that WhatsApp's copies of it are known.

use super::moved::Moved;
use crate::id::{MessageKey, TenantId};
use crate::key::Mode;
use crate::message::Status;
use crate::store::error::Result;
use crate::store::tx::{Tx, values};

/// How long after its message an edit that arrives is believed. WhatsApp's apps let people edit for 15 minutes; what
/// they wrote by then may reach WhatsApp's servers later, whose clock this goes by.
pub const EDITED_WITHIN_MS: i64 = 20 * 60_000;

/// An id names a message within its chat, and a chat of two has two names. Only who wrote a message may change it;
/// an admin of a group may take it back, as WhatsApp's servers check.
/// People are compared by every name they have. What changes nothing is not done again, and what was erased
/// gets no words again.
pub(super) const APPLY: &str = "UPDATE messages SET
        original = CASE WHEN c.kind = 'edit' THEN COALESCE(messages.original, messages.body)
            ELSE messages.original END,
        body = CASE WHEN c.kind = 'edit' THEN c.body ELSE messages.body END,
        edited_at = CASE WHEN c.kind = 'edit' THEN c.moment ELSE messages.edited_at END,
        deleted_at = CASE WHEN c.kind = 'delete' THEN c.moment ELSE messages.deleted_at END
    FROM (SELECT m.session_key, m.target, m.kind, m.body, m.direction, m.origin, m.sender, m.phone, m.lid, m.chat,
            CASE WHEN m.origin = 'api' THEN m.created_at ELSE m.sent_at END AS moment,
            m.kind = 'delete' AND m.chat LIKE '%@g.us' AND m.content LIKE '%\"by_admin\":true%' AS by_admin
        FROM messages m
        WHERE m.tenant_id = $1 AND m.mode = $2 AND m.key = $3 AND m.kind IN ('edit', 'delete')) c
    WHERE messages.session_key = c.session_key AND messages.wa_id = c.target
        AND messages.target IS NULL AND messages.deleted_at IS NULL
        AND (c.kind = 'delete' OR (messages.erased_at IS NULL AND messages.body <> c.body
            AND (messages.edited_at IS NULL OR messages.edited_at <= c.moment)
            AND (c.origin = 'api' OR c.moment - COALESCE(messages.sent_at, messages.created_at) <= $4)))
        AND ((messages.direction = c.direction AND (c.direction = 'out' OR messages.sender = c.sender
                OR messages.phone = c.phone OR messages.lid = c.lid))
            OR c.by_admin)
        AND (messages.chat = c.chat OR (messages.chat NOT LIKE '%@g.us' AND c.chat NOT LIKE '%@g.us'
            AND (messages.phone = c.phone OR messages.lid = c.lid)))";

pub(super) const TOO_LATE: &str = "SELECT m.key
    FROM messages c JOIN messages m ON m.session_key = c.session_key AND m.wa_id = c.target AND m.chat = c.chat
    WHERE c.tenant_id = $1 AND c.mode = $2 AND c.key = $3 AND c.kind = 'edit' AND m.target IS NULL
        AND c.sent_at - COALESCE(m.sent_at, m.created_at) > $4 LIMIT 1";

/// Puts a stored change on the message that it names, where that is in the log.
pub(super) async fn apply(
    tx: &mut Tx<'_>,
    (tenant, mode): (&TenantId, Mode),
    change: &MessageKey,
) -> Result<()> {
    tx.run(APPLY, values![tenant.as_str(), mode.as_str(), change.as_str(), EDITED_WITHIN_MS]).await?;
    Ok(())
}

/// Does an edit that arrived come too late for the message that it names?
pub(super) async fn is_too_late(
    tx: &mut Tx<'_>,
    (tenant, mode): (&TenantId, Mode),
    change: &MessageKey,
) -> Result<bool> {
    let place = values![tenant.as_str(), mode.as_str(), change.as_str(), EDITED_WITHIN_MS];
    Ok(!tx.rows::<(MessageKey,)>(TOO_LATE, place).await?.is_empty())
}

/// The same for changes of ours, once WhatsApp has taken them.
pub(super) async fn apply_all<'a>(tx: &mut Tx<'_>, moved: impl Iterator<Item = &'a Moved>) -> Result<()> {
    for moved in moved.filter(|moved| moved.target.is_some() && moved.status != Status::Failed) {
        apply(tx, (&moved.tenant_id, moved.mode), &moved.key).await?;
    }
    Ok(())
}
