//! What a phone sends a new device: the app-state key, then its history.
//!
//! Without the key whatsapp-rust waits ten seconds before it is connected, without history Baileys
//! holds its events for twenty (research/sandbox-protocol.md, section 2). History travels inline,
//! so no media host is needed.

use std::io::Write as _;
use std::sync::Arc;

use buffa::{Message as _, MessageField};
use tracing::debug;
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::history_sync::HistorySyncType;
use waproto::whatsapp::message::{
    AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint, AppStateSyncKeyId,
    AppStateSyncKeyShare, HistorySyncNotification, HistorySyncType as NotificationType, ProtocolMessage,
    protocol_message,
};

use super::keys::SYNC_KEY_ID;
use super::send;
use super::signal::Signal;
use crate::account::{Account, DeviceRef};
use crate::net::Net;
use crate::stanza::{now, tag};

/// The ids of these messages begin so, and say which one to make again when it is asked for.
const ID_PREFIX: &str = "WELCOME";

#[derive(Clone, Copy)]
pub(super) enum Part {
    AppStateKey,
    FirstHistory,
    RecentHistory,
}

const PARTS: [Part; 3] = [Part::AppStateKey, Part::FirstHistory, Part::RecentHistory];

/// Greets a device once, when it has keys to be greeted with.
pub(crate) async fn greet(net: &Arc<Net>, device: &DeviceRef) {
    let account = &device.account;
    {
        let mut state = account.state.lock();
        match state.devices.get_mut(&device.id) {
            Some(entry) if !entry.is_welcomed => entry.is_welcomed = true,
            _ => return,
        }
    }
    let mut signal = account.signal.lock().await;
    for (number, part) in PARTS.into_iter().enumerate() {
        let id = format!("{ID_PREFIX}{number}{}", hex::encode_upper(rand::random::<[u8; 8]>()));
        send(net, device, &mut signal, part, &id).await;
    }
    let state = account.state.lock();
    if let Some(entry) = state.devices.get(&device.id) {
        let mut batch = net.journal.batch();
        account.save_device(device.id, entry, &mut batch);
        net.journal.append(batch);
    }
}

pub(super) fn part_of(id: &str) -> Option<Part> {
    let number = id.strip_prefix(ID_PREFIX)?.get(..1)?;
    PARTS.get(number.parse::<usize>().ok()?).copied()
}

pub(super) async fn send(net: &Net, device: &DeviceRef, signal: &mut Signal, part: Part, id: &str) {
    let account = &device.account;
    let message = wa::Message {
        protocol_message: MessageField::some(match part {
            Part::AppStateKey => key_share(account),
            Part::FirstHistory => {
                history(account, HistorySyncType::INITIAL_BOOTSTRAP, NotificationType::INITIAL_BOOTSTRAP)
            }
            Part::RecentHistory => history(account, HistorySyncType::RECENT, NotificationType::RECENT),
        }),
        ..Default::default()
    };
    let Some((enc, batch)) = send::seal(net, account, signal, device, &message.encode_to_vec(), None).await
    else {
        return;
    };
    let stanza = tag("message")
        .attr("from", Jid::pn(account.phone.as_str()))
        .attr("id", id)
        .attr("type", "text")
        .attr("category", "peer")
        .attr("t", now())
        .children([enc])
        .build();
    if net.push(account, device.id, &stanza, batch).is_err() {
        debug!("A new device has a full queue already");
    }
}

fn key_share(account: &Account) -> ProtocolMessage {
    let keys = account.keys();
    let fingerprint = AppStateSyncKeyFingerprint {
        raw_id: Some(keys.raw_id()),
        current_index: Some(1),
        device_indexes: vec![0, 1],
    };
    let data = AppStateSyncKeyData {
        key_data: Some(keys.sync_key.to_vec()),
        fingerprint: MessageField::some(fingerprint),
        timestamp: Some(millis()),
    };
    let key = AppStateSyncKey {
        key_id: MessageField::some(AppStateSyncKeyId { key_id: Some(SYNC_KEY_ID.to_vec()) }),
        key_data: MessageField::some(data),
    };
    ProtocolMessage {
        r#type: Some(protocol_message::Type::AppStateSyncKeyShare),
        app_state_sync_key_share: MessageField::some(AppStateSyncKeyShare { keys: vec![key] }),
        ..Default::default()
    }
}

/// A phone of the sandbox remembers nothing from before: a history with its owner's name only.
fn history(account: &Account, kind: HistorySyncType, announced: NotificationType) -> ProtocolMessage {
    let own_name = wa::Pushname {
        id: Some(format!("{}@s.whatsapp.net", account.phone)),
        pushname: Some(account.state.lock().name.clone()),
    };
    let history = wa::HistorySync {
        sync_type: kind,
        chunk_order: Some(1),
        progress: Some(100),
        pushnames: vec![own_name],
        ..Default::default()
    };
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&history.encode_to_vec()).expect("a vector takes all that is written");
    let packed = packed.finish().expect("a vector takes all that is written");
    ProtocolMessage {
        r#type: Some(protocol_message::Type::HistorySyncNotification),
        history_sync_notification: MessageField::some(HistorySyncNotification {
            sync_type: Some(announced),
            chunk_order: Some(1),
            progress: Some(100),
            file_length: Some(packed.len() as u64),
            initial_hist_bootstrap_inline_payload: Some(packed),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn millis() -> i64 {
    i64::try_from(now() * 1000).unwrap_or(i64::MAX)
}
