//! Whom a session knows, what WhatsApp shows of them, and whom it blocked.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::id::ContactId;
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::people::ContactRow;

use super::Api;
use super::answers::Rows;
use super::error::ApiError;
use super::openapi::{DONE, Done, Refusals};
use super::params::{PathParams, QueryParams, is_full, page_of, within};
use super::visit::OwnVisit;
use crate::caller::{Caller, OwnSession};
use crate::session::{AskRefusal, Named, PictureSize, Portrayed};
use crate::usecases::home::home_of;

const PAGE: i64 = 50;
const PAGE_MAX: i64 = 500;
const SEARCH_MAX: usize = 100;

/// The person in the path, whatever the route calls them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonPath {
    phone: Option<String>,
    contact_id: Option<String>,
}

impl PersonPath {
    pub fn person(&self) -> &str {
        self.contact_id.as_deref().or(self.phone.as_deref()).unwrap_or_default()
    }
}

/// A contactId, a number in any spelling, or a LID's JID.
pub async fn named(caller: &Caller, text: &str) -> Result<Named, ApiError> {
    if text.starts_with("con_") {
        return ContactId::parse(text).map(Named::Id).ok_or_else(|| AskRefusal::NoContact.into());
    }
    match Recipient::parse(text, home_of(&caller.store, None).await?)? {
        Recipient::Group(_) => Err(ApiError::bad("INVALID_RECIPIENT", "A group is nobody's contact")),
        person => Ok(Named::Address(person)),
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContactQuery {
    /// A part of a name or number, without regard to case
    search: Option<String>,
    /// 1 to 500; 50 by default
    #[param(minimum = 1, maximum = 500)]
    limit: Option<i64>,
    /// `nextCursor` of the answer before
    after: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactShown {
    /// The same person's for ever, whichever of number and LID is known
    #[schema(value_type = Option<String>, example = "con_01jdg3…")]
    contact_id: Option<ContactId>,
    #[schema(example = "5511900000002")]
    phone: Option<String>,
    lid: Option<String>,
    /// As the owner's phone saved them
    name: Option<String>,
    /// As they call themselves
    push_name: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContactList {
    #[schema(value_type = Vec<ContactShown>)]
    contacts: Rows,
    /// Give it as `after` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Whom a session knows
///
/// Those whom the owner's phone saved since the session was linked, and everybody who wrote. By number. A
/// contact that the owner deletes on the phone keeps its name here: WhatsApp's client does not tell.
#[utoipa::path(
    operation_id = "list_contacts",
    get, path = "/api/whatsapp/session/{id}/contacts", tag = "people",
    params(("id" = String, Path, description = "Your sessionId"), ContactQuery),
    responses((status = 200, description = "A part of the contacts", body = ContactList), Refusals)
)]
pub async fn list(
    session: OwnSession,
    visit: OwnVisit,
    QueryParams(query): QueryParams<ContactQuery>,
) -> Result<Json<ContactList>, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let search = query.search.as_deref().map(str::trim).filter(|search| !search.is_empty());
    if search.is_some_and(|search| search.len() > SEARCH_MAX || search.contains('\0')) {
        return Err(ApiError::parameter(format!("search: at most {SEARCH_MAX} bytes")));
    }
    let is_cursor =
        |text: &str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':');
    if query.after.as_deref().is_some_and(|after| !is_cursor(after)) {
        return Err(ApiError::parameter("after: give the nextCursor of an earlier answer"));
    }
    let store = &session.caller.store;
    visit.prepare().await?;
    let rows = store.contacts(&session.row.key, search, query.after.as_deref(), limit).await?;
    let is_full = is_full(&rows, limit);
    let (contacts, next_cursor) = page_of(rows, is_full, |row| row.alias.clone(), shown)?;
    Ok(Json(ContactList { contacts, next_cursor }))
}

fn shown(row: ContactRow) -> ContactShown {
    ContactShown {
        phone: row.phone().map(str::to_owned),
        lid: row.lid().map(str::to_owned),
        contact_id: row.contact_id,
        name: row.saved_name.or(row.first_name),
        push_name: row.push_name,
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonShown {
    #[schema(value_type = Option<String>)]
    contact_id: Option<ContactId>,
    phone: Option<String>,
    lid: Option<String>,
    /// As the owner's phone saved them
    name: Option<String>,
    /// As they call themselves
    push_name: Option<String>,
    /// What they say about themselves, where they show it
    about: Option<String>,
    /// Where WhatsApp keeps their picture, for some hours; `null` when they have none or hide it
    picture_url: Option<String>,
    is_business: bool,
    /// Of a business
    verified_name: Option<String>,
    /// Did this session's account block them?
    is_blocked: bool,
}

/// Somebody, with what WhatsApp shows of them
///
/// Asking about a number that this tenant never met counts as a number check.
#[utoipa::path(
    operation_id = "get_contact",
    get, path = "/api/whatsapp/session/{id}/contacts/{contactId}", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("contactId" = String, Path, description = "A contactId, a number, or a LID's JID")
    ),
    responses((status = 200, description = "The person", body = PersonShown), Refusals)
)]
pub async fn read(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<PersonPath>,
) -> Result<Json<PersonShown>, ApiError> {
    let portrayed = api.sessions.portray(&session.row, named(&session.caller, path.person()).await?).await?;
    let Portrayed { contact, person, picture, is_blocked } = portrayed;
    let person = person.unwrap_or_default();
    let (name, push_name) = match contact.row {
        Some(row) => (row.saved_name.or(row.first_name), row.push_name),
        None => (None, None),
    };
    Ok(Json(PersonShown {
        contact_id: contact.id,
        phone: contact.who.phone.as_ref().map(Phone::digits).map(str::to_owned),
        lid: contact.who.lid,
        name,
        push_name,
        about: person.about,
        picture_url: picture.map(|picture| picture.url),
        is_business: person.is_business,
        verified_name: person.verified_name,
        is_blocked,
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PictureQuery {
    /// `json` (default): where it is. `image`: the picture itself
    #[param(pattern = "^(json|image)$")]
    format: Option<String>,
    /// Of the picture itself: `full` (default) or `preview`
    #[param(pattern = "^(full|preview)$")]
    size: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureShown {
    /// Changes with the picture
    id: String,
    /// Good for some hours
    url: String,
    preview_url: Option<String>,
}

/// Somebody's profile picture
///
/// By default where WhatsApp keeps it; with `format=image` the picture, fetched through the gateway.
/// `PICTURE_NOT_FOUND` when they have none or hide it.
#[utoipa::path(
    operation_id = "get_contact_picture",
    get, path = "/api/whatsapp/session/{id}/contacts/{contactId}/picture", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("contactId" = String, Path, description = "A contactId, a number, or a LID's JID"),
        PictureQuery
    ),
    responses((status = 200, description = "Where the picture is, or the picture", content(
        (PictureShown = "application/json"), (Vec<u8> = "image/jpeg")
    )), Refusals)
)]
pub async fn picture(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<PersonPath>,
    QueryParams(query): QueryParams<PictureQuery>,
) -> Result<Response, ApiError> {
    let size = match query.size.as_deref() {
        None | Some("full") => PictureSize::Full,
        Some("preview") => PictureSize::Preview,
        Some(_) => return Err(ApiError::parameter("size: full or preview")),
    };
    let who = named(&session.caller, path.person()).await?;
    match query.format.as_deref() {
        None | Some("json") => {
            let (full, preview) = api.sessions.picture(&session.row, who).await?;
            let preview_url = preview.map(|preview| preview.url);
            Ok(Json(PictureShown { id: full.id, url: full.url, preview_url }).into_response())
        }
        Some("image") => {
            let bytes = api.sessions.picture_bytes(&session.row, who, size).await?;
            let kind = HeaderValue::from_static("image/jpeg");
            Ok(([(header::CONTENT_TYPE, kind)], bytes).into_response())
        }
        Some(_) => Err(ApiError::parameter("format: json or image")),
    }
}

/// Block somebody
///
/// WhatsApp drops what they write from here on, and they are not told. Messages to them are refused with
/// `RECIPIENT_BLOCKED`.
#[utoipa::path(
    operation_id = "block_contact",
    post, path = "/api/whatsapp/session/{id}/contacts/{contactId}/block", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("contactId" = String, Path, description = "A contactId, a number, or a LID's JID")
    ),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn block(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<PersonPath>,
) -> Result<Json<Done>, ApiError> {
    api.sessions.block(&session.row, named(&session.caller, path.person()).await?).await?;
    Ok(DONE)
}

/// Unblock somebody
#[utoipa::path(
    operation_id = "unblock_contact",
    post, path = "/api/whatsapp/session/{id}/contacts/{contactId}/unblock", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("contactId" = String, Path, description = "A contactId, a number, or a LID's JID")
    ),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn unblock(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<PersonPath>,
) -> Result<Json<Done>, ApiError> {
    api.sessions.unblock(&session.row, named(&session.caller, path.person()).await?).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
pub struct BlockedShown {
    /// Where it is known
    phone: Option<String>,
    lid: Option<String>,
    since: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct BlockedList {
    blocked: Vec<BlockedShown>,
}

/// Whom this session's account blocked, here or on the phone
#[utoipa::path(
    operation_id = "list_blocked",
    get, path = "/api/whatsapp/session/{id}/blocked", tag = "people",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "Who is blocked", body = BlockedList), Refusals)
)]
pub async fn blocked(State(api): State<Api>, session: OwnSession) -> Result<Json<BlockedList>, ApiError> {
    let blocked = api.sessions.blocked(&session.row).await?;
    let blocked = blocked.iter().map(|one| BlockedShown {
        phone: one.who.phone.as_ref().map(|phone| phone.digits().to_owned()),
        lid: one.who.lid.clone(),
        since: one.since.map(At::iso),
    });
    let blocked = blocked.collect();
    Ok(Json(BlockedList { blocked }))
}
