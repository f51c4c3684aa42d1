//! What became of each person, as pages, as CSV, and summed up.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::job::{JobId, Outcome, Plan};
use wapid_core::message::Status;
use wapid_core::recipient::Fields;
use wapid_core::store::TenantStore;
use wapid_core::store::jobs::RecipientRow;

use super::OwnJob;
use crate::api::answers::Rows;
use crate::api::csv;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::api::params::{QueryParams, is_full, page_of, within};
use crate::api::visit::OwnVisit;

const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RecipientQuery {
    /// `queued`, `sending`, `sent`, `failed`, `skipped`, `invalid`, `duplicate` or `cancelled`
    #[param(pattern = "^(queued|sending|sent|failed|skipped|invalid|duplicate|cancelled)$")]
    outcome: Option<String>,
    /// Rows after this one: `nextAfter` of the answer before
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Rows per page, 1 to 1,000; 100 by default
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<i64>,
    /// `csv` for the whole list as a file
    #[param(pattern = "^(json|csv)$")]
    format: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recipient {
    /// Its row in the list, from 1
    row: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Its fields, as the list had them
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    fields: Option<Box<RawValue>>,
    outcome: &'static str,
    /// Where its message stands: `sending`, `sent`, `delivered`, `read`, `played` or `failed`
    #[serde(skip_serializing_if = "Option::is_none")]
    message_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    attempts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// When it was sent, failed or skipped
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recipients {
    #[schema(value_type = Vec<Recipient>)]
    recipients: Rows,
    /// Give it as `after` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<i64>,
}

/// What became of each recipient
#[utoipa::path(
    operation_id = "bulk_job_recipients",
    get, path = "/api/whatsapp/bulk-job/{jobId}/recipients", tag = "jobs",
    params(("jobId" = String, Path, description = "The job"), RecipientQuery),
    responses(
        (status = 200, description = "A part of the recipients, or all of them as CSV", content((Recipients = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub async fn list(
    job: OwnJob,
    visit: OwnVisit,
    QueryParams(query): QueryParams<RecipientQuery>,
) -> Result<Response, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let after = query.after.unwrap_or(0).max(0);
    let is_over = job.row.state.is_over();
    let (outcome, after) = match query.outcome.as_deref() {
        None => (None, after),
        Some("cancelled") if is_over => (Some(Outcome::Queued), after),
        // Nobody: no row comes after the last.
        Some("cancelled") => (Some(Outcome::Queued), i64::MAX),
        Some("queued") if is_over => (Some(Outcome::Queued), i64::MAX),
        Some(word) => {
            let outcome = Outcome::parse(word).ok_or_else(|| {
                ApiError::parameter(
                    "outcome: queued, sending, sent, failed, skipped, invalid, duplicate or cancelled",
                )
            })?;
            (Some(outcome), after)
        }
    };
    let teller = Teller { plan: job.row.plan, is_over };
    match query.format.as_deref() {
        None | Some("json") => {
            visit.prepare().await?;
            let listed = job.caller.store.recipients(&job.row.id, outcome, after, limit).await?;
            let is_more = listed.is_cut || is_full(&listed.rows, limit);
            let (recipients, next_after) =
                page_of(listed.rows, is_more, |row| row.seq, |row| teller.tell(row))?;
            Ok(Json(Recipients { recipients, next_after }).into_response())
        }
        Some("csv") => {
            visit.prepare().await?;
            Ok(file(job.caller.store, job.row.id, outcome, after, teller))
        }
        Some(_) => Err(ApiError::parameter("format: json or csv")),
    }
}

/// Of a job that is over nobody waits any more.
fn told(outcome: Outcome, is_over: bool) -> &'static str {
    match outcome {
        Outcome::Queued if is_over => "cancelled",
        outcome => outcome.as_str(),
    }
}

struct Teller {
    plan: Plan,
    is_over: bool,
}

impl Teller {
    fn tell(&self, row: RecipientRow) -> Recipient {
        let label = || {
            let place = usize::try_from(row.variant).ok()?;
            self.plan.variants.get(place).map(|variant| variant.label.clone())
        };
        Recipient {
            variant: if self.plan.variants.len() > 1 { label() } else { None },
            row: row.seq,
            phone: row.phone,
            fields: row.fields.and_then(|text| RawValue::from_string(text).ok()),
            outcome: told(row.outcome, self.is_over),
            message_status: row.status.map(Status::as_str),
            message_id: row.wa_id,
            attempts: row.attempts,
            code: row.error_code,
            error: row.error,
            settled_at: row.settled_at.map(At::iso),
            delivered_at: row.delivered_at.map(At::iso),
            read_at: row.read_at.map(At::iso),
        }
    }
}

/// The whole list, a page at a time.
fn file(store: TenantStore, id: JobId, outcome: Option<Outcome>, after: i64, teller: Teller) -> Response {
    const COLUMNS: [&str; 13] = [
        "row",
        "phone",
        "name",
        "outcome",
        "messageStatus",
        "messageId",
        "variant",
        "attempts",
        "code",
        "error",
        "settledAt",
        "deliveredAt",
        "readAt",
    ];
    let head = stream::once(std::future::ready(Ok(Bytes::from(csv::head(&COLUMNS)))));
    let pages = stream::try_unfold((store, teller, Some(after)), move |(store, teller, after)| {
        let id = id.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let listed = store.recipients(&id, outcome, after, PAGE_MAX).await?;
            let Some(last) = listed.rows.last().map(|row| row.seq) else { return Ok(None) };
            let is_more = listed.is_cut || is_full(&listed.rows, PAGE_MAX);
            let text: String = listed.rows.into_iter().map(|row| line(teller.tell(row))).collect();
            Ok(Some((Bytes::from(text), (store, teller, is_more.then_some(last)))))
        }
    });
    let stream = futures::StreamExt::chain(
        head,
        futures::TryStreamExt::map_err(pages, |problem: wapid_core::store::StoreError| {
            tracing::error!("A list of recipients broke off: {problem}");
            std::io::Error::other("the database failed")
        }),
    );
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name = HeaderValue::from_static("attachment; filename=\"recipients.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    response
}

fn line(one: Recipient) -> String {
    let fields = one.fields.as_ref().map(|fields| Fields::parse(fields.get()));
    let name = fields.as_ref().and_then(|fields| fields.get("name"));
    let cells = [
        one.row.to_string(),
        one.phone.unwrap_or_default(),
        name.unwrap_or_default().to_owned(),
        one.outcome.to_owned(),
        one.message_status.unwrap_or_default().to_owned(),
        one.message_id.unwrap_or_default(),
        one.variant.unwrap_or_default(),
        one.attempts.to_string(),
        one.code.unwrap_or_default(),
        one.error.unwrap_or_default(),
        one.settled_at.unwrap_or_default(),
        one.delivered_at.unwrap_or_default(),
        one.read_at.unwrap_or_default(),
    ];
    csv::line(&cells)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// How many recipients ended how
    outcomes: BTreeMap<&'static str, i64>,
    /// How far the messages got
    messages: Reach,
    /// Why recipients failed and rows of the list were not used, the most frequent first
    reasons: Vec<Reason>,
    /// With several variants: the same for each
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variants: Vec<VariantResult>,
}

/// Each counts those that got at least so far.
#[derive(Serialize, ToSchema, Default, Clone)]
pub struct Reach {
    sent: i64,
    delivered: i64,
    read: i64,
}

#[derive(Serialize, ToSchema)]
pub struct Reason {
    code: String,
    count: i64,
}

#[derive(Serialize, ToSchema)]
pub struct VariantResult {
    label: String,
    recipients: i64,
    #[serde(flatten)]
    reach: Reach,
    failed: i64,
}

/// A job's results, summed up
///
/// Counts every recipient, so ask at the end rather than every second.
#[utoipa::path(
    operation_id = "bulk_job_results",
    get, path = "/api/whatsapp/bulk-job/{jobId}/results", tag = "jobs",
    params(("jobId" = String, Path, description = "The job")),
    responses((status = 200, description = "What became of each", body = Results), Refusals)
)]
pub async fn results(job: OwnJob) -> Result<Json<Results>, ApiError> {
    let is_over = job.row.state.is_over();
    let mut outcomes = BTreeMap::new();
    let mut messages = Reach::default();
    let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
    let plan = &job.row.plan;
    let mut variants: Vec<VariantResult> = plan
        .variants
        .iter()
        .map(|variant| VariantResult {
            label: variant.label.clone(),
            recipients: 0,
            reach: Reach::default(),
            failed: 0,
        })
        .collect();
    for tally in job.caller.store.tallies(&job.row.id).await? {
        *outcomes.entry(told(tally.outcome, is_over)).or_default() += tally.count;
        if let Some(code) = tally.error_code {
            *reasons.entry(code).or_default() += tally.count;
        }
        if matches!(tally.outcome, Outcome::Invalid | Outcome::Duplicate) {
            continue;
        }
        let rank = match tally.outcome {
            Outcome::Sent => tally.status.map_or(1, Status::rank),
            _ => 0,
        };
        let add = |reach: &mut Reach| {
            reach.sent += if rank >= 1 { tally.count } else { 0 };
            reach.delivered += if rank >= 2 { tally.count } else { 0 };
            reach.read += if rank >= 3 { tally.count } else { 0 };
        };
        add(&mut messages);
        if let Some(variant) = usize::try_from(tally.variant).ok().and_then(|place| variants.get_mut(place)) {
            variant.recipients += tally.count;
            variant.failed += if tally.outcome == Outcome::Failed { tally.count } else { 0 };
            add(&mut variant.reach);
        }
    }
    if variants.len() < 2 {
        variants.clear();
    }
    let mut reasons: Vec<Reason> = reasons.into_iter().map(|(code, count)| Reason { code, count }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
    Ok(Json(Results { outcomes, messages, reasons, variants }))
}
