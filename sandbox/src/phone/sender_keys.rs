//! Sender keys of one phone: its own, one for each group, and those that others gave it.
//!
//! A key is named by the group and the sending device, a device as in the phone's sessions. Whoever
//! has the phone's own key is its audience; the key is made anew when one of them is no longer to
//! read along.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use wacore_libsignal::protocol::{
    SenderKeyDistributionMessage, SenderKeyName, SenderKeyRecord, SenderKeyStore, SignalProtocolError,
    create_sender_key_distribution_message, group_decrypt, group_encrypt,
    process_sender_key_distribution_message,
};

use super::signal::{pad, unpad};
use crate::keys::rng;

type Result<T> = std::result::Result<T, SignalProtocolError>;

#[derive(Default)]
pub(crate) struct SenderKeys {
    records: HashMap<Box<str>, SenderKeyRecord>,
    /// Devices that have this phone's own key, by group.
    audiences: HashMap<String, BTreeSet<String>>,
}

/// A message and the key that opens it and those after it.
pub(crate) struct SealedForAll {
    pub key: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

impl SenderKeys {
    pub(crate) fn restore(&mut self, group: &str, peer: &str, record: &[u8]) -> Result<()> {
        let record = SenderKeyRecord::deserialize(record)?;
        self.records.insert(SenderKeyName::from_parts(group, peer).cache_key().into(), record);
        Ok(())
    }

    pub(crate) fn restore_audience(&mut self, group: &str, audience: BTreeSet<String>) {
        self.audiences.insert(group.to_owned(), audience);
    }

    /// A key as the journal keeps it; empty when there is none.
    pub(crate) fn record(&self, group: &str, peer: &str) -> Vec<u8> {
        let record = self.records.get(SenderKeyName::from_parts(group, peer).cache_key());
        record.and_then(|record| record.serialize().ok()).unwrap_or_default()
    }

    pub(crate) fn forget_all(&mut self) {
        *self = Self::default();
    }

    /// Takes a key that another device gave this phone.
    pub(crate) async fn learn(&mut self, group: &str, peer: &str, distribution: &[u8]) -> Result<()> {
        let distribution = SenderKeyDistributionMessage::try_from(distribution)?;
        let name = SenderKeyName::from_parts(group, peer);
        process_sender_key_distribution_message(&name, &distribution, self).await
    }

    pub(crate) async fn open(&mut self, group: &str, peer: &str, ciphertext: &[u8]) -> Result<Vec<u8>> {
        let name = SenderKeyName::from_parts(group, peer);
        Ok(unpad(group_decrypt(ciphertext, self, &name).await?))
    }

    /// Who of these devices lacks this phone's own key. If somebody else has it, nobody does: the
    /// next key is a new one.
    pub(crate) fn lacking(
        &mut self,
        group: &str,
        own: &str,
        audience: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let name = SenderKeyName::from_parts(group, own);
        let informed = self.audiences.entry(group.to_owned()).or_default();
        if !informed.is_subset(audience) || !self.records.contains_key(name.cache_key()) {
            informed.clear();
            self.records.remove(name.cache_key());
        }
        audience.difference(informed).cloned().collect()
    }

    /// From here on these devices have the key.
    pub(crate) fn inform(&mut self, group: &str, devices: impl IntoIterator<Item = String>) {
        self.audiences.entry(group.to_owned()).or_default().extend(devices);
    }

    /// This device lost the key; it gets it again with the next message.
    pub(crate) fn distrust(&mut self, group: &str, device: &str) {
        if let Some(audience) = self.audiences.get_mut(group) {
            audience.remove(device);
        }
    }

    pub(crate) fn audience(&self, group: &str) -> BTreeSet<String> {
        self.audiences.get(group).cloned().unwrap_or_default()
    }

    /// Seals with this phone's own key, made if there is none.
    pub(crate) async fn seal(&mut self, group: &str, own: &str, plaintext: &[u8]) -> Result<SealedForAll> {
        let name = SenderKeyName::from_parts(group, own);
        let key = create_sender_key_distribution_message(&name, self, &mut rng()).await?;
        let sealed = group_encrypt(self, &name, &pad(plaintext), &mut rng()).await?;
        Ok(SealedForAll { key: key.serialized().to_vec(), ciphertext: sealed.serialized().to_vec() })
    }
}

#[async_trait]
impl SenderKeyStore for SenderKeys {
    async fn store_sender_key(&mut self, name: &SenderKeyName, record: SenderKeyRecord) -> Result<()> {
        self.records.insert(name.cache_key().into(), record);
        Ok(())
    }

    async fn load_sender_key(&self, name: &SenderKeyName) -> Result<Option<SenderKeyRecord>> {
        Ok(self.records.get(name.cache_key()).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "120363000000000001@g.us";

    fn devices(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_key_is_given_once_to_each_and_made_anew_when_somebody_leaves() {
        let (mut ours, mut theirs) = (SenderKeys::default(), SenderKeys::default());
        assert_eq!(ours.lacking(GROUP, "A", &devices(&["B", "C"])), devices(&["B", "C"]));
        let sealed = ours.seal(GROUP, "A", b"one").await.expect("sealed");
        ours.inform(GROUP, devices(&["B", "C"]));
        theirs.learn(GROUP, "A", &sealed.key).await.expect("a key");
        assert_eq!(theirs.open(GROUP, "A", &sealed.ciphertext).await.expect("opened"), b"one");

        assert_eq!(ours.lacking(GROUP, "A", &devices(&["B", "C", "D"])), devices(&["D"]));
        ours.distrust(GROUP, "C");
        assert_eq!(ours.lacking(GROUP, "A", &devices(&["B", "C"])), devices(&["C"]));
        assert_eq!(ours.lacking(GROUP, "A", &devices(&["C"])), devices(&["C"]));
        let sealed = ours.seal(GROUP, "A", b"two").await.expect("sealed");
        let locked_out = theirs.open(GROUP, "A", &sealed.ciphertext).await;
        assert!(matches!(locked_out, Err(SignalProtocolError::NoSenderKeyState(_))), "{locked_out:?}");
    }
}
