//! The network: its books, who is in them, and the one way a stanza reaches a device.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use sha2::{Digest as _, Sha256};
use wacore_binary::{Jid, Node};

use crate::account::{Account, AccountRecord, DeviceRef, NoiseKey};
use crate::conn::Conn;
use crate::control::ControlToken;
use crate::error::SandboxError;
use crate::group::rules::No;
use crate::group::{self, Group};
use crate::journal::{Batch, Journal, Seq};
use crate::keys::ServerKeys;
use crate::limits;
use crate::media::Media;
use crate::media::tls::Authority;
use crate::outbox::Class;
use crate::spelling;
use crate::stanza::{self, server, tag};

pub(crate) struct Net {
    pub keys: ServerKeys,
    pub journal: Journal,
    pub media: Media,
    /// Who vouches for the media host, once somebody asked.
    pub authority: Mutex<Option<Authority>>,
    /// What control calls carry, once somebody asked.
    pub control_token: Mutex<Option<ControlToken>>,
    books: RwLock<HashMap<String, Arc<Book>>>,
    devices: RwLock<HashMap<NoiseKey, DeviceRef>>,
    /// QR refs on show, by text.
    pub refs: Mutex<HashMap<String, Arc<Conn>>>,
    stanzas: AtomicU64,
}

/// A namespace of phones: nothing passes from one book to another.
#[derive(Default)]
pub(crate) struct Book {
    index: RwLock<Index>,
    /// By the digits of their ids. Never held while a group's state is waited for.
    groups: RwLock<HashMap<String, Arc<Group>>>,
}

#[derive(Default)]
struct Index {
    by_phone: HashMap<String, Arc<Account>>,
    /// By numbers that are not theirs and that a look-up finds them under.
    by_other: HashMap<String, Arc<Account>>,
    by_lid: HashMap<String, Arc<Account>>,
}

/// The device has as much waiting as it may have.
#[derive(Debug)]
pub(crate) struct QueueFull;

impl Net {
    pub(crate) fn new(keys: ServerKeys, journal: Journal, media: Media) -> Self {
        Self {
            keys,
            journal,
            media,
            authority: Mutex::default(),
            control_token: Mutex::default(),
            books: RwLock::default(),
            devices: RwLock::default(),
            refs: Mutex::default(),
            stanzas: AtomicU64::new(1),
        }
    }

    /// An id for a stanza of the network itself. Clients acknowledge by it, also after a restart,
    /// so a part of it is drawn.
    pub(crate) fn stanza_id(&self) -> String {
        let number = self.stanzas.fetch_add(1, Ordering::Relaxed);
        format!("{:08x}-{number}", rand::random::<u32>())
    }

    // Who is who

    pub(crate) fn book(&self, name: &str) -> Option<Arc<Book>> {
        self.books.read().get(name).cloned()
    }

    pub(crate) fn everybody(&self) -> Vec<Arc<Account>> {
        let books: Vec<Arc<Book>> = self.books.read().values().cloned().collect();
        books.iter().flat_map(|book| book.accounts()).collect()
    }

    pub(crate) fn account(&self, book: &str, phone: &str) -> Option<Arc<Account>> {
        self.book(book)?.account(phone)
    }

    pub(crate) fn phone(&self, book: &str, phone: &str) -> Result<Arc<Account>, SandboxError> {
        self.account(book, phone).ok_or(SandboxError::PhoneNotFound)
    }

    /// Whom an address means to a member of `book`.
    pub(crate) fn resolve(&self, book: &str, jid: &Jid) -> Option<Arc<Account>> {
        let book = self.book(book)?;
        let index = book.index.read();
        let accounts = if jid.is_lid() { &index.by_lid } else { &index.by_phone };
        accounts.get(jid.user_base()).cloned()
    }

    /// Whom a look-up of a number finds: it may be known under another spelling of it.
    pub(crate) fn look_up(&self, book: &str, number: &str) -> Option<Arc<Account>> {
        let book = self.book(book)?;
        let index = book.index.read();
        let found = index.by_phone.get(number).or_else(|| index.by_other.get(number)).cloned();
        found.or_else(|| spelling::others(number).iter().find_map(|other| index.by_phone.get(other)).cloned())
    }

    pub(crate) fn device_by_key(&self, key: &NoiseKey) -> Option<DeviceRef> {
        self.devices.read().get(key).cloned()
    }

    pub(crate) fn index_device(&self, key: NoiseKey, device: DeviceRef) {
        self.devices.write().insert(key, device);
    }

    pub(crate) fn forget_device(&self, key: &NoiseKey) {
        self.devices.write().remove(key);
    }

    /// The phone, made if it is new, renamed if it is not. `known_as` are numbers under which it is found
    /// as well.
    pub(crate) fn create(
        &self,
        book: &str,
        phone: &str,
        name: &str,
        known_as: &[String],
    ) -> Result<(Arc<Account>, Seq), SandboxError> {
        let in_book = Arc::clone(self.books.write().entry(book.to_owned()).or_default());
        let mut batch = self.journal.batch();
        let mut index = in_book.index.write();
        if let Some(account) = index.by_phone.get(phone).cloned() {
            let mut state = account.state.lock();
            name.clone_into(&mut state.name);
            if !known_as.is_empty() {
                known_as.clone_into(&mut state.known_as);
            }
            account.save(&state, &mut batch);
            let seq = self.journal.append(batch);
            drop(state);
            index.insert(&account);
            return Ok((account, seq));
        }
        if index.by_phone.len() >= limits::PHONES_PER_BOOK {
            return Err(SandboxError::LimitReached("the phones of this book".into()));
        }
        let record = AccountRecord {
            seed: rand::random(),
            lid: self.lid(book, phone),
            name: name.to_owned(),
            known_as: known_as.to_vec(),
            next_device: 1,
        };
        let account = Arc::new(Account::new(book, phone, record));
        let state = account.state.lock();
        account.save(&state, &mut batch);
        let seq = self.journal.append(batch);
        drop(state);
        index.insert(&account);
        Ok((account, seq))
    }

    pub(crate) fn restore(&self, account: Account) -> Arc<Account> {
        let book = Arc::clone(self.books.write().entry(account.book.clone()).or_default());
        let account = Arc::new(account);
        book.index.write().insert(&account);
        account
    }

    // Groups

    /// The group, if its address is one of this book.
    pub(crate) fn group(&self, book: &str, jid: &Jid) -> Option<Arc<Group>> {
        self.book(book)?.groups.read().get(jid.user_base()).cloned()
    }

    pub(crate) fn groups(&self, book: &str) -> Vec<Arc<Group>> {
        self.book(book).map(|book| book.groups.read().values().cloned().collect()).unwrap_or_default()
    }

    /// Gives a new group an id.
    pub(crate) fn add_group(&self, book: &str, state: group::State) -> Result<Arc<Group>, No> {
        let in_book = self.book(book).ok_or(No::Outsider)?;
        let mut groups = in_book.groups.write();
        if groups.len() >= limits::GROUPS_PER_BOOK {
            return Err(No::TooMany);
        }
        let id = loop {
            let id = format!("120363{:012}", rand::random_range(0..1_000_000_000_000_u64));
            if !groups.contains_key(&id) {
                break id;
            }
        };
        let group = Arc::new(Group::new(book, &id, state));
        groups.insert(id, Arc::clone(&group));
        Ok(group)
    }

    pub(crate) fn restore_group(&self, group: Group) {
        let book = Arc::clone(self.books.write().entry(group.book.clone()).or_default());
        book.groups.write().insert(group.id.clone(), Arc::new(group));
    }

    pub(crate) fn forget_group(&self, group: &Group) {
        if let Some(book) = self.book(&group.book) {
            book.groups.write().remove(&group.id);
        }
    }

    /// Fifteen digits that belong to this phone of this book of this network.
    fn lid(&self, book: &str, phone: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.keys.root_key())
            .chain_update(book)
            .chain_update([0])
            .chain_update(phone)
            .finalize();
        let number = digest[..8].iter().fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte));
        format!("{}", 100_000_000_000_000 + number % 900_000_000_000_000)
    }

    pub(crate) fn remove_book(&self, name: &str) -> Seq {
        let Some(book) = self.books.write().remove(name) else {
            return 0;
        };
        for account in book.accounts() {
            let mut state = account.state.lock();
            state.code = None;
            for (_, device) in std::mem::take(&mut state.devices) {
                self.forget_device(&device.noise_key);
                if let Some(conn) = device.connection {
                    conn.end(&device_removed());
                }
            }
        }
        self.media.shelves.remove_book(name);
        let mut batch = self.journal.batch();
        batch.delete_all(|| format!("{name}/"));
        self.journal.append(batch)
    }

    // Delivery

    /// Puts a stanza in a device's queue, together with the records it depends on, and on the wire
    /// if the device is listening.
    pub(crate) fn push(
        &self,
        to: &Account,
        device: u16,
        node: &Node,
        batch: Batch,
    ) -> Result<Seq, QueueFull> {
        self.push_encoded(to, device, node, stanza::encode(node), batch)
    }

    fn push_encoded(
        &self,
        to: &Account,
        id: u16,
        node: &Node,
        body: bytes::Bytes,
        mut batch: Batch,
    ) -> Result<Seq, QueueFull> {
        let mut state = to.state.lock();
        let state = &mut *state;
        let Some(device) = state.devices.get_mut(&id) else {
            // Unlinked in the meantime: the records stand, the stanza has nobody to go to.
            return Ok(self.journal.append(batch));
        };
        if device.outbox.is_full() {
            self.journal.append(batch);
            return Err(QueueFull);
        }
        let Some(place) = device.outbox.push(node, body.clone()) else {
            return Ok(self.journal.append(batch));
        };
        batch.put("outbox", || format!("{}o/{place:016x}", to.device_place(id)), || body.to_vec());
        let seq = self.journal.append(batch);
        if let Some(conn) = &device.connection
            && conn.is_ready.load(Ordering::Relaxed)
        {
            if node.tag == "message" && state.faults.duplicates_delivery() {
                conn.send_after(seq, body.clone());
            }
            conn.send_after(seq, body);
        }
        Ok(seq)
    }

    /// The same stanza for every device of an account but one. A full queue loses it: only
    /// receipts and notifications go this way.
    pub(crate) fn push_to_all(&self, to: &Account, but: Option<u16>, node: &Node, batch: Batch) -> Seq {
        let devices: Vec<u16> = to.state.lock().devices.keys().copied().collect();
        let body = stanza::encode(node);
        let mut seq = self.journal.append(batch);
        for device in devices.into_iter().filter(|device| Some(*device) != but) {
            if let Ok(pushed) = self.push_encoded(to, device, node, body.clone(), self.journal.batch()) {
                seq = pushed;
            }
        }
        seq
    }

    pub(crate) fn acknowledge(&self, device: &DeviceRef, class: Class, id: &str) {
        let mut state = device.account.state.lock();
        if let Some(entry) = state.devices.get_mut(&device.id)
            && let Some(place) = entry.outbox.acknowledge(class, id)
        {
            let mut batch = self.journal.batch();
            batch.delete("outbox", || format!("{}o/{place:016x}", device.account.device_place(device.id)));
            self.journal.append(batch);
        }
    }

    /// Everything that waited while the device was away, between `<offline_preview>` and
    /// `<offline>`; from here on its stanzas go straight to the wire.
    pub(crate) fn flush(&self, conn: &Conn, to: &DeviceRef) {
        let state = to.account.state.lock();
        let Some(device) = state.devices.get(&to.id) else {
            return;
        };
        let waiting = device.outbox.entries().len() as u64;
        let ib = |child: Node| tag("ib").attr("from", server()).children([child]).build();
        if waiting > 0 {
            let preview = tag("offline_preview")
                .attr("count", waiting)
                .attr("appdata", "0")
                .attr("message", device.outbox.count(Class::Message))
                .attr("notification", device.outbox.count(Class::Notification))
                .attr("receipt", device.outbox.count(Class::Receipt))
                .attr("call", device.outbox.count(Class::Call));
            conn.send(&ib(preview.build()));
        }
        // Nothing that waits may be written before its record is.
        let seq = self.journal.append(self.journal.batch());
        for (index, entry) in device.outbox.entries().enumerate() {
            let Some(mut node) = stanza::decode(&entry.body) else {
                continue;
            };
            node.attrs.insert("offline", index as u64);
            conn.send_after(seq, stanza::encode(&node));
        }
        conn.send(&ib(tag("offline").attr("count", waiting).build()));
        conn.is_ready.store(true, Ordering::Relaxed);
    }
}

impl Book {
    pub(crate) fn account(&self, phone: &str) -> Option<Arc<Account>> {
        self.index.read().by_phone.get(phone).cloned()
    }

    pub(crate) fn accounts(&self) -> Vec<Arc<Account>> {
        self.index.read().by_phone.values().cloned().collect()
    }
}

impl Index {
    fn insert(&mut self, account: &Arc<Account>) {
        self.by_phone.insert(account.phone.clone(), Arc::clone(account));
        self.by_other.retain(|_, known| !Arc::ptr_eq(known, account));
        let others = account.state.lock().known_as.clone();
        self.by_other.extend(others.into_iter().map(|other| (other, Arc::clone(account))));
        self.by_lid.insert(account.lid.clone(), Arc::clone(account));
    }
}

/// What a device hears when it is unlinked (whatsapp-rust 0.7.0: `LoggedOut`).
pub(crate) fn device_removed() -> Node {
    tag("stream:error")
        .attr("code", "401")
        .children([tag("conflict").attr("type", "device_removed").build()])
        .build()
}
