//! What a link asks WhatsApp about people, and tells it: every question with a deadline.
//!
//! The calls are those of whatsapp-rust 0.7.0, src/features and src/receipt.rs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tracing::debug;
use wacore::net::{HttpClient as _, HttpRequest};
use wacore::types::lid_pn::LearningSource;
use wacore_binary::{Jid, JidExt as _};
use wapid_core::clock::At;
use wapid_core::people::{ChatChange, Presence, Typing, Who};
use wapid_core::phone::Phone;
use whatsapp_rust::{
    AppStateError, BlockingError, ChatStateError, ChatStateType, Client, ClientError, ContactError, IqError,
    PresenceError, PresenceStatus, ProfileError, SendError,
};

use super::Link;
use super::send::failure_of;
use crate::link::SendFailure;
use crate::link::numbers;
use crate::link::people::{AskFailure, Blocked, LastSeen, Listing, Person, Picture, PictureSize};

/// How long WhatsApp gets to answer one question.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// An app-state change is a question and a sync behind it.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long after subscribing somebody's presence is waited for: WhatsApp says nothing of those who hide
/// theirs.
const PRESENCE_PATIENCE: Duration = Duration::from_secs(2);
/// The largest profile picture that is fetched. WhatsApp's have 640 pixels on a side.
const PICTURE_MAX: usize = 4 << 20;

type Result<T, E = AskFailure> = std::result::Result<T, E>;

impl Link {
    /// Looks up numbers, in the order given: one question for up to
    /// [`ASKED_MAX`](crate::link::ASKED_MAX) of them. How often it may be put is others' to know.
    ///
    /// # Errors
    /// [`AskFailure`], also when WhatsApp does not look up numbers now.
    pub async fn look_up(&self, numbers: &[&str]) -> Result<Vec<Listing>> {
        let question = numbers::question(numbers)?;
        let answer = self
            .ask(ANSWER_TIMEOUT, async { self.client.query_usync(question).await.map_err(of_iq) })
            .await?;
        let listings = numbers::listings(numbers, &answer).map_err(|error| match error.code {
            Some(code) => AskFailure::Refused { code, backoff_s: error.backoff },
            None => AskFailure::Internal("WhatsApp does not look up numbers now".to_owned()),
        })?;
        for listing in &listings {
            if let Listing::Account(who) = listing {
                self.introduce(who).await;
            }
        }
        Ok(listings)
    }

    /// Tells the client both names of somebody. Without them whatsapp-rust 0.7.0 asks WhatsApp for the LID
    /// once more before it writes to them, and the block list does not lead to their number.
    pub async fn introduce(&self, who: &Who) {
        let (Some(phone), Some(lid)) = (&who.phone, &who.lid) else { return };
        let known = self.client.get_lid_pn_entry(&Jid::pn(phone.digits())).await;
        if !matches!(known, Ok(Some(entry)) if *entry.lid == **lid) {
            let learned = self.client.add_lid_pn_mapping(lid, phone.digits(), LearningSource::Usync).await;
            // It asks by itself then.
            let _ = learned.inspect_err(|_| debug!("Somebody's LID was not written down"));
        }
    }

    /// Has the client met whoever has this number? Then it knows their LID.
    pub async fn knows(&self, phone: &Phone) -> bool {
        matches!(self.client.get_lid_pn_entry(&Jid::pn(phone.digits())).await, Ok(Some(_)))
    }

    /// Both names of somebody, where this link knows one for the other.
    pub async fn names(&self, who: &Who) -> Who {
        let jid = match (&who.phone, &who.lid) {
            (Some(phone), None) => Jid::pn(phone.digits()),
            (None, Some(lid)) => Jid::lid(lid.as_str()),
            _ => return who.clone(),
        };
        who_of(&self.client, &jid).await
    }

    /// Blue ticks: tells who wrote these messages that they were read. In a group, `writer` wrote them all.
    pub async fn mark_read(&self, chat: &str, writer: Option<&str>, wa_ids: &[&str]) -> Result<()> {
        let chat = jid(chat)?;
        let writer = writer.filter(|_| chat.is_group()).map(jid).transpose()?;
        self.ask(ANSWER_TIMEOUT, async {
            let sent = self.client.mark_as_read(&chat, writer.as_ref(), wa_ids).await;
            sent.map_err(|_| AskFailure::Lost)
        })
        .await
    }

    /// Shows somebody that we type, record, or stopped.
    pub async fn show_typing(&self, to: &str, typing: Typing) -> Result<()> {
        let to = jid(to)?;
        let state = match typing {
            Typing::Composing => ChatStateType::Composing,
            Typing::Recording => ChatStateType::Recording,
            Typing::Paused => ChatStateType::Paused,
        };
        self.ask(ANSWER_TIMEOUT, async {
            self.client.chatstate().send(&to, state).await.map_err(|error| match error {
                ChatStateError::Client(error) => of_client(error),
                other => AskFailure::Internal(other.to_string()),
            })
        })
        .await
    }

    /// Shows everybody that we are there, or not. It lasts until the session is stopped.
    pub async fn show_presence(&self, presence: Presence) -> Result<()> {
        self.ask(ANSWER_TIMEOUT, set_presence(&self.client, presence)).await?;
        self.people.hides.store(presence == Presence::Unavailable, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    /// Follows somebody's presence from now on; answers what is known of it within 2 s.
    pub async fn follow_presence(&self, who: &Who) -> Result<Option<LastSeen>> {
        let chat = who.chat().ok_or_else(|| AskFailure::Invalid("nobody is named".to_owned()))?;
        let address = jid(&chat)?;
        let known = self.people.sightings.of(&chat);
        self.ask(ANSWER_TIMEOUT, async {
            let subscribed = self.client.presence().subscribe(address.clone()).await;
            subscribed.map_err(of_presence)
        })
        .await?;
        if let Some(oldest) = self.people.follow(address) {
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, self.client.presence().unsubscribe(&oldest)).await;
        }
        if known.is_some_and(|seen| seen.presence.is_some()) {
            return Ok(self.people.sightings.of(&chat));
        }
        let seen = tokio::time::timeout(PRESENCE_PATIENCE, self.people.sightings.known(&chat)).await;
        Ok(seen.ok().or(known))
    }

    /// What WhatsApp shows of somebody; `None` when they are not on WhatsApp.
    pub async fn person(&self, who: &str) -> Result<Option<Person>> {
        let who = jid(who)?;
        let asked = std::slice::from_ref(&who);
        let mut found = self
            .ask(ANSWER_TIMEOUT, async {
                self.client.contacts().get_user_info(asked).await.map_err(of_contact)
            })
            .await?;
        let found = found.remove(&who).or_else(|| found.into_values().next());
        // Whoever is there has a device.
        let Some(info) = found.filter(|info| !info.devices.is_empty()) else { return Ok(None) };
        Ok(Some(Person {
            lid: info.lid.map(|lid| lid.user.to_string()),
            about: info.status.filter(|about| !about.is_empty()),
            has_picture: info.picture_id.is_some(),
            is_business: info.is_business,
            verified_name: info.verified_name.and_then(|name| name.name),
        }))
    }

    /// Where somebody's picture is; `None` when they have none, or do not show it.
    pub async fn picture(&self, who: &str, size: PictureSize) -> Result<Option<Picture>> {
        let who = jid(who)?;
        let is_preview = size == PictureSize::Preview;
        let picture = self
            .ask(ANSWER_TIMEOUT, async {
                self.client.contacts().get_profile_picture(&who, is_preview).await.map_err(of_contact)
            })
            .await?;
        Ok(picture.map(|picture| Picture { id: picture.id, url: picture.url }))
    }

    /// Fetches a picture from where WhatsApp said it is, the way this session goes to the internet.
    pub async fn fetch_picture(&self, picture: &Picture) -> Result<Bytes> {
        let answer = self
            .ask(ANSWER_TIMEOUT, async {
                let got = self.http.execute(HttpRequest::get(&picture.url)).await;
                got.map_err(|_| AskFailure::Internal("the picture could not be fetched".to_owned()))
            })
            .await?;
        if answer.status_code != 200 {
            return Err(AskFailure::Refused { code: answer.status_code, backoff_s: None });
        }
        if answer.body.len() > PICTURE_MAX {
            return Err(AskFailure::Internal(format!("the picture is larger than {PICTURE_MAX} bytes")));
        }
        Ok(answer.body.into())
    }

    /// Blocks somebody. WhatsApp wants their number and their LID.
    pub async fn block(&self, who: &Who) -> Result<()> {
        let who = self.introduced(who).await?;
        self.ask(ANSWER_TIMEOUT, async { self.client.blocking().block(&who).await.map_err(of_blocking) })
            .await?;
        self.people.blocks.forget();
        Ok(())
    }

    pub async fn unblock(&self, who: &Who) -> Result<()> {
        let who = self.introduced(who).await?;
        self.ask(ANSWER_TIMEOUT, async { self.client.blocking().unblock(&who).await.map_err(of_blocking) })
            .await?;
        self.people.blocks.forget();
        Ok(())
    }

    /// Somebody's address, once the client knows all their names.
    async fn introduced(&self, who: &Who) -> Result<Jid> {
        self.introduce(who).await;
        jid(&who.chat().ok_or_else(|| AskFailure::Invalid("nobody is named".to_owned()))?)
    }

    /// Whom this account blocked, by every name that is known of them by now.
    pub async fn blocked(&self) -> Result<Vec<Blocked>> {
        let mut blocked = self.block_list().await?.to_vec();
        for one in blocked.iter_mut().filter(|one| one.who.phone.is_none() || one.who.lid.is_none()) {
            one.who = self.names(&one.who).await;
        }
        Ok(blocked)
    }

    /// The block list as WhatsApp tells it: asked for once per connection, and again when WhatsApp says that
    /// it changed.
    pub async fn block_list(&self) -> Result<Arc<[Blocked]>> {
        self.people
            .blocks
            .list(|| async {
                let entries = self
                    .ask(ANSWER_TIMEOUT, async {
                        self.client.blocking().get_blocklist().await.map_err(of_blocking)
                    })
                    .await?;
                let mut blocked = Vec::with_capacity(entries.len());
                for entry in entries {
                    blocked.push(Blocked {
                        who: who_of(&self.client, &entry.jid).await,
                        since: entry.timestamp.and_then(|t| i64::try_from(t).ok()).map(|t| At(t * 1000)),
                    });
                }
                Ok(blocked)
            })
            .await
    }

    /// Did this account block this person, under any of their names?
    ///
    /// # Errors
    /// [`AskFailure`] when the block list is not known and cannot be asked for.
    pub async fn is_blocked(&self, who: &Who) -> Result<bool> {
        let blocked = self.block_list().await?;
        if blocked.is_empty() {
            return Ok(false);
        }
        let who = self.names(who).await;
        Ok(blocked.iter().any(|Blocked { who: one, .. }| {
            one.phone.is_some() && one.phone == who.phone || one.lid.is_some() && one.lid == who.lid
        }))
    }

    /// Changes a chat on all the owner's devices.
    pub async fn change_chat(&self, chat: &str, change: ChatChange) -> Result<()> {
        let chat = jid(chat)?;
        let actions = self.client.chat_actions();
        self.ask(CHANGE_TIMEOUT, async {
            match change {
                ChatChange::Archived(true) => actions.archive_chat(&chat, None).await,
                ChatChange::Archived(false) => actions.unarchive_chat(&chat, None).await,
                ChatChange::Pinned(true) => actions.pin_chat(&chat).await,
                ChatChange::Pinned(false) => actions.unpin_chat(&chat).await,
                ChatChange::MutedUntil(0) => actions.unmute_chat(&chat).await,
                ChatChange::MutedUntil(until) if until < 0 => actions.mute_chat(&chat).await,
                ChatChange::MutedUntil(until) => actions.mute_chat_until(&chat, until).await,
            }
            .map_err(of_app_state)
        })
        .await
    }

    /// Shows a chat as read on all the owner's devices.
    pub async fn show_read(&self, chat: &str) -> Result<()> {
        let chat = jid(chat)?;
        let shown = async {
            self.client.chat_actions().mark_chat_as_read(&chat, true, None).await.map_err(of_app_state)
        };
        self.ask(CHANGE_TIMEOUT, shown).await
    }

    /// The name that others see beside what this account writes.
    pub fn own_name(&self) -> String {
        self.client.push_name()
    }

    /// This account's own address.
    pub fn own_jid(&self) -> Option<String> {
        self.client.pn().map(|own| own.to_non_ad().to_string())
    }

    pub async fn set_name(&self, name: &str) -> Result<()> {
        self.ask(CHANGE_TIMEOUT, async {
            self.client.profile().set_push_name(name).await.map_err(of_profile)
        })
        .await
    }

    pub async fn set_about(&self, about: &str) -> Result<()> {
        self.ask(ANSWER_TIMEOUT, async {
            self.client.profile().set_status_text(about).await.map_err(of_profile)
        })
        .await
    }

    /// Sets the account's picture, a JPEG; answers WhatsApp's id for it. Empty bytes remove it.
    pub async fn set_picture(&self, jpeg: Vec<u8>) -> Result<String> {
        let set = self
            .ask(CHANGE_TIMEOUT, async {
                self.client.profile().set_profile_picture(jpeg).await.map_err(of_profile)
            })
            .await?;
        Ok(set.id)
    }

    /// Whatever it says, without a connection it is the connection.
    async fn ask<T>(
        &self,
        patience: Duration,
        question: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if !self.is_connected() {
            return Err(AskFailure::Lost);
        }
        // The client's futures are deep: boxed, they do not make ours too deep for the compiler.
        let question: BoxFuture<'_, Result<T>> = Box::pin(question);
        match tokio::time::timeout(patience, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) if !self.is_connected() => Err(AskFailure::Lost),
            Ok(Err(failure)) => {
                debug!("WhatsApp did not do what it was asked: {failure}");
                Err(failure)
            }
            Err(_) => Err(AskFailure::TimedOut),
        }
    }
}

pub(super) async fn set_presence(client: &Client, presence: Presence) -> Result<()> {
    let status = match presence {
        Presence::Available => PresenceStatus::Available,
        Presence::Unavailable => PresenceStatus::Unavailable,
    };
    client.presence().set(status).await.map_err(of_presence)
}

/// Both names of somebody, where one is known to lead to the other.
pub(super) async fn who_of(client: &Client, jid: &Jid) -> Who {
    let phone = jid.is_pn().then(|| jid.user_base().to_owned());
    let lid = jid.is_lid().then(|| jid.user_base().to_owned());
    let (mut phone, mut lid) = (phone, lid);
    if let Ok(Some(entry)) = client.get_lid_pn_entry(&jid.to_non_ad()).await {
        phone.get_or_insert_with(|| entry.phone_number.to_string());
        lid.get_or_insert_with(|| entry.lid.to_string());
    }
    Who { phone: phone.and_then(|digits| Phone::from_whatsapp(&digits).ok()), lid }
}

fn jid(text: &str) -> Result<Jid> {
    text.parse().map_err(|_| AskFailure::Invalid("it is no WhatsApp JID".to_owned()))
}

fn of_iq(error: IqError) -> AskFailure {
    match error {
        IqError::ServerError { code, backoff, .. } => AskFailure::Refused { code, backoff_s: backoff },
        IqError::Timeout => AskFailure::TimedOut,
        other => match failure_of(SendError::Iq(other)) {
            SendFailure::Lost => AskFailure::Lost,
            SendFailure::BadAddress(why) => AskFailure::Invalid(why),
            other => AskFailure::Internal(other.to_string()),
        },
    }
}

fn of_client(error: ClientError) -> AskFailure {
    match failure_of(SendError::Client(error)) {
        SendFailure::Lost => AskFailure::Lost,
        other => AskFailure::Internal(other.to_string()),
    }
}

fn of_presence(error: PresenceError) -> AskFailure {
    match error {
        PresenceError::Client(error) => of_client(error),
        PresenceError::PushNameEmpty => {
            AskFailure::Invalid("the account has no name yet; set one in its profile".to_owned())
        }
        other => AskFailure::Internal(other.to_string()),
    }
}

fn of_contact(error: ContactError) -> AskFailure {
    match error {
        ContactError::Iq(error) => of_iq(error),
        other => AskFailure::Invalid(other.to_string()),
    }
}

fn of_blocking(error: BlockingError) -> AskFailure {
    match error {
        BlockingError::Iq(error) => of_iq(error),
        BlockingError::InvalidJid(_) => AskFailure::Invalid("WhatsApp does not know this number".to_owned()),
        other => AskFailure::Internal(other.to_string()),
    }
}

fn of_profile(error: ProfileError) -> AskFailure {
    match error {
        ProfileError::Iq(error) => of_iq(error),
        ProfileError::Client(error) => of_client(error),
        ProfileError::InvalidArgument(why) => AskFailure::Invalid(why),
        other => AskFailure::Internal(other.to_string()),
    }
}

fn of_app_state(error: AppStateError) -> AskFailure {
    match error {
        AppStateError::InvalidRequest(why) => AskFailure::Invalid(why),
        other => AskFailure::Internal(other.to_string()),
    }
}
