//! Edits, deletes, reactions and votes: rows of their own, and what they do to the messages they name.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::content::{Body, Content, Delete, Edit, Poll, Reaction, Target, Vote, Words};
use wapid_core::id::MessageKey;
use wapid_core::message::MessageName;
use wapid_core::store::ledger::{Inbound, Intent, Outcome, Refused};
use wapid_core::store::messages::MessageRow;

use crate::fixture::{START, Shop, TestDb, Told, both, failed, inbound, phone, text};

both!(
    an_edit_of_ours_shows_once_whatsapp_has_taken_it,
    an_edit_that_fails_changes_nothing,
    a_receipt_that_overtakes_the_ack_of_an_edit_applies_it,
    an_edit_by_its_writer_keeps_the_first_words,
    nobody_edits_or_deletes_what_another_wrote,
    an_admin_of_a_group_takes_back_what_others_wrote,
    an_edit_that_comes_too_late_changes_nothing,
    of_many_edits_the_newest_are_read,
    a_flood_of_edits_and_reactions_hides_nobody_elses,
    what_is_said_to_a_message_from_another_chat_is_not_told_of_it,
    what_was_taken_back_is_marked_and_kept,
    the_last_edit_counts_in_whichever_order_they_come,
    a_change_is_no_message_of_its_own,
    what_only_changes_a_message_takes_no_quota,
    a_vote_is_read_with_its_polls_secret,
    the_same_change_twice_is_told_once,
);

fn ours(wa_id: &str) -> Target {
    Target { id: wa_id.parse().unwrap(), from_me: true, sender: None }
}

fn hers(wa_id: &str) -> Target {
    Target { id: wa_id.parse().unwrap(), from_me: false, sender: Some("987@lid".into()) }
}

fn edit(target: Target, words: &str) -> Content {
    Body::Edit(Edit { target, words: Words::plain(words), of: None }).into()
}

fn delete(target: Target, by_admin: bool) -> Content {
    Body::Delete(Delete { target, by_admin }).into()
}

fn says(shop: &Shop, wa_id: &str, content: Content, second: i64) -> Inbound {
    Inbound { content, sent_at: At(START.0 + 1_000 * second), ..inbound(&shop.owner, wa_id) }
}

impl Shop {
    async fn accept_change(&self, content: Content) -> MessageKey {
        let intent = Intent { content, ..self.intent() };
        crate::fixture::accept(&self.store, intent).await.0
    }

    async fn heard(&self, inbound: Inbound) {
        self.store.receive(vec![inbound]).await.unwrap();
    }

    async fn named(&self, wa_id: &str) -> MessageRow {
        let mut rows = self
            .live()
            .messages_named(&self.owner.session, &MessageName::parse(wa_id).unwrap())
            .await
            .unwrap();
        assert_eq!(rows.len(), 1, "{wa_id}");
        rows.pop().unwrap()
    }
}

async fn an_edit_of_ours_shows_once_whatsapp_has_taken_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.settle(&key, Outcome::Sent).await;
    db.advance(Duration::from_secs(60));
    let change = shop.accept_change(edit(ours(&wa_id), "goodbye")).await;
    assert_eq!(shop.named(&wa_id).await.body, "hello");
    shop.settle(&change, Outcome::Sent).await;
    let row = shop.named(&wa_id).await;
    assert_eq!((row.body.as_str(), row.original.as_deref()), ("goodbye", Some("hello")));
    assert_eq!(row.edited_at, Some(db.clock.now()));
    assert_eq!(row.said().unwrap().unwrap(), text("goodbye"));
    let told = shop.live().events_after(None, 10).await.unwrap();
    let last = &told.last().unwrap()["data"];
    assert_eq!((&last["type"], &last["targetId"]), (&"edit".into(), &wa_id.into()));
}

async fn an_edit_that_fails_changes_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (_, wa_id) = shop.accept().await;
    let change = shop.accept_change(edit(ours(&wa_id), "goodbye")).await;
    shop.settle(&change, failed()).await;
    let row = shop.named(&wa_id).await;
    assert_eq!((row.body.as_str(), row.original, row.edited_at), ("hello", None, None));
}

async fn a_receipt_that_overtakes_the_ack_of_an_edit_applies_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (_, wa_id) = shop.accept().await;
    let change = shop.accept_change(edit(ours(&wa_id), "goodbye")).await;
    let id = shop.live().message(&change).await.unwrap().unwrap().wa_id;
    shop.receipt(&id, wapid_core::message::Status::Delivered).await;
    shop.settle(&change, Outcome::Sent).await;
    assert_eq!(shop.named(&wa_id).await.body, "goodbye");
}

async fn an_edit_by_its_writer_keeps_the_first_words(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("frist"), 0)).await;
    shop.heard(says(&shop, "B", edit(hers("A"), "first"), 1)).await;
    shop.heard(says(&shop, "C", edit(hers("A"), "first!"), 2)).await;
    let row = shop.named("A").await;
    assert_eq!((row.body.as_str(), row.original.as_deref()), ("first!", Some("frist")));
    let (history, earlier) = shop.live().edits_of(&shop.named("A").await, None).await.unwrap();
    assert_eq!(earlier, None);
    let words: Vec<_> = history.iter().map(|row| row.body.as_str()).collect();
    assert_eq!(words, ["first", "first!"]);
    assert_eq!(shop.events().await, ["message.received", "message.edited", "message.edited"]);
}

/// By the server's stamps, whenever it arrives here; phones ignore it as well.
async fn an_edit_that_comes_too_late_changes_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("ten a piece"), 0)).await;
    shop.heard(says(&shop, "B", edit(hers("A"), "twelve a piece"), 20 * 60)).await;
    shop.heard(says(&shop, "C", edit(hers("A"), "free"), 20 * 60 + 1)).await;
    let row = shop.named("A").await;
    assert_eq!((row.body.as_str(), row.original.as_deref()), ("twelve a piece", Some("ten a piece")));
    assert_eq!(shop.events().await, ["message.received", "message.edited"]);
    // What its owner writes on the phone is held to the same.
    let own = |wa_id: &str, content, second| Inbound { from_me: true, ..says(&shop, wa_id, content, second) };
    shop.heard(own("D", text("ours"), 0)).await;
    shop.heard(own("E", edit(ours("D"), "ours, changed"), 20 * 60 + 1)).await;
    assert_eq!(shop.named("D").await.edited_at, None);
    // It is known all the same, and comes again in vain.
    shop.heard(says(&shop, "C", edit(hers("A"), "free"), 20 * 60 + 1)).await;
    assert_eq!(shop.named("A").await.body, "twelve a piece");
}

async fn of_many_edits_the_newest_are_read(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("0"), 0)).await;
    for number in 1..=130 {
        shop.heard(says(&shop, &format!("E{number}"), edit(hers("A"), &number.to_string()), number)).await;
    }
    let row = shop.named("A").await;
    assert_eq!((row.body.as_str(), row.original.as_deref()), ("130", Some("0")));
    let (mut read, mut before) = (vec![], None);
    loop {
        let (edits, earlier) = shop.live().edits_of(&row, before.as_ref()).await.unwrap();
        assert!(edits.len() <= 100);
        read.splice(0..0, edits.into_iter().map(|edit| edit.body));
        let Some(earlier) = earlier else { break };
        before = Some(earlier);
    }
    assert_eq!(read, (1..=130).map(|number| number.to_string()).collect::<Vec<_>>());
    // Few that are long.
    let long = "x".repeat(60_000);
    for number in 1..=20 {
        shop.heard(says(
            &shop,
            &format!("L{number}"),
            edit(hers("A"), &format!("{long}{number}")),
            200 + number,
        ))
        .await;
    }
    let (edits, earlier) = shop.live().edits_of(&row, None).await.unwrap();
    let bytes: usize =
        edits.iter().map(|edit| edit.body.len() + edit.content.as_ref().map_or(0, String::len)).sum();
    assert!(bytes <= 1 << 20 && edits.len() >= 5 && earlier.is_some(), "{bytes} bytes");
}

async fn a_flood_of_edits_and_reactions_hides_nobody_elses(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let in_group = |inbound: Inbound| Inbound { chat: "1@g.us".into(), is_group: true, ..inbound };
    let reacts = |emoji: &str| -> Content {
        Body::Reaction(Reaction { target: hers("A"), emoji: emoji.to_owned() }).into()
    };
    shop.heard(in_group(says(&shop, "A", text("hello"), 0))).await;
    let other = Inbound {
        sender: "111@lid".into(),
        phone: None,
        lid: Some("111".into()),
        ..in_group(says(&shop, "B", reacts("👍"), 1))
    };
    shop.heard(other).await;
    for batch in 0..25 {
        let flood = (0..100).map(|one| {
            let number = batch * 100 + one;
            let content = if number % 2 == 0 { reacts("👎") } else { edit(hers("A"), &number.to_string()) };
            in_group(says(&shop, &format!("F{number}"), content, 2))
        });
        shop.store.receive(flood.collect()).await.unwrap();
    }
    let marks = shop.live().marks_of(&shop.named("A").await).await.unwrap();
    let told: Vec<&str> = marks.iter().map(|mark| mark.body.as_str()).collect();
    assert_eq!(told, ["👍", "👎"]);
}

/// Ids are no secrets: whoever was in a group with somebody may know those of a chat of two.
async fn what_is_said_to_a_message_from_another_chat_is_not_told_of_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("hello"), 0)).await;
    let reacts = |wa_id: &str| {
        says(&shop, wa_id, Body::Reaction(Reaction { target: hers("A"), emoji: wa_id.into() }).into(), 1)
    };
    let stranger = |inbound: Inbound| Inbound {
        chat: "111@lid".into(),
        sender: "111@lid".into(),
        phone: None,
        lid: Some("111".into()),
        ..inbound
    };
    // She wrote it under one of her names, and reacts under the other.
    let renamed = |inbound: Inbound| Inbound { chat: format!("{}@s.whatsapp.net", phone()), ..inbound };
    shop.heard(stranger(reacts("stranger"))).await;
    shop.heard(Inbound { is_group: true, chat: "1@g.us".into(), ..reacts("in a group") }).await;
    shop.heard(renamed(reacts("her own"))).await;
    let marks = shop.live().marks_of(&shop.named("A").await).await.unwrap();
    let told: Vec<&str> = marks.iter().map(|mark| mark.body.as_str()).collect();
    assert_eq!(told, ["her own"]);
}

async fn nobody_edits_or_deletes_what_another_wrote(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.settle(&key, Outcome::Sent).await;
    shop.heard(says(&shop, "A", text("hers"), 0)).await;
    // Ours, by her.
    shop.heard(says(&shop, "B", edit(ours(&wa_id), "forged"), 1)).await;
    shop.heard(says(&shop, "C", delete(ours(&wa_id), true), 1)).await;
    // Hers, by somebody else.
    let stranger = |wa_id: &str, content| Inbound {
        sender: "111@lid".into(),
        chat: "111@lid".into(),
        phone: None,
        lid: Some("111".into()),
        ..says(&shop, wa_id, content, 1)
    };
    shop.heard(stranger("D", edit(hers("A"), "forged"))).await;
    shop.heard(stranger("E", delete(hers("A"), false))).await;
    for (id, words) in [(wa_id.as_str(), "hello"), ("A", "hers")] {
        let row = shop.named(id).await;
        assert_eq!((row.body.as_str(), row.edited_at, row.deleted_at), (words, None, None), "{id}");
    }
}

async fn an_admin_of_a_group_takes_back_what_others_wrote(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let in_group = |chat: &str, inbound: Inbound| Inbound { chat: chat.into(), is_group: true, ..inbound };
    shop.heard(in_group("1@g.us", says(&shop, "A", text("spam"), 0))).await;
    let admin = |wa_id: &str, chat: &str, by_admin| Inbound {
        sender: "111@lid".into(),
        phone: None,
        lid: Some("111".into()),
        ..in_group(chat, says(&shop, wa_id, delete(hers("A"), by_admin), 1))
    };
    shop.heard(admin("B", "2@g.us", true)).await;
    shop.heard(admin("C", "1@g.us", false)).await;
    assert_eq!(shop.named("A").await.deleted_at, None);
    shop.heard(admin("D", "1@g.us", true)).await;
    assert_eq!(shop.named("A").await.deleted_at, Some(At(START.0 + 1_000)));
}

async fn what_was_taken_back_is_marked_and_kept(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("too much"), 0)).await;
    shop.heard(says(&shop, "B", delete(hers("A"), false), 5)).await;
    shop.heard(says(&shop, "C", edit(hers("A"), "nothing"), 6)).await;
    let row = shop.named("A").await;
    assert_eq!((row.body.as_str(), row.deleted_at), ("too much", Some(At(START.0 + 5_000))));
    assert_eq!(row.edited_at, None, "what is gone is not edited");
}

async fn the_last_edit_counts_in_whichever_order_they_come(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("one"), 0)).await;
    shop.heard(says(&shop, "C", edit(hers("A"), "three"), 3)).await;
    shop.heard(says(&shop, "B", edit(hers("A"), "two"), 2)).await;
    let row = shop.named("A").await;
    assert_eq!((row.body.as_str(), row.original.as_deref()), ("three", Some("one")));
    // In one commit, and in one of WhatsApp's seconds.
    let both =
        vec![says(&shop, "D", edit(hers("A"), "four"), 4), says(&shop, "E", edit(hers("A"), "five"), 4)];
    shop.store.receive(both).await.unwrap();
    assert_eq!(shop.named("A").await.body, "five");
}

async fn a_change_is_no_message_of_its_own(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("hello"), 0)).await;
    let emoji = "👍".to_owned();
    shop.heard(says(&shop, "B", Body::Reaction(Reaction { target: hers("A"), emoji }).into(), 1)).await;
    let (rows, total) = shop.live().messages_page(&Default::default(), 10, 0).await.unwrap();
    assert_eq!((rows.len(), total), (1, 1));
    let changes = shop.live().marks_of(&shop.named("A").await).await.unwrap();
    assert_eq!((changes.len(), changes[0].body.as_str()), (1, "👍"));
    assert_eq!(shop.events().await, ["message.received", "message.reaction"]);
}

async fn what_only_changes_a_message_takes_no_quota(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(1)).await;
    let (_, wa_id) = shop.accept().await;
    let over = shop.store.accept(shop.intent()).await;
    assert!(matches!(over, Err(Refused::LimitReached { limit: 1, used: 1 })), "{over:?}");
    let change = shop.accept_change(delete(ours(&wa_id), false)).await;
    assert_eq!(shop.used().await, 1);
    shop.settle(&change, failed()).await;
    assert_eq!(shop.used().await, 1, "nothing is given back that was not taken");
}

async fn a_vote_is_read_with_its_polls_secret(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let poll = Poll {
        message: "Lunch?".into(),
        options: vec!["Yes".into(), "No".into()],
        selectable_count: 1,
        secret: [9; 32],
    };
    let intent = Intent { content: Body::Poll(poll.clone()).into(), ..shop.intent() };
    let (_, wa_id) = crate::fixture::accept(&shop.store, intent).await;
    assert_eq!(shop.store.poll(&shop.owner.session, &wa_id).await.unwrap(), Some(poll));
    assert_eq!(shop.store.poll(&shop.owner.session, "3EB0NOBODY").await.unwrap(), None);
    let vote = Body::Vote(Vote { target: ours(&wa_id), votes: vec!["Yes".into()] });
    shop.heard(says(&shop, "V", vote.into(), 1)).await;
    let told = shop.live().events_after(None, 10).await.unwrap();
    let data = &told.last().unwrap()["data"];
    assert_eq!((&data["votes"][0], &data["targetId"]), (&"Yes".into(), &wa_id.into()));
    assert_eq!(data["phone"], phone().digits());
}

async fn the_same_change_twice_is_told_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.heard(says(&shop, "A", text("one"), 0)).await;
    for _ in 0..2 {
        shop.heard(says(&shop, "B", edit(hers("A"), "two"), 1)).await;
    }
    assert_eq!(shop.events().await, ["message.received", "message.edited"]);
}
