//! Erasing what was said, on somebody's request.
//!
//! The fact stays: who wrote to whom, when, and what became of it. The text and everything else of the content
//! go, from the row, from what changed it later, from the events that repeat it, and from the index of words.
//! The file that came with it is the caller's to remove: its bytes are not the database's. What a bulk job keeps of its
//! list and its text is the job's; what WhatsApp and the phones have is theirs.

use serde_json::{Map, Value};

use super::tx::{Tx, values};
use super::{Result, TenantStore};
use crate::clock::At;
use crate::id::{EventId, MediaId, MessageKey, SessionKey};
use crate::people::Who;
use crate::phone::Phone;

/// Messages that are looked up at a time.
const STEP: i64 = 100;
/// And in one call.
pub const ERASED_MAX: u64 = 10_000;
/// A message's events are written with it, in the same millisecond; this is more than enough.
const EVENTS_WITHIN_MS: i64 = 50;

/// What an event may say of a message whose content was erased.
const FACTS: [&str; 19] = [
    "messageId",
    "key",
    "sessionId",
    "direction",
    "origin",
    "chat",
    "from",
    "to",
    "phone",
    "lid",
    "contactId",
    "type",
    "status",
    "targetId",
    "targetFromMe",
    "isGroup",
    "timestamp",
    "jobId",
    "error",
];

const ERASE: &str = "UPDATE messages SET body = '', original = NULL, content = NULL, sender_name = NULL,
        erased_at = COALESCE(erased_at, $4)
    WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND NOT pending RETURNING session_key, wa_id, erased_at";

/// What it became later: edits, reactions, votes. The same chat, for WhatsApp's ids are one message's there.
const CHANGES: &str = "SELECT key FROM messages WHERE tenant_id || '' = $1 AND mode || '' = $2
    AND session_key = $3 AND target = $4 AND erased_at IS NULL AND NOT pending";

const IS_PENDING: &str = "SELECT pending FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3";

/// By their ids, not among all of the tenant's.
const EVENTS: &str = "SELECT pos, data FROM events
    WHERE tenant_id || '' = $1 AND mode || '' = $2 AND id >= $3 AND id < $4";

const REWRITE: &str = "UPDATE events SET data = $4 WHERE tenant_id = $1 AND mode = $2 AND pos = $3";

const OF_NUMBER: &str = "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3
    AND erased_at IS NULL AND NOT pending ORDER BY key DESC LIMIT $4";

/// Files that came with the messages of a number and are still there.
const FILES: &str = "SELECT m.media_id FROM messages m
    WHERE m.phone = $1 AND m.tenant_id = $2 AND m.mode = $3 AND m.media_id IS NOT NULL AND m.origin <> 'api'
        AND (SELECT 1 FROM media f WHERE f.tenant_id = $2 AND f.mode = $3 AND f.id = m.media_id) = 1
    LIMIT $4";

const FILES_OF_LID: &str = "SELECT m.media_id FROM messages m
    WHERE m.lid = $1 AND m.phone IS NULL AND m.lid IS NOT NULL AND m.tenant_id = $2 AND m.mode = $3 AND m.media_id IS NOT NULL AND m.origin <> 'api'
        AND (SELECT 1 FROM media f WHERE f.tenant_id = $2 AND f.mode = $3 AND f.id = m.media_id) = 1
    LIMIT $4";

/// Of somebody who was known by a LID alone then.
const OF_LID: &str = "SELECT key FROM messages WHERE lid = $1 AND phone IS NULL AND lid IS NOT NULL
    AND tenant_id = $2 AND mode = $3 AND erased_at IS NULL AND NOT pending ORDER BY key DESC LIMIT $4";

const KNOWN_LID: &str = "SELECT key FROM messages WHERE lid = $1 AND phone IS NULL AND lid IS NOT NULL
    AND tenant_id = $2 AND mode = $3 ORDER BY key DESC LIMIT 1";

/// How they called themselves; how the owner of the phone calls them is the owner's.
const UNNAME: &str = "UPDATE contact_names SET push_name = NULL, push_folded = NULL
    WHERE tenant_id = $1 AND mode = $2 AND alias = $3
        AND session_key IN (SELECT key FROM sessions WHERE tenant_id = $1 AND mode = $2)";

const KNOWN: &str =
    "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3 ORDER BY key DESC LIMIT 1";

/// What became of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Since then.
    Done(At),
    /// It is on its way: once its outcome is known, it can be erased.
    NotYet,
    NotFound,
}

/// The messages of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    pub messages: u64,
    /// There are more: ask again.
    pub has_more: bool,
}

impl TenantStore {
    pub async fn erase(&self, key: &MessageKey) -> Result<Erased> {
        let mut tx = self.store.db.begin().await?;
        if let Some(at) = self.erase_in(&mut tx, key).await? {
            tx.commit().await?;
            return Ok(Erased::Done(at));
        }
        let place = values![self.tenant.as_str(), self.mode.as_str(), key.as_str()];
        let found: Vec<(bool,)> = tx.rows(IS_PENDING, place).await?;
        Ok(if found.is_empty() { Erased::NotFound } else { Erased::NotYet })
    }

    /// How a number's messages are found: by its spellings, and those of before it was known by its LID.
    async fn names_of(&self, phone: &Phone) -> Result<Vec<(&'static str, &'static str, String)>> {
        let aliases = self.aliases_of(&Who::of(phone)).await?.into_iter();
        let names = aliases.filter_map(|alias| match alias.split_once(':')? {
            ("p", digits) => Some((OF_NUMBER, KNOWN, digits.to_owned())),
            (_, lid) => Some((OF_LID, KNOWN_LID, lid.to_owned())),
        });
        Ok(names.collect())
    }

    /// Some files that a number sent, in whichever spelling; none when all are gone.
    pub async fn files_of(&self, phone: &Phone) -> Result<Vec<MediaId>> {
        let mut files = Vec::new();
        for alias in self.aliases_of(&Who::of(phone)).await? {
            let (statement, name) = match alias.split_once(':') {
                Some(("p", digits)) => (FILES, digits),
                Some((_, lid)) => (FILES_OF_LID, lid),
                None => continue,
            };
            let of_them = values![name, self.tenant.as_str(), self.mode.as_str(), STEP];
            let found: Vec<(MediaId,)> = self.store.db.rows(statement, of_them).await?;
            files.extend(found.into_iter().map(|(id,)| id));
        }
        Ok(files)
    }

    /// Everything that a number wrote and was written, in whichever spelling; what is on its way is left out.
    /// `None` when nothing of it is in the log.
    pub async fn forget(&self, phone: &Phone) -> Result<Option<Forgotten>> {
        let mut messages = 0;
        let mut is_known = false;
        for (names, known, name) in self.names_of(phone).await? {
            let of_them = || values![name.as_str(), self.tenant.as_str(), self.mode.as_str()];
            is_known |= !self.store.db.rows::<(MessageKey,)>(known, of_them()).await?.is_empty();
            loop {
                if messages >= ERASED_MAX {
                    return Ok(Some(Forgotten { messages, has_more: true }));
                }
                let some = [of_them(), values![STEP]].concat();
                let keys: Vec<(MessageKey,)> = self.store.db.rows(names, some).await?;
                if keys.is_empty() {
                    break;
                }
                for (key,) in &keys {
                    messages += u64::from(matches!(self.erase(key).await?, Erased::Done(_)));
                }
            }
        }
        for alias in self.aliases_of(&Who::of(phone)).await? {
            let mut tx = self.store.db.begin().await?;
            tx.run(UNNAME, values![self.tenant.as_str(), self.mode.as_str(), alias]).await?;
            tx.commit().await?;
        }
        Ok(is_known.then_some(Forgotten { messages, has_more: false }))
    }

    /// Since when it is erased; `None` when there is no such message, or it is on its way.
    async fn erase_in(&self, tx: &mut Tx<'_>, key: &MessageKey) -> Result<Option<At>> {
        let Some((session, wa_id, at)) = self.erase_row(tx, key).await? else { return Ok(None) };
        let (tenant, mode) = (self.tenant.as_str(), self.mode.as_str());
        let changes = values![tenant, mode, session.as_str(), wa_id];
        let changes: Vec<(MessageKey,)> = tx.rows(CHANGES, changes).await?;
        for (change,) in &changes {
            self.erase_row(tx, change).await?;
        }
        Ok(Some(at))
    }

    async fn erase_row(&self, tx: &mut Tx<'_>, key: &MessageKey) -> Result<Option<(SessionKey, String, At)>> {
        let (tenant, mode) = (self.tenant.as_str(), self.mode.as_str());
        let now = self.store.clock.now();
        let erased = tx.rows(ERASE, values![tenant, mode, key.as_str(), now]).await?.pop();
        if erased.is_none() {
            return Ok(None);
        }
        super::search::drop_now(tx, (tenant, mode), key).await?;
        let Some(made) = key.made_at() else { return Ok(erased) };
        let (first, last) = (EventId::first_at(made), EventId::first_at(made.plus_ms(EVENTS_WITHIN_MS)));
        let place = values![tenant, mode, first.as_str(), last.as_str()];
        let events: Vec<(i64, String)> = tx.rows(EVENTS, place).await?;
        for (pos, data) in events {
            if let Some(bare) = bare(&data, key) {
                tx.run(REWRITE, values![tenant, mode, pos, bare]).await?;
            }
        }
        Ok(erased)
    }
}

/// An event of that message, without what it said. `None` for an event of another.
fn bare(data: &str, key: &MessageKey) -> Option<String> {
    let mut data: Map<String, Value> = serde_json::from_str(data).ok()?;
    if data.get("key")?.as_str()? != key.as_str() {
        return None;
    }
    // Readers of events count on these two.
    let emptied = [("body", Value::String(String::new())), ("hasMedia", Value::Bool(false))];
    let emptied: Vec<_> = emptied.into_iter().filter(|(name, _)| data.contains_key(*name)).collect();
    data.retain(|name, _| FACTS.contains(&name.as_str()));
    data.extend(emptied.into_iter().map(|(name, value)| (name.to_owned(), value)));
    data.insert("erased".to_owned(), Value::Bool(true));
    Some(Value::Object(data).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    #[test]
    fn an_event_keeps_its_facts_and_loses_its_words() {
        let key = MessageKey("msg_a".into());
        let told = r#"{"body":"secret","chat":"1@s.whatsapp.net","hasMedia":false,"key":"msg_a","messageId":"A",
            "senderName":"Ana","caption":"secret","status":"received"}"#;
        let left: Value =
            serde_json::from_str(&bare(told, &key).expect("it is of this message")).expect("JSON");
        let expected = r#"{"body":"","chat":"1@s.whatsapp.net","erased":true,"hasMedia":false,"key":"msg_a",
            "messageId":"A","status":"received"}"#;
        assert_eq!(left, serde_json::from_str::<Value>(expected).expect("JSON"));
        assert_eq!(bare(told, &MessageKey("msg_b".into())), None);
        assert_eq!(bare("[]", &key), None);
    }

    #[tokio::test]
    async fn erasing_finds_its_rows_by_an_index_on_sqlite() {
        check(Plans::sqlite().await).await;
    }

    #[tokio::test]
    async fn erasing_finds_its_rows_by_an_index_on_postgres() {
        if let Some(plans) = Plans::postgres(&[("enable_seqscan", "off"), ("enable_bitmapscan", "off")]).await
        {
            check(plans).await;
        }
    }

    async fn check(mut plans: Plans) {
        let walks = &[
            // A second of one database's events.
            "events_by_id (id>? AND id<?)",
            "events_by_id (id>=? AND id<?)",
            // One person's messages.
            "messages_by_phone (phone=? AND tenant_id=? AND mode=?)",
            "messages_by_lid (lid=? AND tenant_id=? AND mode=?)",
            // Once for a person: the sessions of a tenant, and on Postgres the names they know.
            "sessions_by_id (tenant_id=? AND mode=?)",
            "contact_names_pkey (tenant_id=? AND mode=? AND alias=?)",
        ][..];
        let mut wide = Vec::new();
        for (sql, types) in [
            (ERASE, "ttti"),
            (IS_PENDING, "ttt"),
            (EVENTS, "tttt"),
            (REWRITE, "ttit"),
            (OF_NUMBER, "ttti"),
            (KNOWN, "ttt"),
            (OF_LID, "ttti"),
            (KNOWN_LID, "ttt"),
            (FILES_OF_LID, "ttti"),
            (UNNAME, "ttt"),
            (FILES, "ttti"),
            (CHANGES, "tttt"),
        ] {
            let steps = plans.wide_steps(sql, types, walks).await;
            wide.extend(steps.into_iter().map(|step| format!("{step} in {sql}")));
        }
        plans.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }
}
