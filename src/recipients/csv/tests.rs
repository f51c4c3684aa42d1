use encoding_rs::WINDOWS_1252;
use proptest::prelude::*;
use wapid_core::recipient::{List, RowError};

use super::*;

fn read_list(bytes: &[u8], options: &ListOptions) -> Result<ReadList, ListError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let rules = Rules { max: 100_000, ..Rules::default() };
    super::super::from_file(file.path(), &rules, options)
}

fn list(bytes: &[u8]) -> Result<List, ListError> {
    read_list(bytes, &ListOptions::default()).map(|read| read.list)
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
fn of_two_delimiters_the_one_beside_the_numbers_is_meant() {
    for text in [
        "Name, Vorname;Handy\nMuster, Eva;+4915123456789\nBeispiel, Max;+4915123456780\n",
        "Nome;Telefone\nSilva, Ana;+5511900000001\nSouza, Bia;+5511900000002\n",
        "Telefone,Nome;Apelido\n+5511900000001,Ana;Aninha\n+5511900000002,Bia;B\n",
    ] {
        assert_eq!(list(text.as_bytes()).unwrap().recipients.len(), 2, "{text}");
    }
}

#[test]
fn rows_that_were_taken_for_texts_are_rows() {
    let text = "\"Nome,\"\"Telefone\"\",Cidade\"\n\"Ana,\"\"919876543210\"\",\"\"Rio, RJ\"\"\"\n\"Bia,919876543211,x\"\n";
    let list = list(text.as_bytes()).unwrap();
    assert_eq!(names(&list), [r#"{"Cidade":"Rio, RJ","Nome":"Ana"}"#, r#"{"Cidade":"x","Nome":"Bia"}"#]);
    assert_eq!((list.recipients[0].row, list.recipients[1].row), (2, 3));
}

#[test]
fn a_row_in_another_encoding_is_read_and_told() {
    let text =
        ["phone;name\n919876543210;João\n919876543211;Ana\n".as_bytes(), b"919876543212;Concei\xe7\xe3o\n"]
            .concat();
    // Too few letters to tell.
    assert!(read_list(&text, &ListOptions::default()).unwrap().read_as.other_encoding.is_none());
    let more =
        "919876543213;Müller\n919876543214;Núñez\n919876543215;Tomás Gonçalves\n919876543216;Zoë Ávila\n"
            .as_bytes();
    let read = read_list(&[text.as_slice(), more].concat(), &ListOptions::default()).unwrap();
    assert_eq!(
        names(&read.list)[..3],
        [r#"{"name":"João"}"#, r#"{"name":"Ana"}"#, r#"{"name":"Conceição"}"#]
    );
    let other = read.read_as.other_encoding.unwrap();
    assert_eq!((other.encoding.as_str(), other.rows.first), ("windows-1252", vec![4]));
    assert!(read.read_as.is_encoding_assumed);
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
        assert!(matches!(refused, ListError::BadRow { .. } | ListError::BadJson(_)));
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
fn excels_own_first_line_says_the_delimiter() {
    for (text, row) in [
        ("sep=;\r\nname;phone\r\nAna;919876543210\r\n", 3),
        ("\u{feff}\"sep=,\"\nphone,name\n\n919876543210,Ana\n", 4),
        ("SEP=^\nphone^name\n919876543210^Ana\n", 3),
        ("sep=\t\nphone\tname\n919876543210\tAna\n", 3),
    ] {
        let list = list(text.as_bytes()).unwrap();
        assert_eq!(names(&list), [r#"{"name":"Ana"}"#], "{text}");
        assert_eq!(list.recipients[0].row, row, "{text}");
    }
    let refused = list(b"sep=;\nphone;name\n919876543210;\"Ana").unwrap_err();
    assert_eq!(refused.to_string(), "row 3: a quote is not closed");
}

#[test]
fn a_quote_may_follow_a_space() {
    let text = "phone, name, note\n919876543210, \"Ana, B\",  \"Nov 28, 2016\"\n919876543211,  Bia ,\" x\"\n";
    assert_eq!(
        names(&list(text.as_bytes()).unwrap()),
        [r#"{"name":"Ana, B","note":"Nov 28, 2016"}"#, r#"{"name":"Bia","note":"x"}"#]
    );
    // A list of blanks that passes a chunk's end.
    let long = format!("phone,name\n919876543210,{}\"Ana, B\"\n", " ".repeat(40_000));
    assert_eq!(names(&list(long.as_bytes()).unwrap()), [r#"{"name":"Ana, B"}"#]);
}

#[test]
fn titles_above_a_list_do_not_hide_its_delimiter() {
    let text = "Customers, July 2026\nmade by Ana, Bia, and Cy\n\nname;phone\n\"Rio, RJ\";919876543210\nx,y;919876543211\n";
    let list = list(text.as_bytes()).unwrap();
    assert_eq!(names(&list), [r#"{"name":"Rio, RJ"}"#, r#"{"name":"x,y"}"#]);
    assert_eq!(list.recipients[0].row, 5);
}

#[test]
fn the_apostrophe_of_an_export_goes() {
    let text = "phone,name,city\n'+919876543210,'=cmd,'s-Hertogenbosch\n919876543211,'＝1,'a\n";
    assert_eq!(
        names(&list(text.as_bytes()).unwrap()),
        [r#"{"city":"'s-Hertogenbosch","name":"=cmd"}"#, r#"{"city":"'a","name":"＝1"}"#]
    );
}

#[test]
fn an_encoding_is_told_by_the_file_or_by_the_caller() {
    let of = |bytes: &[u8], encoding: Option<&str>| {
        let options = ListOptions { encoding: encoding.map(str::to_owned), ..ListOptions::default() };
        let read = read_list(bytes, &options).unwrap();
        let fields = read.list.recipients[0].fields.clone().unwrap().into_string();
        let name = fields.rsplit(':').next().unwrap().trim_matches(['"', '}']).to_owned();
        (name, read.read_as.encoding.unwrap(), read.read_as.is_encoding_assumed)
    };
    let text = |phone: &str, name: &str| format!("phone;name\n{phone};{name}\n");
    for (label, phone, name) in [
        ("windows-1251", "79161234567", "Иван"),
        ("windows-1256", "966501234567", "محمد"),
        ("windows-1250", "420601123456", "Dvořáková"),
        ("windows-1254", "905321234567", "Işıl"),
        ("GBK", "8613800138000", "小明"),
        ("Shift_JIS", "819012345678", "山田太郎"),
        ("EUC-KR", "821012345678", "김철수"),
        ("Big5", "886912345678", "王小明"),
        ("windows-874", "66812345678", "สมชาย"),
        ("windows-1253", "306912345678", "Γιώργος"),
        ("windows-1255", "972501234567", "דוד כהן"),
        ("windows-1252", "5511900000001", "João"),
    ] {
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).unwrap();
        let text = text(phone, name);
        let (bytes, _, is_lossy) = encoding.encode(&text);
        assert!(!is_lossy, "{label}");
        // Several have the same letters in the same places.
        let (read, _, is_assumed) = of(&bytes, None);
        assert_eq!((read.as_str(), is_assumed), (name, true), "{label}");
        assert_eq!(of(&bytes, Some(label)), (name.to_owned(), label.to_owned(), false));
    }
    // What Excel for Mac and DOS write: ã, é.
    for (byte, other, label) in [(b'\x8b', b'\x8e', "macintosh"), (b'\xc6', b'\x82', "cp850")] {
        let mut bytes = text("5511900000001", "Jo?o Jos!").into_bytes();
        bytes.iter_mut().for_each(|b| {
            if *b == b'?' {
                *b = byte
            } else if *b == b'!' {
                *b = other
            }
        });
        assert_eq!(of(&bytes, None), ("João José".to_owned(), label.to_owned(), true));
        assert_eq!(of(&bytes, Some(label)), ("João José".to_owned(), label.to_owned(), false));
    }
    let list = text("5511900000001", "João");
    assert_eq!(of(list.as_bytes(), None), ("João".to_owned(), "UTF-8".to_owned(), false));
    for swap in [false, true] {
        let unmarked =
            list.encode_utf16().flat_map(|unit| if swap { unit.to_be_bytes() } else { unit.to_le_bytes() });
        let bytes: Vec<u8> = unmarked.collect();
        let label = if swap { "UTF-16BE" } else { "UTF-16LE" };
        assert_eq!(of(&bytes, None), ("João".to_owned(), label.to_owned(), true));
    }
    let options = ListOptions { encoding: Some("utf-9".to_owned()), ..ListOptions::default() };
    assert!(matches!(read_list(list.as_bytes(), &options).unwrap_err(), ListError::Encoding(_)));
}

#[test]
fn what_is_no_list_is_refused() {
    for bytes in [b"".as_slice(), b"%PDF-1.7", b"a\0b,c", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"] {
        assert!(matches!(list(bytes).unwrap_err(), ListError::BadFile(_)));
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
    list(format!("{text}919876543210\n").as_bytes())
        .is_err_and(|e| matches!(e, ListError::Row(RowError::TooMany { .. })))
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
