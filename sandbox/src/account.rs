//! One account: a phone, its linked devices and what the network keeps for them.
//!
//! `state` is locked for moments and never across an await; `signal` is locked while the phone
//! encrypts or decrypts. Lock order: `signal`, then one account's `chats` or `state`, then the
//! journal. Nothing of two accounts is locked at once, so they can talk both ways without a deadlock.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use crate::code::PendingCode;
use crate::conn::Conn;
use crate::fault::Active;
use crate::journal::Batch;
use crate::limits;
use crate::outbox::Outbox;
use crate::person::Person;
use crate::phone::chats::Chats;
use crate::phone::keys::{Bundle, OneTime, PhoneKeys};
use crate::phone::load::Loads;
use crate::phone::signal::Signal;

pub(crate) type NoiseKey = [u8; 32];

pub(crate) struct Account {
    pub book: String,
    pub phone: String,
    pub lid: String,
    seed: [u8; 32],
    keys: OnceLock<PhoneKeys>,
    pub state: Mutex<State>,
    pub signal: tokio::sync::Mutex<Signal>,
    pub chats: Mutex<Chats>,
    pub loads: Loads,
}

pub(crate) struct State {
    pub name: String,
    /// Other numbers under which a look-up finds it.
    pub known_as: Vec<String>,
    pub lookups: Lookups,
    pub next_device: u16,
    pub devices: BTreeMap<u16, Device>,
    /// App-state patches by collection; the version is their number.
    pub collections: HashMap<String, Vec<Bytes>>,
    /// Devices that asked for this account's device list, by Noise key: they hear of changes.
    pub watchers: HashSet<NoiseKey>,
    pub code: Option<PendingCode>,
    pub faults: Active,
    /// The owner: profile, presence, whom they blocked.
    pub person: Person,
    /// How often this phone asked for a message again, by sender and id.
    pub retries: HashMap<String, u8>,
}

/// What a phone's devices asked about numbers since the sandbox began: whether they are on WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lookups {
    /// Those that were refused as well.
    pub questions: u64,
    /// The numbers in them.
    pub numbers: u64,
}

/// A companion device.
pub(crate) struct Device {
    pub key_index: u32,
    pub noise_key: NoiseKey,
    pub platform: String,
    /// The `<device-identity>` others get with this device's keys.
    pub signed_identity: Vec<u8>,
    pub bundle: Option<Bundle>,
    pub one_time: VecDeque<OneTime>,
    uploads: VecDeque<Upload>,
    taken: u32,
    pub is_welcomed: bool,
    pub outbox: Outbox,
    pub connection: Option<Arc<Conn>>,
}

/// One upload of one-time prekeys: journalled once, then only counted down.
struct Upload {
    number: u32,
    keys: u32,
}

/// A device by name: the account and the number.
#[derive(Clone)]
pub(crate) struct DeviceRef {
    pub account: Arc<Account>,
    pub id: u16,
    pub noise_key: NoiseKey,
}

impl DeviceRef {
    /// The address of this device in the namespace of `like`.
    pub(crate) fn jid_like(&self, like: &Jid) -> Jid {
        self.account.jid_like(like, self.id)
    }

    /// How the phones of the network name this device in their sessions.
    pub(crate) fn peer(&self) -> String {
        self.account.peer(self.id)
    }
}

impl Account {
    pub(crate) fn new(book: &str, phone: &str, record: AccountRecord) -> Self {
        Self {
            book: book.to_owned(),
            phone: phone.to_owned(),
            lid: record.lid,
            seed: record.seed,
            keys: OnceLock::new(),
            state: Mutex::new(State {
                name: record.name,
                known_as: record.known_as,
                lookups: Lookups::default(),
                next_device: record.next_device,
                devices: BTreeMap::new(),
                collections: HashMap::new(),
                watchers: HashSet::new(),
                code: None,
                faults: Active::default(),
                person: Person::default(),
                retries: HashMap::new(),
            }),
            signal: tokio::sync::Mutex::default(),
            chats: Mutex::default(),
            loads: Loads::default(),
        }
    }

    pub(crate) fn keys(&self) -> &PhoneKeys {
        self.keys.get_or_init(|| PhoneKeys::derive(self.seed))
    }

    pub(crate) fn jid_like(&self, like: &Jid, device: u16) -> Jid {
        if like.is_lid() {
            Jid::lid_device(self.lid.as_str(), device)
        } else {
            Jid::pn_device(self.phone.as_str(), device)
        }
    }

    /// How the phones of the network name a device of this account.
    pub(crate) fn peer(&self, device: u16) -> String {
        format!("{}:{device}", self.phone)
    }

    /// The key of this account's record, and the prefix of every other record it has.
    pub(crate) fn place(&self) -> String {
        format!("{}/{}/", self.book, self.phone)
    }

    pub(crate) fn device_place(&self, device: u16) -> String {
        format!("{}d/{device:05}/", self.place())
    }

    pub(crate) fn save(&self, state: &State, batch: &mut Batch) {
        batch.put(
            "account",
            || self.place(),
            || {
                json(&AccountRecord {
                    seed: self.seed,
                    lid: self.lid.clone(),
                    name: state.name.clone(),
                    known_as: state.known_as.clone(),
                    next_device: state.next_device,
                })
            },
        );
    }

    pub(crate) fn save_patch(&self, collection: &str, version: u64, patch: &[u8], batch: &mut Batch) {
        batch.put("patch", || format!("{}a/{collection}/{version:08}", self.place()), || patch.to_vec());
    }

    pub(crate) fn save_session(&self, signal: &Signal, peer: &str, batch: &mut Batch) {
        batch.put("session", || self.session_place(peer), || signal.record(peer));
    }

    pub(crate) fn session_place(&self, peer: &str) -> String {
        format!("{}s/{peer}", self.place())
    }

    pub(crate) fn save_sender_key(&self, signal: &Signal, group: &str, peer: &str, batch: &mut Batch) {
        batch.put(
            "sender key",
            || format!("{}{group}/{peer}", self.sender_keys_place()),
            || signal.groups.record(group, peer),
        );
    }

    pub(crate) fn save_audience(&self, signal: &Signal, group: &str, batch: &mut Batch) {
        batch.put(
            "audience",
            || format!("{}{group}", self.sender_keys_place()),
            || json(&signal.groups.audience(group)),
        );
    }

    pub(crate) fn sender_keys_place(&self) -> String {
        format!("{}g/", self.place())
    }

    pub(crate) fn save_device(&self, id: u16, device: &Device, batch: &mut Batch) {
        batch.put("device", || self.device_place(id), || json(&device.to_record()));
    }

    /// A device's keys for someone who begins a session, and one prekey nobody else gets.
    pub(crate) fn take_bundle(
        &self,
        state: &mut State,
        id: u16,
        batch: &mut Batch,
    ) -> Option<(Bundle, Option<OneTime>)> {
        let device = state.devices.get_mut(&id)?;
        let bundle = device.bundle.clone()?;
        let one_time =
            device.take_one_time(|number| format!("{}k/{number:010}", self.device_place(id)), batch);
        self.save_device(id, device, batch);
        Some((bundle, one_time))
    }

    pub(crate) fn add_one_time(&self, id: u16, device: &mut Device, keys: Vec<OneTime>, batch: &mut Batch) {
        let room = limits::PREKEYS_PER_DEVICE.saturating_sub(device.one_time.len());
        let keys = &keys[..keys.len().min(room)];
        if keys.is_empty() {
            return;
        }
        let number = device.uploads.back().map_or(0, |upload| upload.number + 1);
        batch.put(
            "prekeys",
            || format!("{}k/{number:010}", self.device_place(id)),
            || keys.iter().flat_map(|(id, key)| id.to_be_bytes().into_iter().chain(*key)).collect(),
        );
        device.restore_one_time(number, keys);
    }
}

impl Device {
    pub(crate) fn new(record: DeviceRecord) -> Self {
        Self {
            key_index: record.key_index,
            noise_key: record.noise_key,
            platform: record.platform,
            signed_identity: record.signed_identity,
            bundle: record.bundle,
            one_time: VecDeque::new(),
            uploads: VecDeque::new(),
            taken: record.taken,
            is_welcomed: record.is_welcomed,
            outbox: Outbox::default(),
            connection: None,
        }
    }

    fn to_record(&self) -> DeviceRecord {
        DeviceRecord {
            key_index: self.key_index,
            noise_key: self.noise_key,
            platform: self.platform.clone(),
            signed_identity: self.signed_identity.clone(),
            bundle: self.bundle.clone(),
            taken: self.taken,
            is_welcomed: self.is_welcomed,
        }
    }

    /// Prekeys leave in the order they came; only how many of the first upload left is counted.
    fn take_one_time(&mut self, place: impl Fn(u32) -> String, batch: &mut Batch) -> Option<OneTime> {
        let key = self.one_time.pop_front()?;
        self.taken += 1;
        if let Some(upload) = self.uploads.front()
            && upload.keys == self.taken
        {
            let number = upload.number;
            batch.delete("prekeys", || place(number));
            self.uploads.pop_front();
            self.taken = 0;
        }
        Some(key)
    }

    /// Adds an upload; what was taken from the first one before a restart stays taken.
    pub(crate) fn restore_one_time(&mut self, number: u32, keys: &[OneTime]) {
        let skip = if self.uploads.is_empty() { self.taken as usize } else { 0 };
        self.one_time.extend(keys.iter().skip(skip));
        self.uploads.push_back(Upload {
            number,
            keys: u32::try_from(keys.len()).expect("an upload is bounded by the frame"),
        });
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct AccountRecord {
    #[serde(with = "hex")]
    pub seed: [u8; 32],
    pub lid: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<String>,
    pub next_device: u16,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DeviceRecord {
    pub key_index: u32,
    #[serde(with = "hex")]
    pub noise_key: NoiseKey,
    pub platform: String,
    #[serde(with = "hex")]
    pub signed_identity: Vec<u8>,
    pub bundle: Option<Bundle>,
    pub taken: u32,
    pub is_welcomed: bool,
}

pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a record has only strings, numbers and lists")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal;

    fn device() -> Device {
        Device::new(DeviceRecord {
            key_index: 1,
            noise_key: [1; 32],
            platform: String::new(),
            signed_identity: Vec::new(),
            bundle: None,
            taken: 0,
            is_welcomed: false,
        })
    }

    #[test]
    fn a_prekey_taken_before_a_restart_is_not_given_again() {
        let mut batch = Journal::in_memory().batch();
        let keys: Vec<OneTime> = (0..3).map(|id| (id, [0; 32])).collect();
        let mut before = device();
        before.restore_one_time(0, &keys);
        assert_eq!(before.take_one_time(|_| String::new(), &mut batch).map(|key| key.0), Some(0));

        let mut after = Device::new(before.to_record());
        after.restore_one_time(0, &keys);
        after.restore_one_time(1, &[(9, [0; 32])]);
        let taken: Vec<u32> =
            std::iter::from_fn(|| after.take_one_time(|_| String::new(), &mut batch).map(|key| key.0))
                .collect();
        assert_eq!(taken, [1, 2, 9]);
    }
}
