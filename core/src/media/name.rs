//! What a file may be called, and what a document is called where nobody says. Pure.
//!
//! WhatsApp shows a document by its name alone, and phones open it by the end of that. So a document always
//! has a name, and one whose end fits its content.

use super::content::{by_name, extension};

/// File names longer than this are cut; in bytes, as file systems count them.
const FILE_NAME_MAX: usize = 255;
/// Names that Windows keeps for devices, with any end.
const DEVICES: [&str; 22] = [
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8", "COM9",
    "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];
/// Ends of what makes a file on a server, and not of the file.
const SCRIPTS: [&str; 13] =
    ["php", "php5", "phtml", "asp", "aspx", "ashx", "jsp", "jspx", "cgi", "pl", "do", "action", "cfm"];
/// Of a document that has no name.
const NAMELESS: &str = "document";

/// A file name as it is shown to people: its last part, without what would hide its end or leave its
/// folder; `None` where nothing is left.
pub fn file_name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    // Besides controls what turns the direction of writing: `exe.fdp` must not read as `pdf.exe`.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let seen = last.chars().filter(|c| !is_hidden(*c));
    // Windows has no such names, and its users would not get the file.
    let shown: String = seen.map(|c| if "<>:\"|?*".contains(c) { '_' } else { c }).collect();
    let shown = shown.trim().trim_start_matches('.').trim().trim_end_matches(['.', ' ']);
    if shown.is_empty() {
        return None;
    }
    let stem = shown.split('.').next().unwrap_or_default().trim_end();
    let mark = if DEVICES.iter().any(|device| device.eq_ignore_ascii_case(stem)) { "_" } else { "" };
    let shown = format!("{mark}{shown}");
    if shown.len() <= FILE_NAME_MAX {
        return Some(shown);
    }
    // The end says what it is.
    let (stem, end) = match shown.rsplit_once('.') {
        Some((stem, end)) if end.len() <= 16 => (stem, format!(".{end}")),
        _ => (shown.as_str(), String::new()),
    };
    let room = FILE_NAME_MAX - end.len();
    let cut = stem.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|to| *to <= room).last();
    Some(format!("{}{end}", &stem[..cut.unwrap_or(0)]))
}

/// What a document of this type is called: as it is given, with an end that says what it is.
pub fn document_name(given: Option<&str>, mime: &str) -> String {
    let name = given.and_then(file_name).unwrap_or_else(|| NAMELESS.to_owned());
    let end = match extension(mime) {
        // Nothing is known of it, so nothing can be said.
        "bin" => return name,
        end => end,
    };
    let (stem, own) = match name.rsplit_once('.') {
        Some((stem, own)) if !stem.is_empty() && is_end(own) => (stem, Some(own)),
        _ => (name.as_str(), None),
    };
    match own {
        Some(own) if SCRIPTS.iter().any(|script| script.eq_ignore_ascii_case(own)) => with_end(stem, end),
        // The type of a name that is known was compared with the content when the file came.
        Some(_) if by_name(&name).is_some() => name,
        // Many kinds of files are text, or lie in such a container: `notes.md`, `plan.pages`.
        Some(_) if matches!(mime, "text/plain" | "application/zip" | "text/xml") => name,
        _ => with_end(&name, end),
    }
}

/// `pdf`, and not the rest of `v1.2 final`.
fn is_end(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn with_end(stem: &str, end: &str) -> String {
    let named = format!("{stem}.{end}");
    file_name(&named).unwrap_or(named)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_document_has_a_name_with_the_end_of_its_content() {
        let (pdf, text) = ("application/pdf", "text/plain");
        let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        for (given, mime, name) in [
            (None, pdf, "document.pdf"),
            (Some(""), pdf, "document.pdf"),
            (Some(" "), sheet, "document.xlsx"),
            (Some("contract"), pdf, "contract.pdf"),
            (Some("dl"), pdf, "dl.pdf"),
            (Some("get.php"), pdf, "get.pdf"),
            (Some("Download.ASPX"), "text/csv", "Download.csv"),
            (Some("invoice.pdf"), pdf, "invoice.pdf"),
            (Some("INVOICE.PDF"), pdf, "INVOICE.PDF"),
            (Some("offer v1.2"), pdf, "offer v1.2.pdf"),
            (Some("offer v1.2 final"), pdf, "offer v1.2 final.pdf"),
            (Some("offer.final"), pdf, "offer.final.pdf"),
            (Some("C:\\fakepath\\a.pdf"), pdf, "a.pdf"),
            (Some("../../etc/passwd"), text, "passwd.txt"),
            (Some("notes.md"), text, "notes.md"),
            (Some("plan.pages"), "application/zip", "plan.pages"),
            (Some("all.tar.gz"), "application/gzip", "all.tar.gz"),
            (Some("photo.jpeg"), "image/jpeg", "photo.jpeg"),
            (Some("drawing.dwg"), "application/octet-stream", "drawing.dwg"),
            (None, "application/octet-stream", "document"),
            (None, "application/zip", "document.zip"),
            (None, text, "document.txt"),
            (Some("合同"), pdf, "合同.pdf"),
            (Some(".pdf"), pdf, "pdf.pdf"),
            (Some("NUL"), pdf, "_NUL.pdf"),
        ] {
            assert_eq!(document_name(given, mime), name, "{given:?} {mime}");
        }
        let long = document_name(Some(&"x".repeat(400)), pdf);
        assert!(
            long.len() <= FILE_NAME_MAX && long.rsplit_once('.').is_some_and(|(_, end)| end == "pdf"),
            "{long}"
        );
    }

    #[test]
    fn a_file_name_is_a_name_and_nothing_else() {
        assert_eq!(file_name("invoice.pdf").as_deref(), Some("invoice.pdf"));
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(file_name("C:\\Users\\me\\preço.xlsx").as_deref(), Some("preço.xlsx"));
        assert_eq!(file_name("a\u{202e}fdp.exe\r\n").as_deref(), Some("afdp.exe"));
        assert_eq!(file_name(".htaccess").as_deref(), Some("htaccess"));
        for nothing in ["", "/", "..", " . ", "a/", "\u{200f}"] {
            assert_eq!(file_name(nothing), None, "{nothing:?}");
        }
        let long = file_name(&format!("{}.pdf", "ü".repeat(200))).unwrap();
        assert!(long.len() <= FILE_NAME_MAX && long.ends_with("ü.pdf"), "{long}");
        assert!(file_name(&"x".repeat(400)).unwrap().len() == FILE_NAME_MAX);
        for (given, name) in [
            ("CON", "_CON"),
            ("con.pdf", "_con.pdf"),
            ("console.pdf", "console.pdf"),
            ("a<b>:c|d?e*.pdf", "a_b__c_d_e_.pdf"),
            ("a.pdf. ", "a.pdf"),
        ] {
            assert_eq!(file_name(given).as_deref(), Some(name), "{given}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_its_own_name(given in "\\PC{0,300}") {
            if let Some(name) = file_name(&given) {
                prop_assert!(name.len() <= FILE_NAME_MAX && !name.contains(['/', '\\', '\0']));
                prop_assert_eq!(file_name(&name), Some(name.clone()));
                let document = document_name(Some(&given), "application/pdf");
                prop_assert!(document.contains('.') && document.len() <= FILE_NAME_MAX);
            }
        }
    }
}
