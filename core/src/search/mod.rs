//! Finding messages by what they say. Pure.
//!
//! A message becomes a [`Document`], a sequence of terms; what somebody types becomes a [`Query`] over
//! such terms. The databases only keep and compare terms that were made here, so both find the same, and
//! nothing that anybody types reaches their own query languages.
//!
//! - Case, accents and the shapes of letters do not count (`fold`).
//! - A word is letters and digits. All words of a query must be there; the last one may go on, as somebody
//!   types it. Words between quotes stand side by side, in that order; so do the parts of `invoice-7.pdf`.
//! - Scripts that put no spaces between words are cut into pairs of characters, so any part of a text is
//!   found that has them in that order.
//! - A symbol such as an emoji is a word of its own. Punctuation is not looked for.
//! - A number is found in any spelling; that of the other party also by its last digits.
//!
//! | file | what |
//! |---|---|
//! | `fold` | which letters are the same |
//! | `token` | where words begin and end |
//! | `document` | what of a message is looked at |
//! | `query` | what somebody types |
//! | `spelling` | in which other ways the same word is written |

mod document;
mod fold;
mod query;
mod spelling;
mod token;

pub use document::{Document, Searchable};
pub(crate) use fold::fold;
pub use query::{Clause, Phrase, Query, QueryError, TYPED_MAX};

/// The letters by which a word is told from others; Postgres and our statements have limits.
const WORD_MAX: usize = 64;

/// What is looked for, and what a message has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// A word, a pair of characters, or a symbol: nothing but letters, digits and symbols.
    Word(String),
    /// The digits of a number from behind, so that it is found by its last ones.
    FromBehind(String),
}

impl Term {
    fn word(text: impl Iterator<Item = char>) -> Self {
        Self::Word(text.take(WORD_MAX).collect())
    }

    fn from_behind(digits: &str) -> Self {
        Self::FromBehind(digits.chars().rev().take(WORD_MAX).collect())
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Word(text) | Self::FromBehind(text) => text,
        }
    }
}
