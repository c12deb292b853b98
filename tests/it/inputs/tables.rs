//! CSV and TSV as people have them.

use magistrate::label::records::{RecordFields, Text};
use magistrate::label::source::{Input, Source};

use super::{check, check_with, column, utf16};

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
        "a.csv: line 2: 1 fields, where the header has 2",
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
        "a.csv: line 1: the column `text` is missing; found: 1 `body`, 2 `n`\nhint: ",
    );
    check(
        "a.csv",
        "Text,n\nSECRET,1\n",
        "",
        "a.csv: line 1: the column `text` is missing; found: 1 `Text`, 2 `n`\nhint: did you mean `Text`?",
    );
    check("a.csv", "text,text\na,b\n", "", "a.csv: line 1: columns of the same name stand in the header: `text`");
    check("a.csv", "text,,\na,b,c\n", "a", "");
    check("a.csv", b"text,n\ncaf\xE9,1\nb,2\n", "<not-utf8>|b", "a.csv: line 2: the text is not valid UTF-8: byte 3");
    check("a.csv", utf16("text,n\na,1\n"), "", "a.csv: the text is UTF-16");
    check("a.csv", &utf16("text,n\na,1\n")[2..], "", "a.csv: the text is UTF-16");
    check("a.csv", "text,n\ra,1\rb,2\r", "", "a.csv: line 1: a carriage return without a newline");
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
        "a.csv: line 1: the column `9` is missing, as there are 2 columns; ",
    );
    check_with(&column("2"), "a.csv", "n,t\n1,a\n", "a", "");
    check_with(&column("2"), "a.csv", "2,t\na,1\n", "a", "");
    let id = RecordFields { id: Some("key".into()), ..RecordFields::default() };
    check_with(
        &id,
        "a.csv",
        "text,n\na,1\n",
        "",
        "a.csv: line 1: the column `key` is missing; found: 1 `text`, 2 `n`\nhint: `RecordFields::id` = NAME",
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
         text and put the text in quotes\nhint: `RecordFields::unquoted` = none reads quotes as ordinary characters",
    );
    let unquoted = RecordFields { unquoted: true, ..RecordFields::default() };
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
fn a_header_between_other_separators_is_named() {
    for (name, header, expected) in [
        ("a.csv", "\u{FEFF}id;text;label\r\n", "one column by commas, and holds semicolons\nhint: "),
        ("a.csv", "\"id\";\"text\"\n", "one column by commas, and holds semicolons\nhint: "),
        ("a.csv", "sep=;\r\nid;text\n", "one column by commas, and holds semicolons\nhint: "),
        ("a.csv", "id\ttext\n", "one column by commas, and holds tabs\nhint: `InputFormat` = tsv"),
        ("a.csv", "id|text\n", "one column by commas, and holds vertical bars\nhint: "),
        ("a.tsv", "id,text\n", "one column by tabs, and holds commas\nhint: `InputFormat` = csv"),
    ] {
        let rows = "1;WINNER;spam\n".repeat(2);
        for column in [RecordFields::default(), column("1")] {
            let expected =
                format!("a.{}: line 1: the separator seems to be another: the header is {expected}", &name[2..]);
            check_with(&column, name, format!("{header}{rows}"), "", &expected);
        }
    }
    check("a.csv", "sep=,\nid,text\n1,a\n", "", "a.csv: line 1: Excel's line that names the separator");
    check_with(&RecordFields { skip: 1, ..RecordFields::default() }, "a.csv", "sep=,\nid,text\n1,a\n", "a", "");
    check_with(&column("1"), "a.csv", "\"text; or note\"\na\n", "a", "");
    check("a.csv", "text\na;b\n", "a;b", "");
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
        "a.jsonl: line 4: the column `subject` is missing",
    );
    check_with(
        &column("messages"),
        "a.jsonl",
        "{\"messages\":[{\"role\":\"user\",\"content\":\"SECRET\"}]}\n",
        "<wrong-type>",
        "a.jsonl: line 1: the column `messages` is a list of messages and not a string\nhint: `InputFormat` = batch",
    );
}

#[test]
fn tables_without_a_header_or_with_lines_above_it_are_read() {
    let headless = RecordFields { no_header: true, ..column("2") };
    check_with(&headless, "a.csv", "1,a\n2,b\n", "a|b", "");
    check_with(&headless, "a.csv", "", "", "");
    check_with(&RecordFields { no_header: true, ..RecordFields::default() }, "a.csv", "a\n\"b,c\"\n", "a|b,c", "");
    check_with(
        &headless,
        "a.csv",
        "a\n",
        "",
        "a.csv: line 1: the column `2` is missing, as there is 1 column; found: 1 `column_1`",
    );
    check_with(
        &RecordFields { no_header: true, ..RecordFields::default() },
        "a.csv",
        "a,b\n",
        "",
        "a.csv: line 1: the column `text` is missing",
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
        Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap().byte_order_mark()
    };
    assert!(marked("a.csv", "\u{FEFF}text\na\n"));
    assert!(!marked("b.csv", "text\na\u{FEFF}\n"));
    assert!(!Source::none().byte_order_mark());
}
