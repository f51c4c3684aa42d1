//! What a wish for a job comes to, checked; nothing is changed.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use tempfile::NamedTempFile;
use wapid_core::clock::At;
use wapid_core::content::{Body, Content, Context, Preview};
use wapid_core::job::{Plan, RECIPIENTS_MAX, VARIANTS_MAX, Variant};
use wapid_core::moment::Moment;
use wapid_core::pacing::{DELAY_LIMIT_MS, DELAY_MAX_MS, DELAY_MIN_MS, Delay};
use wapid_core::phone::Country;
use wapid_core::recipient::List;
use wapid_core::store::TenantStore;
use wapid_core::turns::Turn;

use super::refusal::JobRefusal;
use super::texts::{self, Remarks};
use super::{JobWish, VariantWish};
use crate::caller::OwnSession;
use crate::recipients::{self, ListOptions, ReadAs, ReadList, Rules};
use crate::usecases::GatewayParts;
use crate::usecases::field::Field;
use crate::usecases::home::home_of;
use crate::usecases::moments::WrittenMoment;
use crate::usecases::refusal::Refusal;
use crate::usecases::send::{ContentDraft, ContentWish, FileOf, LeftOut};

/// A schedule farther off than this is a mistake.
const SCHEDULE_MAX_MS: i64 = 366 * 86_400_000;
/// One that passed so long ago is one too; less is a clock that goes wrong, or a slow upload.
const SCHEDULE_PAST_MS: i64 = 5 * 60_000;
pub(super) const NAME_MAX: usize = 100;
/// How often a variant is drawn beside the others.
pub(super) const WEIGHT_MAX: u32 = 1_000;

/// A job that can be made.
pub struct CheckedJob {
    pub plan: Plan,
    pub list: List,
    /// How the list was read.
    pub read_as: ReadAs,
    /// Whose code numbers without one got.
    pub country: Option<String>,
    /// What of the wish is not sent.
    pub left_out: Option<LeftOut>,
    pub remarks: Remarks,
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
pub(super) struct DraftedVariant {
    pub(super) label: String,
    weight: u32,
    pub(super) draft: ContentDraft,
}

/// Checks everything. The only thing it may change is to store the job's file, once all else is right.
pub(super) async fn check(
    gateway: &GatewayParts,
    session: &OwnSession,
    wish: JobWish,
    files: Files,
) -> Result<CheckedJob, Refusal> {
    let store = &session.caller.store;
    if let Some(json) = &wish.recipients {
        recipients::check_is_list(json.get()).map_err(JobRefusal::List)?;
    }
    let delay = delay_of(wish.delay_min, wish.delay_max)?;
    if let Some(windows) = &wish.windows {
        windows.check().map_err(JobRefusal::Windows)?;
    }
    let name = wish.name.filter(|name| !name.trim().is_empty());
    if name.as_ref().is_some_and(|n| n.chars().count() > NAME_MAX || n.chars().any(char::is_control)) {
        return Err(JobRefusal::Name.into());
    }
    let schedule_at = match &wish.schedule_at {
        Some(written) => schedule(written, store).await?,
        None => None,
    };
    let country = home_of(store, wish.default_country.as_deref()).await?;
    let preview = wish.content.preview()?;
    let left_out = wish.content.left_out();
    let drafts = drafts_of(wish.content, wish.variants, country)?;
    let rules = Rules { country, max: RECIPIENTS_MAX, named: texts::named_fields(&drafts) };
    let (recipients, file, options, turn) = (wish.recipients, wish.file, wish.options, wish.turn);
    let is_file = file.is_some();
    // Work for some tenths of a second: not on a thread that serves others. It has the list's turn with it, for it goes
    // on where the caller hangs up.
    let read = tokio::task::spawn_blocking(move || {
        let read = list_of(recipients, file, &rules, &options)?;
        let remarks = texts::check(&drafts, &read.list)?;
        Ok::<_, JobRefusal>((read, remarks, drafts, turn))
    });
    let (ReadList { list, read_as }, remarks, drafts, turn) = read.await.unwrap_or_else(|_| {
        // The input's fault, and its words may hold what the caller sent.
        tracing::error!("Reading a list panicked");
        Err(JobRefusal::UnreadableList { is_file })
    })?;
    let variants = with_file(gateway, store, drafts, preview, files).await?;
    let (windows, check_numbers) = (wish.windows, wish.check_numbers.unwrap_or(true));
    let plan = Plan { variants, delay, windows, check_numbers };
    let country = country.map(Country::code);
    Ok(CheckedJob { plan, list, read_as, country, left_out, remarks, name, schedule_at, _turn: turn })
}

fn drafts_of(
    content: ContentWish,
    variants: Option<Vec<VariantWish>>,
    home: Option<Country>,
) -> Result<Vec<DraftedVariant>, Refusal> {
    match variants {
        Some(_) if content.message.is_some() => Err(JobRefusal::VariantsBesideMessage.into()),
        Some(_) if content.header.is_some() || content.footer.is_some() => {
            Err(JobRefusal::EdgesBesideVariants.into())
        }
        Some(variants) => variants_of(content, variants, home),
        None => {
            let draft = content.draft(home, FileOf::ItsWish)?;
            Ok(vec![DraftedVariant { label: "A".to_owned(), weight: 1, draft }])
        }
    }
}

fn delay_of(min: Option<i64>, max: Option<i64>) -> Result<Delay, JobRefusal> {
    // Who names one end means it: the other end gives way.
    let (min_ms, max_ms) = match (min, max) {
        (None, None) => (DELAY_MIN_MS, DELAY_MAX_MS),
        (Some(min), None) => (min, min.max(DELAY_MAX_MS)),
        (None, Some(max)) => (max.min(DELAY_MIN_MS), max),
        (Some(min), Some(max)) => (min, max),
    };
    let range = 0..=DELAY_LIMIT_MS;
    if !range.contains(&min_ms) || !range.contains(&max_ms) {
        return Err(JobRefusal::Delay);
    }
    if min_ms > max_ms {
        return Err(JobRefusal::DelayOrder);
    }
    Ok(Delay { min_ms, max_ms })
}

/// A time that has just passed is now.
async fn schedule(written: &WrittenMoment, store: &TenantStore) -> Result<Option<At>, Refusal> {
    let now = store.now();
    let at = match written.of_field(Field::ScheduleAt, store).await? {
        Moment::At(at) => at,
        // Nobody wants to be written to at midnight because somebody left the hour out.
        Moment::Day { .. } => return Err(JobRefusal::NoTimeOfDay.into()),
    };
    if now.since(at) > SCHEDULE_PAST_MS {
        return Err(JobRefusal::Passed.into());
    }
    if at.since(now) > SCHEDULE_MAX_MS {
        return Err(JobRefusal::TooFarOff.into());
    }
    Ok(Some(at).filter(|at| *at > now))
}

/// The variants with their one file, in the store or left where it is.
async fn with_file(
    gateway: &GatewayParts,
    store: &TenantStore,
    mut drafts: Vec<DraftedVariant>,
    preview: Option<Preview>,
    files: Files,
) -> Result<Vec<Variant>, Refusal> {
    let file = match drafts.first_mut() {
        Some(first) if files == Files::Stored => first.draft.store_file(&gateway.media, store).await?,
        _ => None,
    };
    let variants = drafts.into_iter().map(|DraftedVariant { label, weight, draft }| {
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
    variants: Vec<VariantWish>,
    home: Option<Country>,
) -> Result<Vec<DraftedVariant>, Refusal> {
    if !(1..=VARIANTS_MAX).contains(&variants.len()) {
        return Err(JobRefusal::VariantCount.into());
    }
    let mut labels = BTreeSet::new();
    let mut made = Vec::with_capacity(variants.len());
    for (variant, letter) in variants.into_iter().zip('A'..='Z') {
        let label = variant.label.unwrap_or_else(|| letter.to_string());
        let weight = variant.weight.unwrap_or(1);
        if label.trim().is_empty() || label.chars().count() > NAME_MAX || !labels.insert(label.clone()) {
            return Err(JobRefusal::VariantLabel.into());
        }
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(JobRefusal::VariantWeight.into());
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
        made.push(DraftedVariant { label, weight, draft: own.draft(home, file)? });
    }
    Ok(made)
}

fn list_of(
    recipients: Option<Box<RawValue>>,
    file: Option<NamedTempFile>,
    rules: &Rules,
    options: &ListOptions,
) -> Result<ReadList, JobRefusal> {
    let read = match (recipients, file) {
        (Some(_), Some(_)) => return Err(JobRefusal::TwoLists),
        (None, None) => return Err(JobRefusal::NoList),
        (Some(json), None) => recipients::from_json(json.get(), rules, options)?,
        (None, Some(file)) => recipients::from_file(file.path(), rules, options)?,
    };
    if read.list.recipients.is_empty() { Err(nobody(&read)) } else { Ok(read) }
}

/// Why nobody is left of a list.
fn nobody(ReadList { list, read_as }: &ReadList) -> JobRefusal {
    let hidden = read_as.columns.hidden_rows.count;
    match list.problems.first() {
        Some(first) => {
            let place = place_of(read_as);
            let place = if place.is_empty() { place } else { format!(" ({place})") };
            JobRefusal::NobodyUsable { place, row: first.row, why: first.why.to_string() }
        }
        None if hidden > 0 => JobRefusal::AllHidden(hidden),
        None if read_as.columns.header_row.is_some() => JobRefusal::HeaderAlone,
        None => JobRefusal::Nobody,
    }
}

/// Where in a file its people were looked for: `sheet Customers, column WhatsApp`.
fn place_of(read_as: &ReadAs) -> String {
    let sheet = read_as.sheet.iter().map(|sheet| format!("sheet {sheet}"));
    let column = read_as.columns.phone.iter().map(|column| match column.strip_prefix("column ") {
        Some(letter) => format!("column {letter}"),
        None => format!("column {column}"),
    });
    sheet.chain(column).collect::<Vec<_>>().join(", ")
}
