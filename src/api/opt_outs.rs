//! Who is not written to any more.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::opt_out::OptOut;
use wapid_core::phone::Phone;

use super::answers::Rows;
use super::body::Body;
use super::error::ApiError;
use super::given_number::GivenNumber;
use super::openapi::Refusals;
use super::params::{QueryParams, is_full, page_of, within};
use crate::caller::Caller;
use crate::usecases::home::home_of;

const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OptOutQuery {
    /// Only this number, in whichever spelling it was given
    phone: Option<String>,
    /// `nextAfter` of the answer before
    after: Option<String>,
    /// Numbers per page, 1 to 1,000; 100 by default
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptedOut {
    #[schema(example = "919876543210")]
    phone: String,
    /// `api`, or `message` for somebody who said so
    source: &'static str,
    created_at: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutList {
    #[schema(value_type = Vec<OptedOut>)]
    opt_outs: Rows,
    /// Give it as `after` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

/// Everybody who opted out, by number
///
/// Each once, as the number was given: where a country has several spellings of one number, an opt-out
/// counts for all.
#[utoipa::path(
    operation_id = "list_opt_outs",
    get, path = "/api/whatsapp/opt-outs", tag = "opt-outs", params(OptOutQuery),
    responses((status = 200, description = "A part of the list", body = OptOutList), Refusals)
)]
pub async fn list(
    caller: Caller,
    QueryParams(query): QueryParams<OptOutQuery>,
) -> Result<Json<OptOutList>, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let after = query.after.filter(|after| after.bytes().all(|b| b.is_ascii_digit()));
    let is_one = query.phone.is_some();
    let rows = match query.phone {
        Some(phone) => {
            let phone = number(&caller, &GivenNumber::Text(phone)).await?;
            caller.store.opt_out_of(&phone).await?.into_iter().collect()
        }
        None => caller.store.opt_outs(after.as_deref(), limit).await?,
    };
    let is_more = is_full(&rows, limit) && !is_one;
    let place = |row: &OptOut| row.phone.digits().to_owned();
    let (opt_outs, next_after) = page_of(rows, is_more, place, |row| OptedOut {
        phone: row.phone.digits().to_owned(),
        source: row.source.as_str(),
        created_at: row.created_at.iso(),
    })?;
    Ok(Json(OptOutList { opt_outs, next_after }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOptOut {
    phone: GivenNumber,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutChanged {
    success: bool,
    phone: String,
    opted_out: bool,
}

/// Read as lists are: a number without a country code is of the tenant's country.
async fn number(caller: &Caller, given: &GivenNumber) -> Result<Phone, ApiError> {
    Ok(given.phone(home_of(&caller.store, None).await?)?)
}

/// Put a number on the list
///
/// No job writes to it from here on, those that run included, however it is spelled: `551187654321` is
/// `5511987654321`, `525512345678` is `5215512345678`, `22997123456` is `2290197123456`.
#[utoipa::path(
    operation_id = "add_opt_out",
    post, path = "/api/whatsapp/opt-outs", tag = "opt-outs",
    request_body = NewOptOut,
    responses((status = 200, description = "The number and where it stands", body = OptOutChanged), Refusals)
)]
pub async fn add(caller: Caller, body: Body<NewOptOut>) -> Result<Json<OptOutChanged>, ApiError> {
    let phone = number(&caller, &body.value.phone).await?;
    caller.store.opt_out(&phone).await?;
    Ok(Json(OptOutChanged { success: true, phone: phone.digits().to_owned(), opted_out: true }))
}

/// Take a number off the list
///
/// In whichever spelling it was put there.
#[utoipa::path(
    operation_id = "remove_opt_out",
    delete, path = "/api/whatsapp/opt-outs/{phone}", tag = "opt-outs",
    params(("phone" = String, Path, description = "The number")),
    responses((status = 200, description = "The number and where it stands", body = OptOutChanged), Refusals)
)]
pub async fn remove(
    caller: Caller,
    phone: Result<Path<String>, PathRejection>,
) -> Result<Json<OptOutChanged>, ApiError> {
    let Path(phone) = phone.map_err(|_| ApiError::not_opted_out())?;
    let phone = number(&caller, &GivenNumber::Text(phone)).await?;
    if !caller.store.opt_in(&phone).await? {
        return Err(ApiError::not_opted_out());
    }
    Ok(Json(OptOutChanged { success: true, phone: phone.digits().to_owned(), opted_out: false }))
}
