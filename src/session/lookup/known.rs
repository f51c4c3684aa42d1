//! What was answered about numbers, in memory: a restart asks anew.
//!
//! Whose account a number leads to is the same for everybody on a network, and is shared between the sends of
//! all tenants, for it saves questions. That somebody is absent is not kept there: they may join at any
//! moment, and whoever writes to them asks. What a tenant asked about is that tenant's own.

use std::collections::HashMap;

use parking_lot::Mutex;
use wapid_core::clock::At;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::people::Who;
use wapid_core::phone::Phone;

use crate::link::Listing;

/// How long an answer counts: who is there stays, who is not may join at any moment.
const PRESENT_MS: i64 = 24 * 3_600_000;
const ABSENT_MS: i64 = 10 * 60_000;
/// Numbers kept at most in each of the two, of all tenants.
const KEPT_MAX: usize = 100_000;

/// Accounts by the numbers that lead to them, on each network.
#[derive(Default)]
pub struct Accounts(Mutex<HashMap<(String, Phone), (Who, At)>>);

impl Accounts {
    pub fn of(&self, network: &str, phone: &Phone, now: At) -> Option<Who> {
        let known = self.0.lock();
        let (who, seen) = known.get(&(network.to_owned(), phone.clone()))?;
        (now.since(*seen) < PRESENT_MS).then(|| who.clone())
    }

    /// Under the number that was asked about and under the account's own.
    pub fn keep(&self, network: &str, phone: &Phone, who: &Who, now: At) {
        let mut known = self.0.lock();
        make_room(&mut known, |(_, seen)| now.since(*seen) < PRESENT_MS / 2);
        for number in std::iter::once(phone).chain(who.phone.as_ref().filter(|own| *own != phone)) {
            known.insert((network.to_owned(), number.clone()), (who.clone(), now));
        }
    }
}

/// Who asked, and about which number.
type AskedBy = (TenantId, Mode, Phone);

/// What was answered to each tenant.
#[derive(Default)]
pub struct Answers(Mutex<HashMap<AskedBy, (Listing, At)>>);

impl Answers {
    pub fn of(&self, tenant: &TenantId, mode: Mode, phone: &Phone, now: At) -> Option<Listing> {
        let answers = self.0.lock();
        let (listing, at) = answers.get(&(tenant.clone(), mode, phone.clone()))?;
        let life = if matches!(listing, Listing::Account(_)) { PRESENT_MS } else { ABSENT_MS };
        (now.since(*at) < life).then(|| listing.clone())
    }

    /// What WhatsApp could not say is asked again.
    pub fn keep(&self, tenant: &TenantId, mode: Mode, phone: &Phone, listing: &Listing, now: At) {
        if *listing == Listing::Unclear {
            return;
        }
        let mut answers = self.0.lock();
        make_room(&mut answers, |(_, at)| now.since(*at) < ABSENT_MS);
        answers.insert((tenant.clone(), mode, phone.clone()), (listing.clone(), now));
    }
}

/// Drops what is not young. Where all are, the map starts over rather than grow.
fn make_room<K, V>(map: &mut HashMap<K, V>, is_young: impl Fn(&V) -> bool) {
    if map.len() >= KEPT_MAX {
        map.retain(|_, value| is_young(value));
        if map.len() >= KEPT_MAX {
            map.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(digits: &str) -> Phone {
        Phone::from_whatsapp(digits).expect("a number")
    }

    fn account(digits: &str) -> Who {
        Who { phone: Some(phone(digits)), lid: Some("100000000000001".to_owned()) }
    }

    #[test]
    fn an_account_is_known_for_a_day_under_both_numbers_and_on_one_network() {
        let accounts = Accounts::default();
        let (asked, own) = (phone("5511990000001"), phone("551190000001"));
        let who = account("551190000001");
        accounts.keep("live", &asked, &who, At(0));
        for number in [&asked, &own] {
            assert_eq!(accounts.of("live", number, At(PRESENT_MS - 1)).as_ref(), Some(&who));
            assert_eq!(accounts.of("live", number, At(PRESENT_MS)), None);
            assert_eq!(accounts.of("tenant", number, At(1)), None);
        }
    }

    #[test]
    fn who_is_there_is_known_for_a_day_and_who_is_not_for_ten_minutes() {
        let answers = Answers::default();
        let (a, b) = (TenantId("a".to_owned()), TenantId("b".to_owned()));
        let (here, away, unclear) = (phone("15550001"), phone("15550002"), phone("15550003"));
        answers.keep(&a, Mode::Test, &here, &Listing::Account(account("15550001")), At(0));
        answers.keep(&a, Mode::Test, &away, &Listing::Nobody, At(0));
        answers.keep(&a, Mode::Test, &unclear, &Listing::Unclear, At(0));
        assert!(answers.of(&a, Mode::Test, &here, At(PRESENT_MS - 1)).is_some());
        assert!(answers.of(&a, Mode::Test, &here, At(PRESENT_MS)).is_none());
        assert!(answers.of(&a, Mode::Test, &away, At(ABSENT_MS - 1)).is_some());
        assert!(answers.of(&a, Mode::Test, &away, At(ABSENT_MS)).is_none());
        assert!(answers.of(&a, Mode::Test, &unclear, At(1)).is_none(), "it is asked again");
        assert!(answers.of(&b, Mode::Test, &here, At(1)).is_none(), "another tenant's answer");
        assert!(answers.of(&a, Mode::Live, &here, At(1)).is_none(), "another network's answer");
    }

    #[test]
    fn memory_is_bounded() {
        let mut map: HashMap<usize, bool> = (0..KEPT_MAX).map(|n| (n, n % 2 == 0)).collect();
        make_room(&mut map, |is_young| *is_young);
        assert_eq!(map.len(), KEPT_MAX / 2);
        let mut map: HashMap<usize, bool> = (0..KEPT_MAX).map(|n| (n, true)).collect();
        make_room(&mut map, |is_young| *is_young);
        assert!(map.is_empty());
    }
}
