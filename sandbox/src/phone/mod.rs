//! A simulated phone: the primary device of an account, with keys, sessions and a screen.
//!
//! Out: `message` (what it is told) -> `content`, `attach` (WhatsApp's terms) -> `send` (to whom) ->
//! `envelope`, `signal` (sealed). In: `receive` (opened) -> `arrive` (shown, or a `change`) -> `look`
//! (what it shows) -> `chats` (kept), `load` (its medium). When something did not work: `retry`,
//! `reupload`.

pub(crate) mod appstate;
mod arrive;
mod attach;
mod change;
pub(crate) mod chat;
pub(crate) mod chats;
mod content;
mod envelope;
pub(crate) mod group;
pub(crate) mod inbox;
pub(crate) mod keys;
pub(crate) mod load;
mod look;
pub(crate) mod message;
pub(crate) mod receive;
pub(crate) mod retry;
pub(crate) mod reupload;
pub(crate) mod send;
pub(crate) mod sender_keys;
pub(crate) mod signal;
pub(crate) mod ticks;
pub(crate) mod welcome;
