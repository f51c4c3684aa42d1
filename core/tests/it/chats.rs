//! Conversations and names follow what happens, whichever names people have.

use wapid_core::clock::At;
use wapid_core::id::SessionKey;
use wapid_core::message::{MessageName, Status};
use wapid_core::people::{Call, ChatChange, News, Presence, Who};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::chats::ChatRow;
use wapid_core::store::groups::GroupName;
use wapid_core::store::ledger::{GroupNews, Inbound, Outcome};
use wapid_core::store::people::ContactRow;

use crate::fixture::{START, Shop, TestDb, Told as _, both, failed, inbound, intent, together};

both!(
    a_chat_is_one_row_however_many_messages_it_has,
    a_chat_of_a_lid_becomes_that_of_its_number,
    a_number_that_is_given_to_somebody_else_leaves_its_person,
    a_group_is_a_chat_of_its_own,
    read_messages_are_counted_off_once,
    what_came_after_the_phone_read_stays_unread,
    another_number_begins_with_nothing,
    a_read_chat_keeps_what_came_meanwhile,
    flags_hold_before_and_after_a_message,
    names_are_kept_per_session_and_found_by_any_part,
    what_is_heard_of_people_is_told_in_order,
    chats_of_a_gone_session_are_tidied_away,
);

const NUMBER: &str = "5511900000001";

async fn chats(shop: &Shop) -> Vec<ChatRow> {
    shop.live().chats(&shop.owner.session, None, 100).await.unwrap()
}

async fn contacts(shop: &Shop) -> Vec<ContactRow> {
    shop.live().contacts(&shop.owner.session, None, None, 100).await.unwrap()
}

async fn hear(shop: &Shop, news: News) {
    shop.store.hear(shop.owner.clone(), vec![news]).await.unwrap();
}

fn who(phone: Option<&str>, lid: Option<&str>) -> Who {
    Who { phone: phone.map(|digits| Phone::parse(digits, None).unwrap()), lid: lid.map(str::to_owned) }
}

/// A message from somebody who hides their number.
fn hidden(shop: &Shop, wa_id: &str) -> Inbound {
    Inbound { phone: None, ..inbound(&shop.owner, wa_id) }
}

async fn a_chat_is_one_row_however_many_messages_it_has(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let all = (0..50).map(|n| inbound(&shop.owner, &format!("IN{n}"))).collect();
    shop.store.receive(all).await.unwrap();
    together((0..20).map(|_| {
        let shop = shop.clone();
        async move {
            let (key, wa_id) = shop.accept().await;
            shop.settle(&key, Outcome::Sent).await;
            shop.receipt(&wa_id, Status::Delivered).await;
            shop.receipt(&wa_id, Status::Read).await;
        }
    }))
    .await;
    let rows = chats(&shop).await;
    assert_eq!((rows.len(), rows[0].chat.as_str()), (1, "5511900000001@s.whatsapp.net"));
    assert_eq!((rows[0].unread, rows[0].push_name.as_deref()), (50, Some("Ana")));
    let page = shop.live().messages_page(&Default::default(), 1, 0).await.unwrap().0;
    assert_eq!(rows[0].last_key, page[0].key);
    // A failed one shows as well.
    let (key, _) = shop.accept().await;
    shop.settle(&key, failed()).await;
    assert_eq!(chats(&shop).await[0].last_key, key);
    let older = shop.live().chats(&shop.owner.session, Some(&key), 10).await.unwrap();
    assert!(older.is_empty());
}

async fn a_chat_of_a_lid_becomes_that_of_its_number(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.store.receive(vec![hidden(&shop, "A"), hidden(&shop, "B")]).await.unwrap();
    hear(
        &shop,
        News::Chat {
            who: Some(who(None, Some("987"))),
            chat: "987@lid".into(),
            change: ChatChange::Pinned(true),
        },
    )
    .await;
    let saved = News::Saved {
        who: who(None, Some("987")),
        full_name: Some("Ana of the shop".into()),
        first_name: None,
    };
    hear(&shop, saved).await;
    let before = chats(&shop).await;
    assert_eq!((before.len(), before[0].chat.as_str(), before[0].unread), (1, "987@lid", 2));
    assert_eq!(before[0].saved_name.as_deref(), Some("Ana of the shop"));

    shop.store.receive(vec![inbound(&shop.owner, "C")]).await.unwrap();
    let after = chats(&shop).await;
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].chat.as_str(), after[0].unread), ("5511900000001@s.whatsapp.net", 3));
    assert!(after[0].is_pinned);
    assert_eq!(after[0].saved_name.as_deref(), Some("Ana of the shop"));
    assert_eq!(after[0].contact_id, before[0].contact_id);
    assert_eq!(contacts(&shop).await.len(), 1);
    // Found by either name, with all its messages.
    let by_lid =
        shop.live().chat(&shop.owner.session, &Recipient::Hidden("987".into())).await.unwrap().unwrap();
    assert_eq!(by_lid.chat, after[0].chat);
    let (messages, _) = shop.live().chat_messages(&shop.owner.session_id, &by_lid, None, 10).await.unwrap();
    let ids: Vec<_> = messages.iter().map(|row| row.wa_id.as_str()).collect();
    assert_eq!(ids, ["C", "B", "A"]);
    // And once more by the LID alone: it stays one.
    shop.store.receive(vec![hidden(&shop, "D")]).await.unwrap();
    let rows = chats(&shop).await;
    assert_eq!((rows.len(), rows[0].unread), (1, 4));
}

async fn a_number_that_is_given_to_somebody_else_leaves_its_person(db: TestDb) {
    const NEW_NUMBER: &str = "5511900000009";
    let shop = Shop::new(&db.store().await, "shop").await;
    let person = async |alias: &str| shop.live().contact_id(alias).await.unwrap();
    let write = async |wa_id: &str, phone: &str, lid: &str| {
        let phone = Some(Phone::parse(phone, None).unwrap());
        let one = Inbound { phone, lid: Some(lid.to_owned()), ..inbound(&shop.owner, wa_id) };
        shop.store.receive(vec![one]).await.unwrap();
    };
    write("A", NUMBER, "111").await;
    let ana = person("l:111").await;
    assert_eq!(person(&format!("p:{NUMBER}")).await, ana);
    // She takes another number, and is the same person.
    write("B", NEW_NUMBER, "111").await;
    assert_eq!(person(&format!("p:{NEW_NUMBER}")).await, ana);
    // Her old one is somebody else's now.
    write("C", NUMBER, "222").await;
    let other = person("l:222").await;
    assert_eq!(person(&format!("p:{NUMBER}")).await, other);
    assert_ne!(other, ana);
    assert_eq!((person("l:111").await, person(&format!("p:{NEW_NUMBER}")).await), (ana.clone(), ana));
    // To forget the one leaves the other's messages.
    let forgotten = shop.live().forget(&Phone::parse(NEW_NUMBER, None).unwrap()).await.unwrap().unwrap();
    assert!(forgotten.messages > 0);
    let left = shop.live().messages_page(&Default::default(), 10, 0).await.unwrap().0;
    assert!(left.iter().any(|row| row.wa_id == "C" && row.erased_at.is_none()));
}

async fn a_group_is_a_chat_of_its_own(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let group = "120363041234567890@g.us";
    let in_group = |id: &str| Inbound { chat: group.into(), is_group: true, ..inbound(&shop.owner, id) };
    shop.store.receive(vec![in_group("A"), in_group("B"), inbound(&shop.owner, "C")]).await.unwrap();
    let name = GroupName { jid: group.into(), subject: "The team".into(), at: At(1_000) };
    let news = GroupNews { session: shop.owner.session.clone(), names: vec![name], events: vec![] };
    shop.store.note_groups(news).await.unwrap();
    let rows = chats(&shop).await;
    assert_eq!(rows.len(), 2);
    let row = rows.iter().find(|row| row.chat == group).unwrap();
    assert_eq!((row.unread, row.name.as_deref(), row.lid.as_deref()), (2, Some("The team"), None));
    let found = shop.live().unread(&shop.owner.session, row, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|message| message.chat == group && message.sender == "987@lid"));
}

async fn read_messages_are_counted_off_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let all = ["A", "B", "C"].map(|id| inbound(&shop.owner, id)).to_vec();
    shop.store.receive(all).await.unwrap();
    let read = |ids: &[&str]| News::Read { wa_ids: ids.iter().map(|id| (*id).to_owned()).collect() };
    hear(&shop, read(&["A", "A", "NOBODYS"])).await;
    assert_eq!(chats(&shop).await[0].unread, 2);
    hear(&shop, read(&["A"])).await;
    assert_eq!(chats(&shop).await[0].unread, 2);
    hear(&shop, read(&["B", "C", "A"])).await;
    assert_eq!(chats(&shop).await[0].unread, 0);
    let chat = chats(&shop).await.remove(0);
    assert!(shop.live().unread(&shop.owner.session, &chat, 10).await.unwrap().is_empty());
    // Our own message of that id is not somebody's.
    let (_, wa_id) = shop.accept().await;
    hear(&shop, read(&[&wa_id])).await;
    let row = shop.live().messages_page(&Default::default(), 1, 0).await.unwrap().0.remove(0);
    assert_eq!((row.wa_id == wa_id, row.read_at), (true, None));
    let names = [wa_id.as_str(), "A", "X"].map(|id| MessageName::parse(id).unwrap());
    let found = shop.live().received(&shop.owner.session, &names).await.unwrap();
    assert_eq!(found.len(), 1);
}

async fn a_read_chat_keeps_what_came_meanwhile(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let all = ["A", "B"].map(|id| inbound(&shop.owner, id)).to_vec();
    shop.store.receive(all).await.unwrap();
    let chat = chats(&shop).await.remove(0);
    shop.store.receive(vec![inbound(&shop.owner, "C")]).await.unwrap();
    hear(
        &shop,
        News::ChatRead { chat: chat.chat.clone(), unread: chat.unread, wa_ids: vec!["A".into(), "B".into()] },
    )
    .await;
    assert_eq!(chats(&shop).await[0].unread, 1);
    let who = Some(who(Some(NUMBER), Some("987")));
    hear(&shop, News::ChatReadUntil { who, chat: chat.chat, at: db.clock.now() }).await;
    assert_eq!(chats(&shop).await[0].unread, 0);
}

async fn flags_hold_before_and_after_a_message(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let change =
        |change| News::Chat { who: Some(who(Some(NUMBER), Some("987"))), chat: "987@lid".into(), change };
    let all = [ChatChange::Archived(true), ChatChange::Pinned(true), ChatChange::MutedUntil(-1)].map(change);
    shop.store.hear(shop.owner.clone(), all.to_vec()).await.unwrap();
    assert!(chats(&shop).await.is_empty(), "no message, no entry");
    shop.store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    let row = chats(&shop).await.remove(0);
    assert!(row.is_archived && row.is_pinned && row.muted_until == -1);
    let all = [ChatChange::Archived(false), ChatChange::Pinned(false), ChatChange::MutedUntil(0)].map(change);
    shop.store.hear(shop.owner.clone(), all.to_vec()).await.unwrap();
    let row = chats(&shop).await.remove(0);
    assert!(!row.is_archived && !row.is_pinned && row.muted_until == 0 && row.unread == 1);
}

async fn names_are_kept_per_session_and_found_by_any_part(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = shop.add_session("other").await;
    let saved = |number: &str, name: &str| News::Saved {
        who: who(Some(number), None),
        full_name: Some(name.to_owned()),
        first_name: None,
    };
    let all = vec![saved("5511900000003", "ÉRICA 100%"), saved(NUMBER, "Ana_Maria"), saved(NUMBER, "Ana")];
    shop.store.hear(shop.owner.clone(), all).await.unwrap();
    shop.store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    let rows = contacts(&shop).await;
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].phone(), rows[0].saved_name.as_deref()), (Some(NUMBER), Some("Ana")));
    assert_eq!((rows[0].push_name.as_deref(), rows[0].lid()), (Some("Ana"), Some("987")));
    assert!(rows.iter().all(|row| row.contact_id.is_some()));
    let found = |search: &'static str| {
        let (tenant, session) = (shop.live(), shop.owner.session.clone());
        async move { tenant.contacts(&session, Some(search), None, 10).await.unwrap().len() }
    };
    for (search, count) in
        [("érica", 1), ("100%", 1), ("%", 1), ("_", 0), ("ana", 1), ("0000003", 1), ("\\", 0)]
    {
        assert_eq!(found(search).await, count, "{search}");
    }
    let theirs = shop.live().contacts(&other.session, None, None, 10).await.unwrap();
    assert!(theirs.is_empty());
    let nobody = shop.live().contacts(&SessionKey::new(), None, None, 10).await.unwrap();
    assert!(nobody.is_empty());
    let id = rows[0].contact_id.clone().unwrap();
    assert_eq!(shop.live().aliases(&id).await.unwrap(), ["p:5511900000001", "l:987"]);
    let rival = Shop::new(&shop.store, "rival").await;
    assert!(rival.live().aliases(&id).await.unwrap().is_empty());
    // A new push name replaces the old one.
    let renamed = Inbound { sender_name: Some("Aninha".into()), ..inbound(&shop.owner, "B") };
    shop.store.receive(vec![renamed]).await.unwrap();
    assert_eq!(contacts(&shop).await[0].push_name.as_deref(), Some("Aninha"));
}

async fn what_is_heard_of_people_is_told_in_order(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let call = Call {
        id: "CALL".into(),
        who: who(Some(NUMBER), Some("987")),
        from: "987@lid".into(),
        is_video: true,
        group: None,
        is_missed: false,
        at: At(1_000),
    };
    let here =
        News::Presence { who: who(Some(NUMBER), None), presence: Presence::Available, last_seen: None };
    shop.store.hear(shop.owner.clone(), vec![here, News::Called(call)]).await.unwrap();
    let events = shop.live().events_after(None, 10).await.unwrap();
    assert_eq!(shop.events().await, ["presence.updated", "call.received"]);
    assert_eq!(events[0]["data"]["contactId"], events[1]["data"]["contactId"]);
    assert!(events[0]["data"]["contactId"].is_string());
    assert!(!shop.live().tells_presence().await.unwrap());
    shop.live().tell_presence(true).await.unwrap();
    shop.live().save_settings(&Default::default()).await.unwrap();
    assert!(shop.live().tells_presence().await.unwrap());
}

async fn chats_of_a_gone_session_are_tidied_away(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let other = shop.add_session("other").await;
    let all = (0..1_200).map(|n| {
        let number = Phone::parse(&format!("55119{n:08}"), None).unwrap();
        Inbound { phone: Some(number), lid: None, ..inbound(&other, &format!("A{n}")) }
    });
    store.receive(all.collect()).await.unwrap();
    store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    store.tidy(db.clock.now()).await.unwrap();
    assert_eq!(shop.live().chats(&other.session, None, 2_000).await.unwrap().len(), 1_200);
    store.remove_session(&other.session, true).await.unwrap();
    store.tidy(db.clock.now()).await.unwrap();
    assert!(shop.live().chats(&other.session, None, 10).await.unwrap().is_empty());
    assert!(shop.live().contacts(&other.session, None, None, 10).await.unwrap().is_empty());
    assert_eq!((chats(&shop).await.len(), contacts(&shop).await.len()), (1, 1));
    // An intent that is not settled is in no list yet.
    store.accept(intent(&shop.owner)).await.unwrap();
    assert_eq!(chats(&shop).await.len(), 1);
}

async fn what_came_after_the_phone_read_stays_unread(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let sent = |id: &str, seconds: i64| Inbound {
        sent_at: At(START.0 + seconds * 1_000),
        phone: None,
        ..inbound(&shop.owner, id)
    };
    shop.store.receive(vec![sent("A", 1), sent("B", 2), sent("C", 3)]).await.unwrap();
    // One more tells the number: the chat is under it from here on, its messages are not.
    shop.store.receive(vec![inbound(&shop.owner, "D")]).await.unwrap();
    let who = Who { phone: Some(crate::fixture::phone()), lid: Some("987".into()) };
    let read =
        || News::ChatReadUntil { who: Some(who.clone()), chat: "987@lid".into(), at: At(START.0 + 2_000) };
    hear(&shop, read()).await;
    // D was written before, says its phone.
    assert_eq!(chats(&shop).await[0].unread, 1);
    hear(&shop, read()).await;
    assert_eq!(chats(&shop).await[0].unread, 1);
    // By its id as well, although it is under the LID.
    hear(&shop, News::Read { wa_ids: vec!["C".into(), "B".into()] }).await;
    assert_eq!(chats(&shop).await[0].unread, 0);
}

async fn another_number_begins_with_nothing(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    for one in [&shop, &other] {
        store.receive(vec![inbound(&one.owner, "A")]).await.unwrap();
        let name = GroupName { jid: "1@g.us".into(), subject: "Team".into(), at: At(1) };
        let news = GroupNews { session: one.owner.session.clone(), names: vec![name], events: vec![] };
        store.note_groups(news).await.unwrap();
    }
    hear(&shop, News::NumberChanged).await;
    assert!(chats(&shop).await.is_empty() && contacts(&shop).await.is_empty());
    assert!(shop.live().group_names(&shop.owner.session).await.unwrap().is_empty());
    assert_eq!((chats(&other).await.len(), contacts(&other).await.len()), (1, 1));
    assert_eq!(other.live().group_names(&other.owner.session).await.unwrap().len(), 1);
    // And what comes from here on is its own.
    store.receive(vec![inbound(&shop.owner, "B")]).await.unwrap();
    assert_eq!((chats(&shop).await[0].unread, contacts(&shop).await.len()), (1, 1));
}
