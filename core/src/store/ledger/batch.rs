//! One transaction: everything that waited, in phases, each phase in order of arrival.
//!
//! Those who wait together asked at the same time, so any order between them is a true one. This one
//! lets a message exist before its result and its receipts.

use super::operation::{Done, Op};
use super::workbench::{Batch, Events, Workbench};
use super::{accept, deliver, events, files, groups, job_changes, jobs, opt_outs, people, receive, settle};
use crate::clock::At;
use crate::store::error::Result;
use crate::store::sessions;
use crate::store::tx::Tx;

/// Writes all of `ops`; one answer for each.
pub(super) async fn write(tx: &mut Tx<'_>, bench: &mut Workbench, now: At, ops: &[Op]) -> Result<Vec<Done>> {
    let mut done: Vec<Done> = ops.iter().map(|_| Done::Written).collect();
    let batch = &mut Batch { tx, bench, now, events: Events::default() };
    for (place, op) in ops.iter().enumerate() {
        if let Op::Save { key, epoch, saved, event } = op {
            let is_ours = !sessions::is_superseded(batch.tx, key, *epoch).await?;
            if is_ours {
                sessions::save(batch.tx, key, saved.as_ref(), now).await?;
                batch.events.extend(event.as_ref().map(|event| (key.clone(), event.clone())));
            }
            done[place] = Done::Changed(Some(is_ours));
        }
        if let Op::Remove { key, event } = op {
            job_changes::fail(batch, key).await?;
            batch.events.extend([(key.clone(), event.clone())]);
        }
    }
    for (place, op) in ops.iter().enumerate() {
        match op {
            Op::OptOut(it) => done[place] = Done::Changed(Some(opt_outs::write(batch, it).await?)),
            Op::File(it) => done[place] = Done::File(files::write(batch, it).await?),
            Op::Switch(it) => done[place] = Done::Changed(deliver::switch(batch, it).await?),
            _ => {}
        }
    }
    groups::write(batch, ops).await?;
    receive::write(batch, ops, &mut done).await?;
    job_changes::change(batch, ops, &mut done).await?;
    job_changes::retry(batch, ops, &mut done).await?;
    accept::write(batch, ops, &mut done).await?;
    jobs::dismiss(batch, ops).await?;
    settle::write_results(batch, ops, &mut done).await?;
    settle::write_receipts(batch, ops).await?;
    deliver::write(batch, ops).await?;
    people::write(batch, ops).await?;
    events::write(batch).await?;
    for op in ops {
        if let Op::Remove { key, .. } = op {
            sessions::delete(batch.tx, key).await?;
        }
    }
    Ok(done)
}
