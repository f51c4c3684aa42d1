//! A name, an about text or a picture changes: who keeps it, and who hears of it.
//!
//! Those hear of it who know the account (they asked for its devices, and see its number) and its own other
//! devices. Shapes:
//! whatsapp-rust 0.7.0, src/handlers/notification/profile.rs.

use wacore_binary::{Jid, Node};

use crate::account::Account;
use crate::limits;
use crate::net::Net;
use crate::picture::Picture;
use crate::stanza::{leaf, now, tag};

/// The name that others see beside what this account writes. One that is too long is cut.
pub(crate) fn rename(net: &Net, account: &Account, name: &str) {
    let mut end = name.len().min(limits::NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = &name[..end];
    let mut state = account.state.lock();
    if name.is_empty() || state.name == name {
        return;
    }
    name.clone_into(&mut state.name);
    let mut batch = net.journal.batch();
    account.save(&state, &mut batch);
    net.journal.append(batch);
}

pub(crate) fn set_about(net: &Net, account: &Account, about: &str, by: Option<u16>) {
    let name = {
        let mut state = account.state.lock();
        about.clone_into(&mut state.person.profile.about);
        state.person.profile.about_at = now();
        let mut batch = net.journal.batch();
        account.save_profile(&state, &mut batch);
        net.journal.append(batch);
        state.name.clone()
    };
    let change = leaf("set", about.as_bytes());
    let notification = notification(net, account, "status").attr("notify", name).children([change]);
    tell(net, account, by, &notification.build());
}

/// `None` removes it.
pub(crate) fn set_picture(net: &Net, account: &Account, picture: Option<Picture>, by: Option<u16>) {
    let own = Jid::pn(account.phone.as_str());
    let change = match &picture {
        Some(picture) => {
            tag("set").attr("jid", own.clone()).attr("id", picture.id.to_string()).attr("author", own)
        }
        None => tag("delete").attr("jid", own.clone()).attr("author", own),
    };
    {
        let mut state = account.state.lock();
        state.person.picture = picture;
        let mut batch = net.journal.batch();
        account.save_picture(&state, &mut batch);
        net.journal.append(batch);
    }
    let notification = notification(net, account, "picture").children([change.build()]);
    tell(net, account, by, &notification.build());
}

/// The id of the next picture: seconds since 1970, as WhatsApp numbers them, and never the same twice.
pub(crate) fn next_picture_id(account: &Account) -> u64 {
    let last = account.state.lock().person.picture.as_ref().map_or(0, |picture| picture.id);
    now().max(last + 1)
}

fn notification(net: &Net, account: &Account, kind: &'static str) -> wacore_binary::builder::NodeBuilder {
    tag("notification")
        .attr("from", Jid::pn(account.phone.as_str()))
        .attr("type", kind)
        .attr("id", net.stanza_id())
        .attr("t", now())
}

fn tell(net: &Net, account: &Account, but: Option<u16>, notification: &Node) {
    net.push_to_all(account, but, notification, net.journal.batch());
    let watchers = account.state.lock().watchers.clone();
    let watchers = watchers.iter().filter_map(|key| net.device_by_key(key));
    // The notification names the number: who does not know it is not told.
    for watcher in watchers.filter(|watcher| !account.hides_from(&watcher.account)) {
        // A device with a full queue asks again when it wants to know.
        let _ = net.push(&watcher.account, watcher.id, notification, net.journal.batch());
    }
}
