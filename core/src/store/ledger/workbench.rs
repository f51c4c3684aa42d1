//! What lies ready while a batch is written: what is known from the batches before, ids, and the events so far.

use std::collections::HashMap;

use ulid::Ulid;

use crate::clock::At;
use crate::event::NewEvent;
use crate::id::{ContactId, EventId, MessageKey, SessionKey, TenantId};
use crate::key::Mode;
use crate::store::error::Result;
use crate::store::hub::News;
use crate::store::tx::{Row, Texts, Tx, Value};

/// Remembered at once, some 10 MB.
const KNOWN_CHATS_MAX: usize = 50_000;

/// What the ledger keeps from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Workbench {
    pub texts: Texts,
    pub ids: Ids,
    pub contacts: KnownContacts,
    pub chats: KnownChats,
    /// Of the batch; told after its commit.
    pub news: Vec<News>,
}

/// A batch that is being written.
pub(super) struct Batch<'a, 'tx> {
    pub tx: &'a mut Tx<'tx>,
    pub bench: &'a mut Workbench,
    pub now: At,
    pub events: Events,
}

impl Batch<'_, '_> {
    /// [`Tx::many`] with the bench's texts.
    pub(super) async fn many<T: Row>(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) -> Result<Vec<T>> {
        Ok(self.tx.many(&mut self.bench.texts, sql, rows).await?)
    }

    /// [`Tx::run_many`] with the bench's texts.
    pub(super) async fn run_many(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) -> Result<u64> {
        Ok(self.tx.run_many(&mut self.bench.texts, sql, rows).await?)
    }
}

/// Ids in the order of their rows, also within a millisecond and when the clock is set back.
#[derive(Debug, Default)]
pub(super) struct Ids {
    last: Ulid,
}

impl Ids {
    /// A key, and the moment it names: the row's `created_at`.
    pub(super) fn message(&mut self, now: At) -> (MessageKey, At) {
        let id = self.next(now);
        let at = At(i64::try_from(id.timestamp_ms()).expect("a ULID's time has 48 bits"));
        (MessageKey(format!("msg_{}", id.to_string().to_lowercase())), at)
    }

    pub(super) fn event(&mut self, now: At) -> EventId {
        EventId(format!("evt_{}", self.next(now).to_string().to_lowercase()))
    }

    fn next(&mut self, now: At) -> Ulid {
        let ms = u64::try_from(now.0).unwrap_or(0);
        self.last = match self.last.increment() {
            Some(next) if ms <= self.last.timestamp_ms() => next,
            _ => Ulid::from_parts(ms.max(self.last.timestamp_ms()), rand::random()),
        };
        self.last
    }
}

/// A tenant's name for somebody.
pub(super) type ContactName = (TenantId, Mode, String);

/// Contacts that were looked up. Forgotten when a commit fails, for then they may not be there.
pub(super) type KnownContacts = HashMap<ContactName, ContactId>;

/// What was written before and need not be written again. Forgotten when a commit fails.
#[derive(Debug, Default)]
pub(super) struct KnownChats {
    /// The push name under each alias of each session.
    pub names: HashMap<(SessionKey, String), String>,
    /// The number of a LID: nothing lies under the LID alone any more, and nothing is to.
    pub numbered: HashMap<(SessionKey, String), String>,
}

impl KnownChats {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.numbered.clear();
    }

    /// The number of somebody who is named by a LID.
    pub(super) fn number_of(&self, session: &SessionKey, lid: &str) -> Option<&str> {
        self.numbered.get(&(session.clone(), lid.to_owned())).map(String::as_str)
    }

    pub(super) fn bound(&mut self) {
        if self.names.len() > KNOWN_CHATS_MAX || self.numbered.len() > KNOWN_CHATS_MAX {
            self.clear();
        }
    }
}

/// Whose event it is.
#[derive(Debug)]
pub(super) enum EventSource {
    Session(SessionKey),
    Tenant(TenantId, Mode),
}

/// The events of one batch, in order.
#[derive(Debug, Default)]
pub(super) struct Events(pub Vec<(EventSource, NewEvent)>);

impl Events {
    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = (SessionKey, NewEvent)>) {
        self.0.extend(more.into_iter().map(|(session, event)| (EventSource::Session(session), event)));
    }

    /// An event of no session.
    pub(super) fn add(&mut self, (tenant, mode): (&TenantId, Mode), event: NewEvent) {
        self.0.push((EventSource::Tenant(tenant.clone(), mode), event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_only_grow_even_when_the_clock_is_set_back() {
        let mut ids = Ids::default();
        let made: Vec<_> = [5_000, 5_000, 4_000, 5_001].iter().map(|&now| ids.message(At(now))).collect();
        assert!(made.is_sorted());
        assert_eq!(made[2].1, At(5_000));
        assert_eq!(made[3].1, At(5_001));
    }
}
