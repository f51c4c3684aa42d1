//! Keeping the leases on the sessions this process runs.

use std::collections::HashSet;

use tracing::warn;
use wapid_core::store::leases::LEASE_MS;

use super::{Command, Sessions};

/// Renews at a third of a lease's life, so that two renewals may fail before it ends.
pub(super) async fn renew(sessions: Sessions) {
    let mut closing = sessions.0.closing.subscribe();
    let clock = sessions.store().clock().clone();
    loop {
        let next = clock.now().plus_ms(LEASE_MS / 3);
        tokio::select! {
            () = clock.until(next) => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let held: HashSet<_> = match sessions.store().renew_leases(&sessions.0.parts.owner).await {
            Ok(held) => held.into_iter().collect(),
            Err(error) => {
                warn!("Leases were not renewed: {error}");
                continue;
            }
        };
        for (key, handle) in &sessions.0.table.read().handles {
            if !held.contains(key) {
                // Only a session that runs cares; the task knows.
                let _ = handle.commands.send(Command::LeaseLost);
            }
        }
    }
}
