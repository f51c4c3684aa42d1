//! Opt-outs that come through the API, with their events.

use serde_json::json;

use super::Result;
use super::events::Events;
use crate::clock::At;
use crate::event::{Kind, NewEvent};
use crate::id::TenantId;
use crate::key::Mode;
use crate::opt_out::{Source, Wish};
use crate::phone::Phone;
use crate::store::settings;
use crate::store::tx::Tx;

#[derive(Debug, Clone)]
pub(in crate::store) struct OptOutWish {
    pub tenant: TenantId,
    pub mode: Mode,
    pub phone: Phone,
    pub wish: Wish,
}

/// Did it change anything?
pub(super) async fn write(
    tx: &mut Tx<'_>,
    now: At,
    OptOutWish { tenant, mode, phone, wish }: &OptOutWish,
    events: &mut Events,
) -> Result<bool> {
    let place = (tenant.as_str(), mode.as_str());
    let (has_changed, kind) = match wish {
        Wish::Stop => (settings::opt_out(tx, place, phone, Source::Api, now).await?, Kind::OptOutAdded),
        Wish::Start => (settings::opt_in(tx, place, phone).await?, Kind::OptOutRemoved),
    };
    if has_changed {
        let data = json!({ "phone": phone.digits(), "lid": null, "source": Source::Api.as_str() });
        events.add((tenant, *mode), NewEvent { kind, occurred_at: now, data });
    }
    Ok(has_changed)
}
