//! A packed file. Before anything reads it, it is unpacked once into nothing, with a counter: what a zip
//! says of its sizes may be a lie.

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;
use zip::ZipArchive;

use super::ListError;

const ENTRIES_MAX: usize = 1_000;
/// All of it, inflated. The list of a full job is some 30 MB.
const INFLATED_MAX: u64 = 200 << 20;
/// Inflated to packed, of each part. Sheets of numbers reach 20; bombs 1,000.
const RATIO_MAX: u64 = 100;
/// The table of texts, inflated: it stands in memory while the sheet is read.
const TEXTS_MAX: u64 = 64 << 20;
/// `<si/>` and its like: no text takes less.
const TEXT_BYTES_MIN: u64 = 5;
/// Below this the ratio does not matter.
const SMALL: u64 = 1 << 20;
/// The names of packed files that an error lists.
const NAMES_SHOWN: usize = 10;

pub type Archive = ZipArchive<BufReader<File>>;

/// What a packed file turned out to be.
pub enum Packed {
    Xlsx,
    Ods,
    /// The only file in it, and its name.
    One(String),
}

pub fn open(path: &Path) -> Result<Archive, ListError> {
    ZipArchive::new(BufReader::new(File::open(path)?)).map_err(broken)
}

pub fn broken(problem: zip::result::ZipError) -> ListError {
    ListError::file(format!("the file begins like a workbook or a zip, and is broken: {problem}"))
}

/// Looks all of it through.
pub fn check(path: &Path) -> Result<Packed, ListError> {
    let mut archive = open(path)?;
    if archive.len() > ENTRIES_MAX {
        return Err(ListError::file("the workbook has too many parts"));
    }
    let mut names = Vec::new();
    let mut inflated = 0;
    for place in 0..archive.len() {
        if archive.by_index_raw(place).map_err(broken)?.encrypted() {
            return Err(ListError::file("the file is locked with a password; save it without one"));
        }
        let mut entry = archive.by_index(place).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        // The reader sets aside as much memory as the table of texts says that it holds, so a lie there
        // would end the process.
        // No more than that is read of it, so here it cannot lie to its advantage.
        let packed = entry.compressed_size();
        let size = if name.to_ascii_lowercase().ends_with("sharedstrings.xml") {
            check_texts(&mut entry)?
        } else {
            let left = (INFLATED_MAX + 1).saturating_sub(inflated);
            std::io::copy(&mut entry.take(left), &mut std::io::sink())?
        };
        inflated += size;
        if inflated > INFLATED_MAX || (size > SMALL && size / RATIO_MAX > packed) {
            return Err(ListError::file("the file is too large when unpacked"));
        }
        names.push(name);
    }
    kind_of(&mut archive, &names)
}

fn kind_of(archive: &mut Archive, names: &[String]) -> Result<Packed, ListError> {
    let has = |end: &str| names.iter().any(|name| name.to_ascii_lowercase().ends_with(end));
    let refused = |what: &str| Err(ListError::file(what));
    if has("workbook.xml") {
        return Ok(Packed::Xlsx);
    }
    if has("workbook.bin") {
        return refused("a binary workbook of Excel (.xlsb); save it as .xlsx or .csv");
    }
    if has("word/document.xml") {
        return refused(
            "a Word document (.docx); copy its table into a spreadsheet and save that as .xlsx or .csv",
        );
    }
    if has("ppt/presentation.xml") {
        return refused(
            "a presentation (.pptx); copy its table into a spreadsheet and save that as .xlsx or .csv",
        );
    }
    if has(".iwa") {
        return refused("a document of Apple's Numbers or Pages; export it as Excel (.xlsx) or CSV");
    }
    let mut mime = String::new();
    if let Ok(part) = archive.by_name("mimetype") {
        // A type that is no text is none.
        let _ = part.take(100).read_to_string(&mut mime);
    }
    if mime.starts_with("application/vnd.oasis.opendocument.spreadsheet") {
        return Ok(Packed::Ods);
    }
    if mime.starts_with("application/vnd.oasis.opendocument") {
        return refused("an OpenDocument file that is no spreadsheet; save its table as .ods, .xlsx or .csv");
    }
    let is_file = |name: &&String| {
        let last = name.rsplit('/').next().unwrap_or_default();
        !last.is_empty() && !last.starts_with('.') && !name.starts_with("__MACOSX/")
    };
    let files: Vec<&String> = names.iter().filter(is_file).collect();
    match files.as_slice() {
        [one] => Ok(Packed::One((*one).clone())),
        [] => refused("an empty zip"),
        several => {
            let shown: Vec<String> =
                several.iter().take(NAMES_SHOWN).map(|name| wapid_core::recipient::shown(name)).collect();
            let more = if several.len() > NAMES_SHOWN { ", …" } else { "" };
            Err(ListError::file(format!(
                "a zip of {} files, and a list is one: unpack it and send one of {}{more}",
                several.len(),
                shown.join(", ")
            )))
        }
    }
}

/// Unpacks the only file beside the packed one; `check` has looked how large it is.
pub fn unpack(path: &Path, name: &str) -> Result<NamedTempFile, ListError> {
    let mut archive = open(path)?;
    let entry = archive.by_name(name).map_err(broken)?;
    let mut file = beside(path)?;
    std::io::copy(&mut entry.take(INFLATED_MAX), &mut file)?;
    file.flush()?;
    Ok(file)
}

/// A file that is gone when it is dropped.
pub fn beside(path: &Path) -> Result<NamedTempFile, ListError> {
    Ok(NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?)
}

/// The size of the table of texts, if it has room for as many as it says.
fn check_texts(entry: &mut impl Read) -> Result<u64, ListError> {
    let mut texts = Vec::new();
    entry.take(TEXTS_MAX + 1).read_to_end(&mut texts)?;
    let size = texts.len() as u64;
    if size > TEXTS_MAX {
        return Err(ListError::file("the workbook is too large when unpacked"));
    }
    let name = b"uniqueCount";
    let named = (0..texts.len().saturating_sub(name.len())).filter(|at| texts[*at..].starts_with(name));
    for at in named {
        let Some(value) = texts[at + name.len()..].trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let Some(quote) = value.first().filter(|byte| b"\"'".contains(byte)) else { continue };
        let value = value[1..].split(|byte| byte == quote).next().unwrap_or_default();
        let says = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<u64>().ok());
        if says.is_none_or(|says| says > size / TEXT_BYTES_MIN) {
            return Err(ListError::file("the workbook's table of texts is broken; save it anew"));
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` is how often texts are used, and a text may look like anything.
    #[test]
    fn a_table_of_few_texts_that_are_used_often_is_fine() {
        let texts = br#"<sst count="10002" uniqueCount="2"><si><t>https://pay.example/?amount=150000</t></si><si><t>b</t></si></sst>"#;
        assert!(check_texts(&mut texts.as_slice()).is_ok());
        let far = format!("<sst uniqueCount{}=\"{}9\"/>", " ".repeat(60), "0".repeat(60));
        assert!(check_texts(&mut far.as_bytes()).is_ok());
        let lie = far.replace('9', "999999");
        assert!(check_texts(&mut lie.as_bytes()).is_err());
    }
}
