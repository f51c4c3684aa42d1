//! Says once when something begins to fail, and once when it works again.

use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{info, warn};

use super::server;

pub struct Trouble {
    what: &'static str,
    is_encrypted: bool,
    is_on: AtomicBool,
}

impl Trouble {
    /// With what: "Putting wake-ups in" fails, and works again.
    pub const fn with(what: &'static str, is_encrypted: bool) -> Self {
        Self { what, is_encrypted, is_on: AtomicBool::new(false) }
    }

    pub fn note<T>(&self, result: &anyhow::Result<T>) {
        match result {
            Ok(_) => self.end(),
            Err(error) if !self.is_on.swap(true, Ordering::AcqRel) => {
                warn!(
                    "{} fails; the sweep stands in: {}",
                    self.what,
                    server::words(error, self.is_encrypted)
                );
            }
            Err(_) => {}
        }
    }

    pub fn end(&self) {
        if self.is_on.swap(false, Ordering::AcqRel) {
            info!("{} works again", self.what);
        }
    }
}
