//! Messages that a wish names: the one it answers, changes, takes back or sends on.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wapid_core::clock::At;
use wapid_core::content::{
    Body, Content, Context, Delete, Edit, EditedFile, MENTIONS_MAX, Quoted, Reaction, Target, Words,
    is_blank, is_one_emoji,
};
use wapid_core::message::{Direction, MessageName, Status};
use wapid_core::people::Who;
use wapid_core::phone::{Country, Recipient};
use wapid_core::store::messages::MessageRow;
use wapid_core::store::{StoreError, TenantStore};
use wapid_core::wa_id::WaId;

use super::refusal::MessageRefusal;
use crate::caller::OwnSession;
use crate::usecases::GatewayParts;
use crate::usecases::groups::GroupRefusal;
use crate::usecases::refusal::{Missing, Refusal};

/// WhatsApp's apps take an edit for 15 minutes after the message (its own help says so).
const EDIT_MS: i64 = 15 * 60_000;
/// And let its writer take a message back for two and a half days.
const DELETE_MS: i64 = 60 * 3_600_000;
/// A larger one is left out of a quote.
const THUMBNAIL_MAX: usize = 16 << 10;
/// What WhatsApp's apps offer: a day, a week, 90 days.
const EXPIRES: [u32; 3] = [86_400, 604_800, 7_776_000];

/// Somebody whom a message mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MentionWish {
    /// All of a group.
    Everybody,
    /// A number or JID.
    Person(String),
}

/// What is wished beside what a message says.
pub struct ContextWish<'a> {
    pub quoted: Option<&'a MessageName>,
    pub mentions: &'a [MentionWish],
    /// Of mentioned numbers that are written without a country code.
    pub home: Option<Country>,
    pub expires_in: Option<u32>,
}

/// A stored message that a caller named.
pub struct NamedMessage {
    row: MessageRow,
    content: Content,
}

impl NamedMessage {
    /// By WhatsApp's id or by ours. It is a message of the chat with `to`, where a request names one: what is
    /// meant for one person is never shown to another.
    ///
    /// # Errors
    /// [`Missing::Message`], also for another session's, and for one of another chat.
    pub async fn find(
        gateway: &GatewayParts,
        session: &OwnSession,
        id: &MessageName,
        to: Option<&Recipient>,
    ) -> Result<Self, Refusal> {
        let rows = session.caller.store.messages_named(&session.row.key, id).await?;
        let place = match to {
            // Somebody may answer under an id of ours; then ours is meant.
            None => rows.iter().position(|row| row.direction == Direction::Out).or(Some(0)),
            Some(to) => in_chat(gateway, session, &rows, to).await?,
        };
        Self::of(place.and_then(|place| rows.get(place)))
    }

    /// What an answer to `to` may quote: a message of that chat, or one of a group, which is answered in
    /// private.
    async fn quotable(
        gateway: &GatewayParts,
        session: &OwnSession,
        id: &MessageName,
        to: &Recipient,
    ) -> Result<Self, Refusal> {
        let rows = session.caller.store.messages_named(&session.row.key, id).await?;
        let place = in_chat(gateway, session, &rows, to).await?;
        let of_group = || rows.iter().position(|row| row.chat.ends_with("@g.us"));
        let is_person = !matches!(to, Recipient::Group(_));
        Self::of(place.or_else(|| is_person.then(of_group)?).and_then(|place| rows.get(place)))
    }

    fn of(row: Option<&MessageRow>) -> Result<Self, Refusal> {
        let row = row.cloned().ok_or(Refusal::Missing(Missing::Message))?;
        let content = row.said()?.ok_or(Refusal::Missing(Missing::Message))?;
        if content.target().is_some() {
            return Err(Refusal::Missing(Missing::Message));
        }
        Ok(Self { row, content })
    }

    /// The chat it is in.
    pub fn chat(&self) -> Result<Recipient, Refusal> {
        Recipient::parse(&self.row.chat, None).map_err(|_| Refusal::Missing(Missing::Message))
    }

    fn target(&self) -> Result<Target, Refusal> {
        let from_me = self.row.direction == Direction::Out;
        let sender = (!from_me).then(|| self.row.sender.clone());
        let id = WaId::parse(&self.row.wa_id).map_err(|_| Refusal::Missing(Missing::Message))?;
        Ok(Target { id, from_me, sender })
    }

    fn is_over(&self) -> bool {
        let is_bare = self.row.erased_at.is_some();
        is_bare || self.row.deleted_at.is_some() || self.row.status == Status::Failed
    }

    fn check(&self) -> Result<(), MessageRefusal> {
        if self.is_over() {
            return Err(MessageRefusal::Gone);
        }
        Ok(())
    }

    pub fn reaction(&self, emoji: Option<String>) -> Result<Body, Refusal> {
        self.check()?;
        let emoji = emoji.ok_or(MessageRefusal::NoEmoji)?;
        if !emoji.is_empty() && !is_one_emoji(&emoji) {
            return Err(MessageRefusal::NotOneEmoji.into());
        }
        Ok(Body::Reaction(Reaction { target: self.target()?, emoji }))
    }

    /// `words` are checked as those of a text.
    pub fn edit(&self, words: Words, now: At) -> Result<Body, Refusal> {
        self.check()?;
        if self.row.direction != Direction::Out {
            return Err(MessageRefusal::EditOfOthers.into());
        }
        if self.content.body.words().is_none() {
            return Err(MessageRefusal::CannotEdit.into());
        }
        if now.since(self.row.created_at) > EDIT_MS {
            return Err(MessageRefusal::EditTooLate.into());
        }
        if is_blank(&words.message) {
            return Err(MessageRefusal::NoNewText.into());
        }
        let of = self.content.body.medium().map(|(kind, medium)| EditedFile {
            kind,
            media: medium.media.clone(),
            file_name: medium.file_name.clone(),
        });
        Ok(Body::Edit(Edit { target: self.target()?, words, of }))
    }

    pub fn delete(&self, now: At) -> Result<Body, Refusal> {
        self.check()?;
        let by_admin = self.row.direction == Direction::In;
        if by_admin && !self.row.chat.ends_with("@g.us") {
            return Err(MessageRefusal::DeleteOfOthers.into());
        }
        if now.since(self.row.created_at) > DELETE_MS {
            return Err(MessageRefusal::DeleteTooLate.into());
        }
        Ok(Body::Delete(Delete { target: self.target()?, by_admin }))
    }

    pub fn forward(&self) -> Result<Content, MessageRefusal> {
        self.check()?;
        self.content.forwarded().ok_or(MessageRefusal::CannotForward)
    }

    /// As it is shown above an answer to `to`.
    async fn quoted(
        &self,
        store: &TenantStore,
        to: &Recipient,
        own: Option<&str>,
    ) -> Result<Quoted, StoreError> {
        let is_elsewhere = self.row.chat.ends_with("@g.us") && self.row.chat != to.jid();
        let sender = match self.row.direction {
            Direction::In => Some(self.row.sender.clone()),
            Direction::Out => own.map(|phone| format!("{phone}@s.whatsapp.net")),
        };
        Ok(Quoted {
            id: self.row.wa_id.clone(),
            sender,
            kind: self.row.kind.clone(),
            text: self.row.body.clone(),
            chat: is_elsewhere.then(|| self.row.chat.clone()),
            thumbnail: self.thumbnail(store).await?,
        })
    }

    /// The small picture of its file. What opens once shows nothing.
    async fn thumbnail(&self, store: &TenantStore) -> Result<Option<String>, StoreError> {
        let medium = self.content.body.medium().filter(|(_, medium)| !medium.view_once);
        let Some((_, medium)) = medium else { return Ok(None) };
        let thumbnail = store.media(&medium.media).await?.and_then(|file| file.thumbnail);
        Ok(thumbnail.filter(|jpeg| jpeg.len() <= THUMBNAIL_MAX).map(|jpeg| BASE64_STANDARD.encode(jpeg)))
    }
}

/// Which of these messages is in the chat with `to`? People write a number in any spelling, and the chat is called
/// by the account's own number or LID.
async fn in_chat(
    gateway: &GatewayParts,
    session: &OwnSession,
    rows: &[MessageRow],
    to: &Recipient,
) -> Result<Option<usize>, StoreError> {
    let who = match to {
        Recipient::Group(_) => return Ok(rows.iter().position(|row| row.chat == to.jid())),
        Recipient::Person(phone) => Who::of(phone),
        Recipient::Hidden(lid) => Who { phone: None, lid: Some(lid.clone()) },
    };
    let find = async |who: &Who| {
        let names = session.caller.store.aliases_of(who).await?;
        Ok::<_, StoreError>(rows.iter().position(|row| row.is_with(&names)))
    };
    let found = find(&who).await?;
    if found.is_some() || rows.is_empty() {
        return Ok(found);
    }
    // WhatsApp alone knows some spellings.
    match gateway.sessions.account_of_recipient(&session.row, to).await {
        Some(account) if account != who => find(&account).await,
        _ => Ok(None),
    }
}

/// Everybody in a group but this number, as WhatsApp tells it now.
async fn everybody(
    gateway: &GatewayParts,
    session: &OwnSession,
    to: &Recipient,
) -> Result<Vec<String>, Refusal> {
    let Recipient::Group(_) = to else {
        return Err(MessageRefusal::EverybodyOfOne.into());
    };
    let group = gateway.sessions.group(&session.row, &to.jid()).await.map_err(GroupRefusal::WhatsApp)?;
    let own = gateway.sessions.own_number(&session.caller.store, &session.row.id);
    let others = group.participants.into_iter().filter(|one| own.is_none() || one.person.phone != own);
    Ok(others.filter_map(|one| one.person.jid()).take(MENTIONS_MAX).collect())
}

/// What is said beside a message.
pub async fn context(
    gateway: &GatewayParts,
    session: &OwnSession,
    to: &Recipient,
    wish: ContextWish<'_>,
) -> Result<Context, Refusal> {
    let ContextWish { quoted, mentions, home, expires_in } = wish;
    let quoted = match quoted {
        Some(id) => {
            let own = gateway.sessions.own_number(&session.caller.store, &session.row.id);
            let named = NamedMessage::quotable(gateway, session, id, to).await?;
            Some(named.quoted(&session.caller.store, to, own.as_deref()).await?)
        }
        None => None,
    };
    if mentions.len() > MENTIONS_MAX {
        return Err(MessageRefusal::MentionCount.into());
    }
    let everybody = if mentions.contains(&MentionWish::Everybody) {
        everybody(gateway, session, to).await?
    } else {
        vec![]
    };
    let mut mentions = mentions
        .iter()
        .filter_map(|mention| match mention {
            MentionWish::Everybody => None,
            MentionWish::Person(person) => Some(person),
        })
        .map(|person| match Recipient::parse(person, home) {
            Ok(Recipient::Group(_)) => Err(MessageRefusal::MentionOfGroup),
            Ok(person) => Ok(person.jid()),
            Err(problem) => Err(MessageRefusal::Mention(problem)),
        })
        .collect::<Result<Vec<_>, _>>()?;
    mentions.extend(everybody);
    mentions.sort();
    mentions.dedup();
    if expires_in.is_some_and(|seconds| seconds != 0 && !EXPIRES.contains(&seconds)) {
        return Err(MessageRefusal::ExpiresIn.into());
    }
    Ok(Context { quoted, mentions, expires_in, ..Context::default() })
}
