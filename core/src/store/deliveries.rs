//! Deliveries: what is due, what became of it, and what is delivered again.

use super::events::StoredEvent;
use super::listed::readable;
use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::endpoint::Settings;
use crate::event::{Event, Kind};
use crate::id::{EndpointId, EventId, RecoveryId, SessionId, TenantId};
use crate::key::Mode;

/// Positions that a recovery looks at in one transaction.
const STEP: i64 = 500;

/// A delivery whose time has come.
#[derive(Debug)]
pub struct Due {
    pub pos: i64,
    /// Since it was queued.
    pub attempts: i64,
    /// In all.
    pub tried: i64,
    pub next_at: At,
    pub event: Event,
}

#[derive(sqlx::FromRow)]
struct StoredDue {
    attempts: i64,
    tried: i64,
    next_at: At,
    #[sqlx(flatten)]
    event: StoredEvent,
}

macro_rules! whole {
    () => {
        "SELECT d.attempts, d.tried, d.next_at, e.id, e.kind, e.version, e.pos, e.session_id, e.seq,
            e.occurred_at, e.data"
    };
}

/// First which, then what they are of: a planner that knows nothing of new tables joins all that waits
/// otherwise.
macro_rules! due {
    ($what:expr, $which:literal) => {
        concat!(
            $what,
            " FROM (SELECT endpoint_id, pos, attempts, tried, next_at FROM deliveries
                WHERE endpoint_id = $1 AND state = 'waiting' ",
            $which,
            ") d
            JOIN endpoints p ON p.id = d.endpoint_id AND p.state = 'enabled'
            JOIN events e ON e.tenant_id = p.tenant_id AND e.mode = p.mode AND e.pos = d.pos
            ORDER BY d.next_at, d.pos"
        )
    };
}

const DUE: &str = due!(whole!(), "AND next_at <= $2 ORDER BY next_at, pos LIMIT $3");
const DUE_SIZES: &str = due!(
    "SELECT CAST(512 + octet_length(e.data) AS BIGINT)",
    "AND next_at <= $2 ORDER BY next_at, pos LIMIT $3"
);

/// The oldest, whenever it is due.
const HEAD: &str = due!(
    whole!(),
    "AND pos = (SELECT MIN(w.pos) FROM deliveries w WHERE w.endpoint_id = $1 AND w.state = 'waiting')"
);

const WITH_WORK: &str = "SELECT p.id FROM endpoints p
    WHERE p.state = 'enabled' AND (p.paused_until IS NULL OR p.paused_until <= $1)
        AND (EXISTS (SELECT 1 FROM deliveries d
                WHERE d.endpoint_id = p.id AND d.state = 'waiting' AND d.next_at <= $1)
            OR EXISTS (SELECT 1 FROM recoveries r WHERE r.endpoint_id = p.id AND r.state = 'running'))";

impl Store {
    /// What may be sent to an endpoint now, the longest due first, as much as is read at a time.
    pub async fn due(&self, endpoint: &EndpointId, now: At, limit: usize) -> Result<Vec<Due>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sizes: Vec<(i64,)> = self.db.rows(DUE_SIZES, values![endpoint.as_str(), now, limit]).await?;
        let (count, _) = readable(sizes.iter().map(|(bytes,)| *bytes));
        self.read_due(self.db.rows(DUE, values![endpoint.as_str(), now, count]).await?)
    }

    /// The oldest that an endpoint has not taken, due or not.
    pub async fn head(&self, endpoint: &EndpointId) -> Result<Option<Due>> {
        Ok(self.read_due(self.db.rows(HEAD, values![endpoint.as_str()]).await?)?.pop())
    }

    fn read_due(&self, rows: Vec<StoredDue>) -> Result<Vec<Due>> {
        let _ = self;
        rows.into_iter()
            .map(|StoredDue { attempts, tried, next_at, event }| {
                Ok(Due { pos: event.pos, attempts, tried, next_at, event: event.read()? })
            })
            .collect()
    }

    /// When the next delivery to an endpoint is due.
    pub async fn next_due(&self, endpoint: &EndpointId) -> Result<Option<At>> {
        // The same question as `due`: an answer that it does not give would be waited for without end.
        Ok(self.due(endpoint, At(i64::MAX), 1).await?.first().map(|due| due.next_at))
    }

    /// Endpoints that have something to do.
    pub async fn endpoints_with_work(&self, now: At) -> Result<Vec<EndpointId>> {
        let found: Vec<(EndpointId,)> = self.db.rows(WITH_WORK, values![now]).await?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// Deliveries that wait, in all; for metrics.
    pub async fn deliveries_waiting(&self) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'";
        Ok(self.db.rows::<(i64,)>(COUNT, values![]).await?.first().map_or(0, |(count,)| *count))
    }
}

/// A delivery as its owner reads it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Delivery {
    pub pos: i64,
    pub event_id: EventId,
    pub kind: String,
    pub session_id: Option<SessionId>,
    pub occurred_at: At,
    pub state: String,
    pub tried: i64,
    pub next_at: At,
    pub settled_at: Option<At>,
}

/// One attempt of it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AttemptRow {
    pub nr: i64,
    pub cause: String,
    pub at: At,
    pub duration_ms: i64,
    pub status: Option<i64>,
    pub error: Option<String>,
    pub answer: Option<String>,
}

macro_rules! deliveries {
    ($rest:literal) => {
        concat!(
            "SELECT d.pos, e.id AS event_id, e.kind, e.session_id, e.occurred_at, d.state, d.tried, d.next_at,
                d.settled_at
            FROM deliveries d
            JOIN endpoints p ON p.id = d.endpoint_id
            JOIN events e ON e.tenant_id = p.tenant_id AND e.mode = p.mode AND e.pos = d.pos
            WHERE p.tenant_id = $1 AND p.mode = $2 AND d.endpoint_id = $3 ",
            $rest
        )
    };
}

const PAGE: &str = deliveries!("AND d.pos < $4 ORDER BY d.pos DESC LIMIT $5");
const PAGE_OF_STATE: &str = deliveries!("AND d.pos < $4 AND d.state = $6 ORDER BY d.pos DESC LIMIT $5");
const ONE: &str = deliveries!("AND d.pos = $4");

/// The newest hundred; asked for again and again, there may be any number.
const ATTEMPTS: &str = "SELECT nr, cause, at, duration_ms, status, error, answer FROM attempts
    WHERE endpoint_id = $1 AND pos = $2 ORDER BY nr DESC LIMIT 100";

/// Only of an event that is there.
const QUEUE: &str = "INSERT INTO deliveries (endpoint_id, pos, state, next_at)
    SELECT $3, e.pos, 'waiting', $5 FROM events e WHERE e.tenant_id = $1 AND e.mode = $2 AND e.pos = $4
    ON CONFLICT (endpoint_id, pos) DO UPDATE SET state = 'waiting', attempts = 0, next_at = excluded.next_at,
        settled_at = NULL";

/// Only one at a time.
const BEGIN: &str = "INSERT INTO recoveries
        (endpoint_id, id, state, since, until, first_pos, pos, last_pos, created_at)
    SELECT $3, $4, 'running', $5, $6, l.forgotten, l.forgotten, l.last, $7
    FROM event_logs l WHERE l.tenant_id = $1 AND l.mode = $2
        AND NOT EXISTS (SELECT 1 FROM recoveries r WHERE r.endpoint_id = $3 AND r.state = 'running')
    ON CONFLICT DO NOTHING";

/// All but the newest hundred.
const FORGET: &str = "DELETE FROM recoveries WHERE endpoint_id = $1 AND state <> 'running' AND id NOT IN
    (SELECT id FROM recoveries WHERE endpoint_id = $1 ORDER BY id DESC LIMIT 100)";

macro_rules! recoveries {
    ($rest:literal) => {
        concat!(
            "SELECT r.id, r.state, r.since, r.until, r.first_pos, r.pos, r.last_pos, r.queued, r.created_at,
                r.finished_at
            FROM recoveries r JOIN endpoints p ON p.id = r.endpoint_id
            WHERE p.tenant_id = $1 AND p.mode = $2 AND r.endpoint_id = $3 ",
            $rest
        )
    };
}

const RECOVERY: &str = recoveries!("AND r.id = $4");
const RECOVERIES: &str = recoveries!("ORDER BY r.id DESC LIMIT 100");
const RUNNING: &str = recoveries!("AND r.state = 'running'");

const CANCEL: &str = "UPDATE recoveries SET state = 'cancelled', finished_at = $3
    WHERE endpoint_id = $1 AND id = $2 AND state = 'running'";

/// A recovery as its owner watches it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Recovery {
    pub id: RecoveryId,
    /// `running`, `completed` or `cancelled`.
    pub state: String,
    pub since: At,
    pub until: At,
    pub first_pos: i64,
    pub pos: i64,
    pub last_pos: i64,
    pub queued: i64,
    pub created_at: At,
    pub finished_at: Option<At>,
}

impl TenantStore {
    /// An endpoint's deliveries before position `before`, newest first.
    pub async fn deliveries(
        &self,
        endpoint: &EndpointId,
        state: Option<&str>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Delivery>> {
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![before, limit]);
        match state {
            None => Ok(self.store.db.rows(PAGE, values).await?),
            Some(state) => {
                values.extend(values![state]);
                Ok(self.store.db.rows(PAGE_OF_STATE, values).await?)
            }
        }
    }

    /// One event's delivery, with its attempts.
    pub async fn delivery(
        &self,
        endpoint: &EndpointId,
        event: &EventId,
    ) -> Result<Option<(Delivery, Vec<AttemptRow>)>> {
        let Some(pos) = self.position_of(event).await? else { return Ok(None) };
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![pos]);
        let Some(delivery) = self.store.db.rows::<Delivery>(ONE, values).await?.pop() else {
            return Ok(None);
        };
        let mut attempts: Vec<AttemptRow> =
            self.store.db.rows(ATTEMPTS, values![endpoint.as_str(), pos]).await?;
        attempts.reverse();
        Ok(Some((delivery, attempts)))
    }

    /// Delivers an event to an endpoint now, whatever became of it before. `false` if either is not there.
    /// The caller wakes the endpoint.
    pub async fn deliver_again(&self, endpoint: &EndpointId, event: &EventId) -> Result<bool> {
        let Some(pos) = self.position_of(event).await? else { return Ok(false) };
        if self.endpoint(endpoint).await?.is_none() {
            return Ok(false);
        }
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![pos, self.store.clock.now()]);
        let mut tx = self.store.db.begin().await?;
        let queued = tx.run(QUEUE, values).await?;
        tx.commit().await?;
        Ok(queued > 0)
    }

    /// Begins to deliver again what an endpoint missed: events that were stored in `[since, until)`, that it wants and
    /// that were given up or never queued for it. `None` while another recovery of it runs. The caller has
    /// looked whether there is such an endpoint, and wakes it.
    pub async fn begin_recovery(
        &self,
        endpoint: &EndpointId,
        since: At,
        until: At,
    ) -> Result<Option<RecoveryId>> {
        let id = RecoveryId::new();
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![id.as_str(), since, until, self.store.clock.now()]);
        let mut tx = self.store.db.begin().await?;
        let begun = tx.run(BEGIN, values).await?;
        tx.run(FORGET, values![endpoint.as_str()]).await?;
        tx.commit().await?;
        Ok((begun > 0).then_some(id))
    }

    /// Delivers again what was missed from `since` until now. A recovery that runs is widened to that and
    /// begins anew, which doubles nothing: what it queued is not missed any more.
    pub async fn recover_since(&self, endpoint: &EndpointId, since: At) -> Result<()> {
        const WIDEN: &str = "UPDATE recoveries SET
                since = CASE WHEN since < $4 THEN since ELSE $4 END,
                until = CASE WHEN until > $5 THEN until ELSE $5 END,
                pos = first_pos,
                last_pos = (SELECT last FROM event_logs WHERE tenant_id = $1 AND mode = $2)
            WHERE endpoint_id = $3 AND state = 'running'";
        let until = self.store.clock.now().plus_ms(1);
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![since, until]);
        let mut tx = self.store.db.begin().await?;
        let widened = tx.run(WIDEN, values).await?;
        tx.commit().await?;
        if widened == 0 {
            self.begin_recovery(endpoint, since, until).await?;
        }
        Ok(())
    }

    pub async fn recovery(&self, endpoint: &EndpointId, id: &RecoveryId) -> Result<Option<Recovery>> {
        let mut values = self.endpoint_named(endpoint);
        values.extend(values![id.as_str()]);
        Ok(self.store.db.rows(RECOVERY, values).await?.pop())
    }

    /// Newest first.
    pub async fn recoveries(&self, endpoint: &EndpointId) -> Result<Vec<Recovery>> {
        Ok(self.store.db.rows(RECOVERIES, self.endpoint_named(endpoint)).await?)
    }

    /// What it queued before stays queued. `false` when it does not run.
    pub async fn cancel_recovery(&self, endpoint: &EndpointId, id: &RecoveryId) -> Result<bool> {
        if self.recovery(endpoint, id).await?.is_none() {
            return Ok(false);
        }
        let mut tx = self.store.db.begin().await?;
        let values = values![endpoint.as_str(), id.as_str(), self.store.clock.now()];
        let touched = tx.run(CANCEL, values).await?;
        tx.commit().await?;
        Ok(touched > 0)
    }
}

const MISSED: &str = "SELECT e.pos, e.kind, e.session_id,
        CASE WHEN e.kind LIKE 'endpoint.%' THEN e.data END AS data
    FROM events e LEFT JOIN deliveries d ON d.endpoint_id = $3 AND d.pos = e.pos
    WHERE e.tenant_id = $1 AND e.mode = $2 AND e.pos > $4 AND e.pos <= $5
        AND e.id >= $6 AND e.id < $7
        AND (d.state IS NULL OR d.state IN ('failed', 'cancelled'))";

const ADVANCE: &str = "UPDATE recoveries SET pos = $3, queued = queued + $4,
        state = CASE WHEN $3 >= last_pos THEN 'completed' ELSE state END,
        finished_at = CASE WHEN $3 >= last_pos THEN $5 ELSE finished_at END
    WHERE endpoint_id = $1 AND id = $2 AND state = 'running'";

impl Store {
    /// One step of an endpoint's recovery; `false` when none runs.
    pub async fn recover(
        &self,
        (tenant, mode): (&TenantId, Mode),
        endpoint: &EndpointId,
        settings: &Settings,
    ) -> Result<bool> {
        let now = self.clock.now();
        let place = values![tenant.as_str(), mode.as_str(), endpoint.as_str()];
        // Mostly there is none, and nobody needs to write.
        if self.db.rows::<Recovery>(RUNNING, place.clone()).await?.is_empty() {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let Some(recovery) = tx.rows::<Recovery>(RUNNING, place.clone()).await?.pop() else {
            return Ok(false);
        };
        let end = (recovery.pos + STEP).min(recovery.last_pos);
        // Before its deliveries: a cancel that was answered is not overtaken.
        let mut values = place.clone();
        let (first, end_id) = (EventId::first_at(recovery.since), EventId::first_at(recovery.until));
        values.extend(values![recovery.pos, end, first.as_str(), end_id.as_str()]);
        let missed: Vec<(i64, String, Option<SessionId>, Option<String>)> = tx.rows(MISSED, values).await?;
        let wanted = missed.into_iter().filter(|(_, kind, session, data)| {
            Kind::parse(kind).is_some_and(|kind| settings.wants(kind, session.as_ref()))
                && !data.as_deref().is_some_and(|data| is_about(data, endpoint))
        });
        let wanted: Vec<i64> = wanted.map(|(pos, ..)| pos).collect();
        let queued = i64::try_from(wanted.len()).unwrap_or(0);
        let step = values![endpoint.as_str(), recovery.id.as_str(), end, queued, now];
        if tx.run(ADVANCE, step).await? == 0 {
            return Ok(false);
        }
        for pos in wanted {
            let mut values = place.clone();
            values.extend(values![pos, now]);
            tx.run(QUEUE, values).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Of an event of endpoints: is it this one that it tells of?
fn is_about(data: &str, endpoint: &EndpointId) -> bool {
    serde_json::from_str::<serde_json::Value>(data).is_ok_and(|data| data["endpointId"] == endpoint.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    /// What a courier asks must cost the same beside a long history.
    #[tokio::test]
    async fn what_a_courier_asks_finds_its_rows_by_an_index() {
        let mut plans = Plans::sqlite().await;
        for (sql, walks) in [
            // What is due, as much as is asked for.
            (DUE, &["deliveries_due (endpoint_id=? AND state=? AND next_at<?)"][..]),
            (DUE_SIZES, &["deliveries_due (endpoint_id=? AND state=? AND next_at<?)"]),
            // Its first.
            (HEAD, &["deliveries_head (endpoint_id=? AND state=?)"]),
            (ONE, &[]),
            (RUNNING, &["recoveries_running (endpoint_id=?)"]),
        ] {
            let mut wide = plans.wide_steps(sql, "", walks).await;
            // Those that were picked.
            wide.retain(|step| step != "SCAN d");
            assert!(wide.is_empty(), "{sql}: {wide:?}");
        }
    }
}
