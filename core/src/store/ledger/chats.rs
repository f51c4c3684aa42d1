//! Conversations, kept beside the log: what each message changes of its chat.
//!
//! Read off the batch's own events, so that whatever tells of a message moves its chat too. A batch costs
//! one statement for all its chats, however many messages it has. Who was known by a LID alone and now
//! shows a number had two chats; they become one.

use std::collections::{BTreeMap, HashMap};

use super::workbench::Batch;
use crate::event::{EventData, MessageEvent, NewEvent, ReceivedEvent};
use crate::id::{SessionKey, TenantId};
use crate::key::Mode;
use crate::people::{chat_of, is_person};
use crate::store::error::Result;
use crate::store::people::folded;
use crate::store::tx::values;

/// A message that is not the newest, and adds nothing to read, touches no row.
pub(super) const TOUCH: &str = "WITH v (tenant_id, mode, session_key, chat, wire, lid, last_key, unread, expires_in)
        AS ({rows})
    INSERT INTO chats (tenant_id, mode, session_key, chat, wire, lid, last_key, unread, expires_in)
    SELECT v.tenant_id, v.mode, v.session_key, v.chat, v.wire, v.lid, v.last_key, v.unread, v.expires_in
    FROM v WHERE v.chat IS NOT NULL
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET
        wire = excluded.wire, lid = COALESCE(excluded.lid, chats.lid),
        last_key = CASE WHEN excluded.last_key > chats.last_key THEN excluded.last_key ELSE chats.last_key END,
        unread = chats.unread + excluded.unread,
        expires_in = CASE WHEN excluded.expires_in > 0 THEN excluded.expires_in ELSE chats.expires_in END
    WHERE excluded.last_key > chats.last_key OR excluded.unread > 0";

/// The chat of somebody's LID, when their number is known.
pub(super) const ABSORB: &str = "WITH v (tenant_id, mode, session_key, chat) AS ({rows})
    DELETE FROM chats WHERE (tenant_id, mode, session_key, chat)
        IN (SELECT v.tenant_id, v.mode, v.session_key, v.chat FROM v)
    RETURNING tenant_id, mode, session_key, chat, wire, last_key, unread, is_archived, is_pinned, muted_until,
        expires_in";

const CARRY: &str = "INSERT INTO chats
        (tenant_id, mode, session_key, chat, wire, last_key, unread, is_archived, is_pinned, muted_until,
            expires_in, lid)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET
        last_key = CASE WHEN excluded.last_key > chats.last_key THEN excluded.last_key ELSE chats.last_key END,
        unread = chats.unread + excluded.unread, is_archived = chats.is_archived OR excluded.is_archived,
        is_pinned = chats.is_pinned OR excluded.is_pinned,
        muted_until = CASE WHEN chats.muted_until = 0 THEN excluded.muted_until ELSE chats.muted_until END,
        expires_in = CASE WHEN chats.expires_in = 0 THEN excluded.expires_in ELSE chats.expires_in END,
        lid = COALESCE(chats.lid, excluded.lid)";

pub(super) const NAME: &str =
    "WITH v (tenant_id, mode, session_key, alias, lid, push_name, push_folded) AS ({rows})
    INSERT INTO contact_names (tenant_id, mode, session_key, alias, lid, push_name, push_folded)
    SELECT v.tenant_id, v.mode, v.session_key, v.alias, v.lid, v.push_name, v.push_folded
    FROM v WHERE v.alias IS NOT NULL
    ON CONFLICT (tenant_id, mode, session_key, alias) DO UPDATE SET
        lid = COALESCE(excluded.lid, contact_names.lid), push_name = excluded.push_name,
        push_folded = excluded.push_folded";

pub(super) const UNNAME: &str = "WITH v (tenant_id, mode, session_key, alias) AS ({rows})
    DELETE FROM contact_names WHERE (tenant_id, mode, session_key, alias)
        IN (SELECT v.tenant_id, v.mode, v.session_key, v.alias FROM v)
    RETURNING tenant_id, mode, session_key, alias, saved_name, first_name, saved_folded, push_name, push_folded";

const CARRY_NAME: &str = "INSERT INTO contact_names
        (tenant_id, mode, session_key, alias, lid, saved_name, first_name, saved_folded, push_name, push_folded)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (tenant_id, mode, session_key, alias) DO UPDATE SET
        saved_name = COALESCE(contact_names.saved_name, excluded.saved_name),
        first_name = COALESCE(contact_names.first_name, excluded.first_name),
        saved_folded = COALESCE(contact_names.saved_folded, excluded.saved_folded),
        push_name = COALESCE(contact_names.push_name, excluded.push_name),
        push_folded = COALESCE(contact_names.push_folded, excluded.push_folded)";

/// Tenant, mode and session.
pub(super) type Place<'a> = (&'a str, &'static str, &'a SessionKey);

#[derive(Debug)]
struct Touched<'a> {
    wire: &'a str,
    lid: Option<&'a str>,
    last_key: &'a str,
    unread: i64,
    /// Of a message that disappears.
    expires_in: i64,
}

/// Moves the chats of a batch's messages.
pub(super) async fn write<'a>(
    batch: &mut Batch<'_, '_>,
    events: impl Iterator<Item = (Place<'a>, &'a NewEvent)>,
) -> Result<()> {
    batch.bench.chats.bound();
    // Sorted, so that two processes lock in the same order.
    let mut touched: BTreeMap<(Place<'a>, String), Touched<'_>> = BTreeMap::new();
    let mut names: BTreeMap<(Place<'a>, String), (Option<&str>, &str)> = BTreeMap::new();
    let mut numbered: BTreeMap<(Place<'a>, &str), &str> = BTreeMap::new();
    for (place, event) in events {
        let Some(message) = Message::of(event) else { continue };
        let session = place.2;
        if let (Some(phone), Some(lid)) = (message.phone, message.lid)
            && !batch.bench.chats.numbered.contains_key(&(session.clone(), lid.to_owned()))
        {
            numbered.insert((place, lid), phone);
        }
        if let Some((name, alias)) = message.name.zip(message.alias())
            && batch
                .bench
                .chats
                .names
                .get(&(session.clone(), alias.clone()))
                .is_none_or(|known| known != name)
        {
            names.insert((place, alias), (message.lid, name));
        }
        let lid_alone = message.lid.filter(|_| message.phone.is_none());
        let known =
            lid_alone.and_then(|lid| batch.bench.chats.numbered.get(&(session.clone(), lid.to_owned())));
        let chat = chat_of(message.chat, message.phone.or(known.map(String::as_str)));
        let lid = message.lid.filter(|_| is_person(message.chat));
        let entry = touched.entry((place, chat)).or_insert(Touched {
            wire: message.chat,
            lid,
            last_key: message.key,
            unread: 0,
            expires_in: 0,
        });
        entry.lid = lid.or(entry.lid);
        if message.key >= entry.last_key {
            (entry.wire, entry.last_key) = (message.chat, message.key);
        }
        entry.unread += i64::from(message.is_inbound);
        if message.expires_in > 0 {
            entry.expires_in = message.expires_in;
        }
    }
    absorb(batch, &numbered).await?;
    let rows = touched.iter().map(|(((tenant, mode, session), chat), of)| {
        let of = values![of.wire, of.lid, of.last_key, of.unread, of.expires_in];
        [values![*tenant, *mode, session.as_str(), chat.as_str()], of].concat()
    });
    batch.run_many(TOUCH, rows.collect()).await?;
    let rows = names.iter().map(|(((tenant, mode, session), alias), (lid, name))| {
        values![*tenant, *mode, session.as_str(), alias.as_str(), *lid, *name, folded(name)]
    });
    batch.run_many(NAME, rows.collect()).await?;
    for (((.., session), alias), (_, name)) in names {
        batch.bench.chats.names.insert((session.clone(), alias), name.to_owned());
    }
    Ok(())
}

/// Of those whose number is known from now on, what lay under their LID goes to their number.
pub(super) async fn absorb(
    batch: &mut Batch<'_, '_>,
    numbered: &BTreeMap<(Place<'_>, &str), &str>,
) -> Result<()> {
    if numbered.is_empty() {
        return Ok(());
    }
    let row = |((tenant, mode, session), _): &(Place<'_>, &str), name: String| {
        values![*tenant, *mode, session.as_str(), name]
    };
    let chats = numbered.keys().map(|key| row(key, format!("{}@lid", key.1))).collect();
    let chats: Vec<Chat> = batch.many(ABSORB, chats).await?;
    let names = numbered.keys().map(|key| row(key, format!("l:{}", key.1))).collect();
    let names: Vec<Name> = batch.many(UNNAME, names).await?;
    let by_lid: HashMap<(&str, &str), &str> =
        numbered.iter().map(|(((.., session), lid), phone)| ((session.as_str(), *lid), *phone)).collect();
    for chat in chats {
        let lid = chat.chat.trim_end_matches("@lid");
        let Some(phone) = by_lid.get(&(chat.session_key.as_str(), lid)) else { continue };
        let carried = values![
            chat.tenant_id.as_str(),
            chat.mode.as_str(),
            chat.session_key.as_str(),
            format!("{phone}@s.whatsapp.net"),
            chat.wire.as_str(),
            chat.last_key.as_str(),
            chat.unread,
            chat.is_archived,
            chat.is_pinned,
            chat.muted_until,
            chat.expires_in,
            lid,
        ];
        batch.tx.run(CARRY, carried).await?;
    }
    for name in names {
        let lid = name.alias.trim_start_matches("l:");
        let Some(phone) = by_lid.get(&(name.session_key.as_str(), lid)) else { continue };
        let carried = values![
            name.tenant_id.as_str(),
            name.mode.as_str(),
            name.session_key.as_str(),
            format!("p:{phone}"),
            lid,
            name.saved_name,
            name.first_name,
            name.saved_folded,
            name.push_name,
            name.push_folded,
        ];
        batch.tx.run(CARRY_NAME, carried).await?;
    }
    for (((.., session), lid), phone) in numbered {
        batch.bench.chats.numbered.insert(((*session).clone(), (*lid).to_owned()), (*phone).to_owned());
    }
    Ok(())
}

/// What an event tells of a message, as far as a list of chats shows it.
struct Message<'a> {
    chat: &'a str,
    key: &'a str,
    phone: Option<&'a str>,
    lid: Option<&'a str>,
    /// The push name of who wrote it.
    name: Option<&'a str>,
    is_inbound: bool,
    /// Seconds; 0 for one that stays, and for one of ours, which may have a time of its own.
    expires_in: i64,
}

impl<'a> Message<'a> {
    /// `None` for what is no message of its own: a reaction, an edit, and what is not about messages.
    fn of(event: &'a NewEvent) -> Option<Self> {
        match &*event.data {
            EventData::MessageReceived(told) => Some(Self::received(told)),
            EventData::MessageSent(told)
            | EventData::MessageDelivered(told)
            | EventData::MessageRead(told)
            | EventData::MessagePlayed(told)
            | EventData::MessageFailed(told) => told.target_id.is_none().then(|| Self::ours(told)),
            _ => None,
        }
    }

    fn received(told: &'a ReceivedEvent) -> Self {
        Self {
            chat: &told.chat,
            key: &told.key,
            phone: told.phone.as_deref(),
            lid: told.lid.as_deref(),
            name: told.sender_name.as_deref().filter(|name| !name.is_empty()),
            is_inbound: true,
            expires_in: told.expires_in.map_or(0, i64::from),
        }
    }

    fn ours(told: &'a MessageEvent) -> Self {
        Self {
            chat: &told.chat,
            key: &told.key,
            phone: told.phone.as_deref(),
            lid: told.lid.as_deref(),
            name: None,
            is_inbound: false,
            expires_in: 0,
        }
    }

    fn alias(&self) -> Option<String> {
        let phone = self.phone.map(|phone| format!("p:{phone}"));
        phone.or_else(|| self.lid.map(|lid| format!("l:{lid}")))
    }
}

#[derive(sqlx::FromRow)]
struct Chat {
    tenant_id: TenantId,
    mode: Mode,
    session_key: SessionKey,
    chat: String,
    wire: String,
    last_key: String,
    unread: i64,
    is_archived: bool,
    is_pinned: bool,
    muted_until: i64,
    expires_in: i64,
}

#[derive(sqlx::FromRow)]
struct Name {
    tenant_id: TenantId,
    mode: Mode,
    session_key: SessionKey,
    alias: String,
    saved_name: Option<String>,
    first_name: Option<String>,
    saved_folded: Option<String>,
    push_name: Option<String>,
    push_folded: Option<String>,
}
