//! The one way to fetch something on behalf of a tenant.
//!
//! A tenant names a URL, and our machine goes there: so it must not be one that only our machine
//! reaches. A URL is vetted when it is given ([`Outgoing::check`], [`Outgoing::look_up`]) and again on
//! every connect, because a name may answer otherwise by then. What is dialled is an address that was
//! vetted, never a name. No proxy of the environment is used.
//!
//! Whatever the other side answers costs bounded time and memory: one deadline for everything, nothing
//! decompressed, and of the body only its first bytes ([`Outgoing::fetch`], which follows no redirect) or one
//! piece at a time up to a limit ([`Outgoing::download`], which follows a few, each vetted like the first).
//!
//! | file | what |
//! |---|---|
//! | `address` | which addresses are the internet |
//! | `allow` | what the operator lets through although they are not (`WAPID_SSRF_ALLOW`) |
//! | `target` | a URL that may be fetched, or why it may not |
//! | `names` | whose names are looked up, and how many at a time |
//! | `resolve` | names to vetted addresses, on every connect |
//! | `fetch` | the fetch itself |
//! | `download` | a file, streamed |
//! | `peer` | a machine that a tenant names for another protocol: a proxy |
//! | `hostile` | tests: what the other side may try |

mod address;
mod allow;
mod download;
mod fetch;
#[cfg(test)]
mod hostile;
mod names;
mod peer;
mod resolve;
mod target;

pub use allow::{Allow, AllowError};
pub use download::{Download, DownloadError, Wish};
pub use fetch::{ANSWER_KEPT, Answer, End, Failure, Order, Outgoing};
pub use names::Asker;
pub use peer::{Peer, PeerNames};
pub use target::{Refusal, Target};
