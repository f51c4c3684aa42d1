//! Bulk jobs: make one, watch it, steer it, read what became of everybody.
//!
//! | file | what |
//! |---|---|
//! | `new` | what a request for a job says, as JSON or as a form with a file; its checks |
//! | `list_turns` | whose list is read and stored now |
//! | `upload` | a form's file, on its way to disk |
//! | `view` | a job as its owner reads it: progress, why it waits, when it ends |
//! | `recipients` | what became of each person, as pages, as CSV, and summed up |

use axum::Json;
use axum::extract::{FromRef, FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::id::SessionId;
use wapid_core::job::{JobId, State as Standing};
use wapid_core::store::jobs::{JobFilter, JobRow};
use wapid_core::store::ledger::Change;
use wapid_core::store::listed::Listed;

use super::Api;
use super::answers::Rows;
use super::error::ApiError;
use super::openapi::Refusals;
use super::params::{QueryParams, is_full, page_of, within};
use super::visit::OwnVisit;
use crate::caller::Caller;
use crate::usecases::jobs::RetriedFailures;
use crate::usecases::{self, GatewayParts};

mod list_turns;
pub mod new;
pub mod recipients;
pub mod upload;
mod view;

pub use list_turns::ListTurns;
use view::{Detail, Job};

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;

/// The job named in the path, if it is the caller's. Anybody else's is 404.
pub struct OwnJob {
    pub row: JobRow,
    pub caller: Caller,
}

impl FromRequestParts<Api> for OwnJob {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let Path(id) =
            Path::<String>::from_request_parts(parts, api).await.map_err(|_| ApiError::no_job())?;
        let id = JobId::parse(&id).ok_or_else(ApiError::no_job)?;
        let row = caller.store.job(&id).await?.ok_or_else(ApiError::no_job)?;
        Ok(Self { row, caller })
    }
}

/// How a job stands
///
/// `status` is `pending`, `running`, `completed` or `failed`; `state` is finer, and `waiting` says why
/// nothing leaves just now, and until when.
#[utoipa::path(
    operation_id = "bulk_job",
    get, path = "/api/whatsapp/bulk-job/{jobId}", tag = "jobs",
    params(("jobId" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job), Refusals)
)]
pub async fn read(State(api): State<Api>, job: OwnJob) -> Result<Json<Job>, ApiError> {
    Ok(Json(view::job(&api, &job.caller, job.row, Detail::Whole).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobQuery {
    session_id: Option<String>,
    /// `pending`, `running`, `paused`, `completed`, `cancelled` or `failed`. A job that
    /// reads `waiting` is found as `pending` or `running`
    state: Option<String>,
    /// Jobs per page, 1 to 100; 20 by default
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// `nextCursor` of the answer before
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobList {
    #[schema(value_type = Vec<Job>)]
    jobs: Rows,
    /// Give it as `cursor` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// All jobs, newest first
#[utoipa::path(
    operation_id = "list_bulk_jobs",
    get, path = "/api/whatsapp/bulk-jobs", tag = "jobs", params(JobQuery),
    responses((status = 200, description = "A part of the jobs", body = JobList), Refusals)
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    visit: OwnVisit,
    QueryParams(query): QueryParams<JobQuery>,
) -> Result<Json<JobList>, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let session = query.session_id.as_deref().map(SessionId::parse).transpose();
    let state = query.state.as_deref().map(|word| {
        Standing::parse(word).ok_or_else(|| {
            ApiError::parameter("state: pending, running, paused, completed, cancelled or failed")
        })
    });
    let filter = JobFilter {
        session: session.map_err(|problem| ApiError::parameter(problem.to_string()))?,
        state: state.transpose()?,
    };
    let before = query.cursor.as_deref().map(|text| {
        JobId::parse(text)
            .ok_or_else(|| ApiError::parameter("cursor: give the nextCursor of an earlier answer"))
    });
    visit.prepare().await?;
    let Listed { rows, is_cut } = caller.store.jobs(&filter, before.transpose()?.as_ref(), limit).await?;
    let is_more = is_cut || is_full(&rows, limit);
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.push(view::job(&api, &caller, row, Detail::Glance).await?);
    }
    let (jobs, next_cursor) = page_of(jobs, is_more, Job::id, |job| job)?;
    Ok(Json(JobList { jobs, next_cursor }))
}

/// Pause a job
///
/// From the answer on nothing more of it leaves, and what had left has WhatsApp's answer (unless that
/// takes more than 2 s). `resume` goes on with the next recipient.
#[utoipa::path(
    operation_id = "pause_bulk_job",
    post, path = "/api/whatsapp/bulk-job/{jobId}/pause", tag = "jobs",
    params(("jobId" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job), Refusals)
)]
pub async fn pause(api: State<Api>, job: OwnJob) -> Result<Json<Job>, ApiError> {
    steer(api, job, Change::Pause).await
}

/// Let a paused job go on
#[utoipa::path(
    operation_id = "resume_bulk_job",
    post, path = "/api/whatsapp/bulk-job/{jobId}/resume", tag = "jobs",
    params(("jobId" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job), Refusals)
)]
pub async fn resume(api: State<Api>, job: OwnJob) -> Result<Json<Job>, ApiError> {
    steer(api, job, Change::Resume).await
}

/// Stop a job for good
///
/// Those who have not been written to are `cancelled`; the job's `status` is then `failed`, with the
/// reason `cancelled`.
#[utoipa::path(
    operation_id = "cancel_bulk_job",
    post, path = "/api/whatsapp/bulk-job/{jobId}/cancel", tag = "jobs",
    params(("jobId" = String, Path, description = "The job")),
    responses((status = 200, description = "The job", body = Job), Refusals)
)]
pub async fn cancel(api: State<Api>, job: OwnJob) -> Result<Json<Job>, ApiError> {
    steer(api, job, Change::Cancel).await
}

async fn steer(State(api): State<Api>, job: OwnJob, change: Change) -> Result<Json<Job>, ApiError> {
    let gateway = GatewayParts::from_ref(&api);
    let row = usecases::jobs::change(&gateway, &job.caller.store, &job.row, change).await?;
    Ok(Json(view::job(&api, &job.caller, row, Detail::Whole).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryQuery {
    /// `true`: also those whose outcome is unknown, who may have got the message already
    include_unknown: Option<bool>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetriedJob {
    /// Recipients that are in line again
    retried: i64,
    /// Those who were left out because they may have got the message; `includeUnknown=true` takes them
    unknown: i64,
    job: Job,
}

/// Try the failed recipients of a job again
#[utoipa::path(
    operation_id = "retry_bulk_job",
    post, path = "/api/whatsapp/bulk-job/{jobId}/retry-failed", tag = "jobs",
    params(("jobId" = String, Path, description = "The job"), RetryQuery),
    responses((status = 200, description = "The job, and how many are tried again", body = RetriedJob), Refusals)
)]
pub async fn retry(
    State(api): State<Api>,
    job: OwnJob,
    QueryParams(query): QueryParams<RetryQuery>,
) -> Result<Json<RetriedJob>, ApiError> {
    let unknown_too = query.include_unknown.unwrap_or(false);
    let gateway = GatewayParts::from_ref(&api);
    let retried = usecases::jobs::retry_failed(&gateway, &job.caller.store, &job.row, unknown_too).await?;
    let RetriedFailures { job: row, retried, unknown } = retried;
    let job = view::job(&api, &job.caller, row, Detail::Whole).await?;
    Ok(Json(RetriedJob { retried, unknown, job }))
}
