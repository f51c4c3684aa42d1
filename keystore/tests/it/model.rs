//! Random sequences of all 82 methods, answered by whatsapp-rust's `InMemoryBackend` and by us.
//!
//! Every answer must be the same, except where the reference is laxer or stricter than the traits:
//! - `get_pn_mapping`: the reference forgets a number's latest LID as soon as *another* LID of that
//!   number moves away; the trait asks for "the most recent LID for that phone", which is ours.
//! - `create`: the reference counts up, we hold one device per keystore; only the device matters.
//! - sets and maps have no order; their answers are sorted before they are compared.
//! - the reference keeps at most 4096 sent messages; we keep them until the client's sweep.
//!
//! `WAPID_TEST_CASES` raises the number of sequences.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wacore::appstate::hash::HashState;
use wacore::store::Device;
use wacore::store::error::StoreError;
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::*;
use wacore_appstate::processor::AppStateMutationMAC;

use crate::engine::{Database, Engine};

const CASES: u32 = 256;
const LONGEST: usize = 120;

/// Names of a small world, so that sequences meet themselves.
const ADDRESSES: [&str; 5] = ["551@s.us", "551:2@s.us", "55:1@lid", "55@lid", "5510@s.us"];
const USERS: [&str; 5] = ["551", "55", "5510", "5", "9"];
const CHATS: [&str; 3] = ["551@s.whatsapp.net", "120@g.us", "a:b@lid"];
const IDS: [&str; 3] = ["3EB0", "3EB0:1", "3EB0\0"];
const PHONES: [&str; 2] = ["551", "552"];
const LIDS: [&str; 3] = ["100", "101", "102"];
const NAMES: [&str; 2] = ["regular", "critical_block"];

type Bytes = Vec<u8>;
/// chat, sender, id.
type Key = (usize, usize, usize);

#[derive(Debug, Clone)]
enum Op {
    PutIdentity(usize, u8),
    PutIdentitiesBatch(Vec<(usize, u8)>),
    LoadIdentity(usize),
    DeleteIdentity(usize),
    GetSession(usize),
    PutSession(usize, Bytes),
    PutSessionsBatch(Vec<(usize, Bytes)>),
    DeleteSession(usize),
    HasSession(usize),
    HasSignalStateForUser(usize),
    StorePrekey(u32, Bytes, bool),
    StorePrekeysBatch(Vec<(u32, Bytes)>, bool),
    LoadPrekey(u32),
    LoadPrekeysBatch(Vec<u32>),
    MarkPrekeysUploaded(Vec<u32>),
    RemovePrekey(u32),
    GetMaxPrekeyId,
    StoreSignedPrekey(u32, Bytes),
    LoadSignedPrekey(u32),
    LoadAllSignedPrekeys,
    RemoveSignedPrekey(u32),
    PutSenderKey(usize, Bytes),
    PutSenderKeysBatch(Vec<(usize, Bytes)>),
    GetSenderKey(usize),
    DeleteSenderKey(usize),

    GetSyncKey(u8),
    SetSyncKey(u8, Bytes),
    GetVersion(usize),
    SetVersion(usize, u64),
    PutMutationMacs(usize, u64, Vec<(u8, Bytes)>),
    GetMutationMac(usize, u8),
    GetMutationMacs(usize, Vec<u8>),
    DeleteMutationMacs(usize, Vec<u8>),
    ClearMutationMacs(usize),
    GetLatestSyncKeyId,

    GetSenderKeyDevices(usize),
    SetSenderKeyStatus(usize, Vec<(usize, bool)>),
    ClearSenderKeyDevices(usize),
    DeleteSenderKeyDeviceRows(Vec<usize>),
    ClearAllSenderKeyDevices,
    GetLidMapping(usize),
    GetPnMapping(usize),
    PutLidMapping(usize, usize),
    PutLidMappings(Vec<(usize, usize)>),
    GetAllLidMappings,
    SaveBaseKey(usize, usize, Bytes),
    HasSameBaseKey(usize, usize, Bytes),
    DeleteBaseKey(usize, usize),
    UpdateDeviceList(usize, u32),
    UpdateDeviceLists(Vec<(usize, u32)>),
    GetDevices(usize),
    DeleteDevices(usize),
    GetGroupMetadata(usize),
    PutGroupMetadata(usize, Bytes),
    DeleteGroupMetadata(usize),
    GetTcToken(usize),
    PutTcToken(usize, Bytes, i64, Option<i64>),
    DeleteTcToken(usize),
    GetAllTcTokenJids,
    DeleteExpiredTcTokens(i64, i64),
    TouchTcTokenSenderTimestamp(usize, i64),
    StoreReceivedTcToken(usize, Bytes, i64),
    StoreSentMessage(usize, usize, Bytes),
    TakeSentMessage(usize, usize),
    DeleteExpiredSentMessages(bool),
    StorePendingInbound(Key, Bytes),
    GetPendingInbound(Key),
    DeletePendingInbound(Key),
    DeleteExpiredPendingInbound(bool),
    StorePendingInboundBatch(Vec<(Key, Bytes)>),
    DeletePendingInboundBatch(Vec<Key>),

    PutMsgSecret(Key, u8),
    PutMsgSecrets(Vec<(Key, u8, i64, i64)>),
    GetMsgSecret(Key),
    GetMsgSecretWithTs(Key),
    DeleteExpiredMsgSecrets(i64),

    Save(u32),
    Load,
    Exists,
    Create,
    SnapshotDb,
    ResourceReport,
}

fn few<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(item, 0..5)
}

fn op() -> impl Strategy<Value = Op> {
    use Op::*;
    let bytes = || prop::collection::vec(any::<u8>(), 0..4);
    let (address, user, chat, id) = (0..ADDRESSES.len(), 0..USERS.len(), 0..CHATS.len(), 0..IDS.len());
    let (lid, phone, name) = (0..LIDS.len(), 0..PHONES.len(), 0..NAMES.len());
    let key = || (0..2_usize, 0..2_usize, 0..IDS.len());
    let (prekey, time) = (1..6_u32, 0..6_i64);
    let signal = prop_oneof![
        (address.clone(), any::<u8>()).prop_map(|(a, k)| PutIdentity(a, k)),
        few((address.clone(), any::<u8>())).prop_map(PutIdentitiesBatch),
        address.clone().prop_map(LoadIdentity),
        address.clone().prop_map(DeleteIdentity),
        address.clone().prop_map(GetSession),
        (address.clone(), bytes()).prop_map(|(a, r)| PutSession(a, r)),
        few((address.clone(), bytes())).prop_map(PutSessionsBatch),
        address.clone().prop_map(DeleteSession),
        address.clone().prop_map(HasSession),
        user.clone().prop_map(HasSignalStateForUser),
        (prekey.clone(), bytes(), any::<bool>()).prop_map(|(i, r, u)| StorePrekey(i, r, u)),
        (few((prekey.clone(), bytes())), any::<bool>()).prop_map(|(k, u)| StorePrekeysBatch(k, u)),
        prekey.clone().prop_map(LoadPrekey),
        few(prekey.clone()).prop_map(LoadPrekeysBatch),
        few(prekey.clone()).prop_map(MarkPrekeysUploaded),
        prekey.clone().prop_map(RemovePrekey),
        Just(GetMaxPrekeyId),
        (prekey.clone(), bytes()).prop_map(|(i, r)| StoreSignedPrekey(i, r)),
        prekey.clone().prop_map(LoadSignedPrekey),
        Just(LoadAllSignedPrekeys),
        prekey.prop_map(RemoveSignedPrekey),
        (address.clone(), bytes()).prop_map(|(a, r)| PutSenderKey(a, r)),
        few((address.clone(), bytes())).prop_map(PutSenderKeysBatch),
        address.clone().prop_map(GetSenderKey),
        address.clone().prop_map(DeleteSenderKey),
    ];
    let app_sync = prop_oneof![
        (0..3_u8).prop_map(GetSyncKey),
        (0..3_u8, bytes()).prop_map(|(i, k)| SetSyncKey(i, k)),
        name.clone().prop_map(GetVersion),
        (name.clone(), any::<u64>()).prop_map(|(n, v)| SetVersion(n, v)),
        (name.clone(), any::<u64>(), few((0..6_u8, bytes()))).prop_map(|(n, v, m)| PutMutationMacs(n, v, m)),
        (name.clone(), 0..6_u8).prop_map(|(n, i)| GetMutationMac(n, i)),
        (name.clone(), few(0..6_u8)).prop_map(|(n, i)| GetMutationMacs(n, i)),
        (name.clone(), few(0..6_u8)).prop_map(|(n, i)| DeleteMutationMacs(n, i)),
        name.prop_map(ClearMutationMacs),
        Just(GetLatestSyncKeyId),
    ];
    let facts = prop_oneof![
        chat.clone().prop_map(GetSenderKeyDevices),
        (chat.clone(), few((address.clone(), any::<bool>()))).prop_map(|(g, d)| SetSenderKeyStatus(g, d)),
        chat.clone().prop_map(ClearSenderKeyDevices),
        few(address.clone()).prop_map(DeleteSenderKeyDeviceRows),
        Just(ClearAllSenderKeyDevices),
        lid.clone().prop_map(GetLidMapping),
        phone.clone().prop_map(GetPnMapping),
        (lid.clone(), phone.clone()).prop_map(|(l, p)| PutLidMapping(l, p)),
        few((lid, phone)).prop_map(PutLidMappings),
        Just(GetAllLidMappings),
        (address.clone(), id.clone(), bytes()).prop_map(|(a, i, k)| SaveBaseKey(a, i, k)),
        (address.clone(), id.clone(), bytes()).prop_map(|(a, i, k)| HasSameBaseKey(a, i, k)),
        (address, id.clone()).prop_map(|(a, i)| DeleteBaseKey(a, i)),
        (user.clone(), any::<u32>()).prop_map(|(u, d)| UpdateDeviceList(u, d)),
        few((user.clone(), any::<u32>())).prop_map(UpdateDeviceLists),
        user.clone().prop_map(GetDevices),
        user.prop_map(DeleteDevices),
        chat.clone().prop_map(GetGroupMetadata),
        (chat.clone(), bytes()).prop_map(|(g, b)| PutGroupMetadata(g, b)),
        chat.clone().prop_map(DeleteGroupMetadata),
    ];
    let tokens = prop_oneof![
        chat.clone().prop_map(GetTcToken),
        (chat.clone(), bytes(), time.clone(), prop::option::of(time.clone()))
            .prop_map(|(c, t, at, sent)| PutTcToken(c, t, at, sent)),
        chat.clone().prop_map(DeleteTcToken),
        Just(GetAllTcTokenJids),
        (time.clone(), time.clone()).prop_map(|(t, s)| DeleteExpiredTcTokens(t, s)),
        (chat.clone(), time.clone()).prop_map(|(c, t)| TouchTcTokenSenderTimestamp(c, t)),
        (chat.clone(), bytes(), time.clone()).prop_map(|(c, t, at)| StoreReceivedTcToken(c, t, at)),
    ];
    let messages = prop_oneof![
        (chat.clone(), id.clone(), bytes()).prop_map(|(c, i, p)| StoreSentMessage(c, i, p)),
        (chat, id).prop_map(|(c, i)| TakeSentMessage(c, i)),
        any::<bool>().prop_map(DeleteExpiredSentMessages),
        (key(), bytes()).prop_map(|(k, m)| StorePendingInbound(k, m)),
        key().prop_map(GetPendingInbound),
        key().prop_map(DeletePendingInbound),
        any::<bool>().prop_map(DeleteExpiredPendingInbound),
        few((key(), bytes())).prop_map(StorePendingInboundBatch),
        few(key()).prop_map(DeletePendingInboundBatch),
        (key(), any::<u8>()).prop_map(|(k, s)| PutMsgSecret(k, s)),
        few((key(), any::<u8>(), time.clone(), time.clone())).prop_map(PutMsgSecrets),
        key().prop_map(GetMsgSecret),
        key().prop_map(GetMsgSecretWithTs),
        time.prop_map(DeleteExpiredMsgSecrets),
    ];
    let device = prop_oneof![
        any::<u32>().prop_map(Save),
        Just(Load),
        Just(Exists),
        Just(Create),
        Just(SnapshotDb),
        Just(ResourceReport),
    ];
    prop_oneof![25 => signal, 10 => app_sync, 20 => facts, 7 => tokens, 14 => messages, 6 => device]
}

/// The same step at both sides: the device and the clock are the test's.
struct World {
    device: Device,
    step: i64,
}

impl World {
    fn device(&self, login_counter: u32) -> Device {
        let mut device = self.device.clone();
        device.login_counter = login_counter.cast_signed();
        device
    }

    fn mapping(&self, nth: usize, (lid, phone): (usize, usize)) -> LidPnMappingEntry {
        LidPnMappingEntry {
            lid: LIDS[lid].into(),
            phone_number: PHONES[phone].into(),
            created_at: self.step,
            updated_at: self.step * 10 + i64::try_from(nth).unwrap(),
            learning_source: "usync".into(),
        }
    }

    async fn answer(&self, op: &Op, to: &dyn Backend) -> Result<String, StoreError> {
        use Op::*;
        let address = |i: &usize| ADDRESSES[*i];
        let shared = |i: &usize| Arc::<str>::from(ADDRESSES[*i]);
        let blob = |b: &Bytes| bytes::Bytes::from(b.clone());
        let at = |k: &Key| (CHATS[k.0], ADDRESSES[k.1], IDS[k.2]);
        let index = |i: &u8| [*i; 32];
        Ok(match op {
            PutIdentity(a, k) => said(to.put_identity(address(a), [*k; 32]).await?),
            PutIdentitiesBatch(all) => {
                let all: Vec<_> = all.iter().map(|(a, k)| (shared(a), [*k; 32])).collect();
                said(to.put_identities_batch(&all).await?)
            }
            LoadIdentity(a) => said(to.load_identity(address(a)).await?),
            DeleteIdentity(a) => said(to.delete_identity(address(a)).await?),
            GetSession(a) => said(to.get_session(address(a)).await?),
            PutSession(a, r) => said(to.put_session(address(a), r).await?),
            PutSessionsBatch(all) => {
                let all: Vec<_> = all.iter().map(|(a, r)| (shared(a), blob(r))).collect();
                said(to.put_sessions_batch(&all).await?)
            }
            DeleteSession(a) => said(to.delete_session(address(a)).await?),
            HasSession(a) => said(to.has_session(address(a)).await?),
            HasSignalStateForUser(u) => said(to.has_signal_state_for_user(USERS[*u]).await?),
            StorePrekey(id, r, up) => said(to.store_prekey(*id, r, *up).await?),
            StorePrekeysBatch(all, up) => {
                let all: Vec<_> = all.iter().map(|(id, r)| (*id, blob(r))).collect();
                said(to.store_prekeys_batch(&all, *up).await?)
            }
            LoadPrekey(id) => said(to.load_prekey(*id).await?),
            LoadPrekeysBatch(ids) => said(to.load_prekeys_batch(ids).await?),
            MarkPrekeysUploaded(ids) => said(to.mark_prekeys_uploaded(ids).await?),
            RemovePrekey(id) => said(to.remove_prekey(*id).await?),
            GetMaxPrekeyId => said(to.get_max_prekey_id().await?),
            StoreSignedPrekey(id, r) => said(to.store_signed_prekey(*id, r).await?),
            LoadSignedPrekey(id) => said(to.load_signed_prekey(*id).await?),
            LoadAllSignedPrekeys => sorted(to.load_all_signed_prekeys().await?),
            RemoveSignedPrekey(id) => said(to.remove_signed_prekey(*id).await?),
            PutSenderKey(a, r) => said(to.put_sender_key(address(a), r).await?),
            PutSenderKeysBatch(all) => {
                let all: Vec<_> = all.iter().map(|(a, r)| (shared(a), blob(r))).collect();
                said(to.put_sender_keys_batch(&all).await?)
            }
            GetSenderKey(a) => said(to.get_sender_key(address(a)).await?),
            DeleteSenderKey(a) => said(to.delete_sender_key(address(a)).await?),

            GetSyncKey(id) => said(to.get_sync_key(&[*id]).await?),
            SetSyncKey(id, data) => {
                let key =
                    AppStateSyncKey { key_data: data.clone(), fingerprint: vec![*id], timestamp: self.step };
                said(to.set_sync_key(&[*id], key).await?)
            }
            GetVersion(n) => said(to.get_version(NAMES[*n]).await?),
            SetVersion(n, version) => {
                let mut state = HashState { version: *version, hash: [7; 128], ..HashState::default() };
                state.index_value_map.insert("index".into(), vec![1, 2]);
                said(to.set_version(NAMES[*n], state).await?)
            }
            PutMutationMacs(n, version, macs) => {
                let macs: Vec<_> = macs
                    .iter()
                    .map(|(i, v)| AppStateMutationMAC { index_mac: index(i).into(), value_mac: v.clone() })
                    .collect();
                said(to.put_mutation_macs(NAMES[*n], *version, &macs).await?)
            }
            GetMutationMac(n, i) => said(to.get_mutation_mac(NAMES[*n], &index(i)).await?),
            GetMutationMacs(n, all) => {
                let all: Vec<_> = all.iter().map(index).collect();
                sorted(to.get_mutation_macs(NAMES[*n], &all).await?)
            }
            DeleteMutationMacs(n, all) => {
                let all: Vec<_> = all.iter().map(|i| index(i).to_vec()).collect();
                said(to.delete_mutation_macs(NAMES[*n], &all).await?)
            }
            ClearMutationMacs(n) => said(to.clear_mutation_macs(NAMES[*n]).await?),
            GetLatestSyncKeyId => said(to.get_latest_sync_key_id().await?),

            GetSenderKeyDevices(g) => sorted(to.get_sender_key_devices(CHATS[*g]).await?),
            SetSenderKeyStatus(g, all) => {
                let all: Vec<_> = all.iter().map(|(d, has)| (address(d), *has)).collect();
                said(to.set_sender_key_status(CHATS[*g], &all).await?)
            }
            ClearSenderKeyDevices(g) => said(to.clear_sender_key_devices(CHATS[*g]).await?),
            DeleteSenderKeyDeviceRows(all) => {
                let all: Vec<_> = all.iter().map(address).collect();
                said(to.delete_sender_key_device_rows(&all).await?)
            }
            ClearAllSenderKeyDevices => said(to.clear_all_sender_key_devices().await?),
            GetLidMapping(l) => said(to.get_lid_mapping(LIDS[*l]).await?),
            GetPnMapping(p) => said(to.get_pn_mapping(PHONES[*p]).await?),
            PutLidMapping(l, p) => said(to.put_lid_mapping(&self.mapping(0, (*l, *p))).await?),
            PutLidMappings(all) => {
                let all: Vec<_> =
                    all.iter().enumerate().map(|(nth, pair)| self.mapping(nth, *pair)).collect();
                said(to.put_lid_mappings(&all).await?)
            }
            GetAllLidMappings => sorted(to.get_all_lid_mappings().await?),
            SaveBaseKey(a, i, k) => said(to.save_base_key(address(a), IDS[*i], k).await?),
            HasSameBaseKey(a, i, k) => said(to.has_same_base_key(address(a), IDS[*i], k).await?),
            DeleteBaseKey(a, i) => said(to.delete_base_key(address(a), IDS[*i]).await?),
            UpdateDeviceList(u, d) => said(to.update_device_list(self.devices(*u, *d)).await?),
            UpdateDeviceLists(all) => {
                said(to.update_device_lists(all.iter().map(|(u, d)| self.devices(*u, *d)).collect()).await?)
            }
            GetDevices(u) => said(to.get_devices(USERS[*u]).await?),
            DeleteDevices(u) => said(to.delete_devices(USERS[*u]).await?),
            GetGroupMetadata(g) => said(to.get_group_metadata(CHATS[*g]).await?),
            PutGroupMetadata(g, b) => said(to.put_group_metadata(CHATS[*g], b).await?),
            DeleteGroupMetadata(g) => said(to.delete_group_metadata(CHATS[*g]).await?),
            GetTcToken(c) => said(to.get_tc_token(CHATS[*c]).await?),
            PutTcToken(c, token, at, sent) => {
                let entry =
                    TcTokenEntry { token: token.clone(), token_timestamp: *at, sender_timestamp: *sent };
                said(to.put_tc_token(CHATS[*c], &entry).await?)
            }
            DeleteTcToken(c) => said(to.delete_tc_token(CHATS[*c]).await?),
            GetAllTcTokenJids => sorted(to.get_all_tc_token_jids().await?),
            DeleteExpiredTcTokens(token, sender) => said(to.delete_expired_tc_tokens(*token, *sender).await?),
            TouchTcTokenSenderTimestamp(c, t) => {
                said(to.touch_tc_token_sender_timestamp(CHATS[*c], *t).await?)
            }
            StoreReceivedTcToken(c, t, at) => said(to.store_received_tc_token(CHATS[*c], t, *at).await?),
            StoreSentMessage(c, i, p) => said(to.store_sent_message(CHATS[*c], IDS[*i], p).await?),
            TakeSentMessage(c, i) => said(to.take_sent_message(CHATS[*c], IDS[*i]).await?),
            DeleteExpiredSentMessages(all) => said(to.delete_expired_sent_messages(cutoff(*all)).await?),
            StorePendingInbound(k, m) => {
                let (chat, sender, id) = at(k);
                said(to.store_pending_inbound(chat, sender, id, m).await?)
            }
            GetPendingInbound(k) => {
                let (chat, sender, id) = at(k);
                said(to.get_pending_inbound(chat, sender, id).await?)
            }
            DeletePendingInbound(k) => {
                let (chat, sender, id) = at(k);
                said(to.delete_pending_inbound(chat, sender, id).await?)
            }
            DeleteExpiredPendingInbound(all) => said(to.delete_expired_pending_inbound(cutoff(*all)).await?),
            StorePendingInboundBatch(all) => {
                let all: Vec<_> = all
                    .iter()
                    .map(|(k, message)| {
                        let (chat, sender, id) = at(k);
                        PendingInboundRow { chat, sender, id, message }
                    })
                    .collect();
                said(to.store_pending_inbound_batch(&all).await?)
            }
            DeletePendingInboundBatch(all) => {
                let all: Vec<_> = all
                    .iter()
                    .map(|k| {
                        let (chat, sender, id) = at(k);
                        PendingInboundKey { chat, sender, id }
                    })
                    .collect();
                said(to.delete_pending_inbound_batch(&all).await?)
            }

            PutMsgSecret(k, s) => {
                let (chat, sender, id) = at(k);
                said(to.put_msg_secret(chat, sender, id, &[*s; 32]).await?)
            }
            PutMsgSecrets(all) => {
                let all = all
                    .iter()
                    .map(|(k, s, expires_at, message_ts)| MsgSecretEntry {
                        chat: at(k).0.into(),
                        sender: at(k).1.into(),
                        msg_id: at(k).2.into(),
                        secret: [*s; 32],
                        expires_at: *expires_at,
                        message_ts: *message_ts,
                    })
                    .collect();
                said(to.put_msg_secrets(all).await?)
            }
            GetMsgSecret(k) => {
                let (chat, sender, id) = at(k);
                said(to.get_msg_secret(chat, sender, id).await?)
            }
            GetMsgSecretWithTs(k) => {
                let (chat, sender, id) = at(k);
                said(to.get_msg_secret_with_ts(chat, sender, id).await?)
            }
            DeleteExpiredMsgSecrets(now) => said(to.delete_expired_msg_secrets(*now).await?),

            Save(n) => said(to.save(&self.device(*n)).await?),
            Load => told(to.load().await?),
            Exists => said(to.exists().await?),
            Create => {
                let before = told(to.load().await?);
                to.create().await?;
                let kept = to.exists().await? && (before == told(None) || before == told(to.load().await?));
                // What was created is random: both go on with the same.
                if before == told(None) {
                    to.save(&self.device(0)).await?;
                }
                said(kept)
            }
            SnapshotDb => said(to.snapshot_db("name", None).await?),
            // What it says is the backend's own affair; that it answers is not.
            ResourceReport => {
                to.resource_report().await;
                String::new()
            }
        })
    }

    fn devices(&self, user: usize, device_id: u32) -> DeviceListRecord {
        DeviceListRecord {
            user: USERS[user].into(),
            devices: vec![DeviceInfo::new(device_id, Some(3)).with_hosting(device_id.is_multiple_of(2))],
            timestamp: self.step,
            phash: Some("2:x".into()),
            raw_id: Some(device_id),
        }
    }
}

fn said(answer: impl std::fmt::Debug) -> String {
    format!("{answer:?}")
}

fn sorted<T: std::fmt::Debug>(answer: impl IntoIterator<Item = T>) -> String {
    let mut all: Vec<_> = answer.into_iter().map(said).collect();
    all.sort();
    said(all)
}

/// Every field that survives a restart, and the properties that are made anew.
fn told(device: Option<Device>) -> String {
    said(device.map(|device| (serde_json::to_string(&device).unwrap(), device.device_props)))
}

/// Before or after everything that was stored.
fn cutoff(all: bool) -> i64 {
    if all { i64::MAX } else { 0 }
}

async fn agree(ops: &[Op], ours: &dyn Backend) -> Result<(), TestCaseError> {
    let reference = InMemoryBackend::new();
    let mut world = World { device: Device::new(), step: 0 };
    for (nth, op) in ops.iter().enumerate() {
        world.step = i64::try_from(nth).unwrap();
        let expected = world.answer(op, &reference).await.unwrap();
        let got = world.answer(op, ours).await.map_err(|e| TestCaseError::fail(format!("{op:?}: {e:?}")))?;
        if let Op::GetPnMapping(phone) = op
            && let Some(found) = ours.get_pn_mapping(PHONES[*phone]).await.unwrap()
            && expected == said(None::<LidPnMappingEntry>)
        {
            let listed = reference.get_lid_mapping(&found.lid).await.unwrap();
            prop_assert_eq!(said(listed), said(Some(&found)));
            prop_assert_eq!(&found.phone_number, PHONES[*phone]);
            continue;
        }
        prop_assert_eq!(expected, got, "step {}: {:?}", nth, op);
    }
    Ok(())
}

fn check(engine: Engine) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Some(database) = runtime.block_on(Database::fresh(engine)) else { return };
    let keystores = runtime.block_on(async { database.keystores() });
    let cases = std::env::var("WAPID_TEST_CASES").map_or(CASES, |n| n.parse().expect("a number of cases"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(op(), 1..LONGEST), |ops| {
            let keystore = keystores.of(wapid_core::id::SessionKey::new());
            runtime.block_on(agree(&ops, &keystore))
        })
        .unwrap();
}

#[test]
fn sqlite_answers_what_whatsapp_rusts_memory_would() {
    check(Engine::Sqlite);
}

#[test]
fn postgres_answers_what_whatsapp_rusts_memory_would() {
    check(Engine::Postgres);
}
