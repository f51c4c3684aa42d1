//! What a link hears of people beside their messages: the client's events, with both names of everybody.
//!
//! Names are looked up in the client's own store, which waits; so events queue here, in order, and the
//! client's dispatch goes on. The client's block list has no event of its own: its change is read off the
//! raw notification (`<notification type="account_sync"><blocklist/>`). News of groups are read off theirs, see
//! `group_line`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use wacore::store::traits::Backend;
use wacore::types::call::{CallAction, IncomingCall, MissedReason};
use wacore::types::events::{Event, EventHandler, EventInterest, EventKind};
use wacore::types::presence::{ChatPresence, ChatPresenceMedia, ReceiptType};
use wacore_binary::Jid;
use wapid_core::clock::At;
use wapid_core::people::{Call, ChatChange, News, Presence, Typing, Who};
use wapid_core::phone::Phone;
use wapid_core::text::storable;
use whatsapp_rust::{Client, RawNodeLease};

use super::catch_up::CatchUp;
use super::group_line::GroupLine;
use super::people::{set_presence, who_of};
use crate::link::Signal;
use crate::link::people::{AskFailure, Blocked, Sightings};

/// How long whoever needs the block list waits for another who asks for it.
const ASK_PATIENCE: Duration = Duration::from_secs(10);
/// How long one that could not be had is not asked for again.
const FAILED_FOR: Duration = Duration::from_secs(15);
/// How many people a link follows at a time; the one it followed longest makes room.
const FOLLOWED_MAX: usize = 500;

/// What a link keeps of people.
#[derive(Default)]
pub(super) struct People {
    pub sightings: Sightings,
    pub blocks: Blocks,
    /// The owner does not want to be seen.
    pub hides: Arc<AtomicBool>,
    followed: Mutex<VecDeque<Jid>>,
}

impl People {
    pub(super) fn new(hides: Arc<AtomicBool>) -> Self {
        Self { hides, ..Self::default() }
    }

    /// Notes that somebody is followed; answers who is not any more.
    pub(super) fn follow(&self, who: Jid) -> Option<Jid> {
        let mut followed = self.followed.lock();
        followed.retain(|known| *known != who);
        followed.push_back(who);
        if followed.len() > FOLLOWED_MAX { followed.pop_front() } else { None }
    }
}

/// The block list, as it was last told.
#[derive(Default)]
pub(super) struct Blocks {
    list: Mutex<Known>,
    /// Held by whoever asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    list: Option<Arc<[Blocked]>>,
    /// When it could not be had: it is not asked for by every message.
    failed_at: Option<Instant>,
    /// Counts what made the list old, so that an answer from before is not kept.
    changes: u64,
}

impl Blocks {
    /// The list, asked for if it is not known.
    pub(super) async fn list<F>(&self, ask: impl FnOnce() -> F) -> Result<Arc<[Blocked]>, AskFailure>
    where
        F: Future<Output = Result<Vec<Blocked>, AskFailure>>,
    {
        if let Some(list) = &self.list.lock().list {
            return Ok(list.clone());
        }
        let asking = tokio::time::timeout(ASK_PATIENCE, self.asking.lock()).await;
        let _asking = asking.map_err(|_| AskFailure::TimedOut)?;
        if self.list.lock().failed_at.is_some_and(|at| at.elapsed() < FAILED_FOR) {
            return Err(AskFailure::TimedOut);
        }
        let changes = {
            let known = self.list.lock();
            if let Some(list) = &known.list {
                return Ok(list.clone());
            }
            known.changes
        };
        let asked = ask().await;
        let mut known = self.list.lock();
        known.failed_at = asked.is_err().then(Instant::now);
        let list: Arc<[Blocked]> = asked?.into();
        if known.changes == changes {
            known.list = Some(list.clone());
        }
        Ok(list)
    }

    pub(super) fn forget(&self) {
        let mut known = self.list.lock();
        (known.list, known.failed_at) = (None, None);
        known.changes += 1;
    }
}

/// Lets a link hear. It ends with its client.
pub(super) fn listen(
    client: &Arc<Client>,
    people: Arc<People>,
    groups: GroupLine,
    backend: Arc<dyn Backend>,
    tell: impl Fn(Signal) + Send + Sync + 'static,
) -> RawNodeLease {
    let (events, mut queue) = mpsc::unbounded_channel();
    client
        .subscribe_handler(Arc::new(Ear {
            events,
            people: people.clone(),
            groups,
            catch_up: CatchUp::start(client, backend),
        }))
        .detach();
    let weak = Arc::downgrade(client);
    tokio::spawn(async move {
        while let Some(event) = queue.recv().await {
            let Some(client) = Weak::upgrade(&weak) else { return };
            let news = news_of(&client, &people, &event).await;
            if !news.is_empty() {
                tell(Signal::People(news));
            }
        }
    });
    client.acquire_raw_node_forwarding()
}

struct Ear {
    events: mpsc::UnboundedSender<Arc<Event>>,
    people: Arc<People>,
    groups: GroupLine,
    catch_up: CatchUp,
}

impl EventHandler for Ear {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::RawNode(node) => {
                if is_about_blocks(node.get()) {
                    self.people.blocks.forget();
                }
                self.catch_up.note(node.get());
                self.groups.note(node);
                return;
            }
            Event::Notification(node) => return self.groups.client_is_done_with(node),
            // Whoever changed the list while we were away is not told of.
            Event::Connected(_) => self.people.blocks.forget(),
            Event::Receipt(receipt) if !is_read(&receipt.r#type) => return,
            _ => {}
        }
        // The task ends with the client, and so does this.
        let _ = self.events.send(event);
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::Connected,
            EventKind::RawNode,
            EventKind::Notification,
            EventKind::Receipt,
            EventKind::Presence,
            EventKind::ChatPresence,
            EventKind::ContactUpdate,
            EventKind::ArchiveUpdate,
            EventKind::PinUpdate,
            EventKind::MuteUpdate,
            EventKind::MarkChatAsReadUpdate,
            EventKind::IncomingCall,
            EventKind::MissedCall,
        ])
    }
}

fn is_about_blocks(node: &wacore_binary::NodeRef<'_>) -> bool {
    node.tag == "notification"
        && node.get_attr("type").is_some_and(|kind| kind.as_str() == "account_sync")
        && node.get_optional_child("blocklist").is_some()
}

fn is_read(kind: &ReceiptType) -> bool {
    matches!(kind, ReceiptType::Read | ReceiptType::ReadSelf | ReceiptType::Played | ReceiptType::PlayedSelf)
}

/// How long the client may take to say that this account is not there.
const PRESENCE_PATIENCE: Duration = Duration::from_secs(10);

async fn news_of(client: &Client, people: &People, event: &Event) -> Vec<News> {
    let one = match event {
        Event::Connected(_) => {
            if people.hides.load(Ordering::Relaxed) {
                // The client shows itself whenever it connects.
                let hidden = set_presence(client, Presence::Unavailable);
                let _ = tokio::time::timeout(PRESENCE_PATIENCE, hidden).await;
            }
            None
        }
        Event::Receipt(receipt) if is_own(client, &receipt.source.sender) => {
            Some(News::Read { wa_ids: receipt.message_ids.iter().map(ToString::to_string).collect() })
        }
        Event::Presence(seen) => {
            let who = who_of(client, &seen.from).await;
            let presence = if seen.unavailable { Presence::Unavailable } else { Presence::Available };
            let last_seen = seen.last_seen.map(|at| At(at.timestamp_millis()));
            let is_news =
                who.chat().is_some_and(|chat| people.sightings.note_presence(&chat, presence, last_seen));
            is_news.then_some(News::Presence { who, presence, last_seen })
        }
        Event::ChatPresence(typing) => {
            let who = who_of(client, &typing.source.sender).await;
            let state = match (typing.state, typing.media) {
                (ChatPresence::Composing, ChatPresenceMedia::Text) => Typing::Composing,
                (ChatPresence::Composing, ChatPresenceMedia::Audio) => Typing::Recording,
                (ChatPresence::Paused, _) => Typing::Paused,
            };
            let is_group = typing.source.is_group;
            let group = is_group.then(|| typing.source.chat.to_non_ad().to_string());
            let places = who.chat().map(|person| match group {
                // What somebody does in a group is not done in their chat with this session.
                Some(group) => (format!("{person} in {group}"), group),
                None => (person.clone(), person),
            });
            places
                .filter(|(place, _)| people.sightings.note_typing(place, state))
                .map(|(_, chat)| News::Typing { who, chat, is_group, typing: state })
        }
        Event::ContactUpdate(update) => Some(News::Saved {
            who: who_of(client, &update.jid).await,
            full_name: name_of(update.action.full_name.as_deref()),
            first_name: name_of(update.action.first_name.as_deref()),
        }),
        Event::ArchiveUpdate(update) => {
            let is_archived = update.action.archived.unwrap_or_default();
            Some(chat_news(client, &update.jid, ChatChange::Archived(is_archived)).await)
        }
        Event::PinUpdate(update) => {
            let is_pinned = update.action.pinned.unwrap_or_default();
            Some(chat_news(client, &update.jid, ChatChange::Pinned(is_pinned)).await)
        }
        Event::MuteUpdate(update) => {
            let until = match (update.action.muted, update.action.mute_end_timestamp) {
                (Some(false), _) => 0,
                (_, until) => until.unwrap_or(-1),
            };
            Some(chat_news(client, &update.jid, ChatChange::MutedUntil(until)).await)
        }
        Event::MarkChatAsReadUpdate(update) if update.action.read == Some(true) => {
            let (who, chat) = named(client, &update.jid).await;
            Some(News::ChatReadUntil { who, chat, at: At(update.timestamp.timestamp_millis()) })
        }
        Event::IncomingCall(call) => call_of(client, call).await.map(News::Called),
        // A call that rang out is told of when it rings.
        Event::MissedCall(call) if matches!(call.reason, MissedReason::Offline) => Some(News::Called(Call {
            id: call.call_id.clone(),
            who: who_of(client, &call.from).await,
            from: call.from.to_non_ad().to_string(),
            is_video: false,
            group: None,
            is_missed: true,
            at: At(call.timestamp.timestamp_millis()),
        })),
        _ => None,
    };
    one.into_iter().collect()
}

fn is_own(client: &Client, sender: &Jid) -> bool {
    [client.pn(), client.lid()]
        .iter()
        .flatten()
        .any(|own| own.user == sender.user && own.server == sender.server)
}

async fn chat_news(client: &Client, chat: &Jid, change: ChatChange) -> News {
    let (who, chat) = named(client, chat).await;
    News::Chat { who, chat, change }
}

/// A chat by its JID, and the person whose it is.
async fn named(client: &Client, chat: &Jid) -> (Option<Who>, String) {
    let who = if chat.is_pn() || chat.is_lid() { Some(who_of(client, chat).await) } else { None };
    (who, chat.to_non_ad().to_string())
}

async fn call_of(client: &Client, call: &IncomingCall) -> Option<Call> {
    let (is_video, group, number) = match &call.action {
        CallAction::Offer { is_video, group_jid, caller_pn, .. } => {
            (*is_video, group_jid.as_ref().map(ToString::to_string), caller_pn.as_ref())
        }
        CallAction::OfferNotice { is_video, is_group, .. } => {
            (*is_video, is_group.then(|| call.from.to_non_ad().to_string()), None)
        }
        _ => return None,
    };
    let caller = call.participant.as_ref().unwrap_or(&call.from);
    let mut who = who_of(client, caller).await;
    if who.phone.is_none() {
        who.phone = number.and_then(|number| Phone::from_whatsapp(number.user_base()).ok());
    }
    Some(Call {
        id: call.action.call_id().to_owned(),
        who,
        from: caller.to_non_ad().to_string(),
        is_video,
        group,
        is_missed: false,
        at: At(call.timestamp.timestamp_millis()),
    })
}

fn name_of(text: Option<&str>) -> Option<String> {
    let name = storable(text?);
    (!name.trim().is_empty()).then(|| name.into_owned())
}
