//! People around messages, through the gateway's door: what a caller asks and tells of them, and what the
//! phones of the sandbox show of it.

mod bad_input;
mod calls;
mod chats;
mod contacts;
mod doors;
mod numbers;
mod presence;
mod profile;
mod reading;

use serde_json::{Value, json};

use crate::app::{Phone, Session, Tenant, until};

pub const SHOP: &str = "5511900000001";
pub const ANA: &str = "5511900000002";
pub const BEA: &str = "5511900000003";

impl Phone<'_> {
    /// Lets the phone's owner do something.
    pub async fn does(&self, what: &str, body: Value) -> Value {
        self.caller().post(&self.path(what), body).await.ok()
    }

    /// Waits until this phone shows what is wanted of somebody.
    pub async fn until_sees(&self, other: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async {
            let seen = self.caller().get(&self.path(&format!("/sees/{other}"))).await.ok();
            wanted(&seen).then_some(seen)
        })
        .await
    }

    /// Waits until a message of this phone shows that tick for a reader.
    pub async fn until_ticked(&self, id: &str, reader: &str, tick: &str) {
        until(&format!("{id} {tick}"), || async {
            let inbox = self.inbox().await;
            let shown = inbox["messages"].as_array().expect("messages");
            shown.iter().any(|m| m["id"] == id && m["receipts"][reader] == tick).then_some(())
        })
        .await;
    }
}

impl Session<'_> {
    pub async fn ask(&self, tail: &str) -> Value {
        self.caller.get(&self.path(tail)).await.ok()
    }

    pub async fn tell(&self, tail: &str, body: Value) -> Value {
        self.caller.post(&self.path(tail), body).await.ok()
    }

    /// A chat in the list, once it is as wanted.
    pub async fn until_chat(&self, chat: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, || async {
            let list = self.ask("/chats?limit=100").await;
            let chats = list["chats"].as_array().expect("chats");
            chats.iter().find(|one| one["chatId"] == chat && wanted(one)).cloned()
        })
        .await
    }

    /// The latest event of a kind, once it is as wanted.
    pub async fn until_event(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_events(kind, |events| {
            events.iter().rev().map(|event| &event["data"]).find(|data| wanted(data)).cloned()
        })
        .await
    }
}

/// A shop whose session is linked, and Ana's phone.
pub async fn shop_and_ana(shop: &Tenant) -> (Session<'_>, Phone<'_>) {
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    (session, ana)
}

/// Every route that needs WhatsApp, with a body that it takes.
pub fn asking_routes() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("POST", "/numbers/check", json!({"phone": ANA})),
        ("POST", "/read", json!({"messageIds": ["3EB0AA"]})),
        ("POST", "/typing", json!({"to": ANA, "state": "composing"})),
        ("POST", "/presence", json!({"state": "available"})),
        ("GET", "/presence/5511900000002", json!({})),
        ("GET", "/contacts/5511900000002", json!({})),
        ("GET", "/contacts/5511900000002/picture", json!({})),
        ("POST", "/contacts/5511900000002/block", json!({})),
        ("POST", "/contacts/5511900000002/unblock", json!({})),
        ("GET", "/blocked", json!({})),
        ("POST", "/chats/5511900000002/read", json!({})),
        ("POST", "/chats/5511900000002/archive", json!({})),
        ("POST", "/chats/5511900000002/unarchive", json!({})),
        ("POST", "/chats/5511900000002/pin", json!({})),
        ("POST", "/chats/5511900000002/unpin", json!({})),
        ("POST", "/chats/5511900000002/mute", json!({})),
        ("POST", "/chats/5511900000002/unmute", json!({})),
        ("GET", "/profile", json!({})),
        ("PUT", "/profile", json!({"name": "The Shop"})),
        ("DELETE", "/profile/picture", json!({})),
    ]
}
