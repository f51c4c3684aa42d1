//! Which encoding a text file has: what its owner's program wrote is not said anywhere in it.
//!
//! A mark at its start, or bytes that can be nothing but UTF-8, are sure. The rest is a guess by the
//! browsers' detector, helped by the countries of the numbers in the file: a list of +7 numbers was written
//! on a Russian computer. Two encodings that browsers do not guess are Macintosh's and that of DOS; they are
//! taken where the guess puts signs between letters. The answer says what was assumed, and `encoding`
//! overrides it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use oem_cp::code_table_type::TableType;

use super::ListError;

/// How much of a file is looked at for a guess.
const LOOKED_AT: usize = 1 << 20;

/// An encoding as a reader needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Known(&'static Encoding),
    /// A code page of DOS, which no browser reads.
    Dos(u16),
}

/// An encoding, and how it came to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub charset: Charset,
    pub is_assumed: bool,
}

impl Charset {
    /// By a label of the web's (`windows-1251`, `latin1`, `sjis`), or of a code page (`cp850`).
    pub fn parse(label: &str) -> Result<Self, ListError> {
        let label = label.trim().to_ascii_lowercase();
        let known = Encoding::for_label_no_replacement(label.as_bytes());
        let page = ["cp", "ibm", "dos", "windows-", "ms"].iter().find_map(|start| label.strip_prefix(start));
        let page = page.and_then(|page| page.trim_start_matches(['-', '_']).parse::<u16>().ok());
        let alias = match (label.as_str(), page) {
            ("macroman" | "mac-roman" | "mac roman" | "mac", _) => Some(MACINTOSH),
            (_, Some(932)) => Some(encoding_rs::SHIFT_JIS),
            (_, Some(936)) => Some(encoding_rs::GBK),
            (_, Some(949)) => Some(encoding_rs::EUC_KR),
            (_, Some(950)) => Some(encoding_rs::BIG5),
            (_, Some(65001)) => Some(UTF_8),
            (_, Some(page)) => Encoding::for_label(format!("windows-{page}").as_bytes()),
            _ => None,
        };
        let dos = page.filter(|page| dos_table(*page).is_some()).map(Self::Dos);
        known.or(alias).map(Self::Known).or(dos).ok_or_else(|| {
            ListError::Encoding(
                "encoding: a name such as utf-8, windows-1251, shift_jis, gbk, iso-8859-2, macintosh or cp850"
                    .to_owned(),
            )
        })
    }

    pub fn name(self) -> String {
        match self {
            Self::Known(encoding) => encoding.name().to_owned(),
            Self::Dos(page) => format!("cp{page}"),
        }
    }

    /// All of a short text.
    pub fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Known(encoding) => encoding.decode(bytes).0.into_owned(),
            Self::Dos(page) => {
                let mut text = String::new();
                decode_dos(page, bytes, &mut text);
                text
            }
        }
    }
}

/// The upper half of a code page.
fn dos_table(page: u16) -> Option<&'static TableType> {
    DECODING_TABLE_CP_MAP.get(&page)
}

/// Adds a text of a code page.
pub fn decode_dos(page: u16, bytes: &[u8], into: &mut String) {
    let table = dos_table(page);
    into.extend(bytes.iter().map(|byte| match (byte.checked_sub(128), table) {
        (None, _) => char::from(*byte),
        (Some(place), Some(TableType::Complete(table))) => table[usize::from(place)],
        (Some(place), Some(TableType::Incomplete(table))) => table[usize::from(place)].unwrap_or('\u{fffd}'),
        (Some(_), None) => '\u{fffd}',
    }));
}

/// What the whole file is written in.
pub fn encoding_of(file: &mut File) -> Result<Taken, ListError> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    (&mut *file).take(LOOKED_AT as u64).read_to_end(&mut start)?;
    let sure = |encoding| Taken { charset: Charset::Known(encoding), is_assumed: false };
    if let Some((encoding, _)) = Encoding::for_bom(&start) {
        return Ok(sure(encoding));
    }
    if let Some(encoding) = unmarked_utf16(&start) {
        return Ok(Taken { charset: Charset::Known(encoding), is_assumed: true });
    }
    if is_utf8(file)? {
        return Ok(sure(UTF_8));
    }
    Ok(Taken { charset: guess(&start), is_assumed: true })
}

/// Half of the bytes of two-byte letters are zeros, where the text has Latin letters or digits; every list
/// has digits.
fn unmarked_utf16(start: &[u8]) -> Option<&'static Encoding> {
    let pairs = start.len() / 2;
    let zeros = |from: usize| start.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // A tenth: names may be of any script, separators and digits are not.
    if pairs < 4 || even.max(odd) * 10 < pairs || even.min(odd) * 20 > even.max(odd) {
        None
    } else {
        Some(if odd > even { UTF_16LE } else { UTF_16BE })
    }
}

fn is_utf8(file: &mut File) -> Result<bool, ListError> {
    file.seek(SeekFrom::Start(0))?;
    let (mut chunk, mut kept) = (vec![0; 64 << 10], 0);
    loop {
        let size = file.read(&mut chunk[kept..])?;
        match std::str::from_utf8(&chunk[..kept + size]) {
            Ok(_) if size == 0 => return Ok(true),
            Ok(_) => kept = 0,
            // A character that is cut by the chunk's end.
            Err(cut) if cut.error_len().is_none() && size > 0 => {
                let end = kept + size;
                chunk.copy_within(cut.valid_up_to()..end, 0);
                kept = end - cut.valid_up_to();
            }
            Err(_) => return Ok(false),
        }
    }
}

fn guess(start: &[u8]) -> Charset {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(start, true);
    let domain = domain_of(start);
    let guess = detector.guess(domain, Utf8Detection::Deny);
    if guess != WINDOWS_1252 {
        return Charset::Known(guess);
    }
    // The detector takes one short name for a Western one; there, words of accented letters alone are rare.
    let native = match domain {
        Some(b"ru" | b"ua" | b"by" | b"bg" | b"rs" | b"mk") => Some(WINDOWS_1251),
        Some(b"gr" | b"cy") => Some(WINDOWS_1253),
        _ => None,
    };
    if let Some(native) = native.filter(|_| is_without_ascii_letters(&WINDOWS_1252.decode(start).0)) {
        return Charset::Known(native);
    }
    let western = [Charset::Known(WINDOWS_1252), Charset::Known(MACINTOSH), Charset::Dos(850)];
    let strange = western.map(|charset| strangeness(&charset.decode(start)));
    // Windows first, where it makes no difference.
    let (best, _) =
        strange.iter().enumerate().min_by_key(|(place, strange)| (**strange, *place)).expect("three");
    western[best]
}

/// Whether no word has both kinds of letters.
fn is_without_ascii_letters(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_ascii());
    words.all(|word| !word.contains(|c: char| c.is_ascii_alphabetic()))
}

/// How many characters nobody writes within a word of a Western language.
fn strangeness(text: &str) -> usize {
    const USUAL: &str = "áéíóúàèìòùâêîôûãõäëïöüçñßåøæœýÿšžÁÉÍÓÚÀÈÌÒÙÂÊÎÔÛÃÕÄËÏÖÜÇÑÅØÆŒ";
    let mut last = ' ';
    let mut strange = 0;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        if !c.is_ascii() {
            let is_within = last.is_alphabetic() && next.is_alphabetic();
            // `JoÆo`: a capital in a word of small letters.
            let is_odd_capital = c.is_uppercase() && last.is_lowercase();
            let is_sign = !c.is_alphabetic() && (last.is_alphabetic() || next.is_alphabetic());
            let is_apostrophe = is_within && matches!(c, '’' | '‘' | '·' | '–' | '\u{a0}');
            strange += match () {
                () if is_apostrophe => 0,
                () if is_odd_capital || is_sign || c.is_control() => 2,
                () if c.is_alphabetic() && !USUAL.contains(c) => 1,
                () => 0,
            };
        }
        last = c;
    }
    strange
}

/// The internet's domain of the country that most numbers belong to; the detector knows what is written there.
fn domain_of(start: &[u8]) -> Option<&'static [u8]> {
    /// Country calling codes of where other alphabets are written.
    const DOMAINS: [(&str, &[u8]); 44] = [
        ("7", b"ru"),
        ("380", b"ua"),
        ("375", b"by"),
        ("359", b"bg"),
        ("381", b"rs"),
        ("389", b"mk"),
        ("48", b"pl"),
        ("420", b"cz"),
        ("421", b"sk"),
        ("36", b"hu"),
        ("40", b"ro"),
        ("385", b"hr"),
        ("386", b"si"),
        ("387", b"ba"),
        ("90", b"tr"),
        ("994", b"az"),
        ("30", b"gr"),
        ("357", b"cy"),
        ("972", b"il"),
        ("20", b"eg"),
        ("966", b"sa"),
        ("971", b"ae"),
        ("965", b"kw"),
        ("974", b"qa"),
        ("973", b"bh"),
        ("968", b"om"),
        ("962", b"jo"),
        ("961", b"lb"),
        ("963", b"sy"),
        ("964", b"iq"),
        ("967", b"ye"),
        ("212", b"ma"),
        ("213", b"dz"),
        ("98", b"ir"),
        ("86", b"cn"),
        ("886", b"tw"),
        ("852", b"hk"),
        ("81", b"jp"),
        ("82", b"kr"),
        ("84", b"vn"),
        ("66", b"th"),
        ("371", b"lv"),
        ("370", b"lt"),
        ("372", b"ee"),
    ];
    let mut counts: HashMap<&'static [u8], usize> = HashMap::new();
    let mut numbers = 0;
    for run in start.split(|byte| !byte.is_ascii_digit()).filter(|run| (10..=15).contains(&run.len())) {
        numbers += 1;
        let of_run = DOMAINS.iter().filter(|(code, _)| run.starts_with(code.as_bytes()));
        if let Some((_, domain)) = of_run.max_by_key(|(code, _)| code.len()) {
            *counts.entry(domain).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .filter(|(_, count)| count * 2 > numbers)
        .max_by_key(|(_, count)| *count)
        .map(|(domain, _)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_has_many_names() {
        for (label, name) in [
            ("UTF-8", "UTF-8"),
            ("latin1", "windows-1252"),
            ("cp1251", "windows-1251"),
            ("windows-1256", "windows-1256"),
            ("sjis", "Shift_JIS"),
            ("cp932", "Shift_JIS"),
            ("cp936", "GBK"),
            ("big5", "Big5"),
            ("MacRoman", "macintosh"),
            ("macintosh", "macintosh"),
            ("cp850", "cp850"),
            ("IBM437", "cp437"),
            ("cp874", "windows-874"),
            ("65001", "error"),
            ("utf-9", "error"),
            ("", "error"),
        ] {
            let read = Charset::parse(label).map_or_else(|_| "error".to_owned(), Charset::name);
            assert_eq!(read, name, "{label}");
        }
    }

    #[test]
    fn a_list_of_one_alphabet_is_told_by_its_numbers() {
        assert_eq!(domain_of(b"phone;name\n79161234567;x\n79161234568;y\n"), Some(b"ru".as_slice()));
        assert_eq!(domain_of(b"phone;name\n+5511900000001;x\n79161234568;y\n"), None);
        assert_eq!(domain_of(b""), None);
    }
}
