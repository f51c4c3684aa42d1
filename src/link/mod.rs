//! A live connection of one session to a WhatsApp network.
//!
//! Nothing here knows the store: what happens comes out as [`Signal`]s, what arrives goes through
//! the [`Commit`] it was opened with, and WhatsApp is told of an arrival only after that returns.
//!
//! | file | what |
//! |---|---|
//! | `whatsapp` | the linked-device client; the only folder that names `whatsapp_rust` |
//! | `signals` | the client's events as [`Signal`]s |
//! | `acks` | who waits for WhatsApp's answer to which message |
//! | `health` | what WhatsApp says of the account's standing; pure |
//! | `numbers` | the question which numbers are on WhatsApp, and its answer; pure |
//! | `file` | a file on WhatsApp's servers |
//! | `groups` | groups, what happens in them, what WhatsApp says to a wish; pure |
//! | `people` | what can be asked and told of people, in plain words |
//! | `convert` | our content to and from WhatsApp's protobuf; pure |
//! | `dial` | the way to WhatsApp: TCP, proxy, TLS, WebSocket |
//! | `fetch` | the client's plain HTTP needs |

use std::sync::Arc;

use futures::future::BoxFuture;
use wapid_core::content::{Content, Poll};
use wapid_core::message::{ReceiptSender, Status};
use wapid_core::people::News;
use wapid_core::session::{Account, End, Rest};
use wapid_core::wa_id::WaId;

mod acks;
mod convert;
mod dial;
mod fetch;
mod file;
pub mod groups;
mod health;
mod hosts;
mod numbers;
mod people;
mod signals;
mod whatsapp;

pub use dial::{Proxy, ProxyError};
pub use file::{Asked, File, Look, Place, Sink};
pub use health::{Health, NewChats, Timelock};
pub use numbers::ASKED_MAX;
pub use people::{AskFailure, Blocked, LastSeen, Listing, Person, Picture, PictureSize};
pub use whatsapp::{FileFailure, InFlight, Letter, Link, OpenError, Way, Wiring, check_trust};

/// What a link reports of itself.
#[derive(Debug, Clone)]
pub enum Signal {
    /// A QR to scan, good for this long.
    Qr {
        secret: String,
        lives_ms: i64,
    },
    /// A code to type into the phone.
    Code {
        secret: String,
        lives_ms: i64,
    },
    /// No code is coming; the text says why.
    CodeRefused(String),
    /// WebAuthn request options: WhatsApp gates this linking by a passkey.
    Passkey(String),
    Linked(Account),
    Up,
    Down,
    Gone {
        why: Rest,
        lasts_ms: Option<i64>,
    },
    Over(End),
    Receipt {
        by: ReceiptSender,
        wa_ids: Vec<String>,
        status: Status,
        at_ms: i64,
    },
    /// What is heard of people beside their messages.
    People(Vec<News>),
    Group(groups::GroupNews),
}

impl Signal {
    /// Is it as true after its link has ended? WhatsApp tells it once.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::Receipt { .. } | Self::People(_) | Self::Group(_))
    }
}

/// A message that arrived, in plain words.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub wa_id: WaId,
    pub chat: String,
    pub sender: String,
    /// The number of the other party, where WhatsApp or an earlier mapping names it.
    pub phone: Option<String>,
    pub lid: Option<String>,
    pub sender_name: Option<String>,
    pub from_me: bool,
    pub is_group: bool,
    pub content: Content,
    /// The file it carries, where it says enough of it to fetch it.
    pub file: Option<File>,
    pub sent_at_ms: i64,
}

/// Commits what arrived, messages and what else is heard with them; it may be asked again for the same. WhatsApp
/// is told only after it returns `Ok`.
pub type Commit =
    Arc<dyn Fn(Vec<Arrived>, Vec<News>) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// A poll that this number knows, by its WhatsApp message id: only with its secret can a vote be read.
pub type Recall = Arc<dyn Fn(WaId) -> BoxFuture<'static, anyhow::Result<Option<Poll>>> + Send + Sync>;

/// What WhatsApp's server said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Taken, at this time (milliseconds), where the server named one.
    Taken { at_ms: Option<i64> },
    /// Refused for good, with WhatsApp's own code.
    Nack { code: String },
}

/// Why a transmission has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendFailure {
    /// The connection went away; whether WhatsApp has the message is not known.
    #[error("the connection was lost before WhatsApp answered")]
    Lost,
    /// It never left, and never will: the file that it carries is not here any more, or never was.
    #[error("the message's file is gone")]
    FileGone,
    /// It never left, and never will: nobody can have this address.
    #[error("{0}")]
    BadAddress(String),
    /// It never left: nobody has this number.
    #[error("the number is not on WhatsApp")]
    NotOnWhatsApp,
    /// It never left: this number is not in the group.
    #[error("this number is not in the group")]
    NotInGroup,
    /// It never left: there is no such group.
    #[error("there is no such group")]
    NoGroup,
    /// Something went wrong on this side; trying again may help.
    #[error("{0}")]
    Internal(String),
}
