//! The linked device itself: one sealed record, read once at the start of a link.
//!
//! It is stored as JSON because the next whatsapp-rust may add fields, and a field that is missing
//! then gets its default instead of making the session unreadable.

use std::sync::Arc;

use async_trait::async_trait;
use wacore::stats::StorageResourceReport;
use wacore::store::Device;
use wacore::store::device::DEVICE_PROPS;
use wacore::store::traits::DeviceStore;

use crate::records::Kind;
use crate::{Fault, Keystore, Result};

/// whatsapp-rust numbers the devices of its database; ours has one per keystore.
const THE_DEVICE: i32 = 1;

#[async_trait]
impl DeviceStore for Keystore {
    async fn save(&self, device: &Device) -> Result<()> {
        let device = serde_json::to_vec(device).map_err(Fault::from)?;
        Ok(self.put_record(Kind::Device, "", &device).await?)
    }

    async fn load(&self) -> Result<Option<Device>> {
        let Some(json) = self.record(Kind::Device, "").await? else { return Ok(None) };
        let mut device: Device = serde_json::from_slice(&json).map_err(Fault::from)?;
        // Serde skips the properties and would leave them empty; a new device has these. The client
        // puts its own over them before it connects.
        device.device_props = Arc::new(DEVICE_PROPS.clone());
        Ok(Some(device))
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.has_record(Kind::Device, "").await?)
    }

    async fn create(&self) -> Result<i32> {
        let device = serde_json::to_vec(&Device::new()).map_err(Fault::from)?;
        self.put_record_if_absent(Kind::Device, "", &device).await?;
        Ok(THE_DEVICE)
    }

    async fn resource_report(&self) -> StorageResourceReport {
        // Caches and connections belong to the process; a session holds none of its own.
        StorageResourceReport { memory_bytes: Some(0), ..StorageResourceReport::default() }
    }
}
