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
        // Those that held a lease before we ask: one that is claimed meanwhile is not in the answer.
        let holding: Vec<_> = {
            let table = sessions.0.table.read();
            let open = |handle: &&super::Handle| handle.view.borrow().link.is_some();
            table.handles.values().filter(open).map(|h| (h.clone(), h.view.borrow().epoch)).collect()
        };
        let held: HashSet<_> = match sessions.store().renew_leases(&sessions.0.parts.owner).await {
            Ok(held) => held.into_iter().collect(),
            Err(error) => {
                warn!("Leases were not renewed: {error}");
                continue;
            }
        };
        for (handle, epoch) in holding {
            if !held.contains(&handle.row.key) {
                let _ = handle.commands.send(Command::LeaseLost { epoch });
            }
        }
    }
}
