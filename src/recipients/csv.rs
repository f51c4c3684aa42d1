//! CSV as spreadsheets write it: any usual delimiter, any usual encoding.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use wapid_core::recipient::{List, Rules};

use super::ListError;
use super::table::Table;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How much is looked at to tell delimiter and encoding.
const SAMPLE: u64 = 64 << 10;
/// The longest row, in bytes.
const ROW_MAX: usize = 64 << 10;

pub fn read(path: &Path, rules: Rules) -> Result<List, ListError> {
    let mut file = File::open(path)?;
    let mut sample = Vec::new();
    (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
    let encoding = encoding_of(&mut file, &sample)?;
    let text = encoding.decode(&sample).0;
    if text.contains('\0') {
        return Err(ListError::file("neither CSV nor XLSX"));
    }
    let delimiter = delimiter_of(&text);
    file.seek(SeekFrom::Start(0))?;
    let decoded = Decoded::new(BufReader::new(file), encoding, delimiter);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(decoded);
    let mut table = Table::new(rules);
    let mut record = csv::StringRecord::new();
    let mut cells: Vec<String> = Vec::new();
    loop {
        let line = u32::try_from(reader.position().line()).unwrap_or(u32::MAX);
        let read = reader.read_record(&mut record);
        if let Some(row) = reader.get_ref().open_quote() {
            return Err(ListError::BadRow { row, why: "a quote is not closed".to_owned() });
        }
        match read {
            Ok(true) => {}
            Ok(false) => return Ok(table.finish()),
            Err(problem) => return Err(ListError::BadRow { row: line, why: problem.to_string() }),
        }
        // The reader takes the blank lines before a record for a part of it, an editor does not.
        let broken = record.iter().map(|cell| cell.matches('\n').count()).sum::<usize>() as u64;
        let line = u32::try_from(reader.position().line().saturating_sub(1 + broken)).unwrap_or(u32::MAX);
        if record.as_slice().len() > ROW_MAX {
            let why = format!("longer than {ROW_MAX} bytes; is a quote not closed?");
            return Err(ListError::BadRow { row: line, why });
        }
        cells.clear();
        cells.extend(record.iter().map(str::to_owned));
        table.push(line, &cells)?;
    }
}

/// By its mark; else UTF-8 if all of it is, and what Windows writes otherwise.
fn encoding_of(file: &mut File, sample: &[u8]) -> Result<&'static Encoding, ListError> {
    if let Some((encoding, _)) = Encoding::for_bom(sample) {
        return Ok(encoding);
    }
    file.seek(SeekFrom::Start(0))?;
    let (mut chunk, mut kept) = (vec![0; 64 << 10], 0);
    loop {
        let size = file.read(&mut chunk[kept..])?;
        let all = &chunk[..kept + size];
        match std::str::from_utf8(all) {
            Ok(_) if size == 0 => return Ok(UTF_8),
            Ok(_) => kept = 0,
            // A character that is cut by the chunk's end.
            Err(cut) if cut.error_len().is_none() && size > 0 => {
                let from = cut.valid_up_to();
                let end = kept + size;
                chunk.copy_within(from..end, 0);
                kept = end - from;
            }
            Err(_) => return Ok(WINDOWS_1252),
        }
    }
}

/// The one that the first line has most of, outside quotes.
fn delimiter_of(text: &str) -> u8 {
    let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let mut quoted = false;
    let mut counts = [0; DELIMITERS.len()];
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        if let Some(place) = DELIMITERS.iter().position(|d| !quoted && *d == byte) {
            counts[place] += 1;
        }
    }
    let most = counts.iter().enumerate().max_by_key(|(place, count)| (**count, DELIMITERS.len() - place));
    most.map_or(b',', |(place, _)| DELIMITERS[place])
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
struct Decoded<R> {
    from: R,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    read: usize,
    quotes: Quotes,
    /// The last character was a carriage return: what follows decides what it was.
    after_return: bool,
    is_row_open: bool,
    is_over: bool,
}

impl<R: Read> Decoded<R> {
    fn new(from: R, encoding: &'static Encoding, delimiter: u8) -> Self {
        Self {
            from,
            decoder: encoding.new_decoder_with_bom_removal(),
            input: vec![0; 32 << 10],
            output: Vec::new(),
            read: 0,
            quotes: Quotes::new(delimiter),
            after_return: false,
            is_row_open: false,
            is_over: false,
        }
    }

    /// The line of a quote that nothing closes up to the end.
    fn open_quote(&self) -> Option<u32> {
        self.quotes.open.filter(|_| self.is_over)
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let size = self.from.read(&mut self.input)?;
        self.is_over = size == 0;
        let room = self.decoder.max_utf8_buffer_length(size).unwrap_or(4 * size + 16);
        let mut text = String::with_capacity(room);
        let _ = self.decoder.decode_to_string(&self.input[..size], &mut text, self.is_over);
        (self.output, self.read) = (Vec::with_capacity(text.len() + 1), 0);
        for byte in text.into_bytes() {
            if std::mem::take(&mut self.after_return) && byte != b'\n' {
                // A lone one ends a row, as old Macintosh programs write it.
                self.output.push(b'\n');
            }
            if byte == b'\r' {
                self.after_return = true;
            } else {
                self.output.push(byte);
            }
        }
        let last = self.output.last().copied();
        self.is_row_open = last.map_or(self.is_row_open, |last| last != b'\n');
        if self.is_over && std::mem::take(&mut self.is_row_open) {
            self.output.push(b'\n');
        }
        self.output.iter().for_each(|byte| self.quotes.see(*byte));
        Ok(())
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { country: None, max: 100_000 };

    fn list(bytes: &[u8]) -> Result<List, ListError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        super::super::from_file(file.path(), RULES)
    }

    fn names(list: &List) -> Vec<&str> {
        list.recipients.iter().map(|one| one.fields.as_deref().unwrap_or("")).collect()
    }

    #[test]
    fn a_header_names_the_columns_whatever_separates_them() {
        for separator in [",", ";", "\t", "|"] {
            let text = format!(
                "Name{separator}Phone Number{separator}City\r\nAna{separator}+91 98765 43210{separator}\"Rio, RJ\"\r\n"
            );
            let list = list(text.as_bytes()).unwrap();
            assert_eq!(names(&list), [r#"{"City":"Rio, RJ","Name":"Ana"}"#], "{separator:?}");
            assert_eq!(list.recipients[0].row, 2);
        }
    }

    #[test]
    fn without_a_header_the_first_column_is_the_phone() {
        let list = list(b"919876543210,Ana\n\n919876543211\nhello,x\n").unwrap();
        assert_eq!(names(&list), [r#"{"name":"Ana"}"#, ""]);
        assert_eq!((list.recipients[1].row, list.problems[0].row, list.invalid), (3, 4, 1));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_by_its_row() {
        for (text, row) in [
            ("phone,name\n919876543210,\"Ana\n919876543211,Bia\n919876543212,Cy\n", 2),
            ("phone,name\r\n\r\n919876543210,Ana\r\n919876543211,\"Bia\r\n919876543212,Cy", 4),
            ("phone,name,city\n919876543210,\"A\nna\",\"Rio\n919876543211,Bia,\n", 3),
            ("phone,name\n919876543210,\"Ana \"\"the cook\"\"", 2),
            ("\"phone\",\"name\n919876543210,Ana\n", 1),
        ] {
            let refused = list(text.as_bytes()).unwrap_err();
            assert_eq!(refused.to_string(), format!("row {row}: a quote is not closed"), "{text}");
            assert_eq!(refused.code(), "INVALID_RECIPIENTS");
        }
        for text in [
            "phone,name\n919876543210,\"Ana\"",
            "phone,name\n919876543210,Ana \"the cook\n919876543211,5\" pipe\n",
            "phone,name\n919876543210,\"Ana\"x\n919876543211,\"\"\"\"\n",
            "phone;name\n919876543210;\"A,\n\"\"na\"\n919876543211;\"\"",
        ] {
            let read = list(text.as_bytes()).unwrap();
            let phones = text.matches("9198").count();
            assert_eq!(read.recipients.len(), phones, "{text}");
        }
        let swallowed = format!("phone,name\n\n919876543210,\"Ana\n{}", "919876543211,Bia\n".repeat(9_000));
        let refused = list(swallowed.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with("row 3: "), "{refused}");
    }

    #[test]
    fn a_lone_return_ends_a_row() {
        let list = list(b"phone,name\r919876543210,Ana\r919876543211,Bia\r").unwrap();
        assert_eq!(names(&list), [r#"{"name":"Ana"}"#, r#"{"name":"Bia"}"#]);
        assert_eq!((list.recipients[0].row, list.recipients[1].row), (2, 3));
    }

    #[test]
    fn every_usual_encoding_is_read() {
        let text = "phone,name\n919876543210,João\n";
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let latin: Vec<u8> = WINDOWS_1252.encode(text).0.into_owned();
        let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
        for bytes in [text.as_bytes(), &utf16, &latin, &marked] {
            assert_eq!(names(&list(bytes).unwrap()), [r#"{"name":"João"}"#]);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for bytes in [b"".as_slice(), b"%PDF-1.7", b"a\0b,c", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"] {
            assert_eq!(list(bytes).unwrap_err().code(), "INVALID_FILE");
        }
    }

    #[test]
    fn a_hundred_thousand_rows_are_read() {
        let text: String = std::iter::once("phone,name\n".to_owned())
            .chain((0..100_000).map(|n| format!("55119{n:08},Person {n}\n")))
            .collect();
        let list = list(text.as_bytes()).unwrap();
        assert_eq!((list.recipients.len(), list.problems.len()), (100_000, 0));
        assert!(list_is_refused_beyond_the_limit(&text));
    }

    fn list_is_refused_beyond_the_limit(text: &str) -> bool {
        list(format!("{text}919876543210\n").as_bytes()).is_err_and(|e| e.code() == "TOO_MANY_RECIPIENTS")
    }

    proptest! {
        /// As the reader itself sees it, which never says.
        #[test]
        fn an_open_quote_is_one_that_swallows_what_follows(text in "[a\"\",;\\n]{0,12}") {
            let mut quotes = Quotes::new(b',');
            text.bytes().for_each(|byte| quotes.see(byte));
            quotes.see(b'\n');
            let fields = |text: &str| {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                reader.records().map(|record| record.unwrap().len()).collect::<Vec<_>>()
            };
            // More fields than the text can have.
            let is_next = fields(&format!("{text}\nb{}", ",b".repeat(19))).last() == Some(&20);
            prop_assert_eq!(quotes.open.is_none(), is_next, "{:?}", text);
        }

        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = list(&bytes);
        }
    }
}
