//! Writing the log: many use cases, one commit.
//!
//! Every write on the hot path is handed to one task that takes whatever has queued while the last
//! commit was running and commits it together. So the cost of a commit (an fsync, a round trip) is
//! shared by everyone who waited, nobody waits for a timer, and order is the order of arrival. If a
//! batch fails, its members are tried one by one, so that one bad row never takes others with it.
//!
//! Each event is written in the transaction of its cause and numbered within its session.
//!
//! From the bottom up, where nothing knows what is above it:
//!
//! | file | what |
//! |---|---|
//! | `vocabulary` | what can be asked, and what is answered |
//! | `operation` | one call in line, and its answer |
//! | `workbench` | what lies ready while a batch is written: what is known, ids, the events so far |
//! | `owners`, `candidate`, `moved` | what several phases have in common |
//! | `accept` | intents: idempotency keys, quota, rows |
//! | `settle` | results and receipts |
//! | `jobs` | what the two mean for bulk jobs |
//! | `job_changes` | what owners want of their jobs |
//! | `receive` | what arrived |
//! | `arrival` | what is told of it |
//! | `change` | what edits and deletes do to the messages they name |
//! | `files` | what became of files that came with messages |
//! | `opt_outs` | who is not written to any more, as the API says it |
//! | `deliver` | results of deliveries, and endpoints turned on and off |
//! | `people` | what is heard of people beside their messages |
//! | `groups` | what groups are called, what happened in them |
//! | `contacts` | one id per person |
//! | `chats` | conversations, moved by their messages |
//! | `events` | events, numbered |
//! | `batch` | one transaction: the phases in order |
//! | `task` | the queue, the batches and who gets which answer |
//! | `calls` | the calls of the store that all this is for |

mod accept;
mod arrival;
mod batch;
mod calls;
mod candidate;
mod change;
mod chats;
mod contacts;
mod deliver;
mod events;
mod files;
mod groups;
mod job_changes;
mod jobs;
mod moved;
mod operation;
mod opt_outs;
mod owners;
mod people;
#[cfg(test)]
mod plans;
mod receive;
mod settle;
mod task;
mod vocabulary;
mod workbench;

pub use calls::Ledger;
pub use change::EDITED_WITHIN_MS;
pub use vocabulary::{
    Accepted, Attempt, Change, Changed, Dismissal, GroupNews, Idempotency, Inbound, Intent, JobPart, Next,
    Outcome, Owner, ReceiptNews, Received, Refused, Retried, SEND_FAILED, Settlement, Unsettled,
};
pub(super) use vocabulary::{FileDone, FileEnd, FileNews, JobName, OptOutWish, Switch};

pub use crate::nack::BLOCKED;
