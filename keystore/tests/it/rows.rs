//! The rows themselves: sealed, one session's alone, gone when forgotten.

use std::sync::Arc;

use bytes::Bytes;
use wacore::appstate::hash::HashState;
use wacore::store::Device;
use wacore::store::traits::*;
use wacore_appstate::processor::AppStateMutationMAC;
use wapid_core::id::SessionKey;
use wapid_core::store::Db;
use wapid_keystore::{Keystore, Keystores};

use crate::engine::{Database, on_both_engines, seal};

const TABLES: [&str; 9] = [
    "keystore_records",
    "keystore_prekeys",
    "keystore_sender_key_devices",
    "keystore_lid_mappings",
    "keystore_tc_tokens",
    "keystore_mutation_macs",
    "keystore_sent_messages",
    "keystore_pending_inbound",
    "keystore_message_secrets",
];

/// What an intruder greps for.
const SECRET: &[u8; 32] = b"PLANTED-SECRET-PLANTED-SECRET-32";

on_both_engines!(
    no_secret_lies_open_in_the_database,
    a_row_copied_elsewhere_does_not_open,
    sessions_do_not_see_each_other,
    a_forgotten_session_leaves_nothing,
    what_a_closed_link_still_writes_is_refused,
    what_a_process_writes_that_was_superseded_is_refused,
    a_link_that_writes_to_its_end_brings_nothing_back,
    a_linked_device_comes_back_as_it_was,
    many_prekeys_are_one_commit,
    a_refused_write_fails_alone,
);

/// One of everything that can hold a secret.
async fn fill(keystore: &Keystore) {
    let address: Arc<str> = "551@s.whatsapp.net".into();
    let mut device = Device::new();
    device.adv_secret_key = *SECRET;
    device.push_name = String::from_utf8(SECRET.to_vec()).unwrap();
    device.nct_salt = Some(SECRET.to_vec());
    keystore.save(&device).await.unwrap();
    keystore.put_identities_batch(&[(address.clone(), *SECRET)]).await.unwrap();
    keystore.put_sessions_batch(&[(address.clone(), Bytes::from_static(SECRET))]).await.unwrap();
    keystore.put_sender_keys_batch(&[(address.clone(), Bytes::from_static(SECRET))]).await.unwrap();
    keystore.store_prekeys_batch(&[(1, Bytes::from_static(SECRET))], false).await.unwrap();
    keystore.store_signed_prekey(1, SECRET).await.unwrap();
    let key = AppStateSyncKey { key_data: SECRET.to_vec(), fingerprint: vec![], timestamp: 1 };
    keystore.set_sync_key(b"id", key).await.unwrap();
    keystore.set_version("regular", HashState::default()).await.unwrap();
    let mac = AppStateMutationMAC { index_mac: vec![1; 32], value_mac: vec![2; 32] };
    keystore.put_mutation_macs("regular", 1, &[mac]).await.unwrap();
    keystore.set_sender_key_status("120@g.us", &[(&*address, true)]).await.unwrap();
    let mapping = LidPnMappingEntry {
        lid: "100".into(),
        phone_number: "551".into(),
        created_at: 1,
        updated_at: 1,
        learning_source: "usync".into(),
    };
    keystore.put_lid_mapping(&mapping).await.unwrap();
    keystore.save_base_key(&address, "3EB0", SECRET).await.unwrap();
    keystore.put_group_metadata("120@g.us", SECRET).await.unwrap();
    keystore.store_received_tc_token("100@lid", SECRET, 1).await.unwrap();
    keystore.store_sent_message("551@s.whatsapp.net", "3EB0", SECRET).await.unwrap();
    keystore.store_pending_inbound("551@s.whatsapp.net", &address, "3EB0", SECRET).await.unwrap();
    keystore.put_msg_secret("551@s.whatsapp.net", &address, "3EB0", SECRET).await.unwrap();
}

async fn rows(db: &Db, table: &str, keystore: &Keystore) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE session_key = $1");
    let query = sqlx::AssertSqlSafe(sql);
    wapid_core::read!(db, |pool| {
        sqlx::query_scalar(query).bind(keystore.session().as_str()).fetch_one(pool).await.unwrap()
    })
}

async fn execute(db: &Db, sql: &str) -> sqlx::Result<u64> {
    let query = sqlx::AssertSqlSafe(sql.to_owned());
    Ok(wapid_core::write!(db, |tx| sqlx::query(query).execute(&mut *tx).await?.rows_affected()))
}

/// Everything the database holds, as bytes: SQLite's files, or each Postgres row as it is stored.
async fn everything(database: &Database) -> Vec<u8> {
    let mut all = Vec::new();
    match &database.db {
        Db::Sqlite { .. } => {
            for file in database.files() {
                all.extend(std::fs::read(file).unwrap());
            }
        }
        Db::Postgres(pool) => {
            for table in TABLES {
                let sql = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
                let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
                all.extend(rows.concat().into_bytes());
            }
        }
    }
    all
}

async fn no_secret_lies_open_in_the_database(database: &Database) {
    fill(&database.keystore()).await;
    let all = everything(database).await;
    // The names are there, so this is the right place to look.
    assert!(contains(&all, b"551@s.whatsapp.net"));
    // As it is, as serde writes bytes (80,76,65,…), and both as Postgres prints bytes.
    let plain = SECRET[..12].to_vec();
    let json = SECRET[..8].iter().map(u8::to_string).collect::<Vec<_>>().join(",").into_bytes();
    let forms = [hex::encode(&plain).into_bytes(), hex::encode(&json).into_bytes(), plain, json];
    for form in forms {
        assert!(!contains(&all, &form), "{:?} lies open", String::from_utf8_lossy(&form));
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

async fn a_row_copied_elsewhere_does_not_open(database: &Database) {
    let (owner, thief) = (database.keystore(), database.keystore());
    fill(&owner).await;
    for (table, columns) in [
        ("keystore_records", "kind, name, value"),
        ("keystore_prekeys", "id, uploaded, record"),
        ("keystore_tc_tokens", "jid, token, token_timestamp, sender_timestamp"),
        ("keystore_sent_messages", "chat, message_id, payload, stored_at"),
        ("keystore_pending_inbound", "chat, sender, message_id, message, stored_at"),
        ("keystore_message_secrets", "chat, sender, message_id, secret, expires_at, message_ts"),
    ] {
        let (from, to) = (owner.session(), thief.session());
        let sql = format!(
            "INSERT INTO {table} (session_key, {columns}) SELECT '{to}', {columns} FROM {table} WHERE session_key = '{from}'"
        );
        assert!(execute(&database.db, &sql).await.unwrap() > 0);
    }
    let (chat, id) = ("551@s.whatsapp.net", "3EB0");
    assert!(thief.load().await.is_err());
    assert!(thief.load_identity(chat).await.is_err());
    assert!(thief.get_session(chat).await.is_err());
    assert!(thief.get_sender_key(chat).await.is_err());
    assert!(thief.load_prekey(1).await.is_err());
    assert!(thief.load_signed_prekey(1).await.is_err());
    assert!(thief.get_sync_key(b"id").await.is_err());
    assert!(thief.get_tc_token("100@lid").await.is_err());
    assert!(thief.get_pending_inbound(chat, chat, id).await.is_err());
    assert!(thief.get_msg_secret(chat, chat, id).await.is_err());
    assert!(thief.take_sent_message(chat, id).await.is_err());
    // Nor in another row of its own session.
    let sql = format!(
        "UPDATE keystore_records SET name = 'other' WHERE session_key = '{}' AND kind = 'session'",
        owner.session()
    );
    assert_eq!(execute(&database.db, &sql).await.unwrap(), 1);
    assert!(owner.get_session("other").await.is_err());
    // And not under another master key.
    let foreign = Keystores::new(database.db.clone(), wapid_core::seal::Seal::new(&[8; 32]));
    assert!(foreign.of(owner.session().clone()).load().await.is_err());
    assert!(owner.load().await.unwrap().is_some());
}

async fn sessions_do_not_see_each_other(database: &Database) {
    let keystores = database.keystores();
    let (full, empty) = (keystores.of(SessionKey::new()), keystores.of(SessionKey::new()));
    fill(&full).await;
    let (chat, id) = ("551@s.whatsapp.net", "3EB0");
    assert!(!empty.exists().await.unwrap());
    assert!(empty.load().await.unwrap().is_none());
    assert!(empty.load_identity(chat).await.unwrap().is_none());
    assert!(empty.get_session(chat).await.unwrap().is_none());
    assert!(!empty.has_session(chat).await.unwrap());
    assert!(!empty.has_signal_state_for_user("551").await.unwrap());
    assert!(empty.load_prekey(1).await.unwrap().is_none());
    assert!(empty.load_prekeys_batch(&[1]).await.unwrap().is_empty());
    assert_eq!(empty.get_max_prekey_id().await.unwrap(), 0);
    assert!(empty.load_all_signed_prekeys().await.unwrap().is_empty());
    assert!(empty.get_sender_key(chat).await.unwrap().is_none());
    assert!(empty.get_sync_key(b"id").await.unwrap().is_none());
    assert!(empty.get_latest_sync_key_id().await.unwrap().is_none());
    assert!(empty.get_mutation_macs("regular", &[[1; 32]]).await.unwrap().is_empty());
    assert!(empty.get_sender_key_devices("120@g.us").await.unwrap().is_empty());
    assert!(empty.get_all_lid_mappings().await.unwrap().is_empty());
    assert!(empty.get_pn_mapping("551").await.unwrap().is_none());
    assert!(!empty.has_same_base_key(chat, id, SECRET).await.unwrap());
    assert!(empty.get_group_metadata("120@g.us").await.unwrap().is_none());
    assert!(empty.get_all_tc_token_jids().await.unwrap().is_empty());
    assert!(empty.take_sent_message(chat, id).await.unwrap().is_none());
    assert!(empty.get_pending_inbound(chat, chat, id).await.unwrap().is_none());
    assert!(empty.get_msg_secret(chat, chat, id).await.unwrap().is_none());
    // What it removes is its own.
    empty.clear_all_sender_key_devices().await.unwrap();
    empty.clear_mutation_macs("regular").await.unwrap();
    assert_eq!(empty.delete_expired_sent_messages(i64::MAX).await.unwrap(), 0);
    assert_eq!(empty.delete_expired_pending_inbound(i64::MAX).await.unwrap(), 0);
    assert_eq!(empty.delete_expired_tc_tokens(i64::MAX, i64::MAX).await.unwrap(), 0);
    empty.forget().await.unwrap();
    for table in TABLES {
        assert!(rows(&database.db, table, &full).await > 0, "{table} lost another session's rows");
    }
}

async fn a_forgotten_session_leaves_nothing(database: &Database) {
    let keystore = database.keystore();
    fill(&keystore).await;
    keystore.forget().await.unwrap();
    for table in TABLES {
        assert_eq!(rows(&database.db, table, &keystore).await, 0, "{table}");
    }
    assert!(!keystore.exists().await.unwrap());
}

async fn what_a_closed_link_still_writes_is_refused(database: &Database) {
    let keystores = database.keystores();
    let (old, session) = (keystores.of(SessionKey::new()), "551@s.whatsapp.net");
    let saver = old.clone();
    old.put_session(session, b"first").await.unwrap();
    old.end();
    assert!(saver.put_session(session, b"late").await.is_err());
    assert!(saver.save(&Device::new()).await.is_err());
    assert!(saver.create().await.is_err());
    let next = keystores.of(old.session().clone());
    assert_eq!(next.get_session(session).await.unwrap().unwrap(), Bytes::from_static(b"first"));
    assert!(!next.exists().await.unwrap());
    next.put_session(session, b"second").await.unwrap();
    assert_eq!(next.get_session(session).await.unwrap().unwrap(), Bytes::from_static(b"second"));
}

async fn what_a_process_writes_that_was_superseded_is_refused(database: &Database) {
    let keystores = database.keystores();
    let session = SessionKey::new();
    let lease = async |epoch: i64| {
        wapid_core::write!(&database.db, |tx| {
            sqlx::query(
                "INSERT INTO leases (name, owner, until, epoch) VALUES ($1, 'somebody', 0, $2)
                ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch",
            )
            .bind(session.as_str())
            .bind(epoch)
            .execute(&mut *tx)
            .await?;
        });
        Ok::<_, sqlx::Error>(())
    };
    lease(1).await.unwrap();
    let first = keystores.of(session.clone()).under(1);
    first.put_session("a@s.whatsapp.net", b"first").await.unwrap();
    lease(2).await.unwrap();
    let second = keystores.of(session.clone()).under(2);
    second.put_session("a@s.whatsapp.net", b"second").await.unwrap();
    // The first one wakes, and flushes what it had in memory; its clones, and its wish to forget all, as well.
    assert!(first.put_session("a@s.whatsapp.net", b"late").await.is_err());
    assert!(first.clone().save(&Device::new()).await.is_err());
    assert!(first.forget().await.is_err());
    let kept = second.get_session("a@s.whatsapp.net").await.unwrap().unwrap();
    assert_eq!(kept, Bytes::from_static(b"second"));
    // Whoever else writes in the same commit is not held up.
    let other = keystores.of(SessionKey::new()).under(1);
    let (late, good) = tokio::join!(first.put_session("b", b"late"), other.put_session("b", b"good"));
    assert!(late.is_err() && good.is_ok());
}

/// Its writers do not know that it is over; the session is forgotten in the midst of them.
async fn a_link_that_writes_to_its_end_brings_nothing_back(database: &Database) {
    let keystores = database.keystores();
    for _ in 0..20 {
        let old = keystores.of(SessionKey::new());
        let writers: Vec<_> = (0..8)
            .map(|n| {
                let old = old.clone();
                let to = format!("{n}@s.whatsapp.net");
                tokio::spawn(async move { while old.put_session(&to, b"record").await.is_ok() {} })
            })
            .collect();
        while !old.has_session("7@s.whatsapp.net").await.unwrap() {
            tokio::task::yield_now().await;
        }
        old.end();
        keystores.of(old.session().clone()).forget().await.unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        for table in TABLES {
            assert_eq!(rows(&database.db, table, &old).await, 0, "{table}");
        }
    }
}

async fn a_linked_device_comes_back_as_it_was(database: &Database) {
    let keystore = database.keystore();
    let mut device = Device::new();
    device.pn = Some("5511900000001:7@s.whatsapp.net".parse().unwrap());
    device.lid = Some("100000012345678:7@lid".parse().unwrap());
    device.push_name = "Loja".into();
    device.account = Some(Arc::default());
    device.edge_routing_info = Some(vec![1, 2]);
    device.next_pre_key_id = 813;
    device.login_counter = 3;
    device.lid_migrated = true;
    keystore.save(&device).await.unwrap();

    let loaded = database.keystores().of(keystore.session().clone()).load().await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&device).unwrap());
    assert_eq!(loaded.pn, device.pn);
    // Not stored, and not left empty either: an unpaired device registers with them.
    assert_eq!(loaded.device_props, device.device_props);
}

async fn many_prekeys_are_one_commit(database: &Database) {
    let keystore = database.keystore();
    let ids: Vec<u32> = (1..=812).collect();
    let keys: Vec<_> = ids.iter().map(|id| (*id, Bytes::from(id.to_string()))).collect();
    keystore.store_prekeys_batch(&keys, false).await.unwrap();
    keystore.mark_prekeys_uploaded(&ids).await.unwrap();
    assert_eq!(keystore.load_prekeys_batch(&ids).await.unwrap(), keys);
    assert_eq!(keystore.get_max_prekey_id().await.unwrap(), 812);
    // A key that was consumed meanwhile stays consumed.
    keystore.remove_prekey(5).await.unwrap();
    keystore.mark_prekeys_uploaded(&ids).await.unwrap();
    assert!(keystore.load_prekey(5).await.unwrap().is_none());
}

/// Eight sessions hand in writes that one commit would take; one of them cannot be written.
async fn a_refused_write_fails_alone(database: &Database) {
    let table = match &database.db {
        Db::Sqlite { .. } => {
            "CREATE TRIGGER refuse BEFORE INSERT ON keystore_records WHEN NEW.name = 'refused'
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Db::Postgres(_) => "ALTER TABLE keystore_records ADD CONSTRAINT refuse CHECK (name <> 'refused')",
    };
    execute(&database.db, table).await.unwrap();
    let keystores = Keystores::new(database.db.clone(), seal());
    let writes = (0..32).map(|n| {
        let keystore = keystores.of(SessionKey::new());
        let name = if n % 8 == 3 { "refused" } else { "good" };
        tokio::spawn(async move { (name, keystore.put_session(name, b"record").await, keystore) })
    });
    for write in writes.collect::<Vec<_>>() {
        let (name, outcome, keystore) = write.await.unwrap();
        assert_eq!(outcome.is_ok(), name == "good", "{outcome:?}");
        assert_eq!(keystore.has_session(name).await.unwrap(), name == "good");
    }
}
