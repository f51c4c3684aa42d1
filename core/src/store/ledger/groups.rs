//! What groups are called, and what happened in them.
//!
//! Names are notes of what WhatsApp says; the later of two counts. They are written before anything else of
//! a batch is read, so that a message or an event beside them carries the new name already.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::operation::{Op, members};
use super::workbench::Batch;
use crate::event::NewEvent;
use crate::id::SessionKey;
use crate::store::error::Result;
use crate::store::groups::GroupName;
use crate::store::tx::values;

/// A session that is gone has no groups any more.
pub(super) const NOTE: &str = "WITH v (session_key, jid, subject, updated_at) AS ({rows})
    INSERT INTO groups (session_key, jid, subject, updated_at)
    SELECT v.session_key, v.jid, v.subject, v.updated_at FROM v
    WHERE EXISTS (SELECT 1 FROM sessions s WHERE s.key = v.session_key)
    ON CONFLICT (session_key, jid) DO UPDATE SET subject = excluded.subject, updated_at = excluded.updated_at
    WHERE groups.updated_at < excluded.updated_at
        OR (groups.updated_at = excluded.updated_at AND groups.subject <> excluded.subject)";

pub(super) const NAMES: &str = "WITH v (session_key, jid) AS ({rows})
    SELECT g.session_key, g.jid, g.subject
    FROM v JOIN groups g ON g.session_key = v.session_key AND g.jid = v.jid";

pub(super) async fn write(batch: &mut Batch<'_, '_>, ops: &[Op]) -> Result<()> {
    // One statement cannot take two steps with one row: the last word of the latest time counts.
    let mut latest: BTreeMap<(&str, &str), &GroupName> = BTreeMap::new();
    for (_, news) in members!(ops, Groups) {
        for name in &news.names {
            let known = latest.entry((news.session.as_str(), &name.jid)).or_insert(name);
            if known.at <= name.at {
                *known = name;
            }
        }
    }
    let rows = latest
        .into_iter()
        .map(|((session, jid), name)| values![session, jid, name.subject.as_str(), name.at]);
    batch.run_many(NOTE, rows.collect()).await?;

    let mut told: Vec<(SessionKey, NewEvent)> = members!(ops, Groups)
        .flat_map(|(_, news)| news.events.iter().map(|event| (news.session.clone(), event.clone())))
        .collect();
    let groups = told
        .iter_mut()
        .filter_map(|(session, event)| Some((session.as_str(), event.data.group_mut()?.group_id.as_str())));
    let names = names(batch, groups).await?;
    for (session, event) in &mut told {
        if let Some(group) = event.data.group_mut().filter(|group| group.subject.is_none()) {
            group.subject = names.get(&(session.to_string(), group.group_id.clone())).cloned();
        }
    }
    batch.events.extend(told);
    Ok(())
}

/// What these groups (a session and a JID) are called, as far as it is known: one lookup by a whole index.
pub(super) async fn names<'a>(
    batch: &mut Batch<'_, '_>,
    groups: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<HashMap<(String, String), String>> {
    let asked: BTreeSet<(&str, &str)> = groups.collect();
    let rows = asked.into_iter().map(|(session, jid)| values![session, jid]).collect();
    let found: Vec<(String, String, String)> = batch.many(NAMES, rows).await?;
    Ok(found.into_iter().map(|(session, jid, subject)| ((session, jid), subject)).collect())
}
