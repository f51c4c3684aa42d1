//! What a request asks for, checked; nothing is changed.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use wapid_core::clock::At;
use wapid_core::content::{Body, Content, Context, Preview, Words};
use wapid_core::job::{Plan, RECIPIENTS_MAX, VARIANTS_MAX, Variant};
use wapid_core::moment::{Moment, MomentError};
use wapid_core::pacing::{DELAY_LIMIT_MS, DELAY_MAX_MS, DELAY_MIN_MS, Delay};
use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::List;
use wapid_core::store::TenantStore;
use wapid_core::turns::Turn;

use super::arrival::{Asked, off_thread};
use super::reading::{ListReading, named_fields};
use super::texts::{self, Remarks};
use super::{NewBulk, NewVariant};
use crate::api::Api;
use crate::api::error::ApiError;
use crate::api::moments::WrittenMoment;
use crate::caller::OwnSession;
use crate::recipients::{self, ListError, ListOptions, ReadList, Rules};
use crate::usecases::home::home_of;
use crate::usecases::refusal::Refusal;
use crate::usecases::send::{CardWish, ContentDraft, ContentWish, FileOf, LeftOut};

/// A schedule farther off than this is a mistake.
const SCHEDULE_MAX_MS: i64 = 366 * 86_400_000;
/// One that passed so long ago is one too; less is a clock that goes wrong, or a slow upload.
const SCHEDULE_PAST_MS: i64 = 5 * 60_000;
const NAME_MAX: usize = 100;

/// A request that can be done.
pub(super) struct Order {
    pub(super) plan: Plan,
    pub(super) list: List,
    /// How it was read.
    pub(super) reading: ListReading,
    /// What of the request is left out.
    pub(super) left_out: Option<LeftOut>,
    pub(super) remarks: Remarks,
    pub(super) name: Option<String>,
    pub(super) schedule_at: Option<At>,
    /// Until the list is stored.
    _turn: Turn,
}

/// Whether a job's file is put into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    Stored,
    /// A preview shows words.
    Left,
}

/// A variant whose file may still be elsewhere.
pub(super) struct Drafted {
    pub(super) label: String,
    weight: u32,
    pub(super) draft: ContentDraft,
}

/// Checks everything. The only thing it may change is to store the job's file, once all else is right.
pub(super) async fn take(
    api: &Api,
    session: &OwnSession,
    asked: Asked,
    files: Files,
    now: At,
) -> Result<Order, ApiError> {
    let Asked { mut new, file, turn, .. } = asked;
    let invalid = |why: String| ApiError::bad("INVALID_REQUEST", why);
    if let Some(json) = &new.recipients {
        recipients::check_is_list(json.get())?;
    }
    let delay = delay_of(new.delay_min, new.delay_max)?;
    if let Some(windows) = &new.windows {
        windows.check().map_err(|problem| invalid(format!("windows: {problem}")))?;
    }
    let name = new.name.take().filter(|name| !name.trim().is_empty());
    if name.as_ref().is_some_and(|n| n.chars().count() > NAME_MAX || n.chars().any(char::is_control)) {
        return Err(invalid(format!("name: at most {NAME_MAX} characters, and no control characters")));
    }
    let schedule_at = match new.schedule_at.take() {
        None | Some(Value::Null) => None,
        Some(value) => schedule(&value, &session.caller.store, now).await?,
    };
    let variants = new.variants.take();
    let country = home_of(&session.caller.store, new.default_country.as_deref()).await?;
    let said = said_of(&mut new);
    let preview = said.preview().map_err(Refusal::from)?;
    let left_out = said.left_out();
    let drafts = match variants {
        Some(_) if said.message.is_some() => {
            return Err(invalid("variants: instead of message, not beside it".to_owned()));
        }
        Some(_) if said.header.is_some() || said.footer.is_some() => {
            return Err(invalid("header, footer: in each of the variants, not beside them".to_owned()));
        }
        Some(variants) => variants_of(said, variants, country)?,
        None => {
            vec![Drafted { label: "A".to_owned(), weight: 1, draft: said.draft(country, FileOf::ItsWish)? }]
        }
    };
    let country_code = country.map(Country::code);
    let rules = Rules { country, max: RECIPIENTS_MAX, named: named_fields(&drafts) };
    let options = options_of(&mut new);
    let code = if file.is_some() { "INVALID_FILE" } else { "INVALID_RECIPIENTS" };
    let (windows, check_numbers) = (new.windows, new.check_numbers.unwrap_or(true));
    let work = move || {
        let ReadList { list, read_as } = list_of(new.recipients, file, &rules, &options)?;
        let remarks = texts::check(&drafts, &list)?;
        let reading = ListReading::of(read_as, &list, country_code);
        Ok((list, reading, remarks, drafts, turn))
    };
    let (list, reading, remarks, drafts, turn) = off_thread(code, work).await?;
    let variants = with_file(api, session, drafts, preview, files).await?;
    let plan = Plan { variants, delay, windows, check_numbers };
    Ok(Order { plan, list, reading, remarks, left_out, name, schedule_at, _turn: turn })
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
async fn schedule(value: &Value, store: &TenantStore, now: At) -> Result<Option<At>, ApiError> {
    let invalid = |why: &str| ApiError::bad("INVALID_REQUEST", format!("scheduleAt: {why}"));
    let written =
        WrittenMoment::deserialize(value).map_err(|_| invalid(&MomentError::NotAMoment.to_string()))?;
    let at = match written.of_field("scheduleAt", store).await? {
        Moment::At(at) => at,
        // Nobody wants to be written to at midnight because somebody left the hour out.
        Moment::Day { .. } => return Err(invalid("the time of day as well, such as 2026-03-08T10:30")),
    };
    if now.since(at) > SCHEDULE_PAST_MS {
        return Err(invalid("this time has passed"));
    }
    if at.since(now) > SCHEDULE_MAX_MS {
        return Err(invalid("within a year"));
    }
    Ok(Some(at).filter(|at| *at > now))
}

/// What the request says, taken out of it.
fn said_of(new: &mut NewBulk) -> ContentWish {
    ContentWish {
        kind: new.kind.take(),
        message: new.message.take(),
        header: new.header.take(),
        footer: new.footer.take(),
        media_url: new.media_url.take(),
        media_base64: new.media_base64.take(),
        media_id: new.media_id.take(),
        media_mime_type: new.media_mime_type.take(),
        file_name: new.file_name.take(),
        view_once: new.view_once,
        link_preview: new.link_preview,
        gif: new.gif,
        options: new.options.take(),
        selectable_count: new.selectable_count,
        latitude: new.latitude,
        longitude: new.longitude,
        place_name: new.place_name.take(),
        place_address: new.address.take(),
        contacts: new.contacts.take().map(|cards| cards.into_iter().map(CardWish::from).collect()),
    }
}

/// The variants with their one file, in the store or left where it is.
async fn with_file(
    api: &Api,
    session: &OwnSession,
    mut drafts: Vec<Drafted>,
    preview: Option<Preview>,
    files: Files,
) -> Result<Vec<Variant>, ApiError> {
    let file = match drafts.first_mut() {
        Some(first) if files == Files::Stored => {
            first.draft.store_file(&api.media, &session.caller.store).await?
        }
        _ => None,
    };
    let variants = drafts.into_iter().map(|Drafted { label, weight, draft }| {
        let mut body = draft.body(file.as_ref());
        if let Body::Poll(poll) = &mut body {
            // Each message draws its own.
            poll.secret = Default::default();
        }
        let context = Context { preview: preview.clone(), ..Context::default() };
        Variant { label, content: Content { body, context }, weight }
    });
    Ok(variants.collect())
}

fn variants_of(
    mut said: ContentWish,
    variants: Vec<NewVariant>,
    home: Option<Country>,
) -> Result<Vec<Drafted>, ApiError> {
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
        let mut own = ContentWish {
            message: variant.message,
            header: variant.header,
            footer: variant.footer,
            kind: said.kind.clone(),
            view_once: said.view_once,
            gif: said.gif,
            options: said.options.clone(),
            selectable_count: said.selectable_count,
            file_name: said.file_name.clone(),
            ..ContentWish::default()
        };
        let file = if made.is_empty() { FileOf::ItsWish } else { FileOf::OtherVariant };
        if file == FileOf::ItsWish {
            // The first brings the file for all.
            (own.media_url, own.media_base64) = (said.media_url.take(), said.media_base64.take());
            (own.media_id, own.media_mime_type) = (said.media_id.take(), said.media_mime_type.take());
        }
        made.push(Drafted { label, weight, draft: own.draft(home, file)? });
    }
    Ok(made)
}

/// What the request says of its list, taken out of it. A form sends what nobody filled in as well.
fn options_of(new: &mut NewBulk) -> ListOptions {
    let filled = |text: &mut Option<String>| text.take().filter(|text| !text.trim().is_empty());
    ListOptions {
        phone_column: filled(&mut new.phone_column),
        name_column: filled(&mut new.name_column),
        sheet: filled(&mut new.sheet),
        encoding: filled(&mut new.encoding),
        include_hidden: new.include_hidden.unwrap_or(false),
    }
}

fn list_of(
    recipients: Option<Box<RawValue>>,
    file: Option<NamedTempFile>,
    rules: &Rules,
    options: &ListOptions,
) -> Result<ReadList, ApiError> {
    let read = match (recipients, file) {
        (Some(_), Some(_)) => {
            return Err(ApiError::bad("INVALID_REQUEST", "recipients, file: one of them, not both"));
        }
        (None, None) => return Err(ApiError::bad("NO_RECIPIENTS", "recipients: required, or a file")),
        (Some(json), None) => recipients::from_json(json.get(), rules, options)?,
        (None, Some(file)) => recipients::from_file(file.path(), rules, options)?,
    };
    let ReadList { list, read_as } = &read;
    if list.recipients.is_empty() {
        let hidden = read_as.columns.hidden_rows.count;
        let why = match list.problems.first() {
            Some(first) => {
                let place = ListReading::place(read_as);
                let place = if place.is_empty() { place } else { format!(" ({place})") };
                format!("recipients: none is usable{place}; row {}: {}", first.row, first.why)
            }
            None if hidden > 0 => {
                format!("recipients: none; all {hidden} rows are hidden, and includeHidden takes them in")
            }
            None if read_as.columns.header_row.is_some() => {
                "recipients: none; the file has a header and no rows".to_owned()
            }
            None => "recipients: at least one".to_owned(),
        };
        return Err(ApiError::bad("NO_RECIPIENTS", why));
    }
    Ok(read)
}

impl From<ListError> for ApiError {
    fn from(problem: ListError) -> Self {
        Self::bad(problem.code(), format!("recipients: {problem}"))
    }
}

/// Which variant each recipient gets: the same in a preview as in the job, and the same when it is made again.
pub(super) struct Lots<'a> {
    plan: &'a Plan,
    texts: Sha256,
}

impl<'a> Lots<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        // Without what is drawn anew when the job is made again: its file's id.
        let mut texts = Sha256::new();
        for Variant { label, content, weight } in &plan.variants {
            let words = content.body.words().map_or_else(|| content.body.text(), Words::rendered);
            texts.update(format!("{label}\0{weight}\0{words}\0"));
        }
        Self { plan, texts }
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
