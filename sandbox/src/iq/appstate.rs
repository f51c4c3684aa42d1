//! App state: collections of encrypted patches that an account's devices keep in step.
//!
//! The network orders patches and hands them out; it cannot read them. The version of a collection
//! is the number of its patches (wacore-appstate 0.7.0; research/sandbox-protocol.md section 2).

use buffa::{Message as _, MessageField};
use bytes::Bytes;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use crate::account::{Account, DeviceRef, State};
use crate::limits;
use crate::net::Net;
use crate::stanza::{Read as _, leaf, now, tag};

pub(super) fn sync(net: &Net, device: &DeviceRef, collections: &[Node]) -> Vec<Node> {
    let account = &device.account;
    let mut changed = Vec::new();
    let answers: Vec<Node> = {
        let mut state = account.state.lock();
        collections
            .iter()
            .filter_map(|collection| {
                let name = collection.text("name")?.into_owned();
                let asked = collection.text("version").and_then(|version| version.parse().ok()).unwrap_or(0);
                let Some(patch) = collection.get_optional_child("patch") else {
                    return Some(since(&state, name, asked));
                };
                let answer = push(net, account, &mut state, &name, asked, patch.content());
                if let Ok(version) = &answer {
                    changed.push((name.clone(), *version));
                }
                Some(pushed(name, answer))
            })
            .collect()
    };
    for (name, version) in changed {
        let notification = tag("notification")
            .attr("from", Jid::pn(account.phone.as_str()))
            .attr("type", "server_sync")
            .attr("id", net.stanza_id())
            .attr("t", now())
            .children([tag("collection").attr("name", name).attr("version", version).build()])
            .build();
        net.push_to_all(account, Some(device.id), &notification, net.journal.batch());
    }
    vec![tag("sync").children(answers).build()]
}

/// Everything after the version the client has.
fn since(state: &State, name: String, asked: usize) -> Node {
    let patches = state.collections.get(&name).map_or(&[][..], Vec::as_slice);
    let answer = tag("collection")
        .attr("name", name)
        .attr("version", patches.len() as u64)
        .attr("has_more_patches", "false");
    match patches.get(asked..) {
        Some(newer) if !newer.is_empty() => answer
            .children([tag("patches")
                .children(newer.iter().map(|patch| leaf("patch", patch.to_vec())))
                .build()])
            .build(),
        _ => answer.build(),
    }
}

struct Conflict;

fn push(
    net: &Net,
    account: &Account,
    state: &mut State,
    name: &str,
    asked: usize,
    patch: &[u8],
) -> Result<u64, Conflict> {
    if state.collections.len() >= limits::COLLECTIONS && !state.collections.contains_key(name) {
        return Err(Conflict);
    }
    let patches = state.collections.entry(name.to_owned()).or_default();
    if asked != patches.len() || patches.len() >= limits::PATCHES_PER_COLLECTION {
        return Err(Conflict);
    }
    let version = patches.len() as u64 + 1;
    let mut decoded = wa::SyncdPatch::decode_from_slice(patch).map_err(|_| Conflict)?;
    decoded.version = MessageField::some(wa::SyncdVersion { version: Some(version) });
    let patch = Bytes::from(decoded.encode_to_vec());
    patches.push(patch.clone());
    let mut batch = net.journal.batch();
    account.save_patch(name, version, &patch, &mut batch);
    net.journal.append(batch);
    Ok(version)
}

fn pushed(name: String, answer: Result<u64, Conflict>) -> Node {
    let collection = tag("collection").attr("name", name);
    match answer {
        Ok(version) => collection.attr("version", version).build(),
        Err(Conflict) => collection
            .attr("type", "error")
            .children([tag("error").attr("code", "409").attr("text", "conflict").build()])
            .build(),
    }
}
