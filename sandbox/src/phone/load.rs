//! A phone downloads the medium of a message, as soon as the message is there.
//!
//! The message is shown at once and its medium when it was found at the host, decrypted and checked
//! against what the message says of it. A crash in between is made up for at the next start. The
//! bytes stay at the media host, encrypted; the phone keeps the right to them whatever becomes of
//! the address they were at.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::debug;
use wacore::download::{DownloadUtils, Downloadable, MediaType};
use waproto::whatsapp as wa;

use super::chats::{Chats, Key, Medium, Shown};
use super::look;
use crate::account::Account;
use crate::media::{Shelves, Token, path_id};
use crate::net::Net;

/// How long somebody who looks at a phone waits for media that are on their way to it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many media are on their way to a phone. It grows only while the phone's chats are locked.
pub(crate) struct Loads(watch::Sender<usize>);

impl Default for Loads {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Loads {
    fn add(&self, more: isize) {
        self.0.send_modify(|running| *running = running.saturating_add_signed(more));
    }
}

/// One that is on its way, however it ends.
pub(super) struct Running(Arc<Account>);

impl Running {
    pub(super) fn new(phone: &Arc<Account>) -> Self {
        phone.loads.add(1);
        Self(Arc::clone(phone))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.loads.add(-1);
    }
}

/// What `look` sees in the chats of a phone when no medium is on its way, or when that takes too long.
pub(crate) async fn settled<T>(phone: &Account, look: impl FnOnce(&mut Chats) -> T) -> T {
    let mut running = phone.loads.0.subscribe();
    let end = Instant::now() + PATIENCE;
    loop {
        let is_late = timeout_at(end, running.wait_for(|running| *running == 0)).await.is_err();
        let mut chats = phone.chats.lock();
        if is_late || *running.borrow() == 0 {
            return look(&mut chats);
        }
    }
}

/// What a message says of its medium.
pub(crate) struct Attached {
    pub token: Token,
    pub kind: MediaType,
    key: Vec<u8>,
    sha256: Vec<u8>,
    direct_path: String,
}

impl Attached {
    pub(crate) fn of(message: &wa::Message) -> Option<Self> {
        Self::read(look::medium(message)?)
    }

    fn read(medium: &dyn Downloadable) -> Option<Self> {
        Some(Self {
            token: Token::from_hash(medium.file_enc_sha256()?)?,
            kind: medium.app_info(),
            key: medium.media_key()?.to_vec(),
            sha256: medium.file_sha256()?.to_vec(),
            direct_path: medium.direct_path()?.to_owned(),
        })
    }

    pub(crate) fn media_key(&self) -> &[u8] {
        &self.key
    }

    /// Decrypts the bytes into `to`. Blocks.
    pub(crate) fn decrypt(&self, shelves: &Shelves, book: &str, mut to: impl Write) -> anyhow::Result<u64> {
        let opened = shelves.open(book, self.token);
        let (file, _) = opened.ok_or_else(|| anyhow::anyhow!("the bytes are gone"))?;
        DownloadUtils::decrypt_stream_to_writer(file, &self.key, self.kind, &mut to)
    }
}

/// Begins to load the medium of a message that waits for it.
pub(super) fn begin(net: &Arc<Net>, running: Running, key: Key) {
    let net = Arc::clone(net);
    tokio::spawn(async move { load(&net, &running.0, &key).await });
}

/// Begins what a crash interrupted.
pub(crate) fn resume(net: &Arc<Net>, phone: &Arc<Account>) {
    let chats = phone.chats.lock();
    for key in chats.loading() {
        begin(net, Running::new(phone), key);
    }
}

async fn load(net: &Arc<Net>, phone: &Arc<Account>, key: &Key) {
    // Decrypting is the processor's work: more at a time would only take longer each.
    let Ok(_turn) = net.media.turns.acquire().await else {
        return;
    };
    let attached = phone.chats.lock().get(key).and_then(|shown| Attached::of(&shown.decode()));
    let (within, book) = (Arc::clone(net), phone.book.clone());
    let loaded = tokio::task::spawn_blocking(move || {
        attached
            .ok_or_else(|| anyhow::anyhow!("the message lacks a part"))
            .and_then(|attached| check(&within, &book, &attached))
    })
    .await
    .map_err(anyhow::Error::from)
    .flatten();
    let mut chats = phone.chats.lock();
    let mut batch = net.journal.batch();
    chats.update(phone, key, &mut batch, |shown| settle(shown, loaded));
    net.journal.append(batch);
}

struct Loaded {
    sha256: String,
    size: u64,
}

fn settle(shown: &mut Shown, loaded: anyhow::Result<Loaded>) -> bool {
    if shown.message.deleted {
        return false;
    }
    match loaded {
        Ok(loaded) => {
            shown.beside.medium = Some(Medium::Held);
            shown.message.media_sha256 = Some(loaded.sha256);
            shown.message.size = Some(loaded.size);
        }
        Err(error) => {
            debug!(%error, "A phone could not load a medium");
            shown.beside.medium = Some(Medium::Missing);
        }
    }
    true
}

/// Downloads, decrypts and checks; what it decrypts is not kept.
fn check(net: &Net, book: &str, attached: &Attached) -> anyhow::Result<Loaded> {
    let at_host = path_id(&attached.direct_path).and_then(|id| net.media.shelves.find(book, id));
    anyhow::ensure!(
        at_host.is_some_and(|found| found.token == attached.token && !found.is_gone),
        "not at the host"
    );
    let mut hash = Hashing(Sha256::new());
    let size = attached.decrypt(&net.media.shelves, book, &mut hash)?;
    let sha256 = hash.0.finalize();
    anyhow::ensure!(sha256[..] == attached.sha256[..], "not what the message says");
    Ok(Loaded { sha256: hex::encode(sha256), size })
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
