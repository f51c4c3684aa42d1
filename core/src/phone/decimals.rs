//! What a spreadsheet or a program has made of a number: an exponent, decimals, and commas between thousands.

use std::borrow::Cow;

use super::PhoneError;
use super::second::{NUMBER_MIN, digits_in};

/// The digits before a point that make what follows it decimals.
const DECIMALS_MIN: usize = 4;
/// So many digits before a point are a whole number, and all that follows it are decimals.
const WHOLE_MIN: usize = 10;

/// `9.19877E+11`
pub(super) fn is_rounded(text: &str) -> bool {
    let numeric = |part: &str| {
        part.chars().any(|c| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_digit() || "+-., ".contains(c))
    };
    text.split_once(['e', 'E']).is_some_and(|(number, power)| numeric(number) && numeric(power))
}

/// Without the decimals and the commas that a program has put into a whole number: `919876543210.0`,
/// `919,876,543,210.00`.
pub(super) fn whole(text: &str) -> Result<Cow<'_, str>, PhoneError> {
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
