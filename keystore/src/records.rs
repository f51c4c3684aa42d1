//! What is only ever found by its name: one sealed value per session, kind and name.

use std::collections::BTreeMap;

use crate::statement::{Statement, storable};
use crate::{Fault, Keystore};

const TABLE: &str = "keystore_records";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The device itself; its name is empty.
    Device,
    Identity,
    Session,
    SignedPrekey,
    SenderKey,
    SyncKey,
    /// The id of the sync key that was stored last; its name is empty.
    LatestSyncKey,
    HashState,
    BaseKey,
    DeviceList,
    Group,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Identity => "identity",
            Self::Session => "session",
            Self::SignedPrekey => "signed_prekey",
            Self::SenderKey => "sender_key",
            Self::SyncKey => "sync_key",
            Self::LatestSyncKey => "latest_sync_key",
            Self::HashState => "hash_state",
            Self::BaseKey => "base_key",
            Self::DeviceList => "device_list",
            Self::Group => "group",
        }
    }
}

impl Keystore {
    pub(crate) async fn record(&self, kind: Kind, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let row: Option<(Vec<u8>,)> = self
            .statement(
                "SELECT value FROM keystore_records WHERE session_key = $1 AND kind = $2 AND name = $3",
            )
            .bind(kind.as_str())
            .bind(name)
            .fetch_optional(self.db())
            .await?;
        row.map(|(value,)| self.open(TABLE, &[kind.as_str(), name], &value)).transpose()
    }

    pub(crate) async fn has_record(&self, kind: Kind, name: &str) -> Result<bool, Fault> {
        let row: Option<(String,)> = self
            .statement("SELECT name FROM keystore_records WHERE session_key = $1 AND kind = $2 AND name = $3")
            .bind(kind.as_str())
            .bind(name)
            .fetch_optional(self.db())
            .await?;
        Ok(row.is_some())
    }

    /// Names and values of a kind, by name.
    pub(crate) async fn records(&self, kind: Kind) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let rows: Vec<(String, Vec<u8>)> = self
            .statement(
                "SELECT name, value FROM keystore_records WHERE session_key = $1 AND kind = $2 ORDER BY name",
            )
            .bind(kind.as_str())
            .fetch_all(self.db())
            .await?;
        rows.into_iter()
            .map(|(name, value)| {
                let value = self.open(TABLE, &[kind.as_str(), &name], &value)?;
                Ok((name, value))
            })
            .collect()
    }

    pub(crate) async fn put_record(&self, kind: Kind, name: &str, value: &[u8]) -> Result<(), Fault> {
        self.put_records([((kind, name), value)]).await
    }

    /// Of two values with one name, the later stays.
    pub(crate) async fn put_records<'a, V: AsRef<[u8]>>(
        &self,
        records: impl IntoIterator<Item = ((Kind, &'a str), V)>,
    ) -> Result<(), Fault> {
        let latest: BTreeMap<_, _> =
            records.into_iter().map(|((kind, name), value)| ((kind, storable(name)), value)).collect();
        let rows = latest.iter().map(|((kind, name), value)| {
            let sealed = self.seal(TABLE, &[kind.as_str(), name], value.as_ref());
            [kind.as_str().into(), (&**name).into(), sealed.into()]
        });
        let statements = Statement::insert(
            "INSERT INTO keystore_records (session_key, kind, name, value)",
            "ON CONFLICT (session_key, kind, name) DO UPDATE SET value = excluded.value",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    /// Leaves a value that is already there.
    pub(crate) async fn put_record_if_absent(
        &self,
        kind: Kind,
        name: &str,
        value: &[u8],
    ) -> Result<(), Fault> {
        let sealed = self.seal(TABLE, &[kind.as_str(), name], value);
        let statement = self
            .statement(
                "INSERT INTO keystore_records (session_key, kind, name, value) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (session_key, kind, name) DO NOTHING",
            )
            .bind(kind.as_str())
            .bind(name)
            .bind(sealed);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    pub(crate) async fn delete_record(&self, kind: Kind, name: &str) -> Result<(), Fault> {
        let statement = self
            .statement("DELETE FROM keystore_records WHERE session_key = $1 AND kind = $2 AND name = $3")
            .bind(kind.as_str())
            .bind(name);
        self.commit(vec![statement]).await?;
        Ok(())
    }
}
