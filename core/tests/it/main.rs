//! What the store promises, on both engines.
//!
//! Postgres comes from `WAPID_TEST_POSTGRES`, a server where databases may be made
//! (`tests/support/postgres.sh start DIR` prints one). Without it the Postgres half fails, unless
//! `WAPID_TEST_SQLITE_ONLY=1` says that this is meant.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod accept;
#[path = "../../../tests/support/authority.rs"]
mod authority;
mod certificates;
mod changes;
mod chats;
mod crash;
mod erase;
mod events;
mod fixture;
mod groups;
mod isolation;
mod jobs;
mod leases;
mod log;
mod media;
mod messages;
mod open;
#[path = "../../../tests/support/pgbouncer.rs"]
mod pgbouncer;
mod pooler;
mod receive;
mod retention;
mod search;
mod sessions;
mod settle;
mod silence;
#[path = "../../../tests/support/stalling.rs"]
mod stalling;
mod tenants;
