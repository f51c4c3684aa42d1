//! What arrives: committed, then acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tracing::warn;
use wacore::poll::{PollVoteCiphertext, compute_option_hash};
use wacore::types::events::InboundMessage;
use wacore::types::message::{EditAttribute, MessageInfo};
use wacore_binary::{Jid, JidExt as _};
use wapid_core::content::{Body, Context, Delete, Edit, Poll};
use wapid_core::people::{News, Who};
use wapid_core::phone::Phone;
use wapid_core::wa_id::WaId;
use whatsapp_rust::{Client, InboundDurabilityHook};

use crate::link::convert::{self, Heard, Own, SealedVote};
use crate::link::{Arrived, Commit, Recall};

/// A commit of what arrived is tried this often, with a pause that doubles: 3 s in all.
const COMMIT_TRIES: u32 = 5;
const COMMIT_PAUSE: Duration = Duration::from_millis(200);
/// Whether the number that a link is linked with is the session's. Until that is known nothing of it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Unknown,
    Admitted,
    TurnedAway,
}

/// Commits what arrived before the client acknowledges it.
pub(super) struct Hook {
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) commit: Commit,
    pub(super) recall: Recall,
    pub(super) unflushed: Arc<AtomicBool>,
}

#[async_trait]
impl InboundDurabilityHook for Hook {
    async fn on_messages(&self, client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let mut standing = self.standing.clone();
        let known = standing.wait_for(|standing| *standing != Standing::Unknown).await;
        // What a number that is turned away was sent is not ours to keep, nor to acknowledge; its phone has it.
        anyhow::ensure!(known.is_ok_and(|known| *known == Standing::Admitted), "the number was turned away");
        self.unflushed.store(true, Ordering::Release);
        // WhatsApp delivers again only on the next connection, so a passing fault is waited out here.
        let mut pause = COMMIT_PAUSE;
        for _ in 1..COMMIT_TRIES {
            match self.take(&client, batch).await {
                Ok(()) => return Ok(()),
                Err(error) => warn!("What arrived was not committed and is tried again: {error:#}"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let last = self.take(&client, batch).await;
        if last.is_err() {
            // From a task of its own: the hook runs inside the client's receive path.
            tokio::spawn(async move { client.reconnect().await });
        }
        last
    }
}

/// What a message is to us.
enum Arrival {
    Message(Box<Arrived>),
    News(News),
    /// Key exchanges, history, a vote that nobody here can read.
    Nothing,
}

impl Hook {
    async fn take(&self, client: &Client, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let (mut arrived, mut news) = (Vec::with_capacity(batch.len()), Vec::new());
        for message in batch {
            match self.arrival(client, message).await? {
                Arrival::Message(message) => arrived.push(*message),
                Arrival::News(one) => news.push(one),
                Arrival::Nothing => {}
            }
        }
        if arrived.is_empty() && news.is_empty() { Ok(()) } else { (self.commit)(arrived, news).await }
    }

    async fn arrival(&self, client: &Client, message: &InboundMessage) -> anyhow::Result<Arrival> {
        let info = &message.info;
        let source = &info.source;
        if source.chat.is_status_broadcast() {
            return Ok(Arrival::Nothing);
        }
        let sender = source.sender.to_non_ad();
        let users: Vec<String> =
            [client.pn(), client.lid()].into_iter().flatten().map(|jid| jid.user.to_string()).collect();
        let own = Own { users: &users, from_me: source.is_from_me, sender: &sender.to_string() };
        if let Some(seconds) = convert::timer(&message.message) {
            return Ok(Arrival::News(timer_news(client, message, seconds).await));
        }
        let Some(heard) = convert::from_wire(&message.message, &own) else { return Ok(Arrival::Nothing) };
        let Heard { mut content, file, vote } = heard;
        if !may_change(&content.body, info, &own) {
            return Ok(Arrival::Nothing);
        }
        if let (Some(sealed), Body::Vote(vote)) = (vote, &mut content.body) {
            let poll = (self.recall)(vote.target.id.clone()).await?;
            let creator = match &vote.target.sender {
                Some(creator) => creator.parse().ok(),
                None if vote.target.from_me => own_like(client, &sender),
                None => Some(source.chat.to_non_ad()),
            };
            let votes = match (poll, creator) {
                (Some(poll), Some(creator)) => {
                    opened(client, &sealed, &poll, vote.target.id.as_str(), &creator, &sender).await
                }
                // A poll from before this number was linked: nobody here can read its votes.
                _ => None,
            };
            let Some(votes) = votes else { return Ok(Arrival::Nothing) };
            vote.votes = votes;
        }
        name_by_numbers(client, &mut content.context).await;
        if let Some(quoted) = &mut content.context.quoted {
            // Some writers name the chat also where it is this one.
            quoted.chat = quoted.chat.take().filter(|chat| *chat != source.chat.to_non_ad().to_string());
        }
        let Names { phone, lid } = names(client, message).await;
        Ok(Arrival::Message(Box::new(Arrived {
            wa_id: WaId::of_arrived(&info.id),
            chat: source.chat.to_non_ad().to_string(),
            sender: source.sender.to_non_ad().to_string(),
            phone,
            lid,
            sender_name: convert::named(Some(&info.push_name)),
            from_me: source.is_from_me,
            is_group: source.is_group,
            content,
            file,
            sent_at_ms: info.timestamp.timestamp_millis(),
        })))
    }
}

/// May whoever wrote this change the message that they name? What is inside is sealed, so WhatsApp's servers check
/// only what stands on the stanza: an admin's deletion says so there, and is refused to whoever is none. Phones show
/// nothing of what does not count, and so do we.
fn may_change(body: &Body, info: &MessageInfo, own: &Own<'_>) -> bool {
    match body {
        Body::Delete(Delete { by_admin: true, .. }) => {
            info.source.is_group && info.edit == EditAttribute::AdminRevoke
        }
        Body::Edit(Edit { target, .. }) => own.wrote(target),
        _ => true,
    }
}

/// Everything from here on disappears, or nothing any more. It is no message to anybody.
async fn timer_news(client: &Client, message: &InboundMessage, seconds: u32) -> News {
    let source = &message.info.source;
    let who = if source.is_group {
        None
    } else {
        let Names { phone, lid } = names(client, message).await;
        Some(Who { phone: phone.and_then(|digits| Phone::from_whatsapp(&digits).ok()), lid })
    };
    let chat = source.chat.to_non_ad().to_string();
    News::Disappears { who, chat, seconds }
}

/// The other party of a chat of two, or who wrote into a group, by the names that are known.
struct Names {
    phone: Option<String>,
    lid: Option<String>,
}

async fn names(client: &Client, message: &InboundMessage) -> Names {
    let info = &message.info;
    let source = &info.source;
    let (other, alternative) = if source.is_from_me && !source.is_group {
        (&source.chat, source.recipient_alt.as_ref().or(info.peer_recipient_pn.as_ref()))
    } else {
        (&source.sender, source.sender_alt.as_ref())
    };
    let known = [Some(other), alternative];
    let find = |is: fn(&Jid) -> bool| {
        known.into_iter().flatten().find(|jid| is(jid)).map(|jid| jid.user_base().to_string())
    };
    let (mut phone, mut lid) = (find(|j| j.is_pn()), find(|j| j.is_lid()));
    if (phone.is_none() || lid.is_none())
        && let Ok(Some(entry)) = client.get_lid_pn_entry(other).await
    {
        phone.get_or_insert_with(|| entry.phone_number.to_string());
        lid.get_or_insert_with(|| entry.lid.to_string());
    }
    Names { phone, lid }
}

/// Calls the people beside a message by their numbers, where these are known.
async fn name_by_numbers(client: &Client, context: &mut Context) {
    let quoted = context.quoted.as_mut().and_then(|quoted| quoted.sender.as_mut());
    for jid in context.mentions.iter_mut().chain(quoted) {
        let lid: Option<Jid> = jid.parse().ok().filter(|jid: &Jid| jid.is_lid());
        let Some(lid) = lid else { continue };
        // Its own the account knows by itself.
        let own = client.lid().filter(|own| own.is_same_user_as(&lid)).and_then(|_| client.pn());
        let number = match own {
            Some(own) => Some(own.user.to_string()),
            None => {
                let known = client.get_lid_pn_entry(&lid).await.ok().flatten();
                known.map(|entry| entry.phone_number.to_string())
            }
        };
        if let Some(number) = number {
            *jid = format!("{number}@s.whatsapp.net");
        }
    }
}

/// Our own address in the namespace in which somebody else has theirs.
fn own_like(client: &Client, other: &Jid) -> Option<Jid> {
    let lid = client.lid().filter(|_| other.is_lid());
    lid.or_else(|| client.pn()).map(|jid| jid.to_non_ad())
}

/// The answers that somebody chose.
async fn opened(
    client: &Client,
    SealedVote { payload, iv }: &SealedVote,
    poll: &Poll,
    id: &str,
    creator: &Jid,
    voter: &Jid,
) -> Option<Vec<String>> {
    let sealed = PollVoteCiphertext { enc_payload: payload, enc_iv: iv };
    let hashes = client.polls().decrypt_vote(sealed, &poll.secret, id, creator, voter).await;
    let hashes = hashes.inspect_err(|_| warn!("A vote did not open")).ok()?;
    let chosen = poll.options.iter().filter(|option| {
        let hash = compute_option_hash(option);
        hashes.iter().any(|chosen| chosen.as_slice() == hash)
    });
    Some(chosen.cloned().collect())
}
