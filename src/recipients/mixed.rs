//! UTF-8 with a few rows of another encoding, as when two exports were pasted into one file, or one was cut
//! off in the middle of a letter. The rows that are UTF-8 stay so, and the others are told.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};

use wapid_core::recipient::Rows;

use super::encoding::Charset;

/// The longest row that is decoded as one, in bytes.
const ROW_MAX: usize = 1 << 20;
/// How much of the rows in another encoding is kept to guess it.
const KEPT: usize = 256 << 10;
/// So many letters of a file are UTF-8 for one that is not. By chance no text of another encoding has such a
/// share, unless it is very short.
const SHARE: usize = 2;
/// A shorter one says nothing.
const LETTERS_MIN: usize = 4;

/// What of a file is UTF-8.
#[derive(Debug, Default)]
pub struct Mixture {
    letters: usize,
    broken: usize,
    /// The beginning of the rows that are not.
    pub others: Vec<u8>,
}

impl Mixture {
    pub fn of(file: &mut File) -> std::io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::new(file);
        let (mut mixture, mut row) = (Self::default(), Vec::new());
        loop {
            row.clear();
            let size = (&mut reader).take(ROW_MAX as u64).read_until(b'\n', &mut row)?;
            if size == 0 {
                return Ok(mixture);
            }
            mixture.add(&row);
        }
    }

    fn add(&mut self, row: &[u8]) {
        let broken = self.broken;
        let mut is_cut = false;
        for chunk in row.utf8_chunks() {
            self.letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
            // At a file's end a letter may be cut off; what stands before a row's end is not.
            is_cut = !chunk.invalid().is_empty()
                && row.ends_with(chunk.invalid())
                && std::str::from_utf8(chunk.invalid()).is_err_and(|cut| cut.error_len().is_none());
            self.broken += usize::from(!chunk.invalid().is_empty() && !is_cut);
        }
        if (self.broken > broken || is_cut) && self.others.len() < KEPT {
            self.others.extend(row.iter().take(KEPT));
        }
    }

    pub fn is_mostly_utf8(&self) -> bool {
        let least = if self.broken == 0 { 1 } else { LETTERS_MIN };
        self.letters >= least && self.letters >= self.broken * SHARE
    }
}

/// Decodes a piece at a time, row by row.
pub struct MixedDecoder {
    other: Charset,
    held: Vec<u8>,
    row: u32,
    /// Rows that were in the other encoding.
    pub others: Rows,
}

impl MixedDecoder {
    pub fn new(other: Charset) -> Self {
        Self { other, held: Vec::new(), row: 0, others: Rows::default() }
    }

    pub fn decode(&mut self, bytes: &[u8], is_last: bool) -> String {
        self.held.extend(bytes);
        let end = match self.held.iter().rposition(|byte| *byte == b'\n') {
            _ if is_last || self.held.len() > ROW_MAX => self.held.len(),
            Some(at) => at + 1,
            None => 0,
        };
        let rest = self.held.split_off(end);
        let whole = std::mem::replace(&mut self.held, rest);
        let mut text = String::with_capacity(whole.len());
        for row in whole.split_inclusive(|byte| *byte == b'\n') {
            self.row = self.row.saturating_add(1);
            match std::str::from_utf8(row) {
                Ok(row) => text.push_str(row),
                Err(_) => {
                    self.others.add(self.row);
                    self.decode_cells(row, &mut text);
                }
            }
        }
        text
    }

    /// A row of both may have come from a lookup in another file. No letter of any encoding has these signs
    /// for its second byte.
    fn decode_cells(&self, row: &[u8], into: &mut String) {
        for cell in row.split_inclusive(|byte| matches!(byte, b',' | b';' | b'\t' | b'"' | b'\r')) {
            match std::str::from_utf8(cell) {
                Ok(cell) => into.push_str(cell),
                // Cut off in the middle of a letter.
                Err(cut) if cut.error_len().is_none() && cut.valid_up_to() > 0 => {
                    into.push_str(&String::from_utf8_lossy(cell));
                }
                Err(_) => into.push_str(&self.other.decode(cell)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_of_another_encoding_does_not_spoil_the_others() {
        let text = [
            "Nome;Cidade\nJoão;São Paulo\nÂngela;Maceió\n".as_bytes(),
            b"Concei\xe7\xe3o;",
            "Brasília\nZoé;x\n".as_bytes(),
        ]
        .concat();
        for size in [1, 7, 1_000] {
            let mut decoder = MixedDecoder::new(Charset::Known(encoding_rs::WINDOWS_1252));
            let mut read: String = text.chunks(size).map(|piece| decoder.decode(piece, false)).collect();
            read.push_str(&decoder.decode(b"", true));
            assert_eq!(read, "Nome;Cidade\nJoão;São Paulo\nÂngela;Maceió\nConceição;Brasília\nZoé;x\n");
            assert_eq!(decoder.others, Rows { count: 1, first: vec![4] });
        }
    }

    #[test]
    fn a_file_of_another_encoding_is_not_taken_for_utf8() {
        let mixture = |rows: &[&[u8]]| {
            let mut mixture = Mixture::default();
            rows.iter().for_each(|row| mixture.add(row));
            mixture.is_mostly_utf8()
        };
        assert!(mixture(&["João\n".as_bytes(), b"Jos\xc3"]), "cut off");
        assert!(!mixture(&[b"Jo\xe3o\n", b"Jos\xe9\n"]));
        assert!(!mixture(&["João\n".as_bytes(), b"Jo\xe3o\n", b"Jos\xe9\n"]));
    }
}
