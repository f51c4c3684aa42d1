//! Why something does not read, in words of people who write JSON.
//!
//! serde's own reasons name Rust's types (`expected struct NewMessage`, `expected f64`). Here they become text,
//! number, list, object, true or false. What somebody sent is not repeated, but for numbers.

use super::names;

/// Characters of a reason.
const REASON_MAX: usize = 400;

/// What serde says, said plainly, and the field that it is about where it names one.
pub fn reason(said: &str) -> (Option<String>, String) {
    let said = without_place(said);
    let named = |name: &str, why: String| (Some(names::shown(name)), clipped(&why));
    if let Some((name, rest)) = ticked(said, "unknown field `") {
        return named(name, names::unknown("field", name, &all_ticked(rest)));
    }
    if let Some((name, rest)) = ticked(said, "unknown variant `") {
        let known = all_ticked(rest);
        let meant = names::nearest(name, &known);
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        return (None, clipped(&format!("one of {}{meant}", known.join(", "))));
    }
    if let Some((name, _)) = ticked(said, "missing field `") {
        return named(name, "required".to_owned());
    }
    if let Some((name, _)) = ticked(said, "duplicate field `") {
        return named(name, "given twice".to_owned());
    }
    for beginning in ["invalid type: ", "invalid value: "] {
        let parts = said.strip_prefix(beginning).and_then(|rest| rest.rsplit_once(", expected "));
        if let Some((given, expected)) = parts {
            return (None, clipped(&format!("{}, not {}", wanted(expected), had(given))));
        }
    }
    if let Some((length, expected)) =
        said.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
    {
        return (None, clipped(&format!("{}, not {length} of them", wanted(expected))));
    }
    let why = match said {
        "recursion limit exceeded" => "nested too deeply",
        "number out of range" => "a number that is not so large",
        _ if said.contains("surrogate") || said.contains("hex escape") => "text with half a character in it",
        // An enum of Rust's, which says no more.
        "expected value" => "text",
        // Of a query, whose values are all texts.
        "invalid digit found in string" | "cannot parse integer from empty string" => "a whole number",
        "number too large to fit in target type" | "number too small to fit in target type" => {
            "a whole number that is not so large"
        }
        "invalid float literal" | "cannot parse float from empty string" => "a number",
        _ if said.starts_with("provided string was not") => "true or false",
        _ if said.starts_with("data did not match any variant") => {
            "not what is taken here; see /openapi.json"
        }
        other => other,
    };
    (None, clipped(why))
}

/// Why text is no JSON, with the place.
pub fn not_json(said: &str) -> String {
    clipped(&said.replace("expected ident", "true, false or null is misspelt").replace("EOF", "it ends"))
}

/// Without the place in the text: the field says where.
fn without_place(said: &str) -> &str {
    said.rsplit_once(" at line ").map_or(said, |(why, _)| why)
}

/// The name that stands in backticks behind a beginning, and what comes after it.
fn ticked<'a>(said: &'a str, beginning: &str) -> Option<(&'a str, &'a str)> {
    let rest = said.strip_prefix(beginning)?;
    // The name may have a backtick of its own.
    let end =
        rest.find("`, expected ").or_else(|| rest.find("`, there are no ")).or_else(|| rest.rfind('`'))?;
    Some((&rest[..end], &rest[end + 1..]))
}

fn all_ticked(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn wanted(expected: &str) -> String {
    let is_integer = matches!(expected.as_bytes(), [b'u' | b'i', b'0'..=b'9', ..] | b"usize" | b"isize");
    let plain = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number from 0 on",
        _ if is_integer => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a string" | "string" | "str" | "a borrowed string" | "a char" | "unit variant"
        | "variant identifier" | "string or map" => "text",
        "a sequence" | "an array" => "a list",
        "a map" | "map" => "an object",
        "any valid JSON value" | "any value" | "option" => "a value",
        _ if expected.starts_with("tuple") || expected.contains(" with ") => "a list",
        _ if expected.starts_with("struct ") || expected.contains("tagged enum ") => "an object",
        _ if expected.starts_with("enum ") => "text",
        other => other,
    };
    plain.to_owned()
}

fn had(given: &str) -> String {
    let (kind, value) = given.split_once(' ').unwrap_or((given, ""));
    let value = value.trim_start_matches("point ").trim_matches('`');
    match kind {
        "string" | "character" => "text".to_owned(),
        "boolean" | "integer" => value.to_owned(),
        "floating" => value.to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        "null" | "unit" | "Option" => "null".to_owned(),
        _ => "that".to_owned(),
    }
}

fn clipped(why: &str) -> String {
    if why.chars().count() <= REASON_MAX {
        return why.to_owned();
    }
    format!("{}…", why.chars().take(REASON_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only what does not read is looked at")]
    struct Sample {
        to: String,
        count: Option<u32>,
        far: Option<f64>,
        is_on: Option<bool>,
        list: Option<Vec<String>>,
        inner: Option<Box<Sample>>,
    }

    fn why(json: &str) -> String {
        let problem = serde_json::from_str::<Sample>(json).expect_err("it does not read").to_string();
        let (field, why) = reason(&problem);
        field.map_or(why.clone(), |field| format!("{field}: {why}"))
    }

    #[test]
    fn a_reason_has_no_word_of_rust() {
        for (json, said) in [
            (r#"{"to":5}"#, "text, not 5"),
            (r#"{"to":null}"#, "text, not null"),
            (r#"{"to":["a"]}"#, "text, not a list"),
            (r#"{"to":"a","count":"5"}"#, "a whole number from 0 to 4294967295, not text"),
            (r#"{"to":"a","count":-1}"#, "a whole number from 0 to 4294967295, not -1"),
            (r#"{"to":"a","count":1.5}"#, "a whole number from 0 to 4294967295, not 1.5"),
            (r#"{"to":"a","far":{}}"#, "a number, not an object"),
            (r#"{"to":"a","isOn":"true"}"#, "true or false, not text"),
            (r#"{"to":"a","list":"b"}"#, "a list, not text"),
            (r#"{"to":"a","inner":true}"#, "an object, not true"),
            ("{}", "to: required"),
            (r#"{"to":"a","to":"b"}"#, "to: given twice"),
            (r#"{"to":"a","is_on":true}"#, "is_on: there is no such field; did you mean `isOn`?"),
        ] {
            assert_eq!(why(json), said, "{json}");
        }
    }
}
