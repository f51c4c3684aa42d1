//! What a page says of itself: its title, what it is about, its picture. Pure.
//!
//! Pages are written for Facebook's and Twitter's readers (`og:…`, `twitter:…`); what they do not say to those is
//! taken from the page's own title and description. Nothing is believed of its length, and what does not read
//! as UTF-8 is replaced.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use url::Url;

/// In characters.
const TITLE_MAX: usize = 300;
const DESCRIPTION_MAX: usize = 500;

/// The names that count, the first one first.
const TITLES: &[&str] = &["og:title", "twitter:title"];
const DESCRIPTIONS: &[&str] = &["og:description", "twitter:description", "description"];
const PICTURES: &[&str] =
    &["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub title: String,
    pub description: Option<String>,
    pub picture: Option<Url>,
}

/// `base` is where the page was found. `None` for one without a title.
pub fn read(html: &[u8], base: &Url) -> Option<Told> {
    let html = String::from_utf8_lossy(html);
    let mut emitter = DefaultEmitter::<()>::default();
    // A script is not read as tags.
    emitter.naively_switch_states(true);
    let mut meta = BTreeMap::new();
    let (mut own_title, mut in_title, mut in_body) = (String::new(), false, false);
    for Ok(token) in Tokenizer::new_with_emitter(&*html, emitter) {
        match token {
            Token::StartTag(tag) => match tag.name.as_slice() {
                b"meta" => note(&tag, &mut meta),
                // A picture in the page's body may have a title of its own.
                b"title" => in_title = !in_body && own_title.is_empty(),
                b"body" => in_body = true,
                _ => {}
            },
            Token::String(text) if in_title => own_title.push_str(&String::from_utf8_lossy(&text)),
            Token::EndTag(tag) if tag.name.as_slice() == b"title" => in_title = false,
            _ => {}
        }
    }
    let first = |names: &[&'static str], most| {
        names.iter().find_map(|name| meta.get(name).and_then(|text: &String| clean(text, most)))
    };
    let title = first(TITLES, TITLE_MAX).or_else(|| clean(&own_title, TITLE_MAX))?;
    let picture = PICTURES.iter().find_map(|name| place(meta.get(name)?, base));
    Some(Told { title, description: first(DESCRIPTIONS, DESCRIPTION_MAX), picture })
}

/// Notes what a `meta` says, if it counts, and was not said before.
fn note(tag: &StartTag<()>, meta: &mut BTreeMap<&'static str, String>) {
    let value = |name: &[u8]| tag.attributes.get(name).map(|value| String::from_utf8_lossy(value));
    let Some(content) = value(b"content").filter(|content| !content.trim().is_empty()) else { return };
    let known = |name: &[u8]| {
        let name = value(name)?.trim().to_ascii_lowercase();
        TITLES.iter().chain(DESCRIPTIONS).chain(PICTURES).copied().find(|known| *known == name)
    };
    if let Some(name) = known(b"property").or_else(|| known(b"name")) {
        meta.entry(name).or_insert_with(|| content.into_owned());
    }
}

/// One line of a text, cut.
fn clean(text: &str, most: usize) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ").chars().take(most).collect();
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Where a picture is, said in full or from the page on.
fn place(text: &str, base: &Url) -> Option<Url> {
    base.join(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Url {
        Url::parse("https://shop.example/a/b?c=d").unwrap()
    }

    fn told(html: &str) -> Option<Told> {
        read(html.as_bytes(), &base())
    }

    fn picture(html: &str) -> Option<String> {
        told(&format!("<title>t</title>{html}")).unwrap().picture.map(String::from)
    }

    #[test]
    fn what_is_written_for_previews_comes_first() {
        let page = r#"<!DOCTYPE html><html><head><title>Own</title>
            <meta name="description" content="own words">
            <meta name=twitter:title content=T><meta name=twitter:description content="t words">
            <meta property="og:title" content="The &amp; Shop"/>
            <META Property='OG:Description' CONTENT='og
                words'>
            <meta property="og:title" content="too late">
            <meta property="og:image" content="/small.png"></head><body>"#;
        let expected = Told {
            title: "The & Shop".into(),
            description: Some("og words".into()),
            picture: Some(Url::parse("https://shop.example/small.png").unwrap()),
        };
        assert_eq!(told(page), Some(expected));
    }

    #[test]
    fn then_what_is_written_for_twitter_and_then_its_own() {
        let page = "<title>Own</title><meta name=twitter:title content=T><meta name=description content=D>";
        let read = told(page).unwrap();
        assert_eq!((read.title.as_str(), read.description.as_deref()), ("T", Some("D")));
        let read = told("<title> Own\n <b>title</b>&#33; </title>").unwrap();
        assert_eq!((read.title.as_str(), read.description, read.picture), ("Own <b>title</b>!", None, None));
        let read = told("<title>Own</title><meta property=og:title content=' '>").unwrap();
        assert_eq!(read.title, "Own");
    }

    #[test]
    fn a_page_without_a_title_is_none() {
        for page in [
            "",
            "hello",
            "<title></title>",
            "<title> \u{7}\n</title>",
            "<meta property=og:title>",
            "<meta name=description content=D>",
            "<script>'<title>code</title>'</script>",
            "<!-- <title>a comment</title> -->",
            "<body><svg><title>a logo</title></svg>",
        ] {
            assert_eq!(told(page), None, "{page}");
        }
    }

    #[test]
    fn a_picture_is_found_from_the_page_on() {
        let og = |place: &str| picture(&format!("<meta property=\"og:image\" content=\"{place}\">"));
        for (given, found) in [
            ("https://cdn.example/p.jpg?a=1&amp;b=2", "https://cdn.example/p.jpg?a=1&b=2"),
            ("//cdn.example/p.jpg", "https://cdn.example/p.jpg"),
            ("/p.jpg", "https://shop.example/p.jpg"),
            ("p.jpg", "https://shop.example/a/p.jpg"),
            (" p.jpg ", "https://shop.example/a/p.jpg"),
        ] {
            assert_eq!(og(given).as_deref(), Some(found), "{given}");
        }
        for none in ["data:image/png;base64,AAAA", "javascript:alert(1)", "file:///etc/passwd", "https://"] {
            assert_eq!(og(none), None, "{none}");
        }
        let twitter = "<meta name=twitter:image content=t.jpg>";
        assert_eq!(picture(twitter).as_deref(), Some("https://shop.example/a/t.jpg"));
        let both =
            "<meta property=og:image content=ftp://a.example/p.jpg><meta name=twitter:image content=t.jpg>";
        assert_eq!(picture(both).as_deref(), Some("https://shop.example/a/t.jpg"));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = "é".repeat(10_000);
        let page = format!("<title>{long}</title><meta name=description content='{long}'>");
        let read = told(&page).unwrap();
        assert_eq!(read.title.chars().count(), TITLE_MAX);
        assert_eq!(read.description.unwrap().chars().count(), DESCRIPTION_MAX);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_and_the_rest_read() {
        let read = read(b"<title>Caf\xe9 S\xc3\xa3o</title>", &base()).unwrap();
        assert_eq!(read.title, "Caf\u{fffd} São");
    }

    #[test]
    fn a_page_that_is_cut_off_says_what_it_said() {
        let read = told("<title>Own</title><meta property=og:title content=\"The Sh").unwrap();
        assert_eq!(read.title, "Own");
        assert_eq!(told("<title>Ow").unwrap().title, "Ow");
    }

    proptest! {
        #[test]
        fn nothing_is_too_much(html in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _ = read(&html, &base());
        }

        #[test]
        fn whatever_it_says_stays_within_bounds(words in "[ -~]{0,900}") {
            let page = format!("<meta property=og:title content='{words}'><meta name=description content='{words}'>");
            if let Some(read) = told(&page) {
                prop_assert!((1..=TITLE_MAX).contains(&read.title.chars().count()));
                prop_assert!(read.description.is_none_or(|text| text.chars().count() <= DESCRIPTION_MAX));
            }
        }
    }
}
