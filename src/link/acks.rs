//! Who waits for WhatsApp's answer to which message.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Answer, SendFailure};

/// The waiting, by WhatsApp message id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Acks(Arc<Mutex<HashMap<String, oneshot::Sender<Answer>>>>);

/// A place in the queue for an answer; leaving it (drop) frees the id.
pub struct AckWait {
    wa_id: String,
    acks: Acks,
    answer: oneshot::Receiver<Answer>,
}

impl Acks {
    /// Waits from now on. A second wait for the same id replaces the first, which sees
    /// [`SendFailure::Lost`].
    pub fn expect(&self, wa_id: &str) -> AckWait {
        let (tx, answer) = oneshot::channel();
        self.0.lock().insert(wa_id.to_owned(), tx);
        AckWait { wa_id: wa_id.to_owned(), acks: self.clone(), answer }
    }

    pub fn answer(&self, wa_id: &str, answer: Answer) {
        if let Some(tx) = self.0.lock().remove(wa_id) {
            // The waiter may have given up; the row tells its own story then.
            let _ = tx.send(answer);
        }
    }

    /// The connection is gone: nobody will be answered on it.
    pub fn lose_all(&self) {
        self.0.lock().clear();
    }
}

impl AckWait {
    /// # Errors
    /// [`SendFailure::Lost`] when the connection ends first.
    pub async fn wait(mut self) -> Result<Answer, SendFailure> {
        (&mut self.answer).await.map_err(|_| SendFailure::Lost)
    }
}

impl Drop for AckWait {
    fn drop(&mut self) {
        self.answer.close();
        let mut waiting = self.acks.0.lock();
        // Only our own: the id may be waited for again by a resend.
        if waiting.get(&self.wa_id).is_some_and(oneshot::Sender::is_closed) {
            waiting.remove(&self.wa_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKEN: Answer = Answer::Taken { at_ms: None };

    #[tokio::test]
    async fn an_answer_finds_whoever_waits() {
        let acks = Acks::default();
        let wait = acks.expect("A");
        acks.answer("B", TAKEN);
        acks.answer("A", TAKEN);
        assert_eq!(wait.wait().await.unwrap(), TAKEN);
    }

    #[tokio::test]
    async fn a_lost_connection_tells_everyone() {
        let acks = Acks::default();
        let wait = acks.expect("A");
        acks.lose_all();
        assert!(matches!(wait.wait().await, Err(SendFailure::Lost)));
    }

    #[tokio::test]
    async fn leaving_the_queue_does_not_evict_the_next_in_line() {
        let acks = Acks::default();
        let first = acks.expect("A");
        let second = acks.expect("A");
        drop(first);
        acks.answer("A", TAKEN);
        assert_eq!(second.wait().await.unwrap(), TAKEN);
        assert!(acks.0.lock().is_empty());
    }
}
