//! Rows of a list that are read together: a list that is asked for in rows is bounded in bytes as well.
//!
//! How large rows are is asked first, which costs the engines little: they know it without the text.

/// Bytes of rows that are read at a time, but for a single row that has more.
pub const ROWS_BYTES: i64 = 1 << 20;

/// A part of a list.
#[derive(Debug)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// The next row would have been too much.
    pub is_cut: bool,
}

/// How many of rows of these sizes are read together, and whether that leaves some: always one.
pub(super) fn readable(sizes: impl IntoIterator<Item = i64>) -> (i64, bool) {
    let (mut left, mut count) = (ROWS_BYTES, 0);
    for size in sizes {
        if size > left && count > 0 {
            return (count, true);
        }
        left = (left - size).max(0);
        count += 1;
    }
    (count, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_fit_and_always_one() {
        assert_eq!(readable([]), (0, false));
        assert_eq!(readable([1, 2, 3]), (3, false));
        assert_eq!(readable([2 * ROWS_BYTES]), (1, false));
        assert_eq!(readable([2 * ROWS_BYTES, 1]), (1, true));
        assert_eq!(readable([ROWS_BYTES - 1, 1, 1]), (2, true));
    }
}
