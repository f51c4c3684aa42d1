//! A spreadsheet's cell as somebody would type it.

use std::time::Duration;

use calamine::{Data, DataRef, ExcelDateTime};
use wapid_core::recipient::VALUE_MAX;

pub fn text_of(value: &DataRef) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::String(text) | DataRef::DurationIso(text) => beginning(text),
        DataRef::SharedString(text) => beginning(text),
        DataRef::DateTimeIso(text) => beginning(text.strip_suffix("T00:00:00").unwrap_or(text)),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(moment) => moment_text(moment),
    }
}

/// The same of a workbook that is read whole.
pub fn text_of_data(value: &Data) -> String {
    match value {
        Data::Empty | Data::Error(_) => String::new(),
        Data::String(text) | Data::DurationIso(text) => beginning(text),
        Data::DateTimeIso(text) => beginning(text.strip_suffix("T00:00:00").unwrap_or(text)),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number_text(*number),
        Data::Bool(value) => value.to_string(),
        Data::DateTime(moment) => moment_text(moment),
    }
}

/// Enough of a text to tell that it is too long. A row's cells may all name one of many megabytes.
pub fn beginning(text: &str) -> String {
    let text = text.trim();
    text[..text.floor_char_boundary(VALUE_MAX + 4)].to_owned()
}

/// With the 15 digits that a spreadsheet keeps: what it shows as 0.3 it may hold as 0.30000000000000004. A
/// phone number has no more.
pub fn number_text(number: f64) -> String {
    let kept = format!("{number:.14e}").parse().unwrap_or(number);
    // No number is "-0".
    if kept == 0.0 { "0".to_owned() } else { kept.to_string() }
}

/// `2026-03-09`, `2026-03-09T18:30:00`, `18:30:00`; of a duration `26:30:00`.
fn moment_text(moment: &ExcelDateTime) -> String {
    let days = moment.as_f64();
    if moment.is_duration() {
        let seconds = Duration::try_from_secs_f64(days.abs() * 86_400.0).unwrap_or_default();
        let seconds = (seconds + Duration::from_millis(500)).as_secs();
        let sign = if days < 0.0 { "-" } else { "" };
        return format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    match (hour, minute, second) {
        // No date at all: before the first one there is.
        _ if days < 1.0 => time,
        (0, 0, 0) => date,
        _ => format!("{date}T{time}"),
    }
}
