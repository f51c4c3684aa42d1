//! Reading a session's conversations. The ledger writes them (`ledger/chats.rs`).

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::messages::{MessageFilter, MessageRow};
use super::tx::values;
use super::{Result, TenantStore};
use crate::id::{ContactId, MessageKey, SessionId, SessionKey};
use crate::message::MessageName;
use crate::phone::{Phone, Recipient};

/// One conversation, as a list shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ChatRow {
    /// Its JID: of the number where that is known.
    pub chat: String,
    /// The JID by which WhatsApp knew it last.
    pub wire: String,
    pub lid: Option<String>,
    /// Of a group.
    #[sqlx(skip)]
    pub name: Option<String>,
    pub last_key: MessageKey,
    pub unread: i64,
    pub is_archived: bool,
    pub is_pinned: bool,
    /// Milliseconds since the epoch; 0 is not muted, -1 is for good.
    pub muted_until: i64,
    /// Seconds until messages of it disappear; 0: they stay.
    pub expires_in: i64,
    /// Of the person.
    pub saved_name: Option<String>,
    pub push_name: Option<String>,
    pub contact_id: Option<ContactId>,
}

impl ChatRow {
    /// Every JID under which the log may have its messages.
    fn jids(&self) -> Vec<String> {
        let mut jids = vec![self.chat.clone()];
        jids.extend(self.lid.iter().map(|lid| format!("{lid}@lid")));
        jids.push(self.wire.clone());
        jids.sort();
        jids.dedup();
        jids
    }
}

/// The names of a chat's person lie under the alias that its JID stands for. They are looked up row by row:
/// Postgres would join a list that is empty yet by less than its key.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.chat, c.wire, c.lid, c.last_key, c.unread, c.is_archived, c.is_pinned, c.muted_until,
                c.expires_in,
                (SELECT n.saved_name FROM contact_names n WHERE n.tenant_id = c.tenant_id AND n.mode = c.mode
                    AND n.session_key = c.session_key AND n.alias = c.alias) AS saved_name,
                (SELECT n.push_name FROM contact_names n WHERE n.tenant_id = c.tenant_id AND n.mode = c.mode
                    AND n.session_key = c.session_key AND n.alias = c.alias) AS push_name,
                (SELECT i.contact_id FROM contacts i WHERE i.tenant_id = c.tenant_id AND i.mode = c.mode
                    AND i.alias = c.alias) AS contact_id
            FROM (SELECT chats.*, CASE WHEN chat LIKE '%@s.whatsapp.net' THEN 'p:' || SUBSTR(chat, 1, LENGTH(chat) - 15)
                    WHEN chat LIKE '%@lid' THEN 'l:' || SUBSTR(chat, 1, LENGTH(chat) - 4) END AS alias
                FROM chats WHERE ",
            $rest,
            ") c ORDER BY c.last_key DESC"
        )
    };
}

/// Without those that have no message here yet.
const PAGE: &str = select!(
    "session_key = $3 AND tenant_id || '' = $1 AND mode || '' = $2 AND last_key > '' AND last_key < $4
        ORDER BY last_key DESC LIMIT $5"
);

/// The tenant is compared so that both engines go by the index.
const DISAPPEARING: &str = "SELECT chat, wire, lid, expires_in FROM chats
    WHERE session_key = $1 AND expires_in > 0 AND tenant_id || '' = $2 AND mode || '' = $3";

const ONE: &str = select!("tenant_id = $1 AND mode = $2 AND session_key = $3 AND chat = $4");

/// Messages that nobody has read, newest first.
const UNREAD: &str = "SELECT key, wa_id, chat, sender FROM messages
    WHERE session_key = $1 AND chat = $2 AND tenant_id || '' = $3 AND mode || '' = $4
        AND direction = 'in' AND read_at IS NULL AND target IS NULL
    ORDER BY key DESC LIMIT $5";

/// A message of somebody, as a receipt names it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Received {
    pub key: MessageKey,
    pub wa_id: String,
    /// The chat's JID.
    pub chat: String,
    /// The writer's JID.
    pub sender: String,
}

impl TenantStore {
    /// A session's conversations, the one with the newest message first; older than that of `before`.
    pub async fn chats(
        &self,
        session: &SessionKey,
        before: Option<&MessageKey>,
        limit: i64,
    ) -> Result<Vec<ChatRow>> {
        // Behind every key.
        let before = before.map_or("~", MessageKey::as_str);
        let place = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), before, limit];
        let mut rows = self.store.db.rows(PAGE, place).await?;
        self.name_groups(session, &mut rows).await?;
        Ok(rows)
    }

    /// Chats of a session whose messages disappear, by each of their JIDs, with the seconds.
    pub async fn disappearing(&self, session: &SessionKey) -> Result<Vec<(String, u32)>> {
        let place = values![session.as_str(), self.tenant.as_str(), self.mode.as_str()];
        let rows: Vec<(String, String, Option<String>, i64)> =
            self.store.db.rows(DISAPPEARING, place).await?;
        let each = rows.into_iter().flat_map(|(chat, wire, lid, seconds)| {
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            let lid = lid.map(|lid| format!("{lid}@lid"));
            [Some(chat), Some(wire), lid].into_iter().flatten().map(move |jid| (jid, seconds))
        });
        Ok(each.collect())
    }

    /// The conversation that somebody names, by any of its JIDs.
    pub async fn chat(&self, session: &SessionKey, chat: &Recipient) -> Result<Option<ChatRow>> {
        if let Some(row) = self.chat_by_jid(session, &chat.jid()).await? {
            return Ok(Some(row));
        }
        // WhatsApp may name the person by another number of the same line.
        for other in chat.phone().map(Phone::spellings).into_iter().flatten() {
            let known = self.chat_by_jid(session, &Recipient::Person(other).jid()).await?;
            if known.is_some() {
                return Ok(known);
            }
        }
        // A LID whose number is known by now has its chat under the number.
        let Recipient::Hidden(lid) = chat else { return Ok(None) };
        for alias in self.aliases_beside(&format!("l:{lid}")).await? {
            let Some(phone) = alias.strip_prefix("p:") else { continue };
            let known = self.chat_by_jid(session, &format!("{phone}@s.whatsapp.net")).await?;
            if known.is_some() {
                return Ok(known);
            }
        }
        Ok(None)
    }

    async fn chat_by_jid(&self, session: &SessionKey, jid: &str) -> Result<Option<ChatRow>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), jid];
        let mut rows = self.store.db.rows(ONE, place).await?;
        self.name_groups(session, &mut rows).await?;
        Ok(rows.pop())
    }

    async fn name_groups(&self, session: &SessionKey, rows: &mut [ChatRow]) -> Result<()> {
        let groups: Vec<&str> =
            rows.iter().map(|row| row.chat.as_str()).filter(|chat| chat.ends_with("@g.us")).collect();
        if groups.is_empty() {
            return Ok(());
        }
        let places: Vec<String> = (0..groups.len()).map(|n| format!("${}", n + 2)).collect();
        let statement = format!(
            "SELECT jid, subject FROM groups WHERE session_key = $1 AND jid IN ({})",
            places.join(", ")
        );
        let mut place = values![session.as_str()];
        place.extend(groups.into_iter().map(Into::into));
        let names: Vec<(String, String)> = self.store.db.rows(AssertSqlSafe(statement), place).await?;
        let mut names: HashMap<String, String> = names.into_iter().collect();
        for row in rows {
            row.name = names.remove(&row.chat);
        }
        Ok(())
    }

    /// A conversation's messages, newest first, older than `before`, and where to read on. Costs the same however deep
    /// it reads.
    pub async fn chat_messages(
        &self,
        session: &SessionId,
        chat: &ChatRow,
        before: Option<&MessageKey>,
        limit: i64,
    ) -> Result<(Vec<MessageRow>, Option<MessageKey>)> {
        let mut rows = Vec::new();
        // What is older was not looked at under each name of the chat.
        let mut seen: Option<MessageKey> = None;
        for jid in chat.jids() {
            let Ok(chat) = Recipient::parse(&jid, None) else { continue };
            let filter =
                MessageFilter { session: Some(session.clone()), chat: Some(chat), ..Default::default() };
            let mut walk = self.walk(&filter, before).await?;
            rows.extend(walk.next(limit).await?);
            seen = seen.max(walk.position().cloned());
        }
        rows.sort_by(|a: &MessageRow, b| b.key.cmp(&a.key));
        rows.retain(|row| seen.as_ref().is_none_or(|seen| row.key >= *seen));
        let limit = usize::try_from(limit).unwrap_or(0);
        let is_more = seen.is_some() || rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(|row| row.key.clone()).or(seen).filter(|_| is_more);
        Ok((rows, next))
    }

    /// Up to `limit` messages of a chat that nobody has read, newest first.
    pub async fn unread(&self, session: &SessionKey, chat: &ChatRow, limit: i64) -> Result<Vec<Received>> {
        let mut rows: Vec<Received> = Vec::new();
        for jid in chat.jids() {
            let place = values![session.as_str(), jid, self.tenant.as_str(), self.mode.as_str(), limit];
            rows.extend(self.store.db.rows::<Received>(UNREAD, place).await?);
        }
        rows.sort_by(|a, b| b.key.cmp(&a.key));
        rows.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(rows)
    }

    /// Those of these messages that a session received.
    pub async fn received(&self, session: &SessionKey, wa_ids: &[MessageName]) -> Result<Vec<Received>> {
        let places: Vec<String> = (0..wa_ids.len()).map(|n| format!("${}", n + 4)).collect();
        let statement = format!(
            "SELECT key, wa_id, chat, sender FROM messages
             WHERE session_key = $1 AND tenant_id || '' = $2 AND mode || '' = $3 AND direction = 'in'
                 AND target IS NULL
                 AND wa_id IN ({})",
            places.join(", ")
        );
        let mut place = values![session.as_str(), self.tenant.as_str(), self.mode.as_str()];
        place.extend(wa_ids.iter().map(|id| id.as_str().into()));
        Ok(self.store.db.rows(AssertSqlSafe(statement), place).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::{DISAPPEARING, ONE, PAGE, UNREAD};
    use crate::store::plan::Plans;

    /// A page costs the same however many chats and messages there are.
    async fn check(mut plans: Plans) {
        let walks = &[
            "chats_by_last (session_key=? AND last_key>? AND last_key<?)",
            "chats_by_last (session_key=? AND last_key<?)",
            "messages_unread (session_key=? AND chat=?)",
            "chats_disappearing (session_key=?)",
        ][..];
        let mut wide = Vec::new();
        for (sql, types) in [(PAGE, "tttti"), (ONE, "tttt"), (UNREAD, "tttti"), (DISAPPEARING, "ttt")] {
            let steps = plans.wide_steps(sql, types, walks).await;
            // The page itself, which SQLite reads as a list of its own.
            wide.extend(
                steps.into_iter().filter(|step| step != "SCAN c").map(|step| format!("{step} in {sql}")),
            );
        }
        plans.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_page_of_chats_goes_by_whole_indexes_on_sqlite() {
        check(Plans::sqlite().await).await;
    }

    #[tokio::test]
    async fn a_page_of_chats_goes_by_whole_indexes_on_postgres() {
        if let Some(plans) = Plans::postgres(&[("enable_seqscan", "off"), ("enable_bitmapscan", "off")]).await
        {
            check(plans).await;
        }
    }
}
