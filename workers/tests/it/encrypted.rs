//! A Redis with TLS: wake-ups go through it, and to nobody else who answers there.

use std::path::Path;
use std::time::Duration;

use wapid_core::clock::Clock;
use wapid_workers::{Queue, Wakeups};

use crate::authority::{Authority, self_signed};
use crate::fixture::Place;
use crate::redis_tls::{LockedRedis, PASSWORD};

fn place(url: String, authority: Option<&Path>) -> Place {
    let mut place = Place::at(&url).in_real_time();
    place.queue = Queue::Redis { url, authority: authority.map(Path::to_owned) };
    place
}

async fn arrives(place: &Place, patience: Duration) -> bool {
    let (wakeups, seen, running) = place.run().await;
    wakeups.wake("session:main", place.now()).await;
    let woken = seen.comes("session:main", patience).await;
    running.stop().await;
    woken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wake_ups_go_through_a_redis_with_tls_that_proves_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Our authority");
    let ca = authority.file(folder.path());
    let redis = LockedRedis::start(Some(&authority.vouch(folder.path(), "127.0.0.1"))).await;
    let url = redis.url("rediss", PASSWORD);
    assert!(arrives(&place(url.clone(), Some(&ca)), Duration::from_secs(30)).await);

    let lone = self_signed(folder.path(), "127.0.0.1", false);
    let redis = LockedRedis::start(Some(&lone)).await;
    let named = place(redis.url("rediss", PASSWORD), Some(&lone.certificate));
    assert!(arrives(&named, Duration::from_secs(30)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_does_not_prove_who_it_is_gets_nothing() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let authority = Authority::new("Our authority");
    let ca = authority.file(ours.path());
    let stranger = Authority::new("Somebody").file(theirs.path());
    let redis = LockedRedis::start(Some(&authority.vouch(ours.path(), "127.0.0.1"))).await;
    let elsewhere = LockedRedis::start(Some(&authority.vouch(theirs.path(), "queue.example"))).await;
    let plain = LockedRedis::start(None).await;
    for (url, whom) in [
        (redis.url("rediss", PASSWORD), Some(stranger.as_path())),
        // The system trusts nobody of the kind.
        (redis.url("rediss", PASSWORD), None),
        (elsewhere.url("rediss", PASSWORD), Some(&ca)),
        (plain.url("rediss", PASSWORD), Some(&ca)),
        (redis.url("redis", PASSWORD), None),
    ] {
        assert!(!arrives(&place(url.clone(), whom), Duration::from_secs(3)).await, "{url} {whom:?}");
    }
}

#[tokio::test]
async fn a_setting_that_would_weaken_tls_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, nonsense) = (folder.path().join("empty.pem"), folder.path().join("nonsense.pem"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&nonsense, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (url, authority, wanted) in [
        ("rediss://:hush@queue.example/#insecure", None, "#insecure"),
        ("rediss://:hush@queue.example", Some(empty.as_path()), "holds no certificates"),
        ("rediss://:hush@queue.example", Some(&nonsense), "holds no certificates"),
        ("rediss://:hush@queue.example", Some(Path::new("/no/such/file")), "cannot read /no/such/file"),
        ("redis://:hush@queue.example", Some(&empty), "begin with rediss://"),
        ("https://:hush@queue.example", None, "not a Redis URL"),
    ] {
        let queue = Queue::Redis { url: url.to_owned(), authority: authority.map(Path::to_owned) };
        let told = format!("{:#}", Wakeups::open(queue, "here", Clock::System).await.err().unwrap());
        assert!(told.contains(wanted), "{url}: {told}");
        assert!(!told.contains("hush"), "{told}");
    }
}
