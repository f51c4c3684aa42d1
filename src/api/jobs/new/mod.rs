//! A new bulk job: what a request for one says, what it is answered, and what it would send.
//!
//! | file | what |
//! |---|---|
//! | `arrival` | a request as JSON or as a form, on its way in |
//! | `order` | its checks, and what it comes to |
//! | `reading` | how its list was read, for the answer |
//! | `texts` | what its texts ask of its list |
//! | `described` | people and hours, for `openapi.json` |

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use wapid_core::content::Words;
use wapid_core::job::{Outcome, Plan};
use wapid_core::pacing::Windows;
use wapid_core::recipient::{Fields, List, NewRecipient, Problem};
use wapid_core::store::jobs::{Listed, NewJob};

use super::upload::FILE_MAX;
use crate::api::Api;
use crate::api::error::ApiError;
use crate::api::moments::WrittenMoment;
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::api::send::{NewCard, answered, key_of, notice_of};
use crate::caller::OwnSession;
use crate::session::Script;
use crate::usecases::once::Once;

mod arrival;
pub mod described;
mod order;
mod reading;
mod texts;

use arrival::Asked;
use described::{ListedPerson, SendingWindow};
use order::{Files, Lots, Order, take};
use reading::ListReading;

/// 100,000 recipients with a few fields each are some 10 MB of JSON.
const BODY_MAX: usize = 16 << 20;
/// A part of a form that is one text or setting; a message has 64 KiB at most.
const PART_MAX: usize = 1 << 20;
/// A form: a file and the fields beside it.
pub const FORM_MAX: usize = FILE_MAX + BODY_MAX;
/// Rows that an answer names; `recipients` names them all.
const PROBLEMS_SHOWN: usize = 20;
const PREVIEWS: usize = 5;
const PREVIEWS_MAX: usize = 50;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBulk {
    /// Numbers, or objects with a `phone`, perhaps a `name` and any other fields; at most 100,000. A field is
    /// a text, a number, `true` or `false`, and its name counts in upper and lower case alike
    #[schema(value_type = Option<Vec<ListedPerson>>, example = json!(["919876543210", {"phone": "919876543211", "name": "Ana"}]))]
    recipients: Option<Box<RawValue>>,
    /// `{{name}}` is replaced by the recipient's name, `{{name|there}}` by `there` where it has none, and so
    /// is any other field. `\{{` writes `{{`. Places as other programs write them (`{name}`, `%name%`, filters)
    /// are refused, or told in `warnings` where an honest text may hold them
    #[schema(example = "Hello {{name|there}}, 30% off today!")]
    message: Option<String>,
    /// As of a single send: `text` (default), `image`, `video`, `audio`, `voice`, `document`, `sticker`, `poll`,
    /// `location` or `contact`. A file is fetched and uploaded once, however many get it
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Shown bold above the message
    header: Option<String>,
    /// Shown in italics below the message
    footer: Option<String>,
    media_url: Option<String>,
    /// Within the 16 MiB of the whole body; a larger file goes by `mediaUrl`, or by `mediaId`
    media_base64: Option<String>,
    media_id: Option<String>,
    media_mime_type: Option<String>,
    file_name: Option<String>,
    view_once: Option<bool>,
    /// Of texts: show the page of each one's first URL below it, as of a single send. A page that many texts lead
    /// to is read once in ten minutes
    link_preview: Option<bool>,
    gif: Option<bool>,
    /// A poll's answers; its question is `message`
    options: Option<Vec<String>>,
    selectable_count: Option<u32>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// Of a place; `name` is the job's
    place_name: Option<String>,
    address: Option<String>,
    contacts: Option<Vec<NewCard>>,
    /// Several texts instead of one; each recipient gets one of them, drawn by weight
    variants: Option<Vec<NewVariant>>,
    /// The shortest pause between two messages in ms; 2000 by default
    #[schema(example = 2000)]
    delay_min: Option<i64>,
    /// The longest pause; 5000 by default
    #[schema(example = 5000)]
    delay_max: Option<i64>,
    /// A label for people
    name: Option<String>,
    /// Not before this time: ISO 8601, or milliseconds since the epoch. Without an offset it goes by the tenant's
    /// clock: an hour that is left out in spring is the one after it, and of one that comes twice in autumn the
    /// first counts
    #[schema(value_type = Option<WrittenMoment>, example = "2026-03-08T10:30:00Z")]
    schedule_at: Option<Value>,
    /// When messages may leave, in the tenant's time zone; the tenant's own windows by default, and `[]` for
    /// any time
    #[schema(value_type = Option<Vec<SendingWindow>>, example = json!([{"days": ["mon", "fri"], "from": "09:00", "to": "18:00"}]))]
    windows: Option<Windows>,
    /// Ask WhatsApp for each number it has not been seen on before writing to it; `true` by default
    check_numbers: Option<bool>,
    /// Of numbers without a country code, as ISO 3166: `BR`
    #[schema(example = "BR")]
    default_country: Option<String>,
    /// The heading of the column of phone numbers, or its letter (`B`); of `recipients` in JSON the name of the
    /// field. By default it is known by its heading in some forty languages, else by its values
    #[schema(example = "WhatsApp No")]
    phone_column: Option<String>,
    /// The same of the column that `{{name}}` reads. By default one called `name`, else the best of `Full Name`,
    /// `First Name`, `Nome`, `Vorname`, `姓名` and their like
    #[schema(example = "First Name")]
    name_column: Option<String>,
    /// The sheet of a workbook to read, by its name or its place from 1. By default the one that was open when
    /// it was saved, or the first that holds a list
    #[schema(example = "Customers")]
    sheet: Option<String>,
    /// Of a text file, where it is not the one that it looks like: `windows-1251`, `shift_jis`, `gbk`,
    /// `macintosh`, `cp850`
    #[schema(example = "windows-1251")]
    encoding: Option<String>,
    /// Take in rows, columns and sheets that are hidden or filtered out; `false` by default
    include_hidden: Option<bool>,
}

/// The fields of `NewBulk`, a part each, and the list as a file instead of `recipients`. Texts are written
/// as they are, everything else as JSON
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `arrival` reads part by part")]
pub struct BulkForm {
    /// CSV or text with tabs in any encoding, XLSX, XLS, ODS, vCard, an HTML or XML table, JSON, or a zip with one
    /// of them; up to 32 MiB. What it is, its content says
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVariant {
    message: Option<String>,
    header: Option<String>,
    footer: Option<String>,
    /// `A`, `B`, … by default
    label: Option<String>,
    /// How often it is drawn beside the others, 1 to 1,000; 1 by default
    weight: Option<u32>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeBulk {
    #[schema(example = "65f1a2b3c4d5e6f7a8b9c0d1")]
    job_id: String,
    /// Recipients to be sent to
    total: i64,
    /// Rows whose number stands further up, in this or its country's other spelling
    duplicates: i64,
    /// Rows without a usable number, or with a field that is none
    invalid: i64,
    /// The first rows that were left out; `recipients` of the job names all
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<RowProblem>,
    /// Template fields that some recipients lack, without a default: they read nothing there
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Missing>,
    /// What in the texts is sent as it stands although it looks like a place for a field
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<TextWarning>,
    /// How the list was read; not of a repeated answer
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<ListReading>,
    /// What of the request was left out, because WhatsApp shows no such thing
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub struct RowProblem {
    row: u32,
    given: String,
    code: &'static str,
    error: String,
}

#[derive(Serialize, ToSchema)]
pub struct Missing {
    field: String,
    recipients: usize,
}

/// A text that is sent, and that perhaps does not say what was meant
#[derive(Serialize, ToSchema)]
pub struct TextWarning {
    /// `message`, `header`, `footer` or `options`, behind its variant where there are several
    #[schema(example = "message")]
    place: String,
    /// `PLACE_NOT_FILLED`: as other programs write places. `FIELD_OF_NOBODY`: everybody reads the default
    #[schema(example = "PLACE_NOT_FILLED")]
    code: &'static str,
    #[schema(example = "character 4: [name] is sent as it stands; write {{name}}")]
    warning: String,
}

impl RowProblem {
    fn of(problem: &Problem) -> Self {
        Self {
            row: problem.row,
            given: problem.given.clone(),
            code: problem.why.code(),
            error: problem.why.to_string(),
        }
    }
}

/// Start a bulk job
///
/// Answers once the whole list is stored; messages then leave one by one with random pauses. The list is
/// `recipients`, or a file (CSV, a workbook, contacts) sent as the part `file` of a form whose other parts are the
/// fields below. Rows without a usable number, rows whose field that a text names is none, and repeated numbers are
/// counted, reported and left out; so is what is hidden in a workbook. `list` says how the list was read. A job is taken whether or not its session is ready: it waits. With an `Idempotency-Key`, a repeated request
/// within 24 hours answers with the first one's job.
#[utoipa::path(
    operation_id = "send_bulk",
    post, path = "/api/whatsapp/session/{id}/send-bulk", tag = "jobs",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 257, description = "1 to 255 visible ASCII characters, bare or in double quotes")
    ),
    request_body(content(
        (NewBulk = "application/json"),
        (BulkForm = "multipart/form-data")
    )),
    responses(
        (status = 200, description = "The job that was made", body = MadeBulk, headers(
            ("Idempotency-Replayed" = Option<String>, description = "`true` on a repeated answer")
        )),
        Refusals
    )
)]
pub async fn create(
    State(api): State<Api>,
    session: OwnSession,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, ApiError> {
    let now = api.sessions.store().clock().now();
    let once = key_of(&headers).map(|key| Once { key, asked: asked.print.to_vec() });
    let idempotency = once.map(|once| once.of_call("send-bulk", &session.row, now)).transpose()?;
    let store = session.caller.store.clone();
    if let Some(key) = &idempotency
        && let Some(made) = store.job_of_key(key).await?
    {
        let row = store.job(&made.id).await?.ok_or_else(ApiError::no_job)?;
        let answer = MadeBulk {
            job_id: row.id.to_string(),
            total: row.total,
            duplicates: row.duplicates,
            invalid: row.invalid,
            problems: vec![],
            missing: vec![],
            warnings: vec![],
            list: None,
            notice: None,
        };
        return Ok(answered(answer, true));
    }
    let order = take(&api, &session, asked, Files::Stored, now).await?;
    let new = NewJob {
        session: session.row.key.clone(),
        session_id: session.row.id.clone(),
        name: order.name,
        plan: order.plan.clone(),
        schedule_at: order.schedule_at,
        idempotency,
    };
    let made = store.create_job(new, listed(&order.plan, &order.list)).await?;
    api.sessions.wake_jobs(&session.row.key).await;
    if let Some(at) = order.schedule_at {
        api.sessions.wake_jobs_at(&session.row.key, at).await;
    }
    let List { recipients, problems, duplicates, invalid, .. } = order.list;
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let answer = MadeBulk {
        job_id: made.id.to_string(),
        total: count(recipients.len()),
        duplicates: count(duplicates),
        invalid: count(invalid),
        problems: problems.iter().take(PROBLEMS_SHOWN).map(RowProblem::of).collect(),
        missing: order.remarks.missing,
        warnings: order.remarks.warnings,
        list: Some(order.reading),
        notice: order.left_out.map(notice_of),
    };
    Ok(answered(answer, made.repeated))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    /// How many recipients to show, 1 to 50; 5 by default
    #[param(minimum = 1, maximum = 50)]
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    total: usize,
    duplicates: usize,
    invalid: usize,
    previews: Vec<Previewed>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<RowProblem>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Missing>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<TextWarning>,
    /// How the list was read
    list: ListReading,
}

#[derive(Serialize, ToSchema)]
pub struct Previewed {
    row: u32,
    phone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    /// As WhatsApp shows it
    message: String,
    /// `MESSAGE_EMPTY` or `MESSAGE_TOO_LONG`: this recipient would fail
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// See what a bulk job would send
///
/// Takes what `send-bulk` takes, refuses what it refuses, and changes nothing.
#[utoipa::path(
    operation_id = "preview_bulk",
    post, path = "/api/whatsapp/session/{id}/send-bulk/preview", tag = "jobs",
    params(("id" = String, Path, description = "Your sessionId"), PreviewQuery),
    request_body(content(
        (NewBulk = "application/json"),
        (BulkForm = "multipart/form-data")
    )),
    responses((status = 200, description = "What would be sent", body = Preview), Refusals)
)]
pub async fn preview(
    State(api): State<Api>,
    session: OwnSession,
    QueryParams(query): QueryParams<PreviewQuery>,
    asked: Asked,
) -> Result<Json<Preview>, ApiError> {
    let limit = query.limit.unwrap_or(PREVIEWS);
    if !(1..=PREVIEWS_MAX).contains(&limit) {
        return Err(ApiError::parameter(format!("limit: 1 to {PREVIEWS_MAX}")));
    }
    let now = api.sessions.store().clock().now();
    let Order { plan, list, reading, remarks, .. } = take(&api, &session, asked, Files::Left, now).await?;
    let script = Script::of(&plan);
    let several = plan.variants.len() > 1;
    let lots = Lots::of(&plan);
    let previews = list.recipients.iter().take(limit).map(|one| {
        let variant = lots.variant(&one.phone);
        let fields = Fields::parse(one.fields.as_deref().unwrap_or("{}"));
        let content = script.content(variant, &one.phone, &fields);
        // As the job will judge it.
        let code = content.unfit().map(|(code, _)| code);
        Previewed {
            row: one.row,
            phone: one.phone.digits().to_owned(),
            variant: several.then(|| plan.variants[variant].label.clone()),
            message: content.body.words().map_or_else(|| content.body.text(), Words::rendered),
            code,
        }
    });
    Ok(Json(Preview {
        previews: previews.collect(),
        total: list.recipients.len(),
        duplicates: list.duplicates,
        invalid: list.invalid,
        problems: list.problems.iter().take(PROBLEMS_SHOWN).map(RowProblem::of).collect(),
        missing: remarks.missing,
        warnings: remarks.warnings,
        list: reading,
    }))
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
