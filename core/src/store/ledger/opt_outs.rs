//! Opt-outs that come through the API, with their events.

use super::vocabulary::OptOutWish;
use super::workbench::Batch;
use crate::event::{NewEvent, OptOutEvent};
use crate::opt_out::{Source, Wish};
use crate::store::error::Result;
use crate::store::settings;

/// Did it change anything?
pub(super) async fn write(
    batch: &mut Batch<'_, '_>,
    OptOutWish { tenant, mode, phone, wish }: &OptOutWish,
) -> Result<bool> {
    let place = (tenant.as_str(), mode.as_str());
    let has_changed = match wish {
        Wish::Stop => settings::opt_out(batch.tx, place, phone, Source::Api, batch.now).await?,
        Wish::Start => settings::opt_in(batch.tx, place, phone).await?,
    };
    if has_changed {
        let told = OptOutEvent {
            phone: phone.digits().to_owned(),
            lid: None,
            contact_id: None,
            source: Source::Api.as_str(),
            message_id: None,
        };
        batch.events.add((tenant, *mode), NewEvent::new(batch.now, told.after(*wish)));
    }
    Ok(has_changed)
}
