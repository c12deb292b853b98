//! JSON as programs write it: arrays, nested values, conversations, and numbers that JSON does not have.

use super::*;

const TWO: &str = "a|b";

#[test]
fn an_array_of_records_is_read_as_their_lines_would_be() {
    let pretty = "[\n  {\n    \"text\": \"a\"\n  },\n  {\n    \"text\": \"b\"\n  }\n]\n";
    for (name, document) in [
        ("a.json", "[{\"text\":\"a\"},{\"text\":\"b\"}]"),
        ("a.jsonl", "[{\"text\":\"a\"},\n{\"text\":\"b\"}]\n"),
        ("a.json", pretty),
        ("posts", pretty),
        ("a.json", "[{\"text\":\"a\"}]\n[{\"text\":\"b\"}]"),
    ] {
        check(name, document, TWO, "");
        check(&format!("{name}.gz"), gzip(document.as_bytes()), TWO, "");
    }
    check("a.json", "[]\n", "", "");
    check_with(&RecordFields { skip: 1, ..RecordFields::default() }, "a.json", pretty, "b", "");
    let named = read(&[("a.txt", pretty.into())], Some(InputFormat::Json), &RecordFields::default());
    assert_eq!(named.records, ["a", "b"]);
}

#[test]
fn a_damaged_element_costs_only_itself_and_has_its_line() {
    check(
        "a.json",
        "[{\"text\":\"a\"},\n {\"text\" \"SECRET\"},\n 7,\n {\"text\":\"b\"}]",
        "a|<not-json>|<not-an-object>|b",
        "a.json: line 2: not JSON at byte 8",
    );
    check(
        "a.json",
        "[\n{\"text\":\"a\"},\n{\"text\":\"b",
        "a|<unclosed-array>",
        "a.json: line 3: the file ends within its array",
    );
    check("a.json", "[{\"text\":\"a\"}] SECRET", "a|<not-json>", "a.json: line 1: text that is not in an array");
    let huge = format!("[{{\"text\":\"{}\"}},\n{{\"text\":\"b\"}}]", "SECRET".repeat(LARGEST / 4));
    check("a.json", huge, "<too-large>|b", "a.json: line 1: a record of more than 4 MiB");
    let found = read(&[("a.json", b"{\"text\":1}".to_vec())], Some(InputFormat::Json), &RecordFields::default());
    assert_eq!(found.records, ["<not-json>"]);
}

#[test]
fn the_lines_of_elements_are_whole_and_can_be_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    std::fs::write(&path, "[\n  {\n    \"text\": \"a\\nb\",\n    \"id\": 7\n  }\n]\n").unwrap();
    let mut source = Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap();
    source.require_alike().unwrap();
    let record = source.next().unwrap().unwrap().record;
    assert_eq!(record.id.unwrap().get(), "7");
    let line = String::from_utf8(record.raw).unwrap();
    assert_eq!(line, "{\"text\":\"a\\nb\",\"id\":7}\n");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["text"], "a\nb");
}

#[test]
fn a_text_within_a_column_is_named_by_its_path() {
    let nested = "{\"post\":{\"text\":\"a\",\"parts\":[\"b\"]}}\n{\"post\":{}}\n{\"post\":{\"text\":\"SECRET\",\"text\":\"c\"}}\n";
    let records = "a|<missing-text>|<duplicate-text>";
    check_with(
        &column("post.text"),
        "a.jsonl",
        nested,
        records,
        "a.jsonl: line 2: the record has no column \"post.text\"",
    );
    check_with(&column("post.parts.0"), "a.jsonl", nested, "b|<missing-text>|<missing-text>", "a.jsonl: line 2:");
    check_with(&column("post.text"), "a.jsonl", "{\"post\":{\"text\":\"a\"},\"post.text\":\"own\"}\n", "own", "");
    let template = RecordFields { text: Text::Template("{u.name}: {t}".parse().unwrap()), ..RecordFields::default() };
    check_with(&template, "a.json", "[{\"u\":{\"name\":\"x\"},\"t\":\"a\"},{\"t\":\"b\"}]", "x: a|: b", "");
}

#[test]
fn a_conversation_in_a_column_is_read_as_a_request_is() {
    let line = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]}]}"#;
    check_with(&column("messages"), "a.jsonl", line, "[user]\na\n[assistant]\nb", "");
    let inner = line.replace("\"messages\"", "\"x\":{\"messages\"") + "}";
    check_with(&column("x.messages"), "a.jsonl", inner, "[user]\na\n[assistant]\nb", "");
    let image = r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"SECRET"}}]}]}"#;
    check_with(&column("messages"), "a.jsonl", image, "<not-text>", "a.jsonl: line 1: a part that is no text");
    let csv = "id,messages\n1,\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"a\"\"}]\"\n2,[draft] b\n";
    check_with(&column("messages"), "a.csv", csv, "a|[draft] b", "");
    let text = csv.replace("messages", "text");
    check_with(&column("text"), "a.csv", text, "[{\"role\":\"user\",\"content\":\"a\"}]|[draft] b", "");
}

#[test]
fn numbers_that_json_lacks_cost_nothing_outside_of_the_text() {
    check("a.jsonl", r#"{"text":"a NaN","n":NaN,"m":[-Infinity,Infinity]}"#, "a NaN", "");
    check("a.json", r#"[{"text":"a","n":NaN}]"#, "a", "");
    check("a.jsonl", r#"{"text":NaN}"#, "<wrong-type>", "a.jsonl: line 1: the column `text` is null and not a string");
    let template = RecordFields { text: Text::Template("{a} {b}".parse().unwrap()), ..RecordFields::default() };
    check_with(&template, "a.jsonl", r#"{"a":"x","b":NaN}"#, "x ", "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, r#"{"text":"a","n":NaN,"m":[-Infinity,1]}"#).unwrap();
    let mut source = Source::new(vec![Input::file(path)], None, RecordFields::default()).unwrap();
    let columns = source.next().unwrap().unwrap().record.columns;
    assert_eq!(serde_json::to_string(&columns).unwrap(), r#"{"text":"a","n":"NaN","m":["-Infinity",1]}"#);
}
