//! Send one message.
//!
//! | file | what |
//! |---|---|
//! | `content` | what a wish wants said: its fields, checked |
//! | `named` | messages that it names: answered, edited, taken back, forwarded |
//! | `refusal` | what is refused of it |

use wapid_core::content::Content;
use wapid_core::id::MediaId;
use wapid_core::media::Kind;
use wapid_core::message::MessageName;
use wapid_core::people::TYPING_MAX_MS;
use wapid_core::phone::Recipient;
use wapid_core::store::TenantStore;
use wapid_core::tenant::day_ends;
use wapid_core::turns::Turn;

use super::GatewayParts;
use super::field::Field;
use super::home::home_of;
use super::once::Once;
use super::refusal::Refusal;
use crate::caller::OwnSession;
use crate::session::{SendRefusal, SendRequest, Sent, TypingWish};

mod content;
mod named;
mod refusal;

pub use content::{CardWish, ContentDraft, ContentWish, FileOf, LeftOut};
pub use named::MentionWish;
pub use refusal::{ContentRefusal, MessageRefusal};

use named::{ContextWish, NamedMessage};

/// One message, as somebody wishes it.
#[derive(Default)]
pub struct MessageWish {
    /// A number in any spelling, or a JID. Not needed where `message_id` says the chat.
    pub to: Option<String>,
    /// Of numbers without a country code; otherwise that of the settings.
    pub default_country: Option<String>,
    pub content: ContentWish,
    /// A file that came with the wish and is in the store already.
    pub file: Option<GivenFile>,
    /// The message that is reacted to, edited, deleted or forwarded.
    pub message_id: Option<String>,
    pub emoji: Option<String>,
    pub quoted_message_id: Option<String>,
    pub mentions: Vec<MentionWish>,
    pub expires_in: Option<u32>,
    pub typing: Option<TypingWish>,
    /// A wish that holds a large file is one of a few in memory at a time.
    pub turn: Option<Turn>,
}

#[derive(Debug)]
pub struct GivenFile {
    pub id: MediaId,
    pub kind: Kind,
}

/// WhatsApp has taken the message.
pub struct SentMessage {
    pub sent: Sent,
    /// What of the wish was not sent. A repeated answer does not say it again.
    pub left_out: Option<LeftOut>,
}

/// Sends a message and waits until WhatsApp has taken it.
///
/// # Errors
/// [`Refusal`]
pub async fn send(
    gateway: &GatewayParts,
    session: OwnSession,
    wish: MessageWish,
    once: Option<Once>,
) -> Result<SentMessage, Refusal> {
    let now = session.caller.store.now();
    let idempotency = once.map(|once| once.of_call("send", &session.row, now)).transpose()?;
    // Before a file is fetched: a retry has its answer already.
    if let Some(key) = &idempotency
        && let Some(sent) = gateway.sessions.repeated(&session.row, key).await?
    {
        return Ok(SentMessage { sent, left_out: None });
    }
    gateway.sessions.check_ready(&session.row)?;
    if matches!(wish.typing, Some(TypingWish::Ms(ms)) if !(1..=TYPING_MAX_MS).contains(&ms)) {
        return Err(MessageRefusal::Typing.into());
    }
    let typing = wish.typing;
    let CheckedMessage { to, content, left_out } = wish.checked(gateway, &session).await?;
    let request = SendRequest { to, content, typing, idempotency };
    match gateway.sessions.send(session.row, request).await {
        Ok(sent) => Ok(SentMessage { sent, left_out }),
        Err(SendRefusal::LimitReached { limit, used }) => {
            Err(day_spent(&session.caller.store, limit, used).await)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// The day's limit begins anew with the tenant's day.
async fn day_spent(store: &TenantStore, limit: i64, used: i64) -> Refusal {
    let at = store.now();
    let zone = store.time_zone().await.ok();
    Refusal::DaySpent { limit, used, at, begins_anew: zone.map(|zone| day_ends(at, &zone)) }
}

/// A message that can be sent.
struct CheckedMessage {
    to: Recipient,
    content: Content,
    left_out: Option<LeftOut>,
}

impl MessageWish {
    /// Whom it is for and what it says. Files are fetched last, when all else is right.
    async fn checked(
        mut self,
        gateway: &GatewayParts,
        session: &OwnSession,
    ) -> Result<CheckedMessage, Refusal> {
        // Until the file is in the store.
        let _turn = self.turn.take();
        let store = &session.caller.store;
        let home = home_of(store, self.default_country.as_deref()).await?;
        let to = self.to.as_deref().map(|to| Recipient::parse(to, home)).transpose();
        let to = to.map_err(MessageRefusal::Recipient)?;
        let id = named(Field::MessageId, self.message_id.as_deref())?;
        if self.changes_message() {
            let id = id.ok_or(MessageRefusal::NamesNoMessage);
            return self.change(gateway, session, to, id).await;
        }
        if id.is_some() {
            return Err(MessageRefusal::NamesMessage.into());
        }
        let to = to.ok_or(MessageRefusal::NoRecipient)?;
        let quoted = named(Field::QuotedMessageId, self.quoted_message_id.as_deref())?;
        let mentions = std::mem::take(&mut self.mentions);
        let beside =
            ContextWish { quoted: quoted.as_ref(), mentions: &mentions, home, expires_in: self.expires_in };
        let mut context = named::context(gateway, session, &to, beside).await?;
        let content = self.content()?;
        let left_out = content.left_out();
        context.preview = content.preview()?;
        let mut draft = content.draft(home, FileOf::ItsWish)?;
        let file = draft.store_file(&gateway.media, store).await?;
        Ok(CheckedMessage { to, content: Content { body: draft.body(file.as_ref()), context }, left_out })
    }

    fn changes_message(&self) -> bool {
        matches!(self.content.kind.as_deref(), Some("reaction" | "edit" | "delete" | "forward"))
    }

    /// A message about the one that it names: a reaction, an edit, or that it is taken back or sent on.
    async fn change(
        self,
        gateway: &GatewayParts,
        session: &OwnSession,
        to: Option<Recipient>,
        id: Result<MessageName, MessageRefusal>,
    ) -> Result<CheckedMessage, Refusal> {
        let now = session.caller.store.now();
        let ContentWish { kind, message, header, footer, link_preview, .. } = self.content;
        if link_preview == Some(true) {
            return Err(ContentRefusal::NoPreview.into());
        }
        let kind = kind.as_deref().unwrap_or_default();
        let meant = to.as_ref().filter(|_| kind != "forward");
        let named = NamedMessage::find(gateway, session, &id?, meant).await?;
        if kind == "forward" {
            let to = to.ok_or(MessageRefusal::NobodyToForwardTo)?;
            return Ok(CheckedMessage { to, content: named.forward()?, left_out: None });
        }
        let body = match kind {
            "reaction" => named.reaction(self.emoji)?,
            "edit" => {
                let words = content::words(message.as_deref(), header.as_deref(), footer.as_deref())?;
                named.edit(words, now)?
            }
            _ => named.delete(now)?,
        };
        Ok(CheckedMessage { to: named.chat()?, content: body.into(), left_out: None })
    }

    /// What it wants said, with the file that came along.
    fn content(self) -> Result<ContentWish, ContentRefusal> {
        let Self { mut content, file, .. } = self;
        if let Some(GivenFile { id, kind }) = file {
            if content.media_id.as_deref().is_some_and(|id| !id.trim().is_empty()) {
                return Err(ContentRefusal::SeveralFiles);
            }
            content.kind.get_or_insert_with(|| kind.as_str().to_owned());
            content.media_id = Some(id.to_string());
        }
        Ok(content)
    }
}

fn named(field: Field, id: Option<&str>) -> Result<Option<MessageName>, MessageRefusal> {
    id.map(MessageName::parse).transpose().map_err(|why| MessageRefusal::MessageId { field, why })
}
