//! A URL to a file that needs no key, for a while.
//!
//! It is its own proof: a keyed hash of whose file it is, which, and until when. So it is stored nowhere, ends
//! by itself or with its file, and cannot be changed to another file or a later end.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::id::{MediaId, TenantId};
use wapid_core::key::Mode;
use wapid_core::seal::Seal;

use super::content::answer;
use super::{GivenId, found};
use crate::api::Api;
use crate::api::body::OptionalBody;
use crate::api::caller::admit;
use crate::api::error::{ApiError, ErrorBody};
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::caller::Caller;

const SECONDS: i64 = 3_600;
/// A week, as other stores' links.
const SECONDS_MAX: i64 = 7 * 86_400;
const PURPOSE: &str = "media link";

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// For how long, 1 to 604,800; an hour by default
    #[schema(example = 3600)]
    seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaLink {
    /// A path of this server, or a whole URL where the operator has set `WAPID_PUBLIC_URL`
    #[schema(example = "/media/med_01jns9z4m0k3v8q2w7x5y6z1ab?expires=1772969400&signature=…")]
    url: String,
    expires_at: String,
}

/// Make a link to a file
///
/// Whoever has it may read the file, without a key, until the link or the file expires.
#[utoipa::path(
    operation_id = "link_media",
    post, path = "/api/whatsapp/media/{mediaId}/link", tag = "media",
    params(("mediaId" = String, Path, description = "The file")),
    request_body = NewLink,
    responses((status = 200, description = "The link", body = MediaLink), Refusals)
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    id: GivenId,
    OptionalBody(wish): OptionalBody<NewLink>,
) -> Result<Json<MediaLink>, ApiError> {
    let row = found(&caller.store, id).await?;
    let seconds = wish.seconds.unwrap_or(SECONDS);
    if !(1..=SECONDS_MAX).contains(&seconds) {
        return Err(ApiError::bad("INVALID_REQUEST", format!("seconds: 1 to {SECONDS_MAX}")));
    }
    // In whole seconds, and no sooner than it was asked for.
    let expires = caller.store.now().plus_ms(seconds * 1_000 + 999).seconds();
    let seal = api.sessions.store().seal();
    let signature = signature(seal, caller.store.tenant_id(), caller.mode(), &row.id, expires);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    let front = api.public_url.as_deref().unwrap_or_default();
    Ok(Json(MediaLink {
        url: format!("{front}/media/{}?expires={expires}&signature={signature}", row.id),
        expires_at: At(expires * 1_000).iso(),
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LinkQuery {
    expires: Option<i64>,
    signature: Option<String>,
}

/// A file's bytes, by a link
///
/// Needs no key. Answers as `…/content` does.
#[utoipa::path(
    operation_id = "open_media_link",
    get, path = "/media/{mediaId}", tag = "media",
    params(("mediaId" = String, Path, description = "The file"), LinkQuery),
    responses(
        (status = 200, description = "All of it", content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "*/*"))),
        (status = 206, description = "The part that was asked for", content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "*/*"))),
        (status = 410, description = "The link is too old", body = ErrorBody),
        Refusals
    ),
    security(())
)]
pub async fn open(
    State(api): State<Api>,
    id: GivenId,
    QueryParams(query): QueryParams<LinkQuery>,
    request: Parts,
) -> Result<Response<Body>, ApiError> {
    let id = id.ok().and_then(|Path(id)| MediaId::parse(&id)).ok_or_else(ApiError::no_media)?;
    let (Some(expires), Some(given)) = (query.expires, query.signature) else {
        return Err(ApiError::no_media());
    };
    let store = api.sessions.store();
    let (tenant, mode) = store.media_owner(&id).await?.ok_or_else(ApiError::no_media)?;
    let given = BASE64_URL_SAFE_NO_PAD.decode(given).unwrap_or_default();
    let is_ours = signature(store.seal(), &tenant, mode, &id, expires).ct_eq(&given[..]);
    if !bool::from(is_ours) {
        return Err(ApiError::no_media());
    }
    if expires <= store.clock().now().seconds() {
        return Err(ApiError::link_expired());
    }
    admit(&request, &tenant)?;
    let row = store.tenant(tenant, mode).media(&id).await?.ok_or_else(ApiError::no_media)?;
    answer(&api, &row, &request.headers).await
}

fn signature(seal: &Seal, tenant: &TenantId, mode: Mode, id: &MediaId, expires: i64) -> [u8; 32] {
    // None of them holds a line end.
    seal.sign(PURPOSE, &format!("{tenant}\n{mode}\n{id}\n{expires}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_for_one_file_of_one_owner_until_one_end() {
        let seal = Seal::new(&[7; 32]);
        let of = |seal: &Seal, tenant: &str, mode, id: &str, expires| {
            signature(seal, &TenantId(tenant.into()), mode, &MediaId(id.into()), expires)
        };
        let good = of(&seal, "ten_a", Mode::Live, "med_a", 1_000);
        assert_eq!(good, of(&seal, "ten_a", Mode::Live, "med_a", 1_000));
        for other in [
            of(&Seal::new(&[8; 32]), "ten_a", Mode::Live, "med_a", 1_000),
            of(&seal, "ten_b", Mode::Live, "med_a", 1_000),
            of(&seal, "ten_a", Mode::Test, "med_a", 1_000),
            of(&seal, "ten_a", Mode::Live, "med_b", 1_000),
            of(&seal, "ten_a", Mode::Live, "med_a", 1_001),
        ] {
            assert_ne!(good, other);
        }
    }
}
