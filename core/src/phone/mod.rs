//! Phone numbers: what a person or a program writes, read once; and who is meant by it.
//!
//! Every door reads by [`Phone::parse`] or [`Recipient::parse`], with the home of whoever asks: the default
//! country of the request or of the tenant. So a list, a send and an opt-out cannot differ. What WhatsApp
//! itself writes is read by [`Phone::from_whatsapp`], digits as they stand.
//!
//! | file | what |
//! |---|---|
//! | `written` | a text without the debris of lists, links and address books: digits, and how they are meant |
//! | `link` | the number that a link of WhatsApp's names |
//! | `decimals` | a number without what a spreadsheet has made of it |
//! | `second` | what is no part of the number: a second one, and an extension |
//! | `doubts` | digits at either end that may be no part of the number |
//! | `reading` | the number that the digits mean |
//! | `plan` | what the world's numbering plans say: the one place that names the library |
//! | `spellings` | lines that have several numbers, because their country was renumbered |
//! | `number`, `recipient`, `country`, `error` | the types |
//!
//! # Which number is meant
//!
//! 1. Behind `+`, behind `00` or in a link of WhatsApp's stands a country code. What people write between it
//!    and the number, such as the 0 of `+44 07900…`, the `15` of `+54 11 15…` and the 8 of `+7 8…`, is left
//!    out where the number is valid without it and not with it. Italy and others keep their 0.
//! 2. Without such a sign, a number of the home country is looked for first: its code is put before the
//!    digits. So `9123456789` is India's there, and `55 3220-1234` is Brazil's.
//! 3. Where that is no valid number, the digits are read as they stand, and then as somebody would dial them
//!    from the home country (`011…`, `810…`).
//! 4. Where two readings are valid and nothing tells which is meant, the text is refused, with the advice to
//!    write `+` and the country code. That is so where the home's reading is a line that is no mobile, and the
//!    digits as they stand are a mobile of another country. If they are a mobile of the home country itself,
//!    as in `4915123456789` in Germany, they are that, because a landline would have its 0.
//!    It is so as well where the home's reading is a spelling that the country has given up, such as eight digits
//!    of a Brazilian mobile.
//! 5. Numbering plans change faster than any table. A number that no plan knows is taken as it stands if its
//!    length can be one, with the home's code if it is short. It belongs to nobody that a table knows.
//!
//! Nothing else is guessed. Whatever else stands in the text (an extension, a second number, decimals that are
//! no zeros, the index of a list) is a refusal that says what to write, because digits that are glued together are
//! somebody else's number.
//!
//! Whether somebody has the number, WhatsApp alone knows.

mod country;
mod decimals;
mod doubts;
mod error;
mod link;
mod number;
mod plan;
mod reading;
mod recipient;
mod second;
mod spellings;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_beside;
mod written;

pub use country::{Country, CountryError};
pub use error::PhoneError;
pub use number::Phone;
pub use recipient::Recipient;
