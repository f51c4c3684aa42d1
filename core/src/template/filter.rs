//! Filters of other template languages, which stand where our default stands: `{{name | upper}}`. Pure.

/// Filters of Liquid, Jinja, Django and Twig that stand alone behind a `|`.
const ALONE: [&str; 67] = [
    "abs",
    "addslashes",
    "camelcase",
    "camelize",
    "capfirst",
    "capitalise",
    "capitalize",
    "ceil",
    "default",
    "downcase",
    "escape",
    "escape_once",
    "escapejs",
    "first",
    "floor",
    "force_escape",
    "humanize",
    "initcap",
    "intcomma",
    "json",
    "json_encode",
    "jsonify",
    "keys",
    "last",
    "length",
    "linebreaks",
    "linebreaksbr",
    "lower",
    "lowercase",
    "lstrip",
    "make_list",
    "newline_to_br",
    "nl2br",
    "number_format",
    "pluralize",
    "proper",
    "propercase",
    "raw",
    "reverse",
    "round",
    "rstrip",
    "safe",
    "size",
    "slugify",
    "sort",
    "squish",
    "strip",
    "strip_html",
    "strip_newlines",
    "striptags",
    "title",
    "titlecase",
    "titleize",
    "toJson",
    "toLowerCase",
    "toUpperCase",
    "to_json",
    "tojson",
    "trim",
    "ucfirst",
    "ucwords",
    "upcase",
    "upper",
    "uppercase",
    "url_encode",
    "urlencode",
    "urlize",
];
/// Filters that take something in brackets, behind a colon or between quotes.
const CALLED: [&str; 26] = [
    "append",
    "concat",
    "currency",
    "cut",
    "d",
    "date",
    "date_format",
    "default",
    "default_if_none",
    "fallback",
    "format",
    "format_date",
    "ifempty",
    "join",
    "map",
    "money",
    "number",
    "prepend",
    "remove",
    "replace",
    "slice",
    "split",
    "truncate",
    "truncatechars",
    "truncatewords",
    "yesno",
];
pub(super) const QUOTES: [char; 13] = ['"', '\'', '‘', '’', '“', '”', '„', '‚', '«', '»', '`', '´', '＂'];

/// Is this default the call of a filter? Nobody wants to have that read.
pub(super) fn is_filter(default: &str) -> bool {
    let default = default.trim();
    // `name || 'x'`, `name ?? 'x'`
    if default.starts_with(['|', '?']) {
        return true;
    }
    if default.split_once('|').is_some_and(|(first, next)| is_filter(first) || is_filter(next)) {
        return true;
    }
    let end = default.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(default.len());
    let (word, rest) = (&default[..end], default[end..].trim_start());
    if word.is_empty() {
        return false;
    }
    let is_alone = ALONE.contains(&word);
    let lower = word.to_ascii_lowercase();
    let is_called = is_alone || ALONE.contains(&lower.as_str()) || CALLED.contains(&lower.as_str());
    let is_quoted = |text: &str| text.trim_start().starts_with(QUOTES);
    match rest.chars().next() {
        None => is_alone,
        // `default('friend')`, and not `friend(s)` or `first (of many)`.
        Some('(') => {
            default[end..].starts_with('(') && rest.ends_with(')') && (is_called || is_quoted(&rest[1..]))
        }
        // `default: 'friend'`, and not `Note: bring a coat`.
        Some(':') => word == lower && (is_called || is_quoted(&rest[1..])),
        // `default "friend"`
        Some(first) => is_called && QUOTES.contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_a_filter_is_known() {
        for default in [
            "default: 'friend'",
            "default:'friend'",
            " default : \"friend\" ",
            "default: ‘friend’",
            "default('friend')",
            "default(\"friend\", true)",
            "default 'friend'",
            "default: friend",
            "default_if_none:\"x\"",
            "d('x')",
            "fallback: 'x'",
            "whatever: 'x'",
            "whatever('x')",
            "upper",
            " upper ",
            "upcase",
            "capitalize",
            "title",
            "toUpperCase()",
            "upper|trim",
            "friend|upper",
            "default: 'x' | upper",
            "default('x')|e",
            "replace: 'a', 'b'",
            "replace('a','b')",
            "truncate: 10",
            "date: '%d.%m.%Y'",
            "date(\"d/m\")",
            "slice: 0, 5",
            "| 'x'",
            "|x",
            "? 'x'",
            "Default('x')",
        ] {
            assert!(is_filter(default), "{default}");
        }
    }

    #[test]
    fn a_default_that_somebody_reads_is_none() {
        for default in [
            "",
            "there",
            "friend",
            "dear customer",
            "Upper",
            "First",
            "first in line",
            "first (of many)",
            "friend(s)",
            "you & yours",
            "Note: bring a coat",
            "default value",
            "amigo(a)",
            "today at 10:30",
            "https://shop.example/?a=b",
            "'friend'",
            "مهمان",
            "दोस्त",
            "😀",
            "R$ 10,00",
            "-",
            "(none)",
            "last-minute",
        ] {
            assert!(!is_filter(default), "{default}");
        }
    }
}
