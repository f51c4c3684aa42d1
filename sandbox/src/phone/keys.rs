//! The keys of a simulated phone, all derived from one seed.
//!
//! A phone that never does anything costs 32 bytes; one that does derives its keys once. One-time
//! prekeys are derived by their id, so any id may be handed out and none has to be remembered.
//! Reusing one is harmless here: nobody but the sandbox reads these messages.
//!
//! Signatures: an account signs `06 00 || details || companion identity` for a new device and
//! `06 02 || list` for its key-index list (wacore 0.7.0, src/pair.rs and src/adv.rs).

use buffa::Message as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wacore_libsignal::protocol::{IdentityKey, IdentityKeyPair, KeyPair};
use waproto::whatsapp as wa;

use crate::keys;
use crate::stanza;

/// The id of a phone's only signed prekey.
pub(crate) const SIGNED_PREKEY_ID: u32 = 1;
/// The id of the only app-state key a phone shares.
pub(crate) const SYNC_KEY_ID: [u8; 6] = [0, 0, 0, 0, 0, 1];

/// What others need to begin an encrypted conversation with a device.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Bundle {
    pub registration: u32,
    #[serde(with = "hex")]
    pub identity: [u8; 32],
    pub signed_id: u32,
    #[serde(with = "hex")]
    pub signed: [u8; 32],
    #[serde(with = "hex")]
    pub signature: Vec<u8>,
}

/// A one-time prekey, public half.
pub(crate) type OneTime = (u32, [u8; 32]);

pub(crate) struct PhoneKeys {
    seed: [u8; 32],
    pub identity: IdentityKeyPair,
    pub signed: KeyPair,
    pub signature: [u8; 64],
    pub registration: u32,
    pub sync_key: [u8; 32],
    raw_id: u32,
}

impl PhoneKeys {
    pub(crate) fn derive(seed: [u8; 32]) -> Self {
        let identity = derive_pair(&seed, "identity");
        let signed = derive_pair(&seed, "signed prekey");
        let signature = identity
            .private_key
            .calculate_signature(&signed.public_key.serialize(), &mut keys::rng())
            .expect("a Curve25519 key signs anything")
            .to_vec()
            .try_into()
            .expect("a signature has 64 bytes");
        Self {
            identity: IdentityKeyPair::new(IdentityKey::new(identity.public_key), identity.private_key),
            signed,
            signature,
            registration: (stanza::number(&derive(&seed, "registration")) & 0x3fff) | 1,
            sync_key: derive(&seed, "app state"),
            raw_id: stanza::number(&derive(&seed, "raw id")),
            seed,
        }
    }

    pub(crate) fn identity_public(&self) -> [u8; 32] {
        self.identity.public_key().public_key_bytes().try_into().expect("a Curve25519 key has 32 bytes")
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle {
            registration: self.registration,
            identity: self.identity_public(),
            signed_id: SIGNED_PREKEY_ID,
            signed: keys::public(&self.signed),
            signature: self.signature.to_vec(),
        }
    }

    pub(crate) fn one_time_pair(&self, id: u32) -> KeyPair {
        derive_pair(&self.seed, &format!("one-time {id}"))
    }

    /// A one-time prekey nobody was given yet, by all likelihood.
    pub(crate) fn new_one_time(&self) -> (u32, KeyPair) {
        let id = (rand::random::<u32>() & 0x00ff_ffff) | 1;
        (id, self.one_time_pair(id))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.identity
            .private_key()
            .calculate_signature(message, &mut keys::rng())
            .expect("a Curve25519 key signs anything")
            .to_vec()
    }

    /// The `ADVSignedDeviceIdentityHMAC` a phone answers a scanned QR or a typed code with.
    pub(crate) fn sign_device(
        &self,
        adv_secret: &[u8],
        companion_identity: &[u8; 32],
        key_index: u32,
    ) -> Vec<u8> {
        let details = wa::ADVDeviceIdentity {
            raw_id: Some(self.raw_id),
            timestamp: Some(stanza::now()),
            key_index: Some(key_index),
            account_type: Some(wa::ADVEncryptionType::E2EE),
            device_type: Some(wa::ADVEncryptionType::E2EE),
        }
        .encode_to_vec();
        let signature = self.sign(&[&[6, 0][..], &details, companion_identity].concat());
        let signed = wa::ADVSignedDeviceIdentity {
            details: Some(details),
            account_signature_key: Some(self.identity_public().to_vec()),
            account_signature: Some(signature),
            device_signature: None,
        }
        .encode_to_vec();
        let mut mac = Hmac::<Sha256>::new_from_slice(adv_secret).expect("HMAC takes keys of any length");
        mac.update(&signed);
        wa::ADVSignedDeviceIdentityHMAC {
            hmac: Some(mac.finalize().into_bytes().to_vec()),
            details: Some(signed),
            account_type: Some(wa::ADVEncryptionType::E2EE),
        }
        .encode_to_vec()
    }

    /// The signed list of the key indexes that are valid now.
    pub(crate) fn key_index_list(&self, linked: &[u32]) -> Vec<u8> {
        let details = wa::ADVKeyIndexList {
            raw_id: Some(self.raw_id),
            timestamp: Some(stanza::now()),
            current_index: linked.iter().copied().max(),
            valid_indexes: std::iter::once(0).chain(linked.iter().copied()).collect(),
            account_type: Some(wa::ADVEncryptionType::E2EE),
        }
        .encode_to_vec();
        let signature = self.sign(&[&[6, 2][..], &details].concat());
        wa::ADVSignedKeyIndexList {
            details: Some(details),
            account_signature: Some(signature),
            account_signature_key: Some(self.identity_public().to_vec()),
        }
        .encode_to_vec()
    }

    pub(crate) fn raw_id(&self) -> u32 {
        self.raw_id
    }
}

fn derive(seed: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut out = [0; 32];
    wacore::crypto::hkdf_sha256_into(seed, None, purpose.as_bytes(), &mut out).expect("HKDF yields 32 bytes");
    out
}

fn derive_pair(seed: &[u8; 32], purpose: &str) -> KeyPair {
    keys::pair(&derive(seed, purpose)).expect("any 32 bytes are a Curve25519 key")
}
