//! Signal: identities, ratchets, prekeys, sender keys. Every batch is one transaction.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::StoreError;
use wacore::store::traits::SignalStore;

use crate::records::Kind;
use crate::statement::Statement;
use crate::{Fault, Keystore, Result};

const PREKEYS: &str = "keystore_prekeys";

#[async_trait]
impl SignalStore for Keystore {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        Ok(self.put_record(Kind::Identity, address, &key).await?)
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        Ok(self
            .put_records(identities.iter().map(|(address, key)| ((Kind::Identity, &**address), key)))
            .await?)
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(key) = self.record(Kind::Identity, address).await? else { return Ok(None) };
        let key =
            key.try_into().map_err(|_| StoreError::Validation("an identity key has 32 bytes".into()))?;
        Ok(Some(key))
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        Ok(self.delete_record(Kind::Identity, address).await?)
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.record(Kind::Session, address).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, session: &[u8]) -> Result<()> {
        Ok(self.put_record(Kind::Session, address, session).await?)
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        Ok(self
            .put_records(sessions.iter().map(|(address, record)| ((Kind::Session, &**address), record)))
            .await?)
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        Ok(self.delete_record(Kind::Session, address).await?)
    }

    async fn has_session(&self, address: &str) -> Result<bool> {
        Ok(self.has_record(Kind::Session, address).await?)
    }

    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        // Addresses are `user@server` and `user:device@server`. From ':' to '@' is one range of the
        // primary key; what lies between the two is cut out again.
        const SQL: &str = "SELECT name FROM keystore_records
            WHERE session_key = $1 AND kind = $2 AND name >= $3 AND name < $4 AND (name < $5 OR name >= $6)
            LIMIT 1";
        for kind in [Kind::Session, Kind::Identity] {
            let found: Option<(String,)> = self
                .statement(SQL)
                .bind(kind.as_str())
                .bind(&*format!("{user}:"))
                .bind(&*format!("{user}A"))
                .bind(&*format!("{user};"))
                .bind(&*format!("{user}@"))
                .fetch_optional(self.db())
                .await?;
            if found.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], uploaded: bool) -> Result<()> {
        Ok(self.put_prekeys([(id, record)], uploaded).await?)
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], uploaded: bool) -> Result<()> {
        Ok(self.put_prekeys(keys.iter().map(|(id, record)| (*id, &**record)), uploaded).await?)
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        let row: Option<(Vec<u8>,)> = self
            .statement("SELECT record FROM keystore_prekeys WHERE session_key = $1 AND id = $2")
            .bind(id)
            .fetch_optional(self.db())
            .await?;
        let Some((record,)) = row else { return Ok(None) };
        Ok(Some(self.open_prekey(id, &record)?))
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        // The ids that whatsapp-rust asks for are a window of its counter: one range, not a list.
        let (Some(&first), Some(&last)) = (ids.iter().min(), ids.iter().max()) else { return Ok(Vec::new()) };
        let rows: Vec<(i64, Vec<u8>)> = self
            .statement(
                "SELECT id, record FROM keystore_prekeys WHERE session_key = $1 AND id BETWEEN $2 AND $3",
            )
            .bind(first)
            .bind(last)
            .fetch_all(self.db())
            .await?;
        let stored: HashMap<_, _> = rows.into_iter().collect();
        let mut found = Vec::with_capacity(ids.len());
        for &id in ids {
            if let Some(record) = stored.get(&i64::from(id)) {
                found.push((id, self.open_prekey(id, record)?));
            }
        }
        Ok(found)
    }

    async fn mark_prekeys_uploaded(&self, ids: &[u32]) -> Result<()> {
        let statements = self
            .statement("UPDATE keystore_prekeys SET uploaded = TRUE WHERE session_key = $1 AND id")
            .any_of(ids.iter().map(|id| [(*id).into()]));
        self.commit(statements).await?;
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        let statement =
            self.statement("DELETE FROM keystore_prekeys WHERE session_key = $1 AND id = $2").bind(id);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        let row: Option<(i64,)> = self
            .statement("SELECT id FROM keystore_prekeys WHERE session_key = $1 ORDER BY id DESC LIMIT 1")
            .fetch_optional(self.db())
            .await?;
        Ok(row.map_or(0, |(id,)| u32::try_from(id).expect("a prekey id was stored from a u32")))
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        Ok(self.put_record(Kind::SignedPrekey, &id.to_string(), record).await?)
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        Ok(self.record(Kind::SignedPrekey, &id.to_string()).await?)
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let mut all = Vec::new();
        for (id, record) in self.records(Kind::SignedPrekey).await? {
            let id =
                id.parse().map_err(|_| StoreError::Validation("a signed prekey's id is a number".into()))?;
            all.push((id, record));
        }
        Ok(all)
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        Ok(self.delete_record(Kind::SignedPrekey, &id.to_string()).await?)
    }

    async fn put_sender_key(&self, address: &str, record: &[u8]) -> Result<()> {
        Ok(self.put_record(Kind::SenderKey, address, record).await?)
    }

    async fn put_sender_keys_batch(&self, sender_keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        Ok(self
            .put_records(sender_keys.iter().map(|(name, record)| ((Kind::SenderKey, &**name), record)))
            .await?)
    }

    async fn get_sender_key(&self, address: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.record(Kind::SenderKey, address).await?)
    }

    async fn delete_sender_key(&self, address: &str) -> Result<()> {
        Ok(self.delete_record(Kind::SenderKey, address).await?)
    }
}

impl Keystore {
    async fn put_prekeys<'a>(
        &self,
        keys: impl IntoIterator<Item = (u32, &'a [u8])>,
        uploaded: bool,
    ) -> Result<(), Fault> {
        let latest: BTreeMap<_, _> = keys.into_iter().collect();
        let rows = latest.into_iter().map(|(id, record)| {
            let sealed = self.seal(PREKEYS, &[&id.to_string()], record);
            [id.into(), uploaded.into(), sealed.into()]
        });
        let statements = Statement::insert(
            "INSERT INTO keystore_prekeys (session_key, id, uploaded, record)",
            "ON CONFLICT (session_key, id) DO UPDATE SET uploaded = excluded.uploaded, record = excluded.record",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    fn open_prekey(&self, id: u32, sealed: &[u8]) -> Result<Bytes, Fault> {
        Ok(self.open(PREKEYS, &[&id.to_string()], sealed)?.into())
    }
}
