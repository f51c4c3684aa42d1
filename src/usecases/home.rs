//! The country of numbers that are written without its code.

use wapid_core::phone::Country;
use wapid_core::store::TenantStore;

use super::refusal::Refusal;

/// The country that a wish names, otherwise that of the tenant's settings.
///
/// # Errors
/// For what is no country.
pub async fn home_of(store: &TenantStore, named: Option<&str>) -> Result<Option<Country>, Refusal> {
    if let Some(code) = named.filter(|code| !code.trim().is_empty()) {
        return Ok(Some(Country::parse(code)?));
    }
    // It was checked when it was saved.
    Ok(store.default_country().await?.and_then(|code| Country::parse(&code).ok()))
}
