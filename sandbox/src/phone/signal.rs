//! Signal sessions of one phone, one for each device it talks with.
//!
//! A session is named by phone number and device, whichever address (LID or PN) the other side
//! used: the ratchet is the same. The owner holds the lock while it encrypts or decrypts, and
//! journals the record named by the address before anything leaves.

use std::collections::HashMap;

use async_trait::async_trait;
use wacore_libsignal::protocol::{
    CiphertextMessage, Direction, GenericSignedPreKey, IdentityChange, IdentityKey, IdentityKeyPair,
    IdentityKeyStore, PreKeyBundle, PreKeyId, PreKeyRecord, PreKeySignalMessage, PreKeyStore,
    ProtocolAddress, PublicKey, SessionRecord, SessionStore, SignalMessage, SignalProtocolError,
    SignedPreKeyId, SignedPreKeyRecord, SignedPreKeyStore, Timestamp, UsePQRatchet, message_decrypt,
    message_encrypt, process_prekey_bundle,
};

use super::keys::{Bundle, OneTime, PhoneKeys, SIGNED_PREKEY_ID};
use super::sender_keys::SenderKeys;
use crate::keys::rng;

type Result<T> = std::result::Result<T, SignalProtocolError>;

#[derive(Default)]
pub(crate) struct Signal {
    sessions: HashMap<Box<str>, SessionRecord>,
    pub groups: SenderKeys,
}

/// A sealed message and the kind of envelope it came in.
pub(crate) struct Sealed {
    pub kind: &'static str,
    pub ciphertext: Vec<u8>,
}

impl Signal {
    pub(crate) fn restore(&mut self, peer: &str, record: &[u8]) -> Result<()> {
        self.sessions.insert(peer.into(), SessionRecord::deserialize(record)?);
        Ok(())
    }

    pub(crate) fn has_session(&self, peer: &str) -> bool {
        self.sessions.contains_key(peer)
    }

    pub(crate) fn forget_all(&mut self) -> Vec<Box<str>> {
        self.groups.forget_all();
        self.sessions.drain().map(|(peer, _)| peer).collect()
    }

    /// The session as the journal keeps it; empty when there is none.
    pub(crate) fn record(&self, peer: &str) -> Vec<u8> {
        self.sessions.get(peer).and_then(|record| record.serialize().ok()).unwrap_or_default()
    }

    /// Begins a session from a device's bundle, in place of any there was.
    pub(crate) async fn begin(
        &mut self,
        keys: &PhoneKeys,
        peer: &str,
        bundle: &Bundle,
        one_time: Option<OneTime>,
    ) -> Result<()> {
        let point = |bytes: &[u8; 32]| PublicKey::from_djb_public_key_bytes(bytes);
        let one_time = match one_time {
            Some((id, key)) => Some((id.into(), point(&key)?)),
            None => None,
        };
        let bundle = PreKeyBundle::new(
            bundle.registration,
            1.into(),
            one_time,
            bundle.signed_id.into(),
            point(&bundle.signed)?,
            bundle.signature.clone(),
            IdentityKey::new(point(&bundle.identity)?),
        )?;
        let address = address(peer);
        process_prekey_bundle(
            &address,
            &mut Sessions(&mut self.sessions),
            &mut Own(keys),
            &bundle,
            &mut rng(),
            UsePQRatchet::No,
        )
        .await?;
        Ok(())
    }

    pub(crate) async fn seal(&mut self, keys: &PhoneKeys, peer: &str, plaintext: &[u8]) -> Result<Sealed> {
        let sealed = message_encrypt(
            &pad(plaintext),
            &address(peer),
            &mut Sessions(&mut self.sessions),
            &mut Own(keys),
        )
        .await?;
        let kind = match sealed {
            CiphertextMessage::PreKeySignalMessage(_) => "pkmsg",
            _ => "msg",
        };
        Ok(Sealed { kind, ciphertext: sealed.serialize().to_vec() })
    }

    pub(crate) async fn open(
        &mut self,
        keys: &PhoneKeys,
        peer: &str,
        kind: &str,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>> {
        let sealed = if kind == "pkmsg" {
            CiphertextMessage::PreKeySignalMessage(PreKeySignalMessage::try_from(ciphertext)?)
        } else {
            CiphertextMessage::SignalMessage(SignalMessage::try_from(ciphertext)?)
        };
        let opened = message_decrypt(
            &sealed,
            &address(peer),
            &mut Sessions(&mut self.sessions),
            &mut Own(keys),
            &mut Own(keys),
            &Own(keys),
            &mut rng(),
            UsePQRatchet::No,
        )
        .await?;
        Ok(unpad(opened.plaintext))
    }
}

fn address(peer: &str) -> ProtocolAddress {
    ProtocolAddress::new(peer, 0.into())
}

/// WhatsApp pads every plaintext with 1 to 15 bytes of their own count.
pub(super) fn pad(plaintext: &[u8]) -> Vec<u8> {
    let count = 1 + u8::try_from(plaintext.len() % 15).expect("less than 15");
    let mut padded = Vec::with_capacity(plaintext.len() + usize::from(count));
    padded.extend_from_slice(plaintext);
    padded.extend(std::iter::repeat_n(count, usize::from(count)));
    padded
}

pub(super) fn unpad(mut padded: Vec<u8>) -> Vec<u8> {
    let count = padded.last().copied().unwrap_or_default();
    padded.truncate(padded.len().saturating_sub(usize::from(count)));
    padded
}

struct Sessions<'a>(&'a mut HashMap<Box<str>, SessionRecord>);

#[async_trait]
impl SessionStore for Sessions<'_> {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        Ok(self.0.get(address.name()).cloned())
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        Ok(self.0.contains_key(address.name()))
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> Result<()> {
        self.0.insert(address.name().into(), record);
        Ok(())
    }
}

/// The phone's own keys. It trusts every identity: the sandbox knows all of them to be its own.
struct Own<'a>(&'a PhoneKeys);

#[async_trait]
impl IdentityKeyStore for Own<'_> {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.0.identity.clone())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.0.registration)
    }

    async fn save_identity(&mut self, _: &ProtocolAddress, _: &IdentityKey) -> Result<IdentityChange> {
        Ok(IdentityChange::NewOrUnchanged)
    }

    async fn is_trusted_identity(&self, _: &ProtocolAddress, _: &IdentityKey, _: Direction) -> Result<bool> {
        Ok(true)
    }

    async fn get_identity(&self, _: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        Ok(None)
    }
}

#[async_trait]
impl PreKeyStore for Own<'_> {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        Ok(PreKeyRecord::new(id, &self.0.one_time_pair(id.into())))
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> Result<()> {
        Ok(())
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl SignedPreKeyStore for Own<'_> {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        if u32::from(id) != SIGNED_PREKEY_ID {
            return Err(SignalProtocolError::InvalidSignedPreKeyId);
        }
        Ok(SignedPreKeyRecord::new(id, Timestamp::from_epoch_millis(0), &self.0.signed, &self.0.signature))
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> Result<()> {
        Ok(())
    }
}
