//! Countries as people write them in a column: by their two letters, or by their name in many languages.

use std::collections::HashMap;
use std::sync::LazyLock;

use wapid_core::phone::Country;

use super::headings::folded;

/// A line for each country: `BR 55 brazil|brasil|…`.
const TABLE: &str = include_str!("countries.txt");

/// A country, and the code that stands before its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodedCountry {
    pub country: Country,
    pub code: &'static str,
}

static BY_NAME: LazyLock<HashMap<String, CodedCountry>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    let lines = || TABLE.lines().filter(|line| !line.starts_with('#'));
    for line in lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(letters), Some(code), Some(names)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let Ok(country) = Country::parse(letters) else { continue };
        let coded = CodedCountry { country, code };
        for name in names.split('|').chain([letters]) {
            known.entry(folded(name)).or_insert(coded);
        }
    }
    known
});

/// The country that a cell names: `BR`, `Brazil`, `Brasil (BR)`.
pub fn find(text: &str) -> Option<CodedCountry> {
    let text = text.trim();
    let before = text.split(['(', '[', ',']).next().unwrap_or_default();
    [text, before].into_iter().find_map(|name| BY_NAME.get(&folded(name)).copied())
}

/// The code before the numbers of a country.
pub fn code_of(country: Country) -> Option<&'static str> {
    find(&country.code()).map(|coded| coded.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_known_by_its_letters_and_its_names() {
        for (text, letters) in [
            ("BR", "BR"),
            ("br ", "BR"),
            ("Brazil", "BR"),
            ("BRASIL", "BR"),
            ("Deutschland", "DE"),
            ("Alemanha", "DE"),
            ("Россия", "RU"),
            ("日本", "JP"),
            ("USA", "US"),
            ("United Kingdom", "GB"),
            ("México", "MX"),
            ("India (IN)", "IN"),
        ] {
            assert_eq!(find(text).map(|coded| coded.country.code()), Some(letters.to_owned()), "{text}");
        }
        for text in ["", "Rio", "55", "XX"] {
            assert_eq!(find(text), None, "{text}");
        }
        assert_eq!(code_of(Country::parse("IN").unwrap()), Some("91"));
    }
}
