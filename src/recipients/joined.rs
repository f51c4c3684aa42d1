//! Numbers that stand in several columns: the country's code in one, the area's in another.
//!
//! Read alone, the last part is somebody else's number in another country. The parts are joined where a
//! numbering plan knows what comes out and nothing else could be meant; where not, the row is told and not
//! written to. A number that is whole already, as lists of both kinds have some, is left as it is.

use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::Why;

use super::columns::Row;
use super::countries;
use super::headings::{self, NumberPart};

/// The longest code of a country with an island's area behind it, or of an area with its zero, in digits.
const CODE_MAX: usize = 6;

/// The columns beside a column of numbers that hold their beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    pub code: Option<usize>,
    pub area: Option<usize>,
    /// Of a country or of an area, as the cell looks.
    pub prefix: Option<usize>,
    /// The country's name or letters: the home of its row.
    pub country: Option<usize>,
}

impl Parts {
    /// Of a phone column. `phones` are all of them, which hold no parts.
    pub fn beside(phone: usize, header: &Row, rows: &[Row], header_at: usize, phones: &[usize]) -> Self {
        let find = |part: NumberPart| {
            let is_part = |at: &usize| {
                let cells = || rows.iter().skip(header_at + 1).map(|row| row.cell(*at));
                headings::part(header.cell(*at)) == Some(part)
                    && !phones.contains(at)
                    && is_mostly(cells().filter(|cell| !cell.is_empty()), |cell| part.may_be(cell))
            };
            let places: Vec<usize> = (0..header.cells.len()).filter(is_part).collect();
            // The nearest on the left, as each number has its code before it.
            let before = places.iter().rev().find(|at| **at < phone);
            before.or(places.first()).copied()
        };
        let code = find(NumberPart::CountryCode);
        Self {
            code,
            area: find(NumberPart::AreaCode),
            prefix: find(NumberPart::Prefix),
            country: find(NumberPart::Country),
        }
    }

    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    pub fn columns(self) -> impl Iterator<Item = usize> {
        [self.code, self.area, self.prefix, self.country].into_iter().flatten()
    }

    /// The number in a cell, with what stands before it in its row.
    ///
    /// # Errors
    /// Why the row is left out.
    pub fn read(self, row: &Row, given: &str, home: Option<Country>) -> Result<Phone, Why> {
        let parse = |text: &str, home| Phone::parse(text, home).map_err(Why::Invalid);
        if self.is_none() || is_whole(given) {
            return parse(given, home);
        }
        let cell = |at: Option<usize>| at.map_or("", |at| row.cell(at));
        let named = countries::find(cell(self.country));
        let (mut code, mut area) = (code_of(cell(self.code)), digits(cell(self.area)));
        let home = countries::find(cell(self.code)).or(named).map_or(home, |named| Some(named.country));
        let home_code = home.and_then(countries::code_of);
        let prefix = cell(self.prefix);
        if !prefix.is_empty() && code.is_none() && area.is_empty() {
            match code_of(prefix) {
                Some(said) if is_whole(prefix) || home_code.is_none_or(|home| home == said) => {
                    // With its zero it is an area's.
                    if prefix.starts_with('0') && !prefix.starts_with("00") {
                        area = digits(prefix);
                    } else {
                        code = Some(said);
                    }
                }
                _ => area = digits(prefix),
            }
        }
        if code.is_none() && area.is_empty() {
            return parse(given, home);
        }
        join(code.as_deref().or(home_code), &area, given)
    }
}

/// The one number that the parts can mean.
fn join(code: Option<&str>, area: &str, given: &str) -> Result<Phone, Why> {
    let number = digits(given);
    if number.is_empty() {
        return Phone::parse(given, None).map_err(Why::Invalid);
    }
    let bare_area = area.trim_start_matches('0');
    let has_area = bare_area.is_empty() || number.trim_start_matches('0').starts_with(bare_area);
    let mut texts = Vec::new();
    match code {
        Some(code) => {
            texts.push(format!("+{code} {area} {given}"));
            if has_area {
                texts.push(format!("+{code} {given}"));
            }
            if number.starts_with(code) {
                texts.push(format!("+{number}"));
            }
        }
        // Whole already, with any country's code before the area's.
        None if bare_area.len() > 1 => {
            let is_behind = |at: usize| number.get(at..).is_some_and(|rest| rest.starts_with(bare_area));
            texts.extend((1..=3).any(is_behind).then(|| format!("+{number}")));
        }
        None => {}
    }
    let mut found: Vec<Phone> =
        texts.iter().filter_map(|text| Phone::parse(text, None).ok()).filter(Phone::is_in_a_plan).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        _ => match texts.first().map(|text| Phone::parse(text, None)) {
            // An extension, a second number: what is wrong with the number itself says more.
            Some(Err(why)) if Phone::parse(given, None).is_err() => Err(Why::Invalid(why)),
            _ => Err(Why::NotJoined),
        },
    }
}

/// Its country's code is in it.
fn is_whole(text: &str) -> bool {
    let text = text.trim().trim_start_matches(['\'', '(', '"', '=', '\u{202a}', '\u{200e}', '\u{2066}']);
    text.starts_with(['+', '＋'])
        || text.starts_with("00")
        || text.contains(['@', ':'])
        || text.contains("wa.me")
}

fn digits(text: &str) -> String {
    text.chars().filter_map(|c| c.to_digit(10)).filter_map(|digit| char::from_digit(digit, 10)).collect()
}

/// `55`, `+55`, `0055`, `Brazil (+55)`, `BR`.
fn code_of(text: &str) -> Option<String> {
    let said = digits(text);
    let code = said.trim_start_matches('0');
    if code.is_empty() {
        return countries::find(text).map(|coded| coded.code.to_owned());
    }
    Some(code.to_owned())
}

fn is_mostly<'a>(cells: impl Iterator<Item = &'a str>, is: impl Fn(&str) -> bool) -> bool {
    let (mut count, mut right) = (0_usize, 0_usize);
    for cell in cells {
        count += 1;
        right += usize::from(is(cell));
    }
    right > 0 && right * 5 >= count * 4
}

impl NumberPart {
    /// Whether a cell may hold it.
    fn may_be(self, cell: &str) -> bool {
        let is_code = (1..=CODE_MAX).contains(&digits(cell).len());
        match self {
            Self::CountryCode => is_code || countries::find(cell).is_some(),
            Self::AreaCode | Self::Prefix => is_code && !cell.chars().any(char::is_alphabetic),
            Self::Country => countries::find(cell).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        let cells = cells.iter().map(|cell| (*cell).to_owned()).collect();
        Row { line: 1, cells, is_hidden: false, uncalculated: Vec::new() }
    }

    /// The last column is the number's.
    fn read(header: &[&str], cells: &[&str], home: &str) -> Result<String, Why> {
        let (header, cells) = (row(header), row(cells));
        let at = header.cells.len() - 1;
        let parts = Parts::beside(at, &header, &[header.clone(), cells.clone()], 0, &[at]);
        let home = Country::parse(home).ok();
        parts.read(&cells, cells.cell(at), home).map(|phone| phone.digits().to_owned())
    }

    #[test]
    fn codes_of_their_own_columns_are_put_before_the_number() {
        for (header, cells, home, joined) in [
            (vec!["Country Code", "Phone"], vec!["91", "9876543210"], "", "919876543210"),
            (vec!["Country Code", "Phone"], vec!["+91", "098765 43210"], "US", "919876543210"),
            (vec!["Country Code", "Phone"], vec!["IN", "9876543210"], "", "919876543210"),
            (vec!["Kode Negara", "No HP"], vec!["62", "81234567890"], "", "6281234567890"),
            (vec!["Kode Negara", "No HP"], vec!["62", "081234567890"], "", "6281234567890"),
            (vec!["DDI", "DDD", "Celular"], vec!["55", "11", "900000001"], "", "5511900000001"),
            (vec!["DDI", "DDD", "Celular"], vec!["55", "011", "90000-0001"], "", "5511900000001"),
            (vec!["DDD", "Telefone"], vec!["11", "33334444"], "BR", "551133334444"),
            (vec!["DDD", "Telefone"], vec!["11", "1133334444"], "BR", "551133334444"),
            (vec!["Vorwahl", "Rufnummer"], vec!["0151", "23456789"], "DE", "4915123456789"),
            (vec!["Vorwahl", "Rufnummer"], vec!["+49", "15123456789"], "", "4915123456789"),
            (vec!["Area Code", "Phone"], vec!["212", "5551234"], "US", "12125551234"),
            (vec!["Country", "Phone"], vec!["India", "9876543210"], "BR", "919876543210"),
            (vec!["País", "Teléfono"], vec!["España", "612345678"], "", "34612345678"),
            // Whole already.
            (vec!["Country Code", "Phone"], vec!["91", "919876543210"], "", "919876543210"),
            (vec!["Country Code", "Phone"], vec!["91", "+91 98765 43210"], "", "919876543210"),
            (vec!["DDD", "Telefone"], vec!["11", "5511900000001"], "", "5511900000001"),
            (vec!["DDI", "DDD", "Celular"], vec!["55", "11", "5511900000001"], "", "5511900000001"),
        ] {
            assert_eq!(read(&header, &cells, home), Ok(joined.to_owned()), "{header:?} {cells:?}");
        }
    }

    #[test]
    fn what_cannot_be_joined_is_nobodys_number() {
        for (header, cells) in [
            (vec!["DDD", "Telefone"], vec!["11", "33334444"]),
            (vec!["Country Code", "Phone"], vec!["91", "12345"]),
            (vec!["Country Code", "Phone"], vec!["999", "9876543210"]),
        ] {
            assert!(read(&header, &cells, "").is_err(), "{header:?} {cells:?}");
        }
    }

    #[test]
    fn a_column_is_no_part_whose_values_are_none() {
        // Of people, not of numbers.
        assert_eq!(read(&["Prefix", "Phone"], &["Dr.", "919876543210"], ""), Ok("919876543210".to_owned()));
        assert_eq!(read(&["Country", "Phone"], &["", "919876543210"], ""), Ok("919876543210".to_owned()));
    }
}
