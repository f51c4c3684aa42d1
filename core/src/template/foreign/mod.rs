//! Places as other senders and other programs write them: `{name}`, `%name%`, `{{name | upper}}`. Pure.
//!
//! A text that was written for another sender would be sent as it stands, to everybody. [`look`] finds
//! such places and says what to write instead. What can be nothing but a place is refused; what an honest
//! text may hold (`[name]`, `{hi|hello}`) is told as a doubt. Prices, code and emoticons are neither.
//!
//! Nothing here fills anything in, and what is wrong with a place of ours says [`Template::parse`].
//!
//! [`Template::parse`]: super::Template::parse

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::FIELD_MAX;
use super::filter::{QUOTES, is_filter};
use super::meant::Meant;
use super::name::{FieldNames, is_of_a_name, means_a_field, means_a_name, speaks_of_a_name, tidy};

/// The most findings of one text; whoever has read so many has understood.
const FINDINGS_MAX: usize = 20;
/// How much of a place is shown, in characters.
const SHOWN_MAX: usize = 60;

/// What was found, as a sentence that says where and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nobody would want to have it read.
    Refused(String),
    /// It is sent as it stands, and perhaps that was not meant.
    Doubtful(String),
}

/// Our own places are among them, so that nothing is found inside one. What a name may hold is asked
/// afterwards: here it is anything without the punctuation of ASCII.
static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    // Dots, dashes, underscores and spaces are of a name.
    let name = r"[^\x00-\x1f!-,/:-@\[-^`{-~«»]+";
    let word = r"[^\x00-/:-@\[-^`{-~«»\s]+";
    let rest = r"[|:?,][^{}\[\]\n]*";
    // What goes on over many letters excludes its own beginning, so that a text is gone through once.
    let pattern = [
        r"(?<ours>\\\{\{|\{\{\{[^{}]*\}\}\}|\{\{[^{}]*\}\})",
        r"(?<code>(?<code_escape>\\)?(?:\{%[^{}\n]*%\}|\{#\s*WORD[^{}\n]*#\}|<%[^<\n]*?%>|<\?(?:php|=)[^<\n]*?\?>|\*\|[^|*\n]+\|\*))",
        r"(?<choice>(?<choice_escape>\\)?\{[^{}|\n]+(?:\|[^{}|\n]*)+\})",
        r"(?<firm>(?<firm_escape>\\)?(?:[$#@%]\{(?<a>NAME)(?<ar>REST)?\}|\{[$!@:=](?<b>NAME)(?<br>REST)?\}|\[\[(?<c>NAME)(?<cr>REST)?\]\]|<<(?<d>NAME)>>|\[%(?<e>NAME)(?<er>REST)?%\]|%%(?<f>NAME)%%|@@(?<o>NAME)@@|%\((?<p>NAME)\)[sd]))",
        r"(?<number>\{\d{1,2}\})",
        r"(?<bare>(?<bare_escape>\\)?(?:\{(?<g>NAME)(?<gr>REST)?\}|%(?<h>WORD(?:[ .\-]+WORD)*)%))",
        r"(?<soft>\[(?<i>NAME)(?<ir>REST)?\]|<(?<j>NAME)>|#(?<k>WORD)#|\((?<q>NAME)\))",
        r"(?<shy>«(?<l>NAME)»|__(?<m>LAZY)__|[$@](?<n>WORD))",
        r"(?<printf>%(?:\d{1,2}\$)?s\b)",
    ]
    .join("|");
    let lazy = format!("{word}?");
    let parts = [("NAME", name), ("WORD", word), ("LAZY", lazy.as_str()), ("REST", rest)];
    let pattern = parts.iter().fold(pattern, |pattern, (part, is)| pattern.replace(part, is));
    Regex::new(&pattern).expect("a pattern of this file, which its tests compile")
});
/// The groups of [`PLACES`] that hold a name, with what stands behind it.
const NAMED: [(&str, &str); 17] = [
    ("a", "ar"),
    ("b", "br"),
    ("c", "cr"),
    ("d", ""),
    ("e", "er"),
    ("f", ""),
    ("g", "gr"),
    ("h", ""),
    ("i", "ir"),
    ("j", ""),
    ("k", ""),
    ("l", ""),
    ("m", ""),
    ("n", ""),
    ("o", ""),
    ("p", ""),
    ("q", ""),
];
const ESCAPES: [&str; 4] = ["code_escape", "choice_escape", "firm_escape", "bare_escape"];

/// What was found at one place: is it refused, and what is to be said of it?
type Judgement = Option<(bool, String)>;

/// Every place of a text that is of another spelling, or of ours and says what only others understand.
pub fn look(text: &str, fields: &FieldNames<'_>) -> Vec<Finding> {
    let mut told: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    let narrow = narrowed(text);
    for found in PLACES.captures_iter(&narrow) {
        if findings.len() == FINDINGS_MAX {
            break;
        }
        let range = found.get(0).expect("a match has a whole").range();
        let judged = if found.name("ours").is_some() {
            ours(&narrow[range.clone()], fields)
        } else if escape(&narrow, &found).is_some() {
            None
        } else {
            theirs(&narrow, &found, fields)
        };
        let Some((is_refused, what)) = judged.filter(|(_, what)| !told.contains(what)) else { continue };
        let place = text[..range.start].chars().count() + 1;
        let sentence = format!("character {place}: {what}");
        told.push(what);
        findings.push(if is_refused { Finding::Refused(sentence) } else { Finding::Doubtful(sentence) });
    }
    findings
}

/// `text` without the backslashes by which places of another spelling are written as they stand.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for found in PLACES.captures_iter(text) {
        if let Some(place) = escape(text, &found) {
            kept.push_str(&text[from..place]);
            from = place + 1;
        }
    }
    kept.push_str(&text[from..]);
    Cow::Owned(kept)
}

/// Where the backslash stands that takes its meaning from a place. One in a path is none: `C:\{id}`.
fn escape(text: &str, found: &Captures<'_>) -> Option<usize> {
    let place = ESCAPES.iter().find_map(|group| found.name(group))?.start();
    let is_of_a_path = text[..place].ends_with(|c: char| c.is_alphanumeric() || ":\\".contains(c));
    (!is_of_a_path).then_some(place)
}

/// Brackets of East Asian keyboards are brackets. Each takes up as many bytes as before, so that places
/// stay where they are: the thin one, and another one that nobody sees.
fn narrowed(text: &str) -> Cow<'_, str> {
    const WIDE: [(char, &str); 10] = [
        ('｛', "{\u{ad}"),
        ('｝', "\u{ad}}"),
        ('［', "[\u{ad}"),
        ('］', "\u{ad}]"),
        ('＜', "<\u{ad}"),
        ('＞', "\u{ad}>"),
        ('％', "%\u{ad}"),
        ('＃', "#\u{ad}"),
        ('＄', "$\u{ad}"),
        ('｜', "|\u{ad}"),
    ];
    if !text.contains(WIDE.map(|(wide, _)| wide)) {
        return Cow::Borrowed(text);
    }
    let mut narrow = String::with_capacity(text.len());
    for letter in text.chars() {
        match WIDE.iter().find(|(wide, _)| *wide == letter) {
            Some((_, thin)) => narrow.push_str(thin),
            None => narrow.push(letter),
        }
    }
    Cow::Owned(narrow)
}

/// A place between our own brackets.
fn ours(whole: &str, fields: &FieldNames<'_>) -> Judgement {
    let inside = whole.strip_prefix("{{")?.strip_suffix("}}")?;
    let refused = |why: &str, instead: &str| Some((true, format!("{}: {why}; {instead}", shown(whole))));
    if let Some(inside) = inside.strip_prefix('{') {
        let meant = Meant::of(inside.trim_end_matches('}'), fields);
        return refused("two brackets, and not three", &meant.spelling());
    }
    let (name, default) = match inside.split_once('|') {
        Some((name, default)) => (tidy(name), Some(default.trim())),
        None => (tidy(inside), None),
    };
    // A column may be called `CPF/CNPJ`, or `#if`.
    let is_a_field = fields.has(&name);
    if !is_a_field && is_block(&name, fields) {
        let instead = "write {{name}}, or {{name|there}} for those who have none";
        return refused("there are no conditions, loops and comments here", instead);
    }
    // What is no name at all, and a place without one, is told by the parser.
    let is_name = name.len() <= FIELD_MAX && name.chars().all(is_of_a_name);
    let is_code = !is_name || name.starts_with('.') || (has_operator(&name) && fields.known(&name).is_none());
    if !is_a_field && !name.is_empty() && is_code && !name.contains("{{") {
        return refused("a field is named, and nothing is computed", &Meant::of(inside, fields).spelling());
    }
    let default = default?;
    if is_filter(default) {
        let literal = format!("{{{{{name}|\\{default}}}}}");
        let why = format!("there are no filters here, so that people would read {}", shown(default));
        let instead = Meant::of(inside, fields).spelling();
        return refused(&why, &format!("{instead}, or {} where that is the text", shown(&literal)));
    }
    if let Some((first, _)) = default.split_once('|') {
        let why = format!("the default is all behind the first |, and would be read as {}", shown(default));
        let instead = format!("write {{{{{name}|{}}}}}", first.trim());
        return Some((fields.known(first).is_some(), format!("{}: {why}; {instead}", shown(whole))));
    }
    if default.len() > 2 && default.starts_with(QUOTES) && default.ends_with(QUOTES) {
        let plain = format!("{{{{{name}|{}}}}}", default.trim_matches(QUOTES));
        return Some((
            false,
            format!("{}: the quotes are read as well; without them: {plain}", shown(whole)),
        ));
    }
    let is_field = default.chars().all(is_of_a_name) && fields.known(default).is_some();
    is_field
        .then(|| (false, format!("{}: {default} is read as this word, and not as the field", shown(whole))))
}

/// `#if name`, `/if`, `else`, `!a comment`.
fn is_block(name: &str, fields: &FieldNames<'_>) -> bool {
    let word = name.trim_start_matches(['~', '-', ' ']).split([' ', '(']).next().unwrap_or_default();
    let opens = matches!(word, "if" | "unless" | "each" | "with" | "for" | "elseif" | "elif" | "range");
    let is_keyword = (opens && name.contains(' ')) || matches!(word, "else" | "end" | "endif" | "endfor");
    name.starts_with(['#', '/', '^', '>', '!']) || (is_keyword && fields.known(name).is_none())
}

/// `name or 'x'`, `name if name else x`.
fn has_operator(name: &str) -> bool {
    let words: Vec<&str> = name.split(' ').collect();
    words.len() > 2 && words[1..words.len() - 1].iter().any(|word| matches!(*word, "or" | "if" | "and"))
}

/// A place between brackets that are not ours.
fn theirs(text: &str, found: &Captures<'_>, fields: &FieldNames<'_>) -> Judgement {
    let whole = found.get(0)?;
    let (is_marked, is_shy) = (found.name("firm").is_some(), found.name("shy").is_some());
    let written = shown(whole.as_str());
    let unfilled = |meant: &Meant, escaped: bool| {
        let or = if escaped { format!(", or \\{written} where that is the text") } else { String::new() };
        Some((
            true,
            format!("{written} is not filled in, and everybody would read it; {}{or}", meant.spelling()),
        ))
    };
    let doubtful = |instead: &str| Some((false, format!("{written} is sent as it stands; {instead}")));
    if found.name("code").is_some() {
        return unfilled(&Meant::of(whole.as_str(), fields), true);
    }
    if found.name("choice").is_some() {
        let inside = whole.as_str().trim_matches(['{', '}', '\u{ad}']);
        let parts: Vec<&str> = inside.split('|').collect();
        if fields.known(parts[0]).is_some() || (means_a_name(parts[0]) && parts.len() == 2) {
            return unfilled(&Meant::of(inside, fields), true);
        }
        // One letter is a variable of mathematics, and one character may be a word.
        let is_worded = |part: &&&str| {
            let mut letters = part.chars().filter(|c| c.is_alphabetic());
            letters.next().is_some_and(|first| !first.is_ascii() || letters.next().is_some())
        };
        let worded = parts.iter().filter(is_worded).count();
        let instead = "nothing is drawn from a text; give several texts as variants";
        return if worded > 1 { doubtful(instead) } else { None };
    }
    if found.name("printf").is_some() || found.name("number").is_some() {
        let before = text[..whole.start()].chars().next_back();
        let is_apart = before.is_none_or(|c| c.is_whitespace() || "([\"'*_".contains(c));
        return if is_apart { doubtful("write {{name}} for a field") } else { None };
    }
    let (name, rest) = NAMED.iter().find_map(|(name, rest)| Some((found.name(name)?, found.name(rest))))?;
    let tidied = tidy(name.as_str());
    let begins = tidied.starts_with(|c: char| c.is_alphabetic());
    if !begins || tidied.len() > FIELD_MAX || !tidied.chars().all(is_of_a_name) {
        return None;
    }
    let meant = Meant::of(&format!("{tidied}{}", rest.map_or("", |rest| rest.as_str())), fields);
    let is_known = fields.known(&tidied).is_some();
    if is_shy {
        // `@name` is somebody's name elsewhere.
        let is_meant = is_known || (means_a_name(&tidied) && whole.as_str().starts_with('$'));
        return if is_meant && is_apart(text, whole.range()) { doubtful(&meant.spelling()) } else { None };
    }
    if found.name("soft").is_some() {
        let is_tag = whole.as_str().starts_with('<') && text.contains(&format!("</{tidied}>"));
        // Between round brackets stands what is said by the way, and in code what a function is given.
        let is_meant = if whole.as_str().starts_with('(') {
            speaks_of_a_name(&tidied) && is_apart(text, whole.range())
        } else {
            (is_known || speaks_of_a_name(&tidied)) && !is_tag
        };
        return if is_meant { doubtful(&meant.spelling()) } else { None };
    }
    if is_known || means_a_name(&tidied) {
        return unfilled(&meant, true);
    }
    // Nobody has such a field. Whoever writes `{order_id}` has meant one all the same.
    let is_made = tidied.contains(['_', '.']) || has_hump(&tidied);
    let is_word = !tidied.contains(' ');
    let is_meant = means_a_field(&tidied) || speaks_of_a_name(&tidied) || (is_word && (is_made || is_marked));
    if is_meant { doubtful(&meant.spelling()) } else { None }
}

/// Not a part of an address or of a longer word: `ana@name.example`, `US$name`.
fn is_apart(text: &str, place: std::ops::Range<usize>) -> bool {
    let is_of_a_word = |c: char| c.is_alphanumeric() || "._/@$-".contains(c);
    let behind = &text[place.end..];
    let goes_on =
        behind.strip_prefix(['.', '/', ':', '-']).is_some_and(|rest| rest.starts_with(char::is_alphanumeric));
    !text[..place.start].ends_with(is_of_a_word) && !goes_on
}

/// `orderId`
fn has_hump(name: &str) -> bool {
    let letters: Vec<char> = name.chars().collect();
    letters.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase())
}

/// The beginning of a place, for a sentence.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let is_whole = line.len() == text.len() && line.chars().count() <= SHOWN_MAX;
    let begin: String = line.chars().filter(|c| *c != '\u{ad}').take(SHOWN_MAX).collect();
    if is_whole { begin } else { format!("{begin}…") }
}

#[cfg(test)]
mod tests;
