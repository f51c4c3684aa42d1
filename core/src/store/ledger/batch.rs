//! One transaction: everything that waited, in phases, each phase in order of arrival.
//!
//! Those who wait together asked at the same time, so any order between them is a true one. This one
//! lets a message exist before its result and its receipts.

use super::operation::{Done, Op};
use super::workbench::{Events, Workbench};
use super::{accept, deliver, files, groups, job_changes, jobs, opt_outs, people, receive, settle};
use crate::clock::At;
use crate::store::error::Result;
use crate::store::sessions;
use crate::store::tx::Tx;

/// Writes all of `ops`; one answer for each.
pub(super) async fn write(tx: &mut Tx<'_>, bench: &mut Workbench, now: At, ops: &[Op]) -> Result<Vec<Done>> {
    let mut done: Vec<Done> = ops.iter().map(|_| Done::Written).collect();
    let mut events = Events::default();
    for (place, op) in ops.iter().enumerate() {
        if let Op::Save { key, epoch, saved, event } = op {
            let is_ours = !sessions::is_superseded(tx, key, *epoch).await?;
            if is_ours {
                sessions::save(tx, key, saved.as_ref(), now).await?;
                events.extend(event.as_ref().map(|event| (key.clone(), event.clone())));
            }
            done[place] = Done::Changed(Some(is_ours));
        }
        if let Op::Remove { key, event } = op {
            job_changes::fail(tx, key, now, &mut events).await?;
            events.extend([(key.clone(), event.clone())]);
        }
    }
    for (place, op) in ops.iter().enumerate() {
        match op {
            Op::OptOut(it) => {
                done[place] = Done::Changed(Some(opt_outs::write(tx, now, it, &mut events).await?))
            }
            Op::File(it) => done[place] = Done::File(files::write(tx, now, it, &mut events).await?),
            Op::Switch(it) => done[place] = Done::Changed(deliver::switch(tx, now, it, &mut events).await?),
            _ => {}
        }
    }
    groups::write(tx, bench, ops, &mut events).await?;
    receive::write(tx, bench, now, ops, &mut done, &mut events).await?;
    job_changes::change(tx, now, ops, &mut done, &mut events).await?;
    job_changes::retry(tx, now, ops, &mut done, &mut events).await?;
    accept::write(tx, bench, now, ops, &mut done, &mut events).await?;
    jobs::dismiss(tx, bench, ops, &mut events).await?;
    settle::write_results(tx, bench, now, ops, &mut done, &mut events).await?;
    settle::write_receipts(tx, bench, now, ops, &mut events).await?;
    deliver::write(tx, bench, now, ops, &mut events).await?;
    people::write(tx, bench, now, ops, &mut events).await?;
    events.write(tx, bench, now).await?;
    for op in ops {
        if let Op::Remove { key, .. } = op {
            sessions::delete(tx, key).await?;
        }
    }
    Ok(done)
}
