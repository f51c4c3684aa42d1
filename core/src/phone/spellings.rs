//! Lines that have several numbers, because their country was renumbered.
//!
//! People go on writing the old number, and WhatsApp names an account by the one it was registered with: lists
//! say `5511987654321` of whom WhatsApp calls `551187654321`. Who said stop under one must not be written to
//! under the other.
//!
//! A country is here only where both numbers can be nothing but one line, and where its change is recent enough
//! for lists to have both. A Brazilian number of eight digits that does not begin with 6 to 9 is a landline,
//! and the one with a 9 before it is somebody else. Ivory Coast's landlines are left out: the old number does
//! not say whose they are.
//!
//! What is kept by these rules (`opt_outs` has a row for each) is brought up to date by a migration when they
//! change.

/// The other numbers of the line with these digits.
pub(super) fn others(digits: &str) -> Vec<String> {
    let line = match digits.as_bytes() {
        [b'5', b'5', ..] => brazil(&digits[2..]),
        [b'5', b'2', ..] => between(&digits[2..], "1", 10, '2'..='9'),
        [b'5', b'4', ..] => between(&digits[2..], "9", 10, '1'..='3'),
        [b'5', b'7', ..] => colombia(&digits[2..]),
        [b'8', b'4', ..] => vietnam(&digits[2..]),
        [b'2', b'2', b'5', ..] => return behind("225", ivory_coast(&digits[3..])),
        // Since November 2024.
        [b'2', b'2', b'9', ..] => return behind("229", between(&digits[3..], "01", 8, '2'..='9')),
        // Since November 2014; landlines got a 2.
        [b'2', b'3', b'7', ..] => return behind("237", cameroon(&digits[3..])),
        [b'2', b'4', b'1', ..] => return behind("241", gabon(&digits[3..])),
        _ => return vec![],
    };
    behind(&digits[..2], line)
}

fn behind(code: &str, numbers: Vec<String>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("{code}{number}")).collect()
}

/// The other of two numbers that differ in what stands before `length` digits, of which the first is one of
/// `begins`.
fn between(number: &str, before: &str, length: usize, begins: std::ops::RangeInclusive<char>) -> Vec<String> {
    let fits = |number: &str| number.len() == length && number.starts_with(|c| begins.contains(&c));
    match number.strip_prefix(before) {
        Some(short) if fits(short) => vec![short.to_owned()],
        _ if fits(number) => vec![format!("{before}{number}")],
        _ => vec![],
    }
}

/// A 9 before mobile numbers, behind the area, since 2012 to 2016.
fn brazil(number: &str) -> Vec<String> {
    match number.split_at_checked(2) {
        // Areas have no 0.
        Some((area, line)) if !area.contains('0') => behind(area, between(line, "9", 8, '6'..='9')),
        _ => vec![],
    }
}

/// Since 2021 the digits 60 before what was a landline's area.
fn colombia(number: &str) -> Vec<String> {
    let line = number.strip_prefix("60").unwrap_or(number);
    let is_line = line.len() == 8 && matches!(line.as_bytes(), [b'1' | b'2' | b'4'..=b'8', b'2'..=b'9', ..]);
    if is_line { between(number, "60", 8, '1'..='8') } else { vec![] }
}

/// Since January 2021 each operator's two digits before the eight of its mobiles, whose second digit says which
/// operator had sold them.
fn ivory_coast(number: &str) -> Vec<String> {
    let operator = |line: &str| match line.as_bytes() {
        [b'0' | b'4'..=b'9', b'0'..=b'3', ..] => Some("01"),
        [b'0' | b'4'..=b'9', b'4'..=b'6', ..] => Some("05"),
        [b'0' | b'4'..=b'9', b'7'..=b'9', ..] => Some("07"),
        _ => None,
    };
    match number.len() {
        8 => operator(number).map(|operator| format!("{operator}{number}")).into_iter().collect(),
        10 if operator(&number[2..]) == Some(&number[..2]) => vec![number[2..].to_owned()],
        _ => vec![],
    }
}

/// A 6 before the eight digits of mobiles.
fn cameroon(number: &str) -> Vec<String> {
    let line = if number.len() == 9 { number.strip_prefix('6').unwrap_or_default() } else { number };
    match line.as_bytes() {
        [b'5' | b'6' | b'7' | b'9', ..] => between(number, "6", 8, '5'..='9'),
        _ => vec![],
    }
}

/// Since 2019 (and only since April 2024) the operator's digit instead of the 0, which belonged to the number
/// and was often left out by those who thought that it did not.
fn gabon(number: &str) -> Vec<String> {
    const OPERATORS: [(char, &str); 6] =
        [('1', "1"), ('2', "6"), ('5', "6"), ('6', "6"), ('4', "7"), ('7', "7")];
    let line = match number.len() {
        7 => number,
        8 => &number[1..],
        _ => return vec![],
    };
    let Some((_, operator)) = OPERATORS.iter().find(|(first, _)| line.starts_with(*first)) else {
        return vec![];
    };
    let all = [line.to_owned(), format!("0{line}"), format!("{operator}{line}")];
    if all.iter().any(|one| one == number) {
        all.into_iter().filter(|one| one != number).collect()
    } else {
        vec![]
    }
}

/// Since 2018 two digits before seven of a mobile instead of three.
fn vietnam(number: &str) -> Vec<String> {
    const PREFIXES: [(&str, &str); 21] = [
        ("120", "70"),
        ("121", "79"),
        ("122", "77"),
        ("126", "76"),
        ("128", "78"),
        ("123", "83"),
        ("124", "84"),
        ("125", "85"),
        ("127", "81"),
        ("129", "82"),
        ("162", "32"),
        ("163", "33"),
        ("164", "34"),
        ("165", "35"),
        ("166", "36"),
        ("167", "37"),
        ("168", "38"),
        ("169", "39"),
        ("186", "56"),
        ("188", "58"),
        ("199", "59"),
    ];
    let other = PREFIXES.iter().find_map(|(old, new)| match number.len() {
        10 => number.strip_prefix(old).map(|line| format!("{new}{line}")),
        9 => number.strip_prefix(new).map(|line| format!("{old}{line}")),
        _ => None,
    });
    other.into_iter().collect()
}
