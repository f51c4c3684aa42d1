//! Other spellings of a word that somebody types to find it.
//!
//! The index keeps words as they were written, folded letter by letter. What is one word to its readers in two
//! spellings of more than a letter is asked for in both. A part of a written word is not among them: `obrien`
//! does not find `O'Brien`, for nothing says where the word was cut.

/// Devanagari: what an anusvara stands for before the consonants of each row.
const NASALS: [(char, std::ops::RangeInclusive<char>); 5] =
    [('ङ', 'क'..='घ'), ('ञ', 'च'..='झ'), ('ण', 'ट'..='ढ'), ('न', 'त'..='ध'), ('म', 'प'..='भ')];
const ANUSVARA: char = '\u{902}';
const CHANDRABINDU: char = '\u{901}';
const VIRAMA: char = '\u{94d}';

/// The other spellings of a folded word, without the one it has.
pub(super) fn others(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |other: String| {
        if other != word && !found.contains(&other) {
            found.push(other);
        }
    };
    if word.contains(|c: char| ('\u{900}'..='\u{97f}').contains(&c)) {
        add(dotted(word));
        add(spelt_out(word));
    }
    // Many write one for the other at the end of a word.
    if let Some(stem) = word.strip_suffix('ة') {
        add(format!("{stem}ه"));
    } else if let Some(stem) = word.strip_suffix('ه') {
        add(format!("{stem}ة"));
    }
    // `o'brien` and `obrien`
    let joined: String = word.chars().filter(|c| !matches!(c, '\'' | '’' | 'ʼ' | '`')).collect();
    let is_inside = word.chars().next().zip(word.chars().next_back());
    if is_inside.is_some_and(|(first, last)| first.is_alphanumeric() && last.is_alphanumeric()) {
        add(joined);
    }
    found
}

/// Are they one word that a joiner holds together, where somebody types a space? `می خواهم`
pub(super) fn may_join(one: &str, next: &str) -> bool {
    let is_arabic = |text: &str| !text.is_empty() && text.chars().all(|c| matches!(c, '\u{620}'..='\u{6ff}'));
    is_arabic(one) && is_arabic(next)
}

/// `हिन्दी` as `हिंदी`.
fn dotted(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut dotted = String::with_capacity(word.len());
    let mut place = 0;
    while place < letters.len() {
        let is_nasal = letters.get(place + 1) == Some(&VIRAMA)
            && letters.get(place + 2).is_some_and(|next| {
                NASALS.iter().any(|(nasal, row)| *nasal == letters[place] && row.contains(next))
            });
        if is_nasal {
            dotted.push(ANUSVARA);
            place += 2;
        } else {
            dotted.push(if letters[place] == CHANDRABINDU { ANUSVARA } else { letters[place] });
            place += 1;
        }
    }
    dotted
}

/// `हिंदी` as `हिन्दी`.
fn spelt_out(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut spelt = String::with_capacity(word.len());
    for (place, letter) in letters.iter().enumerate() {
        let row = letters.get(place + 1).and_then(|next| NASALS.iter().find(|(_, row)| row.contains(next)));
        match row {
            Some((nasal, _)) if *letter == ANUSVARA => spelt.extend([*nasal, VIRAMA]),
            _ => spelt.push(*letter),
        }
    }
    spelt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_its_other_spellings() {
        assert_eq!(others("हिंदी"), ["हिन्दी"]);
        assert_eq!(others("हिन्दी"), ["हिंदी"]);
        assert_eq!(others("सम्पर्क"), ["संपर्क"]);
        assert_eq!(others("अंक"), ["अङ्क"]);
        assert_eq!(others("चाँद"), ["चांद"]);
        assert_eq!(others("رابطة"), ["رابطه"]);
        assert_eq!(others("رابطه"), ["رابطة"]);
        assert_eq!(others("o'brien"), ["obrien"]);
        for word in ["pedido", "नमस्ते", "'quoted'", "東京", ""] {
            assert!(others(word).is_empty(), "{word}: {:?}", others(word));
        }
        assert!(may_join("می", "خواهم") && !may_join("می", "ok") && !may_join("a", "b"));
    }
}
