//! Reading the log of events.
//!
//! A tenant's log of one mode has one order. A reader remembers the last position it saw (or that event's
//! id) and has then seen everything before it, whichever process wrote it.

use serde_json::value::RawValue;

use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::event::{Event, KEPT_DAYS};
use crate::id::{EventId, SessionId, TenantId};
use crate::key::Mode;

/// Events that are forgotten in one transaction.
const STEP: i64 = 500;

const PAGE: &str = "SELECT id, kind, version, pos, session_id, seq, occurred_at, data FROM events
    WHERE tenant_id = $1 AND mode = $2 AND pos > $3 AND pos <= $4 ORDER BY pos";

/// How large they are when they are written out, by what can be long.
const SIZES: &str = "SELECT pos, CAST(512 + octet_length(data) AS BIGINT) FROM events
    WHERE tenant_id = $1 AND mode = $2 AND pos > $3 ORDER BY pos LIMIT $4";

const ONE: &str = "SELECT id, kind, version, pos, session_id, seq, occurred_at, data FROM events
    WHERE tenant_id = $1 AND mode = $2 AND pos = $3";

const ENDS: &str = "SELECT last, forgotten, kept_days FROM event_logs WHERE tenant_id = $1 AND mode = $2";

/// Where a tenant's log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::FromRow)]
pub struct Ends {
    /// The newest event's position; 0 before the first.
    pub last: i64,
    /// Events up to here are gone.
    pub forgotten: i64,
    /// The tenant's own wish.
    pub kept_days: Option<i64>,
}

/// A part of the log.
#[derive(Debug)]
pub struct Part {
    pub events: Vec<Event>,
    /// There may be more.
    pub has_more: bool,
    /// Nothing was read because the next event alone has more bytes: so many.
    pub too_large: Option<usize>,
}

#[derive(sqlx::FromRow)]
pub(super) struct StoredEvent {
    pub id: EventId,
    pub kind: String,
    pub version: i64,
    pub pos: i64,
    pub session_id: Option<SessionId>,
    pub seq: Option<i64>,
    pub occurred_at: At,
    pub data: String,
}

impl StoredEvent {
    pub(super) fn read(self) -> Result<Event> {
        Ok(Event {
            id: self.id,
            kind: self.kind,
            version: self.version,
            position: self.pos,
            session_id: self.session_id,
            seq: self.seq,
            occurred_at: self.occurred_at,
            data: RawValue::from_string(self.data)?,
        })
    }
}

impl TenantStore {
    /// Events after position `after`, oldest first: at most so many, and of at most so many bytes.
    pub async fn events(&self, after: i64, limit: usize, bytes: usize) -> Result<Part> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let place = values![self.tenant.as_str(), self.mode.as_str(), after, limit];
        let sizes: Vec<(i64, i64)> = self.store.db.rows(SIZES, place).await?;
        let mut left = i64::try_from(bytes).unwrap_or(i64::MAX);
        let fitting = sizes.iter().take_while(|(_, size)| {
            left -= size;
            left >= 0
        });
        let Some((last, _)) = fitting.last() else {
            let too_large = sizes.first().map(|(_, size)| usize::try_from(*size).unwrap_or(usize::MAX));
            return Ok(Part { events: vec![], has_more: too_large.is_some(), too_large });
        };
        let has_more = sizes.len() == usize::try_from(limit).unwrap_or(0)
            || sizes.last().is_some_and(|(pos, _)| pos > last);
        let place = values![self.tenant.as_str(), self.mode.as_str(), after, *last];
        let rows: Vec<StoredEvent> = self.store.db.rows(PAGE, place).await?;
        let events = rows.into_iter().map(StoredEvent::read).collect::<Result<_>>()?;
        Ok(Part { events, has_more, too_large: None })
    }

    /// The event at a position.
    pub async fn event_at(&self, position: i64) -> Result<Option<Event>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), position];
        self.store.db.rows::<StoredEvent>(ONE, place).await?.pop().map(StoredEvent::read).transpose()
    }

    pub async fn log_ends(&self) -> Result<Ends> {
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        Ok(self.store.db.rows(ENDS, place).await?.pop().unwrap_or_default())
    }

    /// Where an event is in the log.
    pub async fn position_of(&self, event: &EventId) -> Result<Option<i64>> {
        const FIND: &str = "SELECT pos FROM events WHERE tenant_id = $1 AND mode = $2 AND id = $3";
        let values = values![self.tenant.as_str(), self.mode.as_str(), event.as_str()];
        Ok(self.store.db.rows::<(i64,)>(FIND, values).await?.pop().map(|(pos,)| pos))
    }

    /// How many days events are kept; `None` is [`KEPT_DAYS`].
    pub async fn keep_events(&self, days: Option<i64>) -> Result<()> {
        const KEEP: &str = "INSERT INTO event_logs (tenant_id, mode, last, kept_days) VALUES ($1, $2, 0, $3)
            ON CONFLICT (tenant_id, mode) DO UPDATE SET kept_days = excluded.kept_days";
        let mut tx = self.store.db.begin().await?;
        tx.run(KEEP, values![self.tenant.as_str(), self.mode.as_str(), days]).await?;
        Ok(tx.commit().await?)
    }
}

const LOGS: &str = "SELECT tenant_id, mode, forgotten, kept_days FROM event_logs";

const OLD: &str = "SELECT pos FROM events
    WHERE tenant_id = $1 AND mode = $2 AND pos > $3 AND id < $4 ORDER BY pos LIMIT $5";

const FORGET: [&str; 4] = [
    "DELETE FROM attempts WHERE pos <= $3 AND endpoint_id IN
        (SELECT id FROM endpoints WHERE tenant_id = $1 AND mode = $2)",
    "DELETE FROM deliveries WHERE pos <= $3 AND endpoint_id IN
        (SELECT id FROM endpoints WHERE tenant_id = $1 AND mode = $2)",
    "DELETE FROM events WHERE tenant_id = $1 AND mode = $2 AND pos <= $3",
    "UPDATE event_logs SET forgotten = $3 WHERE tenant_id = $1 AND mode = $2 AND forgotten < $3",
];

impl Store {
    /// Drops events that are older than their tenant keeps them, with their deliveries, and what is left of
    /// endpoints that were removed; answers how many.
    pub(super) async fn forget_events(&self, now: At) -> Result<u64> {
        let logs: Vec<(TenantId, Mode, i64, Option<i64>)> = self.db.rows(LOGS, values![]).await?;
        let mut dropped = 0;
        for (tenant, mode, mut forgotten, days) in logs {
            let cutoff = EventId::first_at(now.plus_ms(-days.unwrap_or(KEPT_DAYS) * 86_400_000));
            loop {
                let place = values![tenant.as_str(), mode.as_str(), forgotten, cutoff.as_str(), STEP];
                let old: Vec<(i64,)> = self.db.rows(OLD, place).await?;
                let Some((last,)) = old.last().copied() else { break };
                let mut tx = self.db.begin().await?;
                for statement in FORGET {
                    dropped += tx.run(statement, values![tenant.as_str(), mode.as_str(), last]).await?;
                }
                tx.commit().await?;
                forgotten = last;
            }
        }
        Ok(dropped + self.drop_removed_endpoints().await?)
    }
}
