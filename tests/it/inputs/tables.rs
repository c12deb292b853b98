//! CSV and TSV as people have them.

use magistrate::label::records::{Quote, RecordFields, Text};
use magistrate::label::source::{Input, Source};

use super::{check, check_with, column};

#[test]
fn malformed_tables_cost_only_their_records_which_are_named() {
    check("a.csv", "", "", "a.csv: line 1: the input is empty");
    check("a.csv", "text,n\n", "", "");
    check("a.csv", "\u{FEFF}text,n\na,1\nb,2", "a|b", "");
    check("a.csv", "text,n\n\"a\nb\",1\n\"c,\"\"d\"\"\",2\n", "a\nb|c,\"d\"", "");
    check(
        "a.csv",
        "text,n\nSECRET\na,1\nb,1,2\n",
        "<fields>|a|<fields>",
        "a.csv: line 2: 1 field, where the header has 2",
    );
    check(
        "a.csv",
        "text,n\na,1\n\"SECRET,2\nb,3\n",
        "a|<unclosed-quote>",
        "a.csv: line 3: the quote that opens on line 3 is never closed",
    );
    check(
        "a.csv",
        "text,n\na\"b\"c,1\n\"SECRET\"b,2\n\"c\",3\n",
        "a\"b\"c|<quote>|c",
        "a.csv: line 3: text follows the quote that closes a field; ",
    );
    check(
        "a.csv",
        "body,n\nSECRET,1\n",
        "",
        "a.csv has no column \"text\". Columns: 1 \"body\", 2 \"n\"\nhint: `RecordFields::text` = \"body\", or ",
    );
    check(
        "a.csv",
        "Text,TEXT\nSECRET,1\n",
        "",
        "a.csv has no column \"text\". Columns: 1 \"Text\", 2 \"TEXT\"\nhint: did you mean \"Text\"?",
    );
    check("a.csv", "text,text\na,b\n", "", "a.csv: line 1: duplicate columns: \"text\"");
    check("a.csv", "text,,\na,b,c\n", "a", "");
    check(
        "a.csv",
        [b"text,n\ncaf\xE9,1\n", "é,2\n".as_bytes()].concat(),
        "<not-utf8>|é",
        "a.csv: line 2: the text is not valid UTF-8: byte 3",
    );
    check("a.csv", "text,n\ra,1\rb,2\r", "a|b", "");
    check("a.csv", "text,n\ra,1\r\nb,2\n", "", "a.csv: line 1: a carriage return without a newline");
    check("a.csv", "text,n\na\0b,1\n,2\n", "<nul>|<empty>", "a.csv: line 2: a NUL byte");
    check(
        "a.csv",
        format!("text,n\n\"{}\",1\nb,2\n", "x".repeat(10 << 20)),
        "<too-large>|b",
        "a.csv: line 2: a record of more than 4 MiB",
    );
    check("a.tsv", "text\tn\na, b\t1\n", "a, b", "");
    check_with(
        &column("9"),
        "a.csv",
        "text,n\na,1\n",
        "",
        "a.csv has no column 9: there are 2 columns. Columns: 1 \"text\", 2 \"n\"",
    );
    check_with(&column("2"), "a.csv", "n,t\n1,a\n", "a", "");
    check_with(&column("2"), "a.csv", "2,t\na,1\n", "a", "");
    let id = RecordFields { id: Some("key".into()), ..RecordFields::default() };
    check_with(
        &id,
        "a.csv",
        "text,n\na,1\n",
        "",
        "a.csv has no column \"key\". Columns: 1 \"text\", 2 \"n\"\nhint: `RecordFields::id` = NAME",
    );
}

#[test]
fn quotes_that_do_not_close_well_cost_each_line_that_they_join() {
    let six = "label\ttext\nham\t\"Hello there\nspam\tWIN\n\nham\tsee you\nham\tshe said \"bye\"\nham\tok\n";
    check(
        "a.tsv",
        six,
        "<quote>|<quote>|<quote>|<quote>|ok",
        "a.tsv: line 2: text follows the quote on line 6 that closes a field, which opens on line 2; double each quote in a \
         text and put the text in quotes\nhint: `RecordFields::quote` = none reads quotes as ordinary characters",
    );
    let unquoted = RecordFields { quote: Quote::None, ..RecordFields::default() };
    check_with(&unquoted, "a.tsv", six, "\"Hello there|WIN|see you|she said \"bye\"|ok", "");
    check_with(&unquoted, "a.tsv", "id\ttext\n1\t\"hello\" he said\n", "\"hello\" he said", "");
    check(
        "a.csv",
        "text,n\n\"a\nb\",1\n\"c\n\"\"d\" e\",2\nf,3\n",
        "a\nb|<quote>|<quote>|f",
        "a.csv: line 4: text follows",
    );
    check("a.csv", "\"text\" ,n\na,1\n", "", "a.csv: line 1: text follows the quote");
    let headless = RecordFields { no_header: true, ..RecordFields::default() };
    check_with(&headless, "a.csv", "\"a\"b\n", "", "a.csv: line 1: text follows the quote");
}

#[test]
fn tables_between_other_separators_are_read() {
    for (name, text) in [
        ("a.csv", "\u{FEFF}id;text;price\r\n1;\"a, b; c\";2,50\r\n2;d;3,10\r\n"),
        ("a.csv", "\"id\";\"text\"\n1;\"a, b; c\"\n2;d\n"),
        ("a.csv", "sep=;\r\nid;text\n1;\"a, b; c\"\n2;d\n"),
        ("a.csv", "id\ttext\n1\ta, b; c\n2\td\n"),
        ("a.csv", "id|text\n1|a, b; c\n2|d\n"),
        ("a.tsv", "id,text\n1,\"a, b; c\"\n2,d\n"),
        ("a.csv", "sep=,\nid,text\n1,\"a, b; c\"\n2,d\n"),
        ("a.txt", "id\ttext\n1\ta, b; c\n2\td\n"),
        ("a", "id;text\n1;\"a, b; c\"\n2;d\n"),
    ] {
        check(name, text, "a, b; c|d", "");
        check_with(&column("2"), name, text, "a, b; c|d", "");
    }
    let unclear = "a.csv: line 1: the separator is not clear: the header is one column by \",\", and holds \";\"";
    check("a.csv", "text; or a note\na\nb\n", "", unclear);
    check_with(&RecordFields { skip: 1, ..RecordFields::default() }, "a.csv", "sep=,\nid,text\n1,a\n", "a", "");
    check_with(&column("1"), "a.csv", "\"text; or note\"\na\n", "a", "");
    check("a.csv", "text\na;b\n", "a;b", "");
}

#[test]
fn a_separator_and_a_quote_that_are_named_hold() {
    let with =
        |separator: u8, quote: Quote, name: &str| RecordFields { separator: Some(separator), quote, ..column(name) };
    check_with(&with(b';', Quote::Double, "text"), "a.csv", "id;text\n1;a,b\n", "a,b", "");
    check_with(&with(b',', Quote::Double, "1"), "a.csv", "id;text\n1;a\n", "1;a", "");
    check_with(&with(b'#', Quote::Double, "text"), "a.dat", "id#text\n1#a\n", "a", "");
    let single = with(b';', Quote::Other(b'\''), "text");
    check_with(&single, "a.csv", "id;text\n1;'a;''b'''\n2;\"c\"\n", "a;'b'|\"c\"", "");
    check_with(&with(b'|', Quote::None, "text"), "a.csv", "id|text\n1|\"a\n", "\"a", "");
    let named = RecordFields { separator: Some(b';'), ..RecordFields::default() };
    check_with(&named, "a.jsonl", "{\"text\":\"a\"}\n", "", "a.jsonl: a separator is given, and it is not read as CSV");
}

#[test]
fn the_only_column_that_is_called_text_in_other_letters_is_judged() {
    for (name, text) in [
        ("a.csv", "ID,Text\n1,a\n2,b\n"),
        ("a.csv", "ID; TEXT \n1;a\n2;b\n"),
        ("a.jsonl", "{\"Text\":\"a\"}\n{\"Text\":\"b\"}\n"),
    ] {
        check(name, text, "a|b", "");
    }
    check("a.csv", "Text,text\na,b\n", "b", "");
    check_with(
        &column("post"),
        "a.csv",
        "ID,Post\n1,a\n",
        "",
        "a.csv has no column \"post\". Columns: 1 \"ID\", 2 \"Post\"\nhint: did you mean \"Post\"?",
    );
}

#[test]
fn of_several_columns_an_absent_one_is_null() {
    let template =
        RecordFields { text: Text::Template("{subject}: {body}".parse().unwrap()), ..RecordFields::default() };
    check_with(
        &template,
        "a.jsonl",
        "{\"subject\":\"a\"}\n{\"subject\":\"b\",\"body\":null}\n{\"body\":\"c\"}\n{\"x\":1}\n",
        "a: |b: |: c|<missing-text>",
        "a.jsonl: line 4: the record has no column \"subject\". Columns: \"x\"",
    );
}

#[test]
fn tables_without_a_header_or_with_lines_above_it_are_read() {
    let headless = RecordFields { no_header: true, ..column("2") };
    check_with(&headless, "a.csv", "1,a\n2,b\n", "a|b", "");
    check_with(&headless, "a.csv", "", "", "");
    check_with(&RecordFields { no_header: true, ..RecordFields::default() }, "a.csv", "a\n\"b,c\"\n", "a|b,c", "");
    check_with(&headless, "a.csv", "a\n", "", "a.csv has no column 2: there is 1 column. Columns: 1 \"column_1\"");
    check_with(
        &RecordFields { no_header: true, ..RecordFields::default() },
        "a.csv",
        "a,b\n",
        "",
        "a.csv has no column \"text\"",
    );
    let above = RecordFields { skip: 1, ..column("Example Prompt") };
    check_with(&above, "a.csv", "\"These are synthetic, and so on.\",,\nExample Prompt,Label,\na,X0,\n", "a", "");
    check_with(&RecordFields { skip: usize::MAX, ..RecordFields::default() }, "a.jsonl", "{\"text\":\"a\"}\n", "", "");
    check_with(
        &RecordFields { skip: 9, ..RecordFields::default() },
        "a.csv",
        "text\na\n",
        "",
        "a.csv: line 1: the input is empty",
    );
    check_with(&RecordFields { skip: 1, ..RecordFields::default() }, "a.txt", "a\nb\n", "b", "");
    check_with(&column("text"), "a.txt", "a\nb\n", "", "a.txt: it is read as plain lines, which have no columns");
}

#[test]
fn a_byte_order_mark_of_the_first_input_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let marked = |name: &str, bytes: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap().table_form().bom
    };
    assert!(marked("a.csv", "\u{FEFF}text\na\n"));
    assert!(!marked("b.csv", "text\na\u{FEFF}\n"));
    assert!(!Source::none().table_form().bom);
}
