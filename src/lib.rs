//! A self-hosted, multi-tenant WhatsApp gateway.
//!
//! `main -> run -> api -> session -> link`; see ARCHITECTURE.md for the map and the invariants.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | every setting, from flags and environment |
//! | [`run`] | the parts, put together and taken apart |
//! | [`cli`] | everything but serving: tenants, keys, the sandbox alone, the demo |
//! | [`api`] | HTTP |
//! | `caller` | who is calling, and which rows are theirs |
//! | [`session`] | long-lived numbers |
//! | [`delivery`] | events on their way to webhooks |
//! | [`link`] | a live connection to a WhatsApp network |
//! | [`media`] | files: taken in, kept sealed, given out |
//! | [`outgoing`] | what is fetched on behalf of a tenant |
//! | [`preview`] | what a link in a text leads to, as it is shown below it |
//! | `portrait` | a picture made fit for a profile |
//! | `listen` | an address to listen on, as people write it |
//! | `recipients` | lists of people: JSON, CSV, XLSX |
//! | [`qr`] | a QR as PNG, SVG or terminal blocks |
//! | `usecases` | what a caller can do, whichever front it came through |
//! | [`telemetry`] | logs and metrics |

pub mod api;
mod caller;
pub mod cli;
pub mod config;
pub mod delivery;
mod descriptors;
mod door;
pub mod link;
mod listen;
pub mod media;
pub mod outgoing;
mod portrait;
pub mod preview;
pub mod qr;
mod recipients;
pub mod run;
mod serve;
pub mod session;
pub mod telemetry;
mod usecases;
