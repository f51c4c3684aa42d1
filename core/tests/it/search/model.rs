//! Both engines find exactly what the rules of `wapid_core::search` say, for any texts and any search.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use wapid_core::search::{Document, Phrase, Query, Searchable, Term};
use wapid_core::store::ledger::Inbound;

use super::found;
use crate::fixture::{Shop, TestDb, both, inbound};

both!(both_engines_find_what_the_rules_say);

/// The rules, told once more without an index.
fn finds(query: &Query, document: &Document) -> bool {
    let has = |phrase: &Phrase| {
        let places = document.places();
        (0..places.len()).any(|start| {
            phrase.terms.iter().enumerate().all(|(i, wanted)| {
                let Some(Some(term)) = places.get(start + i) else { return false };
                let may_go_on = phrase.is_open && i == phrase.terms.len() - 1;
                match (wanted, term) {
                    (Term::Word(wanted), Term::Word(word))
                    | (Term::FromBehind(wanted), Term::FromBehind(word)) => {
                        word == wanted || (may_go_on && word.starts_with(wanted.as_str()))
                    }
                    _ => false,
                }
            })
        })
    };
    !query.is_empty()
        && query.clauses().iter().all(|clause| clause.alternatives.iter().any(|way| way.iter().all(has)))
}

/// Few letters, so that much is found.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[abÀé]{1,3}",
        2 => "[0-2]{1,5}",
        1 => "[東京都ไท]{1,4}",
        1 => "[👍❤]",
        1 => "[ab]{1,2}[-.'_][ab01]{1,2}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(word(), 0..8).prop_map(|words| words.join(" "))
}

fn typed() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::collection::vec(word(), 1..4).prop_map(|words| words.join(" ")),
        2 => text().prop_map(|text| format!("\"{text}\"")),
        1 => (text(), word()).prop_map(|(text, word)| format!("{word} \"{text}")),
        1 => Just("11 90000-0001".to_owned()),
        1 => "[0-1]{3,6}",
    ]
}

/// The same at every run.
fn drawn() -> (Vec<String>, Vec<String>) {
    let mut runner = TestRunner::deterministic();
    let mut draw = |strategy: BoxedStrategy<String>, count: usize| {
        (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
    };
    (draw(text().boxed(), 90), draw(typed().boxed(), 300))
}

async fn both_engines_find_what_the_rules_say(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (texts, searches) = drawn();
    let mut messages: Vec<(String, Document)> = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        // Each says which it is, so that they are told apart.
        let body = format!("{text} x{i}");
        let message =
            Inbound { content: crate::fixture::text(body.clone()), ..inbound(&shop.owner, &format!("M{i}")) };
        let document = Document::of(&Searchable {
            body: &body,
            content: None,
            phone: message.phone.as_ref().map(wapid_core::phone::Phone::digits),
            lid: message.lid.as_deref(),
            sender_name: message.sender_name.as_deref(),
        });
        shop.store.receive(vec![message]).await.unwrap();
        messages.push((body, document));
    }
    let mut hits = 0;
    for typed in searches {
        let query = Query::parse(&typed).unwrap();
        let expected: Vec<_> = messages
            .iter()
            .rev()
            .filter(|(_, document)| finds(&query, document))
            .map(|(body, _)| body.clone())
            .collect();
        hits += expected.len();
        assert_eq!(found(&shop.live(), &typed).await, expected, "{typed:?}: {query:?}");
    }
    assert!(hits > 300, "only {hits} were to be found: the test asks nothing");
}
