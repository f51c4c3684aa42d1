//! The gateway as its users meet it: HTTP on one side, phones of the sandbox on the other.
//!
//! One file per promise. A test arranges through [`app::TestApp`], acts through the public door and
//! asserts on what a user would see. Nothing sleeps to synchronise; [`app::until`] waits for a
//! condition with a deadline.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics; one that counts says what"
)]

mod addresses;
mod app;
mod architecture;
#[path = "../support/authority.rs"]
mod authority;
mod bad_input;
mod behind;
mod cli;
mod crash;
mod crowds;
mod description;
mod elsewhere;
mod faults;
mod freezes;
mod groups;
mod hooks;
mod hostile_words;
mod isolation;
mod jobs;
mod kinds;
mod link;
mod linking;
mod log;
mod lookups;
mod media;
mod metrics;
mod openapi;
mod operations;
mod outages;
mod people;
mod phones;
#[path = "../support/postgres.rs"]
mod postgres;
mod private_files;
mod process;
mod proxy;
mod receiver;
#[path = "../support/redis.rs"]
mod redis;
#[path = "../support/redis_tls.rs"]
mod redis_tls;
mod relinking;
mod routes;
mod sandbox_alone;
mod sending;
#[path = "../support/stalling.rs"]
mod stalling;
mod strictness;
mod traffic;
mod trust;
mod unreadable;
