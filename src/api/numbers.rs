//! Is this number on WhatsApp?

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::phone::{Phone, PhoneError};

use super::Api;
use super::body::Body;
use super::error::{ApiError, ErrorBody, sentence};
use super::given_number::GivenNumber;
use super::openapi::Refusals;
use crate::caller::OwnSession;
use crate::session::{Checked, Listing};
use crate::usecases::home::home_of;

/// The most numbers in one request.
const PHONES_MAX: usize = 500;

/// One of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Digits with country code, in any spelling
    phone: Option<GivenNumber>,
    /// Up to 500 of them
    phones: Option<Vec<GivenNumber>>,
    /// Of numbers without a country code: ISO 3166, such as `BR`. Otherwise that of the settings
    #[serde(rename = "defaultCountry")]
    #[schema(example = "BR")]
    default_country: Option<String>,
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
    /// Of one that was not asked about, because it is no number: what to write instead
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// `INVALID_RECIPIENT`, with `error`
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// Ask whether numbers are on WhatsApp
///
/// In the order and spelling of the request. WhatsApp restricts numbers that ask about too many: it is asked
/// about 50 at a time, with a second between two questions of a live session, and about 1,000 an hour per
/// session, beyond which the whole request answers `NUMBER_CHECK_LIMIT`. What is known from an earlier check
/// costs nothing.
///
/// Of several `phones`, one that is no number has `error` and `code` in its own entry, and the others are asked
/// about.
#[utoipa::path(
    operation_id = "check_numbers",
    post, path = "/api/whatsapp/session/{id}/numbers/check", tag = "people", request_body = Numbers,
    params(("id" = String, Path, description = "Your sessionId")),
    responses(
        (status = 200, description = "Each number, in the order of the request", body = Vec<NumberShown>),
        (status = 429, description = "`NUMBER_CHECK_LIMIT`: the hour's numbers are used up", body = ErrorBody),
        Refusals
    )
)]
pub async fn check(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<Numbers>,
) -> Result<Json<Vec<NumberShown>>, ApiError> {
    let home = home_of(&session.caller.store, body.value.default_country.as_deref()).await?;
    let asked = match (body.value.phone, body.value.phones) {
        (Some(phone), None) => {
            phone.phone(home)?;
            vec![phone]
        }
        (None, Some(phones)) => phones,
        _ => return Err(ApiError::bad("INVALID_REQUEST", "Give phone, or phones: one of the two")),
    };
    if asked.is_empty() || asked.len() > PHONES_MAX {
        return Err(ApiError::bad("INVALID_REQUEST", format!("phones: 1 to {PHONES_MAX} numbers")));
    }
    let read: Vec<Result<Phone, PhoneError>> = asked.iter().map(|given| given.phone(home)).collect();
    let phones: Vec<Phone> = read.iter().filter_map(|phone| phone.clone().ok()).collect();
    let mut checked = match phones.as_slice() {
        [] => vec![],
        phones => api.sessions.check_numbers(&session.row, phones).await?,
    }
    .into_iter();
    let entries = asked.iter().zip(read).map(|(given, phone)| {
        let phone = phone.map(|_| checked.next().expect("each number has an answer"));
        shown(given.text().into_owned(), phone)
    });
    Ok(Json(entries.collect()))
}

fn shown(phone: String, checked: Result<Checked, PhoneError>) -> NumberShown {
    match checked {
        Ok(Checked { listing, is_cached }) => {
            let (exists, jid, lid) = match listing {
                Listing::Account(who) => (Some(true), who.chat(), who.lid),
                Listing::Nobody => (Some(false), None, None),
                Listing::Unclear => (None, None, None),
            };
            NumberShown { phone, exists, jid, lid, cached: is_cached, error: None, code: None }
        }
        Err(why) => NumberShown {
            phone,
            exists: None,
            jid: None,
            lid: None,
            cached: false,
            error: Some(sentence(&why)),
            code: Some("INVALID_RECIPIENT"),
        },
    }
}
