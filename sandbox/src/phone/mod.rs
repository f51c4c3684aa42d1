//! A simulated phone: the primary device of an account, with keys, sessions and a screen.

pub(crate) mod appstate;
pub(crate) mod inbox;
pub(crate) mod keys;
pub(crate) mod receive;
pub(crate) mod retry;
pub(crate) mod send;
pub(crate) mod signal;
pub(crate) mod welcome;
