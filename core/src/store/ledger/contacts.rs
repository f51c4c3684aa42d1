//! One id per person, whichever of their names WhatsApp gives: a phone number, a LID, or both.
//!
//! Who hides their number today may show it tomorrow; a receiver that goes by `contactId` does not notice.

use std::collections::{BTreeMap, BTreeSet};

use super::workbench::{Batch, ContactName};
use crate::event::{EventPerson, NewEvent};
use crate::id::{ContactId, TenantId};
use crate::key::Mode;
use crate::store::error::Result;
use crate::store::tx::values;

/// Remembered at once, some 8 MB.
const KNOWN_MAX: usize = 50_000;

pub(super) const FIND: &str = "WITH v (tenant_id, mode, alias) AS ({rows})
    SELECT c.tenant_id, c.mode, c.alias, c.contact_id
    FROM v JOIN contacts c ON c.tenant_id = v.tenant_id AND c.mode = v.mode AND c.alias = v.alias";

/// One that another process named just now keeps its name.
const ADD: &str = "WITH v (tenant_id, mode, alias, contact_id) AS ({rows})
    INSERT INTO contacts (tenant_id, mode, alias, contact_id)
    SELECT v.tenant_id, v.mode, v.alias, v.contact_id FROM v WHERE v.alias IS NOT NULL
    ON CONFLICT (tenant_id, mode, alias) DO NOTHING";

const MERGE: &str = "UPDATE contacts SET contact_id = $4 WHERE tenant_id = $1 AND mode = $2 AND alias = $3";

pub(super) const OTHER_LID: &str = "SELECT alias FROM contacts
    WHERE contact_id = $3 AND tenant_id || '' = $1 AND mode || '' = $2 AND alias LIKE 'l:%' AND alias <> $4";

fn place(name: &ContactName) -> (&str, &'static str, &str) {
    (name.0.as_str(), name.1.as_str(), name.2.as_str())
}

/// Names of one person: `p:` and a number, `l:` and a LID.
fn aliases(person: &EventPerson<'_>) -> Vec<String> {
    let phone = person.phone.map(|digits| format!("p:{digits}"));
    phone.into_iter().chain(person.lid.map(|lid| format!("l:{lid}"))).collect()
}

/// Tells events about somebody which contact that is.
pub(super) async fn name<'a>(
    batch: &mut Batch<'_, '_>,
    events: impl Iterator<Item = ((&'a TenantId, Mode), &'a mut NewEvent)>,
) -> Result<()> {
    let (people, contacts): (Vec<Vec<ContactName>>, Vec<_>) = events
        .filter_map(|((tenant, mode), event)| {
            let person = event.data.person_mut()?;
            let names: Vec<ContactName> =
                aliases(&person).into_iter().map(|alias| (tenant.clone(), mode, alias)).collect();
            (!names.is_empty()).then_some((names, person.contact_id))
        })
        .unzip();
    know(batch, &people).await?;
    for (names, contact_id) in people.iter().zip(contacts) {
        let contact = names.first().and_then(|name| batch.bench.contacts.get(name));
        *contact_id = contact.map(ToString::to_string);
    }
    Ok(())
}

/// Gives everybody an id: one for all the names of each of `people`.
///
/// A LID stays its account's, a number does not: it is given to somebody else some day. So a number that shows
/// another LID than before goes over to that one, and leaves behind whom it named.
pub(super) async fn know(batch: &mut Batch<'_, '_>, people: &[Vec<ContactName>]) -> Result<()> {
    let names = || people.iter().flatten();
    if batch.bench.contacts.len() > KNOWN_MAX {
        batch.bench.contacts.clear();
    }
    find(batch, names()).await?;
    for names in people {
        give_away(batch, names).await?;
    }
    // Sorted, so that two processes lock in the same order.
    let mut new: BTreeMap<(&str, &'static str, &str), ContactId> = BTreeMap::new();
    let mut merged: Vec<(&ContactName, ContactId)> = Vec::new();
    for names in people {
        let ids =
            names.iter().filter_map(|name| batch.bench.contacts.get(name).or_else(|| new.get(&place(name))));
        // The older one of two stays.
        let id = ids.min().cloned().unwrap_or_default();
        for name in names {
            match batch.bench.contacts.get(name) {
                Some(known) if *known == id => {}
                Some(_) => merged.push((name, id.clone())),
                None => drop(new.insert(place(name), id.clone())),
            }
        }
    }
    if !new.is_empty() {
        let rows = new.iter().map(|(name, id)| values![name.0, name.1, name.2, id.as_str()]).collect();
        batch.run_many(ADD, rows).await?;
        find(batch, names()).await?;
    }
    for (name, id) in merged {
        batch.tx.run(MERGE, values![name.0.as_str(), name.1.as_str(), name.2.as_str(), id.as_str()]).await?;
        batch.bench.contacts.insert(name.clone(), id);
    }
    Ok(())
}

/// Takes a number from whom it named, where it comes with another LID now.
async fn give_away(batch: &mut Batch<'_, '_>, names: &[ContactName]) -> Result<()> {
    let [number, lid] = names else { return Ok(()) };
    let Some(before) = batch.bench.contacts.get(number).cloned() else { return Ok(()) };
    if batch.bench.contacts.get(lid) == Some(&before) {
        return Ok(());
    }
    let (tenant, mode, alias) = place(lid);
    let others: Vec<(String,)> =
        batch.tx.rows(OTHER_LID, values![tenant, mode, before.as_str(), alias]).await?;
    if others.is_empty() {
        return Ok(());
    }
    let id = batch.bench.contacts.get(lid).cloned().unwrap_or_default();
    let (tenant, mode, alias) = place(number);
    batch.tx.run(MERGE, values![tenant, mode, alias, id.as_str()]).await?;
    batch.bench.contacts.insert(number.clone(), id);
    Ok(())
}

/// Looks up those that are not known yet.
async fn find<'a>(batch: &mut Batch<'_, '_>, names: impl Iterator<Item = &'a ContactName>) -> Result<()> {
    let unknown: BTreeSet<(&str, &'static str, &str)> = names
        .filter(|name| !batch.bench.contacts.contains_key(*name))
        .map(|(tenant, mode, alias)| (tenant.as_str(), mode.as_str(), alias.as_str()))
        .collect();
    let rows = unknown.into_iter().map(|(tenant, mode, alias)| values![tenant, mode, alias]).collect();
    let found: Vec<(TenantId, Mode, String, ContactId)> = batch.many(FIND, rows).await?;
    batch
        .bench
        .contacts
        .extend(found.into_iter().map(|(tenant, mode, alias, id)| ((tenant, mode, alias), id)));
    Ok(())
}
