//! Passes to the media host: who may upload, for how long.
//!
//! A pass says whose it is and until when, under a MAC of the network, so nothing has to be
//! remembered and a pass survives a restart.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::keys::ServerKeys;

/// WhatsApp's are good for six hours.
pub(super) const SECONDS: u64 = 6 * 3600;

/// Whose a pass is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass {
    pub book: String,
    pub phone: String,
}

pub(super) fn secret(keys: &ServerKeys) -> [u8; 32] {
    let mut secret = [0; 32];
    wacore::crypto::hkdf_sha256_into(keys.static_private(), None, b"sandbox media pass", &mut secret)
        .expect("HKDF yields 32 bytes");
    secret
}

pub(super) fn issue(secret: &[u8; 32], book: &str, phone: &str, until: u64) -> String {
    let claim = format!("{until}/{book}/{phone}");
    format!("{}.{}", BASE64.encode(&claim), BASE64.encode(mac(secret, &claim).finalize().into_bytes()))
}

/// `None` for a pass that is not ours or is over.
pub(super) fn check(secret: &[u8; 32], pass: &str, now: u64) -> Option<Pass> {
    let (claim, tag) = pass.split_once('.')?;
    let claim = String::from_utf8(BASE64.decode(claim).ok()?).ok()?;
    mac(secret, &claim).verify_slice(&BASE64.decode(tag).ok()?).ok()?;
    let mut parts = claim.splitn(3, '/');
    let (until, book, phone) = (parts.next()?, parts.next()?, parts.next()?);
    let is_good = until.parse::<u64>().ok()? > now;
    is_good.then(|| Pass { book: book.to_owned(), phone: phone.to_owned() })
}

fn mac(secret: &[u8; 32], claim: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(claim.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_good_until_its_time_and_only_as_it_was_issued() {
        let (secret, other) = ([1; 32], [2; 32]);
        let pass = issue(&secret, "shop", "15550000001", 1_000);
        let owner = Pass { book: "shop".into(), phone: "15550000001".into() };
        assert_eq!(check(&secret, &pass, 999), Some(owner));
        assert_eq!(check(&secret, &pass, 1_000), None);
        assert_eq!(check(&other, &pass, 0), None);
        let (claim, tag) = pass.split_once('.').expect("two parts");
        let forged = issue(&other, "bank", "15550000001", 1_000);
        let (stolen, _) = forged.split_once('.').expect("two parts");
        assert_eq!(check(&secret, &format!("{stolen}.{tag}"), 0), None);
        assert_eq!(check(&secret, claim, 0), None);
    }
}
