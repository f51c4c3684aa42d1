//! What the world's numbering plans say of a number: a port of Google's libphonenumber, with its tables.
//!
//! The only file that names the library. It judges digits; what a text means is not asked of it, because it
//! reads what it can and passes over the rest, and here the rest may be a second number.

use std::sync::LazyLock;

pub(super) use rlibphonenumber::Region;
use rlibphonenumber::{
    CountryCodeSource, NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType,
};

/// What a valid number leads to. WhatsApp lives on mobiles first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Mobile,
    Other,
}

/// How a plan reads some digits.
#[derive(Debug)]
pub(super) struct Planned {
    /// With the country code, and without what is dialled between it and the number.
    pub digits: String,
    /// `None` of a number that the plan does not know.
    pub line: Option<Line>,
    /// Whether numbers of the country can be so long.
    pub is_possible: bool,
}

/// How digits were dialled from a country.
#[derive(Debug)]
pub(super) enum Dialled {
    /// As a number of that country, perhaps of the caller's own area.
    Within(Planned),
    /// With what one dials there for abroad.
    Abroad(Planned),
}

pub(super) fn region(code: &str) -> Option<Region> {
    let region = Region::from_code(code).ok().filter(|_| code.len() == 2)?;
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| region)
}

/// The country code of a region, which a region with a plan has.
pub(super) fn code_of_region(region: Region) -> String {
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|code| code.to_string()).unwrap_or_default()
}

/// The country code that digits begin with. It has one to three digits, and none begins another.
pub(super) fn code_of(digits: &str) -> Option<&str> {
    static CODES: LazyLock<Vec<bool>> = LazyLock::new(|| {
        let mut known = vec![false; 1_000];
        for code in PHONE_NUMBER_UTIL.get_supported_calling_codes() {
            if let Some(place) = usize::try_from(code).ok().and_then(|code| known.get_mut(code)) {
                *place = true;
            }
        }
        known
    });
    let begins = (1..=3).filter_map(|length| digits.get(..length));
    begins.into_iter().find(|code| {
        !code.starts_with('0') && code.parse::<usize>().is_ok_and(|code| CODES.get(code) == Some(&true))
    })
}

/// Digits behind a `+`.
pub(super) fn international(digits: &str) -> Option<Planned> {
    PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok().map(|number| planned(&number))
}

/// Digits as they are dialled in `home`. `None` of those that begin with its own country code, too.
pub(super) fn dialled(digits: &str, home: Region) -> Option<Dialled> {
    let number = PHONE_NUMBER_UTIL.parse_and_keep_raw_input(digits, Some(home)).ok()?;
    match number.country_code_source() {
        CountryCodeSource::FromDefaultCountry => Some(Dialled::Within(planned(&number))),
        CountryCodeSource::FromNumberWithIdd => Some(Dialled::Abroad(planned(&number))),
        _ => None,
    }
}

fn planned(number: &PhoneNumber) -> Planned {
    let line = number.is_valid().then(|| match number.get_type() {
        PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => Line::Mobile,
        _ => Line::Other,
    });
    Planned {
        digits: number.format_as(PhoneNumberFormat::E164).trim_start_matches('+').to_owned(),
        line,
        is_possible: matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible)),
    }
}

/// Mobile numbers of all countries, for tests.
#[cfg(test)]
pub(super) fn examples() -> Vec<(&'static str, String)> {
    let of = |region: Region| {
        let kind = PhoneNumberType::Mobile;
        let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind).ok()?;
        let code: &'static str = region.to_string().leak();
        Some((code, planned(&number).digits))
    };
    PHONE_NUMBER_UTIL.get_supported_regions().filter_map(of).collect()
}

/// The digit that a character of any script is.
pub(super) fn digit(c: char) -> Option<char> {
    if c.is_ascii_digit() {
        return Some(c);
    }
    PHONE_NUMBER_UTIL.normalize_digits_only(c.encode_utf8(&mut [0; 4])).chars().next()
}
