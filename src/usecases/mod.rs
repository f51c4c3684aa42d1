//! What a caller can do: the rules of every call, whichever front it came through.
//!
//! | file | what |
//! |---|---|
//! | `send/` | one message: what it says, and the messages that it names |

pub mod send;
