//! The message log.
//!
//! | file | what |
//! |---|---|
//! | `row` | one message as a caller sees it |
//! | `query` | which of them: the filters that every reading route takes |
//! | `list` | pages of them, newest first |
//! | `long` | a page that is too large to be held |
//! | `export` | all of them, as a file |
//! | `one` | one of them by its id, and erasing what it said |
//! | `since` | what became of one: its words, reactions and votes |

pub mod export;
pub mod list;
mod long;
pub mod one;
pub mod query;
pub mod row;
mod since;
