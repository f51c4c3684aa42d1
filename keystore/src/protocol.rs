//! The small facts of the protocol: who has which device, name and token; what was sent and may be
//! asked for again; what arrived and is not yet in the log.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};
use wacore::time::now_secs;

use crate::records::Kind;
use crate::statement::{Statement, bound, storable};
use crate::{Fault, Keystore, Result};

const TC_TOKENS: &str = "keystore_tc_tokens";
const PENDING: &str = "keystore_pending_inbound";

/// lid, phone, created_at, updated_at, learning_source.
type LidRow = (String, String, i64, i64, String);

#[async_trait]
impl ProtocolStore for Keystore {
    async fn get_sender_key_devices(&self, group_jid: &str) -> Result<Vec<(String, bool)>> {
        Ok(self
            .statement(
                "SELECT device_jid, has_key FROM keystore_sender_key_devices
                 WHERE session_key = $1 AND group_jid = $2",
            )
            .bind(group_jid)
            .fetch_all(self.db())
            .await?)
    }

    async fn set_sender_key_status(&self, group_jid: &str, entries: &[(&str, bool)]) -> Result<()> {
        let latest: BTreeMap<_, _> =
            entries.iter().map(|(device, has_key)| (storable(device), *has_key)).collect();
        let rows =
            latest.iter().map(|(device, has_key)| [group_jid.into(), (&**device).into(), (*has_key).into()]);
        let statements = Statement::insert(
            "INSERT INTO keystore_sender_key_devices (session_key, group_jid, device_jid, has_key)",
            "ON CONFLICT (session_key, group_jid, device_jid) DO UPDATE SET has_key = excluded.has_key",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    async fn clear_sender_key_devices(&self, group_jid: &str) -> Result<()> {
        let statement = self
            .statement("DELETE FROM keystore_sender_key_devices WHERE session_key = $1 AND group_jid = $2")
            .bind(group_jid);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        let statements = self
            .statement("DELETE FROM keystore_sender_key_devices WHERE session_key = $1 AND device_jid")
            .any_of(device_jids.iter().map(|jid| [(*jid).into()]));
        self.commit(statements).await?;
        Ok(())
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        let statement = self.statement("DELETE FROM keystore_sender_key_devices WHERE session_key = $1");
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        let row: Option<LidRow> = self
            .statement(
                "SELECT lid, phone, created_at, updated_at, learning_source FROM keystore_lid_mappings
                 WHERE session_key = $1 AND lid = $2",
            )
            .bind(lid)
            .fetch_optional(self.db())
            .await?;
        Ok(row.map(lid_mapping))
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let row: Option<LidRow> = self
            .statement(
                "SELECT lid, phone, created_at, updated_at, learning_source FROM keystore_lid_mappings
                 WHERE session_key = $1 AND phone = $2 ORDER BY updated_at DESC LIMIT 1",
            )
            .bind(phone)
            .fetch_optional(self.db())
            .await?;
        Ok(row.map(lid_mapping))
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_lid_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let latest: BTreeMap<_, _> = entries.iter().map(|entry| (storable(&entry.lid), entry)).collect();
        let rows = latest.iter().map(|(lid, entry)| {
            [
                (&**lid).into(),
                entry.phone_number.as_str().into(),
                entry.created_at.into(),
                entry.updated_at.into(),
                entry.learning_source.as_str().into(),
            ]
        });
        let statements = Statement::insert(
            "INSERT INTO keystore_lid_mappings (session_key, lid, phone, created_at, updated_at, learning_source)",
            "ON CONFLICT (session_key, lid) DO UPDATE SET phone = excluded.phone,
                 created_at = excluded.created_at, updated_at = excluded.updated_at,
                 learning_source = excluded.learning_source",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        let rows: Vec<LidRow> = self
            .statement(
                "SELECT lid, phone, created_at, updated_at, learning_source FROM keystore_lid_mappings
                 WHERE session_key = $1",
            )
            .fetch_all(self.db())
            .await?;
        Ok(rows.into_iter().map(lid_mapping).collect())
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        Ok(self.put_record(Kind::BaseKey, &base_key_name(address, message_id), base_key).await?)
    }

    async fn has_same_base_key(
        &self,
        address: &str,
        message_id: &str,
        current_base_key: &[u8],
    ) -> Result<bool> {
        let saved = self.record(Kind::BaseKey, &base_key_name(address, message_id)).await?;
        Ok(saved.is_some_and(|saved| saved == current_base_key))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        Ok(self.delete_record(Kind::BaseKey, &base_key_name(address, message_id)).await?)
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        let lists = records
            .iter()
            .map(|list| Ok(((Kind::DeviceList, &*list.user), serde_json::to_vec(list)?)))
            .collect::<Result<Vec<_>, Fault>>()?;
        Ok(self.put_records(lists).await?)
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        let Some(list) = self.record(Kind::DeviceList, user).await? else { return Ok(None) };
        Ok(Some(serde_json::from_slice(&list).map_err(Fault::from)?))
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        Ok(self.delete_record(Kind::DeviceList, user).await?)
    }

    async fn get_group_metadata(&self, group_jid: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.record(Kind::Group, group_jid).await?)
    }

    async fn put_group_metadata(&self, group_jid: &str, blob: &[u8]) -> Result<()> {
        Ok(self.put_record(Kind::Group, group_jid, blob).await?)
    }

    async fn delete_group_metadata(&self, group_jid: &str) -> Result<()> {
        Ok(self.delete_record(Kind::Group, group_jid).await?)
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        let row: Option<(Option<Vec<u8>>, i64, Option<i64>)> = self
            .statement(
                "SELECT token, token_timestamp, sender_timestamp FROM keystore_tc_tokens
                 WHERE session_key = $1 AND jid = $2",
            )
            .bind(jid)
            .fetch_optional(self.db())
            .await?;
        let Some((sealed, token_timestamp, sender_timestamp)) = row else { return Ok(None) };
        let token = match sealed {
            Some(sealed) => self.open(TC_TOKENS, &[jid], &sealed)?,
            None => Vec::new(),
        };
        Ok(Some(TcTokenEntry { token, token_timestamp, sender_timestamp }))
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        let statement = self
            .statement(
                "INSERT INTO keystore_tc_tokens (session_key, jid, token, token_timestamp, sender_timestamp)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (session_key, jid) DO UPDATE SET token = excluded.token,
                     token_timestamp = excluded.token_timestamp, sender_timestamp = excluded.sender_timestamp",
            )
            .bind(jid)
            .bind(self.sealed_token(jid, &entry.token))
            .bind(entry.token_timestamp)
            .bind(entry.sender_timestamp);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        let statement =
            self.statement("DELETE FROM keystore_tc_tokens WHERE session_key = $1 AND jid = $2").bind(jid);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        let rows: Vec<(String,)> = self
            .statement("SELECT jid FROM keystore_tc_tokens WHERE session_key = $1")
            .fetch_all(self.db())
            .await?;
        Ok(rows.into_iter().map(|(jid,)| jid).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let statement = self
            .statement(
                "DELETE FROM keystore_tc_tokens WHERE session_key = $1
                 AND (token IS NULL OR token_timestamp < $2)
                 AND (sender_timestamp IS NULL OR sender_timestamp < $3)",
            )
            .bind(token_cutoff)
            .bind(sender_cutoff);
        Ok(count(self.commit(vec![statement]).await?))
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, sender_timestamp: i64) -> Result<()> {
        let statement = self
            .statement(
                "INSERT INTO keystore_tc_tokens (session_key, jid, token, token_timestamp, sender_timestamp)
                 VALUES ($1, $2, NULL, $3, $3)
                 ON CONFLICT (session_key, jid) DO UPDATE SET sender_timestamp = excluded.sender_timestamp
                 WHERE keystore_tc_tokens.sender_timestamp IS NULL
                    OR keystore_tc_tokens.sender_timestamp < excluded.sender_timestamp",
            )
            .bind(jid)
            .bind(sender_timestamp);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], token_timestamp: i64) -> Result<()> {
        let statement = self
            .statement(
                "INSERT INTO keystore_tc_tokens (session_key, jid, token, token_timestamp, sender_timestamp)
                 VALUES ($1, $2, $3, $4, NULL)
                 ON CONFLICT (session_key, jid) DO UPDATE SET token = excluded.token,
                     token_timestamp = excluded.token_timestamp
                 WHERE keystore_tc_tokens.token IS NULL
                    OR keystore_tc_tokens.token_timestamp <= excluded.token_timestamp",
            )
            .bind(jid)
            .bind(self.sealed_token(jid, token))
            .bind(token_timestamp);
        self.commit(vec![statement]).await?;
        Ok(())
    }

    async fn store_sent_message(&self, chat_jid: &str, message_id: &str, payload: &[u8]) -> Result<()> {
        self.keep_sent(chat_jid, message_id, payload, now_secs()).await
    }

    async fn take_sent_message(&self, chat_jid: &str, message_id: &str) -> Result<Option<Vec<u8>>> {
        self.take_sent(chat_jid, message_id).await
    }

    async fn delete_expired_sent_messages(&self, cutoff_timestamp: i64) -> Result<u32> {
        let statement = self
            .statement("DELETE FROM keystore_sent_messages WHERE session_key = $1 AND stored_at < $2")
            .bind(cutoff_timestamp);
        Ok(count(self.commit(vec![statement]).await?))
    }

    async fn store_pending_inbound(&self, chat: &str, sender: &str, id: &str, message: &[u8]) -> Result<()> {
        self.store_pending_inbound_batch(&[PendingInboundRow { chat, sender, id, message }]).await
    }

    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>,)> = self
            .statement(
                "SELECT message FROM keystore_pending_inbound
                 WHERE session_key = $1 AND chat = $2 AND sender = $3 AND message_id = $4",
            )
            .bind(chat)
            .bind(sender)
            .bind(id)
            .fetch_optional(self.db())
            .await?;
        let Some((sealed,)) = row else { return Ok(None) };
        Ok(Some(self.open(PENDING, &[chat, sender, id], &sealed)?))
    }

    async fn delete_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<()> {
        self.delete_pending_inbound_batch(&[PendingInboundKey { chat, sender, id }]).await
    }

    async fn delete_expired_pending_inbound(&self, cutoff_timestamp: i64) -> Result<u32> {
        let statement = self
            .statement("DELETE FROM keystore_pending_inbound WHERE session_key = $1 AND stored_at < $2")
            .bind(cutoff_timestamp);
        Ok(count(self.commit(vec![statement]).await?))
    }

    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        let now = now_secs();
        let latest: BTreeMap<[Cow<'_, str>; 3], &[u8]> =
            rows.iter().map(|row| ([row.chat, row.sender, row.id].map(storable), row.message)).collect();
        let rows = latest.iter().map(|([chat, sender, id], message)| {
            let sealed = self.seal(PENDING, &[chat, sender, id], message);
            [(&**chat).into(), (&**sender).into(), (&**id).into(), sealed.into(), now.into()]
        });
        let statements = Statement::insert(
            "INSERT INTO keystore_pending_inbound (session_key, chat, sender, message_id, message, stored_at)",
            "ON CONFLICT (session_key, chat, sender, message_id)
             DO UPDATE SET message = excluded.message, stored_at = excluded.stored_at",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(())
    }

    async fn delete_pending_inbound_batch(&self, keys: &[PendingInboundKey<'_>]) -> Result<()> {
        let statements = self
            .statement(
                "DELETE FROM keystore_pending_inbound WHERE session_key = $1 AND (chat, sender, message_id)",
            )
            .any_of(keys.iter().map(|key| [key.chat.into(), key.sender.into(), key.id.into()]));
        self.commit(statements).await?;
        Ok(())
    }
}

impl Keystore {
    /// No bytes are no token: the placeholder that [`ProtocolStore::touch_tc_token_sender_timestamp`]
    /// makes. SQL must tell the two apart, and cannot look into a sealed value.
    fn sealed_token(&self, jid: &str, token: &[u8]) -> Option<Vec<u8>> {
        (!token.is_empty()).then(|| self.seal(TC_TOKENS, &[jid], token))
    }

    pub(crate) async fn take(&self, statement: Statement) -> Result<Option<Vec<u8>>, Fault> {
        Ok(wapid_core::write!(self.db(), |tx| {
            bound!(sqlx::query_scalar(statement.sql()), statement.values()).fetch_optional(&mut *tx).await?
        }))
    }
}

fn lid_mapping((lid, phone_number, created_at, updated_at, learning_source): LidRow) -> LidPnMappingEntry {
    LidPnMappingEntry { lid, phone_number, created_at, updated_at, learning_source }
}

/// Addresses have no line breaks, so a stranger's message id cannot reach into another address.
fn base_key_name(address: &str, message_id: &str) -> String {
    format!("{address}\n{message_id}")
}

/// A number of rows, as whatsapp-rust counts them for its log.
pub(crate) fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
