//! Terms in the languages of the two engines.
//!
//! A term is letters, digits and symbols, and gets the number of its scope and its kind before it: `7wpedido`,
//! `7r1000`. So there is nothing to escape, and no tenant has a term of another.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::search::{Clause, Document, Phrase, Query, Term};
use crate::store::Db;
use crate::store::tx::Tx;

/// Stands where two words are kept apart. Nobody looks for it: every term begins with a number.
const GAP: &str = "g";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// SQLite's.
    Fts5,
    /// Postgres's.
    TsVector,
}

impl Dialect {
    pub(super) fn of(db: &Db) -> Self {
        match db {
            Db::Sqlite { .. } => Self::Fts5,
            Db::Postgres(_) => Self::TsVector,
        }
    }

    pub(super) fn of_tx(tx: &Tx<'_>) -> Self {
        match tx {
            Tx::Sqlite(_) => Self::Fts5,
            Tx::Postgres(_) => Self::TsVector,
        }
    }

    /// A document as it is stored.
    pub(super) fn document(self, scope: i64, document: &Document) -> String {
        match self {
            Self::Fts5 => {
                let places = document.places().iter().map(|place| match place {
                    Some(term) => scoped(scope, term),
                    None => GAP.to_owned(),
                });
                places.collect::<Vec<_>>().join(" ")
            }
            Self::TsVector => {
                let mut places: BTreeMap<&Term, Vec<String>> = BTreeMap::new();
                for (place, term) in document.terms() {
                    places.entry(term).or_default().push(place.to_string());
                }
                let words = places
                    .into_iter()
                    .map(|(term, places)| format!("'{}':{}", scoped(scope, term), places.join(",")));
                words.collect::<Vec<_>>().join(" ")
            }
        }
    }

    /// A search as a statement is given it.
    pub(super) fn query(self, scope: i64, query: &Query) -> String {
        let (and, or) = match self {
            Self::Fts5 => (" AND ", " OR "),
            Self::TsVector => (" & ", " | "),
        };
        let way = |phrases: &Vec<Phrase>| {
            let phrases: Vec<_> = phrases.iter().map(|phrase| self.phrase(scope, phrase)).collect();
            format!("({})", phrases.join(and))
        };
        let clause = |clause: &Clause| {
            format!("({})", clause.alternatives.iter().map(way).collect::<Vec<_>>().join(or))
        };
        query.clauses().iter().map(clause).collect::<Vec<_>>().join(and)
    }

    fn phrase(self, scope: i64, phrase: &Phrase) -> String {
        let terms = phrase.terms.iter().map(|term| scoped(scope, term));
        let mut text = match self {
            Self::Fts5 => format!("\"{}\"", terms.collect::<Vec<_>>().join(" ")),
            Self::TsVector => terms.map(|term| format!("'{term}'")).collect::<Vec<_>>().join(" <-> "),
        };
        if phrase.is_open {
            text.push_str(match self {
                Self::Fts5 => " *",
                Self::TsVector => ":*",
            });
        }
        text
    }
}

fn scoped(scope: i64, term: &Term) -> String {
    let kind = match term {
        Term::Word(_) => 'w',
        Term::FromBehind(_) => 'r',
    };
    let mut text = String::with_capacity(term.text().len() + 8);
    let _ = write!(text, "{scope}{kind}{}", term.text());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Searchable;

    #[test]
    fn a_document_in_both_languages() {
        let message = Searchable { body: "ha, olá ha", phone: Some("5511"), ..Default::default() };
        let document = Document::of(&message);
        assert_eq!(Dialect::Fts5.document(7, &document), "7wha 7wola 7wha g 7w5511 g 7r1155");
        assert_eq!(Dialect::TsVector.document(7, &document), "'7w5511':5 '7wha':1,3 '7wola':2 '7r1155':7");
    }

    #[test]
    fn a_query_in_both_languages() {
        let query = Query::parse("\"a b\" 0001").expect("short");
        assert_eq!(Dialect::Fts5.query(7, &query), r#"(("7wa 7wb")) AND (("7w0001" *) OR ("7r1000" *))"#);
        assert_eq!(Dialect::TsVector.query(7, &query), "(('7wa' <-> '7wb')) & (('7w0001':*) | ('7r1000':*))");
    }
}
