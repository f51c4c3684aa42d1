//! Secrets at rest: XChaCha20-Poly1305, bound to their place.
//!
//! A sealed value is `version(1) ‖ nonce(24) ‖ ciphertext`. The place (table, row, column) is
//! associated data, so a value copied into another row does not open there. One master key seals
//! everything; hashes of API keys use a key derived from it, so neither leaks the other.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// A value that does not open: another master key, another place, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this master key")]
pub struct SealError;

/// The master key at work. Cheap to clone; prints nothing.
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
    pepper: [u8; 32],
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    pub fn new(master: &[u8; 32]) -> Self {
        let cipher = XChaCha20Poly1305::new(&Key::from(derive(master, b"wapid seal v1")));
        Self { cipher, pepper: derive(master, b"wapid key hash v1") }
    }

    /// Seals `plain` for `place`, such as `device:ses_…`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
            .expect("XChaCha20-Poly1305 seals anything shorter than 256 GiB");
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`SealError`] when it does not open.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&VERSION, rest) = sealed.split_first().ok_or(SealError)? else { return Err(SealError) };
        let (nonce, body) = rest.split_first_chunk::<NONCE>().ok_or(SealError)?;
        self.cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: place.as_bytes() })
            .map_err(|_| SealError)
    }

    /// A keyed hash of `text`, which proves that we made it for this purpose.
    pub fn sign(&self, purpose: &str, text: &str) -> [u8; 32] {
        mac(&derive(&self.pepper, &[b"wapid sign v1 ", purpose.as_bytes()].concat()), text.as_bytes())
    }

    /// A keyed hash for secrets that are only ever compared, such as API keys.
    pub fn hash(&self, secret: &str) -> [u8; 32] {
        mac(&self.pepper, secret.as_bytes())
    }
}

fn derive(master: &[u8; 32], label: &[u8]) -> [u8; 32] {
    mac(master, label)
}

fn mac(key: &[u8; 32], data: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("device:a", b"secret");
        assert_eq!(seal.open("device:a", &sealed).unwrap(), b"secret");
        assert_eq!(seal.open("device:b", &sealed), Err(SealError));
        assert_eq!(Seal::new(&[8; 32]).open("device:a", &sealed), Err(SealError));
    }

    #[test]
    fn a_signature_is_for_one_purpose_and_is_no_hash_of_a_secret() {
        let seal = Seal::new(&[7; 32]);
        let signature = seal.sign("a link", "x");
        assert_eq!(signature, seal.sign("a link", "x"));
        for other in [seal.sign("a link", "y"), seal.sign("a ticket", "x"), seal.hash("x")] {
            assert_ne!(signature, other);
        }
    }

    #[test]
    fn a_damaged_value_does_not_open() {
        let seal = Seal::new(&[7; 32]);
        let sealed = seal.seal("p", b"secret");
        for i in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[i] ^= 1;
            assert_eq!(seal.open("p", &bad), Err(SealError));
        }
        assert_eq!(seal.open("p", &[]), Err(SealError));
    }
}
