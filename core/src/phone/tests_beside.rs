//! What stands beside a number and is no part of it.

use super::tests::{home, reads, refuses};
use super::*;

#[test]
fn decimals_of_any_shape_are_no_part_of_a_number() {
    for text in [
        "628123456789. 0",
        "628123456789.\u{a0}0",
        "628123456789 .0",
        "628123456789.0.",
        "628123456789.0 .",
        "628123456789.0,0",
        "628123456789.00,00",
        "(628123456789.0)",
        "[628123456789.00]",
        "628123456789. 0@s.whatsapp.net",
        "628123456789.0.@c.us",
        "628,123,456,789.0,0",
        "https://wa.me/628123456789.0",
        "https://wa.me/628123456789.0?text=5",
        "https://api.whatsapp.com/send?phone=628123456789.0",
        "https://api.whatsapp.com/send?phone=%2B628123456789.00&text=5",
    ] {
        for country in ["", "ID", "BR"] {
            let parsed = Phone::parse(text, home(country)).map(|phone| phone.digits().to_owned());
            assert_eq!(parsed.as_deref(), Ok("628123456789"), "{text:?} in {country:?}");
        }
    }
    refuses(&[
        ("628123456789. 5", "", PhoneError::Decimals),
        ("628123456789.0.0", "", PhoneError::Decimals),
        ("628123456789,0.0", "", PhoneError::Decimals),
        ("62812345678.00.00", "", PhoneError::Decimals),
        ("0812 3456 789. 0", "ID", PhoneError::Decimals),
        ("https://wa.me/628123456789.5", "", PhoneError::Decimals),
    ]);
}

#[test]
fn a_link_is_read_as_carefully_as_a_text() {
    for text in ["628123456789 (2)", "628123456789%20(2)", "628123456789%20-%202", "628123456789 - 2"] {
        for link in ["https://wa.me/", "https://api.whatsapp.com/send?phone=", "whatsapp://send?phone="] {
            refuses(&[(&format!("{link}{text}"), "", PhoneError::DigitsBeside)]);
        }
    }
    refuses(&[
        ("https://wa.me/628123456789/2", "", PhoneError::Several),
        ("https://api.whatsapp.com/send?phone=628123456789/2", "", PhoneError::Several),
        ("https://wa.me/628123456789\n2", "", PhoneError::Several),
        ("https://wa.me/628123456789,2", "", PhoneError::Extension),
        ("https://api.whatsapp.com/send?phone=628123456789;2", "", PhoneError::Extension),
        ("https://wa.me/628123456789%0A2", "", PhoneError::NoNumberInLink),
        ("+14155552671 https://wa.me/6281234567890", "", PhoneError::Several),
        ("https://wa.me/6281234567890 https://wa.me/6281234567891", "", PhoneError::Several),
        ("https://wa.me/6281234567890?text=5 +1 415 555 2671", "", PhoneError::Several),
        ("https://wa.me/6281234567890\nhttps://wa.me/6281234567891", "", PhoneError::Several),
        ("https://api.whatsapp.com/send?phone=6281234567890&phone=6281234567891", "", PhoneError::Several),
        ("whatsapp://send?phone=6281234567890 wa.me/6281234567891", "", PhoneError::Several),
    ]);
    reads(&[
        ("https://wa.me/628123456789/?text=12345678", "", "628123456789"),
        ("Ana https://wa.me/628123456789", "", "628123456789"),
        ("https://wa.me/628123456789?text=Room 12 at 5", "", "628123456789"),
    ]);
}

#[test]
fn digits_beside_a_number_are_not_glued_to_it() {
    for number in
        ["+62 812-3456-789", "tel:+62 812-3456-789", "628123456789", "+1 415 555 2671", "0812 3456 789"]
    {
        for beside in [" (2)", "(2)", " [2]", " ( 12 )", " (2", " - 2", " -2", "- 2", " – 2", " — 12", " ~ 2"]
        {
            refuses(&[(&format!("{number}{beside}"), "ID", PhoneError::DigitsBeside)]);
        }
        for beside in ["\n2", "\t0", "\r\n12", "\u{2028}2", "\n+2", "\n(2)"] {
            refuses(&[(&format!("{number}{beside}"), "ID", PhoneError::Several)]);
        }
    }
    refuses(&[
        ("+62 812-3456-789 (2)@s.whatsapp.net", "", PhoneError::DigitsBeside),
        ("628123456789 - 2@s.whatsapp.net", "", PhoneError::DigitsBeside),
        ("628123456789\n2@s.whatsapp.net", "", PhoneError::Several),
        ("2\n628123456789", "", PhoneError::Several),
    ]);
    reads(&[
        ("06 - 12 - 34 - 56 - 78", "FR", "33612345678"),
        ("+62 - 812 - 3456 - 789", "", "628123456789"),
        ("+44 (0) 7911 (123456)", "", "447911123456"),
        ("Tel:\n+62 812-3456-789\n", "", "628123456789"),
    ]);
}

#[test]
fn an_index_before_a_number_is_not_glued_to_it() {
    for text in [
        "Mobile 1 9178765432",
        "Mobile 1 91787 65432",
        "Mobile 2 9178765432",
        "Mobile: 1 9178765432",
        "Mobile 1 - 9178765432",
        "Mobile 1) 9178765432",
        "Mobile (1) 9178765432",
        "ph1 9178765432",
        "Tel1. 9178765432",
        "№1 9178765432",
        "📱1 9178765432",
        "☎️ 1 9178765432",
        "№ 1 9178765432",
        "1. 9178765432",
        "1) 9178765432",
        "1] 9178765432",
        "(1) 9178765432",
        "[1] 9178765432",
        "1/ 9178765432",
        "1/9178765432",
        "1 - 9178765432",
        "1- 9178765432",
        "1.9178765432",
        "2) 9178765432",
        "12. 9178765432",
        "12) 9178765432",
    ] {
        refuses(&[(text, "IN", PhoneError::DigitsBeside)]);
    }
    refuses(&[
        ("1. 9178765432", "", PhoneError::DigitsBeside),
        ("1) 628123456789", "", PhoneError::DigitsBeside),
        ("1.) 628123456789", "IN", PhoneError::DigitsBeside),
        ("10) 213551234567", "IN", PhoneError::DigitsBeside),
        ("№2 79123456789", "IN", PhoneError::DigitsBeside),
        // Behind the index a number of two countries; with it one of Jamaica.
        ("Mobile 1 6581234567", "IN", PhoneError::DigitsBeside),
        // Vienna's area, or an index before a mobile.
        ("Mobile 1 664123456", "AT", PhoneError::DigitsBeside),
        ("(1) 628123456789", "", PhoneError::DigitsBeside),
        ("1. 9178765432@s.whatsapp.net", "", PhoneError::DigitsBeside),
        ("Mobile 1 11 91234-5678", "BR", PhoneError::DigitsBeside),
    ]);
    // What is dialled, an area or a country code is no index.
    reads(&[
        ("(11) 91234-5678", "BR", "5511912345678"),
        ("Tel (55) 99912-3456", "BR", "5555999123456"),
        ("(55) 11 91234-5678", "BR", "5511912345678"),
        ("WhatsApp 55 11 91234-5678", "", "5511912345678"),
        ("(1) 415-555-2671", "US", "14155552671"),
        ("Phone 1 (415) 555-2671", "US", "14155552671"),
        ("1. 415 555 2671", "US", "14155552671"),
        ("1-415-555-2671", "IN", "14155552671"),
        ("1.917.876.5432", "IN", "19178765432"),
        ("Tel. 8 916 123-45-67", "RU", "79161234567"),
        ("8 - 916 - 123 - 45 - 67", "RU", "79161234567"),
        ("Tel. 06 12 34 56 78", "FR", "33612345678"),
        ("Tel 91 98765 43210", "US", "919876543210"),
        ("№ 9178765432", "IN", "919178765432"),
        ("📱 9178765432", "IN", "919178765432"),
        ("📱 8 916 123-45-67", "RU", "79161234567"),
        ("📱 1 (415) 555-2671", "US", "14155552671"),
        ("📱 1 (415) 555-2671", "", "14155552671"),
        ("Mobile: 6 71 23 41 15", "CM", "237671234115"),
        ("07/9012 3730", "JO", "962790123730"),
        ("Tel 1 5123456", "AT", "4315123456"),
        ("(0)7911 123456", "GB", "447911123456"),
    ]);
}

#[test]
fn a_last_group_that_is_too_short_is_no_part_of_a_mobile() {
    refuses(&[
        ("+62 812-3456-789 2", "", PhoneError::DigitsBeside),
        ("+62 812-3456-789-0", "", PhoneError::DigitsBeside),
        ("+62 812 3456 789 12", "", PhoneError::DigitsBeside),
        ("+62 812 3456 789 1234", "", PhoneError::DigitsBeside),
        ("0062 812 3456 789 2", "", PhoneError::DigitsBeside),
        ("0812 3456 789 2", "ID", PhoneError::DigitsBeside),
        ("628123456789 0", "", PhoneError::DigitsBeside),
        ("628123456789-0", "", PhoneError::DigitsBeside),
        ("+62 812 3456 789 (1 2)", "", PhoneError::DigitsBeside),
        ("+45 34 41 23 45 12", "", PhoneError::DigitsBeside),
        ("+7 912 345-67-89 (123)", "", PhoneError::DigitsBeside),
        ("628123456789/0", "", PhoneError::Several),
        ("sms:+628123456789;+628123456780", "", PhoneError::Several),
        ("https://wa.me/628123456789-0", "", PhoneError::DigitsBeside),
        ("https://wa.me/628123456789%202", "", PhoneError::DigitsBeside),
        ("+1 415 555 2671 5", "", PhoneError::DigitsBeside),
        ("+1 415 555 2671 123", "", PhoneError::DigitsBeside),
        ("628123456789 0@s.whatsapp.net", "", PhoneError::DigitsBeside),
        ("(628123456789.12)", "", PhoneError::Decimals),
    ]);
    reads(&[
        ("+43 664 123 45 67", "", "436641234567"),
        ("+46 70-123 45 67", "", "46701234567"),
        ("+49 89 12345-0", "", "4989123450"),
        ("+91 98765 4321 0", "", "919876543210"),
        ("+91 (98765) 432.10", "", "919876543210"),
        ("+62 812 3456 7890", "", "6281234567890"),
        ("+358 50 123 45 67", "", "358501234567"),
    ]);
}
