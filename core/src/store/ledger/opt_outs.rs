//! Opt-outs that come through the API, with their events.

use super::vocabulary::OptOutWish;
use super::workbench::Events;
use crate::clock::At;
use crate::event::{NewEvent, OptOutEvent};
use crate::opt_out::{Source, Wish};
use crate::store::error::Result;
use crate::store::settings;
use crate::store::tx::Tx;

/// Did it change anything?
pub(super) async fn write(
    tx: &mut Tx<'_>,
    now: At,
    OptOutWish { tenant, mode, phone, wish }: &OptOutWish,
    events: &mut Events,
) -> Result<bool> {
    let place = (tenant.as_str(), mode.as_str());
    let has_changed = match wish {
        Wish::Stop => settings::opt_out(tx, place, phone, Source::Api, now).await?,
        Wish::Start => settings::opt_in(tx, place, phone).await?,
    };
    if has_changed {
        let told = OptOutEvent {
            phone: phone.digits().to_owned(),
            lid: None,
            contact_id: None,
            source: Source::Api.as_str(),
            message_id: None,
        };
        events.add((tenant, *mode), NewEvent::new(now, told.after(*wish)));
    }
    Ok(has_changed)
}
