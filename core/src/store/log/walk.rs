//! A way through the log, from the newest message to older ones, whose position can be kept.
//!
//! What arrives meanwhile is newer than where it began, so it disturbs nobody.

use std::collections::VecDeque;

use super::gather::Gathered;
use super::wanted::{Part, Wanted};
use super::{FOUND_LOOKED_AT_MAX, LOOKED_AT_MAX, Result, STRETCH};
use crate::id::MessageKey;
use crate::store::TenantStore;
use crate::store::messages::{MessageFilter, MessageRow};
use crate::store::search::{Finder, Searched};

/// Messages that a search found and nobody has read yet: some 30 bytes each. Few at first, which are found
/// soon; then many, because Postgres finds all of them again each time.
pub(super) const AHEAD_MAX: i64 = 32_768;
const AHEAD_MIN: i64 = 16;
/// Rows that are read by their keys at a time.
pub(super) const BY_KEY: usize = 256;

#[derive(Debug)]
pub struct Walk {
    pub(super) wanted: Wanted,
    pub(super) search: Search,
    /// Everything from here on was looked at.
    pub(super) before: Option<MessageKey>,
    is_over: bool,
    pub(super) searched: Option<Searched>,
}

#[derive(Debug)]
pub(super) enum Search {
    None,
    /// There is one, and nothing is found.
    Vain,
    Finds(Box<Ahead>),
}

/// What a search has found and was not looked at.
#[derive(Debug)]
pub(super) struct Ahead {
    pub finder: Finder,
    keys: VecDeque<MessageKey>,
    /// How often it was asked: for more each time.
    asked: u32,
}

impl Walk {
    pub(super) async fn begin(
        store: &TenantStore,
        filter: &MessageFilter,
        before: Option<&MessageKey>,
    ) -> Result<Self> {
        let wanted = Wanted::of(store, filter, &store.numbers_in_log(filter).await?);
        let (search, searched) = match &filter.search {
            None => (Search::None, None),
            Some(query) => {
                let searched = store.catch_up().await?;
                let search = match Finder::of(store, query, wanted.from.clone()).await? {
                    Some(finder) => {
                        Search::Finds(Box::new(Ahead { finder, keys: VecDeque::new(), asked: 0 }))
                    }
                    None => Search::Vain,
                };
                (search, Some(searched))
            }
        };
        let before = before.into_iter().chain(&wanted.to).min().cloned();
        Ok(Self { wanted, search, before, is_over: false, searched })
    }

    /// At most `limit` messages more. Fewer, or none, do not mean that it is the end: see
    /// [`Self::position`].
    pub async fn next(&mut self, limit: i64) -> Result<Vec<MessageRow>> {
        if self.is_over {
            return Ok(vec![]);
        }
        if matches!(self.search, Search::Finds(_)) {
            return self.next_found(limit).await;
        }
        if matches!(self.search, Search::Vain) {
            self.is_over = true;
            return Ok(vec![]);
        }
        let mut gathered = Gathered::up_to(limit);
        let mut looked_at = 0;
        while !self.is_over && looked_at < LOOKED_AT_MAX {
            let part = Part { before: self.before.as_ref(), from: self.wanted.from.as_ref() };
            let end =
                if self.wanted.is_indexed() { None } else { self.wanted.stretch(part, STRETCH).await? };
            let stretch = Part { from: end.as_ref().or(part.from), ..part };
            gathered.read_on(&self.wanted, stretch, 0).await?;
            if gathered.is_full() {
                self.before = gathered.rows.last().map(|row| row.key.clone());
                return Ok(gathered.rows);
            }
            looked_at += STRETCH;
            self.is_over = end.is_none();
            self.before = end;
        }
        Ok(gathered.rows)
    }

    async fn next_found(&mut self, limit: i64) -> Result<Vec<MessageRow>> {
        let Search::Finds(ahead) = &mut self.search else { return Ok(vec![]) };
        let mut gathered = Gathered::up_to(limit);
        let mut looked_at = 0;
        while !gathered.is_full() && looked_at < FOUND_LOOKED_AT_MAX {
            if ahead.keys.is_empty() {
                let wish = limit.max(AHEAD_MIN) << (3 * ahead.asked).min(12);
                ahead.keys = ahead.finder.keys(self.before.as_ref(), wish.min(AHEAD_MAX), 0).await?.into();
                ahead.asked += 1;
            }
            let left = usize::try_from(gathered.wish()).unwrap_or(BY_KEY);
            // Only as many as are wanted, where every one of them will do.
            let most = if self.wanted.takes_all() { left.min(BY_KEY) } else { BY_KEY };
            let keys: Vec<MessageKey> = ahead.keys.drain(..ahead.keys.len().min(most)).collect();
            let Some(oldest) = keys.last() else {
                self.is_over = true;
                break;
            };
            looked_at += i64::try_from(keys.len()).unwrap_or(FOUND_LOOKED_AT_MAX);
            let stopped_at = gathered.read_among(&self.wanted, &keys).await?;
            self.before = Some(stopped_at.as_ref().unwrap_or(oldest).clone());
            if let Some(last) = stopped_at {
                // They are found again, and looked at next.
                for key in keys.into_iter().filter(|key| *key < last).rev() {
                    ahead.keys.push_front(key);
                }
            }
        }
        Ok(gathered.rows)
    }

    /// Read on before this message; `None` at the end of the log.
    pub fn position(&self) -> Option<&MessageKey> {
        self.before.as_ref().filter(|_| !self.is_over)
    }

    /// With a search: how much of the log it covers.
    pub fn searched(&self) -> Option<Searched> {
        self.searched
    }
}

pub(super) fn count_of(rows: &[MessageRow]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}
