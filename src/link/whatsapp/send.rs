//! One message out.

use std::sync::atomic::Ordering;

use wacore_binary::{Jid, JidExt as _};
use wapid_core::clock::At;
use wapid_core::content::Content;
use whatsapp_rust::{ClientError, IqError, SendError, SendOptions};

use super::{Link, groups};
use crate::link::acks::AckWait;
use crate::link::file::File;
use crate::link::{Answer, SendFailure, convert};

/// What is to be written.
#[derive(Clone, Copy)]
pub struct Letter<'a> {
    pub content: &'a Content,
    /// The file it carries, where it carries one.
    pub file: Option<&'a File>,
    /// Of the page that it shows: a small JPEG.
    pub thumbnail: Option<&'a [u8]>,
    /// The same in every try.
    pub wa_id: &'a str,
    pub made_at: At,
}

impl Link {
    /// Encrypts and writes one message. The answer comes later, through [`InFlight::answer`]; what
    /// is written first arrives first.
    ///
    /// `to` is the address of somebody: to a number that nobody has, whatsapp-rust 0.7.0 sends a message whose
    /// only copy is for our own phone, and says it worked.
    ///
    /// # Errors
    /// [`SendFailure`]; only `Lost` may have reached WhatsApp.
    pub async fn transmit(&self, to: &str, letter: Letter<'_>) -> Result<InFlight, SendFailure> {
        self.while_open(SendFailure::Lost, self.write(to, letter)).await
    }

    async fn write(&self, to: &str, letter: Letter<'_>) -> Result<InFlight, SendFailure> {
        let Letter { content, file, thumbnail, wa_id, made_at } = letter;
        let message = convert::to_wire(content, file, thumbnail, to, made_at.0)?;
        let to: Jid =
            to.parse().map_err(|_| SendFailure::BadAddress("the recipient is no WhatsApp JID".into()))?;
        self.write_down_ratchets().await?;
        let wait = self.acks.expect(wa_id);
        let options = SendOptions::default().with_message_id(wa_id);
        let is_group = to.is_group();
        match self.client.send_message_with_options(to, message, options).await {
            Ok(_) => Ok(InFlight(wait)),
            // Whatever it says, without a connection it is the connection.
            Err(_) if !self.is_connected() => Err(SendFailure::Lost),
            Err(error) => {
                Err(groups::refusal(&error).filter(|_| is_group).unwrap_or_else(|| failure_of(error)))
            }
        }
    }

    /// A received message may have given us a new ratchet key, which whatsapp-rust 0.7.0 lets a reply
    /// use up to 25 ms before it is in the keystore. Killed in between, we would use the key's
    /// counters twice and the chat would break (`keystore/tests/it/crash.rs` shows it). So the first
    /// message after a receive waits for that write.
    async fn write_down_ratchets(&self) -> Result<(), SendFailure> {
        if self.unflushed.swap(false, Ordering::AcqRel)
            && let Err(error) = self.client.flush_pending_signal_state().await
        {
            self.unflushed.store(true, Ordering::Release);
            return Err(SendFailure::Internal(error.to_string()));
        }
        Ok(())
    }
}

/// A message that was written and not answered yet.
pub struct InFlight(AckWait);

impl InFlight {
    /// # Errors
    /// [`SendFailure::Lost`] when the connection ends first.
    pub async fn answer(self) -> Result<Answer, SendFailure> {
        self.0.wait().await
    }
}

pub(super) fn failure_of(error: SendError) -> SendFailure {
    match error {
        SendError::InvalidRequest(why) => SendFailure::BadAddress(why),
        // The connection went while keys or devices were asked for, or while writing.
        SendError::NotLoggedIn
        | SendError::Client(
            ClientError::NotConnected
            | ClientError::NotLoggedIn
            | ClientError::Socket(_)
            | ClientError::EncryptSend(_),
        )
        | SendError::Iq(
            IqError::NotConnected
            | IqError::Disconnected(_)
            | IqError::InternalChannelClosed
            | IqError::Timeout
            | IqError::Socket(_)
            | IqError::EncryptSend(_)
            | IqError::ClientState(_),
        ) => SendFailure::Lost,
        other => SendFailure::Internal(other.to_string()),
    }
}
