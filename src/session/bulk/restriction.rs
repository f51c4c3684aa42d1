//! What WhatsApp holds against a number, as a reason for its jobs to wait.

use tracing::info;
use wapid_core::clock::At;
use wapid_core::job::Restriction;
use wapid_core::store::StoreError;

use super::runner::{FAULT_PAUSE_MS, Runner};
use crate::link::{Health, Timelock};

/// A restriction whose end WhatsApp did not name is looked at again after this.
const LOOK_AGAIN_MS: i64 = 30 * 60_000;
/// What WhatsApp says beyond this is looked at again.
const RESTRICTION_MAX_MS: i64 = 30 * 86_400_000;

/// What WhatsApp says of a number's health, as a reason to wait.
fn restriction_in(health: &Health, now: At) -> Option<(Restriction, At)> {
    let (look_again, farthest) = (now.plus_ms(LOOK_AGAIN_MS), now.plus_ms(RESTRICTION_MAX_MS));
    let end =
        |ms: Option<i64>| ms.map(At).filter(|end| *end > now).map_or(look_again, |end| end.min(farthest));
    if let Timelock::Active { until_ms } = health.timelock {
        return Some((Restriction::Timelock, end(until_ms)));
    }
    let new_chats = health.new_chats.as_ref().filter(|new_chats| new_chats.status == "CAPPED")?;
    Some((Restriction::NewChatLimit, end(new_chats.cycle_ends_ms)))
}

impl Runner {
    /// Until when WhatsApp's own restriction holds the jobs of this number.
    pub(super) async fn restricted(&mut self) -> Result<Option<At>, StoreError> {
        let agenda = self.agenda.as_ref().expect("there is one");
        let Some((why, until)) = agenda.restriction else { return Ok(None) };
        let now = self.sessions.now();
        if self.notes.asked_about == Some(until) {
            return Ok((until > now).then_some(until));
        }
        // Once when it begins, for its true end, and once when it ends, to hear that it did.
        if why != Restriction::Blocked && until > now {
            return Ok(Some(until));
        }
        let link = self.view.borrow().link.clone().and_then(|link| link.upgrade());
        let Some(link) = link else { return Ok(Some(now.plus_ms(FAULT_PAUSE_MS))) };
        let found = match link.health().await {
            Ok(health) => restriction_in(&health, now),
            Err(_) => None,
        };
        let restriction = match found {
            Some((why, ends)) if ends != until => {
                info!(session.key = %self.row.key, "WhatsApp restricts a number ({})", why.as_str());
                self.sessions.store().restrict(&self.row.key, why, ends).await?;
                Some((why, ends))
            }
            _ => Some((why, until)),
        };
        let agenda = self.agenda.as_mut().expect("there is one");
        agenda.restriction = restriction;
        self.notes.asked_about = restriction.map(|(_, until)| until);
        Ok(restriction.map(|(_, until)| until).filter(|until| *until > now))
    }
}
