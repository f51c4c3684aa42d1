//! What arrived, stored once each.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::operation::{Done, Op, members};
use super::vocabulary::{Inbound, Owner, Received};
use super::workbench::Batch;
use super::{arrival, change, groups, owners, people};
use crate::clock::At;
use crate::content::{Body, Content};
use crate::event::{NewEvent, OptOutEvent};
use crate::id::MessageKey;
use crate::message::{Direction, Status, new_wa_id};
use crate::opt_out::{self, Settings, Source, Wish};
use crate::phone::{Phone, Recipient};
use crate::store::error::Result;
use crate::store::media::{self, OfMessage};
use crate::store::settings::{self, StoredSettings};
use crate::store::tx::values;

/// Our own messages come back as echoes, perhaps under another name of the chat, so they are known by
/// their id alone: ours are never two.
pub(super) const INSERT: &str = "WITH v (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, lid, sender_name, kind, body, status, rank, created_at, sent_at, content, target, media_id,
        chat_name) AS ({rows})
    INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, lid, sender_name, kind, body, status, rank, pending, created_at, sent_at, content, target, media_id,
        chat_name)
    SELECT v.tenant_id, v.mode, v.key, v.session_key, v.session_id, v.direction, v.origin, v.wa_id, v.chat, v.sender,
        v.phone, v.lid, v.sender_name, v.kind, v.body, v.status, v.rank, FALSE, v.created_at, v.sent_at,
        v.content, v.target, v.media_id, v.chat_name
    FROM v WHERE v.key IS NOT NULL AND (v.direction = 'in' OR NOT EXISTS (
        SELECT 1 FROM messages m
        WHERE m.session_key = v.session_key AND m.wa_id = v.wa_id AND m.direction = 'out'))
    ON CONFLICT (session_key, wa_id, chat, sender) DO NOTHING
    RETURNING key";

pub(super) const WORDS: &str = "WITH v (tenant_id, mode) AS ({rows})
    SELECT s.tenant_id, s.mode, s.default_country, s.windows, s.stop_words, s.start_words, s.confirmation,
        s.opt_out_all
    FROM v JOIN tenant_settings s ON s.tenant_id = v.tenant_id AND s.mode = v.mode";

/// Any epoch may claim it, and no quota pays for it: the law may ask for it.
const INSERT_ANSWER: &str =
    "INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, kind, body, content, status, rank, pending, claimed_epoch, created_at)
    VALUES ($1, $2, $3, $4, $5, 'out', 'api', $6, $7, '', $8, $9, $10, $11, 'sending', 0, TRUE, 0, $12)";

pub(super) async fn write(batch: &mut Batch<'_, '_>, ops: &[Op], done: &mut [Done]) -> Result<()> {
    let owners: HashSet<&Owner> =
        members!(ops, Receive).flat_map(|(_, all)| all.iter().map(|m| &m.owner)).collect();
    let owners = owners::known(batch, owners).await?;
    let in_groups = members!(ops, Receive).flat_map(|(_, all)| all.iter()).filter(|one| one.is_group);
    let in_groups = in_groups.map(|one| (one.owner.session.as_str(), one.chat.as_str()));
    let subjects = groups::names(batch, in_groups).await?;
    let subject_of = |inbound: &Inbound| {
        subjects.get(&(inbound.owner.session.0.clone(), inbound.chat.clone())).map(String::as_str)
    };
    let mut rows = Vec::new();
    let mut arrived: Vec<(MessageKey, &Inbound)> = Vec::new();
    let mut keys: Vec<(usize, Vec<Option<MessageKey>>)> = Vec::new();
    for (place, all) in members!(ops, Receive) {
        let mut own = Vec::with_capacity(all.len());
        for inbound in all.iter() {
            if !owners.contains_key(&inbound.owner) {
                own.push(None);
                continue;
            }
            let (key, created_at) = batch.bench.ids.message(batch.now);
            rows.push(row(&key, created_at, inbound, subject_of(inbound))?);
            arrived.push((key.clone(), inbound));
            own.push(Some(key));
        }
        keys.push((place, own));
    }
    let new: Vec<(String,)> = batch.many(INSERT, rows).await?;
    let new: HashSet<String> = new.into_iter().map(|(key,)| key).collect();
    let is_new = |key: &MessageKey| new.contains(key.as_str());
    let fresh: Vec<_> = arrived.iter().filter(|(key, _)| is_new(key)).collect();
    keep_files(batch, fresh.iter().map(|(_, inbound)| *inbound)).await?;
    let mut ignored: HashSet<&MessageKey> = HashSet::new();
    for (key, inbound) in fresh.iter().filter(|(_, inbound)| inbound.content.target().is_some()) {
        let tenant = (&inbound.owner.tenant, inbound.owner.mode);
        if matches!(inbound.content.body, Body::Edit(_)) && change::is_too_late(batch.tx, tenant, key).await?
        {
            tracing::debug!(session.id = %inbound.owner.session_id, "An edit came too late and is ignored");
            ignored.insert(key);
        } else {
            change::apply(batch.tx, tenant, key).await?;
        }
    }
    let own_number = |inbound: &Inbound| owners.get(&inbound.owner)?.last_phone.as_deref();
    let told = fresh.iter().filter(|(key, _)| !ignored.contains(key));
    batch.events.extend(told.map(|(key, inbound)| {
        let data = arrival::told(key, inbound, own_number(inbound), subject_of(inbound));
        (inbound.owner.session.clone(), NewEvent::new(inbound.sent_at, data))
    }));
    let answered = hear_wishes(batch, fresh.iter().map(|(_, inbound)| *inbound)).await?;
    for (place, own) in keys {
        let new = own.iter().map(|key| key.as_ref().is_some_and(is_new)).collect();
        done[place] = Done::Receive(Received { new, answered });
    }
    Ok(())
}

/// Puts those who say a word to stop on the list of opt-outs, takes off it who wants to hear from us
/// again, and answers with the tenant's confirmation, where it has one, as a message of ours.
async fn hear_wishes(batch: &mut Batch<'_, '_>, fresh: impl Iterator<Item = &Inbound>) -> Result<bool> {
    let may_be_wish = |one: &&Inbound| {
        !one.from_me
            && !one.is_group
            && matches!(&one.content.body, Body::Text(words) if opt_out::may_be_wish(&words.message))
    };
    // The message, a number of its sender, and whether the answer goes there.
    let mut said: Vec<(&Inbound, Phone, bool)> = Vec::new();
    for one in fresh.filter(may_be_wish) {
        // Who hides their number may be known by it all the same: a message of ours went there.
        let numbers = match (&one.phone, &one.lid) {
            (Some(phone), _) => vec![phone.clone()],
            (None, Some(lid)) => {
                let known = people::numbers_of(batch, &one.owner, lid).await?;
                known.iter().filter_map(|digits| Phone::from_whatsapp(digits).ok()).collect()
            }
            (None, None) => vec![],
        };
        said.extend(numbers.into_iter().enumerate().map(|(place, phone)| (one, phone, place == 0)));
    }
    if said.is_empty() {
        return Ok(false);
    }
    let tenants: BTreeSet<(&str, &str)> =
        said.iter().map(|(one, ..)| (one.owner.tenant.as_str(), one.owner.mode.as_str())).collect();
    let rows = tenants.into_iter().map(|(tenant, mode)| values![tenant, mode]).collect();
    let stored: Vec<StoredSettings> = batch.many(WORDS, rows).await?;
    let mut of_tenants: HashMap<(String, String), Settings> = HashMap::new();
    for row in stored {
        of_tenants.insert((row.tenant_id.clone(), row.mode.clone()), row.read()?);
    }
    let ours = Settings::default();
    let mut answered = false;
    for (one, phone, is_first) in said {
        let (tenant, mode) = (one.owner.tenant.as_str(), one.owner.mode.as_str());
        let own = of_tenants.get(&(tenant.to_owned(), mode.to_owned())).unwrap_or(&ours);
        let Some(wish) = own.wish(&one.content.body.text()) else { continue };
        let has_changed = match wish {
            Wish::Stop => {
                settings::opt_out(batch.tx, (tenant, mode), &phone, Source::Message, batch.now).await?
            }
            Wish::Start => settings::opt_in(batch.tx, (tenant, mode), &phone).await?,
        };
        if !has_changed {
            continue;
        }
        let told = OptOutEvent {
            phone: phone.digits().to_owned(),
            lid: one.lid.clone(),
            contact_id: None,
            source: Source::Message.as_str(),
            message_id: Some(one.wa_id.to_string()),
        };
        batch.events.extend([(one.owner.session.clone(), NewEvent::new(one.sent_at, told.after(wish)))]);
        if let Some(text) = own.confirmation.as_ref().filter(|_| is_first && wish == Wish::Stop) {
            let content = Content::text(text.as_str());
            let (key, created_at) = batch.bench.ids.message(batch.now);
            let to = Recipient::Person(phone.clone()).jid();
            let row = values![
                tenant,
                mode,
                key.as_str(),
                one.owner.session.as_str(),
                one.owner.session_id.as_str(),
                new_wa_id(),
                to,
                phone.digits(),
                content.kind(),
                content.body.text(),
                serde_json::to_string(&content)?,
                created_at,
            ];
            batch.tx.run(INSERT_ANSWER, row).await?;
            answered = true;
        }
    }
    Ok(answered)
}

/// What kind of row it makes.
fn nature(inbound: &Inbound) -> (Direction, &'static str, &str, Status) {
    if inbound.from_me {
        (Direction::Out, "phone", "", Status::Sent)
    } else {
        (Direction::In, "contact", inbound.sender.as_str(), Status::Received)
    }
}

fn row(
    key: &MessageKey,
    created_at: At,
    inbound: &Inbound,
    subject: Option<&str>,
) -> Result<Vec<crate::store::tx::Value>> {
    let (direction, origin, sender, status) = nature(inbound);
    let content = &inbound.content;
    Ok(values![
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
        inbound.sender_name.as_deref(),
        content.kind(),
        content.body.text(),
        status.as_str(),
        status.rank(),
        created_at,
        inbound.sent_at,
        serde_json::to_string(content)?,
        content.target().map(|target| target.id.as_str()),
        content.file().map(|(_, media)| media.as_str()),
        subject,
    ])
}

/// What is known of the files that came along; they are fetched later.
async fn keep_files(batch: &mut Batch<'_, '_>, fresh: impl Iterator<Item = &Inbound>) -> Result<()> {
    let rows = fresh.filter_map(|inbound| {
        let of = OfMessage {
            session: inbound.owner.session.clone(),
            wa_id: inbound.wa_id.to_string(),
            chat: inbound.chat.clone(),
            sender: inbound.sender.clone(),
            from_me: inbound.from_me,
        };
        Some(media::received_row(&inbound.owner, &of, inbound.file.as_ref()?, batch.now))
    });
    media::insert_received(batch.tx, &mut batch.bench.texts, rows.collect()).await?;
    Ok(())
}
