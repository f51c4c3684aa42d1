//! A shop that goes on writing and being written to, whatever becomes of its gateways and their database: texts of
//! its own, answers, receipts, and a phone that loses its keys. [`Traffic::settle`] says what must be true after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wapid_sandbox::{FaultKind, PhoneMessage, ReceiptKind, Sandbox};

use crate::app::{Caller, until_reads, until_within};
use crate::people::{ANA, BEA, SHOP};

/// A caller who hears nothing for this long asks again, elsewhere.
const PATIENCE: Duration = Duration::from_secs(4);
/// Who reads the whole log waits longer.
const LOG_PATIENCE: Duration = Duration::from_secs(20);
const BETWEEN_SENDS: Duration = Duration::from_millis(150);
const BETWEEN_ANSWERS: Duration = Duration::from_millis(170);
const BETWEEN_RECEIPTS: Duration = Duration::from_millis(700);
/// A phone asks four times for one message and no more (wacore 0.7.0, src/protocol/retry.rs), so whoever loses keys
/// faster than messages go to and fro loses messages, whatever becomes of gateways.
const BETWEEN_LOSSES: Duration = Duration::from_secs(10);
/// From the last trouble until all is told, on a busy machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(90);

/// Who takes part.
#[derive(Clone)]
struct Town {
    sandbox: Sandbox,
    /// The tenant's id, which names its phones' book.
    book: String,
    callers: Vec<Caller>,
    is_over: Arc<AtomicBool>,
}

pub struct Traffic {
    town: Town,
    /// To Ana and to Bea: the ids, in the order in which they were sent.
    sends: [JoinHandle<Vec<String>>; 2],
    /// The ids of what Ana wrote.
    answers: JoinHandle<Vec<String>>,
    others: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// The session `main` is linked to [`SHOP`]; callers are its gateways.
    pub async fn start(sandbox: Sandbox, tenant: &str, callers: Vec<Caller>) -> Self {
        for (phone, name) in [(ANA, "Ana"), (BEA, "Bea")] {
            sandbox.create_phone(tenant, phone, name).await.expect("a phone");
        }
        let town = Town { sandbox, book: tenant.to_owned(), callers, is_over: Arc::default() };
        let sends = [ANA, BEA].map(|to| tokio::spawn(town.clone().sends(to)));
        let answers = tokio::spawn(town.clone().answers());
        let others = vec![tokio::spawn(town.clone().reads())];
        Self { town, sends, answers, others }
    }

    /// Ana's phone loses its keys again and again, and asks for what it cannot read.
    pub fn with_lost_keys(mut self) -> Self {
        self.others.push(tokio::spawn(self.town.clone().loses_keys()));
        self
    }

    /// Ends it, and waits until every message is where it belongs, once, and every receipt is told. Returns how many
    /// messages went each way.
    pub async fn settle(self) -> (usize, usize) {
        self.town.is_over.store(true, Ordering::SeqCst);
        let [to_ana, to_bea] = self.sends;
        let (to_ana, to_bea) = (to_ana.await.expect("sends"), to_bea.await.expect("sends"));
        let answers = self.answers.await.expect("answers");
        for other in self.others {
            other.await.expect("it ends");
        }
        let town = self.town;
        // A receipt comes with the text that follows the loss of a key at the latest.
        town.until_shown(ANA, &to_ana).await;
        town.until_shown(BEA, &to_bea).await;
        let inbox = town.inbox(BEA).await;
        assert_eq!(inbox, to_bea, "what came to Bea is not what was sent, once and in order");
        let mut at_ana = town.inbox(ANA).await;
        at_ana.sort();
        let mut wanted = to_ana.clone();
        wanted.sort();
        assert_eq!(at_ana, wanted, "what came to Ana is not what was sent, once");
        for id in &to_ana {
            town.sandbox.mark(&town.book, ANA, id, ReceiptKind::Read).await.expect("she reads it");
        }
        town.until_told(&to_ana, &to_bea, &answers).await;
        (to_ana.len() + to_bea.len(), answers.len())
    }
}

impl Town {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// As an app does: with a key, again until it is answered, at whichever gateway.
    async fn sends(self, to: &'static str) -> Vec<String> {
        let mut ids = Vec::new();
        while !self.is_over() {
            let number = ids.len();
            let text = json!({"to": to, "message": format!("{number} to {to}")});
            let key = format!("{to}-{number}");
            let mut callers = self.callers.iter().cycle();
            let id = until_within(Duration::from_secs(300), "a send is answered", || {
                let caller = callers.next().expect("a gateway");
                tried(caller, &key, &text)
            });
            ids.push(id.await);
            tokio::time::sleep(BETWEEN_SENDS).await;
        }
        ids
    }

    /// Ana writes; WhatsApp knows nothing of gateways.
    async fn answers(self) -> Vec<String> {
        let mut ids = Vec::new();
        while !self.is_over() {
            let text = PhoneMessage::text(SHOP, format!("answer {}", ids.len()));
            ids.push(self.sandbox.send(&self.book, ANA, text).await.expect("WhatsApp works"));
            tokio::time::sleep(BETWEEN_ANSWERS).await;
        }
        ids
    }

    async fn reads(self) {
        while !self.is_over() {
            if let Some(newest) = self.inbox(BEA).await.last() {
                self.sandbox.mark(&self.book, BEA, newest, ReceiptKind::Read).await.expect("she reads it");
            }
            tokio::time::sleep(BETWEEN_RECEIPTS).await;
        }
    }

    async fn loses_keys(self) {
        while !self.is_over() {
            tokio::time::sleep(BETWEEN_LOSSES).await;
            self.sandbox.fault(&self.book, ANA, FaultKind::LoseSessions.into()).await.expect("her phone");
        }
    }

    /// The ids of what the shop wrote to this phone, as it shows them.
    async fn inbox(&self, phone: &str) -> Vec<String> {
        let inbox = self.sandbox.messages(&self.book, phone).await.expect("a phone");
        let shown = inbox.messages.into_iter().filter(|message| !message.from_me);
        shown.map(|message| message.id).collect()
    }

    async fn until_shown(&self, phone: &str, ids: &[String]) {
        let read = || async {
            let shown: BTreeSet<String> = self.inbox(phone).await.into_iter().collect();
            let missing: Vec<&String> = ids.iter().filter(|id| !shown.contains(*id)).collect();
            if missing.is_empty() {
                return json!([]);
            }
            let log = self.log().await.unwrap_or_default();
            log.into_iter().filter(|row| missing.iter().any(|id| row["messageId"] == **id)).collect()
        };
        let is_empty = |missing: &Value| missing.as_array().is_some_and(Vec::is_empty);
        until_reads(SETTLED_WITHIN, &format!("all is shown to {phone}"), read, is_empty).await;
    }

    /// Every message is in the log once: what went with its receipt, what came as it is.
    async fn until_told(&self, to_ana: &[String], to_bea: &[String], answers: &[String]) {
        let mut wanted = BTreeMap::new();
        wanted.extend(to_ana.iter().map(|id| (id.clone(), "read")));
        wanted.extend(to_bea.iter().map(|id| (id.clone(), "delivered or read")));
        wanted.extend(answers.iter().map(|id| (id.clone(), "received")));
        let read = || async {
            let Some(log) = self.log().await else { return json!("no log") };
            let rows: BTreeMap<&str, &Value> =
                log.iter().filter_map(|row| Some((row["messageId"].as_str()?, row))).collect();
            if log.len() > wanted.len() {
                return json!(format!("{} rows of {} messages", log.len(), wanted.len()));
            }
            let is_told = |id: &str, wanted: &str| {
                let status = rows.get(id).and_then(|row| row["status"].as_str()).unwrap_or_default();
                wanted.contains(status) && !status.is_empty()
            };
            let untold = wanted.iter().filter(|(id, wanted)| !is_told(id, wanted));
            untold
                .map(|(id, wanted)| json!({"id": id, "wanted": wanted, "row": rows.get(id.as_str())}))
                .collect()
        };
        let is_empty = |untold: &Value| untold.as_array().is_some_and(Vec::is_empty);
        until_reads(SETTLED_WITHIN, "all is told", read, is_empty).await;
    }

    /// The whole of it; `None` while nobody answers.
    async fn log(&self) -> Option<Vec<Value>> {
        let caller = self.callers.first().expect("a gateway");
        let url = format!("{}/api/whatsapp/messages/export?format=jsonl", caller.url);
        let asked = caller.client().get(url).header("X-API-Key", &caller.key).timeout(LOG_PATIENCE);
        let lines = asked.send().await.ok()?.text().await.ok()?;
        let rows = lines.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        let mut rows: Vec<Value> = rows.collect();
        let end = rows.pop()?;
        (end["end"] == true).then_some(rows)
    }
}

/// The message's id; `None` where it must be asked again.
async fn tried(caller: &Caller, key: &str, body: &Value) -> Option<String> {
    let request = caller.client().post(format!("{}/api/whatsapp/session/main/send", caller.url));
    let request =
        request.timeout(PATIENCE).header("X-API-Key", &caller.key).header("Idempotency-Key", key).json(body);
    let answer = request.send().await.ok()?;
    let status = answer.status();
    let told: Value = answer.json().await.ok()?;
    if status.is_success() {
        return Some(told["messageId"].as_str().expect("an id").to_owned());
    }
    // What a caller may mend by waiting; anything else is told to the wrong person.
    let may_be_asked_again = status.is_server_error() || told["code"] == "SESSION_NOT_READY";
    assert!(may_be_asked_again, "{status}: {told}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    None
}
