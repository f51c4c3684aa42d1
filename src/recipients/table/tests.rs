use super::*;

fn rules(named: &[&str]) -> Rules {
    Rules { max: 100, named: named.iter().copied().collect(), ..Rules::default() }
}

fn read_with(
    rows: &[&[&str]],
    rules: &Rules,
    options: &ListOptions,
) -> Result<(List, ReadColumns), ListError> {
    let mut table = Table::new(rules, options);
    for (line, row) in (1..).zip(rows) {
        let cells = row.iter().map(|cell| (*cell).to_owned()).collect();
        table.push_row(Row { line, cells, is_hidden: false, uncalculated: Vec::new() })?;
    }
    table.finish()
}

fn read(rows: &[&[&str]]) -> Result<(List, ReadColumns), ListError> {
    read_with(rows, &rules(&[]), &ListOptions::default())
}

fn phones(list: &List) -> Vec<&str> {
    list.recipients.iter().map(|one| one.phone.digits()).collect()
}

fn fields(list: &List) -> Vec<&str> {
    list.recipients.iter().map(|one| one.fields.as_deref().unwrap_or("")).collect()
}

#[test]
fn a_column_called_phone_goes_before_one_called_number() {
    for header in [
        ["Number", "Name", "Phone"],
        ["Número", "Nome", "Celular"],
        ["To", "x", "WhatsApp"],
        ["numero", "x", "Teléfono"],
        ["x", "number", "MSISDN"],
        ["Phone", "Home Phone", "Mobile"],
        ["Fax", "Phone Type", "Phone"],
    ] {
        let (list, _) = read(&[&header, &["12", "22", "919876543210"]]).unwrap();
        assert_eq!(phones(&list), ["919876543210"], "{header:?}");
        assert_eq!(list.fields.len(), 2, "the others are fields");
    }
    let (list, _) = read(&[&["Name", "Número"], &["Ana", "919876543210"]]).unwrap();
    assert_eq!(fields(&list), [r#"{"Name":"Ana"}"#]);
}

#[test]
fn where_the_first_phone_is_empty_the_next_is_read_and_told() {
    let (list, columns) = read(&[
        &["Name", "Home Phone", "Mobile Phone", "Assistant's Phone", "Home Fax", "Phone"],
        &["Ana", "919876543219", "919876543210", "919876543299", "919876543298", ""],
        &["Bia", "919876543218", "", "919876543299", "919876543298", "919876543211"],
        &["Cy", "919876543212", "", "919876543299", "919876543298", ""],
        &["Di", "", "", "919876543299", "919876543298", ""],
    ])
    .unwrap();
    assert_eq!(phones(&list), ["919876543210", "919876543211", "919876543212"]);
    assert_eq!((list.problems[0].row, list.invalid), (5, 1));
    assert_eq!(columns.phone.as_deref(), Some("Mobile Phone"));
    assert_eq!(columns.other_phones, [("Phone".to_owned(), 1), ("Home Phone".to_owned(), 1)]);
}

#[test]
fn an_address_books_labels_say_which_number_is_read() {
    let (list, columns) = read(&[
        &["Name", "Phone 1 - Label", "Phone 1 - Value", "Phone 2 - Label", "Phone 2 - Value"],
        &["Ana", "Home", "919876543219", "Mobile", "919876543210"],
        &["Bia", "Work Fax", "919876543218", "Other", "919876543211"],
        &["Cy", "Home Fax", "919876543217", "", ""],
        &["Di", "", "919876543212", "", "919876543216"],
    ])
    .unwrap();
    assert_eq!(phones(&list), ["919876543210", "919876543211", "919876543212"]);
    assert_eq!(list.problems[0].row, 4, "a fax machine is nobody");
    assert_eq!(columns.other_phones, [("Phone 2 - Value".to_owned(), 2)]);
}

#[test]
fn a_column_that_says_yes_is_no_phone() {
    let (list, columns) = read(&[
        &["Nome", "WhatsApp", "Telefone"],
        &["Ana", "sim", "919876543210"],
        &["Bia", "não", "919876543211"],
    ])
    .unwrap();
    assert_eq!((phones(&list).len(), columns.phone.as_deref()), (2, Some("Telefone")));
}

#[test]
fn what_is_no_number_gives_way_to_the_next_column() {
    let (list, columns) = read(&[
        &["Nome", "WhatsApp", "Telefone"],
        &["Ana", "-", "919876543210"],
        &["Bia", "mesmo", "919876543211"],
        &["Cy", "0", "919876543212"],
        &["Di", "919876543213", "919876543219"],
        &["Ed", "N/A", ""],
    ])
    .unwrap();
    assert_eq!(phones(&list), ["919876543210", "919876543211", "919876543212", "919876543213"]);
    assert_eq!((list.problems[0].row, list.problems[0].given.as_str()), (6, "N/A"));
    assert_eq!(columns.other_phones, [("Telefone".to_owned(), 3)]);
}

#[test]
fn somebody_elses_number_is_nobodys_in_the_list() {
    for (header, column) in [
        (["Patient", "Doctor Mobile", "Patient Phone"], "Patient Phone"),
        (["Cliente", "Telefone do vendedor", "Telefone"], "Telefone"),
        (["Name", "Old phone", "Phone"], "Phone"),
        (["Name", "Phone (from the garage)", "Phone"], "Phone"),
        (["Имя", "Телефон менеджера", "Телефон"], "Телефон"),
        (["Name", "Owner Phone", "Phone"], "Phone"),
    ] {
        let rows: [&[&str]; 3] =
            [&header, &["Ana", "919876543219", "919876543210"], &["Bia", "919876543219", ""]];
        let (list, columns) = read(&rows).unwrap();
        assert_eq!(phones(&list), ["919876543210"], "{header:?}");
        assert_eq!((columns.phone.as_deref(), columns.other_phones.len()), (Some(column), 0));
        assert_eq!(list.problems[0].row, 3);
    }
    // A list of drivers.
    let (list, columns) = read(&[&["Driver", "Driver Phone"], &["Ana", "919876543210"]]).unwrap();
    assert_eq!((phones(&list), columns.is_phone_assumed), (vec!["919876543210"], true));
    // One number beside every person is a shop's.
    let row = |name: &'static str, own: &'static str| [name, "919876543219", own];
    let rows =
        [row("Ana", "919876543210"), row("Bia", "919876543211"), row("Cy", "919876543212"), row("Di", "")];
    let mut all: Vec<&[&str]> = vec![&["Name", "Mobile", "Phone"]];
    all.extend(rows.iter().map(<[&str; 3]>::as_slice));
    assert_eq!(phones(&read(&all).unwrap().0), ["919876543210", "919876543211", "919876543212"]);
}

#[test]
fn headings_that_were_sorted_with_the_rows_hide_nobody() {
    let rows: [&[&str]; 4] =
        [&["Ana", "919876543210"], &["Bia", "x"], &["Nome", "Telefone"], &["Olga", "919876543211"]];
    for rows in [&rows[..], &rows[..3]] {
        let (list, columns) = read(rows).unwrap();
        assert_eq!((list.recipients[0].row, list.problems[0].row), (1, 2));
        assert_eq!((list.recipients.len(), columns.header_row), (rows.len() - 2, Some(3)));
    }
    // Its owner's, in a title.
    let (list, _) =
        read(&[&["ACME", "919876543219", ""], &["Nome", "Telefone", "Obs"], &["Ana", "919876543210", "x"]])
            .unwrap();
    assert_eq!(phones(&list), ["919876543210"]);
    assert_eq!(list.problems[0].why, Why::AboveHeadings { headings: 2 });
}

#[test]
fn without_headings_the_soundest_numbers_are_the_phones() {
    let brazil = Rules { country: Country::parse("BR").ok(), ..rules(&[]) };
    for (rows, phone) in [
        ([["52998224725", "Ana", "11900000001"], ["11144477735", "Bia", "21900000002"]], "5511900000001"),
        ([["1000001", "Ana", "919876543210"], ["1000002", "Bia", "919876543211"]], "919876543210"),
    ] {
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 3]>::as_slice).collect();
        let (list, columns) = read_with(&rows, &brazil, &ListOptions::default()).unwrap();
        assert_eq!((phones(&list)[0], columns.is_phone_assumed), (phone, true));
        assert_eq!(fields(&list)[0], r#"{"name":"Ana"}"#);
    }
    let (list, _) = read(&[&["919876543210", "919876543211", "919876543212", "You"]]).unwrap();
    assert_eq!((list.recipients.len(), list.problems[0].row), (3, 4));
}

#[test]
fn codes_beside_the_number_are_told() {
    let (list, columns) = read(&[
        &["Nama", "Kode Negara", "No HP"],
        &["Budi", "62", "81234567890"],
        &["Siti", "", "6281234567891"],
        &["Adi", "62", "12"],
    ])
    .unwrap();
    assert_eq!(phones(&list), ["6281234567890", "6281234567891"]);
    assert_eq!(columns.joined, [("Kode Negara".to_owned(), 1)]);
    assert_eq!((list.problems[0].row, list.problems.len()), (4, 1));
}

#[test]
fn a_row_of_totals_is_nobody_and_an_unknown_number_is_told() {
    let (list, _) = read(&[
        &["Nome", "Telefone"],
        &["Ana", "919876543210"],
        &["Bia", "1111111111"],
        &["Total de contatos", "1234567"],
    ])
    .unwrap();
    assert_eq!((list.unplanned.first.as_slice(), &list.problems[0].why), ([3].as_slice(), &Why::Total));
}

#[test]
fn a_name_has_letters_and_is_looked_for_beside() {
    let (list, columns) = read_with(
        &[
            &["Name", "First Name", "Billing Name", "Phone"],
            &["#1001", "", "Ana Silva", "919876543210"],
            &["#1002", "Bia", "NULL", "919876543211"],
            &["#1003", "", "-", "919876543212"],
        ],
        &rules(&["name"]),
        &ListOptions::default(),
    )
    .unwrap();
    assert_eq!(columns.name.as_deref(), Some("First Name"));
    assert!(fields(&list)[1].contains(r#""name":"Bia""#), "{:?}", fields(&list));
    let (list, _) = read_with(
        &[
            &["Name", "Given Name", "Phone"],
            &["", "Ana", "919876543210"],
            &["NULL", "Bia", "919876543211"],
            &["#N/A", "nan", "919876543212"],
            &["Null", "", "919876543213"],
        ],
        &rules(&["name"]),
        &ListOptions::default(),
    )
    .unwrap();
    let called: Vec<bool> =
        fields(&list).iter().map(|json| json.to_lowercase().contains(r#""name":"#)).collect();
    assert_eq!(called, [true, true, false, true]);
    assert!(fields(&list)[1].contains(r#""name":"Bia""#));
}

#[test]
fn a_hidden_column_of_phones_is_told() {
    let mut table = Table::new(&rules(&[]), &ListOptions::default());
    table.hide_columns(vec![false, true]);
    for (line, cells) in (1..).zip([["Nome", "Telefone"], ["Ana", "919876543210"]]) {
        let cells = cells.map(str::to_owned).to_vec();
        table.push_row(Row { line, cells, is_hidden: false, uncalculated: Vec::new() }).unwrap();
    }
    let told = table.finish().unwrap_err().to_string();
    assert_eq!(told, "the column Telefone is hidden; includeHidden takes it in");
}

#[test]
fn a_table_beside_another_is_told_and_its_numbers_are_not_the_firsts() {
    let (list, columns) = read(&[
        &["Nome", "Telefone", "", "Nome", "Telefone"],
        &["Ana", "919876543210", "", "Bia", "919876543211"],
        &["Cy", "", "", "Di", "919876543212"],
    ])
    .unwrap();
    assert_eq!((phones(&list), list.problems[0].row), (vec!["919876543210"], 3));
    assert_eq!(columns.other_tables, ["column E"]);
    // One person's second number.
    let (list, columns) = read(&[&["Nome", "Telefone", "Telefone"], &["Ana", "", "919876543210"]]).unwrap();
    assert_eq!((list.recipients.len(), columns.other_tables.len()), (1, 0));
}

#[test]
fn titles_above_the_headings_are_passed_over() {
    for titles in [
        vec![vec!["Customers July 2026"]],
        vec![vec!["Phone list"], vec![""], vec!["exported", "28/11/2026 10:15"]],
        vec![vec!["Contact numbers", ""], vec!["Total", "2"]],
        vec![vec!["Telefone"]],
    ] {
        let mut rows: Vec<&[&str]> = titles.iter().map(Vec::as_slice).collect();
        rows.extend([
            &["Name", "Mobile", "Age"] as &[&str],
            &["Ana", "919876543210", "33"],
            &["", "919876543211", ""],
        ]);
        let (list, columns) = read(&rows).unwrap();
        assert_eq!(phones(&list), ["919876543210", "919876543211"], "{titles:?}");
        assert_eq!(columns.header_row, u32::try_from(titles.len() + 1).ok());
    }
}

#[test]
fn a_list_whose_headings_nobody_knows_is_known_by_its_values() {
    let (list, columns) = read(&[
        &["Wer", "Wann", "Wohin", "Bestellung"],
        &["Ana", "2026-11-28", "919876543210", "4711"],
        &["Bia", "28.11.2026", "919876543211", "4712"],
    ])
    .unwrap();
    assert_eq!(phones(&list), ["919876543210", "919876543211"]);
    assert_eq!((columns.phone.as_deref(), columns.is_phone_assumed), (Some("Wohin"), true));
    assert_eq!(fields(&list)[0], r#"{"Bestellung":"4711","Wann":"2026-11-28","Wer":"Ana"}"#);
    // Two may be it.
    let refused = read(&[&["Wer", "x1", "x2"], &["Ana", "919876543210", "919876543211"]]).unwrap_err();
    let told = "no column is called phone, and several hold numbers: x1, x2; name the column of phone numbers in phoneColumn";
    assert_eq!(refused.to_string(), told);
    assert!(matches!(refused, ListError::Column(_)));
}

#[test]
fn a_list_without_phones_says_what_there_is() {
    for rows in [
        [&["Nome", "", "Cidade"] as &[&str], &["Ana", "", "Rio"]],
        [&["Nome", "Order No", "Cidade"], &["Ana", "919876543210", "Rio"]],
        [&["Nome", "Rechnungsnummer", "Fax"], &["Ana", "919876543210", "919876543210"]],
        [&["Nome", "Datum"], &["Ana", "2026-11-28"]],
    ] {
        let refused = read(&rows).unwrap_err();
        let told = refused.to_string();
        assert!(told.starts_with("no column is called phone; the columns are: Nome, "), "{told}");
        assert!(told.ends_with("; name the column of phone numbers in phoneColumn"), "{told}");
    }
    let wide: Vec<String> = (0..1_000).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
    let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
    assert!(read(&[&wide]).unwrap_err().to_string().len() < 1_200);
}

#[test]
fn without_headings_the_number_is_found_and_the_cell_beside_it_is_the_name() {
    for (rows, told) in [
        (vec![vec!["919876543210", "Ana"]], r#"{"name":"Ana"}"#),
        (vec![vec!["Ana", "919876543210"]], r#"{"name":"Ana"}"#),
        (vec![vec!["0919876543210", "Ana"], vec!["919876543210", "Bia"]], r#"{"name":"Bia"}"#),
        (vec![vec!["9.19877E+11", "Ana"], vec!["919876543210", "Bia"]], r#"{"name":"Bia"}"#),
        (vec![vec!["919876543210", "919876543211"]], ""),
        (vec![vec!["", "919876543210", "Ana"]], r#"{"name":"Ana"}"#),
        (vec![vec!["ana@x.example", "Ana", "919876543210"]], r#"{"name":"Ana"}"#),
        (vec![vec!["2026-11-28", "919876543210", "#12"]], ""),
    ] {
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let (list, columns) = read(&rows).unwrap();
        assert_eq!(phones(&list), ["919876543210"], "{rows:?}");
        assert_eq!(fields(&list)[0], told, "{rows:?}");
        assert_eq!((columns.header_row, columns.is_phone_assumed), (None, false));
        assert_eq!(list.problems.len(), rows.len() - 1, "a wrong number is told");
    }
    let (list, columns) = read(&[&["hello"], &["919876543210"]]).unwrap();
    assert_eq!((list.recipients[0].row, columns.header_row), (2, Some(1)));
}

#[test]
fn a_column_is_named_by_its_heading_or_its_letter() {
    let rows: [&[&str]; 3] =
        [&["List"], &["Name", "Prénom", "Zahl", "Phone"], &["x", "Ana", "919876543210", "919876543211"]];
    let with = |phone: Option<&str>, name: Option<&str>| {
        let (phone_column, name_column) = (phone.map(str::to_owned), name.map(str::to_owned));
        let options = ListOptions { phone_column, name_column, ..ListOptions::default() };
        read_with(&rows, &rules(&["name"]), &options)
    };
    for phone in ["Zahl", " zahl", "ZAHL:", "C", "c"] {
        let (list, columns) = with(Some(phone), None).unwrap();
        assert_eq!(phones(&list), ["919876543210"], "{phone}");
        assert_eq!((columns.phone.as_deref(), columns.header_row), (Some("Zahl"), Some(2)));
    }
    for name in ["prenom", "Pre\u{301}nom", "B"] {
        let (list, columns) = with(None, Some(name)).unwrap();
        assert_eq!(fields(&list), [r#"{"Prénom":"Ana","Zahl":"919876543210","name":"Ana"}"#], "{name}");
        assert_eq!(columns.name.as_deref(), Some("Prénom"));
    }
    for (phone, name, field) in [(Some("Numer"), None, "phoneColumn"), (None, Some("Z"), "nameColumn")] {
        let refused = with(phone, name).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{field}: no column is called ")), "{refused}");
        assert!(refused.ends_with("the columns are: Name, Prénom, Zahl, Phone"), "{refused}");
    }
}

#[test]
fn a_name_is_read_from_a_column_that_is_called_otherwise() {
    let of = |header: &[&str], named: &[&str]| {
        let (list, columns) =
            read_with(&[header, &["919876543210", "Silva", "Ana"]], &rules(named), &ListOptions::default())
                .unwrap();
        let json = fields(&list)[0].to_owned();
        (json, columns.name)
    };
    let first = |json: &str, column: &str| (json.to_owned(), Some(column.to_owned()));
    assert_eq!(
        of(&["Tel", "Last Name", "First Name"], &["Name"]),
        first(r#"{"First Name":"Ana","Last Name":"Silva","name":"Ana"}"#, "First Name")
    );
    assert_eq!(
        of(&["Tel", "Nom", "Prénom"], &["name"]),
        first(r#"{"Nom":"Silva","Prénom":"Ana","name":"Ana"}"#, "Prénom")
    );
    // Nobody asks, or there is one.
    assert_eq!(of(&["Tel", "Nom", "Prénom"], &[]), first(r#"{"Nom":"Silva","Prénom":"Ana"}"#, "Prénom"));
    assert_eq!(
        of(&["Tel", "NAME", "Vorname"], &["name"]),
        first(r#"{"NAME":"Silva","Vorname":"Ana"}"#, "NAME")
    );
    assert_eq!(of(&["Tel", "City", "x"], &["name"]).1, None);
}

#[test]
fn what_is_hidden_is_left_out_unless_it_is_wanted() {
    let read = |named: &[&str], include_hidden: bool| {
        let options = ListOptions { include_hidden, ..ListOptions::default() };
        let mut table = Table::new(&rules(named), &options);
        table.hide_columns(vec![false, true, false, true]);
        let row = |line: u32, cells: [&str; 4], is_hidden: bool| Row {
            line,
            cells: cells.map(str::to_owned).to_vec(),
            is_hidden,
            uncalculated: Vec::new(),
        };
        for row in [
            row(1, ["Phone", "WhatsApp", "Name", "Code"], false),
            row(2, ["919876543210", "919876543219", "Ana", "7"], false),
            row(3, ["919876543211", "", "Bia", "8"], true),
        ] {
            table.push_row(row).unwrap();
        }
        table.finish().unwrap()
    };
    let (list, columns) = read(&[], false);
    assert_eq!((phones(&list), fields(&list)), (vec!["919876543210"], vec![r#"{"Name":"Ana"}"#]));
    assert_eq!(columns.hidden_rows, HiddenRows { count: 1, rows: vec![3] });
    assert_eq!(columns.hidden_columns, ["WhatsApp", "Code"]);
    // Who names it means it.
    assert_eq!(fields(&read(&["code"], false).0), [r#"{"Code":"7","Name":"Ana"}"#]);
    let (list, columns) = read(&[], true);
    assert_eq!(phones(&list), ["919876543219", "919876543211"]);
    assert_eq!((columns.hidden_rows.count, columns.hidden_columns.len()), (0, 0));
}
