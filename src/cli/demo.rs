//! A tour on the sandbox: link a number, send, get an answer, write to forty. Leaves the gateway up.
//!
//! It can be taken again on the same data: phones, session and opt-out are found where they are.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use serde_json::{Value, json};
use wapid_core::clock::Clock;
use wapid_core::job::JobId;
use wapid_core::key::Mode;
use wapid_core::store::tenants::NewTenant;

use super::client::Client;
use super::watch::{self, Screen};
use super::{link, serve};
use crate::config::Config;
use crate::run::Gateway;

const TENANT: &str = "demo";
const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
/// Each step of the tour but the job takes well under a second on any machine.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Often enough for a bar that moves with every message.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The shop's customers; who has no name here gave none.
const CUSTOMERS: [&str; 40] = [
    "Bia", "Caio", "Davi", "Elisa", "", "Gabi", "Heitor", "Iara", "João", "Karina", "", "Lara", "Mateus",
    "Nina", "Otávio", "Paula", "Quim", "Rita", "Samuel", "Tereza", "", "Ugo", "Vera", "William", "Yara",
    "Zeca", "Alice", "Bento", "Clara", "", "Dora", "Enzo", "Flora", "Gil", "Helena", "Ivo", "Júlia", "Leo",
    "Malu", "Noel",
];
/// Places among the customers.
const FIRST: usize = 0;
const NAMELESS: usize = 4;
const OPTED_OUT: usize = 11;
const WRONG_NUMBER: usize = 23;

pub async fn tour(config: &Config) -> anyhow::Result<()> {
    let gateway = Gateway::start(config, Clock::System).await?;
    let url = format!("http://{}", gateway.address);
    let key = test_key(&gateway).await?;
    let api = Client::new(url.clone(), key.clone())?;
    println!(
        "wapid is up: {url}\nA tour on the sandbox, a WhatsApp network of its own. No phone, no internet.\n"
    );
    let toured = async {
        otp(&api).await?;
        let job = bulk(&api).await?;
        println!(
            "\nThe gateway stays up; stop it with Ctrl-C. Go on by hand:\n\n  \
             export WAPID_KEY={key}\n  \
             wapid job list --url {url}\n  \
             curl \"{url}/api/whatsapp/bulk-job/{job}/recipients?format=csv\" \\\n    \
             -H \"X-API-Key: $WAPID_KEY\"\n  \
             curl {url}/api/whatsapp/session/main/send -H \"X-API-Key: $WAPID_KEY\" \\\n    \
             -d '{{\"to\":\"{ANA}\",\"message\":\"Hello from curl\"}}'\n  \
             curl {url}/api/sandbox/phones/{ANA}/messages -H \"X-API-Key: $WAPID_KEY\"\n"
        );
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = toured => ended,
        stopped = serve::asked_to_stop() => stopped,
    };
    gateway.stop().await;
    ended
}

/// One number, one message, one answer.
async fn otp(api: &Client) -> anyhow::Result<()> {
    println!("1. Two phones join the sandbox: the shop's and Ana's");
    for (phone, name) in [(SHOP, "The Shop"), (ANA, "Ana")] {
        api.post("/api/sandbox/phones", json!({"phone": phone, "name": name})).await?;
    }

    println!("2. The shop links its number: POST /api/whatsapp/session {{\"sessionId\":\"main\"}}");
    api.post("/api/whatsapp/session", json!({"sessionId": "main"})).await?;
    let status = until(api, "/api/whatsapp/session/main/status", |s| {
        s["status"] == "ready" || s["qrText"].is_string()
    })
    .await?;
    if let Some(qr) = status["qrText"].as_str() {
        link::draw(qr);
        println!("\n3. The shop's phone scans it");
        api.post(&format!("/api/sandbox/phones/{SHOP}/scan"), json!({"qr": qr})).await?;
    } else {
        println!("3. It is linked since an earlier tour: no scan needed");
    }
    let status = until(api, "/api/whatsapp/session/main/status", |s| s["status"] == "ready").await?;
    println!("   ready as {}", status["phoneNumber"].as_str().unwrap_or_default());

    println!("4. An app sends an OTP: POST /api/whatsapp/session/main/send");
    let otp = json!({
        "to": ANA, "header": "Verification Code", "message": "Your OTP is *123456*.", "footer": "The Shop"
    });
    let sent = api.post("/api/whatsapp/session/main/send", otp).await?;
    println!("   {sent}");

    println!("5. Ana's phone decrypts and shows it, and Ana answers");
    let id = sent["messageId"].clone();
    let inbox = until(api, &format!("/api/sandbox/phones/{ANA}/messages"), |inbox| {
        inbox["messages"].as_array().is_some_and(|all| all.iter().any(|message| message["id"] == id))
    })
    .await?;
    let shown = inbox["messages"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    for line in shown["message"].as_str().unwrap_or_default().lines() {
        println!("   | {line}");
    }
    api.post(&format!("/api/sandbox/phones/{ANA}/read"), json!({"messageId": id})).await?;
    let answer = json!({"to": SHOP, "type": "text", "message": "Thank you!"});
    let answer = api.post(&format!("/api/sandbox/phones/{ANA}/messages"), answer).await?;

    println!("6. The message log: GET /api/whatsapp/messages");
    let log = until(api, "/api/whatsapp/messages?limit=20", |log| {
        let has = |want: &Value, status: &str| {
            log["messages"].as_array().is_some_and(|all| {
                all.iter().any(|message| message["messageId"] == *want && message["status"] == status)
            })
        };
        has(&id, "read") && has(&answer["messageId"], "received")
    })
    .await?;
    // A job of an earlier tour that was stopped in the middle goes on meanwhile.
    let two = [&id, &answer["messageId"]];
    for message in log["messages"].as_array().into_iter().flatten() {
        if !two.contains(&&message["messageId"]) {
            continue;
        }
        let field = |name: &str| message[name].as_str().unwrap_or_default().replace('\n', " / ");
        println!(
            "   {:<3} {:<9} {:<14} {}",
            field("direction"),
            field("status"),
            field("phone"),
            field("message")
        );
    }
    Ok(())
}

/// One message, forty people, and two who do not get it.
async fn bulk(api: &Client) -> anyhow::Result<JobId> {
    println!("7. Forty customers: one of them has no WhatsApp, another wants no offers");
    let customers: Vec<(String, &str)> =
        (1..).zip(CUSTOMERS).map(|(n, name)| (format!("55119000010{n:02}"), name)).collect();
    let on_whatsapp = customers.iter().enumerate().filter(|(place, _)| *place != WRONG_NUMBER);
    try_join_all(on_whatsapp.map(|(_, (phone, name))| {
        let name = if name.is_empty() { phone } else { *name };
        api.post("/api/sandbox/phones", json!({"phone": phone, "name": name}))
    }))
    .await?;
    let (phone, name) = &customers[OPTED_OUT];
    let stop = json!({"to": SHOP, "type": "text", "message": "STOP"});
    api.post(&format!("/api/sandbox/phones/{phone}/messages"), stop).await?;
    until(api, "/api/whatsapp/opt-outs", |list| {
        list["optOuts"].as_array().is_some_and(|all| all.iter().any(|one| one["phone"] == **phone))
    })
    .await?;
    println!("   {name} wrote \"STOP\" to the shop, and is left out from now on");

    println!("8. The shop writes to all of them: POST /api/whatsapp/session/main/send-bulk");
    let message = "Hello {{name|there}}, 30% off today!";
    println!("   \"{message}\"");
    println!("   One by one, with random pauses of 100 to 400 ms; the default is 2 to 5 s");
    let recipients: Vec<Value> =
        customers
            .iter()
            .map(|(phone, name)| {
                if name.is_empty() { json!({"phone": phone}) } else { json!({"phone": phone, "name": name}) }
            })
            .collect();
    let new = json!({
        "name": "30% off", "recipients": recipients, "message": message, "delayMin": 100, "delayMax": 400
    });
    let made = api.post("/api/whatsapp/session/main/send-bulk", new).await?;
    let job = made["jobId"].as_str().and_then(JobId::parse).context("send-bulk answers with a jobId")?;
    watch::watch(api, &job, &mut Screen::for_people(), LOOK_EVERY).await?;

    println!("9. Each phone shows its own, whoever gave no name included");
    for (phone, _) in [&customers[FIRST], &customers[NAMELESS]] {
        let inbox = api.get(&format!("/api/sandbox/phones/{phone}/messages")).await?;
        let shown = inbox["messages"].as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
        println!("   {phone} | {}", shown["message"].as_str().unwrap_or_default());
    }
    Ok(job)
}

async fn test_key(gateway: &Gateway) -> anyhow::Result<String> {
    let store = &gateway.store;
    if let Some(tenant) = store.find_tenant(TENANT).await? {
        let (_, key) = store.create_key(&tenant.id, Mode::Test, Some("demo")).await?;
        return Ok(key.reveal().to_owned());
    }
    let new = NewTenant {
        id: None,
        name: TENANT.to_owned(),
        time_zone: "UTC".to_owned(),
        daily_limit: None,
        session_limit: None,
    };
    let (_, _, test) = store.create_tenant(new).await?;
    Ok(test.reveal().to_owned())
}

/// Asks until the answer is what we wait for.
async fn until(api: &Client, path: &str, is: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let asked = async {
        loop {
            let answer = api.get(path).await?;
            if is(&answer) {
                return anyhow::Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(STEP_TIMEOUT, asked)
        .await
        .with_context(|| format!("{path} did not come to what was expected"))?
}
