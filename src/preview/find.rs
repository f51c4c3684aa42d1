//! The first http(s) URL in a text, as a reader sees it. Pure.

use url::Url;

/// A longer one is none: nothing fetches it.
const URL_MAX: usize = 2_048;
/// So many places of a text are looked at.
const CANDIDATES_MAX: usize = 16;
/// WhatsApp's marks: they may stand around a URL, or around the line that it ends.
const MARKS: [char; 4] = ['*', '_', '~', '`'];
const BRACKETS: [(char, char); 3] = [('(', ')'), ('[', ']'), ('{', '}')];

/// As it stands in the text. What only ends a sentence, closes a bracket that was opened before, or closes one
/// of WhatsApp's marks is not part of it.
pub fn first_url(text: &str) -> Option<&str> {
    text.match_indices("://").take(CANDIDATES_MAX).find_map(|(at, _)| url_around(text, at))
}

fn url_around(text: &str, at: usize) -> Option<&str> {
    let start = ["https", "http"].into_iter().find_map(|scheme| {
        let start = at.checked_sub(scheme.len())?;
        text.get(start..at)?.eq_ignore_ascii_case(scheme).then_some(start)
    })?;
    let (before, rest) = text.split_at(start);
    if before.ends_with(char::is_alphanumeric) {
        return None;
    }
    // Whatever a text holds, no more than this is looked at for each of its candidates; a character has four
    // bytes at most.
    let rest = &rest[..rest.floor_char_boundary(URL_MAX + 4)];
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\');
    let run = &rest[..rest.find(ends).unwrap_or(rest.len())];
    if run.len() > URL_MAX {
        return None;
    }
    let line = before.rsplit('\n').next().unwrap_or_default();
    let line = &line[line.ceil_char_boundary(line.len().saturating_sub(URL_MAX))..];
    let url = trimmed(run, line);
    Url::parse(url).is_ok_and(|url| url.has_host()).then_some(url)
}

/// Without what follows a URL and is not part of it. `line` is what stands before it.
fn trimmed<'a>(mut url: &'a str, line: &str) -> &'a str {
    // Counted once: a text may be nothing but marks and brackets.
    let open_marks = MARKS.map(|mark| line.matches(mark).count() % 2 == 1);
    let mut surplus = BRACKETS.map(|(open, close)| {
        let count = |bracket: char| i64::try_from(url.matches(bracket).count()).unwrap_or(i64::MAX);
        count(close) - count(open)
    });
    while let Some(last) = url.chars().next_back() {
        let is_outside = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '…' | '’' | '”' | '»' => true,
            last => {
                let bracket = BRACKETS.iter().position(|(_, close)| *close == last);
                let mark = MARKS.iter().position(|mark| *mark == last);
                match (bracket, mark) {
                    // One more than were opened.
                    (Some(place), _) if surplus[place] > 0 => {
                        surplus[place] -= 1;
                        true
                    }
                    // Open since before.
                    (_, Some(place)) => open_marks[place],
                    _ => false,
                }
            }
        };
        if !is_outside {
            break;
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wapid_core::content::Words;

    #[test]
    fn a_url_is_found_as_it_stands_in_the_text() {
        for (text, url) in [
            ("https://shop.example", "https://shop.example"),
            ("See https://shop.example/a?b=c#d now", "https://shop.example/a?b=c#d"),
            ("See https://shop.example/a.", "https://shop.example/a"),
            ("Really, https://shop.example/a?!", "https://shop.example/a"),
            ("(https://shop.example/a)", "https://shop.example/a"),
            ("https://shop.example/a_(b)", "https://shop.example/a_(b)"),
            ("[https://[::1]/a]", "https://[::1]/a"),
            ("\"https://shop.example/a\"", "https://shop.example/a"),
            ("<https://shop.example/a>", "https://shop.example/a"),
            ("HTTP://Shop.example/A", "HTTP://Shop.example/A"),
            ("line\nhttps://shop.example/ä\nline", "https://shop.example/ä"),
            ("https://a.example https://b.example", "https://a.example"),
            ("https:// and https://b.example", "https://b.example"),
            ("ftp://a.example https://b.example", "https://b.example"),
            ("see:https://b.example", "https://b.example"),
            ("*https://shop.example/a*", "https://shop.example/a"),
            ("*bold* https://shop.example/a_", "https://shop.example/a_"),
        ] {
            assert_eq!(first_url(text), Some(url), "{text}");
        }
    }

    #[test]
    fn nothing_but_marks_takes_no_time() {
        let started = std::time::Instant::now();
        for filler in ["*", ")", "}]"] {
            let text = format!("{}{}", filler, format!("http://{} ", filler.repeat(2_000)).repeat(32));
            assert_eq!(first_url(&text), None);
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
    }

    #[test]
    fn what_is_none_is_not_found() {
        let long = format!("https://shop.example/{}", "a".repeat(3_000));
        for text in
            ["", "hello", "shop.example", "xhttps://shop.example", "https://", "http://.", "://", &long]
        {
            assert_eq!(first_url(text), None, "{text}");
        }
    }

    #[test]
    fn the_marks_of_a_header_or_a_footer_are_not_part_of_it() {
        let words = Words {
            message: "no link here".into(),
            header: None,
            footer: Some("Visit https://shop.example/a".into()),
        };
        assert_eq!(first_url(&words.rendered()), Some("https://shop.example/a"));
    }

    proptest! {
        #[test]
        fn whatever_is_found_stands_in_the_text(text in "(https?://|[a-z.(){}*_~`\\]ä😀 \\n]){0,40}") {
            if let Some(url) = first_url(&text) {
                prop_assert!(text.contains(url));
                prop_assert!(Url::parse(url).is_ok());
            }
        }
    }
}
