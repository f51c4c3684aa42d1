//! Messages on their way in this process: who works on each, and who waits for its verdict.
//!
//! A message has one [`Custody`]. It travels in whatever carries the message, and wherever that is dropped (a task that
//! ended, a cancelled transmission, a panic) the message is nobody's again: its row says the rest, and whoever reads
//! the rows takes it up.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use wapid_core::job::JobId;

use super::outbox::Verdict;

/// What a message came to, once it has come to it. Closed without, where nobody works on the message any more.
pub type VerdictWatch = watch::Receiver<Option<Verdict>>;

/// The messages on their way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Underway(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    custodies: u64,
    /// By WhatsApp id.
    messages: HashMap<String, UnderwayMessage>,
}

struct UnderwayMessage {
    /// The bulk job that it is part of.
    job: Option<JobId>,
    custody: u64,
    verdict: watch::Sender<Option<Verdict>>,
}

impl Underway {
    /// The message is the caller's to work on. `None` where somebody does already.
    pub fn take_up(&self, wa_id: &str, job: Option<&JobId>) -> Option<Custody> {
        let mut table = self.0.lock();
        match table.messages.entry(wa_id.to_owned()) {
            Entry::Occupied(_) => None,
            Entry::Vacant(_) => Some(self.hand_out(&mut table, wa_id, job)),
        }
    }

    /// The message is the caller's to work on, whoever did until now. Who waits for its verdict goes on waiting.
    pub fn take_over(&self, wa_id: &str, job: Option<&JobId>) -> Custody {
        self.hand_out(&mut self.0.lock(), wa_id, job)
    }

    fn hand_out(&self, table: &mut Table, wa_id: &str, job: Option<&JobId>) -> Custody {
        table.custodies += 1;
        let number = table.custodies;
        let message = table.messages.entry(wa_id.to_owned()).or_insert_with(|| UnderwayMessage {
            job: job.cloned(),
            custody: number,
            verdict: watch::Sender::new(None),
        });
        message.custody = number;
        Custody { underway: self.clone(), wa_id: wa_id.to_owned(), number }
    }

    /// `None` where nobody works on it.
    pub fn watch(&self, wa_id: &str) -> Option<VerdictWatch> {
        self.0.lock().messages.get(wa_id).map(|message| message.verdict.subscribe())
    }

    pub fn resolve(&self, wa_id: &str, verdict: Verdict) {
        if let Some(message) = self.0.lock().messages.remove(wa_id) {
            message.verdict.send_replace(Some(verdict));
        }
    }

    pub fn contains(&self, wa_id: &str) -> bool {
        self.0.lock().messages.contains_key(wa_id)
    }

    pub fn len(&self) -> usize {
        self.0.lock().messages.len()
    }

    pub fn all(&self) -> Vec<VerdictWatch> {
        self.0.lock().messages.values().map(|message| message.verdict.subscribe()).collect()
    }

    pub fn of_job(&self, job: &JobId) -> Vec<VerdictWatch> {
        let table = self.0.lock();
        let of_job = table.messages.values().filter(|message| message.job.as_ref() == Some(job));
        of_job.map(|message| message.verdict.subscribe()).collect()
    }
}

/// The right, and the duty, to bring one message to its verdict. Given up where it is dropped.
pub struct Custody {
    underway: Underway,
    wa_id: String,
    number: u64,
}

impl Custody {
    /// Closed at once where the message has its verdict.
    pub fn watch(&self) -> VerdictWatch {
        self.underway.watch(&self.wa_id).unwrap_or_else(|| watch::Sender::new(None).subscribe())
    }

    /// `false` where the message has its verdict, or somebody has taken it over.
    pub fn is_current(&self) -> bool {
        self.underway.0.lock().messages.get(&self.wa_id).is_some_and(|one| one.custody == self.number)
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        let mut table = self.underway.0.lock();
        if let Entry::Occupied(message) = table.messages.entry(std::mem::take(&mut self.wa_id))
            && message.get().custody == self.number
        {
            message.remove();
        }
    }
}

impl std::fmt::Debug for Custody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Custody").field(&self.number).finish()
    }
}

#[cfg(test)]
mod tests {
    use wapid_core::clock::At;

    use super::*;

    const SENT: Verdict = Verdict::Sent { at: At(1) };

    #[tokio::test]
    async fn a_message_is_nobodys_once_its_custody_is_dropped() {
        let underway = Underway::default();
        let custody = underway.take_up("A", None).expect("it is new");
        assert!(underway.take_up("A", None).is_none(), "somebody works on it");
        let mut verdict = custody.watch();
        drop(custody);
        assert!(verdict.wait_for(Option::is_some).await.is_err(), "who waits hears that nobody works on it");
        assert!(underway.take_up("A", None).is_some());
    }

    #[tokio::test]
    async fn who_took_a_message_over_alone_gives_it_up() {
        let underway = Underway::default();
        let first = underway.take_over("A", None);
        let mut verdict = first.watch();
        let second = underway.take_over("A", None);
        assert!(!first.is_current());
        drop(first);
        assert!(second.is_current());
        underway.resolve("A", SENT);
        assert_eq!(verdict.wait_for(Option::is_some).await.expect("it was said").clone(), Some(SENT));
        assert!(!second.is_current(), "it has its verdict");
    }

    #[test]
    fn a_custody_of_before_does_not_give_up_the_next() {
        let underway = Underway::default();
        let first = underway.take_over("A", None);
        underway.resolve("A", SENT);
        let second = underway.take_up("A", None).expect("it has its verdict");
        drop(first);
        assert!(second.is_current());
    }
}
