//! What a person or a program wrote, without the debris of lists, links, spreadsheets and address books.
//!
//! It promises that no digit of anything else ends up in the number: of an extension, of a second number, of
//! decimals, of a link's text. Which number the digits mean is for `reading`.

use std::borrow::Cow;

use super::decimals::{is_rounded, whole};
use super::doubts::Doubts;
use super::link::{in_link, is_link};
use super::second::{NUMBER_MIN, digits_in, has_digits_beside, has_extension, has_several};
use super::{PhoneError, plan};

/// What stands around a number in quotes, formulas and lists.
const AROUND: [char; 14] = ['\'', '"', '`', '´', '’', '‘', '‛', 'ʼ', '′', '“', '”', '„', '«', '»'];
/// What people write before a number. Letters that are none of these are no part of one.
const LABELS: [&str; 24] = [
    "tel",
    "telephone",
    "telefon",
    "telefone",
    "telefono",
    "phone",
    "ph",
    "p",
    "m",
    "t",
    "mob",
    "mobile",
    "mobil",
    "móvil",
    "cel",
    "cell",
    "celular",
    "handy",
    "hp",
    "gsm",
    "fone",
    "wa",
    "whatsapp",
    "sms",
];

/// How the digits are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With the country code, because a `+` or a link says so.
    International,
    /// They begin with `00`, which is a `+` nearly everywhere.
    DoubleZero,
    /// Nothing says so.
    Bare,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub form: Form,
    /// ASCII, without the `00` of [`Form::DoubleZero`].
    pub digits: String,
    /// The same without the `(0)` behind a country code, which is for who calls from within the country.
    pub without_zero: Option<String>,
    pub doubts: Doubts,
}

/// A text without what nobody sees and what stands around a number, with ASCII's digits, dashes, spaces and
/// signs for those of all scripts.
///
/// What is copied from a web page or an address book has such signs: WhatsApp itself puts marks of direction
/// around a number.
pub(super) fn tidy(text: &str) -> Cow<'_, str> {
    let text = if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter_map(plain).collect())
    };
    let around = |c: char| c.is_whitespace() || AROUND.contains(&c) || matches!(c, '=' | ',' | ';');
    // A picture of a telephone, and the like.
    let picture = |c: char| !c.is_ascii() && !c.is_alphanumeric() && c != '№';
    let trimmed = text.trim_matches(|c| around(c) || picture(c));
    let before = &text[..text.len() - text.trim_start_matches(|c| around(c) || picture(c)).len()];
    // A picture is a label, behind which a lone digit is an index: `📱1 98765 43210`.
    if before.contains(picture) && trimmed.find(|c: char| !c.is_ascii_digit()) == Some(1) {
        return Cow::Owned(format!("№{trimmed}"));
    }
    if trimmed.len() == text.len() { text } else { Cow::Owned(trimmed.to_owned()) }
}

fn plain(c: char) -> Option<char> {
    match c {
        '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        // Dashes, the minus, the line that lengthens a vowel in Japan, and waves.
        '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{fe58}'
        | '\u{fe63}'
        | '\u{30fc}'
        | '\u{2053}'
        | '\u{223c}'
        | '\u{301c}'
        | '\u{ff5e}' => Some('-'),
        // Dots in the middle of the line.
        '\u{b7}' | '\u{2022}' | '\u{2219}' | '\u{22c5}' | '\u{30fb}' => Some('.'),
        // Commas, and the point of decimals, in Arabic.
        '\u{60c}' | '\u{66b}' | '\u{66c}' => Some(','),
        '\u{2044}' | '\u{2215}' => Some('/'),
        '\u{fe62}' => Some('+'),
        // The wide forms of ASCII.
        '\u{ff01}'..='\u{ff5d}' => char::from_u32(u32::from(c) - 0xfee0),
        // Ends of lines.
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        c if c.is_whitespace() && !c.is_ascii() => Some(' '),
        c if c.is_ascii() => Some(c),
        c => Some(plan::digit(c).unwrap_or(c)),
    }
}

impl Written {
    /// Reads a tidy text.
    ///
    /// # Errors
    /// Says what to write instead.
    pub fn of(text: &str) -> Result<Self, PhoneError> {
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::of_digits(text.to_owned(), None, false);
        }
        if is_rounded(text) {
            return Err(PhoneError::Rounded);
        }
        if is_link(text) {
            return Self::behind_sign(&in_link(text)?);
        }
        if let Some(number) = behind_russias_prefix(text) {
            return Self::behind_sign(&alone(number)?);
        }
        let unlabelled = unlabelled(text)?;
        let is_labelled = unlabelled.len() < text.len();
        let text = without_placeholder(&unlabelled);
        let text = alone(&text)?;
        let zero = zero_for_callers_within(&text);
        let (plus, digits) = scan(&text)?;
        let dropped = zero.map(|text| scan(&text)).transpose()?.map(|(_, digits)| digits);
        let is_international = plus || dropped.is_some();
        let doubts = Doubts::of(&text, is_labelled);
        Ok(Self { doubts, ..Self::of_digits(digits, dropped, is_international)? })
    }

    /// What stands in a link, or behind what is dialled for abroad.
    fn behind_sign(number: &str) -> Result<Self, PhoneError> {
        let doubts = Doubts::of(number, false);
        Ok(Self { doubts, ..Self::of_digits(scan(number)?.1, None, true)? })
    }

    fn of_digits(digits: String, dropped: Option<String>, plus: bool) -> Result<Self, PhoneError> {
        if digits.is_empty() {
            return Err(PhoneError::Empty);
        }
        // The two zeros of abroad come on top.
        if digits.len() > 24 {
            return Err(PhoneError::Length);
        }
        let bare = |digits: &str| digits.strip_prefix("00").map(str::to_owned);
        let doubts = Doubts::default();
        let without_zero = dropped.map(|digits| bare(&digits).unwrap_or(digits));
        Ok(match (bare(&digits), plus) {
            (Some(digits), true) => Self { form: Form::International, digits, without_zero, doubts },
            (Some(digits), false) => Self { form: Form::DoubleZero, digits, without_zero, doubts },
            (None, true) => Self { form: Form::International, digits, without_zero, doubts },
            (None, false) => Self { form: Form::Bare, digits, without_zero, doubts },
        })
    }
}

/// `8~10 44 7911 123456`: what one dials for abroad in Russia and its neighbours, with the tone between.
fn behind_russias_prefix(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('8')?.trim_start().strip_prefix('~')?.trim_start();
    rest.strip_prefix("10").map(|number| number.trim_start_matches([' ', '-', '~']))
}

/// A text without decimals, of one number and nothing else.
pub(super) fn alone(text: &str) -> Result<Cow<'_, str>, PhoneError> {
    let text = whole(text)?;
    if has_several(&text) {
        return Err(PhoneError::Several);
    }
    if has_extension(&text) {
        return Err(PhoneError::Extension);
    }
    if has_digits_beside(&text) {
        return Err(PhoneError::DigitsBeside);
    }
    Ok(text)
}

/// Without `tel:`, `p:`, `Mobile: ` and the parameters of such a link.
fn unlabelled(text: &str) -> Result<Cow<'_, str>, PhoneError> {
    if let Some(rest) = text.strip_prefix('№') {
        return Ok(Cow::Borrowed(rest.trim_start()));
    }
    let letters = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let label = text[..letters].to_lowercase();
    if !LABELS.contains(&label.as_str()) && label != "callto" {
        return Ok(Cow::Borrowed(text));
    }
    let rest = &text[letters..];
    let is_scheme = rest.starts_with(':') && ["tel", "callto", "sms", "whatsapp"].contains(&label.as_str());
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || ".:-".contains(c));
    if !is_scheme {
        return Ok(Cow::Borrowed(rest));
    }
    let mut parts = rest.split([';', '?']);
    let mut number = Cow::Borrowed(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("ext") && !value.is_empty() => {
                return Err(PhoneError::Extension);
            }
            // The number is of a country, and one that is only known inside a company is none.
            Some((name, value)) if name.eq_ignore_ascii_case("phone-context") && !number.starts_with('+') => {
                if !value.starts_with('+') {
                    return Err(PhoneError::NotDigits);
                }
                number = Cow::Owned(format!("{value} {number}"));
            }
            None if digits_in(part) >= NUMBER_MIN => return Err(PhoneError::Several),
            _ => {}
        }
    }
    Ok(number)
}

/// Brazil writes `(0xx11) 98765-4321`: a 0, any carrier, and the area.
fn without_placeholder(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    for placeholder in ["0xx", "0 xx ", "0-xx-"] {
        if let Some(place) = lower.find(placeholder) {
            let (before, rest) = (&text[..place], &text[place + placeholder.len()..]);
            let has_area =
                rest.trim_start_matches([' ', ')', '-', '(']).starts_with(|c: char| c.is_ascii_digit());
            if has_area && !before.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                return Cow::Owned(format!("{before}0{rest}"));
            }
        }
    }
    Cow::Borrowed(text)
}

/// `+44 (0)7911 123456` without its `(0)`.
fn zero_for_callers_within(text: &str) -> Option<String> {
    let (code, number) = text.split_once("(0)")?;
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    (plan::code_of(digits) == Some(digits)).then(|| format!("{code}{number}"))
}

/// Whether a plus stands before the digits, and the digits.
pub(super) fn scan(text: &str) -> Result<(bool, String), PhoneError> {
    let mut digits = String::with_capacity(text.len());
    let mut plus = false;
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => plus = true,
            ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '/' | '~' | '\t' | '\n' | '\r' => {}
            _ => return Err(PhoneError::NotDigits),
        }
    }
    Ok((plus, digits))
}
