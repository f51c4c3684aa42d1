//! What arrived, stored once each.

use std::collections::HashSet;

use serde_json::json;

use super::batch::{Done, Op, Workbench, members};
use super::events::Events;
use super::{Inbound, Owner, Result, accept};
use crate::clock::At;
use crate::event::{Kind, NewEvent};
use crate::id::{MessageKey, SessionKey};
use crate::message::{Direction, Status};
use crate::phone::{Phone, Recipient};
use crate::store::tx::{Tx, values};

/// Our own messages come back as echoes, perhaps under another name of the chat, so they are known by
/// their id alone: ours are never two.
pub(super) const INSERT: &str = "WITH v (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, lid, sender_name, kind, body, status, rank, created_at, sent_at) AS ({rows})
    INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, lid, sender_name, kind, body, status, rank, pending, created_at, sent_at)
    SELECT v.tenant_id, v.mode, v.key, v.session_key, v.session_id, v.direction, v.origin, v.wa_id, v.chat, v.sender,
        v.phone, v.lid, v.sender_name, v.kind, v.body, v.status, v.rank, FALSE, v.created_at, v.sent_at
    FROM v WHERE v.key IS NOT NULL AND (v.direction = 'in' OR NOT EXISTS (
        SELECT 1 FROM messages m
        WHERE m.session_key = v.session_key AND m.wa_id = v.wa_id AND m.direction = 'out'))
    ON CONFLICT (session_key, wa_id, chat, sender) DO NOTHING
    RETURNING key";

pub(super) async fn write(
    tx: &mut Tx<'_>,
    bench: &mut Workbench,
    now: At,
    ops: &[Op],
    done: &mut [Done],
    events: &mut Events,
) -> Result<()> {
    let owners: HashSet<&Owner> =
        members!(ops, Receive).flat_map(|(_, all)| all.iter().map(|m| &m.owner)).collect();
    let owners = accept::owners(tx, bench, owners).await?;
    let mut rows = Vec::new();
    let mut arrived: Vec<(MessageKey, &Inbound)> = Vec::new();
    let mut keys: Vec<(usize, Vec<Option<MessageKey>>)> = Vec::new();
    for (place, all) in members!(ops, Receive) {
        let mut own = Vec::with_capacity(all.len());
        for inbound in all {
            if !owners.contains_key(&inbound.owner) {
                own.push(None);
                continue;
            }
            let (key, created_at) = bench.ids.message(now);
            rows.push(row(&key, created_at, inbound));
            arrived.push((key.clone(), inbound));
            own.push(Some(key));
        }
        keys.push((place, own));
    }
    let new: HashSet<String> =
        tx.many::<(String,)>(&mut bench.texts, INSERT, rows).await?.into_iter().map(|(key,)| key).collect();
    let is_new = |key: &MessageKey| new.contains(key.as_str());
    for (place, own) in keys {
        done[place] = Done::Receive(own.iter().map(|key| key.as_ref().is_some_and(is_new)).collect());
    }
    events.extend(arrived.iter().filter(|(key, _)| is_new(key)).map(|(key, inbound)| event(key, inbound)));
    Ok(())
}

/// What kind of row it makes.
fn nature(inbound: &Inbound) -> (Direction, &'static str, &str, Status) {
    if inbound.from_me {
        (Direction::Out, "phone", "", Status::Sent)
    } else {
        (Direction::In, "contact", inbound.sender.as_str(), Status::Received)
    }
}

fn row(key: &MessageKey, created_at: At, inbound: &Inbound) -> Vec<crate::store::tx::Value> {
    let (direction, origin, sender, status) = nature(inbound);
    values![
        inbound.owner.tenant.as_str(),
        inbound.owner.mode.as_str(),
        key.as_str(),
        inbound.owner.session.as_str(),
        inbound.owner.session_id.as_str(),
        direction.as_str(),
        origin,
        inbound.wa_id.as_str(),
        inbound.chat.as_str(),
        sender,
        inbound.phone.as_ref().map(Phone::digits),
        inbound.lid.as_deref(),
        inbound.sender_name.as_deref().map(storable),
        inbound.kind.as_str(),
        storable(&inbound.body),
        status.as_str(),
        status.rank(),
        created_at,
        inbound.sent_at,
    ]
}

/// Postgres has no NUL in text, and a message that cannot be stored would come back for ever.
fn storable(text: &str) -> String {
    text.replace('\0', "")
}

fn event(key: &MessageKey, inbound: &Inbound) -> (SessionKey, NewEvent) {
    let phone = inbound.phone.as_ref().map(Phone::digits);
    let (kind, data) = if inbound.from_me {
        let data = json!({
            "messageId": inbound.wa_id,
            "key": key,
            "direction": "out",
            "chat": inbound.chat,
            "phone": phone,
            "lid": inbound.lid,
            "type": inbound.kind,
            "status": Status::Sent,
        });
        (Kind::MessageSent, data)
    } else {
        let from = inbound
            .phone
            .as_ref()
            .map_or_else(|| inbound.sender.clone(), |phone| Recipient::Person(phone.clone()).jid());
        let data = json!({
            "messageId": inbound.wa_id,
            "key": key,
            "chat": inbound.chat,
            "from": from,
            "phone": phone,
            "lid": inbound.lid,
            "senderName": inbound.sender_name.as_deref().map(storable),
            "type": inbound.kind,
            "body": storable(&inbound.body),
            "isGroup": inbound.is_group,
            "hasMedia": false,
            "timestamp": inbound.sent_at.seconds(),
        });
        (Kind::MessageReceived, data)
    };
    (inbound.owner.session.clone(), NewEvent { kind, occurred_at: inbound.sent_at, data })
}
