//! How a list was read, as its owner can check it: the answer's `list`.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::recipient::{Fields, List, NewRecipient};

use crate::recipients::{ReadAs, ReadColumns};

/// People that an answer shows.
const PEOPLE_SHOWN: usize = 3;

/// What the list was taken for, and the first people of it as they were read. Look at it before a large job:
/// what is `…Assumed` was nowhere said
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListReading {
    /// `json`, `csv`, `xlsx`, `xls`, `ods`, `vcard`, `html` or `xml` (Excel's of 2003)
    #[schema(example = "xlsx")]
    format: &'static str,
    /// The file's name within a zip
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_file: Option<String>,
    /// The sheet of the workbook that was read
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Customers")]
    sheet: Option<String>,
    /// Sheets that hold lists as well and were not read; `sheet` names one
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_sheets: Vec<String>,
    /// Hidden sheets, which are not read
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden_sheets: Vec<String>,
    /// The heading of the column of phone numbers
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "WhatsApp No")]
    phone_column: Option<String>,
    /// No heading says so; its values look like phone numbers
    #[serde(skip_serializing_if = "is_false")]
    phone_column_assumed: bool,
    /// Columns of phone numbers that are read where the first is empty
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_phone_columns: Vec<OtherPhoneColumn>,
    /// Columns that hold the beginning of the numbers, or the country they belong to, such as `Country Code`
    /// and `DDD`: numbers were read together with them
    #[serde(skip_serializing_if = "Vec::is_empty")]
    number_part_columns: Vec<NumberPartColumn>,
    /// Columns of phone numbers of tables that stand beside the first one, with the same headings. They were not
    /// read
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_tables: Vec<String>,
    /// Numbers that no country's numbering plan knows. They are written to, because plans change; look whether
    /// they are phone numbers at all
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_numbers: Option<RowsRead>,
    /// What `{{name}}` reads
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "First Name")]
    name_column: Option<String>,
    /// The row that names the columns; none in a list without headings
    #[serde(skip_serializing_if = "Option::is_none")]
    header_row: Option<u32>,
    /// Of a text file
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "windows-1252")]
    encoding: Option<String>,
    /// Nothing in the file says its encoding, it looks so; `encoding` says another
    #[serde(skip_serializing_if = "is_false")]
    encoding_assumed: bool,
    /// Rows that are in another encoding than the rest
    #[serde(skip_serializing_if = "Option::is_none")]
    other_encoding: Option<OtherEncoding>,
    /// What parts the columns of a CSV
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = ";")]
    delimiter: Option<String>,
    /// Whose code numbers without one got
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "BR")]
    country: Option<String>,
    /// Rows that are hidden or filtered out, which are not written to unless `includeHidden` says so
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_rows: Option<RowsRead>,
    /// Columns that are hidden, whose values are left out unless a text names them
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hidden_columns: Vec<String>,
    /// Fields that no text names and that do not fit, for as many recipients
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread_fields: Vec<UnreadField>,
    /// The first three people, as they were read
    people: Vec<ReadPerson>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OtherPhoneColumn {
    #[schema(example = "Home Phone")]
    column: String,
    /// How many people have their number there
    recipients: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NumberPartColumn {
    #[schema(example = "Country Code")]
    column: String,
    /// How many people's number it has changed
    recipients: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RowsRead {
    count: usize,
    /// The first twenty
    rows: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OtherEncoding {
    #[schema(example = "windows-1252")]
    encoding: String,
    count: usize,
    /// The first twenty
    rows: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UnreadField {
    field: String,
    recipients: usize,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReadPerson {
    row: u32,
    #[schema(example = "919876543210")]
    phone: String,
    /// What `{{name}}` reads
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Ana")]
    name: Option<String>,
    fields: BTreeMap<String, String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl ListReading {
    pub fn of(read_as: ReadAs, list: &List, country: Option<String>) -> Self {
        let ReadColumns {
            header_row,
            phone,
            is_phone_assumed,
            other_phones,
            joined,
            other_tables,
            name,
            hidden_rows,
            hidden_columns,
        } = read_as.columns;
        let people =
            list.recipients.iter().take(PEOPLE_SHOWN).map(|one| ReadPerson::of(one, name.as_deref()));
        let other = |(column, recipients)| OtherPhoneColumn { column, recipients };
        let unread = list.unread.iter().map(|(field, recipients)| (field.clone(), *recipients));
        Self {
            format: read_as.format.name(),
            packed_file: read_as.packed_file,
            sheet: read_as.sheet,
            other_sheets: read_as.other_sheets,
            hidden_sheets: read_as.hidden_sheets,
            people: people.collect(),
            phone_column: phone,
            phone_column_assumed: is_phone_assumed,
            other_phone_columns: other_phones.into_iter().map(other).collect(),
            number_part_columns: joined
                .into_iter()
                .map(|(column, recipients)| NumberPartColumn { column, recipients })
                .collect(),
            other_tables,
            unknown_numbers: (list.unplanned.count > 0)
                .then(|| RowsRead { count: list.unplanned.count, rows: list.unplanned.first.clone() }),
            name_column: name,
            header_row,
            encoding: read_as.encoding,
            encoding_assumed: read_as.is_encoding_assumed,
            other_encoding: read_as.other_encoding.map(|other| OtherEncoding {
                encoding: other.encoding,
                count: other.rows.count,
                rows: other.rows.first,
            }),
            delimiter: read_as.delimiter.map(String::from),
            country,
            hidden_rows: (hidden_rows.count > 0)
                .then_some(RowsRead { count: hidden_rows.count, rows: hidden_rows.rows }),
            hidden_columns,
            unread_fields: unread.map(|(field, recipients)| UnreadField { field, recipients }).collect(),
        }
    }
}

impl ReadPerson {
    fn of(one: &NewRecipient, name_column: Option<&str>) -> Self {
        let json = one.fields.as_deref().unwrap_or("{}");
        let known = Fields::parse(json);
        let name = known.get("name").or_else(|| known.get(name_column?)).map(str::to_owned);
        let fields = serde_json::from_str(json).unwrap_or_default();
        Self { row: one.row, phone: one.phone.digits().to_owned(), name, fields }
    }
}
