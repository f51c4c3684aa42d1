//! The media host: encrypted blobs in files, by WhatsApp's protocol.
//!
//! `shelf` keeps the blobs of each book; `pass` says who may; `host` is the protocol, without a
//! network; `local` speaks it in memory, `remote` to a sandbox in another process, `serve` answers
//! over HTTP and `tls` over HTTPS for other people's clients. Nothing here can read a blob.

mod host;
pub(crate) mod local;
mod pass;
mod pipe;
pub(crate) mod remote;
pub(crate) mod serve;
mod shelf;
pub(crate) mod tls;

use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::Semaphore;

pub use pipe::ByteStream;
pub(crate) use pipe::write_in_background;
pub use serve::MediaHost;
pub(crate) use shelf::{SHELF, Shelves, Token, path_id};

use crate::keys::ServerKeys;
use crate::limits;
use crate::stanza::now;

/// The name of a host that nobody can reach by name: clients in this process and those of a
/// [`RemoteSandbox`](crate::RemoteSandbox) do not look it up.
const NOWHERE: &str = "media.sandbox.invalid";

/// Media that phones decrypt at a time.
const TURNS: usize = 2;

pub(crate) struct Media {
    pub shelves: Arc<Shelves>,
    /// The turns of phones that decrypt.
    pub turns: Semaphore,
    /// The turns of control calls that bring a medium.
    pub sends: Semaphore,
    secret: [u8; 32],
    host: RwLock<String>,
}

impl Media {
    pub(crate) fn new(shelves: Shelves, keys: &ServerKeys) -> Self {
        Self {
            shelves: Arc::new(shelves),
            turns: Semaphore::new(TURNS),
            sends: Semaphore::new(limits::SENDS_AT_A_TIME),
            secret: pass::secret(keys),
            host: RwLock::new(NOWHERE.to_owned()),
        }
    }

    /// Where clients are told to go.
    pub(crate) fn host(&self) -> String {
        self.host.read().clone()
    }

    /// From now on clients are told to go there.
    pub(crate) fn move_to(&self, host: String) {
        *self.host.write() = host;
    }

    /// A pass for one account, in the words of `media_conn`.
    pub(crate) fn pass(&self, book: &str, phone: &str) -> String {
        pass::issue(&self.secret, book, phone, now() + pass::SECONDS)
    }
}

/// How long a pass is good, in seconds, as clients are told.
pub(crate) const PASS_SECONDS: u64 = pass::SECONDS;
