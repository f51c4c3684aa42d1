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
use encoding_rs::{
    Encoding, ISO_2022_JP, ISO_8859_15, MACINTOSH, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251, WINDOWS_1252,
    WINDOWS_1253,
};
use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use oem_cp::code_table_type::TableType;

use wapid_core::phone::Country;
use wapid_core::recipient::Rows;

use super::ListError;
use super::mixed::{MixedDecoder, Mixture};

/// How much of a file is looked at for a guess.
const LOOKED_AT: usize = 1 << 20;

/// An encoding as a reader needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    Known(&'static Encoding),
    /// A code page of DOS, which no browser reads.
    Dos(u16),
    /// UTF-8, but for a few rows.
    MostlyUtf8(Legacy),
}

/// What those rows are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Legacy {
    Known(&'static Encoding),
    Dos(u16),
}

impl Legacy {
    pub fn charset(self) -> Charset {
        match self {
            Self::Known(encoding) => Charset::Known(encoding),
            Self::Dos(page) => Charset::Dos(page),
        }
    }
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
            Self::MostlyUtf8(_) => UTF_8.name().to_owned(),
        }
    }

    /// The same, and which lines of it are in another encoding than the rest.
    pub fn decode_lines(self, bytes: &[u8]) -> (String, Option<MixedRows>) {
        let Self::MostlyUtf8(legacy) = self else { return (self.decode(bytes), None) };
        let mut decoder = MixedDecoder::new(legacy.charset());
        let text = decoder.decode(bytes, true);
        (text, Some(MixedRows { encoding: legacy.charset().name(), rows: decoder.others }))
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
            Self::MostlyUtf8(legacy) => MixedDecoder::new(legacy.charset()).decode(bytes, true),
        }
    }
}

/// Rows of a file that are in another encoding than the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixedRows {
    pub encoding: String,
    pub rows: Rows,
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

/// What the whole file is written in. `home` is the country of numbers without a code, where the file is
/// likely to come from.
pub fn encoding_of(file: &mut File, home: Option<Country>) -> Result<Taken, ListError> {
    file.seek(SeekFrom::Start(0))?;
    let mut start = Vec::new();
    (&mut *file).take(LOOKED_AT as u64).read_to_end(&mut start)?;
    let sure = |encoding| Taken { charset: Charset::Known(encoding), is_assumed: false };
    let marked = Encoding::for_bom(&start).map(|(encoding, _)| encoding);
    if let Some(encoding) = marked.filter(|encoding| *encoding != UTF_8) {
        return Ok(sure(encoding));
    }
    let assumed = |charset| Taken { charset, is_assumed: true };
    if let Some(encoding) = unmarked_utf16(&start) {
        return Ok(assumed(Charset::Known(encoding)));
    }
    if is_utf8(file)? {
        // Japan's mails are of ASCII letters alone.
        let has_escapes = start.windows(3).any(|signs| matches!(signs, b"\x1b$B" | b"\x1b$@"));
        return Ok(if has_escapes { assumed(Charset::Known(ISO_2022_JP)) } else { sure(UTF_8) });
    }
    let mixture = Mixture::of(file)?;
    let home = home.map(|home| match home.code().to_ascii_lowercase().as_str() {
        "gb" => "uk".to_owned(),
        code => code.to_owned(),
    });
    let domain = domain_of(&start, home.as_deref());
    if marked.is_some() || mixture.is_mostly_utf8() {
        let legacy = match guess(&mixture.others, domain) {
            Charset::Dos(page) => Legacy::Dos(page),
            Charset::Known(encoding) => Legacy::Known(encoding),
            Charset::MostlyUtf8(legacy) => legacy,
        };
        return Ok(assumed(Charset::MostlyUtf8(legacy)));
    }
    // What is strange in a long file may stand at its end.
    let looked_at = if start.is_ascii() { &mixture.others } else { &start };
    Ok(assumed(guess(looked_at, domain)))
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

fn guess(start: &[u8], domain: Option<&[u8]>) -> Charset {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(start, true);
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
    let western = [
        Charset::Known(WINDOWS_1252),
        Charset::Known(ISO_8859_15),
        Charset::Known(MACINTOSH),
        Charset::Dos(850),
    ];
    let strange = western.map(|charset| strangeness(&charset.decode(start)));
    // Windows first, where it makes no difference.
    let (best, _) =
        strange.iter().enumerate().min_by_key(|(place, strange)| (**strange, *place)).expect("four");
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

/// The internet's domain of the country that most numbers belong to, or of their home where they have no code;
/// the detector knows what is written there.
fn domain_of<'a>(start: &[u8], home: Option<&'a str>) -> Option<&'a [u8]> {
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
    // Shorter ones have no code, if their home is known.
    let shortest = if home.is_some() { 11 } else { 10 };
    for run in start.split(|byte| !byte.is_ascii_digit()).filter(|run| (shortest..=15).contains(&run.len())) {
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
        .or(home.map(str::as_bytes))
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
        assert_eq!(domain_of(b"phone;name\n79161234567;x\n79161234568;y\n", None), Some(b"ru".as_slice()));
        assert_eq!(domain_of(b"phone;name\n+5511900000001;x\n79161234568;y\n", None), None);
        assert_eq!(domain_of(b"", None), None);
        assert_eq!(
            domain_of("név;telefon\nÁgi;06301234567\n".as_bytes(), Some("hu")),
            Some(b"hu".as_slice())
        );
    }
}
