//! What a person or a program wrote, without the debris of lists, links, spreadsheets and address books.
//!
//! It promises that no digit of anything else ends up in the number: of an extension, of a second number, of
//! decimals, of a link's text. Which number the digits mean is for `reading`.

use std::borrow::Cow;

use super::{PhoneError, plan};

/// Fewer digits are no number, but a part of one or something else.
const NUMBER_MIN: usize = 7;
/// The digits before a point that make what follows it decimals.
const DECIMALS_MIN: usize = 4;
/// So many digits before a point are a whole number, and all that follows it are decimals.
const WHOLE_MIN: usize = 10;
/// The digits of the longest area.
const AREA_MAX: usize = 5;
/// So few digits behind a slash are the other ending of a second number: `98765 43210/11`.
const ENDING_MAX: usize = 2;
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
/// And before its extension.
const EXTENSIONS: [&str; 12] =
    ["x", "ext", "extn", "extension", "ramal", "anexo", "int", "interno", "poste", "dw", "доб", "#"];

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
    let picture = |c: char| !c.is_ascii() && !c.is_alphanumeric();
    let trimmed = text.trim_matches(|c| around(c) || picture(c));
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
        c if c.is_whitespace() && !c.is_ascii() => Some(' '),
        c if c.is_ascii() => Some(c),
        c => Some(plan::digit(c).unwrap_or(c)),
    }
}

/// Whether a text is a link, whose parts are not read as a JID's.
pub(super) fn is_link(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("://") || lower.contains("wa.me/") || lower.contains("whatsapp.com/")
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
            return Self::of_digits(in_link(text)?, None, true);
        }
        let text = unlabelled(text)?;
        let text = without_placeholder(&text);
        let text = whole(&text)?;
        if has_several(&text) {
            return Err(PhoneError::Several);
        }
        if has_extension(&text) {
            return Err(PhoneError::Extension);
        }
        let zero = zero_for_callers_within(&text);
        let (plus, digits) = scan(&text)?;
        let dropped = zero.map(|text| scan(&text)).transpose()?.map(|(_, digits)| digits);
        let is_international = plus || dropped.is_some();
        Self::of_digits(digits, dropped, is_international)
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
        let without_zero = dropped.map(|digits| bare(&digits).unwrap_or(digits));
        Ok(match (bare(&digits), plus) {
            (Some(digits), true) => Self { form: Form::International, digits, without_zero },
            (Some(digits), false) => Self { form: Form::DoubleZero, digits, without_zero },
            (None, true) => Self { form: Form::International, digits, without_zero },
            (None, false) => Self { form: Form::Bare, digits, without_zero },
        })
    }
}

/// `9.19877E+11`
fn is_rounded(text: &str) -> bool {
    let numeric = |part: &str| {
        part.chars().any(|c| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_digit() || "+-., ".contains(c))
    };
    text.split_once(['e', 'E']).is_some_and(|(number, power)| numeric(number) && numeric(power))
}

/// The number in `https://wa.me/919876543210?text=hi` or `https://api.whatsapp.com/send?phone=919876543210`.
fn in_link(text: &str) -> Result<String, PhoneError> {
    let lower = text.to_ascii_lowercase();
    let link = lower.split_once("://").map_or(lower.as_str(), |(scheme, rest)| {
        if scheme == "whatsapp" { text_after(&lower, "whatsapp://") } else { rest }
    });
    let link = link.strip_prefix("www.").unwrap_or(link);
    let number = if let Some(path) = link.strip_prefix("wa.me/") {
        path.split(['?', '#', '/']).next()
    } else {
        let (page, query) = link.split_once('?').unwrap_or((link, ""));
        let hosts = ["api.whatsapp.com/send", "web.whatsapp.com/send", "whatsapp.com/send", "send"];
        let names_phone = hosts.contains(&page.trim_end_matches('/'));
        let query = query.split('#').next().unwrap_or_default();
        query.split('&').find_map(|pair| pair.strip_prefix("phone=")).filter(|_| names_phone)
    };
    let number = number.unwrap_or_default().replace("%2b", "+").replace("%20", " ");
    // In a query a plus is a space as well.
    let number = number.trim().trim_start_matches('+');
    match scan(number) {
        Ok((false, digits)) if digits.len() >= NUMBER_MIN => Ok(digits),
        _ => Err(PhoneError::NoNumberInLink),
    }
}

fn text_after<'a>(text: &'a str, before: &str) -> &'a str {
    text.strip_prefix(before).unwrap_or(text)
}

/// Without `tel:`, `p:`, `Mobile: ` and the parameters of such a link.
fn unlabelled(text: &str) -> Result<Cow<'_, str>, PhoneError> {
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

/// Without the decimals and the commas that a program has put into a whole number: `919876543210.0`,
/// `919,876,543,210.00`.
fn whole(text: &str) -> Result<Cow<'_, str>, PhoneError> {
    let digits = |part: &str| part.bytes().filter(u8::is_ascii_digit).count();
    let is_plain = |part: &str| {
        let part = part.strip_prefix('+').unwrap_or(part);
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
    };
    let ungrouped = |part: &str, comma: char| {
        let signless = part.strip_prefix('+').unwrap_or(part);
        let mut groups = signless.split(comma);
        let first = groups.next().unwrap_or_default();
        let rest: Vec<&str> = groups.collect();
        let grouped = (1..=3).contains(&first.len())
            && rest.len() >= 2
            && rest.iter().all(|group| matches!(group.len(), 2 | 3))
            && rest.last().is_some_and(|group| group.len() == 3)
            && rest.iter().chain([&first]).all(|group| group.bytes().all(|b| b.is_ascii_digit()));
        grouped.then(|| part.replace(comma, ""))
    };
    for (point, comma) in [('.', ','), (',', '.')] {
        let Some((number, fraction)) = text.rsplit_once(point) else { continue };
        let is_fraction = !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit());
        // `98765.00000` are two groups of a number; `312893.0` is one of Andorra's six digits.
        let least = if fraction.len() <= 2 { DECIMALS_MIN } else { NUMBER_MIN };
        if !is_fraction || digits(number) < least {
            continue;
        }
        // Behind a comma, nothing but decimals; behind a dot, only where no other dot or dash parts the number.
        if !(is_plain(number) || ungrouped(number, comma).is_some() || point == ',') {
            // Where other signs part the number already, nobody knows whether the 0 belongs to it.
            let is_odd = fraction.len() == 1 || (fraction == "00" && !number.contains('.'));
            if is_odd {
                return Err(PhoneError::Decimals);
            }
            continue;
        }
        let is_whole = fraction.bytes().all(|b| b == b'0');
        // `2684641.000` is a number in two groups, or seven digits with decimals.
        if is_whole && fraction.len() > 2 && digits(number) < WHOLE_MIN {
            return Err(PhoneError::Decimals);
        }
        if is_whole {
            return Ok(Cow::Owned(ungrouped(number, comma).unwrap_or_else(|| number.to_owned())));
        }
        if is_plain(number) && point == '.' && (digits(number) >= WHOLE_MIN || fraction.len() <= 2) {
            return Err(PhoneError::Decimals);
        }
    }
    Ok(ungrouped(text, ',').map_or(Cow::Borrowed(text), Cow::Owned))
}

fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Two numbers in a cell.
fn has_several(text: &str) -> bool {
    let numbers =
        |parts: &mut dyn Iterator<Item = &str>| parts.filter(|part| digits_in(part) >= NUMBER_MIN).count();
    if numbers(&mut text.split([',', ';', ':', '|', '&', '\n', '\r', '\t'])) > 1
        || numbers(&mut text.split(|c: char| c.is_alphabetic())) > 1
        || numbers(&mut text.split(|c: char| !c.is_ascii_digit())) > 1
    {
        return true;
    }
    // A second plus.
    if text.split_once(|c: char| c.is_ascii_digit()).is_some_and(|(_, rest)| rest.contains('+')) {
        return true;
    }
    // A slash parts an area from a number, as in Germany, and a number from another or from its other ending.
    text.char_indices().filter(|(_, c)| *c == '/').any(|(place, _)| {
        let before: String = text[..place].chars().filter(char::is_ascii_digit).collect();
        let is_international = text.trim_start_matches('(').starts_with('+') || before.starts_with("00");
        let national = if is_international {
            let before = before.trim_start_matches('0');
            before.len() - plan::code_of(before).map_or(0, str::len)
        } else {
            before.len()
        };
        // Areas have up to five digits, and their 0.
        let area_max = if !is_international && before.starts_with('0') { AREA_MAX + 1 } else { AREA_MAX };
        national > area_max || (national > 0 && digits_in(&text[place..]) <= ENDING_MAX)
    })
}

/// `x123`, `ext. 5`, `,5` behind a number.
fn has_extension(text: &str) -> bool {
    let Some(place) = text.find(|c: char| c.is_alphabetic() || matches!(c, '#' | ',' | ';' | ':')) else {
        return false;
    };
    if digits_in(&text[..place]) < NUMBER_MIN - 1 {
        return false;
    }
    let behind = text[place..].trim_matches(|c: char| c.is_whitespace() || ",;:.".contains(c));
    let word = behind.find(|c: char| !c.is_alphabetic() && c != '#').unwrap_or(behind.len());
    let (word, number) = behind.split_at(word);
    let is_number = digits_in(number) > 0 && !number.contains(char::is_alphabetic);
    is_number && (word.is_empty() || EXTENSIONS.contains(&word.to_lowercase().as_str()))
}

/// `+44 (0)7911 123456` without its `(0)`.
fn zero_for_callers_within(text: &str) -> Option<String> {
    let (code, number) = text.split_once("(0)")?;
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.strip_prefix("00").unwrap_or(&digits);
    (plan::code_of(digits) == Some(digits)).then(|| format!("{code}{number}"))
}

/// Whether a plus stands before the digits, and the digits.
fn scan(text: &str) -> Result<(bool, String), PhoneError> {
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
