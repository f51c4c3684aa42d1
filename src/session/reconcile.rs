//! Finds messages whose outcome is not known and that nobody works on, once a minute.
//!
//! A crash leaves messages to the next start, and a lost commit to the next connection. This is for what
//! nobody thought of: a message must not wait for ever because a task met a bug. Nor because there is no next
//! connection: what could not be sent within the window of resending is not sent later either, so its outcome
//! is said to be unknown then, wherever its session stands.

use std::collections::BTreeSet;

use tracing::{info, warn};
use wapid_core::clock::At;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::messages::Pending;

use super::outbox::{self, RESEND_WINDOW_MS};
use super::{Command, Sessions};

const EVERY_MS: i64 = 60_000;

pub(super) async fn run(sessions: Sessions) {
    let mut closing = sessions.0.closing.subscribe();
    let clock = sessions.store().clock().clone();
    let mut rounds = clock.rounds(EVERY_MS);
    loop {
        tokio::select! {
            () = rounds.next() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        if let Err(error) = look(&sessions, clock.now()).await {
            warn!("Messages without a result could not be read: {error}");
        }
    }
}

async fn look(sessions: &Sessions, now: At) -> Result<(), StoreError> {
    let pending = sessions.store().pending_since(now.plus_ms(-EVERY_MS)).await?;
    // A minute later than whoever sends them gives them up.
    let given_up = now.plus_ms(-RESEND_WINDOW_MS - EVERY_MS);
    let (old, pending): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| one.created_at <= given_up);
    let mut count = 0;
    for message in old.iter().filter(|message| is_out_of_reach(sessions, message)) {
        outbox::give_up_unsent(sessions, message).await?;
        count += 1;
    }
    if count > 0 {
        info!("{count} messages could not be sent for a day; their outcome is unknown");
    }
    let left: BTreeSet<_> = {
        let left = pending.into_iter().chain(old).filter(|one| !sessions.0.underway.contains(&one.wa_id));
        left.map(|one| one.owner.session).collect()
    };
    for session in left.iter().filter(|session| sessions.holds(session)) {
        warn!(session.key = %session, "Messages lay there that nobody worked on; taking them up");
        if let Some(handle) = sessions.handle(session) {
            let _ = handle.commands.send(Command::Recover);
        }
    }
    Ok(())
}

/// Nobody has a connection on which it could be sent: not we, nor another process that runs the session.
fn is_out_of_reach(sessions: &Sessions, message: &Pending) -> bool {
    match &message.lease_owner {
        None => true,
        Some(owner) => {
            let view = sessions.view(&message.owner.session);
            *owner == sessions.0.parts.owner
                && !view.is_some_and(|view| matches!(view.state, State::Ready { .. }))
        }
    }
}
