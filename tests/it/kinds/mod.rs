//! Every kind of message, both ways: what goes out is shown as it was said, what comes in is complete.

use std::io::Cursor;
use std::process::{Command, Stdio};

use base64::Engine as _;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::app::{Phone, Session, Tenant, until};

mod changes;
mod files;
mod hidden;
mod limits;
mod memory;
mod mentions;
mod names;
mod own_phone;
mod previews;
mod recovery;
mod refusals;
mod timers;
mod words;

pub const SHOP: &str = "5511900000001";
pub const ANA: &str = "5511900000002";

/// A gateway's session and a phone of somebody else.
pub async fn shop_and_ana(shop: &Tenant) -> (Session<'_>, Phone<'_>) {
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    (session, ana)
}

pub fn picture(format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_fn(512, 512, |x, y| {
        let byte = |n: u32| u8::try_from(n % 256).expect("below 256");
        Rgb([byte(x), byte(y), byte(x + y)])
    });
    let mut file = Cursor::new(vec![]);
    DynamicImage::from(pixels).write_to(&mut file, format).expect("a picture");
    file.into_inner()
}

/// A second of sound or film, as a file of that kind.
pub fn recorded(arguments: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("recorded");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments)
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .expect("ffmpeg is installed; `./test` installs it");
    assert!(made.success(), "ffmpeg made nothing of {arguments:?}");
    std::fs::read(&path).expect("a file")
}

pub fn base64(bytes: &[u8]) -> String {
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

impl Session<'_> {
    /// Sends and answers the message's id.
    #[track_caller]
    pub fn says(&self, body: Value) -> impl Future<Output = String> {
        let (caller, path) = (self.caller.clone(), self.path("/send"));
        async move {
            let sent = caller.post(&path, body).await.ok();
            sent["messageId"].as_str().expect("an id").to_owned()
        }
    }

    /// This session's first event of that type about a message.
    pub async fn until_told(&self, kind: &str, message_id: &str) -> Value {
        self.until_events(kind, |events| {
            events.iter().find(|event| event["data"]["messageId"] == message_id).cloned()
        })
        .await
    }
}

impl Phone<'_> {
    /// Waits until the phone shows that message.
    pub async fn until_has(&self, id: &str) -> Value {
        self.until_is(id, |_| true).await
    }

    /// Waits until that message looks so.
    pub async fn until_is(&self, id: &str, looks: impl Fn(&Value) -> bool) -> Value {
        until(&format!("the phone shows {id}"), || async {
            let inbox = self.inbox().await;
            let shown = inbox["messages"].as_array().expect("messages");
            shown.iter().find(|message| message["id"] == id && looks(message)).cloned()
        })
        .await
    }
}

/// The phone writes; answers the message's id.
pub async fn writes(shop: &Tenant, phone: &Phone<'_>, body: Value) -> String {
    let sent = shop.test.post(&phone.path("/messages"), body).await.ok();
    sent["messageId"].as_str().expect("an id").to_owned()
}

/// What of `wanted` is otherwise in `shown`.
#[track_caller]
pub fn shows(shown: &Value, wanted: Value) {
    for (field, value) in wanted.as_object().expect("an object") {
        assert_eq!(&shown[field], value, "{field} of {shown}");
    }
}
