//! Finds messages with intent on which nobody works, once a minute.
//!
//! A crash leaves them to the next start, and a lost commit to the next connection. This is for what nobody
//! thought of: a message must not wait for ever because a task met a bug.

use std::collections::BTreeSet;

use tracing::warn;

use super::{Command, Sessions};

const EVERY_MS: i64 = 60_000;

pub(super) async fn run(sessions: Sessions) {
    let mut closing = sessions.0.closing.subscribe();
    let clock = sessions.store().clock().clone();
    loop {
        tokio::select! {
            () = clock.until(clock.now().plus_ms(EVERY_MS)) => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let pending = match sessions.store().pending_since(clock.now().plus_ms(-EVERY_MS)).await {
            Ok(pending) => pending,
            Err(error) => {
                warn!("Messages without a result could not be read: {error}");
                continue;
            }
        };
        let left: BTreeSet<_> = {
            let underway = sessions.0.underway.lock();
            let left = pending.into_iter().filter(|(_, wa_id)| !underway.contains_key(wa_id));
            left.map(|(session, _)| session).collect()
        };
        for session in left.iter().filter(|session| sessions.holds(session)) {
            warn!(session.key = %session, "Messages lay there that nobody worked on; taking them up");
            if let Some(handle) = sessions.handle(session) {
                let _ = handle.commands.send(Command::Recover);
            }
        }
    }
}
