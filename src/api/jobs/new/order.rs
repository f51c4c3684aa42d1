//! What a request asks for, checked; nothing is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use wapid_core::clock::At;
use wapid_core::job::{Plan, RECIPIENTS_MAX, VARIANTS_MAX, Variant};
use wapid_core::message::Content;
use wapid_core::pacing::{DELAY_LIMIT_MS, DELAY_MAX_MS, DELAY_MIN_MS, Delay};
use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::List;
use wapid_core::template::Template;

use super::arrival::{Asked, Turn, off_thread};
use super::{Missing, NewVariant};
use crate::api::caller::OwnSession;
use crate::api::error::ApiError;
use crate::api::send::content_of;
use crate::recipients::{self, ListError, Rules};

/// A schedule farther off than this is a mistake.
const SCHEDULE_MAX_MS: i64 = 366 * 86_400_000;
/// One that passed so long ago is one too; less is a clock that goes wrong, or a slow upload.
const SCHEDULE_PAST_MS: i64 = 5 * 60_000;
const NAME_MAX: usize = 100;

/// A request that can be done.
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) list: List,
    pub(super) missing: Vec<Missing>,
    pub(super) name: Option<String>,
    pub(super) schedule_at: Option<At>,
    /// Until the list is stored.
    _turn: Turn,
}

/// Checks everything; changes nothing.
pub(super) async fn take(session: &OwnSession, asked: Asked, now: At) -> Result<Order, ApiError> {
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
pub(super) struct Lots<'a> {
    plan: &'a Plan,
    texts: Sha256,
}

impl<'a> Lots<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let texts = serde_json::to_vec(&plan.variants).expect("variants are JSON");
        Self { plan, texts: Sha256::new_with_prefix(texts) }
    }

    pub(super) fn variant(&self, phone: &Phone) -> usize {
        if self.plan.variants.len() < 2 {
            return 0;
        }
        let hash = self.texts.clone().chain_update(phone.digits()).finalize();
        let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.plan.variant(u32::try_from(number % 1_000_000).expect("a million fits"))
    }
}
