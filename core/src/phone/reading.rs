//! The number that some digits mean, by the rules that stand at the head of the room.

use super::doubts::{FirstDigit, FirstGroup};
use super::plan::{self, Dialled, Line, Planned};
use super::written::{Form, Written};
use super::{Country, PhoneError, spellings};

/// From so many digits on, a number that no plan knows is one with its country code.
const WHOLE_MIN: usize = 11;

/// A reading of digits with their country code.
#[derive(Debug)]
struct Reading {
    digits: String,
    /// `None` of a number that no plan knows, under no spelling.
    line: Option<Line>,
    is_possible: bool,
}

/// # Errors
/// Says what to write instead.
pub(super) fn read(written: &Written, home: Option<Country>) -> Result<String, PhoneError> {
    let Written { form, digits, without_zero, doubts } = written;
    let read = read_as(*form, doubts.first, digits, without_zero.as_deref(), home);
    if let Some(without) = &doubts.without_first
        && *form == Form::Bare
    {
        let other = read_as(Form::Bare, FirstDigit::Joined, &without.digits, None, home);
        let is_doubtful = match (&other, without.meaning) {
            (_, FirstGroup::Index) => true,
            (Err(why), meaning) => *why == PhoneError::Ambiguous && meaning == FirstGroup::LikelyIndex,
            (Ok(other), meaning) => {
                let is_unknown = read.as_ref().is_ok_and(|read| international(read).line.is_none());
                let is_of_home = read.as_ref().is_ok_and(|read| home.is_some() && is_likely(read, home));
                let is_mobile = |digits: &str| international(digits).line == Some(Line::Mobile);
                let is_better = is_mobile(other)
                    && (meaning == FirstGroup::LikelyIndex || !read.as_deref().is_ok_and(is_mobile));
                let is_known = international(other).line.is_some();
                (is_known && is_unknown) || (is_likely(other, home) && (!is_of_home || is_better))
            }
        };
        if is_doubtful && other != read {
            return Err(PhoneError::DigitsBeside);
        }
    }
    let read = read?;
    // A number that no plan knows may be one with digits beside it.
    let is_unknown = international(&read).line.is_none();
    for shorter in doubts.without_last.iter().filter(|shorter| shorter.is_odd || is_unknown) {
        let digits = shorter.digits.strip_prefix("00").unwrap_or(&shorter.digits);
        let other = read_as(*form, doubts.first, digits, None, home);
        if other.is_ok_and(|other| international(&other).line == Some(Line::Mobile)) {
            return Err(PhoneError::DigitsBeside);
        }
    }
    Ok(read)
}

fn read_as(
    form: Form,
    first: FirstDigit,
    digits: &str,
    without_zero: Option<&str>,
    home: Option<Country>,
) -> Result<String, PhoneError> {
    match form {
        Form::International => behind_plus(digits, without_zero),
        Form::DoubleZero => behind_zeros(digits, without_zero, home),
        Form::Bare if digits.starts_with('0') && home.is_none() => Err(PhoneError::LeadingZero),
        Form::Bare => match home {
            Some(home) => bare(digits, first, home),
            None => Ok(international(digits).digits),
        },
    }
}

/// A number that a plan knows: of the home country, if there is one.
fn is_likely(digits: &str, home: Option<Country>) -> bool {
    let code = home.map(|home| plan::code_of_region(home.region()));
    international(digits).line.is_some() && code.is_none_or(|code| digits.starts_with(&code))
}

/// Does a plan know these digits as they stand, or as another spelling of the line?
pub(super) fn is_in_a_plan(digits: &str) -> bool {
    let reading = international(digits);
    reading.line.is_some() && reading.digits == digits
}

fn behind_plus(digits: &str, without_zero: Option<&str>) -> Result<String, PhoneError> {
    if digits.starts_with('0') {
        return Err(PhoneError::LeadingZero);
    }
    let reading = international(digits);
    let Some(without_zero) = without_zero.map(international) else { return Ok(reading.digits) };
    match (reading.line, without_zero.line) {
        // Where it belongs to the number, as in Italy, and where it is left out behind a code as it is.
        (Some(_), None) => Ok(reading.digits),
        (Some(_), Some(_)) if reading.digits != without_zero.digits => Err(PhoneError::Ambiguous),
        _ => Ok(without_zero.digits),
    }
}

/// `00` is a plus, but in some countries only the beginning of what one dials for abroad.
fn behind_zeros(
    digits: &str,
    without_zero: Option<&str>,
    home: Option<Country>,
) -> Result<String, PhoneError> {
    let dialled = home.and_then(|home| match plan::dialled(&format!("00{digits}"), home.region())? {
        Dialled::Abroad(planned) => planned.line.map(|_| planned.digits),
        Dialled::Within(_) => None,
    });
    // Who dials 0011 for abroad, as in Australia, has not doubled America's 1, which would be left out.
    if digits.starts_with("11") {
        return dialled.filter(|dialled| !dialled.starts_with('1')).ok_or(PhoneError::Ambiguous);
    }
    let Some(dialled) = dialled else { return behind_plus(digits, without_zero) };
    if digits.starts_with('0') {
        return Ok(dialled);
    }
    let reading = international(digits);
    match reading.line {
        None => Ok(dialled),
        Some(_) if reading.digits == dialled => Ok(dialled),
        Some(_) => Err(PhoneError::Ambiguous),
    }
}

/// Digits of which nothing says that they have a country code.
fn bare(digits: &str, first: FirstDigit, home: Country) -> Result<String, PhoneError> {
    let code = plan::code_of_region(home.region());
    let whole = format!("{code}{digits}");
    let mut national = international(&whole);
    let mut abroad = None;
    if national.line.is_none() {
        match plan::dialled(digits, home.region()) {
            // A number of the caller's own area, in countries that have one area or a few.
            Some(Dialled::Within(planned)) if planned.line.is_some() => national = planned.into(),
            Some(Dialled::Abroad(planned)) if planned.line.is_some() => abroad = Some(planned.digits),
            _ => {}
        }
    }
    let as_it_stands = || Some(international(digits)).filter(|_| !digits.starts_with('0'));
    let is_of_home = digits.starts_with(&code);
    if let Some(line) = national.line {
        // What is dialled before numbers within the country tells that it is one.
        let is_told = national.digits != whole;
        let mobile = as_it_stands().filter(|reading| reading.line == Some(Line::Mobile));
        if is_told {
            // Russia's 8 before a landline, or Vietnam's code before a mobile, if nothing parts the 8.
            let is_doubtful = line == Line::Other
                && first == FirstDigit::Joined
                && mobile.is_some_and(|mobile| mobile.digits != national.digits);
            return if is_doubtful { Err(PhoneError::Ambiguous) } else { Ok(national.digits) };
        }
        // A spelling that the country has given up is no better a reading than a mobile of another country.
        if line == Line::Mobile && !is_of_home && !is_given_up(&national.digits) {
            return Ok(national.digits);
        }
        return match (mobile, line) {
            (None, _) => Ok(national.digits),
            (Some(mobile), _) if mobile.digits == national.digits => Ok(national.digits),
            // A landline of the home country would have its 0.
            (Some(mobile), Line::Other) if is_of_home => Ok(mobile.digits),
            (Some(_), _) => Err(PhoneError::Ambiguous),
        };
    }
    let standing = as_it_stands();
    if let Some(known) = standing.as_ref().filter(|reading| reading.line.is_some()) {
        // In Russia one dials 810 for abroad, and 81 is Japan.
        return match abroad {
            Some(abroad) if abroad != known.digits => Err(PhoneError::Ambiguous),
            _ => Ok(known.digits.clone()),
        };
    }
    if let Some(abroad) = abroad {
        return Ok(abroad);
    }
    // No plan knows it.
    match standing {
        None if national.is_possible && national.digits != whole => Ok(national.digits),
        None => Err(PhoneError::LeadingZero),
        Some(standing) if national.is_possible == standing.is_possible => {
            Ok(if digits.len() >= WHOLE_MIN { standing.digits } else { national.digits })
        }
        Some(standing) if standing.is_possible => Ok(standing.digits),
        Some(_) => Ok(national.digits),
    }
}

/// Digits with a country code, without what is dialled between it and the number where that makes it one.
fn international(digits: &str) -> Reading {
    let Some(planned) = plan::international(digits) else {
        return Reading { digits: digits.to_owned(), line: line_of_others(digits), is_possible: false };
    };
    if planned.digits == digits {
        let line = known(digits, planned.line);
        if line.is_some() {
            return Reading { digits: digits.to_owned(), line, is_possible: true };
        }
    } else if let Some(line) = line_of_others(digits) {
        return Reading { digits: digits.to_owned(), line: Some(line), is_possible: true };
    } else if let Some(line) = known(&planned.digits, planned.line) {
        return Reading { digits: planned.digits, line: Some(line), is_possible: true };
    }
    if let Some(reading) = without_given_up(digits) {
        return reading;
    }
    // A 0 that stands before no number of the country is left out, whether or not a plan knows the rest.
    let digits = if planned.is_possible { planned.digits } else { digits.to_owned() };
    Reading { digits, line: None, is_possible: planned.is_possible }
}

/// Does no plan know a number but under the other spellings of its line?
fn is_given_up(digits: &str) -> bool {
    plan::international(digits).is_none_or(|planned| planned.digits != digits || planned.line.is_none())
}

/// The line of a number that a plan knows, or knows under another spelling. Where one of them is a mobile, the
/// line is one.
fn known(digits: &str, line: Option<Line>) -> Option<Line> {
    match line {
        Some(Line::Mobile) => line,
        _ => line_of_others(digits).or(line),
    }
}

fn line_of_others(digits: &str) -> Option<Line> {
    let others = spellings::others(digits);
    let lines = others.iter().filter_map(|other| {
        plan::international(other).filter(|planned| planned.digits == *other).and_then(|planned| planned.line)
    });
    lines.max_by_key(|line| *line == Line::Mobile)
}

/// What was dialled behind a country code and is given up, so that no plan has it any more, while lists do:
/// Mexico's 01, 044 and 045, until 2019; and both signs of an Argentine mobile at once, the 9 for who calls
/// from abroad and the 15 for who calls from within.
fn without_given_up(digits: &str) -> Option<Reading> {
    let known = |shorter: &str| plan::international(shorter).filter(|planned| planned.line.is_some());
    let mexico = || {
        ["5201", "52044", "52045"].iter().find_map(|before| {
            let shorter = format!("52{}", digits.strip_prefix(before)?);
            known(&shorter).filter(|planned| planned.digits == shorter)
        })
    };
    let argentina = || {
        let shorter = format!("54{}", digits.strip_prefix("549")?);
        let planned = plan::international(&shorter).filter(|planned| planned.digits.starts_with("549"))?;
        // With both signs it is two digits too long, whether or not a plan knows the rest.
        let is_shorter = planned.digits.len() + 2 <= digits.len() && planned.is_possible;
        (planned.line.is_some() || is_shorter).then_some(planned)
    };
    mexico().or_else(argentina).map(Reading::from)
}

impl From<Planned> for Reading {
    fn from(planned: Planned) -> Self {
        Self { digits: planned.digits, line: planned.line, is_possible: planned.is_possible }
    }
}
