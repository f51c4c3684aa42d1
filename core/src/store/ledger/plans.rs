//! How a database would find the rows of each statement.

use super::calls::CLAIM;
use super::{
    accept, change, chats, contacts, deliver, events, groups, job_changes, jobs, owners, people, receive,
    settle, task,
};
use crate::store::plan::Plans;

#[tokio::test]
async fn every_statement_finds_its_rows_by_a_whole_index_on_sqlite() {
    check(Plans::sqlite().await).await;
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_a_whole_index_on_postgres() {
    if let Some(plans) = Plans::postgres(&task::PLANNER).await {
        check(plans).await;
    }
}

/// A batch must cost the same however long the log is.
async fn check(mut plans: Plans) {
    let whole = &[][..];
    // Of the echoes and receipts of one message there are few.
    let named = &["messages_by_wa_id (session_key=? AND wa_id=?)"][..];
    // What is not answered yet is as much as a session can send at once.
    let pending = &["messages_pending (session_key=?)"][..];
    // Those who failed, and no others.
    let failed = &["recipients_failed (job_id=? AND state=?)", "recipients_failed (job_id=?)"][..];
    // A session's jobs, when it goes.
    let jobs = &["jobs_by_session (session_key=?)"][..];
    // A tenant has few.
    let endpoints = &["endpoints (tenant_id=? AND mode=?)", "endpoints_pkey (tenant_id=? AND mode=?)"][..];
    let mut wide = Vec::new();
    for (sql, types, walks) in [
        (owners::OWNERS, "ttt", whole),
        (accept::OPTED_OUT, "ttt", whole),
        (accept::TAKE_KEY, "tttttii", whole),
        (accept::KEY_TAKEN, "ttt", whole),
        (accept::LEAVE_KEY, "ttt", whole),
        (accept::TAKE_QUOTA, "ttti", whole),
        (accept::LEAVE_QUOTA, "ttti", whole),
        (accept::TAKE_SESSION_QUOTA, "tti", whole),
        (accept::LEAVE_SESSION_QUOTA, "tti", whole),
        (accept::INSERT, "ttttttttttttitititt", whole),
        (jobs::READY, "tttti", whole),
        (jobs::TURN, "tii", whole),
        (jobs::RELEASE, "tit", whole),
        (jobs::OUTCOME, "tittttii", whole),
        (jobs::COUNT, "tiiii", whole),
        (jobs::PACE, "tii", whole),
        (jobs::BLOCK, "tii", whole),
        (jobs::STRICKEN, "t", whole),
        (events::NUMBER, "ti", whole),
        (events::PLACE, "tti", whole),
        (events::ENDPOINTS, "tt", endpoints),
        (contacts::FIND, "ttt", whole),
        (contacts::OTHER_LID, "tttt", whole),
        (chats::TOUCH, "tttttttii", whole),
        (chats::ABSORB, "tttt", whole),
        (chats::NAME, "ttttttt", whole),
        (chats::UNNAME, "tttt", whole),
        (people::SAVE, "tttttttt", whole),
        (people::READ, "tttti", named),
        (people::LESS, "tttti", whole),
        // What nobody has read of a chat.
        (people::READ_UNTIL, "ttttii", &["messages_unread (session_key=? AND chat=?)"]),
        (people::NUMBERS, "ttt", whole),
        // Once, when another number is linked.
        (people::READ_ALL, "ttti", &["messages_unread (session_key=?)"]),
        (deliver::TRIED, "titiiii", whole),
        (deliver::STAND, "tiiii", whole),
        (receive::INSERT, "ttttttttttttttttiiitttt", named),
        (change::APPLY, "ttti", named),
        (change::TOO_LATE, "ttti", &["messages_by_wa_id (session_key=? AND wa_id=? AND chat=?)"]),
        (receive::WORDS, "tt", whole),
        (groups::NOTE, "ttti", whole),
        (groups::NAMES, "tt", whole),
        (settle::SETTLE, "tttitiitti", whole),
        (settle::ADVANCE, "tttttiittt", named),
        (settle::GIVE_BACK, "ttti", whole),
        (settle::GIVE_BACK_SESSION, "tti", whole),
        (CLAIM, "ti", pending),
        (job_changes::CHANGE, "ttttti", whole),
        (job_changes::CURRENT, "ttt", whole),
        (job_changes::MAY_RETRY, "ttt", whole),
        (job_changes::SENDER, "t", whole),
        (job_changes::FAILED, "t", failed),
        (job_changes::REQUEUE, "tbi", failed),
        (job_changes::REOPEN, "ti", whole),
        (job_changes::FAIL, "ti", jobs),
    ] {
        let steps = plans.wide_steps(sql, types, walks).await;
        wide.extend(steps.into_iter().map(|step| format!("{step} in {sql}")));
    }
    plans.close().await;
    assert_eq!(wide, Vec::<String>::new());
}
