//! One transaction: everything that waited, in phases, each phase in order of arrival.
//!
//! Those who wait together asked at the same time, so any order between them is a true one. This one
//! lets a message exist before its result and its receipts.

use std::sync::Arc;

use ulid::Ulid;

use super::events::Events;
use super::files::{self, FileDone, FileNews};
use super::{
    Accepted, Attempt, ChangeJob, Changed, Dismissal, GroupNews, Heard, Inbound, Intent, OptOutWish,
    ReceiptNews, Received, Refused, Result, Retried, Retry, Settlement, Switch, accept, chats, contacts,
    deliver, groups, jobs, people, receive, settle, steer, wish,
};
use crate::clock::At;
use crate::event::NewEvent;
use crate::id::{EventId, MessageKey, SessionKey};
use crate::store::hub::News;
use crate::store::sessions::{self, Saved};
use crate::store::tx::{Texts, Tx};

/// What can be asked of the ledger.
#[derive(Debug)]
pub(super) enum Op {
    Accept(Box<Intent>),
    Settle(Settlement),
    Receipt(ReceiptNews),
    Receive(Arc<[Inbound]>),
    Groups(GroupNews),
    Save { key: SessionKey, epoch: Option<i64>, saved: Option<Saved>, event: Option<NewEvent> },
    Dismiss(Dismissal),
    ChangeJob(ChangeJob),
    Retry(Retry),
    Remove { key: SessionKey, event: NewEvent },
    OptOut(OptOutWish),
    Attempt(Attempt),
    Switch(Switch),
    File(Box<FileNews>),
    People(Heard),
    Close,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Done {
    Accept(Result<Accepted, Refused>),
    Receive(Received),
    ChangeJob(Changed),
    Retry(Retried),
    File(FileDone),
    /// Did it change anything? `None` when there is no such thing.
    Changed(Option<bool>),
    Written,
    /// It depends on another member of its batch: ask again in the next one.
    NotYet,
}

/// What the ledger keeps from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Workbench {
    pub texts: Texts,
    pub ids: Ids,
    pub contacts: contacts::Known,
    pub chats: chats::Known,
    /// Of the batch; told after its commit.
    pub news: Vec<News>,
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

/// Writes all of `ops`; one answer for each.
pub(super) async fn write(tx: &mut Tx<'_>, bench: &mut Workbench, now: At, ops: &[Op]) -> Result<Vec<Done>> {
    let mut done: Vec<Done> = ops.iter().map(|_| Done::Written).collect();
    let mut events = Events::default();
    for (place, op) in ops.iter().enumerate() {
        if let Op::Save { key, epoch, saved, event } = op {
            let is_ours = !sessions::is_superseded(tx, key, *epoch).await?;
            if is_ours {
                sessions::save(tx, key, saved.as_ref(), now).await?;
                events.extend(event.as_ref().map(|event| (key.clone(), event.clone())));
            }
            done[place] = Done::Changed(Some(is_ours));
        }
        if let Op::Remove { key, event } = op {
            steer::fail(tx, key, now, &mut events).await?;
            events.extend([(key.clone(), event.clone())]);
        }
    }
    for (place, op) in ops.iter().enumerate() {
        match op {
            Op::OptOut(it) => done[place] = Done::Changed(Some(wish::write(tx, now, it, &mut events).await?)),
            Op::File(it) => done[place] = Done::File(files::write(tx, now, it, &mut events).await?),
            Op::Switch(it) => done[place] = Done::Changed(deliver::switch(tx, now, it, &mut events).await?),
            _ => {}
        }
    }
    groups::write(tx, bench, ops, &mut events).await?;
    receive::write(tx, bench, now, ops, &mut done, &mut events).await?;
    steer::change(tx, now, ops, &mut done, &mut events).await?;
    steer::retry(tx, now, ops, &mut done, &mut events).await?;
    accept::write(tx, bench, now, ops, &mut done, &mut events).await?;
    jobs::dismiss(tx, bench, ops, &mut events).await?;
    settle::write_results(tx, bench, now, ops, &mut done, &mut events).await?;
    settle::write_receipts(tx, bench, now, ops, &mut events).await?;
    deliver::write(tx, bench, now, ops, &mut events).await?;
    people::write(tx, bench, now, ops, &mut events).await?;
    events.write(tx, bench, now).await?;
    for op in ops {
        if let Op::Remove { key, .. } = op {
            sessions::delete(tx, key).await?;
        }
    }
    Ok(done)
}

/// The members of one kind, each with its place in the batch.
macro_rules! members {
    ($ops:expr, $kind:ident) => {
        $ops.iter().enumerate().filter_map(|(place, op)| match op {
            $crate::store::ledger::batch::Op::$kind(it) => Some((place, it)),
            _ => None,
        })
    };
}
pub(super) use members;

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
