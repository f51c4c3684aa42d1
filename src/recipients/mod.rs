//! A caller's list of recipients: JSON, CSV or XLSX, read with limits.
//!
//! Blocking work: it is called off the threads that serve. What a file is, its content says, never its
//! name.
//!
//! | file | what |
//! |---|---|
//! | `json` | an array of numbers and objects |
//! | `csv` | delimiters, encodings and headers as spreadsheets write them |
//! | `xlsx` | the same from a workbook, which is a zip, which may be a bomb |
//! | `table` | rows of cells, whichever file they came from |

use std::io::Read as _;
use std::path::Path;

pub use wapid_core::recipient::Rules;
use wapid_core::recipient::{List, RowError};

mod csv;
mod json;
mod table;
mod xlsx;

pub use json::from_json;

/// Why a list was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("row {row}: {why}")]
    BadRow { row: u32, why: String },
    #[error("{0}")]
    BadFile(String),
    #[error("{0}")]
    BadJson(String),
}

impl ListError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Row(RowError::TooMany { .. }) => "TOO_MANY_RECIPIENTS",
            Self::Row(RowError::TooLarge { .. }) => "LIST_TOO_LARGE",
            Self::Row(RowError::TooManyNames { .. }) => "TOO_MANY_FIELDS",
            Self::BadRow { .. } | Self::BadJson(_) => "INVALID_RECIPIENTS",
            Self::BadFile(_) => "INVALID_FILE",
        }
    }

    fn file(why: impl Into<String>) -> Self {
        Self::BadFile(why.into())
    }
}

impl From<std::io::Error> for ListError {
    fn from(problem: std::io::Error) -> Self {
        Self::BadFile(format!("the file does not read: {problem}"))
    }
}

/// Reads a CSV or XLSX file.
///
/// # Errors
/// [`ListError`].
pub fn from_file(path: &Path, rules: Rules) -> Result<List, ListError> {
    let mut start = Vec::new();
    std::fs::File::open(path)?.take(8).read_to_end(&mut start)?;
    let is = |magic: &[u8]| start.starts_with(magic);
    if start.is_empty() {
        Err(ListError::file("the file is empty"))
    } else if is(b"PK\x03\x04") {
        xlsx::read(path, rules)
    } else if is(b"\xd0\xcf\x11\xe0") {
        Err(ListError::file("an old Excel file (.xls); save it as .xlsx or .csv"))
    } else if is(b"%PDF") || is(b"\x89PNG") || is(b"\xff\xd8\xff") || is(b"GIF8") || is(b"\x1f\x8b") {
        Err(ListError::file("neither CSV nor XLSX"))
    } else {
        csv::read(path, rules)
    }
}
