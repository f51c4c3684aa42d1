//! Reading many messages, newest first: page by page, or on and on.
//!
//! Rows are found by one index. A condition that it does not know is tried row by row, in stretches of the
//! log, so that no statement runs for long; and one call looks at a bounded part of the log, so it may answer
//! less than was asked for although more is to come. It says so: there is a position to read on from. Nor does it read
//! more than [`ROWS_BYTES`](super::listed::ROWS_BYTES) at a time, for what strangers write may be long; it always reads one row.
//!
//! | file | what |
//! |---|---|
//! | `wanted` | a filter as conditions, and the index for it |
//! | `gather` | rows that are read together: so many, and so many bytes |
//! | `walk` | a way through the log, whose position can be kept |
//! | `page` | one page, and how many rows there are in all |

use super::messages::{MessageFilter, MessageRow};
use super::search::Searched;
use super::tx::values;
use super::{Result, TenantStore};
use crate::id::MessageKey;
use crate::phone::{Phone, Recipient};

mod gather;
mod page;
mod walk;
mod wanted;

pub use walk::Walk;

use gather::Gathered;
use wanted::Wanted;

/// Rows that one statement tries.
const STRETCH: i64 = 5_000;
/// Rows that one call looks at.
const LOOKED_AT_MAX: i64 = 1_000_000;
/// And of what a search finds, where other conditions are to be tried.
const FOUND_LOOKED_AT_MAX: i64 = 100_000;
/// Rows are counted up to here.
pub const COUNTED_MAX: i64 = 100_000;
/// And those that a search finds up to here; so deep its pages go.
pub const FOUND_MAX: i64 = 10_000;

/// A part of the log.
#[derive(Debug)]
pub struct Page {
    pub rows: Vec<MessageRow>,
    pub total: Total,
    /// Read on before this one; `None` at the end of the log.
    pub next: Option<MessageKey>,
    /// It ends before `limit` because its rows are so large.
    pub is_cut: bool,
    /// With a search: how much of the log it covers.
    pub searched: Option<Searched>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    pub count: i64,
    /// `false`: there are at least so many.
    pub is_exact: bool,
}

impl TenantStore {
    /// A way through the messages before `before`, or from the newest on.
    pub async fn walk(&self, filter: &MessageFilter, before: Option<&MessageKey>) -> Result<Walk> {
        Walk::begin(self, filter, before).await
    }

    /// Newest first: rows `offset..offset + limit`, and how many there are in all. A search has pages for
    /// its first [`FOUND_MAX`] rows.
    pub async fn page(&self, filter: &MessageFilter, limit: i64, offset: i64) -> Result<Page> {
        let walk = self.walk(filter, None).await?;
        page::read(&walk, limit, offset).await
    }

    /// The same, for who only wants rows and their number.
    pub async fn messages_page(
        &self,
        filter: &MessageFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<MessageRow>, i64)> {
        let page = self.page(filter, limit, offset).await?;
        Ok((page.rows, page.total.count))
    }

    /// Which spellings of the people that a filter names the log has. Nearly always it is one, and then rows
    /// come in the order of its index.
    async fn numbers_in_log(&self, filter: &MessageFilter) -> Result<Vec<Phone>> {
        const KNOWN: &str =
            "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3 LIMIT 1";
        let person = filter.chat.as_ref().and_then(Recipient::phone);
        let mut known = Vec::new();
        for phone in filter.phone.iter().chain(person) {
            let spellings = phone.spellings();
            for spelling in spellings.iter().filter(|_| spellings.len() > 1) {
                let place = values![spelling.digits(), self.tenant.as_str(), self.mode.as_str()];
                if !self.store.db.rows::<(MessageKey,)>(KNOWN, place).await?.is_empty() {
                    known.push(spelling.clone());
                }
            }
        }
        Ok(known)
    }

    /// Those of some messages that are messages of their own, newest first, as many as are read at a time; and the
    /// oldest of them that was looked at, where not all were.
    pub async fn messages_by_key(
        &self,
        keys: &[MessageKey],
    ) -> Result<(Vec<MessageRow>, Option<MessageKey>)> {
        let mut gathered = Gathered::up_to(i64::try_from(keys.len()).unwrap_or(i64::MAX));
        if keys.is_empty() {
            return Ok((vec![], None));
        }
        let wanted = Wanted::of(self, &MessageFilter::default(), &[]);
        let stopped_at = gathered.read_among(&wanted, keys).await?;
        Ok((gathered.rows, stopped_at))
    }

    /// Newest first, older than `before`. Costs the same however deep it reads.
    pub async fn messages_before(
        &self,
        filter: &MessageFilter,
        before: Option<&MessageKey>,
        limit: i64,
    ) -> Result<Vec<MessageRow>> {
        self.walk(filter, before).await?.next(limit).await
    }
}
