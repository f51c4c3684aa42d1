//! Who reads `/metrics`, and that the README names all that is there.

use std::collections::BTreeSet;

use serde_json::json;
use wapid::config::Config;

use crate::app::{Caller, Engine, TestApp, until};

const KEY: &str = "a-key-of-32-characters-and-more!";

async fn asked(url: &str, authorization: Option<&str>) -> (u16, String) {
    let request = reqwest::Client::builder().no_proxy().build().expect("a client").get(url);
    let request =
        authorization.iter().fold(request, |request, value| request.header("Authorization", *value));
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

/// The addresses that others on the network would dial.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: it only asks which way it would go.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_answer_their_own_machine_or_their_key() {
    let everywhere = |config: &mut Config| config.listen = "0.0.0.0:0".parse().expect("an address");
    let app = TestApp::with(Engine::Sqlite, everywhere).await;
    let port = app.gateway().address.port();
    assert_eq!(asked(&format!("http://127.0.0.1:{port}/metrics"), None).await.0, 200);
    // A machine without a network has no other way to itself.
    if let Some(ip) = own_address() {
        let (status, text) = asked(&format!("http://{ip}:{port}/metrics"), None).await;
        assert_eq!(status, 401, "{text}");
        assert!(text.contains("METRICS_KEY_NEEDED") && text.contains("WAPID_METRICS_KEY"), "{text}");
    }
    drop(app);

    let keyed = |config: &mut Config| config.metrics_key = Some(KEY.parse().expect("a key"));
    let app = TestApp::with(Engine::Sqlite, keyed).await;
    let shop = app.tenant("shop").await;
    let url = format!("{}/metrics", app.url());
    let tenant = format!("Bearer {}", shop.test.key);
    let shorter = format!("Bearer {}", &KEY[1..]);
    for wrong in [None, Some(tenant.as_str()), Some(&shorter), Some(KEY), Some("Basic Og=="), Some("Bearer ")]
    {
        let (status, text) = asked(&url, wrong).await;
        assert_eq!(status, 401, "{wrong:?}: {text}");
        assert!(text.contains("METRICS_KEY_NEEDED") && !text.contains(KEY), "{text}");
    }
    for right in [format!("Bearer {KEY}"), format!("bearer  {KEY}")] {
        assert_eq!(asked(&url, Some(&right)).await.0, 200, "{right}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_of_their_own_serves_metrics_and_nothing_else() {
    let apart =
        |config: &mut Config| config.metrics_listen = Some("127.0.0.1:0".parse().expect("an address"));
    let app = TestApp::with(Engine::Sqlite, apart).await;
    let there = app.gateway().metrics_address.expect("a listener");
    let (status, text) = asked(&format!("http://{there}/metrics"), None).await;
    assert_eq!(status, 200);
    assert!(text.contains("wapid_build_info{"), "{text}");
    for path in ["/openapi.json", "/healthz", "/api/whatsapp/sessions", "/"] {
        assert_eq!(asked(&format!("http://{there}{path}"), None).await.0, 404, "{path}");
    }
    Caller::new(app.url(), "").get("/metrics").await.refused(404, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_names_every_metric_and_no_other() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    session.send("5511900000002", "counted").await.ok();
    let job = json!({"recipients": ["5511900000002"], "message": "counted", "delayMax": 0, "delayMin": 0});
    shop.test.post("/api/whatsapp/session/main/send-bulk", job).await.ok();
    let counted = "wapid_job_recipients_total{outcome=\"sent\"}";
    until("a recipient is counted", || async {
        let text = shop.test.get("/metrics").await.text;
        let line = text.lines().find(|line| line.starts_with(counted))?.to_owned();
        (!line.ends_with(" 0")).then_some(())
    })
    .await;
    let text = shop.test.get("/metrics").await.text;
    let exposed: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| name.starts_with("wapid_"))
        .collect();
    let readme = include_str!("../../README.md");
    let (_, table) = readme.split_once("**Metrics**").expect("a table of metrics");
    let (table, _) = table.split_once("\n\n**").expect("its end");
    let named: BTreeSet<&str> = table.split('`').filter(|word| word.starts_with("wapid_")).collect();
    assert_eq!(named, exposed);
    for label in ["version=\"", "commit=\""] {
        let line = text.lines().find(|line| line.starts_with("wapid_build_info{")).expect("a build");
        assert!(line.contains(label), "{line}");
    }
    for wanted in ["wapid_connects_total{outcome=\"connected\"}", "wapid_wakeups_waiting "] {
        assert!(text.lines().any(|line| line.starts_with(wanted)), "{wanted}");
    }
}
