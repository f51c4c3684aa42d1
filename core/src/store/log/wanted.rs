//! A filter as conditions of a statement, and the index that it uses.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use super::gather::Sized;
use crate::id::MessageKey;
use crate::phone::{Phone, Recipient};
use crate::store::messages::{MessageFilter, MessageRow, columns};
use crate::store::tx::{Row, Value};
use crate::store::{Result, TenantStore};

/// How large rows are, as far as others decide it: [`columns`] but the long ones are a few hundred bytes.
const SIZES: &str = "SELECT key, CAST(512 + octet_length(body) + COALESCE(octet_length(content), 0)
    + COALESCE(octet_length(original), 0) AS BIGINT) AS bytes";

/// `phone =`, with its value after it, or one of several.
#[derive(Debug, Clone)]
struct Condition {
    text: &'static str,
    values: Vec<Value>,
}

impl Condition {
    fn is(text: &'static str, value: impl Into<Value>) -> Self {
        Self { text, values: vec![value.into()] }
    }

    fn is_one_of<'a>(text: &'static str, values: impl Iterator<Item = &'a str>) -> Self {
        Self { text, values: values.map(Value::from).collect() }
    }
}

/// What rows must be like.
#[derive(Debug)]
pub(super) struct Wanted {
    store: TenantStore,
    /// What the index knows.
    indexed: Vec<Condition>,
    /// The same, for rows that are found by their keys.
    by_row: Vec<Condition>,
    /// What is tried row by row.
    tried: Vec<Condition>,
    pub from: Option<MessageKey>,
    pub to: Option<MessageKey>,
}

/// A part of the log: from the newer end, which is left out, to the older one, which is not.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part<'a> {
    pub before: Option<&'a MessageKey>,
    pub from: Option<&'a MessageKey>,
}

/// A statement as it is written, with its values.
struct Text {
    sql: String,
    values: Vec<Value>,
}

impl Text {
    fn push(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    fn value(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        let _ = write!(self.sql, "${}", self.values.len());
        self
    }

    fn conditions(self, conditions: &[Condition]) -> Self {
        conditions.iter().fold(self, |text, condition| {
            let text = text.push(" AND ");
            match condition.values.as_slice() {
                [] => text.push(condition.text),
                [value] => text.push(condition.text).push(" ").value(value.clone()),
                values => {
                    let text = text.push(condition.text.trim_end_matches('=')).push("IN (");
                    let listed = values.iter().enumerate().fold(text, |text, (place, value)| {
                        text.push(if place == 0 { "" } else { ", " }).value(value.clone())
                    });
                    listed.push(")")
                }
            }
        })
    }

    fn within(self, part: Part<'_>) -> Self {
        let text = match part.before {
            Some(before) => self.push(" AND key < ").value(before.as_str()),
            None => self,
        };
        match part.from {
            Some(from) => text.push(" AND key >= ").value(from.as_str()),
            None => text,
        }
    }
}

impl Wanted {
    /// The index is that of what the fewest rows have in common. Other conditions that have one are written
    /// so that the engines leave it alone.
    ///
    /// `of_person` are the numbers of whom the filter names that the log has.
    pub(super) fn of(store: &TenantStore, filter: &MessageFilter, of_person: &[Phone]) -> Self {
        let MessageFilter { session, direction, status, phone, from, to, kind, chat, origin, job, search: _ } =
            filter;
        let mut it = Self {
            store: store.clone(),
            indexed: vec![],
            by_row: vec![],
            tried: vec![],
            // A key begins with its row's `created_at`, and keys are indexed.
            from: from.map(MessageKey::first_at),
            to: to.map(MessageKey::first_at),
        };
        if let Some(job) = job {
            it.choose(vec![Condition::is("job_id =", job.as_str())], "COALESCE(job_id, '') =", job.as_str());
        }
        if let Some(phone) = phone {
            let numbers = numbers_of(phone, of_person);
            let is = |text| Condition::is_one_of(text, numbers.iter().map(String::as_str));
            it.choose_of(vec![is("phone =")], is("phone || '' ="));
        }
        match chat {
            // The index of chats leaves people out, who are found by their number.
            Some(Recipient::Person(phone)) => {
                let numbers = numbers_of(phone, of_person);
                let jids: Vec<String> =
                    numbers.iter().map(|number| format!("{number}@s.whatsapp.net")).collect();
                let in_chat = Condition::is_one_of("chat || '' =", jids.iter().map(String::as_str));
                let of_person = Condition::is_one_of("phone =", numbers.iter().map(String::as_str));
                it.choose_of(vec![of_person, in_chat.clone()], in_chat);
            }
            Some(chat) => {
                let jid = chat.jid();
                let by_index = vec![
                    Condition::is("chat =", jid.as_str()),
                    Condition { text: "chat NOT LIKE '%@s.whatsapp.net'", values: vec![] },
                ];
                it.choose(by_index, "chat || '' =", &jid);
            }
            None => {}
        }
        if let Some(session) = session {
            let by_index = vec![Condition::is("session_id =", session.as_str())];
            it.choose(by_index, "session_id || '' =", session.as_str());
        }
        it.tried.extend(direction.map(|direction| Condition::is("direction =", direction.as_str())));
        it.tried.extend(status.map(|status| Condition::is("status =", status.as_str())));
        it.tried.extend(kind.as_deref().map(|kind| Condition::is("kind =", kind)));
        it.tried.extend(origin.map(|origin| Condition::is("origin =", origin.as_str())));
        it
    }

    fn choose(&mut self, by_index: Vec<Condition>, by_row: &'static str, value: &str) {
        self.choose_of(by_index, Condition::is(by_row, value));
    }

    fn choose_of(&mut self, by_index: Vec<Condition>, by_row: Condition) {
        if self.indexed.is_empty() {
            self.indexed = by_index;
            self.by_row.push(by_row);
        } else {
            self.tried.push(by_row);
        }
    }

    /// Does the index know all of it?
    pub(super) fn is_indexed(&self) -> bool {
        self.tried.is_empty()
    }

    /// Is every row of the part wanted?
    pub(super) fn takes_all(&self) -> bool {
        self.indexed.is_empty() && self.tried.is_empty()
    }

    /// Where the next so many rows that the index names end; `None` when there are not so many.
    pub(super) async fn stretch(&self, part: Part<'_>, rows: i64) -> Result<Option<MessageKey>> {
        Ok(self.read::<(MessageKey,)>(self.stretch_of(part, rows)).await?.pop().map(|(key,)| key))
    }

    fn stretch_of(&self, part: Part<'_>, rows: i64) -> Text {
        let text = self.begin("SELECT key").conditions(&self.indexed).within(part);
        text.push(" ORDER BY key DESC LIMIT 1 OFFSET ").value(rows - 1)
    }

    /// The newest of a part.
    pub(super) async fn rows(&self, part: Part<'_>, limit: i64) -> Result<Vec<MessageRow>> {
        self.read(self.newest_of(concat!("SELECT ", columns!()), part, limit, 0)).await
    }

    /// How large they are, from after so many of them on.
    pub(super) async fn sizes(&self, part: Part<'_>, limit: i64, offset: i64) -> Result<Vec<Sized>> {
        self.read(self.newest_of(SIZES, part, limit, offset)).await
    }

    fn newest_of(&self, select: &str, part: Part<'_>, limit: i64, offset: i64) -> Text {
        let text = self.begin(select);
        let text = text.conditions(&self.indexed).conditions(&self.tried).within(part);
        text.push(" ORDER BY key DESC LIMIT ").value(limit).push(" OFFSET ").value(offset)
    }

    /// How many a part has; not more than `most` are counted.
    pub(super) async fn count(&self, part: Part<'_>, most: i64) -> Result<i64> {
        let counted: Vec<(i64,)> = self.read(self.count_of(part, most)).await?;
        Ok(counted.first().map_or(0, |(count,)| *count))
    }

    fn count_of(&self, part: Part<'_>, most: i64) -> Text {
        let text = self.begin("SELECT COUNT(*) FROM (SELECT 1").conditions(&self.indexed);
        text.conditions(&self.tried).within(part).push(" LIMIT ").value(most).push(") AS counted")
    }

    /// Those of some messages that are wanted, newest first.
    pub(super) async fn among(&self, keys: &[MessageKey]) -> Result<Vec<MessageRow>> {
        let mut rows: Vec<MessageRow> =
            self.read(self.among_of(concat!("SELECT ", columns!()), keys)).await?;
        rows.sort_unstable_by(|a, b| b.key.cmp(&a.key));
        rows.dedup_by(|a, b| a.key == b.key);
        Ok(rows)
    }

    /// The same, how large they are.
    pub(super) async fn sizes_among(&self, keys: &[MessageKey]) -> Result<Vec<Sized>> {
        let mut sizes: Vec<Sized> = self.read(self.among_of(SIZES, keys)).await?;
        sizes.sort_unstable_by(|a, b| b.key.cmp(&a.key));
        sizes.dedup_by(|a, b| a.key == b.key);
        Ok(sizes)
    }

    /// The same, their keys alone.
    pub(super) async fn keys_among(&self, keys: &[MessageKey]) -> Result<Vec<MessageKey>> {
        let found: Vec<(MessageKey,)> = self.read(self.among_of("SELECT key", keys)).await?;
        let mut keys: Vec<MessageKey> = found.into_iter().map(|(key,)| key).collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.dedup();
        Ok(keys)
    }

    /// By their keys, and by no other index; in no order, for Postgres would walk the log for one.
    fn among_of(&self, select: &str, keys: &[MessageKey]) -> Text {
        let text = Text { sql: "WITH v (tenant_id, mode, key) AS (VALUES ".to_owned(), values: vec![] };
        let text = named(text, &self.store, keys).push(") ").push(select);
        let text = text.push(" FROM v JOIN messages USING (tenant_id, mode, key) WHERE target IS NULL");
        text.conditions(&self.by_row).conditions(&self.tried)
    }

    fn begin(&self, select: &str) -> Text {
        let text = Text { sql: select.to_owned(), values: vec![] };
        let text = text.push(" FROM messages WHERE tenant_id = ").value(self.store.tenant.as_str());
        // What only changes a message is shown with it.
        text.push(" AND mode = ").value(self.store.mode.as_str()).push(" AND target IS NULL")
    }

    async fn read<T: Row>(&self, text: Text) -> Result<Vec<T>> {
        Ok(self.store.store.db.rows(AssertSqlSafe(text.sql), text.values).await?)
    }
}

/// The digits of a person's numbers that the log has; as they were asked for where it has none.
fn numbers_of(phone: &Phone, of_person: &[Phone]) -> Vec<String> {
    let spellings = phone.spellings();
    let known: Vec<String> =
        of_person.iter().filter(|one| spellings.contains(one)).map(|one| one.digits().to_owned()).collect();
    if known.is_empty() { vec![phone.digits().to_owned()] } else { known }
}

/// A few sizes of lists serve all, so that the engines know the statements: a list is filled up with its last,
/// which is then found more than once.
fn named(text: Text, store: &TenantStore, keys: &[MessageKey]) -> Text {
    let size = keys.len().next_power_of_two();
    let filler = keys.last().into_iter().cycle();
    let mut text = text;
    for (place, key) in keys.iter().chain(filler).take(size).enumerate() {
        text = text.push(if place == 0 { "(" } else { ", (" }).value(store.tenant.as_str());
        text = text.push(", ").value(store.mode.as_str()).push(", ").value(key.as_str()).push(")");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{At, Clock};
    use crate::id::{SessionId, TenantId};
    use crate::key::Mode;
    use crate::message::Status;
    use crate::store::plan::Plans;
    use crate::store::{Durability, Store};

    #[tokio::test]
    async fn each_filter_has_its_index_on_sqlite() {
        check(Plans::sqlite().await, Plans::sqlite().await).await;
    }

    #[tokio::test]
    async fn each_filter_has_its_index_on_postgres() {
        // As on a table that is not empty: neither read whole nor sorted.
        let planner = [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_sort", "off")];
        let by_key = [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_hashjoin", "off")];
        if let Some(plans) = Plans::postgres(&planner).await
            && let Some(by_key) = Plans::postgres(&by_key).await
        {
            check(plans, by_key).await;
        }
    }

    /// The walk of each filter goes down one index, from key to key. Rows that are named by their keys may be
    /// sorted.
    async fn check(mut plans: Plans, mut by_key: Plans) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("wapid.db").display());
        let clock = Clock::manual(At(0));
        let store = Store::open(&url, Durability::Process, &[0; 32], clock).await.expect("a store");
        let store = store.tenant(TenantId("ten_1".into()), Mode::Live);
        let phone = Phone::parse("5511900000001", None).expect("a number");
        let group = Recipient::parse("120363041234567890@g.us", None).expect("a group");
        let all = MessageFilter::default;
        let by_person = "messages_by_phone (phone=? AND tenant_id=? AND mode=? AND key<?)";
        let mut wide = Vec::new();
        for (filter, walks) in [
            (
                all(),
                &[
                    "sqlite_autoindex_messages_1 (tenant_id=? AND mode=? AND key<?)",
                    "messages_pkey (tenant_id=? AND mode=? AND key<?)",
                ][..],
            ),
            (MessageFilter { phone: Some(phone.clone()), ..all() }, &[by_person]),
            (MessageFilter { chat: Some(Recipient::Person(phone.clone())), ..all() }, &[by_person]),
            (
                MessageFilter { chat: Some(group.clone()), phone: None, ..all() },
                &["messages_by_chat (chat=? AND tenant_id=? AND mode=? AND key<?)"],
            ),
            (
                MessageFilter {
                    session: Some(SessionId("main".into())),
                    status: Some(Status::Sent),
                    ..all()
                },
                &["messages_by_session (session_id=? AND tenant_id=? AND mode=? AND key<?)"],
            ),
            (
                MessageFilter { job: crate::job::JobId::parse("0123456789abcdef01234567"), ..all() },
                &["messages_by_job (job_id=? AND tenant_id=? AND mode=? AND key<?)"],
            ),
            (
                MessageFilter {
                    session: Some(SessionId("main".into())),
                    phone: Some(phone.clone()),
                    chat: Some(group),
                    ..all()
                },
                &[by_person],
            ),
        ] {
            let wanted = Wanted::of(&store, &filter, &[]);
            let before = MessageKey::first_at(At(1));
            let part = Part { before: Some(&before), from: None };
            let keys = [before.clone(), before.clone(), before.clone()];
            for (text, walks) in [
                (wanted.stretch_of(part, 10), walks),
                (wanted.newest_of(concat!("SELECT ", columns!()), part, 10, 0), walks),
                (wanted.newest_of(SIZES, part, 10, 0), walks),
                (wanted.count_of(part, 10), walks),
            ] {
                let types: String = text.values.iter().map(type_of).collect();
                let steps = plans.wide_steps(&text.sql, &types, walks).await;
                wide.extend(steps.into_iter().map(|step| format!("{step} in {}", text.sql)));
            }
            let text = wanted.among_of("SELECT key", &keys);
            let types: String = text.values.iter().map(type_of).collect();
            let steps = by_key.wide_steps(&text.sql, &types, &[]).await;
            wide.extend(steps.into_iter().map(|step| format!("{step} in {}", text.sql)));
        }
        plans.close().await;
        by_key.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }

    fn type_of(value: &Value) -> char {
        match value {
            Value::Int(_) => 'i',
            Value::Bool(_) => 'b',
            Value::Text(_) | Value::Bytes(_) => 't',
        }
    }
}
