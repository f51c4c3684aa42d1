//! What a phone publishes by app state, and what it reads there.
//!
//! Names, archived and pinned chats are patches of encrypted collections that the owner's devices keep in
//! step. A phone writes its own at the end of what is there, so it replays the collection first, as a
//! client does (wacore-appstate 0.7.0, src/hash.rs). Without a push name, the first patch of
//! `critical_block`, whatsapp-rust sends no presence and marks its receipts inactive
//! (research/sandbox-protocol.md, section 7).

use std::collections::HashMap;

use buffa::{Message as _, MessageField};
use bytes::Bytes;
use wacore_appstate::decode::decode_record;
use wacore_appstate::encode::encode_record;
use wacore_appstate::hash::{HashState, generate_patch_mac};
use wacore_appstate::keys::expand_app_state_keys;
use wacore_appstate::schemas::{self, Schema};
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::sync_action_value as action;
use waproto::whatsapp::syncd_mutation::SyncdOperation;

use super::keys::SYNC_KEY_ID;
use crate::account::{Account, State};
use crate::error::SandboxError;
use crate::journal::Batch;
use crate::limits;
use crate::net::Net;
use crate::stanza::{now, now_ms, tag};

/// Something that a phone publishes.
pub(crate) enum Setting {
    PushName(String),
    /// The name under which the owner saved somebody.
    Contact {
        jid: Jid,
        name: String,
    },
    Archived {
        chat: Jid,
        is_archived: bool,
    },
    Pinned {
        chat: Jid,
        is_pinned: bool,
    },
    /// Until a time in milliseconds since 1970; 0 unmutes, -1 is for good.
    Muted {
        chat: Jid,
        until_ms: i64,
    },
    Read {
        chat: Jid,
    },
}

/// What the owner's devices agree on about one chat.
#[derive(Debug, Default)]
pub(crate) struct OfChat {
    pub saved_name: Option<String>,
    pub is_archived: bool,
    pub is_pinned: bool,
    pub muted_until_ms: i64,
}

impl Setting {
    fn schema(&self) -> &'static Schema {
        match self {
            Self::PushName(_) => &schemas::SETTING_PUSH_NAME,
            Self::Contact { .. } => &schemas::CONTACT,
            Self::Archived { .. } => &schemas::ARCHIVE,
            Self::Pinned { .. } => &schemas::PIN,
            Self::Muted { .. } => &schemas::MUTE,
            Self::Read { .. } => &schemas::MARK_CHAT_AS_READ,
        }
    }

    fn index(&self) -> Vec<String> {
        let name = self.schema().name.to_owned();
        match self {
            Self::PushName(_) => vec![name],
            Self::Contact { jid: chat, .. }
            | Self::Archived { chat, .. }
            | Self::Pinned { chat, .. }
            | Self::Muted { chat, .. }
            | Self::Read { chat } => vec![name, chat.to_string()],
        }
    }

    fn value(&self) -> wa::SyncActionValue {
        let mut value = wa::SyncActionValue { timestamp: i64::try_from(now_ms()).ok(), ..Default::default() };
        match self {
            Self::PushName(name) => {
                let setting = action::PushNameSetting { name: Some(name.clone()) };
                value.push_name_setting = MessageField::some(setting);
            }
            Self::Contact { name, .. } => {
                let first = name.split_whitespace().next().map(str::to_owned);
                value.contact_action = MessageField::some(action::ContactAction {
                    full_name: Some(name.clone()),
                    first_name: first,
                    save_on_primary_addressbook: Some(true),
                    ..Default::default()
                });
            }
            Self::Archived { is_archived, .. } => {
                value.archive_chat_action = MessageField::some(action::ArchiveChatAction {
                    archived: Some(*is_archived),
                    ..Default::default()
                });
            }
            Self::Pinned { is_pinned, .. } => {
                value.pin_action = MessageField::some(action::PinAction { pinned: Some(*is_pinned) });
            }
            Self::Muted { until_ms, .. } => {
                value.mute_action = MessageField::some(action::MuteAction {
                    muted: Some(*until_ms != 0),
                    mute_end_timestamp: Some(*until_ms),
                    ..Default::default()
                });
            }
            Self::Read { .. } => {
                value.mark_chat_as_read_action = MessageField::some(action::MarkChatAsReadAction {
                    read: Some(true),
                    ..Default::default()
                });
            }
        }
        value
    }
}

/// Publishes a setting to every device of the account.
pub(crate) fn publish(net: &Net, account: &Account, setting: &Setting) -> Result<(), SandboxError> {
    let (collection, version) = {
        let mut state = account.state.lock();
        let mut batch = net.journal.batch();
        let appended = account.append_setting(&mut state, setting, &mut batch)?;
        net.journal.append(batch);
        appended
    };
    let changed = tag("collection").attr("name", collection).attr("version", version).build();
    let notification = tag("notification")
        .attr("from", Jid::pn(account.phone.as_str()))
        .attr("type", "server_sync")
        .attr("id", net.stanza_id())
        .attr("t", now())
        .children([changed])
        .build();
    net.push_to_all(account, None, &notification, net.journal.batch());
    Ok(())
}

impl Account {
    pub(crate) fn begin_app_state(&self, state: &mut State, batch: &mut Batch) {
        let setting = Setting::PushName(state.name.clone());
        if !state.collections.contains_key(setting.schema().collection.as_str()) {
            self.append_setting(state, &setting, batch).expect("a first patch follows nothing");
        }
    }

    /// What the collections say of a chat, whoever wrote it. `names` are its addresses.
    pub(crate) fn settings_of(&self, state: &State, names: &[Jid]) -> OfChat {
        let mut of = OfChat::default();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let collections =
            [&schemas::CONTACT, &schemas::ARCHIVE, &schemas::MUTE].map(|schema| schema.collection.as_str());
        for (index, value) in collections.into_iter().flat_map(|name| self.actions(state, name)) {
            if !index.get(1).is_some_and(|jid| names.contains(jid)) {
                continue;
            }
            if let Some(contact) = value.contact_action.as_option() {
                of.saved_name.clone_from(&contact.full_name);
            }
            if let Some(archive) = value.archive_chat_action.as_option() {
                of.is_archived = archive.archived.unwrap_or_default();
            }
            if let Some(pin) = value.pin_action.as_option() {
                of.is_pinned = pin.pinned.unwrap_or_default();
            }
            if let Some(mute) = value.mute_action.as_option() {
                of.muted_until_ms = mute.mute_end_timestamp.unwrap_or_default();
            }
        }
        of
    }

    /// Every action of a collection that is set, oldest first. What does not decrypt is left out.
    fn actions(&self, state: &State, collection: &str) -> Vec<(Vec<String>, wa::SyncActionValue)> {
        let keys = expand_app_state_keys(&self.keys().sync_key);
        let patches = state.collections.get(collection).map_or(&[][..], Vec::as_slice);
        let mutations = patches
            .iter()
            .filter_map(|patch| wa::SyncdPatch::decode_from_slice(patch).ok())
            .flat_map(|patch| patch.mutations);
        mutations
            .filter(|mutation| operation_of(mutation) == SyncdOperation::SET)
            .filter_map(|mutation| {
                let record = mutation.record.as_option()?;
                let (decoded, _) =
                    decode_record(SyncdOperation::SET, record, &keys, &SYNC_KEY_ID, true).ok()?;
                Some((decoded.index, decoded.action_value?))
            })
            .collect()
    }

    /// Writes a setting at the end of its collection; answers which that is, and its version.
    fn append_setting(
        &self,
        state: &mut State,
        setting: &Setting,
        batch: &mut Batch,
    ) -> Result<(&'static str, u64), SandboxError> {
        let schema = setting.schema();
        let collection = schema.collection.as_str();
        let patches = state.collections.entry(collection.to_owned()).or_default();
        if patches.len() >= limits::PATCHES_PER_COLLECTION {
            return Err(SandboxError::LimitReached("the settings of this phone".into()));
        }
        let keys = expand_app_state_keys(&self.keys().sync_key);
        let (mut hash, mut values) = replay(patches);
        let index = serde_json::to_vec(&setting.index()).expect("a list of strings is JSON");
        let schema_version = i32::try_from(schema.version).expect("schemas have small versions");
        let (mutation, _) = encode_record(
            SyncdOperation::SET,
            &index,
            &setting.value(),
            &keys,
            &SYNC_KEY_ID,
            &rand::random(),
            schema_version,
        );
        hash.version = patches.len() as u64 + 1;
        step(&mut hash, &mut values, std::slice::from_ref(&mutation));
        let mut patch = wa::SyncdPatch {
            version: MessageField::some(wa::SyncdVersion { version: Some(hash.version) }),
            mutations: vec![mutation],
            snapshot_mac: Some(hash.generate_snapshot_mac(collection, &keys.snapshot_mac)),
            key_id: MessageField::some(wa::KeyId { id: Some(SYNC_KEY_ID.to_vec()) }),
            ..Default::default()
        };
        patch.patch_mac = Some(generate_patch_mac(&patch, collection, &keys.patch_mac, hash.version));
        let patch = Bytes::from(patch.encode_to_vec());
        patches.push(patch.clone());
        self.save_patch(collection, hash.version, &patch, batch);
        Ok((collection, hash.version))
    }
}

/// The value MAC of each index MAC that is set.
type Values = HashMap<Vec<u8>, Vec<u8>>;

/// The hash of a collection after its patches.
fn replay(patches: &[Bytes]) -> (HashState, Values) {
    let (mut hash, mut values) = (HashState::default(), Values::new());
    for patch in patches.iter().filter_map(|patch| wa::SyncdPatch::decode_from_slice(patch).ok()) {
        step(&mut hash, &mut values, &patch.mutations);
    }
    (hash, values)
}

fn step(hash: &mut HashState, values: &mut Values, mutations: &[wa::SyncdMutation]) {
    // What is removed and was not there is the client's mistake, and changes no hash.
    let _ = hash.update_hash(mutations, |index, _| Ok(values.get(index).cloned()));
    for mutation in mutations {
        let Some(record) = mutation.record.as_option() else { continue };
        let Some(index) = record.index.as_option().and_then(|index| index.blob.clone()) else { continue };
        let value = record.value.as_option().and_then(|value| value.blob.as_deref());
        match value.and_then(|blob| blob.last_chunk::<32>()) {
            Some(mac) if operation_of(mutation) == SyncdOperation::SET => {
                values.insert(index, mac.to_vec());
            }
            _ => drop(values.remove(&index)),
        }
    }
}

fn operation_of(mutation: &wa::SyncdMutation) -> SyncdOperation {
    mutation.operation.and_then(|operation| operation.as_known()).unwrap_or(SyncdOperation::SET)
}
