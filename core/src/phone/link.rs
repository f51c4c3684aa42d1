//! The number that a link of WhatsApp's names.

use super::PhoneError;
use super::second::{NUMBER_MIN, digits_in};
use super::written::{alone, scan};

/// Whether a text is a link, whose parts are not read as a JID's.
pub(super) fn is_link(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("://") || lower.contains("wa.me/") || lower.contains("whatsapp.com/")
}

/// The number in `https://wa.me/919876543210?text=hi` or `https://api.whatsapp.com/send?phone=919876543210`.
pub(super) fn in_link(text: &str) -> Result<String, PhoneError> {
    let lower = text.to_ascii_lowercase();
    if stands_beside_another(&lower) {
        return Err(PhoneError::Several);
    }
    let link = lower.split_once("://").map_or(lower.as_str(), |(scheme, rest)| {
        if scheme == "whatsapp" { text_after(&lower, "whatsapp://") } else { rest }
    });
    let link = link.strip_prefix("www.").unwrap_or(link);
    let number = if let Some(path) = link.strip_prefix("wa.me/") {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        // Nothing stands behind a number's slash.
        Some(path.strip_suffix('/').unwrap_or(path))
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
    let number = alone(number)?;
    match scan(&number) {
        Ok((false, digits)) if digits.len() >= NUMBER_MIN => Ok(number.into_owned()),
        _ => Err(PhoneError::NoNumberInLink),
    }
}

/// Does another number stand before the link, behind it or in another link?
fn stands_beside_another(lower: &str) -> bool {
    let Some(begin) =
        ["http", "wa.me/", "whatsapp.com/", "whatsapp://"].iter().filter_map(|sign| lower.find(sign)).min()
    else {
        return false;
    };
    // What stands behind a space is no part of a link.
    let end = lower[begin..].find('?').map_or(lower.len(), |place| begin + place);
    let behind = lower[end..].split_once(char::is_whitespace).map_or("", |(_, behind)| behind);
    let links = ["wa.me/", "phone="].map(|sign| lower.matches(sign).count());
    digits_in(&lower[..begin]) >= NUMBER_MIN
        || digits_in(behind) >= NUMBER_MIN
        || links.iter().sum::<usize>() > 1
}

fn text_after<'a>(text: &'a str, before: &str) -> &'a str {
    text.strip_prefix(before).unwrap_or(text)
}
