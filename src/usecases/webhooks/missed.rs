//! What an endpoint missed, delivered again: one event, or everything of a time.

use wapid_core::id::{EndpointId, EventId, RecoveryId};
use wapid_core::store::TenantStore;
use wapid_core::store::deliveries::Recovery;

use super::refusal::WebhookRefusal;
use crate::usecases::GatewayParts;
use crate::usecases::field::Field;
use crate::usecases::moments::WrittenMoment;
use crate::usecases::refusal::{Missing, Refusal};

/// Delivers one event of the log again.
///
/// # Errors
/// [`Missing::Event`], also for one that this endpoint does not want.
pub async fn deliver_again(
    gateway: &GatewayParts,
    store: &TenantStore,
    endpoint: &EndpointId,
    event: &EventId,
) -> Result<(), Refusal> {
    if !store.deliver_again(endpoint, event).await? {
        return Err(Refusal::Missing(Missing::Event));
    }
    gateway.deliveries.poke(endpoint);
    Ok(())
}

/// Which time is to be recovered; up to now where no end is named.
pub struct RecoveryWish {
    pub since: WrittenMoment,
    pub until: Option<WrittenMoment>,
}

/// Begins to deliver again what was stored in a time and given up, or never queued, for this endpoint.
///
/// # Errors
/// [`WebhookRefusal::RecoveryRuns`]: one at a time.
pub async fn begin_recovery(
    gateway: &GatewayParts,
    store: &TenantStore,
    endpoint: &EndpointId,
    wish: &RecoveryWish,
) -> Result<Recovery, Refusal> {
    let now = store.now();
    let since = wish.since.of_field(Field::Since, store).await?.begins();
    let until = match &wish.until {
        Some(written) => written.of_field(Field::Until, store).await?.ends(),
        None => now.plus_ms(1),
    };
    if since >= until {
        return Err(WebhookRefusal::EndsBeforeItBegins.into());
    }
    let begun = store.begin_recovery(endpoint, since, until).await?;
    let recovery = begun.ok_or(WebhookRefusal::RecoveryRuns)?;
    gateway.deliveries.poke(endpoint);
    reread(store, endpoint, &recovery).await
}

/// Ends a recovery. What it queued before is delivered; one that is over stays as it is.
///
/// # Errors
/// [`Missing::Recovery`]
pub async fn cancel_recovery(
    store: &TenantStore,
    endpoint: &EndpointId,
    recovery: &RecoveryId,
) -> Result<Recovery, Refusal> {
    store.cancel_recovery(endpoint, recovery).await?;
    reread(store, endpoint, recovery).await
}

async fn reread(
    store: &TenantStore,
    endpoint: &EndpointId,
    recovery: &RecoveryId,
) -> Result<Recovery, Refusal> {
    store.recovery(endpoint, recovery).await?.ok_or(Refusal::Missing(Missing::Recovery))
}
