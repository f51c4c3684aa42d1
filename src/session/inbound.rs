//! What comes in: committed first, acknowledged to WhatsApp after.

use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tracing::error;
use wapid_core::clock::At;
use wapid_core::message::Status;
use wapid_core::phone::Phone;
use wapid_core::store::Store;
use wapid_core::store::ledger::{Inbound, Owner, ReceiptNews};

use crate::link::{Arrived, Commit};

/// The commit that a link runs before it acknowledges.
pub fn commit_into(store: Store, owner: Owner) -> Commit {
    Arc::new(move |arrived| {
        let (store, owner) = (store.clone(), owner.clone());
        async move {
            let rows = arrived.into_iter().map(|message| row_of(&owner, message)).collect();
            let new = store.receive(rows).await?;
            let count = new.iter().filter(|new| **new).count();
            metrics::counter!("wapid_messages_received_total").increment(count as u64);
            Ok(())
        }
        .boxed()
    })
}

fn row_of(owner: &Owner, message: Arrived) -> Inbound {
    Inbound {
        owner: owner.clone(),
        wa_id: message.wa_id,
        chat: message.chat,
        sender: message.sender,
        phone: message.phone.and_then(|digits| Phone::parse(&digits).ok()),
        lid: message.lid,
        sender_name: message.sender_name,
        from_me: message.from_me,
        is_group: message.is_group,
        kind: message.kind.to_owned(),
        body: message.body,
        sent_at: At(message.sent_at_ms),
    }
}

/// Writes receipts apart from the session's task, in order, as many as have queued at a time.
#[derive(Clone)]
pub struct Receipts(mpsc::UnboundedSender<Entry>);

enum Entry {
    News(ReceiptNews),
    Barrier(oneshot::Sender<()>),
}

impl Receipts {
    pub fn start(store: Store) -> Self {
        let (tx, mut rx) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut entries = Vec::new();
            while rx.recv_many(&mut entries, 256).await > 0 {
                let mut barriers = Vec::new();
                let mut writes = Vec::new();
                for entry in entries.drain(..) {
                    match entry {
                        Entry::News(news) => writes.push(store.note_receipt(news)),
                        Entry::Barrier(done) => barriers.push(done),
                    }
                }
                for result in futures::future::join_all(writes).await {
                    // Not fatal: a later receipt or the next reconnect tells the same.
                    if let Err(error) = result {
                        error!("A receipt was not written: {error}");
                    }
                }
                for done in barriers {
                    let _ = done.send(());
                }
            }
        });
        Self(tx)
    }

    pub fn note(&self, owner: &Owner, wa_ids: Vec<String>, status: Status, at: At) {
        let _ = self.0.send(Entry::News(ReceiptNews { owner: owner.clone(), wa_ids, status, at }));
    }

    /// Returns once everything noted so far is written.
    pub async fn written(&self) {
        let (tx, done) = oneshot::channel();
        let _ = self.0.send(Entry::Barrier(tx));
        let _ = done.await;
    }
}
