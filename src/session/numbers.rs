//! Who is on WhatsApp, asked once.
//!
//! Asking too often is one of the things WhatsApp restricts accounts for, so a number that is on
//! WhatsApp is remembered for a day. One that is not is asked again: it may join at any moment.

use std::collections::HashMap;

use parking_lot::Mutex;
use wapid_core::clock::At;
use wapid_core::phone::Phone;

/// How long a number stays known, in milliseconds.
const KNOWN_MS: i64 = 24 * 3_600_000;
/// How many numbers are remembered at most.
const KNOWN_MAX: usize = 100_000;

/// Numbers seen on a network. A network is WhatsApp, or one tenant's sandbox.
#[derive(Default)]
pub struct Numbers(Mutex<HashMap<(String, Phone), At>>);

impl Numbers {
    pub fn is_known(&self, network: &str, phone: &Phone, now: At) -> bool {
        self.0
            .lock()
            .get(&(network.to_owned(), phone.clone()))
            .is_some_and(|seen| now.since(*seen) < KNOWN_MS)
    }

    pub fn remember(&self, network: &str, phone: &Phone, now: At) {
        let mut known = self.0.lock();
        if known.len() >= KNOWN_MAX {
            known.retain(|_, seen| now.since(*seen) < KNOWN_MS / 2);
            // All of them young: start over rather than grow.
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
        }
        known.insert((network.to_owned(), phone.clone()), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_for_a_day_and_on_one_network() {
        let numbers = Numbers::default();
        let phone = Phone::parse("15550001", None).unwrap();
        numbers.remember("live", &phone, At(0));
        assert!(numbers.is_known("live", &phone, At(KNOWN_MS - 1)));
        assert!(!numbers.is_known("live", &phone, At(KNOWN_MS)));
        assert!(!numbers.is_known("tenant", &phone, At(1)));
    }
}
