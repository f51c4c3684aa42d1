//! Names that a request uses and a route does not know, refused with the one that was probably meant.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor, value::Error};

/// What somebody sent is not sent back whole.
const SHOWN_MAX: usize = 60;
/// A longer list helps nobody; `openapi.json` has it.
const LISTED_MAX: usize = 30;

/// What other senders call a thing, and what it is called here. A row counts only where a route knows the second
/// name and not the first.
const CALLED: [(&str, &str); 32] = [
    ("attachment", "file"),
    ("attachment", "mediaUrl"),
    ("body", "message"),
    ("caption", "message"),
    ("chatid", "to"),
    ("csv", "file"),
    ("data", "file"),
    ("delay", "delayMin"),
    ("end", "to"),
    ("end", "until"),
    ("fileurl", "mediaUrl"),
    ("image", "mediaUrl"),
    ("link", "mediaUrl"),
    ("media", "mediaUrl"),
    ("mimetype", "mediaMimeType"),
    ("number", "phone"),
    ("number", "to"),
    ("numbers", "phones"),
    ("numbers", "recipients"),
    ("offset", "page"),
    ("offset", "after"),
    ("pagesize", "limit"),
    ("perpage", "limit"),
    ("phone", "to"),
    ("phonenumber", "to"),
    ("quoted", "quotedMessageId"),
    ("recipient", "to"),
    ("replyto", "quotedMessageId"),
    ("start", "from"),
    ("start", "since"),
    ("text", "message"),
    ("url", "mediaUrl"),
];

/// The fields that `T` reads from a JSON object; none where it reads something else.
pub fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    let _ = T::deserialize(Asked(&mut fields));
    fields
}

/// Is it the same name but for capitals, `_` and `-`?
pub fn is_spelling_of(name: &str, known: &str) -> bool {
    plain(name) == plain(known)
}

/// The name that was probably meant.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let asked = plain(name);
    let distance = |one: &str| strsim::damerau_levenshtein(&asked, &plain(one));
    let spelling = known.iter().find(|one| plain(one) == asked);
    let called = || {
        let mut of = CALLED.iter().filter(|(theirs, _)| *theirs == asked);
        of.find_map(|(_, ours)| known.iter().find(|one| *one == ours))
    };
    let close = || {
        let best = known.iter().min_by_key(|one| distance(one))?;
        // Of a short name one letter may be wrong, of a long one a few.
        let most = (best.chars().count().max(asked.chars().count()) / 4).max(1);
        (asked.chars().count() > 2 && distance(best) <= most).then_some(best)
    };
    let longer = || known.iter().find(|one| asked.len() >= 4 && plain(one).starts_with(&asked));
    // `monday`, `messageText`.
    let shorter = || {
        let begins = |one: &&&str| one.len() >= 3 && asked.starts_with(&plain(one));
        known.iter().filter(begins).max_by_key(|one| one.len())
    };
    spelling.or_else(called).or_else(close).or_else(longer).or_else(shorter).copied()
}

/// "there is no such field; did you mean `message`?". `what` is what a name is: a field, a parameter.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    if let Some(meant) = nearest(name, known) {
        return format!("there is no such {what}; did you mean `{meant}`?");
    }
    match known {
        [] => format!("there is no such {what}, and none at all here"),
        _ if known.len() > LISTED_MAX => {
            let listed = known[..LISTED_MAX].join(", ");
            format!("there is no such {what}; there are {listed} and more, see /openapi.json")
        }
        _ => format!("there is no such {what}; there are {}", known.join(", ")),
    }
}

/// A name of somebody else's, short enough to be shown.
pub fn shown(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
    if kept.len() == name.len() { kept } else { format!("{kept}…") }
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Reads nothing; only hears which fields are asked for.
struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom(fmt::Error))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEND: [&str; 9] = [
        "to",
        "message",
        "type",
        "mediaUrl",
        "mediaMimeType",
        "fileName",
        "viewOnce",
        "mentions",
        "quotedMessageId",
    ];

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        for (name, meant) in [
            ("viewonce", "viewOnce"),
            ("file_name", "fileName"),
            ("filename", "fileName"),
            ("quotedMessageID", "quotedMessageId"),
            ("quoted", "quotedMessageId"),
            ("mention", "mentions"),
            ("caption", "message"),
            ("text", "message"),
            ("mesage", "message"),
            ("messgae", "message"),
            ("mimetype", "mediaMimeType"),
            ("messageText", "message"),
            ("number", "to"),
        ] {
            assert_eq!(nearest(name, &SEND), Some(meant), "{name}");
        }
        for name in ["priority", "x", "", "sort", "webhookSecret"] {
            assert_eq!(nearest(name, &SEND), None, "{name}");
        }
        assert_eq!(nearest("lmit", &["limit", "page"]), Some("limit"));
        assert_eq!(nearest("offset", &["limit", "page"]), Some("page"));
        assert_eq!(nearest("data", &["recipients", "file"]), Some("file"));
        assert_eq!(nearest("monday", &["mon", "tue"]), Some("mon"));
    }

    #[test]
    fn a_type_says_which_fields_it_reads() {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[expect(dead_code, reason = "only its names are looked at")]
        struct Sample {
            media_url: String,
            r#type: Option<u8>,
        }
        assert_eq!(fields_of::<Sample>(), ["mediaUrl", "type"]);
        assert_eq!(fields_of::<Vec<u8>>(), [""; 0]);
    }

    #[test]
    fn what_somebody_sent_is_not_sent_back_whole() {
        assert_eq!(shown("caption"), "caption");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), SHOWN_MAX + 1);
        assert_eq!(shown("a\u{0}b"), "ab…");
    }
}
