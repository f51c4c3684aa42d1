//! What a spreadsheet or a program has made of a number: an exponent, decimals, and commas between thousands.

use std::borrow::Cow;

use super::PhoneError;
use super::second::NUMBER_MIN;

/// The digits before a point that make what follows it decimals.
const DECIMALS_MIN: usize = 4;
/// So many digits before a point are a whole number, and all that follows it are decimals.
const WHOLE_MIN: usize = 10;
/// The digits of a power of ten, and of what stands before the point there.
const POWER_MAX: usize = 3;

/// `9.19877E+11`, and no `5511-90000-0001 e 5511-90000-0002`, where the letter is a word.
pub(super) fn is_rounded(text: &str) -> bool {
    let Some((number, power)) = text.split_once(['e', 'E']) else { return false };
    let number = number.trim().trim_start_matches(['+', '-']);
    let (before, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let power = power.trim().trim_start_matches(['+', '-']).trim_start();
    let is_of_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    (1..=POWER_MAX).contains(&before.len())
        && (1..=POWER_MAX).contains(&power.len())
        && [before, fraction, power].into_iter().all(is_of_digits)
}

/// What is left when nothing more is to be taken off, because a number may have been through two programs:
/// `919876543210.0,0`.
pub(super) fn whole(text: &str) -> Result<Cow<'_, str>, PhoneError> {
    let mut text = unwrapped(text);
    loop {
        let cut = whole_once(&text)?;
        let cut = cut.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ','));
        if cut.len() == text.len() {
            return Ok(text);
        }
        text = Cow::Owned(cut.to_owned());
    }
}

/// `(919876543210.0)` without the brackets around all of it.
fn unwrapped(text: &str) -> Cow<'_, str> {
    let inside = [('(', ')'), ('[', ']')]
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
        .filter(|inside| !inside.contains(['(', ')', '[', ']']));
    Cow::Borrowed(inside.unwrap_or(text).trim())
}

/// Without the decimals and the commas that a program has put into a whole number: `919876543210.0`,
/// `919,876,543,210.00`.
fn whole_once(text: &str) -> Result<Cow<'_, str>, PhoneError> {
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
        let (number, fraction) = (number.trim_end(), fraction.trim_start());
        if number.contains(char::is_alphabetic) {
            continue;
        }
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
            // And decimals that stand before decimals are none of the number either.
            if is_odd || whole_once(number)?.len() != number.len() {
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
