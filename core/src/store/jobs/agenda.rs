//! What a session's runner asks: what its jobs want sent, how fast, and what holds them.

use std::collections::BTreeSet;

use crate::clock::At;
use crate::id::{MessageKey, SessionKey, TenantId};
use crate::job::{Hold, JobId, Plan, Restriction};
use crate::key::Mode;
use crate::pacing::{Draw, Windows};
use crate::phone::{Phone, Recipient};
use crate::store::tx::{Tx, Value, values};
use crate::store::{Result, Store};

/// What a session's jobs want sent, and how fast.
#[derive(Debug, Clone)]
pub struct Agenda {
    /// Those that may run or will, the one whose turn it is first.
    pub jobs: Vec<Active>,
    pub last_at: Option<At>,
    pub draw: Draw,
    pub restriction: Option<(Restriction, At)>,
    /// Refusals in a row.
    pub strikes: i64,
    pub rules: Rules,
}

/// What a tenant and its session set for their jobs, and may change at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub time_zone: String,
    /// Of jobs that have none of their own.
    pub windows: Windows,
    /// Messages a day: the tenant's, the session's.
    pub limits: (Option<i64>, Option<i64>),
}

#[derive(Debug, Clone)]
pub struct Active {
    pub id: JobId,
    pub plan: Plan,
    pub not_before: At,
    pub hold: Option<Hold>,
    /// When its last message was released, and where the pause after it ends.
    pub released: Option<(At, Draw)>,
}

/// A recipient whose turn comes.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub seq: i64,
    pub phone: Phone,
    pub fields: Option<String>,
    pub variant: usize,
    /// Messages that were made for them before.
    pub attempts: i64,
    pub opted_out: bool,
    /// Another row of the list led to this number's account, and got the message.
    pub is_reached: bool,
}

pub(super) const CONTEXT: &str = "SELECT t.time_zone, o.windows, t.daily_limit AS tenant_limit,
        s.daily_limit AS session_limit, p.last_at, p.draw, p.hold, p.hold_until, p.strikes
    FROM sessions s JOIN tenants t ON t.id = s.tenant_id
    LEFT JOIN tenant_settings o ON o.tenant_id = s.tenant_id AND o.mode = s.mode
    LEFT JOIN pace p ON p.session_key = s.key
    WHERE s.key = $1 AND NOT s.removing";

pub(super) const ACTIVE: &str = "SELECT id, plan, not_before, hold, released_at, draw FROM jobs
    WHERE session_key = $1 AND state IN ('pending', 'running')
    ORDER BY COALESCE(released_at, 0), id";

/// The inner part asks for nothing that the index of those who wait does not hold. `|| ''` has one person's
/// messages read, not all of the job's.
pub(super) const NEXT: &str =
    "SELECT r.seq, r.phone, r.fields, r.variant, r.attempts, o.phone IS NOT NULL AS opted_out,
        EXISTS (SELECT 1 FROM messages m WHERE m.phone = r.phone AND m.tenant_id = j.tenant_id AND m.mode = j.mode
            AND m.job_id || '' = j.id AND m.job_seq <> r.seq
            AND (m.status <> 'failed' OR m.error_code = 'OUTCOME_UNKNOWN')) AS is_reached
    FROM (SELECT job_id, seq FROM recipients WHERE job_id = $1 AND state = 'queued' ORDER BY seq LIMIT $2) n
    JOIN jobs j ON j.id = n.job_id
    JOIN recipients r ON r.job_id = n.job_id AND r.seq = n.seq
    LEFT JOIN opt_outs o ON o.tenant_id = j.tenant_id AND o.mode = j.mode AND o.phone = r.phone
    ORDER BY r.seq";

pub(super) const HOLD: &str = "UPDATE jobs SET hold = $2, not_before = $3
    WHERE id = $1 AND state IN ('pending', 'running')";

pub(super) const UNHOLD: &str = "UPDATE jobs SET hold = NULL, not_before = $3 WHERE id = $1 AND hold = $2";

/// What WhatsApp restricts is looked at when that ends: its wake-up says when, and so does this.
pub(super) const DUE: &str =
    "SELECT session_key FROM jobs WHERE state IN ('pending', 'running') AND not_before <= $1
    AND NOT EXISTS (SELECT 1 FROM pace p WHERE p.session_key = jobs.session_key AND p.hold_until > $1)";

pub(super) const MET: &str = "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3
    AND status IN ('received', 'delivered', 'read', 'played') LIMIT 1";

/// Whether a job has a message to an account, made for another row of its list, that arrived or may have.
pub(super) const REACHED: &str = "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3
    AND job_id || '' = $4 AND job_seq <> $5 AND (status <> 'failed' OR error_code = 'OUTCOME_UNKNOWN') LIMIT 1";

/// A message that is on its way gets the address of the account that its number led to.
const READDRESS: &str = "UPDATE messages SET chat = $4, phone = $5, lid = $6
    WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND pending";

type StoredActive = (JobId, String, At, Option<Hold>, Option<At>, i64);

#[derive(Debug, sqlx::FromRow)]
struct Context {
    #[sqlx(flatten)]
    rules: StoredRules,
    last_at: Option<At>,
    draw: Option<i64>,
    hold: Option<Restriction>,
    hold_until: Option<At>,
    strikes: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
struct StoredRules {
    time_zone: String,
    windows: Option<String>,
    tenant_limit: Option<i64>,
    session_limit: Option<i64>,
}

impl StoredRules {
    fn read(self) -> Result<Rules> {
        Ok(Rules {
            time_zone: self.time_zone,
            windows: self.windows.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
            limits: (self.tenant_limit, self.session_limit),
        })
    }
}

/// For the session's task, which works for every tenant.
impl Store {
    /// What the jobs of a session want now or later.
    pub async fn agenda(&self, session: &SessionKey) -> Result<Option<Agenda>> {
        let context: Option<Context> = self.db.rows(CONTEXT, values![session.as_str()]).await?.pop();
        let Some(Context { rules, last_at, draw, hold, hold_until, strikes }) = context else {
            return Ok(None);
        };
        let jobs: Vec<StoredActive> = self.db.rows(ACTIVE, values![session.as_str()]).await?;
        let jobs = jobs
            .into_iter()
            .map(|(id, plan, not_before, hold, released_at, draw)| {
                let released = released_at.map(|at| (at, Draw(draw)));
                Ok(Active { id, plan: serde_json::from_str(&plan)?, not_before, hold, released })
            })
            .collect::<Result<_>>()?;
        Ok(Some(Agenda {
            jobs,
            // A row that only knows of a refusal has no last message.
            last_at,
            draw: Draw(draw.unwrap_or(0)),
            restriction: hold.zip(hold_until),
            strikes: strikes.unwrap_or(0),
            rules: rules.read()?,
        }))
    }

    /// What is set for a session's jobs now.
    pub async fn rules(&self, session: &SessionKey) -> Result<Option<Rules>> {
        let context: Option<Context> = self.db.rows(CONTEXT, values![session.as_str()]).await?.pop();
        context.map(|context| context.rules.read()).transpose()
    }

    /// The next recipients of a job, in order.
    pub async fn waiting(&self, job: &JobId, limit: i64) -> Result<Vec<Waiting>> {
        type Row = (i64, Option<Phone>, Option<String>, i64, i64, bool, bool);
        let rows: Vec<Row> = self.db.rows(NEXT, values![job.as_str(), limit]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(seq, phone, fields, variant, attempts, opted_out, is_reached)| {
                let variant = usize::try_from(variant).unwrap_or(0);
                Some(Waiting { seq, phone: phone?, fields, variant, attempts, opted_out, is_reached })
            })
            .collect())
    }

    /// Lets a job wait for a reason of its own. Whoever reads the rules afterwards and finds others than
    /// those that the reason came from takes it back: who changes them ends the holds of before.
    pub async fn hold_job(&self, job: &JobId, hold: Hold, until: At) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if matches!(tx, Tx::Postgres(_)) {
            // Waits for a change of limits that is being committed.
            const LOCK: &str = "SELECT j.id FROM jobs j JOIN sessions s ON s.key = j.session_key
                JOIN tenants t ON t.id = s.tenant_id WHERE j.id = $1 FOR SHARE OF s, t";
            tx.rows::<(String,)>(LOCK, values![job.as_str()]).await?;
        }
        tx.run(HOLD, values![job.as_str(), hold.as_str(), until]).await?;
        Ok(tx.commit().await?)
    }

    /// The reason is gone.
    pub async fn unhold_job(&self, job: &JobId, hold: Hold) -> Result<()> {
        self.run(UNHOLD, values![job.as_str(), hold.as_str(), self.clock.now()]).await
    }

    /// Lets every job of a session wait until then: WhatsApp said so.
    pub async fn restrict(&self, session: &SessionKey, why: Restriction, until: At) -> Result<()> {
        const RESTRICT: &str = "INSERT INTO pace (session_key, last_at, draw, hold, hold_until, strikes)
            VALUES ($1, $2, 0, $3, $4, 1)
            ON CONFLICT (session_key) DO UPDATE SET hold = excluded.hold, hold_until = excluded.hold_until";
        let now = self.clock.now();
        self.run(RESTRICT, values![session.as_str(), now, why.as_str(), until]).await
    }

    /// What WhatsApp holds against a session's number, and how many refusals in a row it has met.
    pub async fn standing(&self, session: &SessionKey) -> Result<Option<(Option<(Restriction, At)>, i64)>> {
        const STANDING: &str = "SELECT hold, hold_until, strikes FROM pace WHERE session_key = $1";
        let rows: Vec<(Option<Restriction>, Option<At>, i64)> =
            self.db.rows(STANDING, values![session.as_str()]).await?;
        Ok(rows.into_iter().next().map(|(hold, until, strikes)| (hold.zip(until), strikes)))
    }

    /// A message was taken again: the next refusal is a first one.
    pub async fn forgive(&self, session: &SessionKey) -> Result<()> {
        const FORGIVE: &str = "UPDATE pace SET hold = NULL, hold_until = NULL, strikes = 0
             WHERE session_key = $1 AND hold_until <= $2";
        self.run(FORGIVE, values![session.as_str(), self.clock.now()]).await
    }

    /// Sessions with a job that may send.
    pub async fn sessions_with_work(&self, now: At) -> Result<Vec<SessionKey>> {
        let rows: Vec<(SessionKey,)> = self.db.rows(DUE, values![now]).await?;
        let sessions: BTreeSet<SessionKey> = rows.into_iter().map(|(key,)| key).collect();
        Ok(sessions.into_iter().collect())
    }

    /// Who wrote to this number, on any session of the tenant, or got a message from it that arrived:
    /// somebody who is on WhatsApp.
    pub async fn was_met(&self, tenant: &TenantId, mode: Mode, phone: &Phone) -> Result<bool> {
        let place = values![phone.digits(), tenant.as_str(), mode.as_str()];
        Ok(!self.db.rows::<(String,)>(MET, place).await?.is_empty())
    }

    /// Did a job write to this account for another row of its list, or may it have?
    pub async fn has_reached(
        &self,
        tenant: &TenantId,
        mode: Mode,
        (job, seq): (&JobId, i64),
        account: &Phone,
    ) -> Result<bool> {
        let place = values![account.digits(), tenant.as_str(), mode.as_str(), job.as_str(), seq];
        Ok(!self.db.rows::<(String,)>(REACHED, place).await?.is_empty())
    }

    /// Gives a message without a verdict another address: its number led to an account that is called
    /// otherwise, which was not known when it was accepted.
    pub async fn readdress(
        &self,
        tenant: &TenantId,
        mode: Mode,
        key: &MessageKey,
        to: &Recipient,
    ) -> Result<()> {
        let lid = match to {
            Recipient::Hidden(lid) => Some(lid.as_str()),
            Recipient::Person(_) | Recipient::Group(_) => None,
        };
        let phone = to.phone().map(Phone::digits);
        self.run(READDRESS, values![tenant.as_str(), mode.as_str(), key.as_str(), to.jid(), phone, lid]).await
    }

    async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(sql, values).await?;
        Ok(tx.commit().await?)
    }
}
