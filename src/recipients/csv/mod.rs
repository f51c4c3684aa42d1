//! CSV as spreadsheets write it: any usual delimiter, any usual encoding.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::Rules;

use super::columns::Row;
use super::encoding::{Charset, MixedRows, Taken, decode_dos, encoding_of};
use super::mixed::MixedDecoder;
use super::seen::is_number;
use super::table::Table;
use super::{Format, ListError, ListOptions, ReadAs, ReadList};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How much is looked at to tell the delimiter.
const SAMPLE: u64 = 64 << 10;
/// How many rows of it.
const SAMPLE_ROWS: usize = 30;
/// How many cells of a row may be phones.
const PHONES_LOOKED_AT: usize = 50;
/// The longest row, in bytes.
const ROW_MAX: usize = 64 << 10;

pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let mut file = File::open(path)?;
    let taken = match &options.encoding {
        Some(label) => Taken { charset: Charset::parse(label)?, is_assumed: false },
        None => encoding_of(&mut file, rules.country)?,
    };
    let mut sample = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
    let text = taken.charset.decode(&sample);
    if text.contains('\0') {
        return Err(ListError::file(
            "the file is not text, and no list that is known here; save it as CSV or XLSX",
        ));
    }
    let said = said_delimiter(&text);
    let within = unwrapped(&text);
    let delimiter = said.unwrap_or_else(|| delimiter_of(within.as_deref().unwrap_or(&text), rules.country));
    file.seek(SeekFrom::Start(0))?;
    let mut decoded = Decoded::new(BufReader::new(file), taken.charset, delimiter);
    if said.is_some() {
        decoded.pass_over_a_line();
    }
    // That line is one for whoever looks at the file.
    let passed = u64::from(said.is_some());
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(decoded);
    let mut table = Table::new(rules, options);
    let mut record = csv::StringRecord::new();
    loop {
        let line = u32::try_from(reader.position().line() + passed).unwrap_or(u32::MAX);
        let read = reader.read_record(&mut record);
        if let Some(row) = reader.get_ref().open_quote() {
            return Err(ListError::BadRow { row, why: "a quote is not closed".to_owned() });
        }
        match read {
            Ok(true) => {}
            Ok(false) => break,
            Err(problem) => return Err(ListError::BadRow { row: line, why: problem.to_string() }),
        }
        // The reader takes the blank lines before a record for a part of it, an editor does not.
        let broken = record.iter().map(|cell| cell.matches('\n').count()).sum::<usize>() as u64;
        let line = (reader.position().line() + passed).saturating_sub(1 + broken);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        if record.as_slice().len() > ROW_MAX {
            let why = format!("longer than {ROW_MAX} bytes; is a quote not closed?");
            return Err(ListError::BadRow { row: line, why });
        }
        if within.is_some() && record.len() == 1 {
            record = cells_within(&record[0], delimiter);
        }
        let cells = record.iter().map(|cell| without_guard(cell).to_owned()).collect();
        table.push_row(Row { line, cells, is_hidden: false, uncalculated: Vec::new() })?;
    }
    let other_encoding = reader.get_ref().other_encoding();
    let (list, columns) = table.finish()?;
    let read_as = ReadAs {
        other_encoding,
        encoding: Some(taken.charset.name()),
        is_encoding_assumed: taken.is_assumed,
        delimiter: Some(char::from(delimiter)),
        ..ReadAs::of(Format::Csv, columns)
    };
    Ok(ReadList { list, read_as })
}

/// The apostrophe that an export, ours among them, puts before what a spreadsheet would calculate.
fn without_guard(cell: &str) -> &str {
    let guarded = cell.trim_start().strip_prefix('\'');
    guarded
        .filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']))
        .unwrap_or(cell)
}

/// What Excel itself writes above a list: `sep=;`
fn said_delimiter(text: &str) -> Option<u8> {
    let line = text.trim_start_matches('\u{feff}').lines().next()?;
    let line = line.trim_matches(['"', ' ', '\r']);
    let said = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    match said.as_bytes() {
        [one] if !one.is_ascii_alphanumeric() && *one != b'"' => Some(*one),
        b"\\t" => Some(b'\t'),
        _ => None,
    }
}

/// The one that makes most rows of equally many cells: titles above a list have none of it, and texts in it
/// have commas. Of two that do, the one that parts phone numbers from the rest.
fn delimiter_of(text: &str, country: Option<Country>) -> u8 {
    let score = |delimiter: u8| {
        let mut widths: HashMap<usize, usize> = HashMap::new();
        let mut phones: HashMap<usize, usize> = HashMap::new();
        for record in records_of(text, delimiter) {
            *widths.entry(record.len()).or_default() += 1;
            for (at, cell) in record.iter().enumerate().take(PHONES_LOOKED_AT) {
                let is_phone = is_number(cell, country) && Phone::parse(cell, country).is_ok();
                *phones.entry(at).or_default() += usize::from(is_phone);
            }
        }
        let split = widths.into_iter().filter(|(width, _)| *width > 1);
        let (rows, width) = split.map(|(width, rows)| (rows, width)).max().unwrap_or((0, 0));
        // A phone or two may stand within a text.
        let phones = phones.into_values().max().unwrap_or(0);
        (rows, width > 1 && phones * 2 >= rows, width)
    };
    let scores = DELIMITERS.map(score);
    let best = scores.iter().enumerate().max_by_key(|(place, score)| (**score, DELIMITERS.len() - place));
    best.map_or(b',', |(place, _)| DELIMITERS[place])
}

fn records_of(text: &str, delimiter: u8) -> impl Iterator<Item = csv::StringRecord> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    reader.into_records().take(SAMPLE_ROWS).flatten()
}

/// Some programs take a row for one text: `"Ana,""+55 11 90000-0001"",Rio"`. Of such a file, its rows.
fn unwrapped(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // The last line of a sample may be cut.
    let whole = &lines[..lines.len().min(SAMPLE_ROWS)];
    let is_wrapped = |line: &&str| line.len() > 2 && line.starts_with('"') && line.ends_with('"');
    if !whole.iter().all(is_wrapped) {
        return None;
    }
    let is_one_text =
        DELIMITERS.iter().all(|delimiter| records_of(text, *delimiter).all(|row| row.len() == 1));
    let rows: Vec<String> = records_of(text, b',').filter_map(|row| Some(row.get(0)?.to_owned())).collect();
    let has_cells = rows.iter().all(|row| row.bytes().any(|byte| DELIMITERS.contains(&byte)));
    (is_one_text && has_cells && !rows.is_empty()).then(|| rows.join("\n"))
}

/// The cells of a row that was one text.
fn cells_within(row: &str, delimiter: u8) -> csv::StringRecord {
    records_of(row, delimiter).next().unwrap_or_default()
}

/// Where a quoted field stands open. The reader takes the end of the file for the field's, and every row
/// after a stray quote for a part of it.
struct Quotes {
    delimiter: u8,
    place: Place,
    line: u32,
    /// The line of the quote that is open.
    open: Option<u32>,
}

enum Place {
    /// A quote here opens a field; anywhere else outside quotes it is a character.
    FieldStart,
    Unquoted,
    Quoted,
    /// The field's end, or the first of two quotes that mean one.
    AfterQuote,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, place: Place::FieldStart, line: 1, open: None }
    }

    fn see(&mut self, byte: u8) {
        let ends = byte == self.delimiter || byte == b'\n';
        self.place = match self.place {
            Place::Quoted if byte == b'"' => Place::AfterQuote,
            Place::Quoted => Place::Quoted,
            Place::AfterQuote if byte == b'"' => Place::Quoted,
            Place::FieldStart if byte == b'"' => {
                self.open = Some(self.line);
                Place::Quoted
            }
            _ if ends => Place::FieldStart,
            _ => Place::Unquoted,
        };
        if !matches!(self.place, Place::Quoted | Place::AfterQuote) {
            self.open = None;
        }
        self.line = self.line.saturating_add(u32::from(byte == b'\n'));
    }
}

/// Whatever encoding and line ends, as UTF-8 with a plain newline after each row, a piece at a time. (The reader counts
/// lines one short where they end in two characters.)
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about what was read last")]
struct Decoded<R> {
    from: R,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    read: usize,
    quotes: Quotes,
    /// Spaces after a delimiter: a quote that follows opens a field all the same.
    held_spaces: usize,
    /// The first line says what the delimiter is, and no more.
    is_passing_over: bool,
    /// The last character was a carriage return: what follows decides what it was.
    after_return: bool,
    is_row_open: bool,
    is_over: bool,
}

enum Decoder {
    Known(encoding_rs::Decoder),
    Dos(u16),
    Mixed(Box<MixedDecoder>, String),
}

impl Decoder {
    fn decode(&mut self, bytes: &[u8], is_last: bool) -> String {
        match self {
            Self::Known(decoder) => {
                let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(4 * bytes.len() + 16);
                let mut text = String::with_capacity(room);
                let _ = decoder.decode_to_string(bytes, &mut text, is_last);
                text
            }
            Self::Dos(page) => {
                let mut text = String::with_capacity(2 * bytes.len());
                decode_dos(*page, bytes, &mut text);
                text
            }
            Self::Mixed(decoder, _) => decoder.decode(bytes, is_last),
        }
    }
}

impl<R: Read> Decoded<R> {
    fn new(from: R, charset: Charset, delimiter: u8) -> Self {
        let decoder = match charset {
            Charset::Known(encoding) => Decoder::Known(encoding.new_decoder_with_bom_removal()),
            Charset::Dos(page) => Decoder::Dos(page),
            Charset::MostlyUtf8(legacy) => {
                let other = legacy.charset();
                Decoder::Mixed(Box::new(MixedDecoder::new(other)), other.name())
            }
        };
        Self {
            from,
            decoder,
            held_spaces: 0,
            is_passing_over: false,
            input: vec![0; 32 << 10],
            output: Vec::new(),
            read: 0,
            quotes: Quotes::new(delimiter),
            after_return: false,
            is_row_open: false,
            is_over: false,
        }
    }

    /// Rows so far that are in another encoding than the rest.
    fn other_encoding(&self) -> Option<MixedRows> {
        match &self.decoder {
            Decoder::Mixed(decoder, encoding) => {
                Some(MixedRows { encoding: encoding.clone(), rows: decoder.others.clone() })
            }
            Decoder::Known(_) | Decoder::Dos(_) => None,
        }
    }

    /// The line of a quote that nothing closes up to the end.
    fn open_quote(&self) -> Option<u32> {
        self.quotes.open.filter(|_| self.is_over)
    }

    fn pass_over_a_line(&mut self) {
        self.is_passing_over = true;
        self.quotes.line += 1;
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let size = self.from.read(&mut self.input)?;
        self.is_over = size == 0;
        let text = self.decoder.decode(&self.input[..size], self.is_over);
        (self.output, self.read) = (Vec::with_capacity(text.len() + 1), 0);
        for byte in text.into_bytes() {
            if std::mem::take(&mut self.after_return) && byte != b'\n' {
                // A lone one ends a row, as old Macintosh programs write it.
                self.put(b'\n');
            }
            if byte == b'\r' {
                self.after_return = true;
            } else {
                self.put(byte);
            }
        }
        if self.is_over {
            self.put_spaces();
        }
        let last = self.output.last().copied();
        self.is_row_open = last.map_or(self.is_row_open, |last| last != b'\n');
        if self.is_over && std::mem::take(&mut self.is_row_open) {
            self.output.push(b'\n');
            self.quotes.see(b'\n');
        }
        Ok(())
    }

    fn put(&mut self, byte: u8) {
        if self.is_passing_over {
            self.is_passing_over = byte != b'\n';
            return;
        }
        if byte == b' ' && self.quotes.delimiter != b' ' && matches!(self.quotes.place, Place::FieldStart) {
            self.held_spaces += 1;
            return;
        }
        if self.held_spaces > 0 {
            if byte == b'"' {
                self.held_spaces = 0;
            }
            self.put_spaces();
        }
        self.output.push(byte);
        self.quotes.see(byte);
    }

    fn put_spaces(&mut self) {
        for _ in 0..std::mem::take(&mut self.held_spaces) {
            self.output.push(b' ');
            self.quotes.see(b' ');
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.output.len() && !self.is_over {
            self.fill()?;
        }
        let size = into.len().min(self.output.len() - self.read);
        into[..size].copy_from_slice(&self.output[self.read..self.read + size]);
        self.read += size;
        Ok(size)
    }
}

#[cfg(test)]
mod tests;
