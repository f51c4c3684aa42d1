//! The network from outside: what can be asked of it and of its phones.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore::net::{HttpClient, TransportFactory};

use crate::account::{Account, Lookups};
use crate::code;
use crate::control::ControlToken;
use crate::error::SandboxError;
use crate::fault::{Fault, Strike};
use crate::journal::Journal;
use crate::limits;
use crate::login;
use crate::media::local::Local;
use crate::media::{ByteStream, Shelves, write_in_background};
use crate::net::Net;
use crate::pair;
use crate::phone::chats::Medium;
use crate::phone::inbox::Inbox;
use crate::phone::load::{self, Attached};
use crate::phone::message::PhoneMessage;
use crate::phone::send;
use crate::pictures::{Pictures, Source};
use crate::qr;
use crate::restore::{self, CONTROL_TOKEN};
use crate::route::devices;
use crate::stanza::{now_ms, tag};
use crate::transport::Memory;

/// The network, cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) net: Arc<Net>,
    /// Ends the writer when the last clone goes.
    _closing: Arc<Closing>,
}

/// Where the network keeps itself.
#[derive(Debug, Clone)]
pub enum Storage {
    /// Nowhere: it ends with the process.
    Memory,
    /// In `sandbox.db` of this folder, media in files beside it.
    Folder(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneInfo {
    pub phone: String,
    pub name: String,
    pub lid: String,
    /// How many devices are linked.
    pub devices: usize,
    /// What they asked about numbers.
    #[serde(default)]
    pub lookups: Lookups,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceInfo {
    pub device: u16,
    pub platform: String,
    pub connected: bool,
    pub name: String,
    /// Stanzas that wait for it.
    pub queued: usize,
}

/// The bytes of a medium as the phone's owner has them.
pub struct PhoneMedia {
    pub mime_type: Option<String>,
    pub size: u64,
    /// In hex.
    pub sha256: String,
    pub body: ByteStream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptKind {
    Read,
    Played,
}

struct Closing(Journal);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Sandbox {
    pub async fn open(storage: Storage) -> Result<Self, SandboxError> {
        let (journal, records, shelves) = match storage {
            Storage::Memory => (Journal::in_memory(), Vec::new(), Shelves::temporary()),
            Storage::Folder(folder) => {
                let (journal, records) = Journal::open(&folder).await?;
                (journal, records, Shelves::in_folder(folder.join("media")))
            }
        };
        let closing = Arc::new(Closing(journal.clone()));
        let net = Arc::new(restore::network(journal, shelves, records)?);
        // A client may pin these keys at once: they must not change after a crash.
        net.journal.settled().await;
        for phone in net.everybody() {
            load::resume(&net, &phone);
        }
        Ok(Self { net, _closing: closing })
    }

    /// What a client that verifies certificates (XX) must trust.
    pub fn root_key(&self) -> [u8; 32] {
        self.net.keys.root_key()
    }

    /// What a client that pins the server (IK) must pin.
    pub fn static_key(&self) -> [u8; 32] {
        self.net.keys.static_key()
    }

    /// What control calls carry when nobody chose it. It stays the same as long as the network does.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn control_token(&self) -> Result<ControlToken, SandboxError> {
        let token = {
            let mut known = self.net.control_token.lock();
            let token = known.get_or_insert_with(|| {
                let made = ControlToken::generate();
                let mut batch = self.net.journal.batch();
                batch.put(CONTROL_TOKEN, || "~control".to_owned(), || made.reveal().as_bytes().to_vec());
                self.net.journal.append(batch);
                made
            });
            token.clone()
        };
        self.net.journal.settled().await;
        Ok(token)
    }

    /// The encoded chain, which must not verify against WhatsApp's root.
    pub fn certificate_chain(&self) -> Vec<u8> {
        self.net.keys.chain().to_vec()
    }

    /// Connections in memory, into one phone book.
    pub fn transport(&self, book: &str) -> Arc<dyn TransportFactory> {
        Arc::new(Memory { net: Arc::clone(&self.net), book: book.to_owned() })
    }

    /// The HTTP client of a sandbox session: it reaches the media host, for what is in this phone book,
    /// and no network.
    pub fn http(&self, book: &str) -> Arc<dyn HttpClient> {
        let (net, book) = (Arc::clone(&self.net), book.to_owned());
        let media = Local { net: Arc::clone(&net), book: book.clone() };
        Arc::new(Pictures { from: Source::Here { net, book }, rest: Arc::new(media) })
    }

    /// Makes a phone. One that exists is returned, with its name changed.
    pub async fn create_phone(&self, book: &str, phone: &str, name: &str) -> Result<PhoneInfo, SandboxError> {
        self.create_phone_known_as(book, phone, name, &[]).await
    }

    /// The same of a phone that a look-up finds under other numbers as well, whatever they are. Its country's
    /// other spelling needs no mention.
    pub async fn create_phone_known_as(
        &self,
        book: &str,
        phone: &str,
        name: &str,
        known_as: &[String],
    ) -> Result<PhoneInfo, SandboxError> {
        check_book(book)?;
        check_phone(phone)?;
        known_as.iter().try_for_each(|other| check_phone(other))?;
        if known_as.len() > limits::OTHER_NUMBERS {
            let most = limits::OTHER_NUMBERS;
            return Err(SandboxError::Invalid(format!("a phone is known as at most {most} other numbers")));
        }
        if name.len() > limits::NAME_BYTES {
            return Err(SandboxError::Invalid("a name has at most 100 bytes".into()));
        }
        let (account, seq) = self.net.create(book, phone, name, known_as)?;
        self.net.journal.committed(seq).await;
        Ok(phone_info(&account))
    }

    /// The phones of a book, by number.
    pub async fn phones(&self, book: &str) -> Vec<PhoneInfo> {
        let accounts = self.net.book(book).map(|book| book.accounts()).unwrap_or_default();
        let mut phones: Vec<PhoneInfo> = accounts.iter().map(|account| phone_info(account)).collect();
        phones.sort_by(|a, b| a.phone.cmp(&b.phone));
        phones
    }

    /// The phone scans a code, given as text or as a PNG data URL.
    pub async fn scan(&self, book: &str, phone: &str, qr: &str) -> Result<(), SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let qr = qr.to_owned();
        let text = tokio::task::spawn_blocking(move || qr::text(&qr)).await;
        let text = text.map_err(|_| SandboxError::QrNotValid)??;
        pair::scan(&self.net, &phone, &text)
    }

    /// The code of a client is typed into the phone. Returns when the client proved it right.
    pub async fn enter_code(&self, book: &str, phone: &str, code: &str) -> Result<(), SandboxError> {
        let phone = self.net.phone(book, phone)?;
        code::enter(&self.net, &phone, code).await
    }

    /// What the phone shows, as it would still show it after a crash.
    pub async fn messages(&self, book: &str, phone: &str) -> Result<Inbox, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let inbox = load::settled(&phone, |chats| chats.view()).await;
        self.net.journal.settled().await;
        Ok(inbox)
    }

    /// The medium of a message, decrypted, as far as the phone has it.
    pub async fn media(&self, book: &str, phone: &str, message_id: &str) -> Result<PhoneMedia, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let shown = load::settled(&phone, |chats| chats.find(message_id, |_| true).cloned()).await;
        let shown = shown.ok_or(SandboxError::MessageNotFound)?;
        let held =
            (shown.beside.medium == Some(Medium::Held)).then(|| Attached::of(&shown.decode())).flatten();
        let attached = held.ok_or(SandboxError::MediaNotFound)?;
        if self.net.media.shelves.open(book, attached.token).is_none() {
            // The book's media reached their bound, and this one was among the oldest.
            return Err(SandboxError::MediaNotFound);
        }
        let (net, book) = (Arc::clone(&self.net), book.to_owned());
        let body = write_in_background(move |to| {
            attached.decrypt(&net.media.shelves, &book, to).map(|_| ()).map_err(std::io::Error::other)
        });
        Ok(PhoneMedia {
            mime_type: shown.message.mime_type,
            size: shown.message.size.unwrap_or_default(),
            sha256: shown.message.media_sha256.unwrap_or_default(),
            body,
        })
    }

    /// The phone sends to somebody in its book. Returns the message id.
    pub async fn send(&self, book: &str, phone: &str, out: PhoneMessage) -> Result<String, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        send::send(&self.net, &phone, out).await
    }

    /// The phone reads or plays a message it got.
    pub async fn mark(
        &self,
        book: &str,
        phone: &str,
        message_id: &str,
        kind: ReceiptKind,
    ) -> Result<(), SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let kind = match kind {
            ReceiptKind::Read => "read",
            ReceiptKind::Played => "played",
        };
        send::mark(&self.net, &phone, message_id, kind).await
    }

    /// The owner unlinks one device, or all of them. Returns how many it were.
    pub async fn unlink(&self, book: &str, phone: &str, device: Option<u16>) -> Result<u32, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let mut linked = send::devices_of(&phone);
        if let Some(device) = device {
            linked.retain(|linked| linked.id == device);
            if linked.is_empty() {
                return Err(SandboxError::DeviceNotFound);
            }
        }
        let mut removed = 0;
        for device in &linked {
            removed += u32::from(devices::remove(&self.net, device));
        }
        self.net.journal.settled().await;
        Ok(removed)
    }

    pub async fn devices(&self, book: &str, phone: &str) -> Result<Vec<DeviceInfo>, SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let state = phone.state.lock();
        let devices = state.devices.iter().map(|(id, device)| DeviceInfo {
            device: *id,
            platform: device.platform.clone(),
            connected: device.connection.is_some(),
            name: state.name.clone(),
            queued: device.outbox.entries().len(),
        });
        Ok(devices.collect())
    }

    /// Trouble for the linked devices of a phone.
    pub async fn fault(&self, book: &str, phone: &str, fault: Fault) -> Result<(), SandboxError> {
        let phone = self.net.phone(book, phone)?;
        let strike = phone.state.lock().faults.apply(&fault, now_ms());
        match strike {
            Strike::LoseSessions => {
                let mut batch = self.net.journal.batch();
                let mut signal = phone.signal.lock().await;
                for peer in signal.forget_all() {
                    batch.delete("session", || phone.session_place(&peer));
                }
                batch.delete_all(|| phone.sender_keys_place());
                self.net.journal.append(batch);
                return Ok(());
            }
            Strike::ExpireMedia => {
                let held = load::settled(&phone, |chats| chats.held()).await;
                for attached in held.iter().filter_map(Attached::of) {
                    self.net.media.shelves.expire(book, attached.token, &self.net.journal);
                }
                return Ok(());
            }
            Strike::LoseMedia => {
                load::settled(&phone, |chats| {
                    let mut batch = self.net.journal.batch();
                    chats.lose_media(&phone, &mut batch);
                    self.net.journal.append(batch);
                })
                .await;
                return Ok(());
            }
            _ => {}
        }
        for device in phone.state.lock().devices.values() {
            let Some(conn) = &device.connection else {
                continue;
            };
            match strike {
                Strike::Nothing | Strike::LoseSessions | Strike::ExpireMedia | Strike::LoseMedia => {}
                Strike::Close => conn.close(),
                Strike::Stall => conn.stall(),
                Strike::Replace => conn.end(&login::replaced()),
                Strike::StreamError(code) => {
                    conn.end(&tag("stream:error").attr("code", code.to_string()).build());
                }
            }
        }
        Ok(())
    }

    /// Ends a book: its devices are unlinked, its phones are gone.
    pub async fn remove_book(&self, book: &str) -> Result<(), SandboxError> {
        check_book(book)?;
        let seq = self.net.remove_book(book);
        self.net.journal.committed(seq).await;
        Ok(())
    }
}

fn phone_info(account: &Account) -> PhoneInfo {
    let state = account.state.lock();
    PhoneInfo {
        phone: account.phone.clone(),
        name: state.name.clone(),
        lid: account.lid.clone(),
        devices: state.devices.len(),
        lookups: state.lookups,
    }
}

/// Book names are parts of URLs and of record keys.
pub(crate) fn check_book(book: &str) -> Result<(), SandboxError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if book.is_empty() || book.len() > limits::BOOK_BYTES || !book.chars().all(is_plain) {
        return Err(SandboxError::Invalid("a book name has 1 to 64 letters, digits, `-`, `_` or `.`".into()));
    }
    Ok(())
}

fn check_phone(phone: &str) -> Result<(), SandboxError> {
    let has_length = (7..=15).contains(&phone.len());
    if !has_length || phone.starts_with('0') || !phone.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SandboxError::Invalid(
            "a phone number has 7 to 15 digits and does not begin with 0".into(),
        ));
    }
    Ok(())
}
