//! Faults that strike at once: what they do to connections and phones.

use std::sync::Arc;

use crate::account::Account;
use crate::conn::Conn;
use crate::error::SandboxError;
use crate::fault::{Fault, Strike};
use crate::login;
use crate::phone::load::{self, Attached};
use crate::sandbox::Sandbox;
use crate::stanza::{now_ms, tag};

impl Sandbox {
    /// Trouble for a phone or its linked devices.
    pub async fn fault(&self, book: &str, phone: &str, fault: Fault) -> Result<(), SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let strike = phone.state.lock().faults.apply(&fault, now_ms());
        match strike {
            Strike::Nothing => {}
            Strike::Close => each_connection(&phone, Conn::close),
            Strike::Stall => each_connection(&phone, Conn::stall),
            Strike::Replace => each_connection(&phone, |conn| {
                conn.send(&login::replaced());
                conn.close();
            }),
            Strike::StreamError(code) => each_connection(&phone, |conn| {
                conn.send(&tag("stream:error").attr("code", code.to_string()).build());
                conn.close();
            }),
            Strike::LoseSessions => self.lose_sessions(&phone).await,
            Strike::ExpireMedia => {
                let held = load::settled(&phone, |chats| chats.held()).await;
                for attached in held.iter().filter_map(Attached::of) {
                    self.net.media.shelves.expire(book, attached.token, &self.net.journal);
                }
            }
            Strike::LoseMedia => {
                load::settled(&phone, |chats| {
                    let mut batch = self.net.journal.batch();
                    chats.lose_media(&phone, &mut batch);
                    self.net.journal.append(batch);
                })
                .await;
            }
        }
        Ok(())
    }

    async fn lose_sessions(&self, phone: &Account) {
        let mut batch = self.net.journal.batch();
        let mut signal = phone.signal.lock().await;
        for peer in signal.forget_all() {
            batch.delete("session", || phone.session_place(&peer));
        }
        self.net.journal.append(batch);
    }
}

fn each_connection(phone: &Arc<Account>, strike: impl Fn(&Conn)) {
    let state = phone.state.lock();
    state.devices.values().filter_map(|device| device.connection.as_deref()).for_each(strike);
}
