//! A new bulk job: what a request for one says, what it is answered, and what it would send.
//!
//! | file | what |
//! |---|---|
//! | `arrival` | a request as JSON or as a form, on its way in |
//! | `wish` | what it wishes, in the words of use cases |
//! | `reading` | how its list was read, for the answer |
//! | `described` | people and hours, for `openapi.json` |

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use wapid_core::pacing::Windows;
use wapid_core::recipient::{List, Problem};

use super::upload::FILE_MAX;
use crate::api::error::ApiError;
use crate::api::error::fields::place_of;
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::api::send::{NewCard, answered, key_of, notice_of};
use crate::caller::OwnSession;
use crate::usecases::jobs::{CheckedJob, CreatedJob, Doubt, FieldLack, PreviewedMessage, TextRemark};
use crate::usecases::moments::WrittenMoment;
use crate::usecases::once::Once;
use crate::usecases::{self, GatewayParts};

mod arrival;
pub mod described;
mod reading;
mod wish;

use arrival::Asked;
use described::{ListedPerson, SendingWindow};
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

impl From<FieldLack> for Missing {
    fn from(FieldLack { field, recipients }: FieldLack) -> Self {
        Self { field, recipients }
    }
}

impl From<TextRemark> for TextWarning {
    fn from(remark: TextRemark) -> Self {
        let code = match remark.doubt {
            Doubt::PlaceNotFilled => "PLACE_NOT_FILLED",
            Doubt::FieldOfNobody => "FIELD_OF_NOBODY",
        };
        Self { place: place_of(&remark.place), code, warning: remark.text }
    }
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
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, ApiError> {
    let once = key_of(&headers).map(|key| Once { key, asked: asked.print.to_vec() });
    let made = usecases::jobs::create(&gateway, session, asked.wish()?, once).await?;
    let repeated = made.repeated;
    Ok(answered(MadeBulk::of(made), repeated))
}

impl MadeBulk {
    fn of(made: CreatedJob) -> Self {
        let mut answer = Self {
            job_id: made.id.to_string(),
            total: made.total,
            duplicates: made.duplicates,
            invalid: made.invalid,
            problems: vec![],
            missing: vec![],
            warnings: vec![],
            list: None,
            notice: None,
        };
        if let Some(CheckedJob { list, read_as, country, left_out, remarks, .. }) = made.checked {
            answer.problems = problems_of(&list);
            answer.missing = remarks.missing.into_iter().map(Missing::from).collect();
            answer.warnings = remarks.warnings.into_iter().map(TextWarning::from).collect();
            answer.list = Some(ListReading::of(read_as, &list, country));
            answer.notice = left_out.map(notice_of);
        }
        answer
    }
}

/// The first of them.
fn problems_of(list: &List) -> Vec<RowProblem> {
    list.problems.iter().take(PROBLEMS_SHOWN).map(RowProblem::of).collect()
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
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    QueryParams(query): QueryParams<PreviewQuery>,
    asked: Asked,
) -> Result<Json<Preview>, ApiError> {
    let limit = query.limit.unwrap_or(PREVIEWS);
    if !(1..=PREVIEWS_MAX).contains(&limit) {
        return Err(ApiError::parameter(format!("limit: 1 to {PREVIEWS_MAX}")));
    }
    let (checked, previews) = usecases::jobs::preview(&gateway, &session, asked.wish()?, limit).await?;
    let CheckedJob { list, read_as, country, remarks, .. } = checked;
    Ok(Json(Preview {
        previews: previews.into_iter().map(Previewed::from).collect(),
        total: list.recipients.len(),
        duplicates: list.duplicates,
        invalid: list.invalid,
        problems: problems_of(&list),
        missing: remarks.missing.into_iter().map(Missing::from).collect(),
        warnings: remarks.warnings.into_iter().map(TextWarning::from).collect(),
        list: ListReading::of(read_as, &list, country),
    }))
}

impl From<PreviewedMessage> for Previewed {
    fn from(previewed: PreviewedMessage) -> Self {
        let PreviewedMessage { row, phone, variant, text, unfit } = previewed;
        Self { row, phone, variant, message: text, code: unfit }
    }
}
