//! What callers ask and tell of people, between the store and a session's link.
//!
//! Whatever needs WhatsApp needs a session that is ready, as a send does. Every question has a deadline
//! (`link/whatsapp/people.rs`); what WhatsApp confirmed is written down before the caller is answered.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wapid_core::id::ContactId;
use wapid_core::lookup::Spent;
use wapid_core::message::MessageName;
use wapid_core::people::{ChatChange, News, Presence, TYPING_MAX_MS, Typing, Who, typing_ms};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::session::{Account, State, Status};
use wapid_core::store::chats::{ChatRow, Received};
use wapid_core::store::people::ContactRow;
use wapid_core::store::sessions::SessionRow;
use wapid_core::store::{StoreError, TenantStore};

use super::Sessions;
use super::lookup::recipient;
use super::send::owner_of;
use crate::link::{AskFailure, Blocked, LastSeen, Link, Person, Picture, PictureSize};
use crate::portrait::{self, PortraitError};

/// The most messages that one call marks read.
pub const READ_MAX: usize = 500;
/// Pictures that are made fit at the same time: each takes up to some 200 MB for a moment.
const PORTRAITS_AT_ONCE: usize = 2;
/// How long a send waits for a block list that is not known yet.
const BLOCKS_PATIENCE: Duration = Duration::from_secs(3);

/// WhatsApp cannot be asked through this session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is {}: {reason}", .status.as_str())]
pub struct NotReady {
    pub status: Status,
    pub reason: &'static str,
}

impl NotReady {
    pub(super) fn in_state(state: &State) -> Self {
        Self { status: state.status(), reason: state.reason() }
    }

    /// The session went away between the question and the answer.
    pub(super) fn gone(reason: &'static str) -> Self {
        Self { status: Status::Disconnected, reason }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AskRefusal {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("the numbers that this session may ask about within an hour are used up")]
    TooManyChecks(Spent),
    /// For a while: it has been asked too much, or does not answer.
    #[error("{why}")]
    LookupRefused { why: AskFailure, retry_in_ms: i64 },
    #[error("there is no such contact")]
    NoContact,
    #[error("the number is not on WhatsApp")]
    NotOnWhatsApp,
    #[error("there is no such chat")]
    NoChat,
    #[error("there is no such message")]
    NoMessage,
    #[error("there is no picture")]
    NoPicture,
    #[error(transparent)]
    Portrait(#[from] PortraitError),
    #[error(transparent)]
    Asking(#[from] AskFailure),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a session keeps for these calls.
pub struct Desk {
    portraits: Arc<Semaphore>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { portraits: Arc::new(Semaphore::new(PORTRAITS_AT_ONCE)) }
    }
}

/// Whom a caller means, and what is kept of them.
#[derive(Debug, Clone)]
pub struct Contact {
    pub who: Who,
    pub id: Option<ContactId>,
    pub row: Option<ContactRow>,
}

impl Contact {
    /// The address to ask WhatsApp about.
    fn address(&self) -> Result<String, AskRefusal> {
        self.who.chat().ok_or(AskRefusal::NoContact)
    }
}

/// How a caller names somebody.
#[derive(Debug, Clone)]
pub enum Named {
    Id(ContactId),
    Address(Recipient),
}

/// Somebody, with what WhatsApp shows of them.
#[derive(Debug, Clone)]
pub struct Portrayed {
    pub contact: Contact,
    pub person: Option<Person>,
    pub picture: Option<Picture>,
    pub is_blocked: bool,
}

/// Which messages a caller means.
#[derive(Debug, Clone)]
pub enum ToRead {
    Messages(Vec<MessageName>),
    /// Those of a chat that nobody has read.
    Chat(Recipient),
}

/// How long somebody is shown typing before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypingWish {
    /// As a person would need for it.
    Natural,
    Ms(i64),
}

/// The account's own profile.
#[derive(Debug, Clone)]
pub struct OwnProfile {
    pub account: Account,
    pub name: String,
    pub about: Option<String>,
    pub picture: Option<Picture>,
}

impl Sessions {
    /// The link of a session that is ready.
    pub(super) fn ready_link(&self, row: &SessionRow) -> Result<Arc<Link>, NotReady> {
        let view = self.view_of(row);
        if !matches!(view.state, State::Ready { .. }) {
            return Err(NotReady::in_state(&view.state));
        }
        view.link.and_then(|link| link.upgrade()).ok_or_else(|| NotReady::gone("connection_lost"))
    }

    fn tenant_of(&self, row: &SessionRow) -> TenantStore {
        self.store().tenant(row.tenant.clone(), row.mode)
    }

    /// Tells who wrote these messages that they were read; answers their ids.
    ///
    /// # Errors
    /// [`AskRefusal::NoMessage`] when none of them was received by this session, [`AskRefusal::NoChat`].
    pub async fn mark_read(&self, row: &SessionRow, which: ToRead) -> Result<Vec<String>, AskRefusal> {
        let link = self.ready_link(row)?;
        let tenant = self.tenant_of(row);
        let (messages, chat) = match which {
            ToRead::Messages(wa_ids) => {
                let found = tenant.received(&row.key, &wa_ids).await?;
                if found.is_empty() {
                    return Err(AskRefusal::NoMessage);
                }
                (found, None)
            }
            ToRead::Chat(chat) => {
                let chat = self.chat_with(row, &chat).await?;
                let limit = i64::try_from(READ_MAX).unwrap_or(i64::MAX).min(chat.unread);
                (tenant.unread(&row.key, &chat, limit).await?, Some(chat))
            }
        };
        tell_read(&link, &messages).await?;
        let wa_ids = distinct(messages);
        let news = match chat {
            None => News::Read { wa_ids: wa_ids.clone() },
            Some(ChatRow { chat, unread, .. }) => News::ChatRead { chat, unread, wa_ids: wa_ids.clone() },
        };
        self.store().hear(owner_of(row), vec![news]).await?;
        Ok(wa_ids)
    }

    /// The chat with somebody, under whatever number they are named.
    ///
    /// # Errors
    /// [`AskRefusal::NoChat`].
    pub async fn chat_with(&self, row: &SessionRow, chat: &Recipient) -> Result<ChatRow, AskRefusal> {
        let tenant = self.tenant_of(row);
        if let Some(known) = tenant.chat(&row.key, chat).await? {
            return Ok(known);
        }
        let account = chat.phone().and_then(|phone| self.known_account(&row.tenant, row.mode, phone));
        let account = account.as_ref().and_then(recipient).ok_or(AskRefusal::NoChat)?;
        tenant.chat(&row.key, &account).await?.ok_or(AskRefusal::NoChat)
    }

    /// Changes a chat on all the owner's devices; answers the chat as it is then.
    pub async fn change_chat(
        &self,
        row: &SessionRow,
        chat: &Recipient,
        change: ChatChange,
    ) -> Result<ChatRow, AskRefusal> {
        let link = self.ready_link(row)?;
        let known = self.chat_with(row, chat).await?;
        link.change_chat(&known.wire, change).await?;
        // The client tells of it as well; the caller is answered by what is stored, so it is stored first.
        let news = News::Chat { who: None, chat: known.chat.clone(), change };
        self.store().hear(owner_of(row), vec![news]).await?;
        self.chat_with(row, chat).await
    }

    /// Marks a chat read, for its writers and on all the owner's devices; answers the chat as it is then. What
    /// came in meanwhile is not read.
    pub async fn read_chat(&self, row: &SessionRow, chat: &Recipient) -> Result<ChatRow, AskRefusal> {
        let link = self.ready_link(row)?;
        let known = self.chat_with(row, chat).await?;
        self.mark_read(row, ToRead::Chat(chat.clone())).await?;
        link.show_read(&known.wire).await?;
        self.chat_with(row, chat).await
    }

    /// Shows somebody that we type, record, or stopped.
    pub async fn show_typing(
        &self,
        row: &SessionRow,
        to: &Recipient,
        typing: Typing,
    ) -> Result<(), AskRefusal> {
        let link = self.ready_link(row)?;
        Ok(link.show_typing(&self.whereabouts(row, to).await?.jid(), typing).await?)
    }

    /// Where something that is no message goes: to the account behind a number. One that we talk to, under
    /// whatever spelling, is not asked about.
    async fn whereabouts(&self, row: &SessionRow, to: &Recipient) -> Result<Recipient, AskRefusal> {
        let Recipient::Person(phone) = to else { return Ok(to.clone()) };
        if let Some(who) = self.known_account(&row.tenant, row.mode, phone) {
            return Ok(recipient(&who).unwrap_or_else(|| to.clone()));
        }
        let chat = self.tenant_of(row).chat(&row.key, to).await?;
        if let Some(known) = chat.and_then(|chat| Recipient::parse(&chat.chat, None).ok()) {
            return Ok(known);
        }
        Ok(recipient(&self.account_of(row, phone).await?).unwrap_or_else(|| to.clone()))
    }

    /// Shows somebody that we type or record, for as long as a person would, before a message of so many
    /// characters leaves. It never fails: a message matters more than the sight of it being typed.
    pub async fn type_first(
        &self,
        row: &SessionRow,
        to: &Recipient,
        wish: TypingWish,
        characters: usize,
        typing: Typing,
    ) {
        let Ok(link) = self.ready_link(row) else { return };
        let ms = match wish {
            TypingWish::Natural => typing_ms(characters, rand::random_range(0..=1_000)),
            TypingWish::Ms(ms) => ms.clamp(0, TYPING_MAX_MS),
        };
        if link.show_typing(&to.jid(), typing).await.is_ok() {
            let clock = self.store().clock();
            clock.until(clock.now().plus_ms(ms)).await;
            let _ = link.show_typing(&to.jid(), Typing::Paused).await;
        }
    }

    /// Shows everybody that the account is there, or not.
    pub async fn show_presence(&self, row: &SessionRow, presence: Presence) -> Result<(), AskRefusal> {
        Ok(self.ready_link(row)?.show_presence(presence).await?)
    }

    /// Follows somebody's presence from now on; answers what is known of it.
    pub async fn follow_presence(
        &self,
        row: &SessionRow,
        named: Named,
    ) -> Result<(Contact, Option<LastSeen>), AskRefusal> {
        let link = self.ready_link(row)?;
        let contact = self.asked_for(row, named).await?;
        let seen = link.follow_presence(&contact.who).await?;
        Ok((contact, seen))
    }

    /// Whom a caller means. A number, or a LID, that nobody knows is somebody all the same.
    ///
    /// # Errors
    /// [`AskRefusal::NoContact`] for an id that is not this tenant's, or for a group.
    pub async fn contact(&self, row: &SessionRow, named: Named) -> Result<Contact, AskRefusal> {
        let tenant = self.tenant_of(row);
        let (mut who, id) = match named {
            Named::Id(id) => (Who::default(), Some(id)),
            Named::Address(Recipient::Person(phone)) => {
                let id = tenant.contact_id(&format!("p:{}", phone.digits())).await?;
                (Who { phone: Some(phone), lid: None }, id)
            }
            Named::Address(Recipient::Hidden(lid)) => {
                let id = tenant.contact_id(&format!("l:{lid}")).await?;
                (Who { phone: None, lid: Some(lid) }, id)
            }
            Named::Address(Recipient::Group(_)) => return Err(AskRefusal::NoContact),
        };
        if let Some(id) = &id {
            for alias in tenant.aliases(id).await? {
                match alias.split_once(':') {
                    Some(("p", digits)) => {
                        who.phone = who.phone.or_else(|| Phone::from_whatsapp(digits).ok())
                    }
                    Some((_, lid)) => drop(who.lid.get_or_insert_with(|| lid.to_owned())),
                    None => {}
                }
            }
        }
        let mut kept = None;
        for alias in who.aliases() {
            kept = tenant.contact(&row.key, &alias).await?;
            if kept.is_some() {
                break;
            }
        }
        if let Some(lid) = kept.as_ref().and_then(ContactRow::lid) {
            who.lid.get_or_insert_with(|| lid.to_owned());
        }
        if who.chat().is_none() {
            return Err(AskRefusal::NoContact);
        }
        Ok(Contact { who, id, row: kept })
    }

    /// Somebody, with what WhatsApp shows of them. Asking about a number that the tenant never met is a
    /// number check, and costs one.
    ///
    /// # Errors
    /// [`AskRefusal::NotOnWhatsApp`] for such a number, where nobody has it.
    pub async fn portray(&self, row: &SessionRow, named: Named) -> Result<Portrayed, AskRefusal> {
        let link = self.ready_link(row)?;
        let mut contact = self.contact(row, named).await?;
        self.find_out(row, &mut contact).await?;
        let address = contact.address()?;
        let person = link.person(&address).await?;
        if person.is_none() && contact.row.is_none() {
            return Err(AskRefusal::NotOnWhatsApp);
        }
        let picture = match &person {
            Some(person) if person.has_picture => link.picture(&address, PictureSize::Full).await?,
            _ => None,
        };
        if let Some(lid) = person.as_ref().and_then(|person| person.lid.clone()) {
            contact.who.lid.get_or_insert(lid);
        }
        let is_blocked = link.is_blocked(&contact.who).await?;
        Ok(Portrayed { contact, person, picture, is_blocked })
    }

    /// Somebody about whom WhatsApp is to be asked: a number that is not known yet counts as checked.
    async fn asked_for(&self, row: &SessionRow, named: Named) -> Result<Contact, AskRefusal> {
        let mut contact = self.contact(row, named).await?;
        self.find_out(row, &mut contact).await?;
        Ok(contact)
    }

    /// Asks whose account a number is of which nothing is known yet.
    async fn find_out(&self, row: &SessionRow, contact: &mut Contact) -> Result<(), AskRefusal> {
        if contact.id.is_some() {
            return Ok(());
        }
        let Some(phone) = &contact.who.phone else { return Ok(()) };
        let who = self.account_of(row, phone).await?;
        if let Some(own) = who.phone.clone().filter(|own| own != phone) {
            // What is kept of them is kept under their own number.
            *contact = self.contact(row, Named::Address(Recipient::Person(own))).await?;
        }
        contact.who = Who { phone: who.phone, lid: who.lid.or(contact.who.lid.take()) };
        Ok(())
    }

    /// Both names of somebody whom WhatsApp wants by both.
    async fn both_names(
        &self,
        row: &SessionRow,
        link: &Link,
        contact: &mut Contact,
    ) -> Result<(), AskRefusal> {
        contact.who = link.names(&contact.who).await;
        if let Who { phone: Some(phone), lid: None } = &contact.who {
            contact.who.lid = self.account_of(row, phone).await?.lid;
        }
        Ok(())
    }

    /// Where somebody's picture is, large and small.
    ///
    /// # Errors
    /// [`AskRefusal::NoPicture`] when they have none, or do not show it.
    pub async fn picture(
        &self,
        row: &SessionRow,
        named: Named,
    ) -> Result<(Picture, Option<Picture>), AskRefusal> {
        let link = self.ready_link(row)?;
        let address = self.asked_for(row, named).await?.address()?;
        let full = link.picture(&address, PictureSize::Full).await?.ok_or(AskRefusal::NoPicture)?;
        let preview = link.picture(&address, PictureSize::Preview).await?;
        Ok((full, preview))
    }

    /// Somebody's picture itself.
    pub async fn picture_bytes(
        &self,
        row: &SessionRow,
        named: Named,
        size: PictureSize,
    ) -> Result<Bytes, AskRefusal> {
        let link = self.ready_link(row)?;
        let address = self.asked_for(row, named).await?.address()?;
        let picture = link.picture(&address, size).await?.ok_or(AskRefusal::NoPicture)?;
        Ok(link.fetch_picture(&picture).await?)
    }

    pub async fn block(&self, row: &SessionRow, named: Named) -> Result<Contact, AskRefusal> {
        let link = self.ready_link(row)?;
        let mut contact = self.asked_for(row, named).await?;
        self.both_names(row, &link, &mut contact).await?;
        link.block(&contact.who).await?;
        Ok(contact)
    }

    pub async fn unblock(&self, row: &SessionRow, named: Named) -> Result<Contact, AskRefusal> {
        let link = self.ready_link(row)?;
        let mut contact = self.asked_for(row, named).await?;
        self.both_names(row, &link, &mut contact).await?;
        link.unblock(&contact.who).await?;
        Ok(contact)
    }

    pub async fn blocked(&self, row: &SessionRow) -> Result<Vec<Blocked>, AskRefusal> {
        Ok(self.ready_link(row)?.blocked().await?)
    }

    /// Did this session's account block the recipient, under any of their names? Where that cannot be found
    /// out in time it is taken for no: WhatsApp itself lets such a message through.
    pub(super) async fn is_blocked(&self, row: &SessionRow, who: &Who) -> bool {
        let Ok(link) = self.ready_link(row) else { return false };
        let asked = tokio::time::timeout(BLOCKS_PATIENCE, link.is_blocked(who)).await;
        matches!(asked, Ok(Ok(true)))
    }

    pub async fn own_profile(&self, row: &SessionRow) -> Result<OwnProfile, AskRefusal> {
        let link = self.ready_link(row)?;
        let own = link.own_jid().ok_or(AskFailure::Lost)?;
        let account = link.account().ok_or(AskFailure::Lost)?;
        let person = link.person(&own).await?.unwrap_or_default();
        let picture = if person.has_picture { link.picture(&own, PictureSize::Full).await? } else { None };
        Ok(OwnProfile { account, name: link.own_name(), about: person.about, picture })
    }

    /// Changes what is given.
    pub async fn change_profile(
        &self,
        row: &SessionRow,
        name: Option<&str>,
        about: Option<&str>,
    ) -> Result<OwnProfile, AskRefusal> {
        let link = self.ready_link(row)?;
        if let Some(name) = name {
            link.set_name(name).await?;
        }
        if let Some(about) = about {
            link.set_about(about).await?;
        }
        self.own_profile(row).await
    }

    /// Sets the account's picture from a JPEG or a PNG; answers WhatsApp's id for it.
    pub async fn set_picture(&self, row: &SessionRow, bytes: Bytes) -> Result<String, AskRefusal> {
        let link = self.ready_link(row)?;
        let busy = self.0.people.portraits.clone().acquire_owned().await;
        let made = tokio::task::spawn_blocking(move || {
            let _busy = busy;
            portrait::portrait(&bytes)
        });
        let jpeg = made.await.map_err(|_| PortraitError::NotAPicture)??;
        Ok(link.set_picture(jpeg).await?)
    }

    pub async fn remove_picture(&self, row: &SessionRow) -> Result<(), AskRefusal> {
        self.ready_link(row)?.set_picture(Vec::new()).await?;
        Ok(())
    }
}

/// One receipt for each chat, and in a group for each who wrote.
async fn tell_read(link: &Link, messages: &[Received]) -> Result<(), AskFailure> {
    let mut receipts: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for message in messages {
        let writer = if message.chat.ends_with("@g.us") { message.sender.as_str() } else { "" };
        receipts.entry((message.chat.as_str(), writer)).or_default().push(&message.wa_id);
    }
    for ((chat, writer), wa_ids) in receipts {
        link.mark_read(chat, Some(writer).filter(|writer| !writer.is_empty()), &wa_ids).await?;
    }
    Ok(())
}

fn distinct(messages: Vec<Received>) -> Vec<String> {
    let mut seen = HashSet::new();
    messages.into_iter().map(|message| message.wa_id).filter(|id| seen.insert(id.clone())).collect()
}
