//! A sandbox, wherever it runs: what the gateway holds.

use std::sync::Arc;

use wacore::net::{HttpClient, TransportFactory};

use crate::client::RemoteSandbox;
use crate::error::SandboxError;
use crate::fault::Fault;
use crate::people::{Acted, PhoneAct, Seen};
use crate::phone::inbox::Inbox;
use crate::phone::message::PhoneMessage;
use crate::sandbox::{DeviceInfo, PhoneInfo, PhoneMedia, ReceiptKind, Sandbox};

#[derive(Clone)]
pub enum Network {
    Embedded(Sandbox),
    Remote(RemoteSandbox),
}

impl Network {
    /// What a client pins.
    pub fn static_key(&self) -> [u8; 32] {
        match self {
            Self::Embedded(sandbox) => sandbox.static_key(),
            Self::Remote(sandbox) => sandbox.static_key(),
        }
    }

    pub fn transport(&self, book: &str) -> Arc<dyn TransportFactory> {
        match self {
            Self::Embedded(sandbox) => sandbox.transport(book),
            Self::Remote(sandbox) => sandbox.transport(book),
        }
    }

    pub fn http(&self, book: &str) -> Arc<dyn HttpClient> {
        match self {
            Self::Embedded(sandbox) => sandbox.http(book),
            Self::Remote(sandbox) => sandbox.http(book),
        }
    }

    pub async fn phones(&self, book: &str) -> Result<Vec<PhoneInfo>, SandboxError> {
        match self {
            Self::Embedded(sandbox) => Ok(sandbox.phones(book).await),
            Self::Remote(sandbox) => sandbox.phones(book).await,
        }
    }

    pub async fn remove_book(&self, book: &str) -> Result<(), SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.remove_book(book).await,
            Self::Remote(sandbox) => sandbox.remove_book(book).await,
        }
    }

    pub async fn create_phone(&self, book: &str, phone: &str, name: &str) -> Result<PhoneInfo, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.create_phone(book, phone, name).await,
            Self::Remote(sandbox) => sandbox.create_phone(book, phone, name).await,
        }
    }

    /// The same of a phone that a look-up finds under other numbers as well.
    pub async fn create_phone_known_as(
        &self,
        book: &str,
        phone: &str,
        name: &str,
        known_as: &[String],
    ) -> Result<PhoneInfo, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.create_phone_known_as(book, phone, name, known_as).await,
            Self::Remote(sandbox) => sandbox.create_phone_known_as(book, phone, name, known_as).await,
        }
    }

    pub async fn scan(&self, book: &str, phone: &str, qr: &str) -> Result<(), SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.scan(book, phone, qr).await,
            Self::Remote(sandbox) => sandbox.scan(book, phone, qr).await,
        }
    }

    pub async fn enter_code(&self, book: &str, phone: &str, code: &str) -> Result<(), SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.enter_code(book, phone, code).await,
            Self::Remote(sandbox) => sandbox.enter_code(book, phone, code).await,
        }
    }

    pub async fn messages(&self, book: &str, phone: &str) -> Result<Inbox, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.messages(book, phone).await,
            Self::Remote(sandbox) => sandbox.messages(book, phone).await,
        }
    }

    pub async fn media(&self, book: &str, phone: &str, message_id: &str) -> Result<PhoneMedia, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.media(book, phone, message_id).await,
            Self::Remote(sandbox) => sandbox.media(book, phone, message_id).await,
        }
    }

    pub async fn send(&self, book: &str, phone: &str, out: PhoneMessage) -> Result<String, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.send(book, phone, out).await,
            Self::Remote(sandbox) => sandbox.send(book, phone, out).await,
        }
    }

    pub async fn mark(
        &self,
        book: &str,
        phone: &str,
        message_id: &str,
        kind: ReceiptKind,
    ) -> Result<(), SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.mark(book, phone, message_id, kind).await,
            Self::Remote(sandbox) => sandbox.mark(book, phone, message_id, kind).await,
        }
    }

    pub async fn act(&self, book: &str, phone: &str, act: PhoneAct) -> Result<Acted, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.act(book, phone, act).await,
            Self::Remote(sandbox) => sandbox.act(book, phone, act).await,
        }
    }

    pub async fn sees(&self, book: &str, phone: &str, other: &str) -> Result<Seen, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.sees(book, phone, other).await,
            Self::Remote(sandbox) => sandbox.sees(book, phone, other).await,
        }
    }

    pub async fn unlink(&self, book: &str, phone: &str, device: Option<u16>) -> Result<u32, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.unlink(book, phone, device).await,
            Self::Remote(sandbox) => sandbox.unlink(book, phone, device).await,
        }
    }

    pub async fn devices(&self, book: &str, phone: &str) -> Result<Vec<DeviceInfo>, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.devices(book, phone).await,
            Self::Remote(sandbox) => sandbox.devices(book, phone).await,
        }
    }

    pub async fn fault(&self, book: &str, phone: &str, fault: Fault) -> Result<(), SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.fault(book, phone, fault).await,
            Self::Remote(sandbox) => sandbox.fault(book, phone, fault).await,
        }
    }
}
