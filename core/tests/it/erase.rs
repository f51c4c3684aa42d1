//! What was said can be erased; that it was said stays.

use wapid_core::clock::At;
use wapid_core::content::{Body, Edit, Target, Words};
use wapid_core::id::MessageKey;
use wapid_core::message::{MessageName, Status};
use wapid_core::phone::Phone;
use wapid_core::store::erase::Erased;
use wapid_core::store::ledger::{Inbound, Outcome};

use crate::fixture::{Shop, TestDb, Told as _, both, inbound, text};
use crate::search::found;

both!(
    the_words_go_and_the_fact_stays,
    what_is_on_its_way_cannot_be_erased_yet,
    nobody_erases_what_another_has,
    a_number_is_forgotten_in_every_spelling,
    a_number_is_forgotten_where_only_its_lid_was_known,
    an_erased_message_gets_no_words_by_a_later_edit,
);

async fn the_words_go_and_the_fact_stays(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let secret = Inbound { content: text("my secret illness"), ..inbound(&shop.owner, "A") };
    let next = Inbound { content: text("another secret"), ..inbound(&shop.owner, "B") };
    shop.store.receive(vec![secret, next]).await.unwrap();
    assert_eq!(found(&shop.live(), "secret").await.len(), 2);
    let row = shop.live().message_named(&MessageName::parse("A").unwrap(), None).await.unwrap().unwrap();
    assert_eq!(shop.live().erase(&row.key).await.unwrap(), Erased::Done(db.clock.now()));
    let bare = shop.live().message(&row.key).await.unwrap().unwrap();
    assert_eq!((bare.body.as_str(), bare.sender_name, bare.erased_at), ("", None, Some(db.clock.now())));
    assert_eq!((bare.wa_id, bare.phone, bare.created_at), (row.wa_id, row.phone, row.created_at));
    assert_eq!(found(&shop.live(), "secret").await, ["another secret"]);
    assert!(found(&shop.live(), "illness").await.is_empty());
    assert!(found(&shop.live(), "Ana").await.len() == 1);
    // By its number it is found: that is the fact.
    assert_eq!(found(&shop.live(), "5511900000001").await.len(), 2);
    let events = shop.live().events_after(None, 10).await.unwrap();
    assert_eq!((&events[0]["data"]["body"], &events[0]["data"]["erased"]), (&"".into(), &true.into()));
    assert_eq!(events[0]["data"]["messageId"], "A");
    assert!(events[0]["data"]["senderName"].is_null());
    assert_eq!(events[1]["data"]["body"], "another secret");
    assert!(!events[0].to_string().contains("illness"));
    // Erased is erased, since the first time.
    db.advance(std::time::Duration::from_secs(5));
    let since = bare.erased_at.unwrap();
    assert_eq!(shop.live().erase(&bare.key).await.unwrap(), Erased::Done(since));
    let again = shop.live().message(&bare.key).await.unwrap().unwrap();
    assert_eq!(again.erased_at, bare.erased_at);
}

async fn what_is_on_its_way_cannot_be_erased_yet(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mut intent = shop.intent();
    intent.content = text("on its way");
    let (key, wa_id) = crate::fixture::accept(&shop.store, intent).await;
    assert_eq!(shop.live().erase(&key).await.unwrap(), Erased::NotYet);
    assert_eq!(found(&shop.live(), "way").await.len(), 1);
    shop.settle(&key, Outcome::Sent).await;
    assert_eq!(shop.live().erase(&key).await.unwrap(), Erased::Done(db.clock.now()));
    // Its status goes on.
    shop.receipt(&wa_id, Status::Read).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.status, row.body.as_str()), (Status::Read, ""));
    assert!(found(&shop.live(), "way").await.is_empty());
}

async fn nobody_erases_what_another_has(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    store.receive(vec![inbound(&a.owner, "A")]).await.unwrap();
    let row = a.live().message_named(&MessageName::parse("A").unwrap(), None).await.unwrap().unwrap();
    assert_eq!(b.live().erase(&row.key).await.unwrap(), Erased::NotFound);
    assert_eq!(b.live().forget(&crate::fixture::phone()).await.unwrap(), None);
    let nobody = MessageKey::first_at(At(0));
    assert_eq!(a.live().erase(&nobody).await.unwrap(), Erased::NotFound);
    assert_eq!(a.live().message(&row.key).await.unwrap().unwrap().body, "hi there");
}

async fn a_number_is_forgotten_in_every_spelling(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let of = |digits: &str, id: &str| Inbound {
        phone: Some(Phone::parse(digits, None).unwrap()),
        content: text(format!("words of {id}")),
        ..inbound(&shop.owner, id)
    };
    let mut all: Vec<_> = (0..250).map(|i| of("5511987654321", &format!("A{i}"))).collect();
    all.push(of("551187654321", "B"));
    let stranger = Inbound {
        lid: Some("988".into()),
        chat: "988@lid".into(),
        sender: "988@lid".into(),
        ..of("5511900000009", "C")
    };
    all.push(stranger);
    shop.store.receive(all).await.unwrap();
    let phone = Phone::parse("+55 11 98765-4321", None).unwrap();
    let forgotten = shop.live().forget(&phone).await.unwrap().expect("its messages are in the log");
    assert_eq!((forgotten.messages, forgotten.has_more), (251, false));
    assert_eq!(found(&shop.live(), "words").await, ["words of C"]);
    let again = shop.live().forget(&phone).await.unwrap().expect("the facts are in the log");
    assert_eq!(again.messages, 0);
    assert_eq!(shop.live().messages_page(&Default::default(), 1, 0).await.unwrap().1, 252);
}

async fn a_number_is_forgotten_where_only_its_lid_was_known(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let hidden = |id: &str| Inbound { phone: None, ..inbound(&shop.owner, id) };
    let in_group = |id: &str| Inbound {
        chat: "120363041234567890@g.us".into(),
        is_group: true,
        content: text("words in a group"),
        ..hidden(id)
    };
    // At first nobody knows whose LID it is; then one message tells.
    shop.store.receive(vec![hidden("A"), in_group("B")]).await.unwrap();
    shop.store.receive(vec![inbound(&shop.owner, "C")]).await.unwrap();
    let forgotten = shop.live().forget(&crate::fixture::phone()).await.unwrap().expect("it is in the log");
    assert_eq!(forgotten.messages, 3);
    assert!(found(&shop.live(), "words").await.is_empty() && found(&shop.live(), "there").await.is_empty());
}

async fn an_erased_message_gets_no_words_by_a_later_edit(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    let row = shop.live().message_named(&MessageName::parse("A").unwrap(), None).await.unwrap().unwrap();
    shop.live().erase(&row.key).await.unwrap();
    let target = Target { id: "A".parse().unwrap(), from_me: false, sender: None };
    let edit = Body::Edit(Edit { target, words: Words::plain("again"), of: None });
    shop.store.receive(vec![Inbound { content: edit.into(), ..inbound(&shop.owner, "E") }]).await.unwrap();
    assert_eq!(shop.live().message(&row.key).await.unwrap().unwrap().body, "");
}
