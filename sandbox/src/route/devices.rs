//! An account's device list changes: who hears of it, and what a removed device hears.
//!
//! whatsapp-rust 0.7.0 learns of new companions only this way (wacore src/stanza/devices.rs); the
//! account's other devices hear of it, and those who asked for its list before, not everybody.

use std::sync::Arc;

use wacore_binary::Jid;
use wacore_binary::builder::NodeBuilder;

use crate::account::{Account, DeviceRef};
use crate::net::{Net, device_removed};
use crate::route::presence;
use crate::stanza::{now, tag};

pub(crate) fn announce_added(net: &Net, account: &Arc<Account>, device: u16, key_index: u32) {
    announce(net, account, "add", device, key_index);
}

/// Unlinks a device: it is told and disconnected, its queue and keys are gone.
pub(crate) fn remove(net: &Net, device: &DeviceRef) -> bool {
    let account = &device.account;
    let removed = presence::change(account, |state| {
        let removed = state.devices.remove(&device.id)?;
        net.forget_device(&removed.noise_key);
        let mut batch = net.journal.batch();
        batch.delete_all(|| account.device_place(device.id));
        net.journal.append(batch);
        Some(removed)
    });
    let Some(removed) = removed else {
        return false;
    };
    if let Some(conn) = removed.connection {
        conn.end(&device_removed());
    }
    announce(net, account, "remove", device.id, removed.key_index);
    true
}

fn announce(net: &Net, account: &Arc<Account>, change: &'static str, device: u16, key_index: u32) {
    let (indexes, watchers) = {
        let state = account.state.lock();
        let indexes: Vec<u32> = state.devices.values().map(|device| device.key_index).collect();
        (indexes, state.watchers.clone())
    };
    let list = tag("key-index-list").attr("ts", now()).bytes(account.keys().key_index_list(&indexes)).build();
    let (number, lid) = (Jid::pn(account.phone.as_str()), Jid::lid(account.lid.as_str()));
    let device_number = Jid::pn_device(account.phone.as_str(), device);
    let device_lid = Jid::lid_device(account.lid.as_str(), device);
    let notification = |from: &Jid, subject: NodeBuilder| {
        let subject = subject.attr("key-index", key_index).build();
        tag("notification")
            .attr("from", from.clone())
            .attr("type", "devices")
            .attr("id", net.stanza_id())
            .attr("t", now())
            .children([tag(change).children([subject, list.clone()]).build()])
    };
    let subject = tag("device").attr("jid", device_number).attr("lid", device_lid.clone());
    let known = notification(&number, subject).attr("lid", lid.clone()).build();
    // Those from whom the account hides its number know it by the LID alone.
    let hidden = notification(&lid, tag("device").attr("jid", device_lid)).build();
    net.push_to_all(account, Some(device), &known, net.journal.batch());
    for watcher in watchers.iter().filter_map(|key| net.device_by_key(key)) {
        let notification = if account.hides_from(&watcher.account) { &hidden } else { &known };
        // A device with a full queue asks again when it connects.
        let _ = net.push(&watcher.account, watcher.id, notification, net.journal.batch());
    }
}
