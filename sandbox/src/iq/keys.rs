//! Prekeys: what devices upload, and what others get to begin a session with them.
//!
//! Shapes: wacore 0.7.0, src/iq/prekeys.rs. A bundle of a companion carries its signed
//! `<device-identity>`; a phone's needs none, its identity key is the account's.

use std::sync::Arc;

use wacore_binary::{Jid, Node};

use super::{Answer, BAD_REQUEST, NOT_FOUND};
use crate::account::DeviceRef;
use crate::keys::public;
use crate::net::Net;
use crate::phone::keys::{Bundle, OneTime};
use crate::stanza::{self, Read as _, leaf, now, number, tag, three_bytes};

/// Signal's name for Curve25519 keys.
const KEY_TYPE: u8 = 5;

pub(super) fn count(device: &DeviceRef) -> Vec<Node> {
    let state = device.account.state.lock();
    let left = state.devices.get(&device.id).map_or(0, |device| device.one_time.len());
    vec![tag("count").attr("value", left as u64).build()]
}

/// What the server holds, so that the client can tell whether it agrees; 404 makes it upload all.
pub(super) fn digest(device: &DeviceRef) -> Answer {
    let state = device.account.state.lock();
    let device = state.devices.get(&device.id).ok_or(NOT_FOUND)?;
    let bundle = device.bundle.as_ref().ok_or(NOT_FOUND)?;
    let keys: Vec<&[u8]> = device.one_time.iter().map(|(_, key)| &key[..]).collect();
    let hash = wacore::prekeys::compute_key_bundle_digest(
        &bundle.identity,
        &bundle.signed,
        &bundle.signature,
        &keys,
    );
    let mut children = bundle_nodes(bundle);
    children.push(
        tag("list").children(device.one_time.iter().map(|(id, _)| leaf("id", three_bytes(*id)))).build(),
    );
    children.push(leaf("hash", hash));
    Ok(vec![tag("digest").children(children).build()])
}

pub(super) fn upload(net: &Net, device: &DeviceRef, iq: &Node) -> Answer {
    let signed = iq.get_optional_child("skey").ok_or(BAD_REQUEST)?;
    let bundle = Bundle {
        registration: number(iq.content_of("registration")),
        identity: stanza::key(iq.content_of("identity")).ok_or(BAD_REQUEST)?,
        signed_id: number(signed.content_of("id")),
        signed: stanza::key(signed.content_of("value")).ok_or(BAD_REQUEST)?,
        signature: signed.content_of("signature").to_vec(),
    };
    let one_time: Vec<OneTime> = iq
        .get_optional_child("list")
        .map_or(&[][..], |list| list.nodes())
        .iter()
        .filter_map(|key| Some((number(key.content_of("id")), stanza::key(key.content_of("value"))?)))
        .collect();
    let mut state = device.account.state.lock();
    let entry = state.devices.get_mut(&device.id).ok_or(NOT_FOUND)?;
    let mut batch = net.journal.batch();
    entry.bundle = Some(bundle);
    device.account.add_one_time(device.id, entry, one_time, &mut batch);
    device.account.save_device(device.id, entry, &mut batch);
    net.journal.append(batch);
    Ok(Vec::new())
}

/// A new signed prekey in place of the old one.
pub(super) fn rotate(net: &Net, device: &DeviceRef, iq: &Node) -> Answer {
    let rotate = iq.get_optional_child("rotate").ok_or(BAD_REQUEST)?;
    let signed = rotate.get_optional_child("skey").ok_or(BAD_REQUEST)?;
    let mut state = device.account.state.lock();
    let entry = state.devices.get_mut(&device.id).ok_or(NOT_FOUND)?;
    let bundle = entry.bundle.as_mut().ok_or(NOT_FOUND)?;
    bundle.signed_id = number(signed.content_of("id"));
    bundle.signed = stanza::key(signed.content_of("value")).ok_or(BAD_REQUEST)?;
    bundle.signature = signed.content_of("signature").to_vec();
    let mut batch = net.journal.batch();
    device.account.save_device(device.id, entry, &mut batch);
    net.journal.append(batch);
    Ok(Vec::new())
}

pub(super) fn bundles(net: &Arc<Net>, asker: &DeviceRef, users: &[Node]) -> Vec<Node> {
    let answers = users.iter().filter_map(|user| {
        let jid = user.jid("jid")?;
        Some(user_node(net, asker, jid))
    });
    vec![tag("list").children(answers).build()]
}

fn user_node(net: &Net, asker: &DeviceRef, jid: Jid) -> Node {
    let Some(children) = bundle_of(net, asker, &jid) else {
        let error = tag("error").attr("code", "404").attr("text", "item-not-found").build();
        return tag("user").attr("jid", jid).children([error]).build();
    };
    tag("user").attr("jid", jid).attr("t", now()).children(children).build()
}

fn bundle_of(net: &Net, asker: &DeviceRef, jid: &Jid) -> Option<Vec<Node>> {
    let account = net.resolve(&asker.account.book, jid)?;
    if jid.device == 0 {
        let (id, pair) = account.keys().new_one_time();
        let mut children = bundle_nodes(&account.keys().bundle());
        children.push(one_time_node(&(id, public(&pair))));
        return Some(children);
    }
    let mut state = account.state.lock();
    let mut batch = net.journal.batch();
    let (bundle, one_time) = account.take_bundle(&mut state, jid.device, &mut batch)?;
    net.journal.append(batch);
    let mut children = bundle_nodes(&bundle);
    children.extend(one_time.as_ref().map(one_time_node));
    if let Some(device) = state.devices.get(&jid.device) {
        children.push(leaf("device-identity", device.signed_identity.clone()));
    }
    Some(children)
}

fn bundle_nodes(bundle: &Bundle) -> Vec<Node> {
    vec![
        leaf("registration", bundle.registration.to_be_bytes()),
        leaf("type", [KEY_TYPE]),
        leaf("identity", bundle.identity),
        tag("skey")
            .children([
                leaf("id", three_bytes(bundle.signed_id)),
                leaf("value", bundle.signed),
                leaf("signature", bundle.signature.clone()),
            ])
            .build(),
    ]
}

fn one_time_node((id, key): &OneTime) -> Node {
    tag("key").children([leaf("id", three_bytes(*id)), leaf("value", *key)]).build()
}
