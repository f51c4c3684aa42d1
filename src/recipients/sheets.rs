//! Which sheet of a workbook is the list.
//!
//! The one that the caller names; else the one that is open where the workbook was saved, if it holds a
//! list; else the first that does. Hidden sheets, charts, and sheets of notes are passed over.

use calamine::{SheetType, SheetVisible};
use wapid_core::phone::Country;
use wapid_core::recipient::{Rules, shown};
use wapid_core::template::field_key;

use super::columns::{LOOKED_AT, Row, choose, is_list};
use super::table::Table;
use super::{Format, ListError, ListOptions, ReadAs, ReadList};

/// Sheets that are looked into.
const LOOKED_INTO: usize = 50;
/// Names that an error lists.
const NAMES_SHOWN: usize = 20;

/// A sheet of a workbook.
#[derive(Debug, Clone)]
pub struct Sheet {
    pub name: String,
    pub is_hidden: bool,
    /// Cells, and no chart.
    pub has_cells: bool,
}

impl From<&calamine::Sheet> for Sheet {
    fn from(sheet: &calamine::Sheet) -> Self {
        Self {
            name: sheet.name.clone(),
            is_hidden: sheet.visible != SheetVisible::Visible,
            has_cells: sheet.typ == SheetType::WorkSheet,
        }
    }
}

/// The sheet that is read, and those that are not.
#[derive(Debug, Default)]
struct PickedSheet {
    at: usize,
    /// They hold lists too.
    others: Vec<String>,
    hidden: Vec<String>,
}

/// Where rows go.
pub enum RowSink<'a> {
    Table(&'a mut Table),
    /// The first of them.
    Beginning(&'a mut Vec<Row>),
}

impl RowSink<'_> {
    pub fn begin(&mut self, hidden_columns: Vec<bool>) {
        if let Self::Table(table) = self {
            table.hide_columns(hidden_columns);
        }
    }

    /// Whether it wants more.
    pub fn take(&mut self, row: Row) -> Result<bool, ListError> {
        match self {
            Self::Table(table) => table.push_row(row).map(|()| true),
            Self::Beginning(rows) => {
                if !row.is_hidden {
                    rows.push(row);
                }
                Ok(rows.len() < LOOKED_AT)
            }
        }
    }
}

/// Reads the list of a workbook whose sheet at `open` was looked at last. `read` hands a sheet's rows to a sink.
pub fn read_list<E: From<ListError>>(
    format: Format,
    sheets: &[Sheet],
    open: usize,
    rules: &Rules,
    options: &ListOptions,
    mut read: impl FnMut(usize, &mut RowSink) -> Result<(), E>,
) -> Result<ReadList, E> {
    let PickedSheet { at, others, hidden } = pick(sheets, open, options, rules.country, &mut read)?;
    let mut table = Table::new(rules, options);
    read(at, &mut RowSink::Table(&mut table))?;
    let (list, columns) = table.finish()?;
    let read_as = ReadAs {
        sheet: Some(sheets[at].name.clone()),
        other_sheets: others,
        hidden_sheets: hidden,
        ..ReadAs::of(format, columns)
    };
    Ok(ReadList { list, read_as })
}

fn pick<E: From<ListError>>(
    sheets: &[Sheet],
    open: usize,
    options: &ListOptions,
    country: Option<Country>,
    mut read: impl FnMut(usize, &mut RowSink) -> Result<(), E>,
) -> Result<PickedSheet, E> {
    let hidden = sheets.iter().filter(|sheet| sheet.is_hidden && !options.include_hidden);
    let mut picked =
        PickedSheet { hidden: hidden.map(|sheet| sheet.name.clone()).collect(), ..PickedSheet::default() };
    if let Some(wanted) = &options.sheet {
        picked.at = named(sheets, wanted)?;
        return Ok(picked);
    }
    let is_open = |sheet: &Sheet| sheet.has_cells && (options.include_hidden || !sheet.is_hidden);
    let mut places: Vec<usize> = (0..sheets.len()).filter(|at| is_open(&sheets[*at])).collect();
    // The one that is open first, the others as they stand.
    places.sort_by_key(|at| *at != open);
    let Some(first) = places.first().copied() else {
        return Err(ListError::Sheet(if sheets.iter().any(|sheet| sheet.has_cells) {
            format!(
                "every sheet of the workbook is hidden; name one in sheet, or set includeHidden: {}",
                names_of(sheets)
            )
        } else {
            "the workbook has no sheet with cells".to_owned()
        })
        .into());
    };
    picked.at = first;
    if places.len() == 1 {
        return Ok(picked);
    }
    let mut lists = Vec::new();
    for at in places.into_iter().take(LOOKED_INTO) {
        let mut rows = Vec::new();
        read(at, &mut RowSink::Beginning(&mut rows))?;
        let is_list = match &options.phone_column {
            Some(_) => !rows.is_empty() && choose(&rows, options, &[], country).is_ok(),
            None => is_list(&rows, country),
        };
        if is_list {
            lists.push(at);
        }
    }
    if let Some((at, others)) = lists.split_first() {
        picked.at = *at;
        picked.others = others.iter().map(|at| sheets[*at].name.clone()).collect();
    }
    Ok(picked)
}

/// By its name, in any case, or by its place from 1.
fn named(sheets: &[Sheet], wanted: &str) -> Result<usize, ListError> {
    let wanted = wanted.trim();
    let exact = sheets.iter().position(|sheet| sheet.name == wanted);
    let alike = || sheets.iter().position(|sheet| field_key(&sheet.name) == field_key(wanted));
    let by_place = || {
        let place = wanted.parse::<usize>().ok()?.checked_sub(1)?;
        (place < sheets.len()).then_some(place)
    };
    let at = exact.or_else(alike).or_else(by_place).ok_or_else(|| {
        ListError::Sheet(format!(
            "sheet: no sheet is called {}; there are: {}",
            shown(wanted),
            names_of(sheets)
        ))
    })?;
    if sheets[at].has_cells {
        Ok(at)
    } else {
        Err(ListError::Sheet(format!("sheet: {} is a chart and has no cells", shown(wanted))))
    }
}

fn names_of(sheets: &[Sheet]) -> String {
    let names = sheets.iter().filter(|sheet| sheet.has_cells).map(|sheet| shown(&sheet.name));
    let names: Vec<String> = names.take(NAMES_SHOWN).collect();
    let more = if sheets.len() > NAMES_SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
