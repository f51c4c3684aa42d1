//! Bulk jobs and their recipients. What happens to them while messages leave is written by the ledger.

mod agenda;
mod make;
mod read;

pub use super::ledger::Retried;
pub use agenda::{Active, Agenda, Rules, Waiting};
pub use make::{JOBS_MAX, Listed, MadeJob, NewJob, NewJobError};
pub use read::{JobFilter, JobRow, Outlook, RecipientRow, Tally};

#[cfg(test)]
mod tests {
    use super::agenda::{ACTIVE, CONTEXT, DUE, HOLD, MET, NEXT, REACHED, UNHOLD};
    use super::make::{KEY_TAKEN, UNFINISHED};
    use super::read::{JOB, OUTLOOK, PAGE, SIZES, UNDERWAY, USED};
    use crate::store::plan::Plans;

    /// What a runner or a poll asks must cost the same for the last recipient of a long list as for the
    /// first, and beside a long log.
    #[tokio::test]
    async fn what_runs_per_send_or_poll_finds_its_rows_by_an_index() {
        let mut plans = Plans::sqlite().await;
        for (sql, walk) in [
            (JOB, ""),
            (KEY_TAKEN, ""),
            (OUTLOOK, ""),
            (USED, ""),
            (CONTEXT, ""),
            (ACTIVE, ""),
            // The first of those who wait, in order; and each one's messages.
            (
                NEXT,
                "recipients_queued (job_id=? AND state=?); messages_by_phone (phone=? AND tenant_id=? AND mode=?)",
            ),
            (HOLD, ""),
            (UNHOLD, ""),
            (UNFINISHED, "jobs_by_session (session_key=? AND state=?)"),
            // What is due is what the sweep is to wake.
            (DUE, "jobs_active (not_before<?)"),
            // One person's messages.
            (MET, "messages_by_phone (phone=? AND tenant_id=? AND mode=?)"),
            (REACHED, "messages_by_phone (phone=? AND tenant_id=? AND mode=?)"),
            // What is not answered yet is as much as a session can send at once.
            (UNDERWAY, "messages_pending (session_key=?)"),
            // From the cursor on, a page's length.
            (PAGE, "recipients (job_id=? AND seq>?)"),
            (SIZES, "recipients (job_id=? AND seq>?)"),
        ] {
            let walks: Vec<&str> = walk.split("; ").filter(|walk| !walk.is_empty()).collect();
            let wide = plans.wide_steps(sql, "", &walks).await;
            assert!(wide.is_empty(), "{sql}: {wide:?}");
        }
    }
}
