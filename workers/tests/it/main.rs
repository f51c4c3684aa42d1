//! What the queue of wake-ups promises, on Redis and on SQLite.
//!
//! Redis comes from `WAPID_TEST_REDIS` (`tests/support/redis.sh start DIR` prints one). Without it the
//! Redis half fails, unless `WAPID_TEST_SQLITE_ONLY=1` says that this is meant. Tests that restart, stop
//! or fill a Redis, or count what is in it, start one of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::print_stdout, reason = "what was measured, for whoever runs one of them")]

mod apart;
#[path = "../../../tests/support/authority.rs"]
mod authority;
mod bounded;
mod crash;
mod encrypted;
mod fixture;
mod latency;
mod many;
mod outage;
mod poison;
#[path = "../../../tests/support/redis.rs"]
mod redis;
#[path = "../../../tests/support/redis_tls.rs"]
mod redis_tls;
mod stop;
mod times;
mod wire;
