//! Who is online, and who is told.
//!
//! An account is online while its phone is, or a device of it that said so. Who subscribed is told at
//! once and at every change, for as long as their connection lasts; only while they are online
//! themselves, as whatsmeow observed of WhatsApp (presence.go, `SubscribePresence`). Shapes:
//! whatsapp-rust 0.7.0, src/handlers/presence.rs. Everybody's privacy setting is "all".

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize};
use wacore_binary::{Jid, Node};

use super::profile;
use crate::account::{Account, DeviceRef, State};
use crate::conn::Conn;
use crate::limits;
use crate::net::Net;
use crate::stanza::{Read as _, now, tag};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    Available,
    Unavailable,
}

/// An account's presence and its audience.
#[derive(Default)]
pub(crate) struct Presence {
    pub is_phone_online: bool,
    /// When it was last online, in seconds since 1970.
    pub last_seen: Option<u64>,
    watchers: Vec<Watcher>,
}

/// A connection that asked to be told.
struct Watcher {
    conn: Weak<Conn>,
    /// The number behind it.
    phone: String,
    /// How it names this account.
    like: Jid,
}

/// A device's `<presence>`: about itself, or a wish to be told of somebody.
pub(crate) fn handle(net: &Net, conn: &Arc<Conn>, from: &DeviceRef, presence: &Node) {
    match presence.text("type").as_deref() {
        Some("subscribe") => subscribe(net, conn, from, presence),
        Some("unsubscribe") => unsubscribe(net, conn, from, presence),
        Some("unavailable") => {
            change(&from.account, |_| conn.is_available.store(false, Ordering::Relaxed));
        }
        kind => {
            if let Some(name) = presence.text("name") {
                profile::rename(net, &from.account, &name);
            }
            if kind == Some("available") {
                change(&from.account, |_| conn.is_available.store(true, Ordering::Relaxed));
            }
        }
    }
}

/// Changes what an account's presence follows from, and tells its audience if it changed.
pub(crate) fn change<T>(account: &Account, by: impl FnOnce(&mut State) -> T) -> T {
    let (result, told) = {
        let mut state = account.state.lock();
        let before = is_online(&state);
        let result = by(&mut state);
        let after = is_online(&state);
        if before && !after {
            state.person.presence.last_seen = Some(now());
        }
        (result, if before == after { Vec::new() } else { audience(&mut state, account) })
    };
    for (conn, node) in told {
        conn.send(&node);
    }
    result
}

pub(crate) fn is_online(state: &State) -> bool {
    let mut devices = state.devices.values();
    state.person.presence.is_phone_online
        || devices.any(|device| device.connection.as_ref().is_some_and(|conn| conn.shows_itself()))
}

fn subscribe(net: &Net, conn: &Arc<Conn>, from: &DeviceRef, presence: &Node) {
    let Some(like) = presence.jid("to") else { return };
    let Some(watched) = net.resolve(&from.account.book, &like) else { return };
    let answer = {
        let mut state = watched.state.lock();
        let watchers = &mut state.person.presence.watchers;
        watchers.retain(|watcher| watcher.conn.strong_count() > 0);
        let is_new = !watchers.iter().any(|watcher| watcher.is(conn, &like));
        if is_new && watchers.len() < limits::PRESENCE_WATCHERS {
            watchers.push(Watcher {
                conn: Arc::downgrade(conn),
                phone: from.account.phone.clone(),
                like: like.to_non_ad(),
            });
        }
        let is_blocked = state.person.profile.blocked.contains_key(&from.account.phone);
        (!is_blocked).then(|| stanza(&state, &watched, &like))
    };
    if let Some(answer) = answer {
        conn.send(&answer);
    }
}

fn unsubscribe(net: &Net, conn: &Arc<Conn>, from: &DeviceRef, presence: &Node) {
    let Some(like) = presence.jid("to") else { return };
    if let Some(watched) = net.resolve(&from.account.book, &like) {
        watched.state.lock().person.presence.watchers.retain(|watcher| !watcher.is(conn, &like));
    }
}

impl Watcher {
    fn is(&self, conn: &Arc<Conn>, like: &Jid) -> bool {
        std::ptr::eq(self.conn.as_ptr(), Arc::as_ptr(conn)) && self.like.is_lid() == like.is_lid()
    }
}

/// Everybody who is told of an account now, with what each hears.
fn audience(state: &mut State, account: &Account) -> Vec<(Arc<Conn>, Node)> {
    state.person.presence.watchers.retain(|watcher| watcher.conn.strong_count() > 0);
    let blocked = &state.person.profile.blocked;
    let watchers = state.person.presence.watchers.iter();
    watchers
        .filter(|watcher| !blocked.contains_key(&watcher.phone))
        .filter_map(|watcher| Some((watcher.conn.upgrade()?, &watcher.like)))
        .filter(|(conn, _)| conn.shows_itself())
        .map(|(conn, like)| (conn, stanza(state, account, like)))
        .collect()
}

fn stanza(state: &State, account: &Account, like: &Jid) -> Node {
    let presence = tag("presence").attr("from", account.jid_like(like, 0));
    if is_online(state) {
        return presence.build();
    }
    let presence = presence.attr("type", "unavailable");
    match state.person.presence.last_seen {
        Some(at) => presence.attr("last", at.to_string()).build(),
        None => presence.build(),
    }
}
