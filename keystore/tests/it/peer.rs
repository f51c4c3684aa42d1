//! One end of Signal conversations, as whatsapp-rust runs it: wacore's `SignalStoreCache` over a
//! `Backend`, behind the same adapters (whatsapp-rust `store/signal_adapter.rs`).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::libsignal::protocol::error::Result;
use wacore::libsignal::protocol::*;
use wacore::store::Device;
use wacore::store::signal_cache::SignalStoreCache;
use wacore::store::traits::Backend;

#[derive(Clone)]
pub struct Peer {
    pub device: Arc<Device>,
    pub backend: Arc<dyn Backend>,
    pub cache: Arc<SignalStoreCache>,
}

/// A ciphertext as it travels.
#[derive(Debug, Clone)]
pub struct Envelope {
    pub is_prekey: bool,
    pub bytes: Vec<u8>,
}

impl Envelope {
    pub fn parse(&self) -> CiphertextMessage {
        if self.is_prekey {
            CiphertextMessage::PreKeySignalMessage(self.bytes.as_slice().try_into().unwrap())
        } else {
            CiphertextMessage::SignalMessage(self.bytes.as_slice().try_into().unwrap())
        }
    }
}

impl Peer {
    /// Reads its device as a client does at its start, or makes one.
    pub async fn over(backend: Arc<dyn Backend>) -> Self {
        if !backend.exists().await.unwrap() {
            backend.create().await.unwrap();
        }
        let device = backend.load().await.unwrap().expect("it was just created");
        Self { device: Arc::new(device), backend, cache: Arc::new(SignalStoreCache::new()) }
    }

    /// Stores prekeys 1, 2, … and answers with their public halves.
    pub async fn offer_prekeys(&self, count: u32) -> Vec<PublicKey> {
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        let pairs: Vec<_> = (0..count).map(|_| KeyPair::generate(&mut rng)).collect();
        let records: Vec<_> = (1..)
            .zip(&pairs)
            .map(|(id, pair)| (id, Bytes::from(PreKeyRecord::new(id.into(), pair).serialize().unwrap())))
            .collect();
        self.backend.store_prekeys_batch(&records, true).await.unwrap();
        pairs.into_iter().map(|pair| pair.public_key).collect()
    }

    pub fn bundle(&self, prekey: (u32, PublicKey)) -> PreKeyBundle {
        PreKeyBundle::new(
            self.device.registration_id,
            1.into(),
            Some((prekey.0.into(), prekey.1)),
            self.device.signed_pre_key_id.into(),
            self.device.signed_pre_key.public_key,
            self.device.signed_pre_key_signature.to_vec(),
            IdentityKey::new(self.device.identity_key.public_key),
        )
        .unwrap()
    }

    pub async fn begin(&self, with: &ProtocolAddress, bundle: &PreKeyBundle) {
        let (mut sessions, mut identities) = (self.clone(), self.clone());
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        process_prekey_bundle(with, &mut sessions, &mut identities, bundle, &mut rng, UsePQRatchet::No)
            .await
            .unwrap();
    }

    pub async fn encrypt(&self, to: &ProtocolAddress, text: &str) -> Envelope {
        let (mut sessions, mut identities) = (self.clone(), self.clone());
        let sealed = message_encrypt(text.as_bytes(), to, &mut sessions, &mut identities).await.unwrap();
        Envelope {
            is_prekey: sealed.message_type() == CiphertextMessageType::PreKey,
            bytes: sealed.serialize().to_vec(),
        }
    }

    pub async fn decrypt(&self, from: &ProtocolAddress, envelope: &Envelope) -> Result<String> {
        let (mut sessions, mut identities, mut prekeys) = (self.clone(), self.clone(), self.clone());
        let mut rng = rand::make_rng::<rand::rngs::StdRng>();
        let opened = message_decrypt(
            &envelope.parse(),
            from,
            &mut sessions,
            &mut identities,
            &mut prekeys,
            self,
            &mut rng,
            UsePQRatchet::No,
        )
        .await?;
        if let Some(id) = opened.consumed_prekey_id {
            self.cache.remove_prekey(id.into(), from.as_str()).await;
        }
        Ok(String::from_utf8(opened.plaintext).unwrap())
    }
}

fn broken<E: std::fmt::Display>(error: E) -> SignalProtocolError {
    SignalProtocolError::BackendError("test", error.to_string().into())
}

#[async_trait]
impl SessionStore for Peer {
    async fn load_session(&self, address: &ProtocolAddress) -> Result<Option<SessionRecord>> {
        let record = self.cache.peek_session(address, &*self.backend).await.map_err(broken)?;
        Ok(record.map(|record| (*record).clone()))
    }

    async fn load_session_for_update(
        &self,
        address: &ProtocolAddress,
    ) -> Result<(Option<SessionRecord>, Option<SessionCheckoutKey>)> {
        let (record, key) = self.cache.checkout_session(address, &*self.backend).await.map_err(broken)?;
        Ok((record, Some(key)))
    }

    fn try_store_session_from_checkout(
        &mut self,
        address: &ProtocolAddress,
        record: SessionRecord,
        checkout: Option<SessionCheckoutKey>,
        had_session: bool,
    ) -> SessionCheckoutStoreResult {
        match checkout {
            Some(key) => self.cache.restore_session_from_checkout(address, record, key, had_session),
            None => SessionCheckoutStoreResult::Unhandled(record),
        }
    }

    fn cancel_session_checkout(&mut self, address: &ProtocolAddress, checkout: Option<SessionCheckoutKey>) {
        if let Some(key) = checkout {
            self.cache.cancel_session_checkout(address, key);
        }
    }

    async fn complete_session_checkout(&mut self) {
        self.cache.complete_session_checkout().await;
    }

    async fn has_session(&self, address: &ProtocolAddress) -> Result<bool> {
        self.cache.has_session(address, &*self.backend).await.map_err(broken)
    }

    async fn store_session(&mut self, address: &ProtocolAddress, record: SessionRecord) -> Result<()> {
        self.cache.put_session(address, record).await;
        Ok(())
    }
}

#[async_trait]
impl IdentityKeyStore for Peer {
    async fn get_identity_key_pair(&self) -> Result<IdentityKeyPair> {
        Ok(self.device.identity_key.clone().into())
    }

    async fn get_local_registration_id(&self) -> Result<u32> {
        Ok(self.device.registration_id)
    }

    async fn save_identity(
        &mut self,
        address: &ProtocolAddress,
        identity: &IdentityKey,
    ) -> Result<IdentityChange> {
        let known = self.get_identity(address).await?;
        self.cache.put_identity(address, identity.public_key().public_key_bytes()).await;
        Ok(match known {
            Some(known) if known != *identity => IdentityChange::ReplacedExisting,
            _ => IdentityChange::NewOrUnchanged,
        })
    }

    async fn is_trusted_identity(&self, _: &ProtocolAddress, _: &IdentityKey, _: Direction) -> Result<bool> {
        Ok(true)
    }

    async fn get_identity(&self, address: &ProtocolAddress) -> Result<Option<IdentityKey>> {
        let key = self.cache.get_identity(address, &*self.backend).await.map_err(broken)?;
        Ok(key.map(|key| IdentityKey::new(PublicKey::from_djb_public_key_bytes(&key).unwrap())))
    }
}

#[async_trait]
impl PreKeyStore for Peer {
    async fn get_pre_key(&self, id: PreKeyId) -> Result<PreKeyRecord> {
        let record = self.backend.load_prekey(id.into()).await.map_err(broken)?;
        PreKeyRecord::deserialize(&record.ok_or(SignalProtocolError::InvalidPreKeyId)?)
    }

    async fn save_pre_key(&mut self, _: PreKeyId, _: &PreKeyRecord) -> Result<()> {
        unreachable!("prekeys are offered in one batch")
    }

    async fn remove_pre_key(&mut self, _: PreKeyId) -> Result<()> {
        unreachable!("a consumed prekey goes with the flush of its session")
    }
}

#[async_trait]
impl SignedPreKeyStore for Peer {
    async fn get_signed_pre_key(&self, id: SignedPreKeyId) -> Result<SignedPreKeyRecord> {
        Ok(SignedPreKeyRecord::new(
            id,
            Timestamp::from_epoch_millis(0),
            &self.device.signed_pre_key,
            &self.device.signed_pre_key_signature,
        ))
    }

    async fn save_signed_pre_key(&mut self, _: SignedPreKeyId, _: &SignedPreKeyRecord) -> Result<()> {
        unreachable!("the device's own is the only one")
    }
}
