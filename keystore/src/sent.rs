//! Messages that were sent, for phones that could not read them and ask for them again.
//!
//! whatsapp-rust drops a phone's request where the message cannot be had at that moment, and a phone asks four times
//! and no more (`wacore::protocol::retry`). So nothing here fails because the database is away for a while: what could
//! not be written is kept in memory, within bounds, and a request waits until the database answers. What the client
//! does next, it does with a database again. Another process that takes over meanwhile has only what was written.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Fault, Keystore, Result};

pub(crate) const TABLE: &str = "keystore_sent_messages";

/// Messages that wait in memory, of one link, and their bytes; the oldest are let go of first.
const KEPT_MAX: usize = 256;
const KEPT_BYTES: usize = 4 << 20;
/// How long a phone's request waits for the database, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(1);

/// Messages that are in no database.
#[derive(Debug, Default)]
pub(crate) struct UnwrittenMessages {
    kept: VecDeque<UnwrittenMessage>,
    bytes: usize,
}

#[derive(Debug)]
struct UnwrittenMessage {
    chat: String,
    id: String,
    payload: Vec<u8>,
}

impl UnwrittenMessages {
    fn keep(&mut self, chat: &str, id: &str, payload: &[u8]) {
        self.take(chat, id);
        self.bytes += payload.len();
        self.kept.push_back(UnwrittenMessage {
            chat: chat.to_owned(),
            id: id.to_owned(),
            payload: payload.to_vec(),
        });
        while self.kept.len() > KEPT_MAX || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes -= oldest.payload.len();
        }
    }

    fn take(&mut self, chat: &str, id: &str) -> Option<Vec<u8>> {
        let at = self.kept.iter().position(|kept| kept.chat == chat && kept.id == id)?;
        let taken = self.kept.remove(at)?;
        self.bytes -= taken.payload.len();
        Some(taken.payload)
    }
}

impl Keystore {
    pub(crate) async fn keep_sent(&self, chat: &str, id: &str, payload: &[u8], stored_at: i64) -> Result<()> {
        let statement = self
            .statement(
                "INSERT INTO keystore_sent_messages (session_key, chat, message_id, payload, stored_at)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (session_key, chat, message_id)
                 DO UPDATE SET payload = excluded.payload, stored_at = excluded.stored_at",
            )
            .bind(chat)
            .bind(id)
            .bind(self.seal(TABLE, &[chat, id], payload))
            .bind(stored_at);
        match self.commit(vec![statement]).await {
            Err(Fault::Database(_)) => self.unwritten.lock().keep(chat, id, payload),
            done => drop(done?),
        }
        Ok(())
    }

    /// Past the shared writer, whose orders only count rows: a retry receipt is rare, and what it takes was committed
    /// before.
    pub(crate) async fn take_sent(&self, chat: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let give_up = Instant::now() + PATIENCE;
        let sealed = loop {
            let statement = self
                .statement(
                    "DELETE FROM keystore_sent_messages WHERE session_key = $1 AND chat = $2 AND message_id = $3
                     RETURNING payload",
                )
                .bind(chat)
                .bind(id);
            match self.take(statement).await {
                Ok(sealed) => break sealed,
                Err(Fault::Database(_)) if Instant::now() < give_up && !self.has_ended() => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(fault) => return Err(fault.into()),
            }
        };
        let written = sealed.map(|sealed| self.open(TABLE, &[chat, id], &sealed)).transpose()?;
        // Of one that is in both, the newer is the one in memory.
        Ok(self.unwritten.lock().take(chat, id).or(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_database_is_kept_within_bounds() {
        let mut unwritten = UnwrittenMessages::default();
        for number in 0..KEPT_MAX + 3 {
            unwritten.keep("chat", &number.to_string(), b"text");
        }
        assert_eq!(unwritten.kept.len(), KEPT_MAX);
        assert_eq!(unwritten.take("chat", "2"), None, "the oldest are gone");
        assert_eq!(unwritten.take("chat", "3"), Some(b"text".to_vec()));
        assert_eq!(unwritten.take("chat", "3"), None);
        unwritten.keep("chat", "large", &vec![0; KEPT_BYTES]);
        assert_eq!((unwritten.kept.len(), unwritten.bytes), (1, KEPT_BYTES));
        unwritten.keep("chat", "large", b"again");
        assert_eq!((unwritten.kept.len(), unwritten.bytes), (1, 5));
    }
}
