//! Letters that somebody who searches takes for the same.

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Lower case, without accents, in one spelling of each letter.
pub(crate) fn fold(text: &str) -> String {
    // By way of capitals: some small letters have the same one.
    let one_case = text.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let plain = one_case.filter(|letter| !is_dropped(*letter));
    let mut folded = String::with_capacity(text.len());
    for letter in plain.nfkd().filter(|letter| !is_dropped(*letter)) {
        match same_as(letter) {
            Some(other) => folded.push_str(other),
            None => folded.push(western_digit(letter)),
        }
    }
    // Together again, where taking apart was no folding: Hangul, kana with their voice marks.
    folded.nfc().collect()
}

/// Marks that are put on letters of alphabets, and what is not seen at all. The signs of Indic and
/// South-East Asian scripts are not among them: there they make another word.
fn is_dropped(letter: char) -> bool {
    matches!(letter,
        '\u{300}'..='\u{36f}'
            | '\u{483}'..='\u{487}'
            | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}' | '\u{5c5}' | '\u{5c7}'
            | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6dc}'
            | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
        || letter.general_category() == GeneralCategory::Format
}

/// Letters that Unicode does not take apart although readers do.
fn same_as(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ł' => "l",
        'ħ' => "h",
        'ı' => "i",
        'ŧ' => "t",
        'ς' => "σ",
        // Persian and Arabic keyboards differ in these two.
        'ی' | 'ى' => "ي",
        'ک' => "ك",
        _ => return None,
    })
}

/// Zero of each script that people write numbers in; the others follow it.
const ZEROS: [char; 16] = [
    '\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{17e0}',
];

fn western_digit(letter: char) -> char {
    let value = ZEROS
        .iter()
        .filter_map(|zero| u32::from(letter).checked_sub(u32::from(*zero)))
        .find(|value| *value < 10);
    value.and_then(|value| char::from_digit(value, 10)).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        for (written, same) in [
            ("Olá, VOCÊ", "ola, voce"),
            ("Straße", "strasse"),
            ("STRASSE", "strasse"),
            ("İstanbul ıssız", "istanbul issiz"),
            ("Łódź", "lodz"),
            ("Ὀδυσσεύς", "οδυσσευσ"),
            ("ёлка", "елка"),
            ("مُحَمَّد", "محمد"),
            ("إسلام", "اسلام"),
            ("ＦＵＬＬ　２０２６", "full 2026"),
            ("ﬁne", "fine"),
            ("١٢٣", "123"),
            ("e\u{301}te\u{301}", "ete"),
            ("zero\u{200d}width\u{feff}", "zerowidth"),
        ] {
            assert_eq!(fold(written), same, "{written}");
        }
    }

    #[test]
    fn what_makes_another_word_stays() {
        assert_eq!(fold("がか"), "がか");
        assert_eq!(fold("한글"), "한글");
        assert_eq!(fold("किताब"), "किताब");
        assert_eq!(fold("ภาษาไทย"), "ภาษาไทย");
    }

    proptest! {
        #[test]
        fn what_is_folded_stays_as_it_is(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
        }

        #[test]
        fn case_never_counts(text in any::<String>()) {
            prop_assert_eq!(fold(&text.to_lowercase()), fold(&text.to_lowercase().to_uppercase().to_lowercase()));
        }
    }
}
