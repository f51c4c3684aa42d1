//! Events: stored once, in one order, and brought to whoever asked for them, whatever happens.

use serde_json::{Value, json};

use crate::app::{Caller, until};
use crate::receiver::Receiver;

mod contract;
mod hostile;
mod kill;
mod order;
mod schedule;
mod streams;

/// An endpoint of a tenant, as its owner sees it.
pub struct Hook<'a> {
    pub caller: &'a Caller,
    pub id: String,
    pub secret: String,
}

impl<'a> Hook<'a> {
    pub async fn new(caller: &'a Caller, receiver: &Receiver, mut more: Value) -> Self {
        more["url"] = receiver.url.clone().into();
        let made = caller.post("/api/whatsapp/webhooks", more).await.ok();
        let text = |name: &str| made[name].as_str().expect(name).to_owned();
        Self { caller, id: text("id"), secret: text("secret") }
    }

    pub fn path(&self, tail: &str) -> String {
        format!("/api/whatsapp/webhooks/{}{tail}", self.id)
    }

    pub async fn read(&self) -> Value {
        self.caller.get(&self.path("")).await.ok()
    }

    pub async fn delivery(&self, event: &str) -> Value {
        self.caller.get(&self.path(&format!("/deliveries/{event}"))).await.ok()
    }

    /// Waits until an event's delivery has that state.
    pub async fn until_is(&self, event: &str, state: &str) -> Value {
        until(&format!("{event} is {state}"), || async {
            let delivery = self.delivery(event).await;
            (delivery["state"] == state).then_some(delivery)
        })
        .await
    }
}

/// The cheapest thing that can happen: somebody is put on the list of opt-outs. Answers the event's id.
pub async fn something(caller: &Caller, number: u32) -> String {
    let phone = format!("55119{number:08}");
    caller.post("/api/whatsapp/opt-outs", json!({ "phone": phone })).await.ok();
    // Newest first would be quicker to find, and is not what the log is for.
    until("its event is in the log", || async {
        let log = log_of(caller, "types=optout.added").await;
        log.into_iter().find(|event| event["data"]["phone"] == phone.as_str())
    })
    .await["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// The whole log, oldest first.
pub async fn log_of(caller: &Caller, filter: &str) -> Vec<Value> {
    let mut events = vec![];
    let mut after = "oldest".to_owned();
    loop {
        let page = caller.get(&format!("/api/whatsapp/events?limit=1000&after={after}&{filter}")).await.ok();
        events.extend(page["events"].as_array().expect("events").iter().cloned());
        if page["hasMore"] == false {
            return events;
        }
        after = page["nextAfter"].to_string();
    }
}
