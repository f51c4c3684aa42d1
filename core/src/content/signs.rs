//! Which signs a text is made of: whether anything of it can be seen, and whether it is one emoji.

use unicode_properties::{GeneralCategory, UnicodeEmoji as _, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

/// Does a reader see nothing of it? Spaces, marks of direction and width, joiners alone.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(is_invisible)
}

fn is_invisible(sign: char) -> bool {
    match sign {
        // Signs that Unicode puts with the formats although they are drawn: they span the digits behind them.
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{110bd}'
        | '\u{110cd}' => false,
        // Fillers, joiners and selectors that Unicode puts with letters and marks although nothing is drawn.
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
        | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
        // The empty pattern of Braille.
        | '\u{2800}' => true,
        sign => {
            sign.is_whitespace()
                || matches!(sign.general_category(), GeneralCategory::Control | GeneralCategory::Format)
        }
    }
}

/// Is it one emoji, as a reader counts: also a keycap, a flag, a family, one with a tone of skin?
///
/// It goes by the form of emoji sequences (Unicode Technical Standard 51), not by a list of those that fonts have:
/// new ones are taken before this program knows them.
pub fn is_one_emoji(text: &str) -> bool {
    const JOINER: char = '\u{200d}';
    let mut readers_signs = text.graphemes(true);
    if readers_signs.next().is_none() || readers_signs.next().is_some() {
        return false;
    }
    let mut signs = text.chars();
    match signs.next() {
        Some('0'..='9' | '#' | '*') => matches!(signs.as_str(), "\u{fe0f}\u{20e3}" | "\u{20e3}"),
        Some(first) if is_flag_letter(first) => {
            signs.next().is_some_and(is_flag_letter) && signs.as_str().is_empty()
        }
        Some(first) if first.is_emoji_char() => {
            let belongs = |sign: char| {
                let is_tag = matches!(sign, '\u{e0020}'..='\u{e007f}');
                matches!(sign, JOINER | '\u{fe0f}') || is_tag || is_flag_letter(sign) || is_drawn_emoji(sign)
            };
            signs.clone().all(belongs) && signs.last() != Some(JOINER)
        }
        _ => false,
    }
}

/// Two of them are a flag.
fn is_flag_letter(sign: char) -> bool {
    matches!(sign, '\u{1f1e6}'..='\u{1f1ff}')
}

fn is_drawn_emoji(sign: char) -> bool {
    sign.is_emoji_char() && !sign.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_is_what_a_reader_counts_as_one() {
        let taken = [
            "👍",
            "❤️",
            "❤",
            "😂",
            "🎉",
            "©️",
            "⏱️",
            "☝🏽",
            "👍🏿",
            "5️⃣",
            "#️⃣",
            "*️⃣",
            "0\u{20e3}",
            "🔟",
            "🇧🇷",
            "🇮🇳",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "👨‍👩‍👧‍👦",
            "🏳️‍🌈",
            "🏴‍☠️",
            "👩🏽‍🚀",
            "❤️‍🔥",
            "👩‍❤️‍💋‍👨",
            "🧑🏻‍🤝‍🧑🏿",
            "🐻‍❄️",
            "🫱🏻‍🫲🏿",
            "🏽",
        ];
        for emoji in taken {
            assert!(is_one_emoji(emoji), "{emoji:?}");
        }
    }

    #[test]
    fn everything_else_is_none_or_several() {
        let refused = [
            "",
            " ",
            "  ",
            "👍👍",
            "👍 ",
            " 👍",
            "👍a",
            "a",
            "A",
            "é",
            "日",
            "5",
            "#",
            "*",
            "55",
            ":)",
            "ok",
            "🇧",
            "🇧🇷🇧",
            "🇧🇷🇮🇳",
            "👍\u{301}",
            "a\u{fe0f}",
            "5\u{fe0f}",
            "\u{20e3}",
            "\u{fe0f}",
            "\u{200d}",
            "👍\u{200d}",
            "\u{200b}",
            "\0",
            "👍\0",
            "\n",
            "5️⃣5️⃣",
            "&",
            "e\u{301}",
            "❤\u{fe0e}",
            "\u{e0067}",
        ];
        for text in refused {
            assert!(!is_one_emoji(text), "{text:?}");
        }
        assert!(!is_one_emoji(&"👍".repeat(1_000)));
    }

    #[test]
    fn what_cannot_be_seen_is_blank() {
        let blank = [
            "",
            " ",
            "\n\t",
            "\u{a0}",
            "\u{200b}",
            "\u{200b}\u{200c}\u{200d}",
            "\u{feff}",
            "\u{2060}",
            "\u{200e}\u{200f}",
            "\u{ad}",
            "\u{34f}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{2800}",
            "\u{180e}",
            "\u{fe0f}",
            "\u{e0001}",
            "\u{2028}\u{2029}",
            "\u{3000}",
            "\u{202e}",
            " \u{200b} ",
        ];
        for text in blank {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", "\u{200b}a", ".", "👍", "\u{301}", "ـ", "\u{600}", "日", "\u{200d}👍"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
