//! Events: numbered within their session without gaps, in the transaction of their cause.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;

use super::Result;
use super::batch::Workbench;
use crate::clock::At;
use crate::event::{Kind, NewEvent, VERSION};
use crate::id::{MessageKey, SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::message::Status;
use crate::store::tx::{Tx, values};

/// Raises the counter of each session by what this batch adds to it. The row stays locked until the
/// commit, so numbers become visible in order, also with several processes.
pub(super) const NUMBER: &str = "WITH v (session_key, n) AS ({rows})
    UPDATE sessions SET event_seq = sessions.event_seq + v.n FROM v WHERE sessions.key = v.session_key
    RETURNING sessions.key, sessions.event_seq, sessions.tenant_id, sessions.mode, sessions.session_id";

const INSERT: &str =
    "WITH v (tenant_id, mode, id, session_key, session_id, seq, kind, version, occurred_at, data) AS ({rows})
    INSERT INTO events
        (tenant_id, mode, id, session_key, session_id, seq, kind, version, occurred_at, data)
    SELECT v.tenant_id, v.mode, v.id, v.session_key, v.session_id, v.seq, v.kind, v.version, v.occurred_at, v.data
    FROM v WHERE v.id IS NOT NULL";

/// The events of one batch, in order.
#[derive(Debug, Default)]
pub(super) struct Events(Vec<(SessionKey, NewEvent)>);

#[derive(sqlx::FromRow)]
struct Numbered {
    key: SessionKey,
    event_seq: i64,
    tenant_id: TenantId,
    mode: Mode,
    session_id: SessionId,
}

impl Events {
    pub(super) fn extend(&mut self, more: impl IntoIterator<Item = (SessionKey, NewEvent)>) {
        self.0.extend(more);
    }

    /// Events of a session that is gone go with it: nobody could number them.
    pub(super) async fn write(self, tx: &mut Tx<'_>, bench: &mut Workbench, now: At) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut counts: BTreeMap<&SessionKey, i64> = BTreeMap::new();
        for (session, _) in &self.0 {
            *counts.entry(session).or_default() += 1;
        }
        // Sorted, so that two processes lock in the same order.
        let rows = counts.iter().map(|(session, n)| values![session.as_str(), *n]).collect();
        let mut sessions: HashMap<SessionKey, Numbered> = HashMap::new();
        for mut session in tx.many::<Numbered>(&mut bench.texts, NUMBER, rows).await? {
            session.event_seq -= counts[&session.key];
            sessions.insert(session.key.clone(), session);
        }
        let mut rows = Vec::with_capacity(self.0.len());
        for (key, event) in &self.0 {
            let Some(session) = sessions.get_mut(key) else { continue };
            session.event_seq += 1;
            rows.push(values![
                session.tenant_id.as_str(),
                session.mode.as_str(),
                bench.ids.event(now).0,
                key.as_str(),
                session.session_id.as_str(),
                session.event_seq,
                event.kind.as_str(),
                VERSION,
                event.occurred_at,
                event.data.to_string(),
            ]);
        }
        tx.run_many(&mut bench.texts, INSERT, rows).await?;
        Ok(())
    }
}

/// What an event says of a message of ours that moved.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Moved {
    pub key: MessageKey,
    pub session_key: SessionKey,
    pub wa_id: String,
    pub chat: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    pub kind: String,
    pub status: Status,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub counted_on: Option<String>,
    pub job_id: Option<String>,
    pub job_seq: Option<i64>,
}

impl Moved {
    pub(super) fn event(&self, occurred_at: At) -> (SessionKey, NewEvent) {
        let kind = match self.status {
            Status::Failed => Kind::MessageFailed,
            Status::Delivered => Kind::MessageDelivered,
            Status::Read => Kind::MessageRead,
            Status::Played => Kind::MessagePlayed,
            Status::Sent | Status::Sending | Status::Received => Kind::MessageSent,
        };
        let mut data = json!({
            "messageId": self.wa_id,
            "key": self.key,
            "direction": "out",
            "chat": self.chat,
            "phone": self.phone,
            "lid": self.lid,
            "type": self.kind,
            "status": self.status,
        });
        if let Some(job) = &self.job_id {
            data["jobId"] = json!(job);
        }
        if self.status == Status::Failed {
            data["error"] = json!({ "code": self.error_code, "message": self.error });
        }
        (self.session_key.clone(), NewEvent { kind, occurred_at, data })
    }
}
