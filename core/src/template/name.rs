//! What a field is called, and which names are the same. Pure.
//!
//! A heading is typed in one program and the text in another, so the same name reaches us composed or
//! decomposed, in any case, with spaces that look alike and with marks that nobody sees. [`field_key`] is
//! one spelling for all of them. Accents count: `año` and `ano` are two fields.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::FIELD_MAX;
use crate::search;

/// The words of a phrase that stands for a name.
const PHRASE_MAX: usize = 4;

/// A name as it is compared. Two names with the same key are one field.
pub fn field_key(name: &str) -> String {
    let composed: String = name.nfkc().collect();
    let tidied = tidy(&composed);
    // By way of capitals, because some small letters have the same one (ς and σ, ı and i).
    let one_case = tidied.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    // `İ` becomes an i with a dot above it.
    one_case.filter(|letter| *letter != '\u{307}').nfkc().collect()
}

/// A name without what nobody sees: one space between words and none around them.
pub(super) fn tidy(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_joiner = matches!(letter, '\u{200c}' | '\u{200d}');
        let stays = match letter.general_category() {
            GeneralCategory::Format => {
                is_joiner
                    && kept.chars().next_back().is_some_and(needs_joiners)
                    && letters.peek().copied().is_some_and(needs_joiners)
            }
            _ => true,
        };
        if letter.is_whitespace() {
            if !kept.is_empty() && !kept.ends_with(' ') {
                kept.push(' ');
            }
        } else if stays {
            kept.push(letter);
        }
    }
    kept.truncate(kept.trim_end().len());
    kept
}

/// Arabic, the scripts of India and of South-East Asia write some words with a joiner inside.
fn needs_joiners(letter: char) -> bool {
    matches!(letter, '\u{600}'..='\u{109f}' | '\u{1780}'..='\u{18af}')
}

/// Many scripts write vowels as marks on letters, and some need joiners between them: `नाम`, `ชื่อ`.
pub(super) fn is_of_a_name(c: char) -> bool {
    let is_mark = || c.general_category_group() == GeneralCategoryGroup::Mark;
    c.is_alphanumeric() || " ._-\u{200c}\u{200d}".contains(c) || is_mark()
}

/// A field may be called as a column of somebody's list is, such as `CPF/CNPJ` or `Valor R$`. Brackets and
/// the line before a default are signs of ours.
pub(super) fn may_be_named(c: char) -> bool {
    is_of_a_name(c) || !(c.is_control() || "{}|\\".contains(c))
}

/// The letters and digits of a name without accents, so that `first_name` is taken for `First Name`: good
/// enough to suggest a field, and not to fill one in.
fn likeness(name: &str) -> String {
    search::fold(name).chars().filter(|c| is_of_a_name(*c) && !" ._-\u{200c}\u{200d}".contains(*c)).collect()
}

/// The names that a list gives its fields, to find the one that somebody meant.
#[derive(Debug)]
pub struct FieldNames<'a> {
    alike: HashMap<String, &'a str>,
    /// All of them, by their keys.
    keys: HashSet<String>,
    /// The first of those that are somebody's name.
    person: Option<&'a str>,
}

impl<'a> FieldNames<'a> {
    /// Every recipient has a phone.
    pub fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self {
            alike: HashMap::from([("phone".to_owned(), "phone")]),
            keys: HashSet::from(["phone".to_owned()]),
            person: None,
        };
        for name in names {
            found.keys.insert(field_key(name));
            found.alike.entry(likeness(name)).or_insert(name);
            found.person = found.person.or(means_a_name(name).then_some(name));
        }
        found
    }

    /// Is this one of the names, as fields are compared?
    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.contains(&field_key(name))
    }

    /// The field that is called like this, or like its last part: `contact.name`.
    pub(super) fn known(&self, name: &str) -> Option<&'a str> {
        let find =
            |name: &str| self.alike.get(&likeness(name)).filter(|_| !likeness(name).is_empty()).copied();
        find(name).or_else(|| find(name.rsplit_once('.')?.1))
    }

    /// The field that is called like this, or nearly so: `Frist Name`.
    pub fn like(&self, name: &str) -> Option<&'a str> {
        self.known(name).or_else(|| self.nearest(name))
    }

    /// The field that somebody meant with this name, to be suggested.
    pub(super) fn closest(&self, name: &str) -> Option<&'a str> {
        self.like(name).or(self.person.filter(|_| speaks_of_a_name(name)))
    }

    /// The field whose name has one letter otherwise, or two of a long one.
    fn nearest(&self, name: &str) -> Option<&'a str> {
        let typed: Vec<char> = likeness(name).chars().collect();
        let most = match typed.len() {
            0..4 => return None,
            4..6 => 1,
            _ => 2,
        };
        let distances = self.alike.iter().filter_map(|(like, field)| {
            let other: Vec<char> = like.chars().collect();
            let is_near = other.len().abs_diff(typed.len()) <= most && typed.len() <= FIELD_MAX;
            let steps = is_near.then(|| steps_between(&typed, &other)).filter(|steps| *steps <= most)?;
            Some((steps, *field))
        });
        distances.min().map(|(_, field)| field)
    }
}

/// How many letters are to be changed, left out, put in or swapped with the next.
fn steps_between(one: &[char], other: &[char]) -> usize {
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, opposite) in other.iter().enumerate() {
            let above = rows[i][j] + usize::from(letter != opposite);
            let mut steps = above.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *opposite {
                steps = steps.min(rows[i - 1][j - 1] + 1);
            }
            row.push(steps);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// Is it what people call somebody's name, in one of the languages of the field?
pub(super) fn means_a_name(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
    PERSONS.contains(&likeness(last).as_str())
}

/// `nome do cliente`, `customer's name`: a few words, of which the first or the last is what people call a name.
pub(super) fn speaks_of_a_name(name: &str) -> bool {
    let words: Vec<&str> = name.split([' ', '_', '-']).filter(|word| !word.is_empty()).collect();
    let is_phrase = (2..=PHRASE_MAX).contains(&words.len());
    means_a_name(name) || (is_phrase && [words[0], words[words.len() - 1]].into_iter().any(means_a_name))
}

/// Is it what people call some other field of theirs?
pub(super) fn means_a_field(name: &str) -> bool {
    let last = name.rsplit_once('.').map_or(name, |(_, last)| last);
    means_a_name(name) || OTHERS.contains(&likeness(last).as_str())
}

/// Names of people's names, by their [`likeness`]. Words that are other words as well are left out: `ten`
/// is Vietnamese for a name, and `ad` Turkish.
const PERSONS: [&str; 69] = [
    "name",
    "firstname",
    "lastname",
    "fullname",
    "middlename",
    "fname",
    "lname",
    "surname",
    "givenname",
    "familyname",
    "nickname",
    "displayname",
    "customername",
    "clientname",
    "contactname",
    "username",
    "recipientname",
    "salutation",
    "nome",
    "sobrenome",
    "apelido",
    "primeironome",
    "nomecompleto",
    "cognome",
    "nombre",
    "nombres",
    "apellido",
    "apellidos",
    "primernombre",
    "nombrecompleto",
    "nom",
    "prenom",
    "nomcomplet",
    "vorname",
    "nachname",
    "naam",
    "voornaam",
    "achternaam",
    "isim",
    "soyad",
    "soyadi",
    "adi",
    "adsoyad",
    "имя",
    "фамилия",
    "фио",
    "імя",
    "прізвище",
    "піб",
    "imie",
    "nazwisko",
    "jmeno",
    "prijmeni",
    "اسم",
    "الاسم",
    "نام",
    "שם",
    "नाम",
    "নাম",
    "nama",
    "hoten",
    "ชื่อ",
    "姓名",
    "名字",
    "氏名",
    "名前",
    "お名前",
    "이름",
    "jina",
];

/// Names of what else lists hold, by their [`likeness`].
const OTHERS: [&str; 56] = [
    "phone",
    "phonenumber",
    "mobile",
    "email",
    "mail",
    "city",
    "company",
    "country",
    "address",
    "title",
    "id",
    "order",
    "orderid",
    "orderno",
    "ordernumber",
    "invoice",
    "invoicenumber",
    "trackingnumber",
    "code",
    "otp",
    "coupon",
    "couponcode",
    "voucher",
    "amount",
    "price",
    "balance",
    "total",
    "date",
    "duedate",
    "time",
    "link",
    "url",
    "product",
    "telefone",
    "celular",
    "cidade",
    "empresa",
    "endereco",
    "codigo",
    "cupom",
    "valor",
    "pedido",
    "data",
    "hora",
    "produto",
    "telefono",
    "ciudad",
    "direccion",
    "fecha",
    "precio",
    "producto",
    "ville",
    "montant",
    "stadt",
    "betrag",
    "var",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_alike_are_one_field() {
        for (heading, typed) in [
            ("Pr\u{e9}nom", "pre\u{301}nom"),
            ("NOME", "nome"),
            ("First Name", "first\u{a0}name"),
            ("First Name", " First\u{2003} name "),
            ("\u{feff}name", "name"),
            ("na\u{200b}me", "name"),
            ("na\u{200d}me", "name"),
            ("\u{200e}name\u{200f}", "name"),
            ("na\u{ad}me", "name"),
            ("İSİM", "isim"),
            ("ADI", "adı"),
            ("Straße", "STRASSE"),
            ("ΠΕΛΆΤΗΣ", "πελάτης"),
            ("Ｎａｍｅ", "name"),
            ("ﾅﾏｴ", "ナマエ"),
            ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            ("\u{95b}ा", "\u{91c}\u{93c}ा"),
            ("\u{200c}نام\u{200c}", "نام"),
        ] {
            assert_eq!(field_key(heading), field_key(typed), "{heading} {typed}");
        }
    }

    #[test]
    fn names_that_differ_are_two_fields() {
        for (one, other) in [
            ("año", "ano"),
            ("name", "nome"),
            ("first name", "firstname"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("क\u{94d}\u{200d}ष", "क\u{94d}ष"),
            ("か", "が"),
        ] {
            assert_ne!(field_key(one), field_key(other), "{one} {other}");
        }
    }

    #[test]
    fn the_field_that_somebody_means_is_found() {
        let names = FieldNames::of(["First Name", "Prénom", "order"].into_iter());
        for (typed, meant) in [
            ("first_name", Some("First Name")),
            ("FirstName", Some("First Name")),
            ("contact.first-name", Some("First Name")),
            ("PRENOM", Some("Prénom")),
            ("phone", Some("phone")),
            ("orders", None),
            ("name", None),
        ] {
            assert_eq!(names.known(typed), meant, "{typed}");
        }
        for (typed, meant) in [
            ("Frist Name", Some("First Name")),
            ("first nme", Some("First Name")),
            ("Firstt Name", Some("First Name")),
            ("orders", Some("order")),
            ("odrer", Some("order")),
            ("phonw", Some("phone")),
            ("cod", None),
            ("name", None),
            ("border line", None),
        ] {
            assert_eq!(names.like(typed), meant, "{typed}");
        }
        assert_eq!(names.closest("nombre"), Some("First Name"));
    }

    #[test]
    fn what_people_call_a_name_is_written_by_its_likeness() {
        for name in PERSONS.iter().chain(&OTHERS) {
            assert_eq!(likeness(name), *name);
        }
        assert!(means_a_name("Contact.First_Name") && means_a_name("Имя") && means_a_name("imię"));
        assert!(!means_a_name("code") && means_a_field("code") && !means_a_field("return"));
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(name in "\\PC{0,40}") {
            let key = field_key(&name);
            prop_assert_eq!(field_key(&key), key.clone());
        }

        #[test]
        fn a_name_is_the_same_composed_and_decomposed(name in "[\\p{L}\\p{M} ]{0,40}") {
            let (composed, apart) = (name.nfc().collect::<String>(), name.nfd().collect::<String>());
            prop_assert_eq!(field_key(&composed), field_key(&apart));
        }
    }
}
