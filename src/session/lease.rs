//! Keeping the leases on the sessions this process runs, and looking after those it does not.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::warn;
use wapid_core::id::SessionKey;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::leases::LEASE_MS;

use super::{Command, Handle, Sessions, task};

/// Renews at a third of a lease's life, so that two renewals may fail before it ends.
const RENEWALS: u32 = 3;
/// How long one renewal waits for the database.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn renew(sessions: Sessions) {
    let mut closing = sessions.0.closing.subscribe();
    let clock = sessions.store().clock().clone();
    let mut renewed_at = clock.now();
    let mut rounds = clock.rounds(LEASE_MS / i64::from(RENEWALS));
    for round in 1u32.. {
        tokio::select! {
            () = rounds.next() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        // A lease lasts from before the question, however long the answer takes.
        let asked_at = clock.now();
        let renewed = tokio::time::timeout(RENEWAL_PATIENCE, renew_once(&sessions)).await;
        match renewed {
            Ok(Ok(())) => renewed_at = asked_at,
            failed => {
                match failed {
                    Ok(Err(error)) => warn!("Leases were not renewed: {error}"),
                    _ => warn!("Leases were not renewed: the database does not answer"),
                }
                if clock.now().since(renewed_at) >= LEASE_MS {
                    // Another process may have taken them by now, and two must not use the same keys.
                    close_all(&sessions);
                }
            }
        }
        if round % RENEWALS == 0 {
            match tokio::time::timeout(RENEWAL_PATIENCE, sweep(&sessions)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!("Sessions of other processes could not be read: {error}"),
                Err(_) => {
                    warn!("Sessions of other processes could not be read: the database does not answer")
                }
            }
        }
    }
}

async fn renew_once(sessions: &Sessions) -> Result<(), StoreError> {
    // Those that held a lease before we ask: one that is claimed meanwhile is not in the answer.
    let holding: Vec<_> = handles(sessions)
        .into_values()
        .filter_map(|handle| {
            let epoch = {
                let view = handle.view.borrow();
                view.link.is_some().then_some(view.epoch)?
            };
            Some((handle, epoch))
        })
        .collect();
    let held: HashSet<_> =
        sessions.store().renew_leases(&sessions.0.parts.owner).await?.into_iter().collect();
    for (handle, epoch) in holding {
        if !held.contains(handle.row.key.as_str()) {
            let _ = handle.commands.send(Command::LeaseLost { epoch });
        }
    }
    for (key, removing) in sessions.store().unwanted_of(&sessions.0.parts.owner).await? {
        let Some(handle) = sessions.handle(&key) else { continue };
        let command = if removing { Command::Remove(oneshot::channel().0) } else { Command::LookAtRow };
        let _ = handle.commands.send(command);
    }
    Ok(())
}

/// Several processes may share a database. What another one made is tried here too, so that it is
/// taken over once that process is gone; what another one stopped or deleted is not waited for.
async fn sweep(sessions: &Sessions) -> Result<(), StoreError> {
    let known = handles(sessions);
    let rows = sessions.store().all_sessions().await?;
    let wanted: HashSet<_> =
        rows.iter().filter(|row| task::is_wanted(row) || row.removing).map(|row| row.key.clone()).collect();
    for row in rows {
        if known.contains_key(&row.key) {
            // One that ended meanwhile may be removed by now.
            let Some(handle) = sessions.refreshed(&row) else { continue };
            let is_running = handle.view.borrow().state.is_running();
            if task::is_to_run(&row) && !is_running {
                let _ = handle.commands.send(Command::LookAtRow);
            }
        } else if row.removing {
            let (done, _) = oneshot::channel();
            let _ = sessions.adopt(row).commands.send(Command::Remove(done));
        } else if task::is_wanted(&row) {
            let _ = sessions.adopt(row).commands.send(Command::TakeOver);
        }
    }
    for (key, handle) in known {
        let waits = {
            let view = handle.view.borrow();
            view.link.is_none() && matches!(view.state, State::Resting { .. })
        };
        if waits && !wanted.contains(&key) {
            sessions.let_go(&handle);
        }
    }
    Ok(())
}

fn close_all(sessions: &Sessions) {
    for handle in handles(sessions).into_values() {
        let epoch = handle.view.borrow().epoch;
        let _ = handle.commands.send(Command::LeaseLost { epoch });
    }
}

fn handles(sessions: &Sessions) -> HashMap<SessionKey, Handle> {
    sessions.0.table.read().handles.clone()
}
