//! What two tables say of one thing must agree at every instant.

use wapid_core::read;
use wapid_core::store::ledger::Outcome as Ending;
use wapid_core::store::{Db, Store};

use super::{Job, unknown};
use crate::fixture::{Shop, TestDb};

/// Each answers what contradicts it.
const RULES: [(&str, &str); 12] = [
    (
        "a job's numbers are its recipients'",
        "SELECT j.id FROM jobs j WHERE j.state <> 'loading' AND (
            j.succeeded <> (SELECT COUNT(*) FROM recipients r WHERE r.job_id = j.id AND r.state = 'sent')
            OR j.failed <> (SELECT COUNT(*) FROM recipients r WHERE r.job_id = j.id AND r.state = 'failed')
            OR j.skipped <> (SELECT COUNT(*) FROM recipients r WHERE r.job_id = j.id AND r.state = 'skipped')
            OR j.invalid <> (SELECT COUNT(*) FROM recipients r WHERE r.job_id = j.id AND r.state = 'invalid')
            OR j.duplicates <> (SELECT COUNT(*) FROM recipients r
                WHERE r.job_id = j.id AND r.state = 'duplicate')
            OR j.total <> (SELECT COUNT(*) FROM recipients r
                WHERE r.job_id = j.id AND r.state NOT IN ('invalid', 'duplicate')))",
    ),
    (
        "a job that can go on is completed when everybody has an outcome, and not before",
        "SELECT j.id FROM jobs j WHERE j.state IN ('pending', 'running', 'paused', 'completed')
            AND (j.state = 'completed') <> (j.succeeded + j.failed + j.skipped = j.total)",
    ),
    (
        "what is over has an end, and nothing else has",
        "SELECT j.id FROM jobs j
            WHERE (j.state IN ('completed', 'cancelled', 'failed')) <> (j.finished_at IS NOT NULL)",
    ),
    (
        "a pending job has sent nothing, a running one has",
        "SELECT j.id FROM jobs j WHERE (j.state = 'pending' AND j.started_at IS NOT NULL)
            OR (j.state = 'running' AND j.started_at IS NULL)
            OR ((j.started_at IS NOT NULL) <> EXISTS (SELECT 1 FROM messages m WHERE m.job_id = j.id))",
    ),
    (
        "who is being sent to has the one message that is on its way",
        "SELECT r.job_id FROM recipients r LEFT JOIN messages m ON m.key = r.message_key
            WHERE r.state = 'sending' AND (m.key IS NULL OR NOT m.pending OR m.job_id <> r.job_id
                OR m.job_seq <> r.seq)",
    ),
    (
        "a message on its way is for somebody who is being sent to",
        "SELECT m.key FROM messages m LEFT JOIN recipients r ON r.job_id = m.job_id AND r.seq = m.job_seq
            WHERE m.pending AND m.job_id IS NOT NULL AND (r.state IS NULL OR r.state <> 'sending'
                OR r.message_key <> m.key)",
    ),
    (
        "nobody gets two messages of a job",
        "SELECT m.job_id FROM messages m WHERE m.job_id IS NOT NULL AND m.status <> 'failed'
            GROUP BY m.job_id, m.job_seq HAVING COUNT(*) > 1",
    ),
    (
        "who was sent to has a message that WhatsApp answered",
        "SELECT r.job_id FROM recipients r LEFT JOIN messages m ON m.key = r.message_key
            WHERE r.state = 'sent' AND (m.key IS NULL OR m.pending OR m.rank = 0)",
    ),
    (
        "a day's quota is what was taken and has not failed, of the tenant and of the session",
        "SELECT u.day FROM daily_usage u WHERE u.used <> (SELECT COUNT(*) FROM messages m
                WHERE m.tenant_id = u.tenant_id AND m.mode = u.mode AND m.counted_on = u.day
                    AND m.status <> 'failed')
            UNION ALL
            SELECT u.day FROM session_usage u WHERE u.used <> (SELECT COUNT(*) FROM messages m
                WHERE m.session_key = u.session_key AND m.counted_on = u.day AND m.status <> 'failed')",
    ),
    (
        "a job that started, or was cancelled, was told of, and no other",
        "SELECT j.id FROM jobs j JOIN sessions s ON s.key = j.session_key
            WHERE (j.started_at IS NOT NULL) <> EXISTS (SELECT 1 FROM events e
                    WHERE e.session_key = j.session_key AND e.kind = 'job.started' AND e.data LIKE '%' || j.id || '%')
                OR (j.state = 'cancelled') <> EXISTS (SELECT 1 FROM events e
                    WHERE e.session_key = j.session_key AND e.kind = 'job.cancelled' AND e.data LIKE '%' || j.id || '%')",
    ),
    (
        "a job was told to be completed as often as it was, and to go on after that",
        "SELECT t.id FROM (SELECT j.id, CASE WHEN j.state = 'completed' THEN 1 ELSE 0 END AS ended,
                (SELECT COUNT(*) FROM events e WHERE e.session_key = j.session_key
                    AND e.kind = 'job.completed' AND e.data LIKE '%' || j.id || '%') AS completed,
                (SELECT COUNT(*) FROM events e WHERE e.session_key = j.session_key AND e.kind = 'job.resumed'
                    AND e.data LIKE '%' || j.id || '%' AND e.data LIKE '%\"retried\"%') AS resumed
                FROM jobs j JOIN sessions s ON s.key = j.session_key) t
            WHERE t.completed < t.ended OR t.completed - t.ended > t.resumed",
    ),
    (
        "a job whose session goes was told of before it is gone",
        "SELECT j.id FROM jobs j JOIN sessions s ON s.key = j.session_key
            WHERE (j.state = 'failed') <> EXISTS (SELECT 1 FROM events e WHERE e.session_key = j.session_key
                AND e.kind = 'job.failed' AND e.data LIKE '%' || j.id || '%')",
    ),
];

/// The rules that the database breaks, with what breaks them.
pub async fn contradictions(store: &Store) -> Vec<String> {
    let mut broken = Vec::new();
    for (rule, sql) in RULES {
        let found: Vec<(String,)> =
            read!(store.db(), |pool| sqlx::query_as(sql).fetch_all(pool).await).unwrap();
        broken.extend(found.into_iter().map(|(what,)| format!("{rule}: not {what}")));
    }
    broken
}

#[tokio::test]
async fn every_rule_is_broken_by_a_lie() {
    for (lie, rule) in [
        ("UPDATE jobs SET failed = 2", "a job's numbers"),
        ("UPDATE jobs SET state = 'completed', finished_at = 1", "completed when everybody"),
        ("UPDATE jobs SET finished_at = 1", "has an end"),
        ("UPDATE jobs SET state = 'pending'", "a pending job has sent nothing"),
        ("UPDATE recipients SET message_key = 'x' WHERE seq = 3", "the one message that is on its way"),
        ("UPDATE recipients SET state = 'queued' WHERE seq = 3", "somebody who is being sent to"),
        ("UPDATE messages SET job_seq = 1 WHERE job_seq = 3", "two messages of a job"),
        ("UPDATE messages SET rank = 0 WHERE job_seq = 1", "that WhatsApp answered"),
        ("UPDATE daily_usage SET used = 1", "a day's quota"),
        ("UPDATE session_usage SET used = 1", "a day's quota"),
        ("DELETE FROM events WHERE kind = 'job.started'", "a job that started"),
        ("UPDATE events SET kind = 'job.cancelled' WHERE kind = 'message.sent'", "or was cancelled"),
        ("UPDATE events SET kind = 'job.completed' WHERE kind = 'message.sent'", "told to be completed"),
        ("UPDATE jobs SET state = 'failed', finished_at = 1", "whose session goes"),
    ] {
        let db = TestDb::sqlite();
        let shop = Shop::new(&db.store().await, "shop").await;
        let job = Job::of(&shop, 5).await;
        job.end(1, Ending::Sent).await;
        job.end(2, unknown()).await;
        job.send(3).await;
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
        let Db::Sqlite { write, .. } = shop.store.db() else { unreachable!("it is SQLite") };
        sqlx::query(lie).execute(write).await.unwrap();
        let broken = contradictions(&shop.store).await;
        assert!(broken.iter().any(|what| what.contains(rule)), "{lie} broke only {broken:?}");
    }
}
