//! Files: their rows, their room, what WhatsApp has of them, what waits to be fetched, what expires.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::content::{Body, Medium, Words};
use wapid_core::id::MediaId;
use wapid_core::key::Mode;
use wapid_core::media::{Kind, Origin, State};
use wapid_core::store::ledger::Inbound;
use wapid_core::store::media::{
    Blob, BlobKey, MediaRow, NewMedia, NewReceived, Next, NotAdded, OfMessage, Whole,
};
use wapid_core::store::{Db, TenantStore};

use crate::fixture::{START, Shop, TestDb, both, inbound};

both!(
    a_file_is_read_as_it_was_written,
    files_are_listed_newest_first,
    a_tenant_has_so_much_room_and_no_more,
    many_at_once_share_the_room_exactly,
    nobody_else_sees_or_changes_a_file,
    an_upload_is_remembered_until_its_file_goes,
    a_received_file_waits_and_is_kept,
    a_file_that_cannot_be_fetched_waits_longer_and_is_given_up,
    a_received_file_is_written_once,
    what_is_due_is_found_in_its_order,
    files_expire_in_steps_with_all_that_is_theirs,
    a_file_in_use_lives_longer,
    a_tenant_says_how_long_files_are_kept,
    a_blob_without_a_row_is_known,
    a_home_is_the_same_for_ever,
    secrets_of_a_file_lie_sealed,
);

const DAY: u64 = 86_400;
const ROOM: i64 = 10_000;

fn whole(name: &str, size: i64) -> Whole {
    Whole {
        kind: Kind::Image,
        mime: "image/jpeg".into(),
        size,
        sha256: [3; 32],
        width: Some(640),
        height: Some(480),
        seconds: None,
        is_animated: false,
        waveform: None,
        thumbnail: Some(vec![0xff, 0xd8]),
        blob: Blob { name: name.into(), key: BlobKey([9; 32]) },
    }
}

fn new(name: &str, size: i64) -> NewMedia {
    let file_name = Some("photo.jpg".to_owned());
    NewMedia { id: MediaId::new(), origin: Origin::Upload, file_name, whole: whole(name, size) }
}

async fn add(tenant: &TenantStore, name: &str, size: i64) -> MediaRow {
    tenant.add_media(&new(name, size), ROOM).await.unwrap()
}

/// The message that brings a file.
fn message(shop: &Shop, wa_id: &str, file: NewReceived) -> Inbound {
    let medium = Medium {
        words: Words::default(),
        media: file.id.clone(),
        file_name: None,
        view_once: false,
        gif: false,
    };
    Inbound { content: Body::Voice(medium).into(), file: Some(file), ..inbound(&shop.owner, wa_id) }
}

fn received(shop: &Shop, next_at: Option<At>) -> NewReceived {
    let id = MediaId::new();
    NewReceived {
        wire: shop.store.seal_media_wire(&id, r#"{"path":"/v/t62"}"#),
        id,
        kind: Kind::Voice,
        mime: "audio/ogg; codecs=opus".into(),
        file_name: None,
        size: Some(700),
        width: None,
        height: None,
        seconds: Some(4),
        is_animated: false,
        waveform: Some(vec![7; 64]),
        thumbnail: None,
        next_at,
    }
}

/// A message with a file, named as the file.
async fn receive(shop: &Shop, next_at: Option<At>) -> MediaId {
    let new = received(shop, next_at);
    let id = new.id.clone();
    let done = shop.store.receive(vec![message(shop, id.as_str(), new)]).await.unwrap();
    assert_eq!(done.new, [true]);
    id
}

async fn a_file_is_read_as_it_was_written(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let written = add(&shop.live(), "blob", 1_000).await;
    let read = shop.live().media(&written.id).await.unwrap().unwrap();
    assert_eq!(format!("{read:?}"), format!("{written:?}"));
    assert_eq!((read.kind, read.state, read.origin), (Kind::Image, State::Stored, Origin::Upload));
    assert_eq!((read.size, read.sha256), (Some(1_000), Some(vec![3; 32])));
    assert_eq!((read.width, read.height, read.seconds), (Some(640), Some(480), None));
    assert_eq!(read.file_name.as_deref(), Some("photo.jpg"));
    let blob = read.blob.unwrap();
    assert!(blob.name == "blob" && blob.key == BlobKey([9; 32]));
    assert!(!format!("{blob:?}").contains('9'), "a key prints nothing");
    assert_eq!((read.created_at, read.expires_at), (START, START.plus_ms(30 * 86_400_000)));
    assert_eq!(shop.store.media_owner(&read.id).await.unwrap(), Some((shop.tenant.id.clone(), Mode::Live)));
    assert!(shop.live().media(&MediaId::new()).await.unwrap().is_none());
    assert_eq!(shop.live().remove_media(&read.id).await.unwrap(), Some(Some("blob".to_owned())));
    assert_eq!(shop.live().remove_media(&read.id).await.unwrap(), None);
}

async fn files_are_listed_newest_first(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    let mut ids = vec![];
    for n in 0..7 {
        ids.push(add(&live, &format!("b{n}"), 1).await.id);
    }
    ids.sort_by(|a, b| b.cmp(a));
    let (mut listed, mut before) = (vec![], None);
    loop {
        let page = live.media_page(before.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        listed.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(listed, ids);
}

async fn a_tenant_has_so_much_room_and_no_more(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    assert!(matches!(live.add_media(&new("a", ROOM + 1), ROOM).await, Err(NotAdded::Full)));
    let first = add(&live, "b", ROOM - 10).await;
    assert!(matches!(live.add_media(&new("c", 11), ROOM).await, Err(NotAdded::Full)));
    add(&live, "d", 10).await;
    assert_eq!(live.media_used().await.unwrap(), ROOM);
    assert_eq!(live.media_page(None, 9).await.unwrap().len(), 2, "a refused file has no row");
    // The other mode, and other tenants, have their own.
    let test = shop.store.tenant(shop.tenant.id.clone(), Mode::Test);
    assert_eq!(test.media_used().await.unwrap(), 0);
    add(&test, "e", ROOM).await;
    live.remove_media(&first.id).await.unwrap();
    assert_eq!(live.media_used().await.unwrap(), 10);
    // What waits takes none until it is here.
    let id = receive(&shop, None).await;
    assert_eq!(live.media_used().await.unwrap(), 10);
    assert!(matches!(live.keep_received(&id, &whole("f", ROOM), ROOM).await, Err(NotAdded::Full)));
    let row = live.media(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.error.as_deref()), (State::Failed, Some("storage_full")));
    live.keep_received(&id, &whole("f", 500), ROOM).await.unwrap();
    assert_eq!(live.media_used().await.unwrap(), 510);
}

async fn many_at_once_share_the_room_exactly(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let calls = (0..30).map(|n| {
        let live = shop.live();
        async move { live.add_media(&new(&format!("b{n}"), 1_000), ROOM).await.is_ok() }
    });
    let added = crate::fixture::together(calls).await.into_iter().filter(|added| *added).count();
    assert_eq!(added, 10);
    assert_eq!(shop.live().media_used().await.unwrap(), ROOM);
}

async fn nobody_else_sees_or_changes_a_file(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    let stored = add(&a.live(), "blob", 5).await.id;
    let waiting = receive(&a, Some(START)).await;
    a.live().remember_upload(&stored, Kind::Image, "{}").await.unwrap();
    let before = format!("{:?}", a.live().media_page(None, 9).await.unwrap());
    for stranger in [b.live(), store.tenant(a.tenant.id.clone(), Mode::Test)] {
        for id in [&stored, &waiting] {
            assert!(stranger.media(id).await.unwrap().is_none());
            assert!(stranger.waiting_media(id).await.unwrap().is_none());
            assert_eq!(stranger.remove_media(id).await.unwrap(), None);
            assert!(!stranger.extend_media(id, At(i64::MAX)).await.unwrap());
            assert!(!stranger.fetch_media(id, START).await.unwrap());
            assert!(!stranger.change_media_wire(id, "{}").await.unwrap());
            assert!(!stranger.note_media_failure(id, "x", Next::Gone).await.unwrap());
            assert!(stranger.media_upload(id, Kind::Image).await.unwrap().is_none());
            assert!(!stranger.remember_upload(id, Kind::Image, "mine").await.unwrap());
            assert!(!stranger.forget_upload(id, Kind::Image).await.unwrap());
            let kept = stranger.keep_received(id, &whole("mine", 1), ROOM).await;
            assert!(matches!(kept, Err(NotAdded::NotWanted)));
        }
        assert!(stranger.media_page(None, 9).await.unwrap().is_empty());
        assert!(stranger.media_of_message(&a.owner.session, waiting.as_str()).await.unwrap().is_empty());
        assert_eq!(stranger.media_used().await.unwrap(), 0);
    }
    assert_eq!(format!("{:?}", a.live().media_page(None, 9).await.unwrap()), before);
    assert_eq!(a.live().media_upload(&stored, Kind::Image).await.unwrap().unwrap().wire, "{}");
}

async fn an_upload_is_remembered_until_its_file_goes(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    let id = add(&live, "blob", 5).await.id;
    assert!(live.media_upload(&id, Kind::Image).await.unwrap().is_none());
    assert!(live.remember_upload(&id, Kind::Image, r#"{"path":"a"}"#).await.unwrap());
    db.advance(Duration::from_secs(60));
    assert!(live.remember_upload(&id, Kind::Document, r#"{"path":"b"}"#).await.unwrap());
    assert!(live.remember_upload(&id, Kind::Image, r#"{"path":"c"}"#).await.unwrap());
    let upload = live.media_upload(&id, Kind::Image).await.unwrap().unwrap();
    assert_eq!((upload.wire.as_str(), upload.uploaded_at), (r#"{"path":"c"}"#, START.plus_ms(60_000)));
    assert!(live.forget_upload(&id, Kind::Image).await.unwrap());
    assert!(live.media_upload(&id, Kind::Image).await.unwrap().is_none());
    assert_eq!(live.media_upload(&id, Kind::Document).await.unwrap().unwrap().wire, r#"{"path":"b"}"#);
    live.remove_media(&id).await.unwrap();
    assert!(!live.remember_upload(&id, Kind::Image, "{}").await.unwrap(), "of a file that is gone");
    assert_eq!(count(&shop, "media_uploads").await, 0);
}

async fn count(shop: &Shop, table: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match shop.store.db() {
        Db::Sqlite { read, .. } => sqlx::query_scalar(count).fetch_one(read).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(count).fetch_one(pool).await.unwrap(),
    }
}

async fn a_received_file_waits_and_is_kept(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    let id = receive(&shop, Some(START)).await;
    let waiting = live.waiting_media(&id).await.unwrap().unwrap();
    assert_eq!((waiting.tenant, waiting.mode), (shop.tenant.id.clone(), Mode::Live));
    assert_eq!(waiting.wire, r#"{"path":"/v/t62"}"#);
    let row = waiting.row;
    assert_eq!((row.state, row.origin, row.kind), (State::Waiting, Origin::Received, Kind::Voice));
    assert_eq!((row.size, row.seconds, row.blob.is_none()), (Some(700), Some(4), true));
    let of = OfMessage {
        session: shop.owner.session.clone(),
        wa_id: id.to_string(),
        chat: "987@lid".into(),
        sender: "987@lid".into(),
        from_me: false,
    };
    assert_eq!(row.message, Some(of));
    assert_eq!(row.expires_at, START.plus_ms(30 * 86_400_000));
    assert_eq!(
        live.media_of_message(&shop.owner.session, id.as_str()).await.unwrap(),
        std::slice::from_ref(&id)
    );
    assert!(live.change_media_wire(&id, r#"{"path":"/v/other"}"#).await.unwrap());
    let kept = Whole { kind: Kind::Voice, mime: "audio/ogg".into(), thumbnail: None, ..whole("blob", 600) };
    let kept = live.keep_received(&id, &kept, ROOM).await.unwrap();
    assert_eq!((kept.state, kept.size, kept.next_at), (State::Stored, Some(600), None));
    assert_eq!((kept.mime.as_str(), kept.blob.unwrap().name.as_str()), ("audio/ogg", "blob"));
    assert_eq!((kept.seconds, kept.waveform), (Some(4), Some(vec![7; 64])), "what the sender said stays");
    // Nothing changes it any more.
    assert!(matches!(live.keep_received(&id, &whole("two", 1), ROOM).await, Err(NotAdded::NotWanted)));
    assert!(!live.note_media_failure(&id, "late", Next::Failed).await.unwrap());
    assert!(!live.fetch_media(&id, START).await.unwrap());
    assert_eq!(live.waiting_media(&id).await.unwrap().unwrap().wire, r#"{"path":"/v/other"}"#);
    assert_eq!(live.media_used().await.unwrap(), 600);
}

async fn a_file_that_cannot_be_fetched_waits_longer_and_is_given_up(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    let id = receive(&shop, Some(START)).await;
    let due = async |at| shop.store.due_media(&shop.owner.session, at, 9).await.unwrap().len();
    assert_eq!(due(START).await, 1);
    let later = START.plus_ms(5_000);
    assert!(live.note_media_failure(&id, "timed_out", Next::At(later)).await.unwrap());
    assert_eq!((due(START).await, due(later).await), (0, 1));
    assert_eq!(shop.store.next_media_at(&shop.owner.session, START).await.unwrap(), Some(later));
    let row = live.media(&id).await.unwrap().unwrap();
    assert_eq!((row.tries, row.error.as_deref(), row.next_at), (1, Some("timed_out"), Some(later)));
    for (next, state) in [(Next::Failed, State::Failed), (Next::Gone, State::Gone)] {
        live.note_media_failure(&id, "not_found", next).await.unwrap();
        let row = live.media(&id).await.unwrap().unwrap();
        assert_eq!((row.state, row.next_at), (state, None));
        assert_eq!(due(At(i64::MAX)).await, 0);
        // Somebody asks for it.
        assert!(live.fetch_media(&id, later).await.unwrap());
        let row = live.media(&id).await.unwrap().unwrap();
        assert_eq!((row.state, row.tries, row.next_at), (State::Waiting, 0, Some(later)));
    }
}

async fn a_received_file_is_written_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let messages: Vec<_> =
        ["A", "B", "C"].iter().map(|wa_id| message(&shop, wa_id, received(&shop, None))).collect();
    let write = async || shop.store.receive(messages.clone()).await.unwrap().new;
    assert_eq!((write().await, write().await), (vec![true; 3], vec![false; 3]));
    assert_eq!(shop.live().media_of_message(&shop.owner.session, "B").await.unwrap().len(), 1);
    assert_eq!(shop.live().media_page(None, 10).await.unwrap().len(), 3);
}

async fn what_is_due_is_found_in_its_order(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mut ids = vec![];
    for seconds in [30, 10, 20, 40] {
        ids.push(receive(&shop, Some(START.plus_ms(seconds * 1_000))).await);
    }
    receive(&shop, None).await;
    let due = async |ms, limit| {
        let due = shop.store.due_media(&shop.owner.session, START.plus_ms(ms), limit).await.unwrap();
        due.into_iter().map(|one| one.row.id).collect::<Vec<_>>()
    };
    assert_eq!(due(30_000, 9).await, [ids[1].clone(), ids[2].clone(), ids[0].clone()]);
    assert_eq!(due(30_000, 2).await, [ids[1].clone(), ids[2].clone()]);
    assert!(due(9_999, 9).await.is_empty());
    let two = shop.add_session("two").await;
    assert!(shop.store.due_media(&two.session, At(i64::MAX), 9).await.unwrap().is_empty());
    assert_eq!(shop.store.next_media_at(&two.session, START).await.unwrap(), None);
}

async fn files_expire_in_steps_with_all_that_is_theirs(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    for n in 0..450 {
        let row = add(&live, &format!("old{n}"), 3).await;
        if n % 100 == 0 {
            live.remember_upload(&row.id, Kind::Image, "{}").await.unwrap();
        }
    }
    receive(&shop, None).await;
    db.advance(Duration::from_secs(DAY));
    let young = add(&live, "young", 5).await;
    assert_eq!(live.media_used().await.unwrap(), 450 * 3 + 5);
    let now = START.plus_ms(30 * 86_400_000);
    assert_eq!(shop.store.expire_media(now.plus_ms(-1)).await.unwrap().rows, 0);
    let (mut rows, mut blobs, mut steps) = (0, vec![], 0);
    loop {
        let step = shop.store.expire_media(now).await.unwrap();
        if step.rows == 0 {
            break;
        }
        steps += 1;
        rows += step.rows;
        blobs.extend(step.blobs);
    }
    assert!(steps > 1, "in one step of {rows}");
    blobs.sort();
    blobs.dedup();
    assert_eq!((rows, blobs.len()), (451, 450));
    assert_eq!(live.media_used().await.unwrap(), 5);
    assert_eq!(count(&shop, "media_uploads").await, 0);
    assert_eq!(live.media_page(None, 9).await.unwrap()[0].id, young.id);
}

async fn a_file_in_use_lives_longer(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let row = add(&shop.live(), "blob", 5).await;
    let until = row.expires_at.plus_ms(1);
    assert!(shop.live().extend_media(&row.id, until).await.unwrap());
    assert!(!shop.live().extend_media(&row.id, row.expires_at).await.unwrap(), "it only grows");
    assert_eq!(shop.live().media(&row.id).await.unwrap().unwrap().expires_at, until);
    assert_eq!(shop.store.expire_media(row.expires_at).await.unwrap().rows, 0);
    assert_eq!(shop.store.expire_media(until).await.unwrap().blobs, ["blob"]);
}

async fn a_tenant_says_how_long_files_are_kept(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    let days = |row: &MediaRow| row.expires_at.since(row.created_at) / 86_400_000;
    assert_eq!(live.media_days().await.unwrap(), None);
    live.keep_media(Some(3)).await.unwrap();
    assert_eq!(live.media_days().await.unwrap(), Some(3));
    assert_eq!(days(&add(&live, "a", 1).await), 3);
    let id = receive(&shop, None).await;
    assert_eq!(days(&live.media(&id).await.unwrap().unwrap()), 3);
    // Whoever saves the other settings leaves it alone.
    live.save_settings(&Default::default()).await.unwrap();
    assert_eq!(live.media_days().await.unwrap(), Some(3));
    let test = shop.store.tenant(shop.tenant.id.clone(), Mode::Test);
    assert_eq!(days(&add(&test, "b", 1).await), 30);
    live.keep_media(None).await.unwrap();
    assert_eq!(days(&add(&live, "c", 1).await), 30);
}

async fn a_blob_without_a_row_is_known(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for n in 0..300 {
        add(&shop.live(), &format!("b{n}"), 1).await;
    }
    let names = (0..400).map(|n| format!("b{n}")).collect();
    let mut unknown = shop.store.unknown_blobs(names).await.unwrap();
    unknown.sort();
    assert_eq!((unknown.len(), unknown[0].as_str()), (100, "b300"));
    assert!(shop.store.unknown_blobs(vec![]).await.unwrap().is_empty());
}

async fn a_home_is_the_same_for_ever(db: TestDb) {
    let store = db.store().await;
    let home = store.media_home().await.unwrap();
    assert_eq!(home.len(), 16);
    assert_eq!(store.media_home().await.unwrap(), home);
    store.close().await;
    assert_eq!(db.store().await.media_home().await.unwrap(), home);
}

async fn secrets_of_a_file_lie_sealed(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let id = add(&shop.live(), "blob", 1).await.id;
    shop.live().remember_upload(&id, Kind::Image, "PRIVATE WIRE").await.unwrap();
    receive(&shop, None).await;
    let columns = [
        "SELECT blob_key FROM media WHERE blob IS NOT NULL",
        "SELECT wire FROM media_uploads",
        "SELECT wire FROM media WHERE wire IS NOT NULL",
    ];
    for column in columns {
        let sealed: Vec<u8> = match shop.store.db() {
            Db::Sqlite { read, .. } => sqlx::query_scalar(column).fetch_one(read).await.unwrap(),
            Db::Postgres(pool) => sqlx::query_scalar(column).fetch_one(pool).await.unwrap(),
        };
        let holds = |plain: &[u8]| sealed.windows(plain.len()).any(|window| window == plain);
        assert!(!holds(&[9; 32]) && !holds(b"PRIVATE") && !holds(b"/v/t62"), "{column}");
    }
}
