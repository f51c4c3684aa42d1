//! A WhatsApp network that runs anywhere: no phone, no internet, the real protocol.
//!
//! It speaks Noise, binary stanzas and Signal encryption, so an unmodified client works against it:
//! whatsapp-rust by pinning [`Sandbox::static_key`], Baileys by trusting [`Sandbox::root_key`]. Its
//! simulated phones hold keys, decrypt, answer with receipts, and can be told to scan, send every
//! kind of message, read and unlink; faults can be had on request. Kept in a folder, it survives a crash as WhatsApp
//! survives ours.
//!
//! Inside the gateway it is a [`Sandbox`] reached in memory; alone it is served by
//! [`Sandbox::serve`] and reached through a [`RemoteSandbox`]. Whoever does not care which holds a
//! [`Network`].
//!
//! Map: `transport`, `socket` -> `conn` (frames, `noise`) -> `login`, `pair`, `code`, `iq`, `route`
//! -> `net` (books, delivery) -> `group`, `account`, `outbox`, `phone` -> `journal`, `restore`; beside
//! them `media`, the host of encrypted files. It knows nothing of the gateway. A call rings and cannot be
//! answered.

mod account;
mod client;
mod code;
mod conn;
mod control;
mod dictionary;
mod encode;
mod error;
mod fault;
mod group;
mod iq;
mod journal;
mod keys;
mod limits;
mod listen;
mod login;
mod media;
mod net;
mod network;
mod noise;
mod outbox;
mod pair;
mod people;
mod person;
mod phone;
mod picture;
mod pictures;
mod private;
mod qr;
mod restore;
mod route;
mod sandbox;
mod socket;
mod spelling;
mod stanza;
mod transport;

pub use account::Lookups;
pub use client::RemoteSandbox;
pub use control::{Access, ControlToken, ControlTokenError};
pub use error::SandboxError;
pub use fault::{Fault, FaultKind, Phase};
pub use group::control::{GroupAct, GroupDone, GroupInfo, GroupMember, GroupResult, NewGroup};
pub use group::{Addressing, Role};
pub use media::{ByteStream, MediaHost};
pub use network::Network;
pub use people::{Acted, PhoneAct, Seen};
pub use person::Typing;
pub use phone::inbox::{ContactCard, Inbox, InboxMessage, InboxPreview, LinkPreview, Reaction};
pub use phone::message::{MessageKind, PhoneMessage};
pub use phone::ticks::Tick;
pub use route::presence::PresenceState;
pub use sandbox::{DeviceInfo, PhoneInfo, PhoneMedia, ReceiptKind, Sandbox, Storage};
pub use transport::ws_transport;
