//! One call in line, and its answer.

use std::sync::Arc;

use super::vocabulary::{
    Accepted, Attempt, ChangeJob, Changed, Dismissal, FileDone, FileNews, GroupNews, Heard, Inbound, Intent,
    OptOutWish, ReceiptNews, Received, Refused, Retried, Retry, Settlement, Switch,
};
use crate::event::NewEvent;
use crate::id::SessionKey;
use crate::store::sessions::Saved;

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

/// The members of one kind, each with its place in the batch.
macro_rules! members {
    ($ops:expr, $kind:ident) => {
        $ops.iter().enumerate().filter_map(|(place, op)| match op {
            $crate::store::ledger::operation::Op::$kind(it) => Some((place, it)),
            _ => None,
        })
    };
}
pub(super) use members;
