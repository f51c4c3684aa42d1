//! What a caller sees of a database that does not answer, and how soon all is well again.

use std::time::{Duration, Instant};

use crate::app::{Engine, TestApp, until};
use crate::stalling::StallingProxy;

/// A firewall that forgets connections, a server that is stopped: what was sent is neither answered nor refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_is_told_and_left_behind() {
    let mut proxy = None;
    let app = TestApp::with(Engine::Postgres, |config| {
        let url = config.database_url();
        let (user, rest) = url.split_once('@').expect("a user");
        let (server, name) = rest.split_once('/').expect("a database");
        let way = StallingProxy::before(server);
        config.database_url = Some(format!("{user}@{}/{name}", way.address()).into());
        proxy = Some(way);
    })
    .await;
    let proxy = proxy.expect("a proxy");
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    session.send("5511900000002", "before").await.ok();
    until("ready", || async { shop.test.get("/readyz").await.status.is_success().then_some(()) }).await;

    proxy.fall_silent();
    let begun = Instant::now();
    let (answer, ready) = tokio::join!(session.send("5511900000002", "amid"), shop.test.get("/readyz"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(ready.status, 503);
    let told = answer.refused(500, "DATABASE_NOT_ANSWERING");
    assert!(told["retryAfter"].is_i64(), "{told}");

    proxy.let_new_ones_through();
    let begun = Instant::now();
    until("sends are answered again", || async {
        let answer = session.send("5511900000002", "after").await;
        answer.status.is_success().then_some(())
    })
    .await;
    until("ready", || async { shop.test.get("/readyz").await.status.is_success().then_some(()) }).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // What was not answered may have gone, and what went is there once.
    let inbox = shop.test.get("/api/sandbox/phones/5511900000002/messages").await.ok();
    let shown = |text: &str| {
        inbox["messages"].as_array().expect("messages").iter().filter(|one| one["message"] == text).count()
    };
    assert_eq!((shown("before"), shown("after")), (1, 1));
    assert!(shown("amid") <= 1);
}
