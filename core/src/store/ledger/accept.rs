//! Intents: is it our session, may the job go on, was it asked before, is there quota left; then the row.
//!
//! Each question is one statement for the whole batch. The idempotency key and the quota are *taken*
//! by the statement that asks, so no other process can take them in between; what is refused after
//! that is given back in the same transaction.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::candidate::{Account, Candidate};
use super::operation::{Done, Op, members};
use super::vocabulary::{Accepted, Intent, Refused};
use super::workbench::Batch;
use super::{jobs, owners, people};
use crate::id::MessageKey;
use crate::key::Mode;
use crate::phone::{Phone, Recipient};
use crate::store::error::Result;
use crate::store::tx::{Value, values};
use crate::tenant::local_day;

pub(super) const OPTED_OUT: &str = "WITH v (tenant_id, mode, phone) AS ({rows})
    SELECT o.tenant_id, o.mode, o.phone
    FROM v JOIN opt_outs o ON o.tenant_id = v.tenant_id AND o.mode = v.mode AND o.phone = v.phone";

/// A row that is answered is ours: new, or in place of one that had expired.
pub(super) const TAKE_KEY: &str =
    "WITH v (tenant_id, mode, key, fingerprint, message_key, created_at, expires_at) AS ({rows})
    INSERT INTO idempotency_keys (tenant_id, mode, key, fingerprint, message_key, created_at, expires_at)
    SELECT v.tenant_id, v.mode, v.key, v.fingerprint, v.message_key, v.created_at, v.expires_at
    FROM v WHERE v.key IS NOT NULL
    ON CONFLICT (tenant_id, mode, key) DO UPDATE SET fingerprint = excluded.fingerprint,
        message_key = excluded.message_key, created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= excluded.created_at
    RETURNING tenant_id, mode, key";

pub(super) const KEY_TAKEN: &str = "WITH v (tenant_id, mode, key) AS ({rows})
    SELECT k.tenant_id, k.mode, k.key, k.fingerprint, k.message_key
    FROM v JOIN idempotency_keys k ON k.tenant_id = v.tenant_id AND k.mode = v.mode AND k.key = v.key";

pub(super) const LEAVE_KEY: &str = "WITH v (tenant_id, mode, key) AS ({rows})
    DELETE FROM idempotency_keys WHERE (tenant_id, mode, key) IN (SELECT v.tenant_id, v.mode, v.key FROM v)";

/// Locks the day's row, also against other processes.
pub(super) const TAKE_QUOTA: &str = "WITH v (tenant_id, mode, day, n) AS ({rows})
    INSERT INTO daily_usage (tenant_id, mode, day, used)
    SELECT v.tenant_id, v.mode, v.day, v.n FROM v WHERE v.day IS NOT NULL
    ON CONFLICT (tenant_id, mode, day) DO UPDATE SET used = daily_usage.used + excluded.used
    RETURNING tenant_id, mode, used";

pub(super) const LEAVE_QUOTA: &str = "WITH v (tenant_id, mode, day, n) AS ({rows})
    UPDATE daily_usage SET used = daily_usage.used - v.n FROM v
    WHERE daily_usage.tenant_id = v.tenant_id AND daily_usage.mode = v.mode AND daily_usage.day = v.day";

pub(super) const TAKE_SESSION_QUOTA: &str = "WITH v (session_key, day, n) AS ({rows})
    INSERT INTO session_usage (session_key, day, used) SELECT v.session_key, v.day, v.n FROM v
    WHERE v.day IS NOT NULL
    ON CONFLICT (session_key, day) DO UPDATE SET used = session_usage.used + excluded.used
    RETURNING session_key, used";

pub(super) const LEAVE_SESSION_QUOTA: &str = "WITH v (session_key, day, n) AS ({rows})
    UPDATE session_usage SET used = session_usage.used - v.n FROM v
    WHERE session_usage.session_key = v.session_key AND session_usage.day = v.day";

pub(super) const INSERT: &str = "WITH v (tenant_id, mode, key, session_key, session_id, wa_id, chat, phone, lid, kind, body,
        content, claimed_epoch, counted_on, created_at, job_id, job_seq, target, media_id) AS ({rows})
    INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id, chat, sender,
        phone, lid, kind, body, content, status, rank, pending, claimed_epoch, counted_on, created_at, job_id,
        job_seq, target, media_id)
    SELECT v.tenant_id, v.mode, v.key, v.session_key, v.session_id, 'out', 'api', v.wa_id, v.chat, '',
        v.phone, v.lid, v.kind, v.body, v.content, 'sending', 0, TRUE, v.claimed_epoch, v.counted_on, v.created_at,
        v.job_id, v.job_seq, v.target, v.media_id
    FROM v WHERE v.key IS NOT NULL";

pub(super) async fn write(batch: &mut Batch<'_, '_>, ops: &[Op], done: &mut [Done]) -> Result<()> {
    let owners =
        owners::known(batch, members!(ops, Accept).map(|(_, intent)| &intent.owner).collect()).await?;
    let mut days: HashMap<&str, String> = HashMap::new();
    let mut candidates = Vec::new();
    for (place, intent) in members!(ops, Accept) {
        let owner = match owners.get(&intent.owner) {
            Some(owner) if !owner.removing => owner,
            _ => {
                done[place] = Done::Accept(Err(Refused::NoSession));
                continue;
            }
        };
        if owner.epoch.is_some_and(|epoch| epoch > intent.epoch) {
            done[place] = Done::Accept(Err(Refused::LeaseLost));
            continue;
        }
        let (key, created_at) = batch.bench.ids.message(batch.now);
        let day =
            days.entry(&owner.time_zone).or_insert_with(|| local_day(batch.now, &owner.time_zone)).clone();
        candidates.push(Candidate {
            place,
            intent,
            key,
            created_at,
            day,
            daily_limit: owner.daily_limit,
            session_limit: owner.session_limit,
            opt_out_all: owner.opt_out_all,
        });
    }
    let (candidates, starting) = jobs::leave_ready(batch, candidates, done).await?;
    let candidates = leave_out_opted_out(batch, candidates, done).await?;
    let candidates = take_keys(batch, candidates, done).await?;
    let (counted, mut candidates): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|one| one.intent.content.is_counted());
    candidates.extend(take_quota(batch, counted, done).await?);
    candidates.sort_by_key(|one| one.place);
    let rows = candidates.iter().map(row).collect::<Result<_>>()?;
    batch.run_many(INSERT, rows).await?;
    jobs::release(batch, &candidates, &starting).await?;
    for one in candidates {
        done[one.place] = Done::Accept(Ok(Accepted::New { key: one.key, created_at: one.created_at }));
    }
    Ok(())
}

/// The LID of the person whom a message is for.
fn lid_of(intent: &Intent) -> Option<&str> {
    match &intent.to {
        Recipient::Hidden(lid) => Some(lid),
        Recipient::Person(_) => intent.lid.as_deref(),
        Recipient::Group(_) => None,
    }
}

fn row(one: &Candidate<'_>) -> Result<Vec<Value>> {
    let intent = one.intent;
    Ok(values![
        intent.owner.tenant.as_str(),
        intent.owner.mode.as_str(),
        one.key.as_str(),
        intent.owner.session.as_str(),
        intent.owner.session_id.as_str(),
        intent.wa_id.as_str(),
        intent.to.jid(),
        intent.to.phone().map(Phone::digits),
        lid_of(intent),
        intent.content.kind(),
        intent.content.body.text(),
        serde_json::to_string(&intent.content)?,
        intent.epoch,
        intent.content.is_counted().then_some(one.day.as_str()),
        one.created_at,
        intent.job.as_ref().map(|part| part.job.as_str()),
        intent.job.as_ref().map(|part| part.seq),
        intent.content.target().map(|target| target.id.as_str()),
        intent.content.file().map(|(_, media)| media.as_str()),
    ])
}

/// Leaves those whose idempotency key, if any, was free; answers the others.
async fn take_keys<'a>(
    batch: &mut Batch<'_, '_>,
    candidates: Vec<Candidate<'a>>,
    done: &mut [Done],
) -> Result<Vec<Candidate<'a>>> {
    type Name<'a> = (&'a str, &'static str, &'a str);
    fn name(intent: &Intent) -> Option<Name<'_>> {
        let key = intent.idempotency.as_ref()?;
        Some((intent.owner.tenant.as_str(), intent.owner.mode.as_str(), key.key.as_str()))
    }
    // The first of each key asks for all; sorted, so that two processes lock in the same order.
    let mut first: BTreeMap<Name<'_>, Vec<Value>> = BTreeMap::new();
    for one in &candidates {
        if let (Some(name), Some(key)) = (name(one.intent), &one.intent.idempotency) {
            first.entry(name).or_insert_with(|| {
                values![
                    name.0,
                    name.1,
                    name.2,
                    hex::encode(key.fingerprint),
                    one.key.as_str(),
                    one.created_at,
                    key.expires_at,
                ]
            });
        }
    }
    if first.is_empty() {
        return Ok(candidates);
    }
    let names: Vec<Name<'_>> = first.keys().copied().collect();
    let taken: Vec<(String, String, String)> = batch.many(TAKE_KEY, first.into_values().collect()).await?;
    let mut taken: HashSet<Name<'_>> = names
        .iter()
        .filter(|n| taken.iter().any(|t| (t.0.as_str(), t.1.as_str(), t.2.as_str()) == **n))
        .copied()
        .collect();
    let others = names.iter().filter(|n| !taken.contains(*n)).map(|n| values![n.0, n.1, n.2]).collect();
    let others: Vec<(String, String, String, String, String)> = batch.many(KEY_TAKEN, others).await?;
    let others: HashMap<(&str, &str, &str), (&str, &str)> = others
        .iter()
        .map(|(tenant, mode, key, print, message)| {
            ((tenant.as_str(), mode.as_str(), key.as_str()), (print.as_str(), message.as_str()))
        })
        .collect();

    let mut left = Vec::with_capacity(candidates.len());
    for one in candidates {
        let (Some(name), Some(key)) = (name(one.intent), &one.intent.idempotency) else {
            left.push(one);
            continue;
        };
        if taken.remove(&name) {
            left.push(one);
            continue;
        }
        done[one.place] = match others.get(&name) {
            // Its fate is that of the first one, which is not decided yet; or the key was freed just
            // now by another process.
            None => Done::NotYet,
            Some((print, message)) if *print == hex::encode(key.fingerprint) => {
                Done::Accept(Ok(Accepted::Repeat { key: MessageKey((*message).to_owned()) }))
            }
            Some(_) => Done::Accept(Err(Refused::KeyReused)),
        };
    }
    Ok(left)
}

/// Where a tenant wants its opt-outs to count for every message, single ones included. A job's were left
/// out before.
async fn leave_out_opted_out<'a>(
    batch: &mut Batch<'_, '_>,
    candidates: Vec<Candidate<'a>>,
    done: &mut [Done],
) -> Result<Vec<Candidate<'a>>> {
    /// Of the account, and as somebody wrote it: whoever asked to be left alone under either is.
    fn numbers<'a>(one: &Candidate<'a>) -> impl Iterator<Item = (&'a str, &'static str, &'a str)> + use<'a> {
        let owner = &one.intent.owner;
        let counts = one.opt_out_all && one.intent.job.is_none();
        let numbers = one.intent.to.phone().into_iter().chain(&one.intent.asked).filter(move |_| counts);
        numbers.map(|phone| (owner.tenant.as_str(), owner.mode.as_str(), phone.digits()))
    }
    /// Somebody may have asked under a number that this message does not name.
    fn lid<'a>(one: &Candidate<'a>) -> Option<(&'a str, &'static str, &'a str)> {
        let owner = &one.intent.owner;
        let lid = lid_of(one.intent).filter(|_| one.opt_out_all && one.intent.job.is_none())?;
        Some((owner.tenant.as_str(), owner.mode.as_str(), lid))
    }
    let lids: BTreeSet<_> = candidates.iter().filter_map(lid).collect();
    let rows = lids.into_iter().map(|(tenant, mode, lid)| values![tenant, mode, lid]).collect();
    let known: Vec<(String, String, String, String)> = batch.many(people::NUMBERS, rows).await?;
    let mut asked: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for (tenant, mode, phone) in candidates.iter().flat_map(numbers) {
        asked.insert((tenant, mode, phone));
    }
    for (tenant, mode, _, alias) in &known {
        asked.insert((tenant, mode, alias.trim_start_matches("p:")));
    }
    if asked.is_empty() {
        return Ok(candidates);
    }
    let rows = asked.into_iter().map(|(tenant, mode, phone)| values![tenant, mode, phone]).collect();
    let out: Vec<(String, String, String)> = batch.many(OPTED_OUT, rows).await?;
    let out: HashSet<(&str, &str, &str)> =
        out.iter().map(|(tenant, mode, phone)| (tenant.as_str(), mode.as_str(), phone.as_str())).collect();
    let hidden: HashSet<(&str, &str, &str)> = known
        .iter()
        .filter(|(tenant, mode, _, alias)| {
            out.contains(&(tenant.as_str(), mode.as_str(), alias.trim_start_matches("p:")))
        })
        .map(|(tenant, mode, lid, _)| (tenant.as_str(), mode.as_str(), lid.as_str()))
        .collect();
    let mut left = Vec::with_capacity(candidates.len());
    for one in candidates {
        let is_out = numbers(&one).any(|number| out.contains(&number));
        if is_out || lid(&one).is_some_and(|lid| hidden.contains(&lid)) {
            done[one.place] = Done::Accept(Err(Refused::OptedOut));
        } else {
            left.push(one);
        }
    }
    Ok(left)
}

/// A day's messages of a tenant or of a session.
struct Day<'a> {
    date: &'a str,
    limit: Option<i64>,
    wanted: i64,
    granted: i64,
    /// Of those granted, not handed out yet.
    left: i64,
    used: i64,
}

impl<'a> Day<'a> {
    fn of(date: &'a str, limit: Option<i64>) -> Self {
        Self { date, limit, wanted: 0, granted: 0, left: 0, used: 0 }
    }

    /// `used` is the day's count with all that was wanted.
    fn grant(&mut self, used: i64) {
        let before = used - self.wanted;
        self.granted = self.limit.map_or(self.wanted, |limit| (limit - before).clamp(0, self.wanted));
        self.left = self.granted;
        self.used = before + self.granted;
    }

    fn hand_out(&mut self) -> Result<(), Refused> {
        if self.left == 0 {
            return Err(Refused::LimitReached { limit: self.limit.unwrap_or(i64::MAX), used: self.used });
        }
        self.left -= 1;
        Ok(())
    }
}

/// Leaves those for whom there is quota, the session's and the tenant's, first come, first served;
/// answers the others and frees their idempotency keys. The session is asked first, so that what it
/// refuses takes none of the tenant's from other sessions.
async fn take_quota<'a>(
    batch: &mut Batch<'_, '_>,
    candidates: Vec<Candidate<'a>>,
    done: &mut [Done],
) -> Result<Vec<Candidate<'a>>> {
    let mut refused: HashMap<usize, Refused> = HashMap::new();
    let mut sessions: BTreeMap<&str, Day<'_>> = BTreeMap::new();
    for one in &candidates {
        let day = || Day::of(&one.day, one.session_limit);
        sessions.entry(one.intent.owner.session.as_str()).or_insert_with(day).wanted += 1;
    }
    let rows = sessions.iter().map(|(session, day)| values![*session, day.date, day.wanted]).collect();
    let taken: Vec<(String, i64)> = batch.many(TAKE_SESSION_QUOTA, rows).await?;
    for (session, used) in &taken {
        if let Some(day) = sessions.get_mut(session.as_str()) {
            day.grant(*used);
        }
    }

    let mut tenants: BTreeMap<Account<'_>, Day<'_>> = BTreeMap::new();
    for one in &candidates {
        let session = sessions.get_mut(one.intent.owner.session.as_str()).expect("each has its session's");
        match session.hand_out() {
            Ok(()) => {
                let day = || Day::of(&one.day, one.daily_limit);
                tenants.entry(one.account()).or_insert_with(day).wanted += 1;
            }
            Err(why) => drop(refused.insert(one.place, why)),
        }
    }
    let rows =
        tenants.iter().map(|((tenant, mode), day)| values![*tenant, *mode, day.date, day.wanted]).collect();
    let taken: Vec<(String, Mode, i64)> = batch.many(TAKE_QUOTA, rows).await?;
    for (tenant, mode, used) in &taken {
        if let Some(day) = tenants.get_mut(&(tenant.as_str(), mode.as_str())) {
            day.grant(*used);
        }
    }
    for one in &candidates {
        let Entry::Vacant(place) = refused.entry(one.place) else { continue };
        let tenant = tenants.get_mut(&one.account()).expect("each has its tenant's");
        if let Err(why) = tenant.hand_out() {
            place.insert(why);
        }
    }
    if refused.is_empty() {
        return Ok(candidates);
    }

    let mut over: BTreeMap<&str, i64> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for one in candidates.iter().filter(|one| refused.contains_key(&one.place)) {
        *over.entry(one.intent.owner.session.as_str()).or_default() += 1;
        if let Some(key) = &one.intent.idempotency {
            let (tenant, mode) = one.account();
            keys.insert((tenant, mode, key.key.as_str()));
        }
    }
    let rows = over.into_iter().map(|(session, n)| values![session, sessions[session].date, n]).collect();
    batch.run_many(LEAVE_SESSION_QUOTA, rows).await?;
    let rows = tenants
        .iter()
        .filter(|(_, day)| day.granted < day.wanted)
        .map(|((tenant, mode), day)| values![*tenant, *mode, day.date, day.wanted - day.granted])
        .collect();
    batch.run_many(LEAVE_QUOTA, rows).await?;
    let keys = keys.into_iter().map(|(tenant, mode, key)| values![tenant, mode, key]).collect();
    batch.run_many(LEAVE_KEY, keys).await?;

    let mut left = Vec::with_capacity(candidates.len() - refused.len());
    for one in candidates {
        match refused.remove(&one.place) {
            Some(why) => done[one.place] = Done::Accept(Err(why)),
            None => left.push(one),
        }
    }
    Ok(left)
}
