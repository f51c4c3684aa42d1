//! The one setting a phone publishes by app state: its push name.
//!
//! Without it whatsapp-rust has no name, sends no presence and marks its receipts inactive
//! (research/sandbox-protocol.md, section 7). It is the first patch of `critical_block`, made when
//! the first device is linked; a later change of name shows in messages only.

use buffa::{Message as _, MessageField};
use bytes::Bytes;
use wacore_appstate::encode::encode_record;
use wacore_appstate::hash::{HashState, generate_patch_mac};
use wacore_appstate::keys::expand_app_state_keys;
use waproto::whatsapp as wa;

use super::keys::SYNC_KEY_ID;
use crate::account::{Account, State};
use crate::journal::Batch;
use crate::stanza::now;

const COLLECTION: &str = "critical_block";

impl Account {
    pub(crate) fn begin_app_state(&self, state: &mut State, batch: &mut Batch) {
        if state.collections.contains_key(COLLECTION) {
            return;
        }
        let patch = Bytes::from(self.push_name_patch(&state.name));
        self.save_patch(COLLECTION, 1, &patch, batch);
        state.collections.insert(COLLECTION.to_owned(), vec![patch]);
    }

    fn push_name_patch(&self, name: &str) -> Vec<u8> {
        let keys = expand_app_state_keys(&self.keys().sync_key);
        let setting = wa::sync_action_value::PushNameSetting { name: Some(name.to_owned()) };
        let value = wa::SyncActionValue {
            push_name_setting: MessageField::some(setting),
            timestamp: i64::try_from(now() * 1000).ok(),
            ..Default::default()
        };
        let (mutation, _) = encode_record(
            wa::syncd_mutation::SyncdOperation::SET,
            b"[\"setting_pushName\"]",
            &value,
            &keys,
            &SYNC_KEY_ID,
            &rand::random(),
            1,
        );
        let mut hash = HashState { version: 1, ..Default::default() };
        let (_, updated) = hash.update_hash(std::slice::from_ref(&mutation), |_, _| Ok(None));
        updated.expect("a first mutation replaces nothing");
        let mut patch = wa::SyncdPatch {
            version: MessageField::some(wa::SyncdVersion { version: Some(1) }),
            mutations: vec![mutation],
            snapshot_mac: Some(hash.generate_snapshot_mac(COLLECTION, &keys.snapshot_mac)),
            key_id: MessageField::some(wa::KeyId { id: Some(SYNC_KEY_ID.to_vec()) }),
            ..Default::default()
        };
        patch.patch_mac = Some(generate_patch_mac(&patch, COLLECTION, &keys.patch_mac, 1));
        patch.encode_to_vec()
    }
}
