//! Is this number on WhatsApp?

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::phone::Phone;

use super::Api;
use super::body::Body;
use super::caller::OwnSession;
use super::error::{ApiError, ErrorBody};
use super::openapi::Refusals;
use crate::session::Checked;

/// The most numbers in one request.
const PHONES_MAX: usize = 500;

/// One of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Digits with country code, in any spelling
    #[schema(example = "+55 11 90000-0001")]
    phone: Option<String>,
    /// Up to 500 of them
    phones: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct NumberShown {
    /// As it was asked
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    /// `null` where WhatsApp could not say; ask again
    exists: Option<bool>,
    /// The address on WhatsApp, which may be spelled otherwise than the number
    #[schema(example = "5511900000001@s.whatsapp.net")]
    jid: Option<String>,
    /// WhatsApp's hidden id of them, where it tells
    lid: Option<String>,
    /// Known from an earlier check: who is there for a day, who is not for 10 minutes
    cached: bool,
}

/// Ask whether numbers are on WhatsApp
///
/// In the order and spelling of the request. WhatsApp restricts numbers that ask about too many: it is asked
/// about 50 at a time, with a second between two questions of a live session, and about 1,000 an hour per
/// session, beyond which the whole request answers `NUMBER_CHECK_LIMIT`. What is known from an earlier check
/// costs nothing.
#[utoipa::path(
    operation_id = "check_numbers",
    post, path = "/api/whatsapp/session/{id}/numbers/check", tag = "people", request_body = Numbers,
    params(("id" = String, Path, description = "Your sessionId")),
    responses(
        (status = 200, body = Vec<NumberShown>),
        (status = 429, description = "`NUMBER_CHECK_LIMIT`: the hour's numbers are used up", body = ErrorBody),
        Refusals
    )
)]
pub async fn check(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<Numbers>,
) -> Result<Json<Vec<NumberShown>>, ApiError> {
    let asked = match (body.value.phone, body.value.phones) {
        (Some(phone), None) => vec![phone],
        (None, Some(phones)) => phones,
        _ => return Err(ApiError::bad("INVALID_REQUEST", "Give phone, or phones: one of the two")),
    };
    if asked.is_empty() || asked.len() > PHONES_MAX {
        return Err(ApiError::bad("INVALID_REQUEST", format!("phones: 1 to {PHONES_MAX} numbers")));
    }
    let phones = asked.iter().enumerate().map(|(place, text)| {
        let invalid = |problem| ApiError::bad("INVALID_RECIPIENT", format!("phones[{place}]: {problem}"));
        Phone::parse(text, None).map_err(invalid)
    });
    let phones: Vec<Phone> = phones.collect::<Result<_, _>>()?;
    let checked = api.sessions.check_numbers(&session.row, &phones).await?;
    Ok(Json(asked.into_iter().zip(checked).map(|(phone, checked)| shown(phone, checked)).collect()))
}

fn shown(phone: String, checked: Checked) -> NumberShown {
    let Checked { looked, is_cached } = checked;
    NumberShown { phone, exists: looked.exists, jid: looked.jid, lid: looked.lid, cached: is_cached }
}
