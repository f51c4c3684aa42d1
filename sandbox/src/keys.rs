//! The keys the network itself holds: a root, an intermediate and the Noise static key.
//!
//! The chain is really signed, root over intermediate over leaf, in the shape whatsapp-rust checks
//! (wacore-noise 0.7.0, `HandshakeUtils::verify_server_cert`) and Baileys checks (serial 0 is the
//! root). It never verifies against WhatsApp's root: that is what the gateway's self-test is for.

use buffa::{Message as _, MessageField};
use wacore_libsignal::protocol::{KeyPair, PrivateKey};
use waproto::whatsapp as wa;
use waproto::whatsapp::cert_chain::{NoiseCertificate, noise_certificate::Details};

use crate::error::SandboxError;

const NOT_BEFORE: u64 = 1_600_000_000;
const NOT_AFTER: u64 = 4_000_000_000;

pub(crate) struct ServerKeys {
    root: KeyPair,
    intermediate: KeyPair,
    noise: KeyPair,
    chain: Vec<u8>,
}

impl ServerKeys {
    pub(crate) fn generate() -> Self {
        let mut rng = rng();
        Self::new(KeyPair::generate(&mut rng), KeyPair::generate(&mut rng), KeyPair::generate(&mut rng))
    }

    fn new(root: KeyPair, intermediate: KeyPair, noise: KeyPair) -> Self {
        let chain = wa::CertChain {
            leaf: MessageField::some(certificate(2, 1, &noise, &intermediate)),
            intermediate: MessageField::some(certificate(1, 0, &intermediate, &root)),
        }
        .encode_to_vec();
        Self { root, intermediate, noise, chain }
    }

    /// Three private keys, one after the other.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [&self.root, &self.intermediate, &self.noise]
            .into_iter()
            .flat_map(|pair| *pair.private_key.serialize())
            .collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SandboxError> {
        let mut pairs = bytes.chunks(32).map(pair);
        let mut next = || pairs.next().flatten();
        match (next(), next(), next()) {
            (Some(root), Some(intermediate), Some(noise)) => Ok(Self::new(root, intermediate, noise)),
            _ => Err(SandboxError::Storage("the network keys are damaged".into())),
        }
    }

    pub(crate) fn root_key(&self) -> [u8; 32] {
        public(&self.root)
    }

    pub(crate) fn static_key(&self) -> [u8; 32] {
        public(&self.noise)
    }

    pub(crate) fn static_private(&self) -> &[u8; 32] {
        self.noise.private_key.serialize()
    }

    pub(crate) fn chain(&self) -> &[u8] {
        &self.chain
    }
}

fn certificate(serial: u32, issuer: u32, subject: &KeyPair, by: &KeyPair) -> NoiseCertificate {
    let details = Details {
        serial: Some(serial),
        issuer_serial: Some(issuer),
        key: Some(public(subject).to_vec()),
        not_before: Some(NOT_BEFORE),
        not_after: Some(NOT_AFTER),
    }
    .encode_to_vec();
    let signature =
        by.private_key.calculate_signature(&details, &mut rng()).expect("a Curve25519 key signs anything");
    NoiseCertificate { details: Some(details), signature: Some(signature.to_vec()) }
}

/// A fresh generator that may be held across an await, unlike the thread's own.
pub(crate) fn rng() -> rand::rngs::StdRng {
    rand::make_rng()
}

pub(crate) fn public(pair: &KeyPair) -> [u8; 32] {
    pair.public_key.public_key_bytes().try_into().expect("a Curve25519 key has 32 bytes")
}

/// The pair of a private key; `None` unless it has 32 bytes.
pub(crate) fn pair(private: &[u8]) -> Option<KeyPair> {
    let private = PrivateKey::deserialize(private).ok()?;
    Some(KeyPair::new(private.public_key().ok()?, private))
}
