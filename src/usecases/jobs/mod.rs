//! Bulk jobs: what a wish for one comes to, and what their owners want of those that there are.
//!
//! | file | what |
//! |---|---|
//! | `order` | a wish, checked: its list is read, its texts are held against it |
//! | `lots` | which variant each recipient gets |
//! | `texts` | what a job's texts ask of its list |
//! | `refusal` | what is refused of it |

use serde_json::value::RawValue;
use tempfile::NamedTempFile;
use wapid_core::content::Words;
use wapid_core::job::{JobId, Outcome, Plan};
use wapid_core::pacing::Windows;
use wapid_core::recipient::{Fields, List, NewRecipient};
use wapid_core::store::TenantStore;
use wapid_core::store::jobs::{JobRow, Listed, NewJob, Retried};
use wapid_core::store::ledger::{Change, Changed};
use wapid_core::turns::Turn;

use super::GatewayParts;
use super::moments::WrittenMoment;
use super::once::Once;
use super::refusal::{Missing, Refusal};
use super::send::ContentWish;
use crate::caller::OwnSession;
use crate::recipients::ListOptions;
use crate::session::Script;

mod lots;
mod order;
mod refusal;
mod texts;

pub use order::CheckedJob;
pub use refusal::JobRefusal;
pub use texts::{Doubt, FieldLack, TextPlace, TextRemark};

use lots::Lots;
use order::Files;

/// A bulk job, as somebody wishes it.
pub struct JobWish {
    /// The list as JSON, or as a file; one of them.
    pub recipients: Option<Box<RawValue>>,
    pub file: Option<NamedTempFile>,
    pub options: ListOptions,
    /// Of numbers without a country code; otherwise that of the settings.
    pub default_country: Option<String>,
    pub content: ContentWish,
    /// Several texts instead of the content's one.
    pub variants: Option<Vec<VariantWish>>,
    pub delay_min: Option<i64>,
    pub delay_max: Option<i64>,
    pub name: Option<String>,
    pub schedule_at: Option<WrittenMoment>,
    pub windows: Option<Windows>,
    pub check_numbers: Option<bool>,
    /// Lists that are in memory at a time are counted: held until this one is stored.
    pub turn: Turn,
}

pub struct VariantWish {
    pub message: Option<String>,
    pub header: Option<String>,
    pub footer: Option<String>,
    pub label: Option<String>,
    pub weight: Option<u32>,
}

/// A job that was made, now or by an earlier call with the same key.
pub struct CreatedJob {
    pub id: JobId,
    pub repeated: bool,
    pub total: i64,
    pub duplicates: i64,
    pub invalid: i64,
    /// What was made of the wish; none where its answer was known already.
    pub checked: Option<CheckedJob>,
}

/// Makes a job. It waits where its session is not ready.
///
/// # Errors
/// [`Refusal`]
pub async fn create(
    gateway: &GatewayParts,
    session: OwnSession,
    wish: JobWish,
    once: Option<Once>,
) -> Result<CreatedJob, Refusal> {
    let store = &session.caller.store;
    let now = store.now();
    let idempotency = once.map(|once| once.of_call("send-bulk", &session.row, now)).transpose()?;
    if let Some(key) = &idempotency
        && let Some(made) = store.job_of_key(key).await.map_err(JobRefusal::NotMade)?
    {
        let JobRow { id, total, duplicates, invalid, .. } = reread(store, &made.id).await?;
        return Ok(CreatedJob { id, repeated: true, total, duplicates, invalid, checked: None });
    }
    let checked = order::check(gateway, &session, wish, Files::Stored).await?;
    let new = NewJob {
        session: session.row.key.clone(),
        session_id: session.row.id.clone(),
        name: checked.name.clone(),
        plan: checked.plan.clone(),
        schedule_at: checked.schedule_at,
        idempotency,
    };
    let made = store.create_job(new, listed(&checked.plan, &checked.list)).await;
    let made = made.map_err(JobRefusal::NotMade)?;
    gateway.sessions.wake_jobs(&session.row.key).await;
    if let Some(at) = checked.schedule_at {
        gateway.sessions.wake_jobs_at(&session.row.key, at).await;
    }
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let List { recipients, duplicates, invalid, .. } = &checked.list;
    Ok(CreatedJob {
        id: made.id,
        repeated: made.repeated,
        total: count(recipients.len()),
        duplicates: count(*duplicates),
        invalid: count(*invalid),
        checked: Some(checked),
    })
}

/// The list as rows. Problems come last; a row's place in the list is its own.
fn listed<'a>(plan: &'a Plan, list: &'a List) -> impl Iterator<Item = Listed<'a>> + Send {
    let lots = Lots::of(plan);
    let good = list.recipients.iter().map(move |one: &NewRecipient| {
        let variant = lots.variant(&one.phone);
        Listed {
            seq: i64::from(one.row),
            phone: Some(one.phone.digits()),
            fields: one.fields.as_deref(),
            variant: i64::try_from(variant).unwrap_or(0),
            outcome: Outcome::Queued,
            code: None,
            error: None,
        }
    });
    let bad = list.problems.iter().map(|problem| Listed {
        seq: i64::from(problem.row),
        phone: None,
        fields: None,
        variant: 0,
        outcome: if problem.why.is_duplicate() { Outcome::Duplicate } else { Outcome::Invalid },
        code: Some(problem.why.code()),
        error: Some(format!("{}: {}", problem.given, problem.why)),
    });
    good.chain(bad)
}

/// What one recipient would get.
pub struct PreviewedMessage {
    pub row: u32,
    pub phone: String,
    /// Of a job with several.
    pub variant: Option<String>,
    /// As WhatsApp shows it.
    pub text: String,
    /// Why this recipient would fail, as the job's rows will call it.
    pub unfit: Option<&'static str>,
}

/// What a job would send to its first `limit` recipients. Changes nothing.
///
/// # Errors
/// As [`create`].
pub async fn preview(
    gateway: &GatewayParts,
    session: &OwnSession,
    wish: JobWish,
    limit: usize,
) -> Result<(CheckedJob, Vec<PreviewedMessage>), Refusal> {
    let checked = order::check(gateway, session, wish, Files::Left).await?;
    let CheckedJob { plan, list, .. } = &checked;
    let script = Script::of(plan);
    let several = plan.variants.len() > 1;
    let lots = Lots::of(plan);
    let previews = list.recipients.iter().take(limit).map(|one| {
        let variant = lots.variant(&one.phone);
        let fields = Fields::parse(one.fields.as_deref().unwrap_or("{}"));
        let content = script.content(variant, &one.phone, &fields);
        PreviewedMessage {
            row: one.row,
            phone: one.phone.digits().to_owned(),
            variant: several.then(|| plan.variants[variant].label.clone()),
            text: content.body.words().map_or_else(|| content.body.text(), Words::rendered),
            // As the job will judge it.
            unfit: content.unfit().map(|(code, _)| code),
        }
    });
    let previews = previews.collect();
    Ok((checked, previews))
}

/// Pauses, resumes or cancels a job. After a pause or a cancel nothing more of it leaves, and what had left has
/// WhatsApp's answer, unless that takes long.
///
/// # Errors
/// [`JobRefusal::IsOver`], where there is nothing left to change.
pub async fn change(
    gateway: &GatewayParts,
    store: &TenantStore,
    job: &JobRow,
    change: Change,
) -> Result<JobRow, Refusal> {
    match store.change_job(&job.id, change).await? {
        Changed::Done | Changed::AlreadySo => {}
        Changed::TooLate(state) => return Err(JobRefusal::IsOver(state).into()),
        Changed::NotFound => return Err(Refusal::Missing(Missing::Job)),
    }
    gateway.sessions.wake_jobs(&job.session_key).await;
    if change != Change::Resume {
        gateway.sessions.settle_job(&job.id).await;
    }
    reread(store, &job.id).await
}

/// A job whose failed recipients are in line again.
pub struct RetriedFailures {
    pub job: JobRow,
    pub retried: i64,
    /// Who was left out because they may have got the message.
    pub unknown: i64,
}

/// Tries the failed recipients of a job again; those whose outcome is unknown only where `unknown_too` says so.
///
/// # Errors
/// [`JobRefusal::IsOver`], for a job that was ended.
pub async fn retry_failed(
    gateway: &GatewayParts,
    store: &TenantStore,
    job: &JobRow,
    unknown_too: bool,
) -> Result<RetriedFailures, Refusal> {
    let (retried, unknown) = match store.retry_failed(&job.id, unknown_too).await? {
        Retried::Queued { count, unknown } => (count, unknown),
        Retried::TooLate(state) => return Err(JobRefusal::IsOver(state).into()),
        Retried::NotFound => return Err(Refusal::Missing(Missing::Job)),
    };
    gateway.sessions.wake_jobs(&job.session_key).await;
    Ok(RetriedFailures { job: reread(store, &job.id).await?, retried, unknown })
}

async fn reread(store: &TenantStore, id: &JobId) -> Result<JobRow, Refusal> {
    store.job(id).await?.ok_or(Refusal::Missing(Missing::Job))
}
