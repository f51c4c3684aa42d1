use proptest::prelude::*;

use super::*;

pub(super) fn home(code: &str) -> Option<Country> {
    (!code.is_empty()).then(|| Country::parse(code).unwrap())
}

/// Each text in its home is the number beside it.
pub(super) fn reads(cases: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(text, country, digits)| {
            let parsed = Phone::parse(text, home(country));
            let is_right = parsed.as_ref().is_ok_and(|phone| phone.digits() == *digits);
            (!is_right).then(|| {
                let parsed = parsed.map(|phone| phone.digits().to_owned());
                format!("{text:?} in {country:?}: {parsed:?}, not {digits}")
            })
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each text in its home is refused, and says why.
pub(super) fn refuses(cases: &[(&str, &str, PhoneError)]) {
    for (text, country, why) in cases {
        assert_eq!(Phone::parse(text, home(country)), Err(*why), "{text:?} in {country:?}");
    }
}

#[test]
fn every_way_of_writing_a_number_is_the_same_number() {
    for text in [
        "919876543210",
        "+919876543210",
        "+91 98765 43210",
        "91-98765-43210",
        " +91 (98765) 432.10 ",
        "(+91) 98765/43210",
        "+ 91 98765 43210",
        "[+91] 98765~43210",
        "00919876543210",
        "00 91 98765 43210",
        "+0091 98765 43210",
        "'919876543210",
        "’919876543210",
        "‘+919876543210’",
        "ʼ919876543210",
        "`919876543210",
        "\"919876543210\"",
        "“919876543210”",
        "=\"919876543210\"",
        "=+919876543210",
        "919876543210,",
        "919876543210;",
        "tel:+919876543210",
        "TEL:+91-98765-43210",
        "tel:+91-98765-43210;isub=12",
        "tel:98765-43210;phone-context=+91",
        "sms:+919876543210?body=123456",
        "callto:+919876543210",
        "whatsapp:+919876543210",
        "p:+919876543210",
        "P: +91 98765 43210",
        "Tel.: +91 98765 43210",
        "Mobile - +91 98765 43210",
        "WhatsApp +91 98765 43210",
        "📞 +91 98765 43210",
        "☎️+919876543210",
        "wa.me/919876543210",
        "https://wa.me/919876543210",
        "https://wa.me/+919876543210",
        "HTTPS://WA.ME/919876543210?text=I%20am%2012345678",
        "https://wa.me/919876543210/",
        "https://api.whatsapp.com/send?phone=919876543210",
        "https://api.whatsapp.com/send/?phone=%2B919876543210&text=hi@you&type=phone_number",
        "https://api.whatsapp.com/send?text=5&phone=+91%2098765%2043210#top",
        "https://web.whatsapp.com/send?phone=919876543210",
        "whatsapp://send?phone=919876543210&text=1",
        "919876543210.0",
        "919876543210.00",
        "919876543210.0000",
        "+919876543210.0",
        "919876543210,0",
        "919876543210,00",
        "919,876,543,210",
        "919,876,543,210.00",
        "919.876.543.210,00",
        "919876543210@s.whatsapp.net",
        "919876543210@c.us",
        "919876543210:12@s.whatsapp.net",
    ] {
        for country in ["", "IN", "BR", "US"] {
            let parsed = Recipient::parse(text, home(country)).map(|to| to.jid());
            assert_eq!(parsed.as_deref(), Ok("919876543210@s.whatsapp.net"), "{text} {country}");
            assert_eq!(
                Phone::parse(text, home(country)).unwrap().digits(),
                "919876543210",
                "{text} {country}"
            );
        }
    }
}

#[test]
fn what_copying_leaves_around_a_number_does_not_matter() {
    for text in [
        "\u{202a}+91 98765 43210\u{202c}",
        "\u{2066}+91\u{a0}98765\u{2011}43210\u{2069}",
        "\u{feff}919876543210",
        "\u{61c}+91 98765 43210",
        "+91\u{3000}98765\u{2009}43210\u{200e}",
        "91\u{2013}98765\u{2212}432\u{2060}10",
        "+91·98765•43210",
    ] {
        assert_eq!(Phone::parse(text, None).unwrap().digits(), "919876543210", "{text:?}");
        assert_eq!(Phone::parse(text, home("BR")).unwrap().digits(), "919876543210");
    }
    assert_eq!(Phone::parse("\u{200b}", None), Err(PhoneError::Empty));
}

#[test]
fn digits_of_every_script_are_digits() {
    reads(&[
        ("٠١٠٠١٢٣٤٥٦٧", "EG", "201001234567"),
        ("+٩٦٦٥٠١٢٣٤٥٦٧", "", "966501234567"),
        ("۰۹۱۲۳۴۵۶۷۸۹", "IR", "989123456789"),
        ("+९१ ९८७६५ ४३२१०", "", "919876543210"),
        ("০১৭১২৩৪৫৬৭৮", "BD", "8801712345678"),
        ("＋８１ ９０－１２３４－５６７８", "", "819012345678"),
        ("（０９０）１２３４．５６７８", "JP", "819012345678"),
        ("090ー1234ー5678", "JP", "819012345678"),
        ("๐๘๑ ๒๓๔ ๕๖๗๘", "TH", "66812345678"),
        ("၀၉ ၂၁၂ ၃၄၅၆", "MM", "9592123456"),
        ("𝟗𝟏𝟗𝟖𝟕𝟔𝟓𝟒𝟑𝟐𝟏𝟎", "", "919876543210"),
        ("٩١٩٨٧٦٥٤٣٢١٠٫٠", "", "919876543210"),
        ("919876543210．0", "", "919876543210"),
    ]);
    refuses(&[
        ("9198765432①⓪", "", PhoneError::NotDigits),
        ("91987654321²", "", PhoneError::NotDigits),
        ("919876543½", "", PhoneError::NotDigits),
    ]);
}

#[test]
fn a_number_in_national_form_gets_its_countrys_code() {
    reads(&[
        ("919876543210", "IN", "919876543210"),
        ("9876543210", "IN", "919876543210"),
        ("09876543210", "IN", "919876543210"),
        ("11 91234-5678", "BR", "5511912345678"),
        ("(11) 91234-5678", "br", "5511912345678"),
        ("5511912345678", "BR", "5511912345678"),
        ("+44 7911 123456", "BR", "447911123456"),
        ("00447911123456", "BR", "447911123456"),
        ("07911 123456", "GB", "447911123456"),
        ("0151/23456789", "DE", "4915123456789"),
        ("0 21 11 98765-4321", "BR", "5511987654321"),
        ("(0xx11) 98765-4321", "BR", "5511987654321"),
        ("0XX11 98765-4321", "BR", "5511987654321"),
        ("+55 (0xx11) 98765-4321", "", "5511987654321"),
        ("8 916 123-45-67", "RU", "79161234567"),
        ("8 (495) 123-45-67", "RU", "74951234567"),
        ("06 30 123 4567", "HU", "36301234567"),
        ("011 15-6677-3399", "AR", "5491166773399"),
        ("55 1234 5678", "MX", "525512345678"),
        ("01 55 1234 5678", "MX", "525512345678"),
        ("044 55 1234 5678", "MX", "525512345678"),
        ("357-1234", "BS", "12423571234"),
    ]);
    assert!(Country::parse("XX").is_err() && Country::parse("").is_err() && Country::parse("001").is_err());
    assert_eq!(Country::parse(" br ").unwrap().code(), "BR");
}

#[test]
fn a_number_that_begins_with_its_own_countrys_digits_is_not_cut() {
    reads(&[
        ("9123456789", "IN", "919123456789"),
        ("9198765432", "IN", "919198765432"),
        ("(55) 99912-3456", "BR", "5555999123456"),
        ("55 3220-1234", "BR", "555532201234"),
        ("3912345678", "IT", "393912345678"),
        ("393 885 6416", "IT", "393938856416"),
        ("841234567", "VN", "84841234567"),
        ("661234567", "TH", "66661234567"),
        ("481234567", "PL", "48481234567"),
        ("65123456", "SG", "6565123456"),
        // And one that is whole already is not made longer.
        ("4915123456789", "DE", "4915123456789"),
        ("62812345678", "ID", "62812345678"),
        ("38343201234", "XK", "38343201234"),
    ]);
}

#[test]
fn what_is_dialled_within_a_country_is_left_out_behind_its_code() {
    reads(&[
        ("+44 07900 900 123", "", "447900900123"),
        ("4407900900123", "", "447900900123"),
        ("+62 0812-3456-7890", "", "6281234567890"),
        ("+91-09876543210", "", "919876543210"),
        ("+55 (011) 98765-4321", "", "5511987654321"),
        ("+54 11 15 6677 3399", "", "5491166773399"),
        ("+54 9 11 15 6677 3399", "", "5491166773399"),
        ("+54 9 2966 15 123456", "", "5492966123456"),
        ("+54 9 02966 15 123456", "", "5492966123456"),
        ("+54 9 351 15 1234567", "", "5493511234567"),
        ("549296615123456", "AR", "5492966123456"),
        ("+7 (8) (495) 123-45-67", "", "74951234567"),
        ("+49 (0) 151 23456789", "FR", "4915123456789"),
        ("+36 06 30 123 4567", "", "36301234567"),
        ("+52 044 55 1234 5678", "", "525512345678"),
        ("+84 0123 456 7890", "", "841234567890"),
        // It belongs to the number.
        ("+39 06 1234 5678", "", "390612345678"),
        ("+225 07 07 12 34 56", "", "2250707123456"),
        ("+229 01 97 12 34 56", "", "2290197123456"),
        ("+242 06 612 3456", "", "242066123456"),
        // WhatsApp knows people by these.
        ("+52 1 55 1234 5678", "", "5215512345678"),
        ("+54 9 11 6677 3399", "", "5491166773399"),
        ("+55 11 8765-4321", "", "551187654321"),
    ]);
}

#[test]
fn the_zero_for_callers_from_within_is_left_out() {
    for text in ["+44 (0)7911 123456", "+44(0) 7911-123456", "44 (0)7911 123456", "+44 (0) 7911 (123456)"] {
        for country in ["", "GB", "BR"] {
            assert_eq!(
                Phone::parse(text, home(country)).unwrap().digits(),
                "447911123456",
                "{text} {country}"
            );
        }
    }
    reads(&[
        ("0044 (0)7911 123456", "", "447911123456"),
        ("+34 (0) 612 34 56 78", "", "34612345678"),
        // Part of the number there, and here it follows no country code.
        ("+39 (0)6 1234 5678", "", "390612345678"),
        ("+225 (0)7 07 12 34 56", "", "2250707123456"),
        ("+91 98765 (0)4321", "", "919876504321"),
    ]);
}

#[test]
fn what_is_dialled_for_abroad_is_known_by_its_country() {
    reads(&[
        ("011 44 7911 123456", "US", "447911123456"),
        ("0011 44 7911 123456", "AU", "447911123456"),
        ("810 44 7911 123456", "RU", "447911123456"),
        ("010 44 7911 123456", "JP", "447911123456"),
        ("001 416 555 0199", "DE", "14165550199"),
        ("0011 65 8223 4567", "AU", "6582234567"),
        ("8~10 501 627-7563", "RU", "5016277563"),
        ("8 ~ 10 501 627-7563", "", "5016277563"),
        ("8~10-44-7911-123456", "KZ", "447911123456"),
    ]);
    refuses(&[
        // Australia's 0011, or America's 1 twice.
        ("0011 65 8223 4567", "", PhoneError::Ambiguous),
        ("0011 65 8223 4567", "DE", PhoneError::Ambiguous),
        // Belize, as dialled in Russia, or Japan.
        ("8-10 501 627-7563", "RU", PhoneError::Ambiguous),
        ("8105016277563", "RU", PhoneError::Ambiguous),
        ("011 44 7911 123456", "", PhoneError::LeadingZero),
        ("09876543210", "", PhoneError::LeadingZero),
        ("+0 9876543210", "IN", PhoneError::LeadingZero),
    ]);
}

#[test]
fn where_nothing_tells_which_of_two_numbers_is_meant_none_is_taken() {
    refuses(&[
        // A landline of Foz do Iguaçu, or a mobile of Denmark.
        ("4520123456", "BR", PhoneError::Ambiguous),
        // Digits of a German landline, or a British mobile.
        ("447911123456", "DE", PhoneError::Ambiguous),
        // A Brazilian mobile of before the 9, or a mobile of Norway or Singapore.
        ("47 9912-3456", "BR", PhoneError::Ambiguous),
        ("6581598416", "BR", PhoneError::Ambiguous),
        // A Mexican mobile with the 1 of before 2019, or a number of the United States.
        ("12254814542", "MX", PhoneError::Ambiguous),
        // A landline of Moscow behind Russia's 8, or a mobile of Vietnam.
        ("84991234567", "RU", PhoneError::Ambiguous),
        ("84912345678", "RU", PhoneError::Ambiguous),
    ]);
    reads(&[
        ("+55 45 2012-3456", "", "554520123456"),
        ("045 2012-3456", "BR", "554520123456"),
        ("+45 20 12 34 56", "BR", "4520123456"),
        // Of two mobiles, here of Porto Alegre and of Peru, the home country's is meant.
        ("51 99000-0001", "BR", "5551990000001"),
        ("047 9912-3456", "BR", "554799123456"),
        ("+55 47 9912-3456", "", "554799123456"),
        ("11 8765-4321", "BR", "551187654321"),
        ("8 (499) 123-45-67", "RU", "74991234567"),
        ("8 499 123 45 67", "RU", "74991234567"),
        ("89161234567", "RU", "79161234567"),
    ]);
}

#[test]
fn nothing_else_is_glued_to_a_number() {
    refuses(&[
        ("628123456789.5", "", PhoneError::Decimals),
        ("628123456789.125", "ID", PhoneError::Decimals),
        ("62812345678.9", "", PhoneError::Decimals),
        ("312893.5", "AD", PhoneError::Decimals),
        ("98765 43210.0", "IN", PhoneError::Decimals),
        ("2684641.000", "AG", PhoneError::Decimals),
        ("+376 312000 / 12", "", PhoneError::Several),
        ("51371/2", "FK", PhoneError::Several),
        ("+91 98765-43210.00", "", PhoneError::Decimals),
        ("+91.98765.43210.0", "", PhoneError::Decimals),
        // Como's landline, or a mobile with a 0 that it has not.
        ("+39 (0) 312 345 6789", "", PhoneError::Ambiguous),
        ("+44 7911 123456 x123", "", PhoneError::Extension),
        ("+447911123456x5", "", PhoneError::Extension),
        ("07911 123456 ext. 5", "GB", PhoneError::Extension),
        ("07911 123456 EXT5", "GB", PhoneError::Extension),
        ("11 3456-7890 ramal 12", "BR", PhoneError::Extension),
        ("+7 495 123-45-67 доб. 12", "", PhoneError::Extension),
        ("+447911123456#12", "", PhoneError::Extension),
        ("+447911123456,12", "", PhoneError::Extension),
        ("+447911123456;12", "", PhoneError::Extension),
        ("tel:+447911123456;ext=12", "", PhoneError::Extension),
        ("+447911123456;ext=12", "", PhoneError::Extension),
        ("9876543210 / 9876543211", "IN", PhoneError::Several),
        ("9876543210/9876543211", "IN", PhoneError::Several),
        ("98765 43210/11", "IN", PhoneError::Several),
        ("9876543210;9876543211", "IN", PhoneError::Several),
        ("9876543210,9876543211", "IN", PhoneError::Several),
        ("+919876543210 ::: +919876543211", "", PhoneError::Several),
        ("+919876543210+919876543211", "", PhoneError::Several),
        ("9876543210 or 9876543211", "IN", PhoneError::Several),
        ("9876543210\n9876543211", "IN", PhoneError::Several),
        ("6111234 6112345", "IS", PhoneError::Several),
        ("611 1234 / 611 2345", "IS", PhoneError::Several),
        // The letter is a word, and no power of ten.
        ("5511-90000-0001 e 5511-90000-0002", "", PhoneError::Several),
        ("5511900000001 e 5511900000002", "BR", PhoneError::Several),
        ("98765 43210 e 11", "IN", PhoneError::Several),
        ("98765 43210 ou 98765 43211", "IN", PhoneError::Several),
        ("98765 43210 y 98765 43211", "IN", PhoneError::Several),
        ("98765 43210 и 98765 43211", "IN", PhoneError::Several),
        ("98765 43210 et 98765 43211", "IN", PhoneError::Several),
        ("98765 43210 und 11", "IN", PhoneError::Several),
        ("98765 43210 & 98765 43211", "IN", PhoneError::Several),
        ("98765 43210 or 11", "IN", PhoneError::Several),
        ("hello", "", PhoneError::NotDigits),
        ("9198765y3210", "", PhoneError::NotDigits),
        ("1-800-FLOWERS", "US", PhoneError::NotDigits),
        ("ana@example.com", "", PhoneError::NotDigits),
        ("https://wa.me/message/ABCDEFGH123", "", PhoneError::NoNumberInLink),
        ("https://wa.me/qr/9198765432109", "", PhoneError::NoNumberInLink),
        ("https://chat.whatsapp.com/9876543210", "", PhoneError::NoNumberInLink),
        ("https://api.whatsapp.com/send?text=9876543210", "", PhoneError::NoNumberInLink),
        ("https://example.com/?phone=9876543210", "", PhoneError::NoNumberInLink),
    ]);
    for text in
        ["9.19877E+11", "9,19877E+11", "9.19877e11", "９.19877E+11", "'9.19877E+11", "1E+12", "9.19877E 11"]
    {
        for country in ["", "IN", "DE"] {
            assert_eq!(Recipient::parse(text, home(country)), Err(PhoneError::Rounded), "{text}");
        }
    }
    // An area and its number, not two numbers; digits in pairs, not decimals.
    reads(&[
        ("0211/1234567", "DE", "492111234567"),
        ("+49 3834/123456", "", "493834123456"),
        ("0049 3834/123456", "", "493834123456"),
        ("06.12.34.56.00", "FR", "33612345600"),
        ("312893.0", "AD", "376312893"),
        ("7386,00", "TK", "6907386"),
        ("98765.00000", "IN", "919876500000"),
        ("+41 79 123 45 00", "", "41791234500"),
    ]);
}

#[test]
fn a_refusal_says_what_to_fix() {
    let cases = [
        ("", PhoneError::Empty),
        ("+", PhoneError::Empty),
        ("hello", PhoneError::NotDigits),
        ("123456", PhoneError::Length),
        ("1234567890123456", PhoneError::Length),
        ("2109876543", PhoneError::UnknownCountry),
        ("0919876543210@s.whatsapp.net", PhoneError::LeadingZero),
        ("x@lid", PhoneError::BadJid),
        ("1@example.com", PhoneError::BadJid),
        ("status@broadcast", PhoneError::UnsupportedJid),
        ("123@newsletter", PhoneError::UnsupportedJid),
    ];
    for (text, why) in cases {
        assert_eq!(Recipient::parse(text, None), Err(why), "{text}");
    }
    refuses(&[("12", "BR", PhoneError::Length), ("hello", "BR", PhoneError::NotDigits)]);
}

#[test]
fn whatsapps_own_digits_are_taken_as_they_stand() {
    for digits in ["5215512345678", "551187654321", "4407900900123", "15550001"] {
        assert_eq!(Phone::from_whatsapp(digits).unwrap().digits(), digits);
        assert_eq!(
            Recipient::parse(&format!("{digits}@s.whatsapp.net"), home("IN"))
                .unwrap()
                .phone()
                .unwrap()
                .digits(),
            digits
        );
    }
    assert!(Phone::from_whatsapp("+5511987654321").is_err() && Phone::from_whatsapp("").is_err());
}

#[test]
fn groups_old_and_new_are_recipients() {
    for jid in ["120363041234567890@g.us", "491700000000-1500000000@g.us", "123456789@lid"] {
        assert_eq!(Recipient::parse(jid, home("BR")).unwrap().jid(), jid);
    }
}

#[test]
fn all_spellings_of_one_line_are_known() {
    for family in [
        &["5511987654321", "551187654321"][..],
        &["5585960000001", "558560000001"],
        &["5215512345678", "525512345678"],
        &["5491112345678", "541112345678"],
        &["22997123456", "2290197123456"],
        &["22521123456", "22521123456"][..1],
        &["22507123456", "2250707123456"],
        &["22504123456", "2250504123456"],
        &["22541123456", "2250141123456"],
        &["24107123456", "2417123456", "24177123456"],
        &["24102123456", "2412123456", "24162123456"],
        &["24101123456", "2411123456", "24111123456"],
        &["841201234567", "84701234567"],
        &["841691234567", "84391234567"],
        &["5712345678", "576012345678"],
        &["23767123456", "237667123456"],
        &["23799123456", "237699123456"],
    ] {
        let phones: Vec<Phone> = family.iter().map(|digits| Phone::from_whatsapp(digits).unwrap()).collect();
        for phone in &phones {
            let mut sorted = phones.clone();
            sorted.sort_unstable();
            assert_eq!(phone.spellings(), sorted, "{family:?}");
            assert_eq!(phone.identity(), phones[0].identity(), "{family:?}");
        }
    }
}

#[test]
fn lines_that_are_two_stay_two() {
    for text in [
        // A landline of São Paulo, and the mobile that has its digits after a 9.
        "551134567890",
        "5511934567890",
        // No area has a 0.
        "550187654321",
        "55118765432",
        "521551234567",
        "525512345",
        "549911234567",
        "919876543210",
        "447911123456",
        // Sold since the change: of no old number.
        "2250718139912",
        "2250107123456",
        "22918123456",
        "24160123456",
        "84911234567",
        "237222123456",
        "573001234567",
    ] {
        let phone = Phone::from_whatsapp(text).unwrap();
        assert_eq!((phone.identity().to_string().as_str(), phone.spellings().len()), (text, 1));
    }
}

/// A valid mobile of some country, with its country and its digits behind the code.
fn somebody() -> impl Strategy<Value = (&'static str, String, String)> {
    let examples = plan::examples();
    let count = examples.len();
    (0..count, "[0-9]{3}").prop_filter_map("a valid number", move |(place, end)| {
        let (region, digits) = &examples[place];
        let other = format!("{}{end}", &digits[..digits.len() - 3]);
        let known = plan::international(&other).filter(|planned| planned.line.is_some())?;
        let code = plan::code_of(&known.digits)?.len();
        (known.digits == other).then(|| (*region, other.clone(), other[code..].to_owned()))
    })
}

/// Whether a number's digits are those of the text, in their order and to their end, behind a country code of
/// the text or of the home, without what is dialled before them. In Argentina a 9 stands for a 15.
fn is_explained(read: &str, text: &str, home_code: &str) -> bool {
    let typed: String = written::tidy(text).chars().filter(char::is_ascii_digit).collect();
    let end = &read[read.len() - 6..];
    let source = format!("{home_code}{typed}");
    let read = if read.starts_with("549") { read.replacen("549", "54", 1) } else { read.to_owned() };
    let mut rest = source.chars();
    typed.contains(end) && read.chars().all(|digit| rest.any(|c| c == digit))
}

const HOMES: [&str; 12] = ["", "BR", "IN", "DE", "US", "IT", "ID", "GB", "AR", "MX", "CI", "RU"];

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}", home_of in 0..HOMES.len()) {
        let _ = Recipient::parse(&text, home(HOMES[home_of]));
    }

    #[test]
    fn what_looks_like_a_number_never_panics(
        text in "[+0-9 ()./,;:xXeE'=@-]{0,30}", home_of in 0..HOMES.len()
    ) {
        let _ = Recipient::parse(&text, home(HOMES[home_of]));
    }

    #[test]
    fn a_spellings_spellings_are_its_own(text in "(5[2457]|84|2(25|29|37|41))[0-9]{6,11}") {
        let phone = Phone::from_whatsapp(&text).unwrap();
        for other in phone.spellings() {
            prop_assert_eq!(other.identity(), phone.identity());
            prop_assert_eq!(other.spellings(), phone.spellings());
        }
    }

    #[test]
    fn what_parses_parses_again_to_itself(text in "\\+?[0-9][0-9 ().-]{6,20}", home_of in 0..HOMES.len()) {
        if let Ok(phone) = Phone::parse(&text, home(HOMES[home_of])) {
            let again = format!("+{}", phone.digits());
            prop_assert_eq!(Phone::parse(&again, None).unwrap(), phone);
        }
    }

    /// Whoever's number is written, with the code or at home, in any spelling and with any debris: that number is
    /// read, or one of its line's, or none, whatever the home of who asks.
    #[test]
    fn nobody_elses_number_is_ever_the_outcome(
        (region, digits, national) in somebody(),
        home_of in 0..HOMES.len(),
        groups in prop::collection::vec(0_usize..4, 18),
        separator in prop::sample::select(vec![" ", "-", ".", "\u{a0}", "\u{2011}", "/", " - ", ""]),
        around in prop::sample::select(vec![
            ("+", ""), ("00", ""), ("(+", ")"), ("tel:+", ""), ("p:+", ""), ("'+", ""), ("=\"+", "\""),
            ("https://wa.me/", "?text=5"), ("\u{202a}+", "\u{202c}"), ("+", ".0"), ("+", ",00"), ("+", " x12"),
            ("+", " ext. 5"), ("+", " / 12"), ("+", ";5"), ("+", "E+11"), ("", "@s.whatsapp.net"), ("＋", ""),
        ]),
        trunk in prop::sample::select(vec!["", "0", "(0)", "8", "1", "06", "15"]),
    ) {
        let code = digits.len() - national.len();
        let grouped = |digits: &str| -> String {
            let mut text = String::new();
            for (place, digit) in digits.chars().enumerate() {
                text.push(digit);
                // A dot before one or two zeros is the point of decimals.
                let least = if separator == "." { 3 } else { 1 };
                if groups[place % groups.len()] == 0 && place + least < digits.len() {
                    text.push_str(separator);
                }
            }
            text
        };
        let whole = if around.0.starts_with("https") || around.1.starts_with('@') {
            digits.clone()
        } else {
            format!("{} {}", &digits[..code], grouped(&national))
        };
        let with_trunk = format!("+{} {trunk} {}", &digits[..code], grouped(&national));
        let line = Phone::from_whatsapp(&digits).unwrap().spellings();
        let own = Country::parse(region).ok();
        let texts = [
            (format!("{}{whole}{}", around.0, around.1), home(HOMES[home_of])),
            (with_trunk, home(HOMES[home_of])),
            (grouped(&national), own),
            (format!("0{}", grouped(&national)), own),
            (grouped(&digits), own),
            (grouped(&digits), None),
            (format!("{digits}.0"), own),
        ];
        for (place, (text, home)) in texts.iter().enumerate() {
            // A 0 or another digit that stands before a number may be a part of one in its country.
            let is_sure = !matches!(place, 1 | 3);
            if let Ok(read) = Phone::parse(text, *home) {
                let is_theirs = line.contains(&read);
                let is_typed = !is_sure && read.digits().ends_with(&national[national.len() - 4..]);
                prop_assert!(is_theirs || is_typed, "{} of {region}: {text:?} is {}", digits, read.digits());
            }
        }
    }

    /// Whatever is typed, a number that is read stands in it.
    #[test]
    fn digits_are_never_made_up(
        text in "[+]?[0-9 ().,/;:xXeE'=-]{5,28}", home_of in 0..HOMES.len()
    ) {
        if let Ok(read) = Phone::parse(&text, home(HOMES[home_of])) {
            let code = home(HOMES[home_of]).map(|home| plan::code_of_region(home.region())).unwrap_or_default();
            prop_assert!(is_explained(read.digits(), &text, &code), "{text:?} is {}", read.digits());
        }
    }
}
