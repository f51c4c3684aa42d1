//! Callers, sessions and the sandbox's users out of a request: the only reader of credentials, and what counts a
//! request to its tenant's share.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;

use super::Api;
use super::error::ApiError;
use super::events::Ticket;
use super::visit::OwnVisit;
use crate::caller::{Caller, OwnSession};
use crate::door::Errand;

/// Served also where the gateway is full, for tenants that hold little: see [`crate::door`].
const SEND_TO_ONE: &str = "/api/whatsapp/session/{id}/send";

/// Counts the request to its tenant's share.
pub fn admit(parts: &Parts, tenant: &TenantId) -> Result<OwnVisit, ApiError> {
    let own = OwnVisit::of(parts);
    if let Some(visit) = &own.0 {
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let errand = if route == Some(SEND_TO_ONE) { Errand::Send } else { Errand::Other };
        visit.admit(tenant, errand)?;
    }
    Ok(own)
}

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let key = credential(&parts.headers).ok_or_else(ApiError::unauthorized)?;
        let caller = Self::of_key(api.sessions.store(), key).await?.ok_or_else(ApiError::unauthorized)?;
        admit(parts, caller.store.tenant_id())?;
        Ok(caller)
    }
}

fn credential(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok().map(str::trim);
    }
    let bearer = headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = bearer.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Who reads a stream: a caller, or a page in a browser that a caller gave a ticket to, because an
/// `EventSource` sends no header.
pub struct Listener {
    pub caller: Caller,
    pub visit: OwnVisit,
    /// What the ticket is for; a key is for everything.
    pub ticket: Option<Ticket>,
}

impl FromRequestParts<Api> for Listener {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if credential(&parts.headers).is_some() {
            let caller = Caller::from_request_parts(parts, api).await?;
            return Ok(Self { caller, visit: OwnVisit::of(parts), ticket: None });
        }
        let mut query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let text = query.find(|(name, _)| name == "ticket").ok_or_else(ApiError::unauthorized)?.1;
        let store = api.sessions.store();
        let ticket = Ticket::open(store, &text).ok_or_else(ApiError::bad_ticket)?;
        if !store.is_key_good(&ticket.key).await? {
            return Err(ApiError::bad_ticket());
        }
        let visit = admit(parts, &ticket.tenant)?;
        let scoped = store.tenant(ticket.tenant.clone(), ticket.mode);
        let caller = Caller { store: scoped, key: ticket.key.clone() };
        Ok(Self { caller, visit, ticket: Some(ticket) })
    }
}

/// The session named in the path. Anybody else's is 404.
impl FromRequestParts<Api> for OwnSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        // A route may name more than its session.
        let params =
            RawPathParams::from_request_parts(parts, api).await.map_err(|_| ApiError::no_session())?;
        let id = params.iter().find(|(name, _)| *name == "id").ok_or_else(ApiError::no_session)?.1;
        Self::find(&api.sessions, caller, id).await?.ok_or_else(ApiError::no_session)
    }
}

/// A caller with a test key, who may use the sandbox.
pub struct Tester {
    pub caller: Caller,
    /// The tenant's phone book in the sandbox.
    pub book: String,
}

impl FromRequestParts<Api> for Tester {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        match caller.mode() {
            Mode::Test => {
                let book = caller.store.tenant_id().to_string();
                Ok(Self { caller, book })
            }
            Mode::Live => Err(ApiError::needs_test_key()),
        }
    }
}
