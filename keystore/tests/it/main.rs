//! The keystore, proven on both engines.
//!
//! | file | what it proves |
//! |---|---|
//! | [`model`] | whatever the client does, it reads what whatsapp-rust's own memory would say |
//! | [`crash`] | killed at any instant, its Signal sessions still work, and no counter is used twice |
//! | [`torn`] | any copy of the files is whole, and has all of a batch or nothing |
//! | [`rows`] | sealed, one session's alone, gone when forgotten |
//! | [`speed`] | the figures; ignored unless asked for |

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on panics; one that measures says what"
)]

mod crash;
mod engine;
mod model;
mod peer;
mod rows;
mod speed;
mod torn;
