//! The keys of what refers to a message: votes, reactions, edits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;
use wacore::store::traits::{
    MsgSecretEntry, MsgSecretStore, merge_msg_secret_expiry, merge_msg_secret_message_ts,
};

use crate::protocol::count;
use crate::statement::{Statement, storable};
use crate::{Keystore, Result};

const TABLE: &str = "keystore_message_secrets";

#[async_trait]
impl MsgSecretStore for Keystore {
    async fn put_msg_secrets(&self, entries: Vec<MsgSecretEntry>) -> Result<usize> {
        let mut merged: BTreeMap<[Cow<'_, str>; 3], ([u8; 32], i64, i64)> = BTreeMap::new();
        for entry in &entries {
            let key = [&entry.chat, &entry.sender, &entry.msg_id].map(|part| storable(part));
            let (mut expires_at, mut message_ts) = (entry.expires_at, entry.message_ts);
            if let Some((_, earlier_expiry, earlier_ts)) = merged.get(&key) {
                expires_at = merge_msg_secret_expiry(*earlier_expiry, expires_at);
                message_ts = merge_msg_secret_message_ts(*earlier_ts, message_ts);
            }
            merged.insert(key, (entry.secret, expires_at, message_ts));
        }
        let rows = merged.iter().map(|([chat, sender, id], (secret, expires_at, message_ts))| {
            let sealed = self.seal(TABLE, &[chat, sender, id], secret);
            [
                (&**chat).into(),
                (&**sender).into(),
                (&**id).into(),
                sealed.into(),
                (*expires_at).into(),
                (*message_ts).into(),
            ]
        });
        let statements = Statement::insert(
            "INSERT INTO keystore_message_secrets
                 (session_key, chat, sender, message_id, secret, expires_at, message_ts)",
            "ON CONFLICT (session_key, chat, sender, message_id) DO UPDATE SET
                 secret = excluded.secret,
                 expires_at = CASE
                     WHEN keystore_message_secrets.expires_at = 0 OR excluded.expires_at = 0 THEN 0
                     WHEN keystore_message_secrets.expires_at > excluded.expires_at
                         THEN keystore_message_secrets.expires_at
                     ELSE excluded.expires_at END,
                 message_ts = CASE
                     WHEN keystore_message_secrets.message_ts > excluded.message_ts
                         THEN keystore_message_secrets.message_ts
                     ELSE excluded.message_ts END",
            self.session.as_str(),
            rows,
        );
        self.commit(statements).await?;
        Ok(entries.len())
    }

    async fn get_msg_secret(&self, chat: &str, sender: &str, msg_id: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.get_msg_secret_with_ts(chat, sender, msg_id).await?.map(|(secret, _)| secret))
    }

    async fn get_msg_secret_with_ts(
        &self,
        chat: &str,
        sender: &str,
        msg_id: &str,
    ) -> Result<Option<(Vec<u8>, i64)>> {
        let row: Option<(Vec<u8>, i64)> = self
            .statement(
                "SELECT secret, message_ts FROM keystore_message_secrets
                 WHERE session_key = $1 AND chat = $2 AND sender = $3 AND message_id = $4",
            )
            .bind(chat)
            .bind(sender)
            .bind(msg_id)
            .fetch_optional(self.db())
            .await?;
        let Some((sealed, message_ts)) = row else { return Ok(None) };
        Ok(Some((self.open(TABLE, &[chat, sender, msg_id], &sealed)?, message_ts)))
    }

    async fn delete_expired_msg_secrets(&self, cutoff_timestamp: i64) -> Result<u32> {
        let statement = self
            .statement(
                "DELETE FROM keystore_message_secrets
                 WHERE session_key = $1 AND expires_at <> 0 AND expires_at <= $2",
            )
            .bind(cutoff_timestamp);
        Ok(count(self.commit(vec![statement]).await?))
    }
}
