//! What a caller sees of a database or a queue that does not answer, and how soon all is well again.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::app::{Database, Engine, TestApp, until};
use crate::authority::{Authority, self_signed};
use crate::process::home;
use crate::redis_tls::{LockedRedis, PASSWORD};
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

/// The line in which a gateway says that its queue of wake-ups fails.
async fn said_of(redis: &str, authority: Option<&std::path::Path>) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = crate::process::Home { redis: Some(redis.to_owned()), ..home(dir.path(), &database, None) };
    let mut command = home.command();
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    if let Some(authority) = authority {
        command.env("WAPID_REDIS_CA", authority);
    }
    let mut child = command.spawn().expect("wapid starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(Duration::from_secs(60), async {
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            assert!(!line.contains(PASSWORD), "{line}");
            if line.contains("fails; the sweep stands in") {
                return line;
            }
        }
        panic!("wapid ended");
    });
    let line = line.await.expect("it says so");
    child.kill().await.expect("it is ours");
    line
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_redis_is_not_believed_is_said_in_words_without_its_password() {
    let (ours, theirs) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let authority = Authority::new("Our authority");
    let ca = authority.file(ours.path());
    let stranger = Authority::new("Somebody").file(theirs.path());
    let good = LockedRedis::start(Some(&authority.vouch(ours.path(), "127.0.0.1"))).await;
    let misnamed = LockedRedis::start(Some(&authority.vouch(theirs.path(), "queue.example"))).await;
    let lone = self_signed(theirs.path(), "127.0.0.1", true);
    let lonely = LockedRedis::start(Some(&lone)).await;
    let plain = LockedRedis::start(None).await;
    for (url, whom, wanted) in [
        (good.url("rediss", PASSWORD), Some(&stranger), "nobody whom we trust"),
        (good.url("rediss", PASSWORD), None, "WAPID_REDIS_CA"),
        (misnamed.url("rediss", PASSWORD), Some(&ca), "for another name"),
        (lonely.url("rediss", PASSWORD), Some(&lone.certificate), "CA:FALSE"),
        (plain.url("rediss", PASSWORD), Some(&ca), "does not speak TLS"),
        (good.url("redis", PASSWORD), None, "rediss://"),
        (plain.url("redis", "hush-wrong"), None, "refuses the name or password"),
    ] {
        let line = said_of(&url, whom.map(std::path::PathBuf::as_path)).await;
        assert!(line.contains(wanted), "{wanted}: {line}");
    }
}
