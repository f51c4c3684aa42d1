//! Synchronised settings: keys, the hash of each collection, and the MACs it was made of.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use wacore::appstate::hash::HashState;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};
use wacore_appstate::processor::AppStateMutationMAC;

use crate::records::Kind;
use crate::statement::Statement;
use crate::{Fault, Keystore, Result};

#[async_trait]
impl AppSyncStore for Keystore {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        let Some(key) = self.record(Kind::SyncKey, &hex::encode(key_id)).await? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&key).map_err(Fault::from)?))
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let key = serde_json::to_vec(&key).map_err(Fault::from)?;
        // With the key, in one commit, so that the latest id always names a key we have.
        let records = [((Kind::SyncKey, &*hex::encode(key_id)), &*key), ((Kind::LatestSyncKey, ""), key_id)];
        Ok(self.put_records(records).await?)
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        match self.record(Kind::HashState, name).await? {
            Some(state) => Ok(serde_json::from_slice(&state).map_err(Fault::from)?),
            None => Ok(HashState::default()),
        }
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        let state = serde_json::to_vec(&state).map_err(Fault::from)?;
        Ok(self.put_record(Kind::HashState, name, &state).await?)
    }

    async fn put_mutation_macs(
        &self,
        name: &str,
        version: u64,
        mutations: &[AppStateMutationMAC],
    ) -> Result<()> {
        let latest: BTreeMap<_, _> = mutations.iter().map(|mac| (&mac.index_mac, &mac.value_mac)).collect();
        let version = version.cast_signed();
        let rows = latest
            .into_iter()
            .map(|(index, value)| [name.into(), index.clone().into(), value.clone().into(), version.into()]);
        let statements = Statement::insert(
            "INSERT INTO keystore_mutation_macs (session_key, collection, index_mac, value_mac, version)",
            "ON CONFLICT (session_key, collection, index_mac)
             DO UPDATE SET value_mac = excluded.value_mac, version = excluded.version",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> = self
            .statement(
                "SELECT value_mac FROM keystore_mutation_macs
                 WHERE session_key = $1 AND collection = $2 AND index_mac = $3",
            )
            .bind(name)
            .bind(index_mac.to_vec())
            .fetch_optional(self.db())
            .await?;
        Ok(row.map(|(value,)| value))
    }

    async fn get_mutation_macs(
        &self,
        name: &str,
        index_macs: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let statements = self
            .statement(
                "SELECT index_mac, value_mac FROM keystore_mutation_macs
                 WHERE session_key = $1 AND collection = $2 AND index_mac",
            )
            .bind(name)
            .any_of(index_macs.iter().map(|index| [index.to_vec().into()]));
        let mut found = HashMap::with_capacity(index_macs.len());
        for statement in statements {
            let rows: Vec<(Vec<u8>, Vec<u8>)> = statement.fetch_all(self.db()).await?;
            for (index, value) in rows {
                found.insert(index.try_into().expect("only what was asked for is found"), value);
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let statements = self
            .statement(
                "DELETE FROM keystore_mutation_macs WHERE session_key = $1 AND collection = $2 AND index_mac",
            )
            .bind(name)
            .any_of(index_macs.iter().map(|index| [index.clone().into()]));
        self.commit(statements).await?;
        Ok(())
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        let statement = self
            .statement("DELETE FROM keystore_mutation_macs WHERE session_key = $1 AND collection = $2")
            .bind(name);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.record(Kind::LatestSyncKey, "").await?)
    }
}
