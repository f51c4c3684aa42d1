//! A caller's list of recipients as its owner sees it, whatever program made the file.
//!
//! Blocking work, with limits on rows, bytes, memory and what a packed file unpacks to: it is called off
//! the threads that serve. What a file is, its content says, never its name. Hidden rows, columns and
//! sheets are left out, and what had to be assumed is said beside the list.
//!
//! | file | what |
//! |---|---|
//! | `kind` | what a file is, and which reader it goes to |
//! | `csv`, `encoding`, `mixed` | delimiters, quotes, encodings and titles as spreadsheets write them |
//! | `xlsx`, `marks` | a workbook: its cells, and what of it is hidden |
//! | `formats` | numbers as a workbook shows them |
//! | `xls`, `ods`, `markup` | older Excel, LibreOffice, and tables in HTML or Excel's XML |
//! | `sheets`, `cells` | which sheet of a workbook is the list, and what its cells say |
//! | `packed` | a zip, which may be a bomb |
//! | `vcard` | contacts of phones |
//! | `json` | an array of numbers and objects |
//! | `table`, `columns`, `seen` | rows of cells, and what their columns hold |
//! | `joined`, `countries` | numbers whose country or area code stands in a column of its own |
//! | `headings` | what a column is called, in many languages |

use std::path::Path;

pub use wapid_core::recipient::Rules;
use wapid_core::recipient::{List, RowError};

mod cells;
mod columns;
mod countries;
mod csv;
mod encoding;
mod formats;
mod headings;
mod joined;
mod json;
mod kind;
mod marks;
mod markup;
mod mixed;
mod ods;
mod packed;
mod seen;
mod sheets;
mod table;
mod vcard;
mod xls;
mod xlsx;

pub use encoding::MixedRows;
pub use json::{check_is_list, from_json};
pub use table::ReadColumns;

/// What a caller says of a list, beside the list.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// The heading, or the letter, of the column of phone numbers.
    pub phone_column: Option<String>,
    /// The same of what `{{name}}` reads.
    pub name_column: Option<String>,
    pub sheet: Option<String>,
    pub encoding: Option<String>,
    /// Take in rows, columns and sheets that the owner does not see.
    pub include_hidden: bool,
}

/// A list, and how it was read.
#[derive(Debug)]
pub struct ReadList {
    pub list: List,
    pub read_as: ReadAs,
}

/// What a file was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAs {
    pub format: Format,
    /// The file's name within a zip.
    pub packed_file: Option<String>,
    pub sheet: Option<String>,
    /// Sheets that hold lists as well and were not read.
    pub other_sheets: Vec<String>,
    pub hidden_sheets: Vec<String>,
    pub encoding: Option<String>,
    pub is_encoding_assumed: bool,
    /// Rows in another encoding than the rest.
    pub other_encoding: Option<MixedRows>,
    pub delimiter: Option<char>,
    pub columns: ReadColumns,
}

impl ReadAs {
    pub fn of(format: Format, columns: ReadColumns) -> Self {
        Self {
            format,
            packed_file: None,
            sheet: None,
            other_sheets: Vec::new(),
            hidden_sheets: Vec::new(),
            encoding: None,
            is_encoding_assumed: false,
            other_encoding: None,
            delimiter: None,
            columns,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Csv,
    Xlsx,
    Xls,
    Ods,
    Vcard,
    Html,
    /// Excel's of 2003.
    SpreadsheetXml,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Xls => "xls",
            Self::Ods => "ods",
            Self::Vcard => "vcard",
            Self::Html => "html",
            Self::SpreadsheetXml => "xml",
        }
    }
}

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
    /// No column is the one that is wanted.
    #[error("{0}")]
    Column(String),
    #[error("{0}")]
    Sheet(String),
    #[error("{0}")]
    Encoding(String),
}

impl ListError {
    fn file(why: impl Into<String>) -> Self {
        Self::BadFile(why.into())
    }
}

impl From<std::io::Error> for ListError {
    fn from(problem: std::io::Error) -> Self {
        Self::BadFile(format!("the file does not read: {problem}"))
    }
}

/// Reads a file, whatever it is.
///
/// # Errors
/// [`ListError`].
pub fn from_file(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    kind::read(path, rules, options)
}
