//! The network as its records tell it: what every kind of record means when it is read back.
//!
//! Keys are paths: `book/phone/` is an account, and everything an account has lies under it, so
//! that a book, a phone or a device leaves with one range of keys. Records of a parent that is gone
//! are ignored.

use std::sync::Arc;

use bytes::Bytes;

use crate::account::{Account, AccountRecord, Device, DeviceRecord, DeviceRef};
use crate::control::ControlToken;
use crate::error::SandboxError;
use crate::group::{self, Group};
use crate::journal::{Journal, Record};
use crate::keys::ServerKeys;
use crate::media::{Media, SHELF, Shelves};
use crate::net::Net;
use crate::person::{PICTURE, PROFILE};
use crate::phone::chats::{Early, Shown, Unseen};
use crate::phone::keys::OneTime;
use crate::stanza;

const NETWORK_KEYS: &str = "network keys";
pub(crate) const AUTHORITY: &str = "media authority";
pub(crate) const CONTROL_TOKEN: &str = "control token";
const ENTRY_BYTES: usize = 36;

/// The order matters: an account before its devices, a device before its queue.
const ORDER: [&str; 17] = [
    "account",
    group::RECORD,
    "device",
    "prekeys",
    "outbox",
    "session",
    "sender key",
    "audience",
    "message",
    "unseen",
    "early",
    "redelivered",
    "patch",
    "watcher",
    "blob",
    PROFILE,
    PICTURE,
];

pub(crate) fn network(
    journal: Journal,
    shelves: Shelves,
    mut records: Vec<Record>,
) -> Result<Net, SandboxError> {
    let keys = match records.iter().find(|record| record.kind == NETWORK_KEYS) {
        Some(record) => ServerKeys::from_bytes(&record.value)?,
        None => {
            let keys = ServerKeys::generate();
            let mut batch = journal.batch();
            batch.put(NETWORK_KEYS, || "~keys".to_owned(), || keys.to_bytes());
            journal.append(batch);
            keys
        }
    };
    let media = Media::new(shelves, &keys);
    let net = Net::new(keys, journal, media);
    if let Some(record) = records.iter().find(|record| record.kind == AUTHORITY) {
        *net.authority.lock() = serde_json::from_slice(&record.value).ok();
    }
    if let Some(record) = records.iter().find(|record| record.kind == CONTROL_TOKEN) {
        let token = std::str::from_utf8(&record.value).ok();
        *net.control_token.lock() = token.and_then(|token| ControlToken::parse(token).ok());
    }
    let rank = |record: &Record| ORDER.iter().position(|kind| *kind == record.kind);
    records.retain(|record| rank(record).is_some());
    // Within a kind, keys are zero-padded: their order is the order of what they number.
    records.sort_by(|a, b| (rank(a), &a.key).cmp(&(rank(b), &b.key)));
    for record in records {
        let kind = record.kind.clone();
        if one(&net, record).is_none() {
            tracing::warn!(kind, "Skipped a record of the sandbox that leads nowhere");
        }
    }
    net.media.shelves.sweep();
    Ok(net)
}

fn one(net: &Net, Record { kind, key, value }: Record) -> Option<()> {
    let mut path = key.split('/');
    let (book, phone) = (path.next()?, path.next()?);
    if kind == "account" {
        let record: AccountRecord = serde_json::from_slice(&value).ok()?;
        net.restore(Account::new(book, phone, record));
        return Some(());
    }
    if kind == "blob" {
        return net.media.shelves.restore(book, path.next()?, &value).filter(|()| phone == SHELF);
    }
    if kind == group::RECORD {
        let state: group::State = serde_json::from_slice(&value).ok()?;
        net.restore_group(Group::new(book, path.next()?, state));
        return Some(());
    }
    let account = net.account(book, phone)?;
    // The letter after the phone says what lies there; the kind said it already.
    let mut rest = path.skip(1);
    match kind.as_str() {
        "device" => device(net, &account, rest.next()?.parse().ok()?, &value),
        "prekeys" => {
            let id: u16 = rest.next()?.parse().ok()?;
            let number = rest.nth(1)?.parse().ok()?;
            account.state.lock().devices.get_mut(&id)?.restore_one_time(number, &one_time(&value));
            Some(())
        }
        "outbox" => {
            let id: u16 = rest.next()?.parse().ok()?;
            let place = u64::from_str_radix(rest.nth(1)?, 16).ok()?;
            let node = stanza::decode(&value)?;
            account.state.lock().devices.get_mut(&id)?.outbox.restore(place, &node, Bytes::from(value))
        }
        "session" => {
            // An empty record is a session that was lost on purpose.
            if !value.is_empty() {
                account.signal.try_lock().ok()?.restore(rest.next()?, &value).ok()?;
            }
            Some(())
        }
        "sender key" => {
            let (group, peer) = (rest.next()?, rest.next()?);
            account.signal.try_lock().ok()?.groups.restore(group, peer, &value).ok()
        }
        "audience" => {
            let audience = serde_json::from_slice(&value).ok()?;
            account.signal.try_lock().ok()?.groups.restore_audience(rest.next()?, audience);
            Some(())
        }
        "message" => {
            let place = u64::from_str_radix(rest.next()?, 16).ok()?;
            let shown: Shown = serde_json::from_slice(&value).ok()?;
            account.chats.lock().restore(place, shown);
            Some(())
        }
        "unseen" => {
            let place = u64::from_str_radix(rest.next()?, 16).ok()?;
            let unseen: Unseen = serde_json::from_slice(&value).ok()?;
            account.chats.lock().restore_unseen(place, unseen);
            Some(())
        }
        "early" => {
            let place = u64::from_str_radix(rest.next()?, 16).ok()?;
            let early: Early = serde_json::from_slice(&value).ok()?;
            account.chats.lock().restore_early(place, early);
            Some(())
        }
        "redelivered" => {
            account.chats.lock().restore_redelivered(u64::from_be_bytes(value.try_into().ok()?));
            Some(())
        }
        "patch" => {
            let collection = rest.next()?.to_owned();
            account.state.lock().collections.entry(collection).or_default().push(Bytes::from(value));
            Some(())
        }
        "watcher" => {
            let noise_key = hex::decode(rest.next()?).ok()?.try_into().ok()?;
            account.state.lock().watchers.insert(noise_key);
            Some(())
        }
        PROFILE => account.restore_profile(&value),
        PICTURE => account.restore_picture(value),
        _ => None,
    }
}

fn device(net: &Net, account: &Arc<Account>, id: u16, value: &[u8]) -> Option<()> {
    let record: DeviceRecord = serde_json::from_slice(value).ok()?;
    let noise_key = record.noise_key;
    net.index_device(noise_key, DeviceRef { account: Arc::clone(account), id, noise_key });
    account.state.lock().devices.insert(id, Device::new(record));
    Some(())
}

fn one_time(value: &[u8]) -> Vec<OneTime> {
    value
        .chunks_exact(ENTRY_BYTES)
        .filter_map(|entry| Some((stanza::number(&entry[..4]), stanza::key(&entry[4..])?)))
        .collect()
}
