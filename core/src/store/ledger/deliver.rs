//! Results of deliveries, what they mean for their endpoints, and what their owners hear of it.

use std::collections::{BTreeMap, HashSet};

use super::operation::{Op, members};
use super::vocabulary::{Attempt, Next, Switch};
use super::workbench::Batch;
use crate::delivery::Turn;
use crate::endpoint::Reason;
use crate::event::{EndpointEvent, EventData, LastAttempt, NewEvent};
use crate::id::EndpointId;
use crate::store::endpoints;
use crate::store::error::Result;
use crate::store::tx::{Value, values};

/// Only what is as it was when the attempt began: another process, or a wish to deliver it again, may have
/// been first, and then the result is of no delivery.
pub(super) const TRIED: &str =
    "WITH v (endpoint_id, pos, state, attempts, tried, next_at, settled_at) AS ({rows})
    UPDATE deliveries SET state = v.state, attempts = v.attempts, tried = v.tried, next_at = v.next_at,
        settled_at = v.settled_at
    FROM v
    WHERE deliveries.endpoint_id = v.endpoint_id AND deliveries.pos = v.pos AND deliveries.state = 'waiting'
        AND deliveries.tried = v.tried - 1 AND deliveries.attempts = v.attempts - 1
    RETURNING deliveries.endpoint_id, deliveries.pos";

const LOG: &str = "WITH v (endpoint_id, pos, nr, cause, at, duration_ms, status, error, answer) AS ({rows})
    INSERT INTO attempts (endpoint_id, pos, nr, cause, at, duration_ms, status, error, answer)
    SELECT v.endpoint_id, v.pos, v.nr, v.cause, v.at, v.duration_ms, v.status, v.error, v.answer
    FROM v WHERE v.nr IS NOT NULL
    ON CONFLICT (endpoint_id, pos, nr) DO NOTHING";

/// Not over what its owner said after the attempt began.
pub(super) const STAND: &str = "WITH v (id, failures, failing_since, paused_until, at) AS ({rows})
    UPDATE endpoints SET failures = v.failures, failing_since = v.failing_since, paused_until = v.paused_until
    FROM v WHERE endpoints.id = v.id AND endpoints.changed_at <= v.at";

pub(super) async fn write(batch: &mut Batch<'_, '_>, ops: &[Op]) -> Result<()> {
    let rows = members!(ops, Attempt)
        .map(|(_, one)| {
            let (state, next_at, settled_at) = match one.next {
                Next::Delivered => ("delivered", batch.now, Some(batch.now)),
                Next::Again(at) => ("waiting", at, None),
                Next::Failed => ("failed", batch.now, Some(batch.now)),
            };
            let place = (one.endpoint.as_str(), one.pos);
            (place, values![place.0, place.1, state, one.attempts, one.tried, next_at, settled_at])
        })
        .collect::<BTreeMap<_, _>>();
    let taken: Vec<(EndpointId, i64)> = batch.many(TRIED, rows.into_values().collect()).await?;
    let taken: HashSet<(EndpointId, i64)> = taken.into_iter().collect();
    let is_taken = |one: &Attempt| taken.contains(&(one.endpoint.clone(), one.pos));
    let attempts = || members!(ops, Attempt).map(|(_, one)| one).filter(|one| is_taken(one));
    let mut standings: BTreeMap<&EndpointId, Vec<Value>> = BTreeMap::new();
    for one in attempts() {
        if let Some(to) = one.standing {
            let row = values![one.endpoint.as_str(), to.failures, to.failing_since, to.paused_until, one.at];
            standings.insert(&one.endpoint, row);
        }
    }
    batch.run_many(STAND, standings.into_values().collect()).await?;
    let rows = attempts()
        .map(|one| {
            values![
                one.endpoint.as_str(),
                one.pos,
                one.tried,
                if one.is_replay { "replay" } else { "schedule" },
                one.at,
                one.duration_ms,
                one.status,
                one.error,
                one.answer.as_deref(),
            ]
        })
        .collect();
    batch.run_many(LOG, rows).await?;
    for one in attempts() {
        let log = (&one.tenant, one.mode);
        let about = || EndpointEvent { endpoint_id: one.endpoint.to_string(), ..EndpointEvent::default() };
        let last_attempt = Some(LastAttempt { status: one.status, error: one.error });
        let failing = EndpointEvent { last_attempt, ..about() };
        match one.turn {
            Turn::Broke => {
                batch.events.add(log, NewEvent::new(batch.now, EventData::EndpointFailing(failing.clone())))
            }
            Turn::Recovered => {
                batch.events.add(log, NewEvent::new(batch.now, EventData::EndpointRecovered(about())))
            }
            Turn::Same | Turn::GiveUp => {}
        }
        // Two that cannot be reached would tell each other of it for ever.
        if one.next == Next::Failed && !one.is_of_endpoint {
            let exhausted = EndpointEvent {
                event_id: Some(one.event.to_string()),
                attempts: Some(one.tried),
                ..failing.clone()
            };
            batch.events.add(log, NewEvent::new(batch.now, EventData::EndpointExhausted(exhausted)));
        }
        if let Some(reason) = one.disables
            && endpoints::disable(batch.tx, log, &one.endpoint, reason, batch.now).await?
        {
            let disabled = EndpointEvent { reason: Some(reason.as_str()), ..failing };
            batch.events.add(log, NewEvent::new(batch.now, EventData::EndpointDisabled(disabled)));
        }
    }
    Ok(())
}

/// Turns endpoints on and off; one at a time, they are rare. `Some(true)` where that changed something.
pub(super) async fn switch(batch: &mut Batch<'_, '_>, wish: &Switch) -> Result<Option<bool>> {
    let log = (&wish.tenant, wish.mode);
    if !endpoints::exists(batch.tx, log, &wish.endpoint).await? {
        return Ok(None);
    }
    let has_changed = if wish.is_on {
        endpoints::enable(batch.tx, log, &wish.endpoint, batch.now).await?
    } else {
        endpoints::disable(batch.tx, log, &wish.endpoint, Reason::Owner, batch.now).await?
    };
    if has_changed {
        let reason = (!wish.is_on).then_some(Reason::Owner.as_str());
        let switched =
            EndpointEvent { endpoint_id: wish.endpoint.to_string(), reason, ..EndpointEvent::default() };
        let data = if wish.is_on {
            EventData::EndpointEnabled(switched)
        } else {
            EventData::EndpointDisabled(switched)
        };
        batch.events.add(log, NewEvent::new(batch.now, data));
    }
    Ok(Some(has_changed))
}
