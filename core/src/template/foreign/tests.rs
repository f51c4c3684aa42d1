use proptest::prelude::*;

use super::*;
use crate::template::Template;

const FIELDS: [&str; 5] = ["name", "First Name", "Prénom", "code", "имя"];

fn found(text: &str) -> Vec<Finding> {
    look(text, &FieldNames::of(FIELDS.into_iter()))
}

/// What a text is refused for.
fn refused(text: &str) -> String {
    match found(text).into_iter().next() {
        Some(Finding::Refused(why)) => why,
        other => panic!("{text} is not refused: {other:?}"),
    }
}

fn doubted(text: &str) -> String {
    match found(text).as_slice() {
        [Finding::Doubtful(why)] => why.clone(),
        other => panic!("{text} is not doubted: {other:?}"),
    }
}

#[test]
fn a_place_of_another_sender_is_refused_with_the_right_spelling() {
    for (text, right) in [
        ("Hi {name}", "write {{name}}"),
        ("Hi { name }", "write {{name}}"),
        ("Hi {NAME}!", "write {{name}}"),
        ("Hi {first_name}", "write {{First Name}}"),
        ("Hi {FirstName}", "write {{First Name}}"),
        ("Hi {contact.first_name}", "write {{First Name}}"),
        ("Hi {pre\u{301}nom}", "write {{Prénom}}"),
        ("Привет {имя}", "write {{имя}}"),
        ("Hi {name|there}", "write {{name|there}}"),
        ("Hi {name, there}", "write {{name|there}}"),
        ("Hi ${name}", "write {{name}}"),
        ("Hi #{name}", "write {{name}}"),
        ("Hi %{name}", "write {{name}}"),
        ("Hi {$name}", "write {{name}}"),
        ("Hi {!Contact.Name}", "write {{name}}"),
        ("Hi %name%", "write {{name}}"),
        ("Hi %First Name%", "write {{First Name}}"),
        ("50% off, %NAME%!", "write {{name}}"),
        ("Hi %%first_name%%", "write {{First Name}}"),
        ("Hi [[name]]", "write {{name}}"),
        ("Hi [[name|there]]", "write {{name|there}}"),
        ("Hi <<name>>", "write {{name}}"),
        ("Hi @@name@@", "write {{name}}"),
        ("Hi %(name)s", "write {{name}}"),
        ("Hi %(first_name)s", "write {{First Name}}"),
        ("Hi [%first_name | friend%]", "write {{First Name|friend}}"),
        ("Hi *|NAME|*", "write {{name}}"),
        ("Hi *|COUPON|*", "write {{COUPON}}"),
        ("Hi {#var#}", "write {{var}}"),
        ("Hi {# name #}", "write {{name}}"),
        ("{% if name %}Hi{% endif %}", "write {{name}}"),
        ("Hi <%= name %>", "write {{name}}"),
        ("Hi <?php echo $name; ?>", "write {{"),
        ("Hi ｛name｝", "write {{name}}"),
        ("Hi ％name％", "write {{name}}"),
        ("Hi {\u{200b}name}", "write {{name}}"),
        // A name that nobody's list has is a place all the same.
        ("Olá {nome}", "write {{name}}"),
        ("Hola %nombre%", "write {{name}}"),
        ("Hi {name}, {{name}}", "character 4"),
        ("{{name}} and {name}", "character 14"),
    ] {
        let why = refused(text);
        assert!(why.contains(right), "{text}: {why}");
        assert!(Template::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn what_only_other_template_languages_understand_is_refused_with_the_right_spelling() {
    for (text, right) in [
        ("{{ name | default: 'friend' }}", "write {{name|friend}}"),
        ("{{name|default:'friend'}}", "write {{name|friend}}"),
        ("{{name|default('friend')}}", "write {{name|friend}}"),
        ("{{name | default: ‘dear friend’ | upcase}}", "write {{name|dear friend}}"),
        ("{{ name | upper }}", "write {{name}}"),
        ("{{name|upcase}}", "{{name|\\upcase}} where that is the text"),
        ("{{ .Name | default \"you\" }}", "write {{name|you}}"),
        ("{{name || 'x'}}", "write {{name|x}}"),
        ("{{name ?? 'x'}}", "write {{name|x}}"),
        ("{{name or 'x'}}", "write {{name|x}}"),
        ("{{name or there}}", "write {{name|there}}"),
        ("{{name ? name : 'x'}}", "write {{name|x}}"),
        ("{{default name 'x'}}", "write {{name|x}}"),
        ("{{ personalization_token('contact.first_name', 'x') }}", "write {{First Name|x}}"),
        ("{{name:there}}", "write {{name|there}}"),
        ("{{name,fallback=there}}", "write {{name|there}}"),
        ("{{name/there}}", "write {{name|there}}"),
        ("{{name.upper()}}", "write {{"),
        ("{{.Name}}", "write {{name}}"),
        ("{{$name}}", "write {{name}}"),
        ("{{{name}}}", "write {{name}}"),
        ("{{{ name }}}", "write {{name}}"),
        ("{{#name}}Hi{{/name}}", "no conditions"),
        ("{{#if name}}Hi{{/if}}", "no conditions"),
        ("{{if name}}Hi", "no conditions"),
        ("Hi{{else}}you", "no conditions"),
        ("{{! a note }}", "no conditions"),
        ("{{nick|code|there}}", "and would be read as code|there"),
    ] {
        let why = refused(text);
        assert!(why.contains(right), "{text}: {why}");
    }
}

#[test]
fn what_an_honest_text_may_hold_is_doubted() {
    for (text, right) in [
        ("Hi [name]", "write {{name}}"),
        ("Hi [First Name]!", "write {{First Name}}"),
        ("Hi [nombre]", "write {{name}}"),
        ("Hi <name>", "write {{name}}"),
        ("Hi #name#", "write {{name}}"),
        ("Hi «name»", "write {{name}}"),
        ("Hi __name__", "write {{name}}"),
        ("Hi $name, hello", "write {{name}}"),
        ("Hi @name, hello", "write {{name}}"),
        ("Hi %s!", "write {{name}}"),
        ("Hi {1}, hello", "write {{name}}"),
        ("Hi {0}", "write {{name}}"),
        ("Hi (name), hello", "write {{name}}"),
        ("Olá (nome)!", "write {{name}}"),
        ("Olá [nome do cliente]", "write {{name}}"),
        ("Olá {nome do cliente}", "write {{name}}"),
        ("Olá (nome do cliente)", "write {{name}}"),
        ("Hi [Customer Name]", "write {{name}}"),
        ("Hola $nombre, hello", "write {{name}}"),
        ("Your @@coupon@@", "write {{coupon}}"),
        ("{hi|hello} all", "as variants"),
        ("{hi|{hello|hey}} all", "as variants"),
        ("{Привет|Здравствуйте}", "as variants"),
        ("Your {coupon_id}", "write {{coupon_id}}"),
        ("Your {couponId}", "write {{couponId}}"),
        ("Your {amount}", "write {{amount}}"),
        ("Your ${coupon}", "write {{coupon}}"),
        ("Your [[coupon]]", "write {{coupon}}"),
        ("{{name|'friend'}}", "without them: {{name|friend}}"),
        ("{{name|“friend”}}", "without them: {{name|friend}}"),
        ("{{nick|name}}", "not as the field"),
        ("{{name|you|there}}", "write {{name|you}}"),
    ] {
        let why = doubted(text);
        assert!(why.contains(right), "{text}: {why}");
        assert!(Template::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn an_honest_text_is_left_alone() {
    for text in [
        "Hello {{name|there}}, 30% off today!",
        "{{name}} {{First Name|dear friend}} {{ code }}",
        r"\{{name}} \{name} \${name} \%name%",
        "From $10 to $20, 5% to 10% off, 100%!",
        "10% off% and 20%",
        "Save 5%-10% on code%",
        "R$ 10,00 | US$5 | €3 | 50% | 3 % s",
        ":-) ;-] :[ :{ }: {} [] <3 >:( <> (: %) {-_-} [-_-] <(^_^)> ¯\\_(ツ)_/¯",
        r#"{"name": "Ana", "list": [1, 2], "code": {"a": [true]}}"#,
        "if (a < b && c > d) { return [x]; } else { y[0] = 1; }",
        "function f(x) { return x }",
        "let s = `a${1 + 2}b`;",
        "SELECT * FROM t WHERE a % 2 = 0 AND b LIKE '%x%'",
        "[1] See [2], [x] done, [ ] open, [OK], [AD] Sale, [link], [ten]",
        "<b>bold</b> <i>x</i> <br> <https://shop.example> <ana@shop.example>",
        "<name>Ana</name>",
        "Write to ana@name.example or @name.shop, US$name",
        "*name* _name_ ~name~ ```name``` -name- |name|",
        "https://shop.example/?q=%20name%20&u={x}#name",
        "#sale #name and #code",
        "He said «so what» and left",
        "x^{2} \\d{3} a{1} f(name) (thanks) (see below) (our name is known) [our best offer]",
        "{x}, {a, b}, {1|2|3}, {|}, {x | x > 0}",
        "\\frac{a}{b} \\textbf{bold}",
        "The set {red, green}",
        "🎉 {🎁} [🎁] %🎁%",
        "100 %sure, 5 %small",
        "नमस्ते, आपका ऑर्डर भेज दिया गया है।",
        "مرحبا، طلبك في الطريق (٪10)",
        "您好，【商店】优惠 50％！",
        "{{name|friend (s)}} {{name|R$ 5}} {{name|you & yours}} {{name|}}",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
    // `first` is a filter, and one may say it.
    assert_eq!(found(r"{{name|\first}} {{name|First}}"), []);
}

#[test]
fn a_name_that_no_field_has_is_no_place_between_words_of_code() {
    let none = FieldNames::of(std::iter::empty());
    for text in ["a[code]", "$code", "@code", "__code__", "[code]", "<code>", "{x}", "%x%"] {
        assert_eq!(look(text, &none), [], "{text}");
    }
    assert!(matches!(look("{name}", &none).as_slice(), [Finding::Refused(_)]));
    assert!(matches!(look("{phone}", &none).as_slice(), [Finding::Refused(_)]));
}

#[test]
fn a_column_with_signs_in_its_name_is_named_as_it_is() {
    let names =
        ["CPF/CNPJ", "Tel/Cel", "Valor R$", "Qual é o seu nome?", "Cidade, UF", "#if x", "CPF", "CNPJ"];
    let fields = FieldNames::of(names.into_iter());
    for name in names {
        for text in [
            format!("{{{{{name}}}}}"),
            format!("{{{{ {} }}}}", name.to_uppercase()),
            format!("{{{{{name}|x}}}}"),
        ] {
            assert_eq!(look(&text, &fields), [], "{text}");
            let named = Template::parse(&text).unwrap();
            assert!(fields.has(named.fields().next().unwrap().0), "{text}");
        }
    }
    let told = |text: &str| match look(text, &fields).as_slice() {
        [Finding::Refused(why)] => why.clone(),
        other => panic!("{text}: {other:?}"),
    };
    // A field is no default of another one.
    for (text, right) in [
        ("{{CNPJ / CPF}}", "write {{CNPJ}}"),
        ("{{CPF, CNPJ}}", "write {{CPF/CNPJ}}"),
        ("{{Valor $}}", "write {{Valor"),
        ("{{Tel/Cell}}", "write {{Tel/Cel}}"),
    ] {
        let why = told(text);
        assert!(
            why.ends_with(right) || why.contains(&format!("{right}}}")) || why.contains(right),
            "{text}: {why}"
        );
        let spelling = why.rsplit_once("write ").unwrap().1;
        assert!(!spelling.contains('|'), "{text}: {why}");
    }
}

#[test]
fn the_same_place_is_told_once_and_many_are_cut_short() {
    assert_eq!(found("{name} {name} {name}").len(), 1);
    let many = (0..100).map(|n| format!("{{a_{n}}} ")).collect::<Vec<_>>().concat();
    assert_eq!(found(&many).len(), FINDINGS_MAX);
    assert!(refused(&format!("{{% {} %}}", "x".repeat(190))).len() < 300);
}

#[test]
fn a_hostile_text_is_looked_through_in_no_time() {
    for part in ["{", "{{", "{%", "[[", "<<", "%", "*|", "{a", "[a", "\\{", "__", "$a", "{a|", "{{a}}", "«"]
    {
        let text = part.repeat(65_536 / part.len());
        let begun = std::time::Instant::now();
        let _ = found(&text);
        assert!(begun.elapsed().as_secs() < 10, "{part}");
    }
}

proptest! {
    /// Whatever it says, it says where, and only of what could be a place.
    #[test]
    fn prose_has_no_places(text in "[\\p{L}\\p{N} .,;:!?()'\"€£+*/&=\n-]{0,80}") {
        prop_assert_eq!(found(&text), []);
    }

    #[test]
    fn prices_have_no_places(number in 0..100_000_u32, unit in "[%$€£]", word in "[a-z]{1,8}") {
        for text in [
            format!("{number}{unit} {word} {number}{unit}"),
            format!("{word} {unit}{number} {word}"),
            format!("{number} {unit}, {word} {number} {unit}"),
        ] {
            prop_assert_eq!(found(&text), []);
        }
    }

    #[test]
    fn json_has_no_places(key in "[a-z]{1,8}", value in any::<u32>(), word in "[a-z]{0,8}") {
        let json = serde_json::json!({key: value, "list": [value, word], "in": {"x": [word]}});
        prop_assert_eq!(found(&json.to_string()), []);
        prop_assert_eq!(found(&format!("{json:#}")), []);
    }

    #[test]
    fn looking_never_panics(text in "[{}\\[\\]<>%$#@!|:'\\\\a-c é\u{ad}｛％\n]{0,60}") {
        let _ = found(&text);
        let _ = Template::parse(&text);
    }

    #[test]
    fn a_field_between_any_brackets_is_told(pick in 0..6_usize, at in 0..7_usize) {
        let (open, close) = [("{", "}"), ("%", "%"), ("[", "]"), ("${", "}"), ("[[", "]]"), ("*|", "|*"), ("<", ">")][at];
        let name = ["name", "first_name", "FIRSTNAME", "Prénom", "code", "nome"][pick];
        let text = format!("Hi {open}{name}{close}, 5% off");
        prop_assert_eq!(found(&text).len(), 1, "{}", text);
    }
}
