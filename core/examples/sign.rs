//! Signs events as webhooks are signed, for programs that verify: a JSON object per line in, the exact
//! request out.
//!
//! `{"secrets":["whsec_…"],"profile":"wapid","id":"evt_1","event":"message","at":1708243200000,"payload":{…}}`
//! becomes `{"body":"…","headers":{"webhook-id":"evt_1",…}}`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write as _, stdin, stdout};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wapid_core::clock::At;
use wapid_core::id::EventId;
use wapid_core::signature::{Delivery, Payload, Profile, Secret, Signed, sign};

#[derive(Deserialize)]
struct Order {
    secrets: Vec<String>,
    profile: String,
    id: EventId,
    event: String,
    at: At,
    payload: Value,
}

#[derive(Serialize)]
struct Request {
    body: String,
    headers: BTreeMap<String, String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in stdin().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let secrets: Vec<_> =
            order.secrets.iter().map(|text| Secret::parse(text)).collect::<Result<_, _>>()?;
        let profile = Profile::named(&order.profile).ok_or("no such profile")?;
        let payload = Payload::of(&order.payload)?;
        let delivery = Delivery { id: &order.id, event: &order.event, at: order.at, payload: &payload };
        let Signed { body, headers } = sign(delivery, &secrets, &profile);
        let request = Request { body, headers: headers.into_iter().collect() };
        writeln!(stdout(), "{}", serde_json::to_string(&request)?)?;
    }
    Ok(())
}
