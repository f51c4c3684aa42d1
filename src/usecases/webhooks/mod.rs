//! Endpoints of a tenant: made, changed, turned on and off, and told again what they missed.
//!
//! | file | what |
//! |---|---|
//! | `settings` | what an owner wishes of an endpoint, checked |
//! | `missed` | what an endpoint missed, delivered again |
//! | `refusal` | what is refused of it |

use wapid_core::endpoint::{Endpoint, Format, Settings, State};
use wapid_core::id::EndpointId;
use wapid_core::signature::Secret;
use wapid_core::store::TenantStore;
use wapid_core::store::endpoints::{Keys, ValidSecret};

use super::GatewayParts;
use super::refusal::{Missing, Refusal};
use crate::caller::Caller;
use crate::outgoing::{Asker, Failure};

mod missed;
mod refusal;
mod settings;

pub use missed::{RecoveryWish, begin_recovery, cancel_recovery, deliver_again};
pub use refusal::WebhookRefusal;
pub use settings::{ProfileWish, RotationWish, WebhookWish};

use settings::{CheckedSettings, SecretWish};

/// A commit of another process, or of another clock, may be a little older than what failed after it.
const RECOVERED_BEFORE_MS: i64 = 60_000;

/// An endpoint as it is now.
pub struct CurrentWebhook {
    pub endpoint: Endpoint,
    pub keys: Keys,
    /// Where the call made or changed it: it is shown to nobody afterwards.
    pub new_secret: Option<Secret>,
}

/// The endpoint of that id, if it is the caller's.
///
/// # Errors
/// [`Missing::Webhook`]
pub async fn find(store: &TenantStore, id: &EndpointId) -> Result<(Endpoint, Keys), Refusal> {
    store.endpoint(id).await?.ok_or(Refusal::Missing(Missing::Webhook))
}

/// Makes an endpoint, with a secret where none is given. What happens from here on is delivered to it.
///
/// # Errors
/// [`WebhookRefusal`]
pub async fn create(
    gateway: &GatewayParts,
    caller: &Caller,
    wish: WebhookWish,
) -> Result<CurrentWebhook, Refusal> {
    let checked = wish.checked(None, Format::Standard)?;
    let secret = match &checked.secret {
        Some(SecretWish::None) => return Err(WebhookRefusal::NoSecret.into()),
        Some(SecretWish::New(secret)) => secret.clone(),
        None => Secret::generate(),
    };
    make(gateway, caller, checked, Some(secret), false).await
}

/// Sets the tenant's first endpoint, which is the one of the one-URL setting: makes it, or changes it and turns it on.
///
/// # Errors
/// [`WebhookRefusal`]
pub async fn set_first(
    gateway: &GatewayParts,
    caller: &Caller,
    wish: WebhookWish,
) -> Result<CurrentWebhook, Refusal> {
    let Some((endpoint, _)) = caller.store.first_endpoint().await? else {
        let checked = wish.checked(None, Format::Classic)?;
        let secret = match &checked.secret {
            Some(SecretWish::New(secret)) => Some(secret.clone()),
            Some(SecretWish::None) | None => None,
        };
        return make(gateway, caller, checked, secret, true).await;
    };
    let id = endpoint.id.clone();
    let changed = amend(gateway, caller, endpoint, wish).await?;
    if caller.store.switch_endpoint(&id, true).await? != Some(true) {
        return Ok(changed);
    }
    gateway.deliveries.poke(&id);
    Ok(CurrentWebhook { new_secret: changed.new_secret, ..current(&caller.store, &id).await? })
}

async fn make(
    gateway: &GatewayParts,
    caller: &Caller,
    checked: CheckedSettings,
    secret: Option<Secret>,
    is_first: bool,
) -> Result<CurrentWebhook, Refusal> {
    if let Some(secret) = &secret {
        secret.check_length().map_err(WebhookRefusal::Secret)?;
    }
    vet(gateway, caller, &checked.settings.url).await?;
    let keys = Keys::of(secret.clone(), checked.headers.unwrap_or_default());
    let made = caller.store.create_endpoint(&checked.settings, &keys, is_first).await;
    let id = made.map_err(WebhookRefusal::NotMade)?;
    Ok(CurrentWebhook { new_secret: secret, ..current(&caller.store, &id).await? })
}

/// Changes an endpoint. What is left out stays as it is.
///
/// # Errors
/// [`WebhookRefusal`]
pub async fn change(
    gateway: &GatewayParts,
    caller: &Caller,
    id: &EndpointId,
    wish: WebhookWish,
) -> Result<CurrentWebhook, Refusal> {
    let (endpoint, _) = find(&caller.store, id).await?;
    amend(gateway, caller, endpoint, wish).await
}

async fn amend(
    gateway: &GatewayParts,
    caller: &Caller,
    endpoint: Endpoint,
    wish: WebhookWish,
) -> Result<CurrentWebhook, Refusal> {
    let Endpoint { id, is_first, .. } = endpoint;
    // Asks a name server, so before anything is locked.
    if let Some(url) = &wish.url {
        vet(gateway, caller, url).await?;
    }
    let mut new_secret = None;
    let change = |settings: &mut Settings, keys: &mut Keys| {
        let checked = wish.checked(Some(settings.clone()), Format::Standard)?;
        if matches!(checked.secret, Some(SecretWish::None)) && !is_first {
            return Err(WebhookRefusal::NoSecret);
        }
        *settings = checked.settings;
        if let Some(headers) = checked.headers {
            keys.headers = headers;
        }
        match checked.secret {
            Some(SecretWish::New(secret)) => {
                // Who says again what is set already changes nothing.
                if !keys.secrets.iter().any(|valid| valid.secret == secret) {
                    secret.check_length()?;
                }
                new_secret = Some(secret.clone());
                keys.secrets = vec![ValidSecret { secret, until: None }];
            }
            Some(SecretWish::None) => keys.secrets.clear(),
            None => {}
        }
        Ok(())
    };
    let changed = caller.store.change_endpoint(&id, change).await?;
    changed.ok_or(Refusal::Missing(Missing::Webhook))??;
    gateway.deliveries.poke(&id);
    Ok(CurrentWebhook { new_secret, ..current(&caller.store, &id).await? })
}

/// Removes an endpoint. What was waiting for it is not sent.
///
/// # Errors
/// [`Missing::Webhook`]
pub async fn remove(gateway: &GatewayParts, store: &TenantStore, id: &EndpointId) -> Result<(), Refusal> {
    if !store.remove_endpoint(id).await? {
        return Err(Refusal::Missing(Missing::Webhook));
    }
    gateway.deliveries.poke(id);
    Ok(())
}

/// Gives an endpoint a new secret. The old one signs as well for a while.
///
/// # Errors
/// [`WebhookRefusal`]
pub async fn rotate_secret(
    gateway: &GatewayParts,
    store: &TenantStore,
    id: &EndpointId,
    wish: RotationWish,
) -> Result<CurrentWebhook, Refusal> {
    let (secret, grace_ms) = wish.checked()?;
    if !store.rotate_secret(id, secret.clone(), grace_ms).await? {
        return Err(Refusal::Missing(Missing::Webhook));
    }
    gateway.deliveries.poke(id);
    Ok(CurrentWebhook { new_secret: Some(secret), ..current(store, id).await? })
}

/// Turns an endpoint on. With `recover` it is also told what was given up or happened since it failed or was turned
/// off.
///
/// # Errors
/// [`Missing::Webhook`]
pub async fn enable(
    gateway: &GatewayParts,
    store: &TenantStore,
    id: &EndpointId,
    recover: bool,
) -> Result<CurrentWebhook, Refusal> {
    let (endpoint, _) = find(store, id).await?;
    let off_since = (endpoint.state == State::Disabled).then_some(endpoint.changed_at);
    let since = endpoint.standing.failing_since.into_iter().chain(off_since).min();
    let since = since.filter(|_| recover).map(|at| at.plus_ms(-RECOVERED_BEFORE_MS));
    // Before, so that no crash forgets it; and after, with what happened until it was on.
    if let Some(since) = since {
        store.recover_since(id, since).await?;
    }
    store.switch_endpoint(id, true).await?.ok_or(Refusal::Missing(Missing::Webhook))?;
    if let Some(since) = since {
        store.recover_since(id, since).await?;
    }
    gateway.deliveries.poke(id);
    current(store, id).await
}

/// Turns an endpoint off. What waits for it stays; what happens meanwhile is not for it.
///
/// # Errors
/// [`Missing::Webhook`]
pub async fn disable(
    gateway: &GatewayParts,
    store: &TenantStore,
    id: &EndpointId,
) -> Result<CurrentWebhook, Refusal> {
    store.switch_endpoint(id, false).await?.ok_or(Refusal::Missing(Missing::Webhook))?;
    gateway.deliveries.poke(id);
    current(store, id).await
}

async fn current(store: &TenantStore, id: &EndpointId) -> Result<CurrentWebhook, Refusal> {
    let (endpoint, keys) = find(store, id).await?;
    Ok(CurrentWebhook { endpoint, keys, new_secret: None })
}

/// May the URL be fetched? A name that nobody knows today may be made tomorrow.
async fn vet(gateway: &GatewayParts, caller: &Caller, url: &str) -> Result<(), WebhookRefusal> {
    let outgoing = gateway.deliveries.outgoing();
    let asker = Asker::of(&caller.store);
    let target = outgoing.check(url, asker)?;
    match outgoing.look_up(&target).await {
        Err(Failure::Refused(refusal)) => Err(refusal.into()),
        _ => Ok(()),
    }
}
