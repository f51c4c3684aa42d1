//! Results and receipts: a status moves forward, at most once per step, and says so in an event.
//!
//! The rule is `Status::advance`; here it is one comparison of ranks inside the `UPDATE`, so that two
//! processes cannot both take the same step.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::moved::Moved;
use super::operation::{Done, Op, members};
use super::vocabulary::Outcome;
use super::workbench::Batch;
use super::{change, jobs};
use crate::clock::At;
use crate::id::MessageKey;
use crate::message::{ReceiptSender, Status};
use crate::store::error::Result;
use crate::store::tx::values;

/// `rank < 2`: what reached somebody can no longer fail.
pub(super) const SETTLE: &str =
    "WITH v (tenant_id, mode, message_key, epoch, next, next_rank, moment, code, problem, refusal) AS ({rows})
    UPDATE messages SET status = v.next, rank = v.next_rank, pending = FALSE,
        sent_at = CASE WHEN v.next_rank = 1 THEN v.moment ELSE messages.sent_at END,
        failed_at = CASE WHEN v.next_rank = 9 THEN v.moment ELSE messages.failed_at END,
        error_code = v.code, error = v.problem, refusal = v.refusal
    FROM v
    WHERE messages.tenant_id = v.tenant_id AND messages.mode = v.mode AND messages.key = v.message_key
        AND messages.direction = 'out' AND messages.rank < v.next_rank AND messages.rank < 2
        AND messages.claimed_epoch <= v.epoch
    RETURNING messages.key, messages.session_key, messages.wa_id, messages.chat, messages.phone, messages.lid,
        messages.kind, messages.status, messages.error_code, messages.error, messages.tenant_id, messages.mode,
        messages.counted_on, messages.job_id, messages.job_seq, messages.target, messages.origin";

/// A message that was delivered was sent, and one that was read was delivered, whether or not we were
/// told. The tenant is compared as `tenant_id || ''` to keep both engines from reading all of the
/// tenant's rows: without it, SQLite preferred that to the index on `(session_key, wa_id)`.
///
/// A member's receipt counts for their group. Whoever answers in a chat of two is known by number or by LID, and one
/// name that differs tells a stranger; where WhatsApp named nobody that the row knows, its routing is believed.
pub(super) const ADVANCE: &str = "WITH v (tenant_id, mode, session, id, next, next_rank, moment, heard_in, phone, lid)
        AS ({rows})
    UPDATE messages SET status = v.next, rank = v.next_rank, pending = FALSE,
        sent_at = COALESCE(messages.sent_at, v.moment),
        delivered_at = COALESCE(messages.delivered_at, v.moment),
        read_at = CASE WHEN v.next_rank >= 3 THEN COALESCE(messages.read_at, v.moment)
            ELSE messages.read_at END,
        played_at = CASE WHEN v.next_rank = 4 THEN v.moment ELSE messages.played_at END
    FROM v
    WHERE messages.tenant_id || '' = v.tenant_id AND messages.mode || '' = v.mode
        AND messages.session_key = v.session AND messages.wa_id = v.id
        AND messages.direction = 'out' AND messages.rank < v.next_rank
        AND CASE WHEN v.heard_in IS NOT NULL THEN messages.chat = v.heard_in
            ELSE messages.chat NOT LIKE '%@g.us'
                AND COALESCE(messages.phone = v.phone, messages.lid = v.lid, TRUE) END
    RETURNING messages.key, messages.session_key, messages.wa_id, messages.chat, messages.phone, messages.lid,
        messages.kind, messages.status, messages.error_code, messages.error, messages.tenant_id, messages.mode,
        messages.counted_on, messages.job_id, messages.job_seq, messages.target, messages.origin";

pub(super) const GIVE_BACK_SESSION: &str = "WITH v (session_key, day, n) AS ({rows})
    UPDATE session_usage SET used = CASE WHEN session_usage.used > v.n THEN session_usage.used - v.n ELSE 0 END
    FROM v WHERE session_usage.session_key = v.session_key AND session_usage.day = v.day";

pub(super) const GIVE_BACK: &str = "WITH v (tenant_id, mode, day, n) AS ({rows})
    UPDATE daily_usage SET used = CASE WHEN daily_usage.used > v.n THEN daily_usage.used - v.n ELSE 0 END
    FROM v
    WHERE daily_usage.tenant_id = v.tenant_id AND daily_usage.mode = v.mode AND daily_usage.day = v.day";

/// The results of transmissions.
pub(super) async fn write_results(batch: &mut Batch<'_, '_>, ops: &[Op], done: &mut [Done]) -> Result<()> {
    let mut first: HashSet<&MessageKey> = HashSet::new();
    let mut rows = Vec::new();
    let mut at: Vec<(&MessageKey, At)> = Vec::new();
    for (place, settlement) in members!(ops, Settle) {
        // One statement cannot take two steps with one row.
        if !first.insert(&settlement.key) {
            done[place] = Done::NotYet;
            continue;
        }
        let (status, code, problem, refusal) = match &settlement.outcome {
            Outcome::Sent => (Status::Sent, None, None, None),
            Outcome::Failed { code, error } => {
                (Status::Failed, Some(code.as_str()), Some(error.clone()), None)
            }
            Outcome::Refused(nack) => (Status::Failed, Some(nack.code()), Some(nack.words()), nack.number()),
        };
        at.push((&settlement.key, settlement.at));
        rows.push(values![
            settlement.owner.tenant.as_str(),
            settlement.owner.mode.as_str(),
            settlement.key.as_str(),
            settlement.epoch,
            status.as_str(),
            status.rank(),
            settlement.at,
            code,
            problem,
            refusal,
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let moved: HashMap<MessageKey, Moved> = batch
        .many::<Moved>(SETTLE, rows)
        .await?
        .into_iter()
        .map(|moved| (moved.key.clone(), moved))
        .collect();
    let moved: Vec<(&Moved, At)> =
        at.iter().filter_map(|(key, at)| moved.get(*key).map(|moved| (moved, *at))).collect();
    batch.events.extend(moved.iter().map(|(moved, at)| moved.event(*at)));
    change::apply_all(batch.tx, moved.iter().map(|(moved, _)| *moved)).await?;
    // WhatsApp's own time of a message is in whole seconds; a job goes by ours.
    let now = batch.now;
    jobs::settle(batch, moved.iter().map(|(moved, _)| (*moved, now))).await?;
    jobs::block(batch, moved.iter().copied()).await?;
    let failed = moved.iter().map(|(moved, _)| *moved).filter(|moved| moved.status == Status::Failed);
    give_back(batch, failed).await
}

/// Returns the quota of what failed, to the day it was taken from.
async fn give_back<'a>(batch: &mut Batch<'_, '_>, failed: impl Iterator<Item = &'a Moved>) -> Result<()> {
    let mut days: BTreeMap<(&str, &str, &str), i64> = BTreeMap::new();
    let mut sessions: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for moved in failed {
        if let Some(day) = &moved.counted_on {
            *days.entry((moved.tenant_id.as_str(), moved.mode.as_str(), day)).or_default() += 1;
            *sessions.entry((moved.session_key.as_str(), day)).or_default() += 1;
        }
    }
    let rows = sessions.into_iter().map(|((session, day), n)| values![session, day, n]).collect();
    batch.run_many(GIVE_BACK_SESSION, rows).await?;
    let rows = days.into_iter().map(|((tenant, mode, day), n)| values![tenant, mode, day, n]).collect();
    batch.run_many(GIVE_BACK, rows).await?;
    Ok(())
}

/// What recipients' devices said, nearest step first, so that each step that happened is told.
pub(super) async fn write_receipts(batch: &mut Batch<'_, '_>, ops: &[Op]) -> Result<()> {
    for status in [Status::Delivered, Status::Read, Status::Played] {
        let mut seen: HashSet<(&str, &str, &ReceiptSender)> = HashSet::new();
        let mut rows = Vec::new();
        let mut at: Vec<(&str, &str, At)> = Vec::new();
        for (_, news) in members!(ops, Receipt).filter(|(_, news)| news.status == status) {
            let session = news.owner.session.as_str();
            for wa_id in news.wa_ids.iter().filter(|id| seen.insert((session, id, &news.by))) {
                at.push((session, wa_id, news.at));
                rows.push(values![
                    news.owner.tenant.as_str(),
                    news.owner.mode.as_str(),
                    session,
                    wa_id.as_str(),
                    status.as_str(),
                    status.rank(),
                    news.at,
                    news.by.group.as_deref(),
                    news.by.phone.as_deref(),
                    news.by.lid.as_deref(),
                ]);
            }
        }
        if rows.is_empty() {
            continue;
        }
        let moved = batch.many::<Moved>(ADVANCE, rows).await?;
        let mut moved: HashMap<(&str, &str), &Moved> =
            moved.iter().map(|moved| ((moved.session_key.as_str(), moved.wa_id.as_str()), moved)).collect();
        let moved: Vec<(&Moved, At)> = at
            .iter()
            .filter_map(|(session, id, at)| moved.remove(&(*session, *id)).map(|moved| (moved, *at)))
            .collect();
        batch.events.extend(moved.iter().map(|(moved, at)| moved.event(*at)));
        change::apply_all(batch.tx, moved.iter().map(|(moved, _)| *moved)).await?;
        // A receipt that overtook the ack is the result as well.
        let now = batch.now;
        jobs::settle(batch, moved.into_iter().map(|(moved, _)| (moved, now))).await?;
    }
    Ok(())
}
