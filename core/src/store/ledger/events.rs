//! Events: numbered within their session and their tenant's log without gaps, in the transaction of their
//! cause, with a delivery for every endpoint that wants them.

use std::collections::{BTreeMap, HashMap};

use super::workbench::{Batch, EventSource, Events};
use super::{chats, contacts};
use crate::endpoint::Settings;
use crate::event::{NewEvent, VERSION};
use crate::id::{EndpointId, SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::store::error::Result;
use crate::store::hub::News;
use crate::store::tx::values;

/// Raises the counter of each session by what this batch adds to it. The row stays locked until the
/// commit, so numbers become visible in order, also with several processes.
pub(super) const NUMBER: &str = "WITH v (session_key, n) AS ({rows})
    UPDATE sessions SET event_seq = sessions.event_seq + v.n FROM v WHERE sessions.key = v.session_key
    RETURNING sessions.key, sessions.event_seq, sessions.tenant_id, sessions.mode, sessions.session_id";

/// The same for each tenant's log. Whoever makes an endpoint locks this row too, so the endpoints that are
/// read after it are those of every event that follows.
pub(super) const PLACE: &str = "WITH v (tenant_id, mode, n) AS ({rows})
    INSERT INTO event_logs (tenant_id, mode, last) SELECT v.tenant_id, v.mode, v.n FROM v
    WHERE v.tenant_id IS NOT NULL
    ON CONFLICT (tenant_id, mode) DO UPDATE SET last = event_logs.last + excluded.last
    RETURNING tenant_id, mode, last, has_endpoints";

const INSERT: &str = "WITH v (tenant_id, mode, pos, id, session_key, session_id, seq, kind, version,
        occurred_at, data) AS ({rows})
    INSERT INTO events
        (tenant_id, mode, pos, id, session_key, session_id, seq, kind, version, occurred_at, data)
    SELECT v.tenant_id, v.mode, v.pos, v.id, v.session_key, v.session_id, v.seq, v.kind, v.version,
        v.occurred_at, v.data
    FROM v WHERE v.id IS NOT NULL";

/// A tenant has few endpoints.
pub(super) const ENDPOINTS: &str = "WITH v (tenant_id, mode) AS ({rows})
    SELECT e.tenant_id, e.mode, e.id, e.settings
    FROM v JOIN endpoints e ON e.tenant_id = v.tenant_id AND e.mode = v.mode
    WHERE e.state = 'enabled'";

const DELIVER: &str = "WITH v (endpoint_id, pos, next_at) AS ({rows})
    INSERT INTO deliveries (endpoint_id, pos, state, next_at)
    SELECT v.endpoint_id, v.pos, 'waiting', v.next_at FROM v WHERE v.pos IS NOT NULL";

#[derive(sqlx::FromRow)]
struct Numbered {
    key: SessionKey,
    event_seq: i64,
    tenant_id: TenantId,
    mode: Mode,
    session_id: SessionId,
}

#[derive(sqlx::FromRow)]
struct Log {
    tenant_id: TenantId,
    mode: Mode,
    last: i64,
    has_endpoints: bool,
}

#[derive(sqlx::FromRow)]
struct Listener {
    tenant_id: TenantId,
    mode: Mode,
    id: EndpointId,
    settings: String,
}

/// An event with its place in its tenant's log.
struct Placed<'a> {
    tenant: &'a TenantId,
    mode: Mode,
    pos: i64,
    session: Option<&'a SessionId>,
    event: &'a NewEvent,
}

/// Events of a session that is gone go with it: nobody could number them.
pub(super) async fn write(batch: &mut Batch<'_, '_>) -> Result<()> {
    let Events(mut events) = std::mem::take(&mut batch.events);
    if events.is_empty() {
        return Ok(());
    }
    let mut sessions = number(batch, &events).await?;
    events.retain(|(source, _)| match source {
        EventSource::Session(key) => sessions.contains_key(key),
        EventSource::Tenant(..) => true,
    });
    contacts::name(
        batch,
        events.iter_mut().map(|(source, event)| {
            let log = match source {
                EventSource::Session(key) => (&sessions[key].tenant_id, sessions[key].mode),
                EventSource::Tenant(tenant, mode) => (&*tenant, *mode),
            };
            (log, event)
        }),
    )
    .await?;
    let of_sessions = events.iter().filter_map(|(source, event)| {
        let EventSource::Session(key) = source else { return None };
        let of = &sessions[key];
        Some(((of.tenant_id.as_str(), of.mode.as_str(), key), event))
    });
    chats::write(batch, of_sessions).await?;
    // Sorted, so that two processes lock in the same order.
    let mut counts: BTreeMap<(&str, &'static str), i64> = BTreeMap::new();
    for (source, _) in &events {
        let (tenant, mode) = match source {
            EventSource::Session(key) => (&sessions[key].tenant_id, sessions[key].mode),
            EventSource::Tenant(tenant, mode) => (tenant, *mode),
        };
        *counts.entry((tenant.as_str(), mode.as_str())).or_default() += 1;
    }
    let rows = counts.iter().map(|((tenant, mode), n)| values![*tenant, *mode, *n]).collect();
    let logs: Vec<Log> = batch.many(PLACE, rows).await?;
    let mut next: HashMap<(String, Mode), i64> = logs
        .iter()
        .map(|log| {
            let n = counts[&(log.tenant_id.as_str(), log.mode.as_str())];
            ((log.tenant_id.0.clone(), log.mode), log.last - n)
        })
        .collect();

    let owners: HashMap<SessionKey, (TenantId, Mode, SessionId)> = sessions
        .iter()
        .map(|(key, of)| (key.clone(), (of.tenant_id.clone(), of.mode, of.session_id.clone())))
        .collect();
    let mut rows = Vec::with_capacity(events.len());
    let mut placed = Vec::with_capacity(events.len());
    for (source, event) in &events {
        let (tenant, mode, session, seq) = match source {
            EventSource::Session(key) => {
                let number = sessions.get_mut(key).expect("the others were left out");
                number.event_seq += 1;
                let (tenant, mode, id) = &owners[key];
                (tenant, *mode, Some((key, id)), Some(number.event_seq))
            }
            EventSource::Tenant(tenant, mode) => (tenant, *mode, None, None),
        };
        let pos = next.get_mut(&(tenant.0.clone(), mode)).expect("each has its log");
        *pos += 1;
        rows.push(values![
            tenant.as_str(),
            mode.as_str(),
            *pos,
            batch.bench.ids.event(batch.now).0,
            session.map(|(key, _)| key.as_str()),
            session.map(|(_, id)| id.as_str()),
            seq,
            event.kind().as_str(),
            VERSION,
            event.occurred_at,
            event.json()?,
        ]);
        placed.push(Placed { tenant, mode, pos: *pos, session: session.map(|(_, id)| id), event });
    }
    batch.run_many(INSERT, rows).await?;
    let due = deliver(batch, &logs, &placed).await?;
    for log in logs {
        let of_log = due.iter().filter(|(tenant, mode, _)| *tenant == log.tenant_id && *mode == log.mode);
        let endpoints = of_log.map(|(_, _, endpoint)| endpoint.clone()).collect();
        batch.bench.news.push(News { tenant: log.tenant_id, mode: log.mode, last: log.last, endpoints });
    }
    Ok(())
}

async fn number(
    batch: &mut Batch<'_, '_>,
    events: &[(EventSource, NewEvent)],
) -> Result<HashMap<SessionKey, Numbered>> {
    let mut counts: BTreeMap<&SessionKey, i64> = BTreeMap::new();
    for (source, _) in events {
        if let EventSource::Session(session) = source {
            *counts.entry(session).or_default() += 1;
        }
    }
    // Sorted, so that two processes lock in the same order.
    let rows = counts.iter().map(|(session, n)| values![session.as_str(), *n]).collect();
    let mut sessions = HashMap::new();
    for mut session in batch.many::<Numbered>(NUMBER, rows).await? {
        session.event_seq -= counts[&session.key];
        sessions.insert(session.key.clone(), session);
    }
    Ok(sessions)
}

/// A delivery for each endpoint that wants it; answers the endpoints.
async fn deliver(
    batch: &mut Batch<'_, '_>,
    logs: &[Log],
    events: &[Placed<'_>],
) -> Result<Vec<(TenantId, Mode, EndpointId)>> {
    let heard = logs.iter().filter(|log| log.has_endpoints);
    let rows = heard.map(|log| values![log.tenant_id.as_str(), log.mode.as_str()]).collect();
    let mut due = Vec::new();
    let mut rows_out = Vec::new();
    for listener in batch.many::<Listener>(ENDPOINTS, rows).await? {
        let settings: Settings = serde_json::from_str(&listener.settings)?;
        let before = rows_out.len();
        for one in events {
            let is_wanted = *one.tenant == listener.tenant_id
                && one.mode == listener.mode
                && settings.wants(one.event.kind(), one.session)
                && !is_about(one.event, &listener.id);
            if is_wanted {
                rows_out.push(values![listener.id.as_str(), one.pos, batch.now]);
            }
        }
        if rows_out.len() > before {
            due.push((listener.tenant_id, listener.mode, listener.id));
        }
    }
    batch.run_many(DELIVER, rows_out).await?;
    Ok(due)
}

/// What an endpoint cannot take is not told to it: that would fail as well, and be told, for ever.
fn is_about(event: &NewEvent, endpoint: &EndpointId) -> bool {
    event.data.endpoint().is_some_and(|told| told.endpoint_id == endpoint.as_str())
}
