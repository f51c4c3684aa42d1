//! Numbers as their format shows them: `+55 (11) 90000-0001` and `06 12 34 56 78` are whole numbers in their
//! cells, without the code or the zero that their owner sees.

/// The longest format that is looked at, in bytes.
const FORMAT_MAX: usize = 200;
/// So many places make a format one of codes and numbers; shorter ones are sums.
const PLACES_MIN: usize = 4;

enum Token {
    Sign(char),
    /// A digit that is shown as 0 where there is none.
    Zero,
    Place,
}

/// Whether numbers are shown otherwise than as they are.
pub fn says_more(format: &str) -> bool {
    format.len() <= FORMAT_MAX && (shown(format, "1").is_some() || decimals_of_percent(format).is_some())
}

/// What a cell's text is shown as. `None` where the format says nothing more.
pub fn shown(format: &str, text: &str) -> Option<String> {
    if let Some(decimals) = decimals_of_percent(format) {
        return text.parse().ok().map(|part: f64| format!("{:.decimals$}%", part * 100.0));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let tokens = tokens_of(format)?;
    let is_of_a_phone = |c: char| c.is_ascii_digit() || "+-() .\u{a0}".contains(c);
    let places = tokens.iter().filter(|token| !matches!(token, Token::Sign(_))).count();
    if places == 0 || tokens.iter().any(|token| matches!(token, Token::Sign(c) if !is_of_a_phone(*c))) {
        return None;
    }
    // Of a number whose country is in the format, the first places stay empty where it is short.
    let begins = tokens.iter().find_map(|token| match token {
        Token::Sign(c) => (*c == '+' || c.is_ascii_digit()).then_some(true),
        Token::Zero | Token::Place => Some(false),
    });
    let has_code = begins == Some(true);
    let is_padded = !has_code
        && places >= PLACES_MIN
        && matches!(tokens.iter().find(|token| !matches!(token, Token::Sign(_))), Some(Token::Zero));
    if !has_code && !is_padded {
        return None;
    }
    // What is too long goes to the first place.
    let missing = places.saturating_sub(text.len());
    let (mut rest, mut shown, mut place) = (text, String::new(), 0);
    for token in tokens {
        if let Token::Sign(c) = token {
            shown.push(c);
            continue;
        }
        if place >= missing {
            let count = if place == missing { text.len() - (places - missing) + 1 } else { 1 };
            shown.push_str(&rest[..count]);
            rest = &rest[count..];
        } else if is_padded && matches!(token, Token::Zero) {
            shown.push('0');
        }
        place += 1;
    }
    (shown != text).then_some(shown)
}

/// Of positive numbers.
fn tokens_of(format: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut is_quoted = false;
    let mut letters = format.chars();
    while let Some(c) = letters.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => tokens.push(Token::Sign(c)),
            '\\' => tokens.push(Token::Sign(letters.next()?)),
            ';' => break,
            '[' => {
                // `[$+55]` is shown, `[Red]` and `[<=99]` are not.
                let within: String = letters.by_ref().take_while(|c| *c != ']').collect();
                let said = within.strip_prefix('$').map(|said| said.split('-').next().unwrap_or_default());
                tokens.extend(said.unwrap_or_default().chars().map(Token::Sign));
            }
            '_' | '*' => drop(letters.next()?),
            '0' => tokens.push(Token::Zero),
            '#' | '?' => tokens.push(Token::Place),
            '+' | '-' | '(' | ')' | ' ' | '/' | '1'..='9' => tokens.push(Token::Sign(c)),
            _ => return None,
        }
    }
    Some(tokens)
}

/// Of `0.00%`.
fn decimals_of_percent(format: &str) -> Option<usize> {
    let number = format.split(';').next()?.trim().strip_suffix('%')?;
    match number.split_once('.') {
        None => (number == "0").then_some(0),
        Some((whole, rest)) => (whole == "0" && rest.bytes().all(|b| b == b'0')).then_some(rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_puts_before_a_number_is_shown() {
        for (format, digits, text) in [
            (r"\+55 (00) 00000\-0000", "11987654321", Some("+55 (11) 98765-4321")),
            (r#""+55 ("00") "00000"-"0000"#, "11987654321", Some("+55 (11) 98765-4321")),
            (r#""(+55) "(00) 00000-0000"#, "11987654321", Some("(+55) (11) 98765-4321")),
            (r#""55"00000000000"#, "11987654321", Some("5511987654321")),
            ("[$+55] 0", "11987654321", Some("+55 11987654321")),
            (r"+00 00 00000\-0000;[Red]0", "5511987654321", Some("+55 11 98765-4321")),
            (r"\+0", "919876543210", Some("+919876543210")),
            (r"\+91##########", "98765", Some("+9198765")),
            ("0000000000", "612345678", Some("0612345678")),
            ("00 00 00 00 00", "612345678", Some("06 12 34 56 78")),
            ("00000", "123", Some("00123")),
            (r#"000"."000"."000"-"00"#, "1234567890", Some("012.345.678-90")),
            ("0%", "0.3", Some("30%")),
            ("0.00%", "0.125", Some("12.50%")),
            ("[<=9999999999](##) ####-####;(##) #####-####", "11987654321", None),
            ("0000000000", "3401234567", None),
            ("0.00E+00", "919876543210", None),
            ("0+0", "12", None),
            ("[$R$-416] 0", "12", None),
            ("#,##0", "1234", None),
            ("0", "12", None),
            ("\"+\"0\" kg\"", "12", None),
            ("General", "12", None),
            ("\\", "12", None),
            ("[", "12", None),
        ] {
            assert_eq!(shown(format, digits).as_deref(), text, "{format}");
        }
    }
}
