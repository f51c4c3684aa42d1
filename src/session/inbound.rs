//! What comes in: committed first, acknowledged to WhatsApp after.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::content::{Body, Content, NOT_STORABLE, Words};
use wapid_core::id::SessionKey;
use wapid_core::people::{News, Who};
use wapid_core::phone::Phone;
use wapid_core::store::ledger::{Inbound, Owner, ReceiptNews, Received};
use wapid_core::store::media::NewReceived;
use wapid_core::store::{Store, StoreError};

use super::Command;
use super::heard::{WAITING_MAX, dropped, until_written};
use super::timers::Timers;
use crate::link::{Arrived, Commit, Recall};

/// The commit that a link runs before it acknowledges. Files of up to `auto_fetch` bytes are fetched by
/// themselves.
pub fn commit_into(
    store: Store,
    owner: Owner,
    commands: Option<mpsc::WeakUnboundedSender<Command>>,
    timers: Timers,
    auto_fetch: u64,
) -> Commit {
    Arc::new(move |arrived, news| {
        let (store, owner, commands) = (store.clone(), owner.clone(), commands.clone());
        let timers = timers.clone();
        async move {
            let now = store.clock().now();
            let rows = arrived
                .into_iter()
                .map(|message| row_of(&store, &owner, message, auto_fetch, now))
                .collect::<Result<Vec<_>, _>>()?;
            let told: Vec<News> = rows.iter().filter_map(timer_of).chain(news.iter().cloned()).collect();
            let has_files =
                rows.iter().any(|row| row.file.as_ref().is_some_and(|file| file.next_at.is_some()));
            let received = receive(&store, rows).await?;
            if !news.is_empty() {
                store.hear(owner.clone(), news).await?;
            }
            timers.hear(&owner.session, &told);
            if has_files && let Some(commands) = commands.as_ref().and_then(|commands| commands.upgrade()) {
                let _ = commands.send(Command::FetchFiles);
            }
            if received.answered
                && let Some(commands) = commands.as_ref().and_then(|commands| commands.upgrade())
            {
                let _ = commands.send(Command::Recover);
            }
            let count = received.new.iter().filter(|new| **new).count();
            metrics::counter!("wapid_messages_received_total").increment(count as u64);
            Ok(())
        }
        .boxed()
    })
}

/// Stores what arrived. A message that the store refuses as it is would come again for ever and hold up all that is
/// behind it: so what is refused alone is kept as one of an unknown kind.
async fn receive(store: &Store, rows: Vec<Inbound>) -> Result<Received, StoreError> {
    let rows: Arc<[Inbound]> = rows.into();
    match store.receive_shared(rows.clone()).await {
        Err(problem) if problem.is_about_the_data() => {}
        received => return received,
    }
    let mut all = Received::default();
    for row in rows.iter() {
        let alone = match store.receive(vec![row.clone()]).await {
            Err(problem) if problem.is_about_the_data() => {
                warn!(session.key = %row.owner.session, "A message could not be stored as it came; it is kept as one of an unknown kind");
                metrics::counter!("wapid_messages_unreadable_total").increment(1);
                store.receive(vec![unreadable(row)]).await
            }
            received => received,
        };
        let Received { new, answered } = match alone {
            Err(problem) if problem.is_about_the_data() => {
                error!(session.key = %row.owner.session, "A message cannot be stored at all, and is left out: {problem}");
                continue;
            }
            received => received?,
        };
        all.new.extend(new);
        all.answered |= answered;
    }
    Ok(all)
}

/// That there was a message, and nothing that its writer chose but its id.
fn unreadable(row: &Inbound) -> Inbound {
    let mut content = Content::from(Body::Unknown(Words::default()));
    content.context.unreadable = Some(NOT_STORABLE.to_owned());
    Inbound { content, sender_name: None, file: None, ..row.clone() }
}

/// A message that disappears tells its chat's timer. The store reads it off the message.
fn timer_of(row: &Inbound) -> Option<News> {
    let seconds = row.content.context.expires_in?;
    let who = (!row.is_group).then(|| Who { phone: row.phone.clone(), lid: row.lid.clone() });
    Some(News::Disappears { who, chat: row.chat.clone(), seconds })
}

/// The polls that a session knows, for whoever opens a vote.
pub fn recall_from(store: Store, session: SessionKey) -> Recall {
    Arc::new(move |wa_id| {
        let (store, session) = (store.clone(), session.clone());
        async move { Ok(store.poll(&session, wa_id.as_str()).await?) }.boxed()
    })
}

fn row_of(
    store: &Store,
    owner: &Owner,
    message: Arrived,
    auto_fetch: u64,
    now: At,
) -> anyhow::Result<Inbound> {
    let file = match (message.file, message.content.file()) {
        (Some(file), Some((_, id))) => {
            let place = serde_json::to_string(&file.place)?;
            let whole = |number: u32| i64::from(number);
            Some(NewReceived {
                id: id.clone(),
                kind: file.kind,
                mime: file.look.mime,
                file_name: file.look.file_name,
                size: i64::try_from(file.place.size).ok(),
                width: file.look.width.map(whole),
                height: file.look.height.map(whole),
                seconds: file.look.seconds.map(whole),
                is_animated: false,
                waveform: file.look.waveform,
                thumbnail: file.look.thumbnail,
                wire: store.seal_media_wire(id, &place),
                next_at: (file.place.size <= auto_fetch).then_some(now),
            })
        }
        _ => None,
    };
    Ok(Inbound {
        owner: owner.clone(),
        wa_id: message.wa_id,
        chat: message.chat,
        sender: message.sender,
        phone: message.phone.and_then(|digits| Phone::from_whatsapp(&digits).ok()),
        lid: message.lid,
        sender_name: message.sender_name,
        from_me: message.from_me,
        is_group: message.is_group,
        content: message.content,
        file,
        sent_at: At(message.sent_at_ms),
    })
}

/// Writes receipts apart from the session's task, in order, as many as have queued at a time.
#[derive(Clone)]
pub struct Receipts(mpsc::Sender<Entry>);

enum Entry {
    News(ReceiptNews),
    Barrier(oneshot::Sender<()>),
}

impl Receipts {
    pub fn start(store: Store) -> Self {
        let (tx, mut rx) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let mut entries = Vec::new();
            while rx.recv_many(&mut entries, 256).await > 0 {
                let mut barriers = Vec::new();
                let mut writes = Vec::new();
                for entry in entries.drain(..) {
                    match entry {
                        Entry::News(news) => {
                            let store = &store;
                            writes.push(until_written("a receipt", move || store.note_receipt(news.clone())));
                        }
                        Entry::Barrier(done) => barriers.push(done),
                    }
                }
                futures::future::join_all(writes).await;
                for done in barriers {
                    let _ = done.send(());
                }
            }
        });
        Self(tx)
    }

    /// The client has told WhatsApp already (0.7.0 has no gate for receipts), so a crash before this
    /// commit leaves the status where it was.
    pub fn note(&self, news: ReceiptNews) {
        if self.0.try_send(Entry::News(news)).is_err() {
            dropped("a receipt");
        }
    }

    /// Returns once everything noted so far is written.
    pub async fn written(&self) {
        let (tx, done) = oneshot::channel();
        let _ = self.0.send(Entry::Barrier(tx)).await;
        let _ = done.await;
    }
}
