//! What a request for a job says, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Multipart, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::job::{Outcome, Plan, RECIPIENTS_MAX, VARIANTS_MAX, Variant};
use wapid_core::message::{Content, TEXT_MAX};
use wapid_core::pacing::{DELAY_LIMIT_MS, DELAY_MAX_MS, DELAY_MIN_MS, Delay, Windows};
use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::{Fields, List, NewRecipient, Problem};
use wapid_core::store::jobs::{Listed, NewJob};
use wapid_core::store::ledger::Idempotency;
use wapid_core::template::Template;

use super::upload::{self, FILE_MAX};
use crate::api::Api;
use crate::api::body::read_json;
use crate::api::caller::OwnSession;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::api::send::{KEY_LIFE_MS, content_of, fingerprint, key_of};
use crate::recipients::{self, ListError, Rules};
use crate::session::Script;

/// 100,000 recipients with a few fields each are some 10 MB of JSON.
const BODY_MAX: usize = 16 << 20;
/// A form: a file and the fields beside it.
pub const FORM_MAX: usize = FILE_MAX + BODY_MAX;
/// Rows that an answer names; `recipients` names them all.
const PROBLEMS_SHOWN: usize = 20;
/// A schedule farther off than this is a mistake.
const SCHEDULE_MAX_MS: i64 = 366 * 86_400_000;
/// One that passed so long ago is one too; less is a clock that goes wrong, or a slow upload.
const SCHEDULE_PAST_MS: i64 = 5 * 60_000;
/// How long a request may take to arrive, however steadily it does.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);
const NAME_MAX: usize = 100;
const PREVIEWS: usize = 5;
const PREVIEWS_MAX: usize = 50;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewBulk {
    /// Numbers, or objects with a `phone`, perhaps a `name` and any other fields; at most 100,000
    #[schema(value_type = Vec<Object>, example = json!(["919876543210", {"phone": "919876543211", "name": "Ana"}]))]
    recipients: Option<Box<RawValue>>,
    /// `{{name}}` is replaced by the recipient's name, `{{name|there}}` by `there` where it has none, and so
    /// is any other field. `\{{` writes `{{`
    #[schema(example = "Hello {{name|there}}, 30% off today!")]
    message: Option<String>,
    /// `text`
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Shown bold above the message
    header: Option<String>,
    /// Shown in italics below the message
    footer: Option<String>,
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
    /// Not before this time: ISO 8601, or milliseconds since the epoch
    #[schema(value_type = Option<String>, example = "2026-03-08T10:30:00Z")]
    schedule_at: Option<Value>,
    /// When messages may leave, in the tenant's time zone; the tenant's own windows by default, and `[]` for
    /// any time
    #[schema(value_type = Option<Vec<Object>>, example = json!([{"days": ["mon", "fri"], "from": "09:00", "to": "18:00"}]))]
    windows: Option<Windows>,
    /// Ask WhatsApp for each number it has not been seen on before writing to it; `true` by default
    check_numbers: Option<bool>,
    /// Of numbers without a country code, as ISO 3166: `BR`
    #[schema(example = "BR")]
    default_country: Option<String>,
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
    /// Rows whose number stands further up
    duplicates: i64,
    /// Rows without a usable number
    invalid: i64,
    /// The first rows that were left out; `recipients` of the job names all
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<RowProblem>,
    /// Template fields that some recipients lack, without a default: they read nothing there
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Missing>,
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

/// A request as it came, as JSON or as a form.
pub struct Asked {
    new: NewBulk,
    file: Option<NamedTempFile>,
    /// Of all that it says, the file included.
    print: [u8; 32],
    turn: Turn,
}

/// One of the few requests whose lists are in memory at a time; the others wait.
type Turn = OwnedSemaphorePermit;

impl FromRequest<Api> for Asked {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form = kind.is_some_and(|kind| kind.starts_with("multipart/form-data"));
        let arrival = async {
            if is_form {
                let form = Multipart::from_request(request, api)
                    .await
                    .map_err(|problem| ApiError::bad("INVALID_FORM", problem.body_text()))?;
                return Arrived::from_form(form, api).await;
            }
            let json: Bytes = crate::api::body::read(request.into_body(), BODY_MAX).await?;
            Ok(Arrived { json, file: None })
        };
        let arrived = timeout(ARRIVAL_MAX, arrival).await.map_err(|_| ApiError::slow_body())??;
        let turn = api.lists.clone().acquire_owned().await.map_err(anyhow::Error::from)?;
        // Work for some tenths of a second: not on a thread that serves others.
        off_thread("INVALID_JSON", move || arrived.read(turn)).await
    }
}

/// A request before it is read.
struct Arrived {
    json: Bytes,
    file: Option<NamedTempFile>,
}

impl Arrived {
    /// The fields of the JSON, one part each, and the list as the part `file`.
    async fn from_form(mut form: Multipart, api: &Api) -> Result<Self, ApiError> {
        let twice = |name: &str| ApiError::bad("INVALID_FORM", format!("{name}: one part, not two"));
        let mut file = None;
        let mut parts: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        let mut size = 0;
        while let Some(field) = form.next_field().await.map_err(|problem| upload::broken(&problem))? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                if file.is_some() {
                    return Err(twice(&name));
                }
                file = Some(upload::save(field, &api.uploads).await?);
                continue;
            }
            let text = field.text().await.map_err(|problem| upload::broken(&problem))?;
            size += text.len();
            if size > BODY_MAX {
                return Err(ApiError::too_large(BODY_MAX));
            }
            // A form sends the fields that nobody filled in as well.
            if text.is_empty() {
                continue;
            }
            // What is not text in JSON is written as JSON in a form.
            let value = match name.as_str() {
                "recipients" | "variants" | "windows" | "delayMin" | "delayMax" | "checkNumbers" => {
                    RawValue::from_string(text).map_err(|problem| {
                        ApiError::bad("INVALID_REQUEST", format!("{name}: not valid JSON: {problem}"))
                    })?
                }
                _ => serde_json::value::to_raw_value(&text).map_err(anyhow::Error::from)?,
            };
            if parts.contains_key(&name) {
                return Err(twice(&name));
            }
            parts.insert(name, value);
        }
        let json = serde_json::to_vec(&parts).map_err(anyhow::Error::from)?;
        Ok(Self { json: json.into(), file })
    }

    fn read(self, turn: Turn) -> Result<Asked, ApiError> {
        let mut print = Sha256::new();
        if let Ok(fields) = serde_json::from_slice::<BTreeMap<&str, &RawValue>>(&self.json) {
            // Of a request with pictures, say that there are none before its fields are found unknown.
            let kind = fields.get("type").and_then(|kind| serde_json::from_str::<String>(kind.get()).ok());
            content_of(kind.as_deref(), Some("-".to_owned()), None, None)?;
            for (name, value) in fields {
                print.update(name);
                print.update(b"\0");
                print.update(without_spaces(value.get()));
                print.update(b"\0");
            }
        }
        if let Some(file) = &self.file {
            print.update(digest_of(file.path()).map_err(anyhow::Error::from)?);
        }
        Ok(Asked { new: read_json(&self.json)?, file: self.file, print: print.finalize().into(), turn })
    }
}

/// JSON without what stands between its tokens.
fn without_spaces(json: &str) -> Vec<u8> {
    let (mut in_text, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        let keep = in_text || !byte.is_ascii_whitespace();
        if *byte == b'"' && !escaped {
            in_text = !in_text;
        }
        escaped = in_text && *byte == b'\\' && !escaped;
        keep
    };
    json.bytes().filter(keep).collect()
}

/// Runs what takes long where it holds nobody up. A panic in it is the input's fault, and its words may
/// hold what the caller sent: they are not logged.
async fn off_thread<T: Send + 'static>(
    code: &'static str,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        tracing::error!("Reading a list panicked");
        Err(ApiError::bad(code, "The list does not read"))
    })
}

fn digest_of(path: &std::path::Path) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut chunk = vec![0; 64 << 10];
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            size => hash.update(&chunk[..size]),
        }
    }
}

/// A request that can be done.
struct Order {
    plan: Plan,
    list: List,
    missing: Vec<Missing>,
    name: Option<String>,
    schedule_at: Option<At>,
    /// Until the list is stored.
    _turn: Turn,
}

/// Start a bulk job
///
/// Answers once the whole list is stored; messages then leave one by one with random pauses. The list is
/// `recipients`, or a CSV or XLSX file sent as the part `file` of a form whose other parts are the fields
/// below. Rows without a usable number and repeated numbers are counted, reported and left out. A job is
/// taken whether or not its session is ready: it waits. With an `Idempotency-Key`, a repeated request
/// within 24 hours answers with the first one's job.
#[utoipa::path(
    operation_id = "send_bulk",
    post, path = "/api/whatsapp/session/{id}/send-bulk", tag = "jobs",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any string of up to 255 bytes")
    ),
    request_body(content(
        (NewBulk = "application/json"),
        (NewBulk = "multipart/form-data")
    )),
    responses(
        (status = 200, body = MadeBulk, headers(
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
    let idempotency = key_of(&headers)?.map(|key| Idempotency {
        key,
        fingerprint: fingerprint("send-bulk", &session, &asked.print),
        expires_at: now.plus_ms(KEY_LIFE_MS),
    });
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
        };
        return Ok(answered(answer, true));
    }
    let order = take(&session, asked, now).await?;
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
        missing: order.missing,
    };
    Ok(answered(answer, made.repeated))
}

fn answered(answer: MadeBulk, repeated: bool) -> Response {
    let mut response = Json(answer).into_response();
    if repeated {
        let replayed = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    }
    response
}

#[derive(Deserialize, IntoParams)]
pub struct PreviewQuery {
    /// How many recipients to show, 1 to 50; 5 by default
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
        (NewBulk = "multipart/form-data")
    )),
    responses((status = 200, body = Preview), Refusals)
)]
pub async fn preview(
    State(api): State<Api>,
    session: OwnSession,
    query: Result<Query<PreviewQuery>, QueryRejection>,
    asked: Asked,
) -> Result<Json<Preview>, ApiError> {
    let Query(query) = query.map_err(|problem| ApiError::parameter(problem.body_text()))?;
    let limit = query.limit.unwrap_or(PREVIEWS);
    if !(1..=PREVIEWS_MAX).contains(&limit) {
        return Err(ApiError::parameter(format!("limit: 1 to {PREVIEWS_MAX}")));
    }
    let Order { plan, list, missing, .. } = take(&session, asked, api.sessions.store().clock().now()).await?;
    let script = Script::of(&plan);
    let several = plan.variants.len() > 1;
    let lots = Lots::of(&plan);
    let previews = list.recipients.iter().take(limit).map(|one| {
        let variant = lots.variant(&one.phone);
        let fields = Fields::parse(one.fields.as_deref().unwrap_or("{}"));
        let content = script.content(variant, &one.phone, &fields);
        // As the job will judge it.
        let code = match content.text() {
            text if text.len() > TEXT_MAX => Some("MESSAGE_TOO_LONG"),
            text if text.trim().is_empty() => Some("MESSAGE_EMPTY"),
            _ => None,
        };
        Previewed {
            row: one.row,
            phone: one.phone.digits().to_owned(),
            variant: several.then(|| plan.variants[variant].label.clone()),
            message: content.rendered(),
            code,
        }
    });
    Ok(Json(Preview {
        previews: previews.collect(),
        total: list.recipients.len(),
        duplicates: list.duplicates,
        invalid: list.invalid,
        problems: list.problems.iter().take(PROBLEMS_SHOWN).map(RowProblem::of).collect(),
        missing,
    }))
}

/// Checks everything; changes nothing.
async fn take(session: &OwnSession, asked: Asked, now: At) -> Result<Order, ApiError> {
    let Asked { new, file, turn, .. } = asked;
    let invalid = |why: String| ApiError::bad("INVALID_REQUEST", why);
    let delay = delay_of(new.delay_min, new.delay_max)?;
    if let Some(windows) = &new.windows {
        windows.check().map_err(|problem| invalid(format!("windows: {problem}")))?;
    }
    let name = new.name.filter(|name| !name.trim().is_empty());
    if name.as_ref().is_some_and(|n| n.chars().count() > NAME_MAX || n.chars().any(char::is_control)) {
        return Err(invalid(format!("name: at most {NAME_MAX} characters, and no control characters")));
    }
    let schedule_at = new.schedule_at.map(|value| schedule(&value, now)).transpose()?.flatten();
    let variants = match new.variants {
        Some(_) if new.message.is_some() => {
            return Err(invalid("variants: instead of message, not beside it".to_owned()));
        }
        Some(_) if new.header.is_some() || new.footer.is_some() => {
            return Err(invalid("header, footer: in each of the variants, not beside them".to_owned()));
        }
        Some(variants) => variants_of(new.kind.as_deref(), variants)?,
        None => {
            let content = content_of(new.kind.as_deref(), new.message, new.header, new.footer)?;
            vec![Variant { label: "A".to_owned(), content, weight: 1 }]
        }
    };
    let settings = session.caller.store.settings().await?;
    let country = new.default_country.or(settings.default_country);
    let country = country
        .map(|code| Country::parse(&code).map_err(|problem| invalid(format!("defaultCountry: {problem}"))))
        .transpose()?;
    let rules = Rules { country, max: RECIPIENTS_MAX };
    let code = if file.is_some() { "INVALID_FILE" } else { "INVALID_RECIPIENTS" };
    let work = move || {
        let list = list_of(new.recipients, file, rules)?;
        let missing = check_templates(&variants, &list)?;
        Ok((list, missing, variants, turn))
    };
    let (list, missing, variants, turn) = off_thread(code, work).await?;
    let plan =
        Plan { variants, delay, windows: new.windows, check_numbers: new.check_numbers.unwrap_or(true) };
    Ok(Order { plan, list, missing, name, schedule_at, _turn: turn })
}

fn delay_of(min: Option<i64>, max: Option<i64>) -> Result<Delay, ApiError> {
    // Who names one end means it: the other end gives way.
    let (min_ms, max_ms) = match (min, max) {
        (None, None) => (DELAY_MIN_MS, DELAY_MAX_MS),
        (Some(min), None) => (min, min.max(DELAY_MAX_MS)),
        (None, Some(max)) => (max.min(DELAY_MIN_MS), max),
        (Some(min), Some(max)) => (min, max),
    };
    let range = 0..=DELAY_LIMIT_MS;
    if !range.contains(&min_ms) || !range.contains(&max_ms) {
        let why = format!("delayMin, delayMax: 0 to {DELAY_LIMIT_MS} milliseconds");
        return Err(ApiError::bad("INVALID_REQUEST", why));
    }
    if min_ms > max_ms {
        return Err(ApiError::bad("INVALID_REQUEST", "delayMin: not more than delayMax"));
    }
    Ok(Delay { min_ms, max_ms })
}

/// A time that has just passed is now.
fn schedule(value: &Value, now: At) -> Result<Option<At>, ApiError> {
    let invalid = |why: &'static str| ApiError::bad("INVALID_REQUEST", why);
    let at = match value {
        Value::Null => return Ok(None),
        Value::String(text) => At::parse(text),
        Value::Number(number) => number.as_i64().map(At),
        _ => None,
    };
    let wrong = "scheduleAt: milliseconds since the epoch, or ISO 8601 such as 2026-03-08T10:30:00Z";
    // Before March 1973 in milliseconds, and today in seconds.
    let at = at.filter(|at| at.0 >= 100_000_000_000).ok_or_else(|| invalid(wrong))?;
    if now.since(at) > SCHEDULE_PAST_MS {
        return Err(invalid("scheduleAt: this time has passed"));
    }
    if at.since(now) > SCHEDULE_MAX_MS {
        return Err(invalid("scheduleAt: within a year"));
    }
    Ok(Some(at).filter(|at| *at > now))
}

fn variants_of(kind: Option<&str>, variants: Vec<NewVariant>) -> Result<Vec<Variant>, ApiError> {
    if !(1..=VARIANTS_MAX).contains(&variants.len()) {
        return Err(ApiError::bad("INVALID_REQUEST", format!("variants: 1 to {VARIANTS_MAX}")));
    }
    let mut labels = BTreeSet::new();
    let mut made = Vec::with_capacity(variants.len());
    for (variant, letter) in variants.into_iter().zip('A'..='Z') {
        let label = variant.label.unwrap_or_else(|| letter.to_string());
        let weight = variant.weight.unwrap_or(1);
        if label.trim().is_empty() || label.chars().count() > NAME_MAX || !labels.insert(label.clone()) {
            return Err(ApiError::bad("INVALID_REQUEST", "variants: each a label of its own"));
        }
        if !(1..=1_000).contains(&weight) {
            return Err(ApiError::bad("INVALID_REQUEST", "variants: weight: 1 to 1000"));
        }
        let content = content_of(kind, variant.message, variant.header, variant.footer)?;
        made.push(Variant { label, content, weight });
    }
    Ok(made)
}

fn list_of(
    recipients: Option<Box<RawValue>>,
    file: Option<NamedTempFile>,
    rules: Rules,
) -> Result<List, ApiError> {
    let list = match (recipients, file) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad("INVALID_REQUEST", "recipients, file: one of them, not both"));
        }
        (None, None) => return Err(ApiError::bad("NO_RECIPIENTS", "recipients: required, or a file")),
        (Some(json), None) => recipients::from_json(json.get(), rules)?,
        (None, Some(file)) => recipients::from_file(file.path(), rules)?,
    };
    if list.recipients.is_empty() {
        let first = list.problems.first();
        let why = first.map_or_else(
            || "recipients: at least one".to_owned(),
            |first| format!("recipients: none is usable; row {}: {}", first.row, first.why),
        );
        return Err(ApiError::bad("NO_RECIPIENTS", why));
    }
    Ok(list)
}

impl From<ListError> for ApiError {
    fn from(problem: ListError) -> Self {
        Self::bad(problem.code(), format!("recipients: {problem}"))
    }
}

/// Every template reads, and names fields that somebody has. Answers the fields that somebody lacks.
fn check_templates(variants: &[Variant], list: &List) -> Result<Vec<Missing>, ApiError> {
    // A list and its templates may have thousands of fields each.
    let mut has: HashMap<String, usize> = HashMap::new();
    for (name, count) in &list.fields {
        *has.entry(name.to_lowercase()).or_default() += *count;
    }
    let mut missing = BTreeMap::new();
    for variant in variants {
        let Content::Text { message, header, footer } = &variant.content;
        for (place, text) in
            [("message", Some(message)), ("header", header.as_ref()), ("footer", footer.as_ref())]
        {
            let Some(text) = text else { continue };
            let template = Template::parse(text)
                .map_err(|problem| ApiError::bad("INVALID_TEMPLATE", format!("{place}: {problem}")))?;
            for (field, has_default) in template.fields() {
                if field.eq_ignore_ascii_case("phone") {
                    continue;
                }
                let count = has.get(&field.to_lowercase()).copied().unwrap_or(0);
                if count == 0 {
                    let known: Vec<&str> = list.fields.keys().map(String::as_str).take(20).collect();
                    let why = if known.is_empty() {
                        format!("{place}: no recipient has a field \"{field}\"; none has any field at all")
                    } else {
                        format!(
                            "{place}: no recipient has a field \"{field}\"; there are: {}",
                            known.join(", ")
                        )
                    };
                    return Err(ApiError::bad("UNKNOWN_FIELD", why));
                }
                let lack = list.recipients.len().saturating_sub(count);
                if lack > 0 && !has_default {
                    missing.insert(field.to_owned(), lack);
                }
            }
        }
    }
    Ok(missing.into_iter().map(|(field, recipients)| Missing { field, recipients }).collect())
}

/// Which variant each recipient gets: the same in a preview as in the job, and the same when it is made again.
struct Lots<'a> {
    plan: &'a Plan,
    texts: Sha256,
}

impl<'a> Lots<'a> {
    fn of(plan: &'a Plan) -> Self {
        let texts = serde_json::to_vec(&plan.variants).expect("variants are JSON");
        Self { plan, texts: Sha256::new_with_prefix(texts) }
    }

    fn variant(&self, phone: &Phone) -> usize {
        if self.plan.variants.len() < 2 {
            return 0;
        }
        let hash = self.texts.clone().chain_update(phone.digits()).finalize();
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.plan.variant(u32::try_from(number % 1_000_000).expect("a million fits"))
    }
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
