//! The other ways of writing a phone's number.
//!
//! Some countries put digits into their mobile numbers and WhatsApp kept the accounts under the old ones, or
//! the other way round. People ask about either, and WhatsApp's look-up answers with the account's own
//! number; everything else knows that number alone. A table of the sandbox's own: it plays the network, which
//! knows more than any gateway.

/// A number that has `inserted` at some place after the country code, and one that has not, are one line.
struct Respelled {
    country: &'static str,
    /// Digits of an area between the country code and what was inserted.
    area: usize,
    inserted: &'static [&'static str],
    /// The digits behind it.
    rest: usize,
    /// What those may begin with.
    begins: &'static [u8],
}

const ANY: &[u8] = b"0123456789";

const TABLE: [Respelled; 5] = [
    // Brazil's mobiles got a 9 behind their area.
    Respelled { country: "55", area: 2, inserted: &["9"], rest: 8, begins: b"6789" },
    // Mexico and Argentina had, and have, a digit for calls from abroad.
    Respelled { country: "52", area: 0, inserted: &["1"], rest: 10, begins: b"23456789" },
    Respelled { country: "54", area: 0, inserted: &["9"], rest: 10, begins: b"123" },
    // Benin and Ivory Coast went from 8 digits to 10.
    Respelled { country: "229", area: 0, inserted: &["01"], rest: 8, begins: ANY },
    Respelled {
        country: "225",
        area: 0,
        inserted: &["01", "05", "07", "21", "25", "27"],
        rest: 8,
        begins: ANY,
    },
];

impl Respelled {
    fn others(&self, number: &str) -> Vec<String> {
        let Some((area, behind)) =
            number.strip_prefix(self.country).and_then(|rest| rest.split_at_checked(self.area))
        else {
            return Vec::new();
        };
        let fits = |rest: &str| {
            rest.len() == self.rest && rest.bytes().next().is_some_and(|first| self.begins.contains(&first))
        };
        let head = &number[..self.country.len() + area.len()];
        if fits(behind) {
            return self.inserted.iter().map(|inserted| format!("{head}{inserted}{behind}")).collect();
        }
        let without = self.inserted.iter().filter_map(|inserted| behind.strip_prefix(inserted));
        without.filter(|rest| fits(rest)).map(|rest| format!("{head}{rest}")).collect()
    }
}

/// The same line in its country's other spellings; of a number of digits.
pub(crate) fn others(number: &str) -> Vec<String> {
    TABLE.iter().flat_map(|respelled| respelled.others(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_line_lead_to_each_other() {
        for (short, long) in [
            ("551190000001", "5511990000001"),
            ("525590000001", "5215590000001"),
            ("541190000001", "5491190000001"),
            ("22990000001", "2290190000001"),
            ("22590000001", "2250790000001"),
        ] {
            assert!(others(short).iter().any(|other| other == long), "{short}");
            assert_eq!(others(long), [short]);
        }
    }

    #[test]
    fn other_countries_and_lines_have_one_spelling() {
        for number in ["15550000001", "919000000001", "551130000001", "55", "5", "", "5511é00"] {
            assert_eq!(others(number), Vec::<String>::new(), "{number}");
        }
    }
}
