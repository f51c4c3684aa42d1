//! Send one message.
//!
//! | file | what |
//! |---|---|
//! | `content` | what a wish wants said: its fields, checked |
//! | `named` | messages that it names: answered, edited, taken back, forwarded |

pub mod content;
pub mod named;
