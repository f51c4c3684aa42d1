//! What is heard of people beside their messages: names, the state of chats, calls, presence.

use std::collections::{BTreeMap, BTreeSet};

use super::chats::{self, Place};
use super::contacts;
use super::operation::{Op, members};
use super::vocabulary::{Heard, Owner};
use super::workbench::{Batch, ContactName};
use crate::clock::At;
use crate::event::{CallEvent, EventData, NewEvent, PresenceEvent, TypingEvent};
use crate::people::{Call, ChatChange, News, Who, chat_of, is_person};
use crate::store::error::Result;
use crate::store::people::folded;
use crate::store::tx::{Tx, values};

/// A name that is absent is not known any more.
pub(super) const SAVE: &str =
    "WITH v (tenant_id, mode, session_key, alias, lid, saved_name, first_name, saved_folded)
        AS ({rows})
    INSERT INTO contact_names (tenant_id, mode, session_key, alias, lid, saved_name, first_name, saved_folded)
    SELECT v.tenant_id, v.mode, v.session_key, v.alias, v.lid, v.saved_name, v.first_name, v.saved_folded
    FROM v WHERE v.alias IS NOT NULL
    ON CONFLICT (tenant_id, mode, session_key, alias) DO UPDATE SET
        lid = COALESCE(excluded.lid, contact_names.lid), saved_name = excluded.saved_name,
        first_name = excluded.first_name, saved_folded = excluded.saved_folded";

/// The tenant and `read_at` are compared so that both engines go by the index on the message's id; see
/// `settle.rs`.
pub(super) const READ: &str = "WITH v (tenant_id, mode, session, id, moment) AS ({rows})
    UPDATE messages SET read_at = v.moment FROM v
    WHERE messages.tenant_id || '' = v.tenant_id AND messages.mode || '' = v.mode
        AND messages.session_key = v.session AND messages.wa_id = v.id
        AND messages.direction = 'in' AND COALESCE(messages.read_at, -1) = -1 AND messages.target IS NULL
    RETURNING messages.chat, messages.phone, messages.lid";

/// A chat's messages that had been written by then.
pub(super) const READ_UNTIL: &str = "UPDATE messages SET read_at = $5
    WHERE session_key = $3 AND chat = $4 AND direction = 'in' AND read_at IS NULL AND target IS NULL
        AND sent_at <= $6 AND tenant_id || '' = $1 AND mode || '' = $2";

/// The numbers of LIDs, where both are one contact's.
pub(super) const NUMBERS: &str = "WITH v (tenant_id, mode, lid) AS ({rows})
    SELECT v.tenant_id, v.mode, v.lid, n.alias
    FROM v
    JOIN contacts l ON l.tenant_id = v.tenant_id AND l.mode = v.mode AND l.alias = 'l:' || v.lid
    JOIN contacts n ON n.contact_id = l.contact_id AND n.tenant_id || '' = l.tenant_id AND n.mode || '' = l.mode
    WHERE n.alias LIKE 'p:%'";

pub(super) const LESS: &str = "WITH v (tenant_id, mode, session_key, chat, n) AS ({rows})
    UPDATE chats SET unread = CASE WHEN chats.unread > v.n THEN chats.unread - v.n ELSE 0 END
    FROM v
    WHERE chats.tenant_id = v.tenant_id AND chats.mode = v.mode AND chats.session_key = v.session_key
        AND chats.chat = v.chat";

/// A chat may be archived, or muted, before it has a message here.
const ARCHIVE: &str = "INSERT INTO chats (tenant_id, mode, session_key, chat, wire, is_archived)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET is_archived = excluded.is_archived";
const PIN: &str = "INSERT INTO chats (tenant_id, mode, session_key, chat, wire, is_pinned)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET is_pinned = excluded.is_pinned";
const MUTE: &str = "INSERT INTO chats (tenant_id, mode, session_key, chat, wire, muted_until)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET muted_until = excluded.muted_until";
const DISAPPEAR: &str = "INSERT INTO chats (tenant_id, mode, session_key, chat, wire, expires_in)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (tenant_id, mode, session_key, chat) DO UPDATE SET expires_in = excluded.expires_in";

/// What a session has of one account.
pub(super) const OF_ACCOUNT: [&str; 3] = [
    "DELETE FROM chats WHERE tenant_id = $1 AND mode = $2 AND session_key = $3",
    "DELETE FROM contact_names WHERE tenant_id = $1 AND mode = $2 AND session_key = $3",
    "DELETE FROM groups WHERE session_key = $3 AND EXISTS
        (SELECT 1 FROM sessions s WHERE s.key = $3 AND s.tenant_id = $1 AND s.mode = $2)",
];

pub(super) const READ_ALL: &str = "UPDATE messages SET read_at = $4
    WHERE session_key = $3 AND direction = 'in' AND read_at IS NULL AND target IS NULL
        AND tenant_id || '' = $1 AND mode || '' = $2";

pub(super) async fn write(batch: &mut Batch<'_, '_>, ops: &[Op]) -> Result<()> {
    for (_, Heard { owner, news }) in members!(ops, People) {
        save(batch, owner, news).await?;
        for one in news {
            match one {
                News::Saved { .. } => {}
                News::Chat { who, chat, change } => {
                    change_chat(batch.tx, owner, (who.as_ref(), chat), *change).await?;
                }
                News::Disappears { who, chat, seconds } => {
                    let value = values![i64::from(*seconds)];
                    set(batch.tx, owner, (who.as_ref(), chat), DISAPPEAR, value).await?;
                }
                News::Read { wa_ids } => {
                    let less = read(batch, owner, wa_ids).await?;
                    let rows = less.iter().map(|(chat, n)| [place_values(owner, chat), values![*n]].concat());
                    batch.run_many(LESS, rows.collect()).await?;
                }
                News::ChatReadUntil { who, chat, at } => {
                    let less = read_until(batch, owner, (who.as_ref(), chat), *at).await?;
                    let name = who.as_ref().and_then(Who::chat).unwrap_or_else(|| chat.clone());
                    let row = [place_values(owner, &name), values![less]].concat();
                    batch.run_many(LESS, vec![row]).await?;
                }
                News::ChatRead { chat, unread, wa_ids } => {
                    read(batch, owner, wa_ids).await?;
                    let row = [place_values(owner, chat), values![*unread]].concat();
                    batch.run_many(LESS, vec![row]).await?;
                }
                News::NumberChanged => start_anew(batch, owner).await?,
                News::Called(_) | News::Presence { .. } | News::Typing { .. } => {}
            }
        }
        batch.events.extend(
            news.iter().filter_map(|one| told(one, batch.now)).map(|event| (owner.session.clone(), event)),
        );
    }
    Ok(())
}

/// What the number before knew: its chats, names and groups go, and nothing is left for it to read.
async fn start_anew(batch: &mut Batch<'_, '_>, owner: &Owner) -> Result<()> {
    let (tenant, mode, session) = place(owner);
    for statement in OF_ACCOUNT {
        batch.tx.run(statement, values![tenant, mode, session.as_str()]).await?;
    }
    batch.tx.run(READ_ALL, values![tenant, mode, session.as_str(), batch.now]).await?;
    batch.bench.chats.clear();
    Ok(())
}

/// Names that the phone's owner gave. The last one of a batch counts.
async fn save(batch: &mut Batch<'_, '_>, owner: &Owner, news: &[News]) -> Result<()> {
    let mut saved: BTreeMap<String, (&Who, Option<&str>, Option<&str>)> = BTreeMap::new();
    for one in news {
        if let News::Saved { who, full_name, first_name } = one
            && let Some(alias) = who.aliases().into_iter().next()
        {
            saved.insert(alias, (who, full_name.as_deref(), first_name.as_deref()));
        }
    }
    if saved.is_empty() {
        return Ok(());
    }
    let people: Vec<Vec<ContactName>> = saved
        .values()
        .map(|(who, ..)| {
            who.aliases().into_iter().map(|alias| (owner.tenant.clone(), owner.mode, alias)).collect()
        })
        .collect();
    contacts::know(batch, &people).await?;
    let both = saved.values().filter_map(|(who, ..)| Some((who.lid.as_deref()?, who.phone.as_ref()?)));
    let numbered = both.map(|(lid, phone)| ((place(owner), lid), phone.digits())).collect();
    chats::absorb(batch, &numbered).await?;
    let rows = saved.iter().map(|(alias, (who, full, first))| {
        values![
            owner.tenant.as_str(),
            owner.mode.as_str(),
            owner.session.as_str(),
            alias.as_str(),
            who.lid.as_deref(),
            *full,
            *first,
            full.or(*first).map(folded),
        ]
    });
    batch.run_many(SAVE, rows.collect()).await?;
    Ok(())
}

fn place(owner: &Owner) -> Place<'_> {
    (owner.tenant.as_str(), owner.mode.as_str(), &owner.session)
}

fn place_values(owner: &Owner, chat: &str) -> Vec<crate::store::tx::Value> {
    values![owner.tenant.as_str(), owner.mode.as_str(), owner.session.as_str(), chat]
}

async fn change_chat(
    tx: &mut Tx<'_>,
    owner: &Owner,
    (who, chat): (Option<&Who>, &str),
    change: ChatChange,
) -> Result<()> {
    let (statement, value) = match change {
        ChatChange::Archived(is_archived) => (ARCHIVE, values![is_archived]),
        ChatChange::Pinned(is_pinned) => (PIN, values![is_pinned]),
        ChatChange::MutedUntil(until) => (MUTE, values![until]),
    };
    set(tx, owner, (who, chat), statement, value).await
}

/// Sets something of a chat, which lies under the person's name.
async fn set(
    tx: &mut Tx<'_>,
    owner: &Owner,
    (who, chat): (Option<&Who>, &str),
    statement: &'static str,
    value: Vec<crate::store::tx::Value>,
) -> Result<()> {
    let name = who.and_then(Who::chat).unwrap_or_else(|| chat.to_owned());
    tx.run(statement, [place_values(owner, &name), values![chat], value].concat()).await?;
    Ok(())
}

/// Marks messages read; answers how many there were of each chat that were not read before.
async fn read(batch: &mut Batch<'_, '_>, owner: &Owner, wa_ids: &[String]) -> Result<BTreeMap<String, i64>> {
    let (tenant, mode, session) = place(owner);
    let rows =
        wa_ids.iter().map(|id| values![tenant, mode, session.as_str(), id.as_str(), batch.now]).collect();
    let read: Vec<(String, Option<String>, Option<String>)> = batch.many(READ, rows).await?;
    let mut less: BTreeMap<String, i64> = BTreeMap::new();
    for (chat, phone, lid) in read {
        // Who wrote by LID may have their chat under the number by now.
        let phone = match (phone, lid) {
            (None, Some(lid)) if is_person(&chat) => number_of(batch, owner, &lid).await?,
            (phone, _) => phone,
        };
        *less.entry(chat_of(&chat, phone.as_deref())).or_default() += 1;
    }
    Ok(less)
}

async fn number_of(batch: &mut Batch<'_, '_>, owner: &Owner, lid: &str) -> Result<Option<String>> {
    if let Some(known) = batch.bench.chats.number_of(&owner.session, lid) {
        return Ok(Some(known.to_owned()));
    }
    Ok(numbers_of(batch, owner, lid).await?.into_iter().next())
}

/// Every number that is known beside a LID.
pub(super) async fn numbers_of(batch: &mut Batch<'_, '_>, owner: &Owner, lid: &str) -> Result<Vec<String>> {
    let (tenant, mode, _) = place(owner);
    let found: Vec<(String, String, String, String)> =
        batch.many(NUMBERS, vec![values![tenant, mode, lid]]).await?;
    Ok(found.into_iter().filter_map(|(.., alias)| alias.strip_prefix("p:").map(str::to_owned)).collect())
}

/// Marks a chat's messages read that had been written by then; answers how many were not read before.
async fn read_until(
    batch: &mut Batch<'_, '_>,
    owner: &Owner,
    (who, chat): (Option<&Who>, &str),
    at: At,
) -> Result<i64> {
    let (tenant, mode, session) = place(owner);
    let mut jids = BTreeSet::from([chat.to_owned()]);
    if let Some(who) = who {
        jids.extend(who.phone.iter().map(|phone| format!("{}@s.whatsapp.net", phone.digits())));
        jids.extend(who.lid.iter().map(|lid| format!("{lid}@lid")));
    }
    let mut read = 0;
    for jid in jids {
        read += batch.tx.run(READ_UNTIL, values![tenant, mode, session.as_str(), jid, batch.now, at]).await?;
    }
    Ok(i64::try_from(read).unwrap_or(i64::MAX))
}

/// What is told of it.
fn told(news: &News, now: At) -> Option<NewEvent> {
    let phone = |who: &Who| who.phone.as_ref().map(|phone| phone.digits().to_owned());
    let (occurred_at, data) = match news {
        News::Called(call) => (call.at, EventData::CallReceived(of_call(call))),
        News::Presence { who, presence, last_seen } => {
            let told = PresenceEvent {
                phone: phone(who),
                lid: who.lid.clone(),
                contact_id: None,
                state: presence.as_str(),
                last_seen: last_seen.map(At::iso),
            };
            (now, EventData::PresenceUpdated(told))
        }
        News::Typing { who, chat, is_group, typing } => {
            let told = TypingEvent {
                chat: chat.clone(),
                phone: phone(who),
                lid: who.lid.clone(),
                contact_id: None,
                state: typing.as_str(),
                is_group: *is_group,
            };
            (now, EventData::ChatTyping(told))
        }
        News::Saved { .. }
        | News::Chat { .. }
        | News::Disappears { .. }
        | News::Read { .. }
        | News::ChatReadUntil { .. }
        | News::ChatRead { .. }
        | News::NumberChanged => return None,
    };
    Some(NewEvent::new(occurred_at, data))
}

fn of_call(call: &Call) -> CallEvent {
    CallEvent {
        call_id: call.id.clone(),
        from: call.from.clone(),
        phone: call.who.phone.as_ref().map(|phone| phone.digits().to_owned()),
        lid: call.who.lid.clone(),
        contact_id: None,
        is_video: call.is_video,
        is_group: call.group.is_some(),
        group: call.group.clone(),
        missed: call.is_missed,
        timestamp: call.at.seconds(),
    }
}
