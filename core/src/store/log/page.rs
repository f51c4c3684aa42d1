//! One page of the log, and how many rows there are in all.
//!
//! Rows are counted up to a number, because counting a log of millions takes longer than reading a page of
//! it. Beyond that the total says "at least".

use super::gather::Gathered;
use super::walk::{AHEAD_MAX, BY_KEY, Search, Walk, count_of};
use super::wanted::Part;
use super::{COUNTED_MAX, FOUND_LOOKED_AT_MAX, FOUND_MAX, LOOKED_AT_MAX, Page, Result, STRETCH, Total};
use crate::id::MessageKey;
use crate::store::search::Finder;

struct Read {
    gathered: Gathered,
    total: Total,
    /// The log was not looked at to its end: read on before this one.
    stopped_at: Option<MessageKey>,
}

impl Total {
    fn of(counted: i64, most: i64) -> Self {
        Self { count: counted.min(most), is_exact: counted <= most }
    }
}

pub(super) async fn read(walk: &Walk, limit: i64, offset: i64) -> Result<Page> {
    let Read { gathered, total, stopped_at } = match &walk.search {
        Search::Vain => Read { gathered: Gathered::up_to(limit), total: Total::of(0, 0), stopped_at: None },
        Search::Finds(ahead) if walk.wanted.takes_all() => found(walk, &ahead.finder, limit, offset).await?,
        Search::Finds(ahead) => found_and_tried(walk, &ahead.finder, limit, offset).await?,
        Search::None if walk.wanted.is_indexed() => indexed(walk, limit, offset).await?,
        Search::None => tried(walk, limit, offset).await?,
    };
    let (is_full, is_cut, rows) = (gathered.is_full(), gathered.is_cut, gathered.rows);
    let last = rows.last().filter(|_| is_full).map(|row| row.key.clone());
    // Whoever has read further than is counted is not told of less.
    let read = if rows.is_empty() { 0 } else { offset + count_of(&rows) };
    let total = Total { count: total.count.max(read), ..total };
    Ok(Page { rows, total, next: last.or(stopped_at), is_cut, searched: walk.searched })
}

async fn indexed(walk: &Walk, limit: i64, offset: i64) -> Result<Read> {
    let part = Part { before: walk.before.as_ref(), from: walk.wanted.from.as_ref() };
    let mut gathered = Gathered::up_to(limit);
    gathered.read_on(&walk.wanted, part, offset).await?;
    // The first page of a short log is its own count.
    let counted = if offset == 0 && !gathered.is_full() {
        count_of(&gathered.rows)
    } else {
        walk.wanted.count(part, COUNTED_MAX + 1).await?
    };
    Ok(Read { gathered, total: Total::of(counted, COUNTED_MAX), stopped_at: None })
}

/// Stretch by stretch: each is counted, and read where the page lies in it.
async fn tried(walk: &Walk, limit: i64, offset: i64) -> Result<Read> {
    let (mut gathered, mut counted, mut skip, mut looked_at) = (Gathered::up_to(limit), 0, offset, 0);
    let mut before = walk.before.clone();
    loop {
        let part = Part { before: before.as_ref(), from: walk.wanted.from.as_ref() };
        let end = walk.wanted.stretch(part, STRETCH).await?;
        let stretch = Part { from: end.as_ref().or(part.from), ..part };
        let here = walk.wanted.count(stretch, STRETCH).await?;
        counted += here;
        if skip >= here {
            skip -= here;
        } else {
            gathered.read_on(&walk.wanted, stretch, skip).await?;
            skip = 0;
        }
        looked_at += STRETCH;
        if end.is_none() {
            return Ok(Read { gathered, total: Total::of(counted, COUNTED_MAX), stopped_at: None });
        }
        // A full page does not wait for what is rare to be counted.
        let is_told = gathered.is_full() && (counted > COUNTED_MAX || looked_at >= COUNTED_MAX);
        if is_told || looked_at >= LOOKED_AT_MAX {
            let total = Total { count: counted.min(COUNTED_MAX), is_exact: false };
            return Ok(Read { gathered, total, stopped_at: end });
        }
        before = end;
    }
}

/// Everything that the search finds is wanted.
async fn found(walk: &Walk, finder: &Finder, limit: i64, offset: i64) -> Result<Read> {
    let before = walk.before.as_ref();
    let keys = finder.keys(before, limit, offset).await?;
    let mut gathered = Gathered::up_to(limit);
    if !keys.is_empty() {
        gathered.read_among(&walk.wanted, &keys).await?;
    }
    let counted = finder.count(before, FOUND_MAX + 1).await?;
    let is_full = i64::try_from(keys.len()).is_ok_and(|found| found == limit);
    let stopped_at = keys.last().filter(|_| is_full).cloned();
    Ok(Read { gathered, total: Total::of(counted, FOUND_MAX), stopped_at })
}

async fn found_and_tried(walk: &Walk, finder: &Finder, limit: i64, offset: i64) -> Result<Read> {
    let (mut wanted, mut looked_at) = (Vec::new(), 0);
    let mut before = walk.before.clone();
    let mut wish = AHEAD_MAX / 16;
    let stopped_at = loop {
        let keys = finder.keys(before.as_ref(), wish, 0).await?;
        wish = AHEAD_MAX;
        for keys in keys.chunks(BY_KEY) {
            wanted.append(&mut walk.wanted.keys_among(keys).await?);
        }
        looked_at += i64::try_from(keys.len()).unwrap_or(FOUND_LOOKED_AT_MAX);
        before = keys.last().cloned();
        let count = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
        if before.is_none() || count > FOUND_MAX || looked_at >= FOUND_LOOKED_AT_MAX {
            break before;
        }
    };
    let counted = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    let total = Total { count: counted.min(FOUND_MAX), is_exact: stopped_at.is_none() };
    let mut gathered = Gathered::up_to(limit);
    let (offset, limit) =
        (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    let keys: Vec<MessageKey> = wanted.into_iter().skip(offset).take(limit).collect();
    if !keys.is_empty() {
        gathered.read_among(&walk.wanted, &keys).await?;
    }
    Ok(Read { gathered, total, stopped_at })
}
