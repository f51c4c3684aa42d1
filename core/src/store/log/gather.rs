//! Rows that are read together: so many, and so many bytes.
//!
//! How large rows are is asked before any is read, which costs the engines little: they know it without the text.

use super::wanted::{Part, Wanted};
use crate::id::MessageKey;
use crate::store::Result;
use crate::store::listed::ROWS_BYTES;
use crate::store::messages::MessageRow;

/// A row that is not read yet, and its bytes.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Sized {
    pub key: MessageKey,
    pub bytes: i64,
}

/// Newest first, as far as they were read.
#[derive(Debug)]
pub(super) struct Gathered {
    pub rows: Vec<MessageRow>,
    limit: i64,
    /// Bytes that may still be read.
    left: i64,
    /// The next row would be too much.
    pub is_cut: bool,
}

impl Gathered {
    pub(super) fn up_to(limit: i64) -> Self {
        Self { rows: vec![], limit, left: ROWS_BYTES, is_cut: false }
    }

    /// Rows that may still come.
    pub(super) fn wish(&self) -> i64 {
        self.limit - i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }

    /// So many rows as were asked for, or bytes as may be.
    pub(super) fn is_full(&self) -> bool {
        self.is_cut || self.wish() <= 0
    }

    /// How many of these, newest first, may be read.
    fn fitting(&mut self, sized: &[Sized]) -> usize {
        let mut count = 0;
        for one in sized.iter().take(usize::try_from(self.wish()).unwrap_or(0)) {
            if one.bytes > self.left && !(self.rows.is_empty() && count == 0) {
                self.is_cut = true;
                break;
            }
            self.left = (self.left - one.bytes).max(0);
            count += 1;
        }
        count
    }

    /// Reads on in a part of the log, after `offset` rows of it.
    pub(super) async fn read_on(&mut self, wanted: &Wanted, part: Part<'_>, offset: i64) -> Result<()> {
        if self.is_full() {
            return Ok(());
        }
        let sized = wanted.sizes(part, self.wish(), offset).await?;
        let count = self.fitting(&sized);
        let (Some(newest), Some(oldest)) = (sized.first(), sized[..count].last()) else { return Ok(()) };
        // Exactly these, whatever arrives meanwhile.
        let above = newest.key.just_above();
        let part = Part { before: Some(&above), from: Some(&oldest.key) };
        self.rows.append(&mut wanted.rows(part, i64::try_from(count).unwrap_or(i64::MAX)).await?);
        Ok(())
    }

    /// Reads those of some messages that are wanted. The oldest one that was looked at, where not all were.
    pub(super) async fn read_among(
        &mut self,
        wanted: &Wanted,
        keys: &[MessageKey],
    ) -> Result<Option<MessageKey>> {
        let sized = wanted.sizes_among(keys).await?;
        let count = self.fitting(&sized);
        let keys: Vec<MessageKey> = sized[..count].iter().map(|one| one.key.clone()).collect();
        if !keys.is_empty() {
            self.rows.append(&mut wanted.among(&keys).await?);
        }
        Ok(keys.last().filter(|_| count < sized.len()).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(bytes: &[i64]) -> Vec<Sized> {
        bytes.iter().map(|bytes| Sized { key: MessageKey("msg".into()), bytes: *bytes }).collect()
    }

    #[test]
    fn as_many_as_fit_and_always_one() {
        let fitting = |limit, bytes: &[i64]| {
            let mut gathered = Gathered::up_to(limit);
            (gathered.fitting(&sized(bytes)), gathered.is_cut)
        };
        assert_eq!(fitting(3, &[1, 2, 3]), (3, false));
        assert_eq!(fitting(2, &[1, 2, 3]), (2, false));
        assert_eq!(fitting(3, &[ROWS_BYTES, 1, 1]), (1, true));
        assert_eq!(fitting(3, &[2 * ROWS_BYTES, 1]), (1, true), "one is always read");
        assert_eq!(fitting(3, &[1, ROWS_BYTES]), (1, true));
        assert_eq!(fitting(3, &[]), (0, false));
    }
}
