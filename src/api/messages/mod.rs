//! The message log.
//!
//! | file | what |
//! |---|---|
//! | `row` | one message as a caller sees it |
//! | `query` | which of them: the filters that every reading route takes |
//! | `list` | pages of them, newest first |

pub mod list;
pub mod query;
pub mod row;
