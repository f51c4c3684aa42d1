//! Whatever happens to Redis: `wake` does not hold its caller up, and the queue comes back by itself.

use std::time::Duration;

use redis::AsyncCommands as _;
use tokio::time::Instant;
use wapid_workers::{Running, Wakeups};

use crate::fixture::{Place, Seen};
use crate::redis::Redis;
use crate::wire::Wire;

/// From the moment that Redis is back.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// What `wake` promises, and a little for a busy machine.
const PATIENCE: Duration = Duration::from_millis(2_500);

struct Gateway {
    place: Place,
    wakeups: Wakeups,
    seen: Seen,
    _running: Running,
}

impl Gateway {
    async fn start(url: &str) -> Self {
        let place = Place::at(url);
        let (wakeups, seen, running) = place.run().await;
        Self { place, wakeups, seen, _running: running }
    }

    /// Wakes, and says how long that took.
    async fn wake(&self, key: &str) -> Duration {
        let began = Instant::now();
        self.wakeups.wake(key, self.place.now()).await;
        let took = began.elapsed();
        assert!(took < PATIENCE, "a caller waited {took:?}");
        took
    }

    /// Waits until wake-ups are executed again. One that was put in too early may be lost.
    async fn until_it_works(&self) {
        let began = Instant::now();
        for nth in 0.. {
            let key = format!("{nth} after {}", self.seen.distinct());
            self.wake(&key).await;
            if self.seen.comes(&key, Duration::from_millis(700)).await {
                break;
            }
            assert!(began.elapsed() < BACK_WITHIN, "it does not come back");
        }
        println!("back after {:.1?}", began.elapsed());
        let before = self.seen.distinct();
        for n in 0..100 {
            self.wake(&format!("{n} once back, {before}")).await;
        }
        for n in 0..100 {
            self.seen.until(&format!("{n} once back, {before}")).await;
        }
        self.place.until_empty().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back_after_a_restart() {
    let mut redis = Redis::start().await;
    let gateway = Gateway::start(&redis.url()).await;
    gateway.until_it_works().await;
    redis.restart();
    gateway.wake("while it starts").await;
    redis.until_up().await;
    gateway.until_it_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_after_a_pause_and_nothing_of_before_is_lost() {
    let mut redis = Redis::start().await;
    let gateway = Gateway::start(&redis.url()).await;
    gateway.until_it_works().await;
    gateway.wakeups.wake("before", gateway.place.now().plus_ms(1)).await;
    redis.signal("STOP");
    let began = Instant::now();
    let mut waits = Vec::new();
    // Longer than any of our timeouts.
    while began.elapsed() < Duration::from_secs(6) {
        waits.push(gateway.wake("in between").await);
    }
    // The first finds out; the others need not.
    assert!(waits.len() > 20, "callers of a queue that is away waited {waits:?}");
    redis.signal("CONT");
    redis.until_up().await;
    gateway.place.clock.advance(Duration::from_millis(1));
    gateway.seen.until("before").await;
    gateway.until_it_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_after_everything_was_deleted() {
    let redis = Redis::start().await;
    let gateway = Gateway::start(&redis.url()).await;
    gateway.until_it_works().await;
    for _ in 0..3 {
        redis.ask("FLUSHALL").unwrap();
        gateway.until_it_works().await;
    }
    assert_eq!(gateway.place.workers().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_once_a_full_redis_has_room() {
    let redis = Redis::start().await;
    let gateway = Gateway::start(&redis.url()).await;
    gateway.until_it_works().await;
    for n in 0..50 {
        gateway.wakeups.wake(&format!("before {n}"), gateway.place.now().plus_ms(1)).await;
    }
    redis.ask("CONFIG SET maxmemory-policy noeviction").unwrap();
    redis.ask("CONFIG SET maxmemory 1").unwrap();
    gateway.place.clock.advance(Duration::from_millis(1));
    let mut redis_connection = gateway.place.redis_connection().await;
    let refused: Result<(), _> = redis_connection.set("anything", "more").await;
    assert!(refused.unwrap_err().to_string().contains("OOM"));
    gateway.wake("in between").await;
    assert!(!gateway.seen.comes("in between", Duration::from_millis(500)).await, "Redis is not full");
    redis.ask("CONFIG SET maxmemory 0").unwrap();
    gateway.until_it_works().await;
    for n in 0..50 {
        gateway.seen.until(&format!("before {n}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_begins_when_redis_begins() {
    let mut redis = Redis::start().await;
    redis.signal("STOP");
    let gateway = Gateway::start(&redis.url()).await;
    gateway.wake("before it began").await;
    redis.signal("CONT");
    redis.until_up().await;
    gateway.until_it_works().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_leave_no_workers_behind() {
    let redis = Redis::start().await;
    let gateway = Gateway::start(&redis.url()).await;
    let mut before = gateway.place.until_worker(&[]).await;
    for _ in 0..4 {
        redis.ask("CLIENT KILL TYPE normal SKIPME yes").unwrap();
        before = gateway.place.until_worker(&before).await;
    }
    gateway.until_it_works().await;
    assert_eq!(gateway.place.workers().await.len(), 1);
}

/// A dead connection that nobody closed: a failed-over host, a firewall that forgot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_leaves_a_connection_on_which_nobody_answers() {
    let redis = Redis::start().await;
    let wire = Wire::to(&redis.url(), Duration::ZERO).await;
    let gateway = Gateway::start(&wire.url()).await;
    gateway.until_it_works().await;
    wire.go_dead();
    gateway.until_it_works().await;
    assert_eq!(gateway.place.workers().await.len(), 1);
}
