//! Tables as people read them, and what may change between two runs of one journal.

use std::fs;

use serde_json::Value;

use super::{LABEL, RULES, Run, Stage};

/// A table out of a spreadsheet, with a column that has a name of ours.
const POSTS: &str = "\u{FEFF}author,id,verdict,text\nana,p1,mine,Hello\nben,p2,,\n";

fn stage() -> Stage {
    Stage::new().file("posts.csv", POSTS).file("other.txt", RULES)
}

impl Stage {
    fn label(&self, args: &[&str]) -> Run {
        self.run(&[&LABEL[..], args].concat())
    }

    fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.path(name)).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_inputs_columns_come_first_in_their_order_then_those_that_people_read() {
    let stage = stage();
    let run = stage.label(&["posts.csv", "-o", "out.csv"]);
    assert_eq!(run.code, 3, "{run}");
    let lines = stage.lines("out.csv");
    let header = "\u{FEFF}author,id,input_verdict,text,verdict,category,category_title,probability,rationale,error";
    assert_eq!(lines[0], header, "with the byte order mark of the input");
    let cells: Vec<&str> = lines[1].split(',').collect();
    assert_eq!(&cells[..5], ["ana", "p1", "mine", "Hello", "violation"]);
    let probability = cells[7].parse::<f64>().unwrap();
    assert!((0.0..=1.0).contains(&probability) && cells[7].len() == "0.1234".len(), "{}", lines[1]);
    assert!(lines[2].starts_with("ben,p2,,,,,,,,\"posts.csv: line 3: the text is empty"), "{}", lines[2]);
    // The input's numbers in the table of a run of JSON lines, whose id comes first.
    let stage = stage.file("in.jsonl", "{\"text\":\"Hello\",\"n\":1.50,\"id\":7}\n");
    assert_eq!(stage.label(&["in.jsonl", "-o", "json.tsv"]).code, 0);
    let lines = stage.lines("json.tsv");
    assert!(lines[0].starts_with("id\ttext\tn\tverdict\tcategory\t") && lines[1].starts_with("7\tHello\t1.50\t"));
}

#[test]
fn several_policies_have_a_verdict_over_all_and_columns_each() {
    let stage = stage();
    let run = stage.label(&["-p", "other.txt", "posts.csv", "--columns", "id", "-o", "out.csv"]);
    assert_eq!(run.code, 3, "{run}");
    let lines = stage.lines("out.csv");
    let of = |policy: &str| {
        let names = ["verdict", "category", "category_title", "probability", "rationale", "error"];
        names.map(|name| format!("{policy}.{name}")).join(",")
    };
    assert_eq!(lines[0], format!("\u{FEFF}id,verdict,{},{}", of("rules"), of("other")));
    assert!(lines[1].starts_with("p1,violation,violation,,,") && lines[2].starts_with("p2,undecided,,,,,,\"posts.csv"));
}

#[test]
fn what_is_exported_may_change_and_a_finished_run_needs_no_model() {
    let stage = stage();
    let first = stage.label(&["posts.csv", "-o", "out.csv"]);
    assert!(first.stderr.contains("demonstration model"), "a model that is loaded is named: {first}");
    for (flags, header) in [
        (&["--columns", "text"][..], "text,verdict,category,category_title,probability,rationale,error"),
        (&["--columns", "verdict", "--fields", "verdict,mass"], "input_verdict,verdict,mass"),
        (&["--columns", "", "--fields", "id,verdict"], "id,verdict"),
    ] {
        let again = stage.label(&[&["posts.csv", "-o", "out.csv"], flags].concat());
        assert!(again.code == 3 && again.stderr.contains("; nothing was left to judge; written to out.csv"), "{again}");
        assert!(!again.stderr.contains("demonstration model"), "{again}");
        assert_eq!(stage.lines("out.csv")[0].trim_start_matches('\u{FEFF}'), header);
    }
    let all = stage.run(&["merge", "out.csv", "--fields", "all", "--output-format", "csv"]);
    let columns: Vec<&str> = all.stdout.lines().next().unwrap().split(',').collect();
    assert_eq!((columns.len(), columns[4], columns[45 - 1]), (45, "status", "error.hint"), "{columns:?}");
    // An added row is judged by the model.
    let grown = stage.file("posts.csv", POSTS.to_owned() + "zoe,p3,,Hello again\n");
    let run = grown.label(&["posts.csv", "-o", "out.csv"]);
    assert!(run.stderr.contains("resumed  2 rows already done") && run.stderr.contains("demonstration model"), "{run}");
}

#[test]
fn a_journal_without_rationales_goes_on_without_them_and_one_with_them_keeps_them() {
    let stage = Stage::new().file("in.txt", "Hello\n");
    let label = |out: &str, flags: &[&str]| {
        let label = ["label", "-p", "spam", "--effort", "none", "--min-mass", "0", "in.txt", "-o", out];
        let run = stage.run(&[&label[..], flags].concat());
        assert_eq!(run.code, 0, "{run}");
        run
    };
    label("a.csv", &["--fields", "verdict"]);
    let run = label("a.csv", &[]);
    assert!(run.stderr.contains("note: the rows have no rationales, because the run was begun with --fields"), "{run}");
    label("b.csv", &[]);
    label("b.csv", &["--fields", "verdict"]);
    let rows = stage.run(&["merge", "b.csv", "--fields", "usage"]);
    let row: Value = serde_json::from_str(&rows.stdout).unwrap();
    assert!(row["usage"]["rationale_tokens"].as_u64() > Some(0), "{rows}");
}

#[test]
fn a_column_that_no_input_has_is_refused_before_a_model_is_loaded_and_by_merge() {
    let stage = stage();
    let run = stage.label(&["posts.csv", "--columns", "text,lnag", "-m", "absent.gguf", "-o", "out.csv"]);
    assert!(run.code == 2 && run.stderr.contains("column \"lnag\", which --columns names"), "{run}");
    stage.label(&["posts.csv", "-o", "out.csv"]);
    let run = stage.run(&["merge", "out.csv", "--columns", "lnag", "-o", "new.csv"]);
    assert!(run.code == 2 && run.stderr.contains("the run has no column `lnag`; found: author, id, "), "{run}");
    assert!(!stage.path("new.csv").exists());
}

#[test]
fn a_table_without_records_has_its_columns_and_a_mark_only_where_it_is_wanted() {
    let stage = Stage::new().file("in.csv", "text,id,lang\n").file("in.jsonl", "{\"text\":\"Hello\"}\n");
    for (flags, mark) in [(&[][..], ""), (&["--bom"], "\u{FEFF}")] {
        assert_eq!(stage.label(&[&["in.csv", "-o", "out.csv"], flags].concat()).code, 0);
        let header = format!("{mark}text,id,lang,verdict,category,category_title,probability,rationale,error");
        assert_eq!(stage.lines("out.csv"), [header]);
    }
    let refused = stage.label(&["in.jsonl", "--bom", "-o", "out.jsonl"]);
    assert!(refused.code == 2 && refused.stderr.contains("--bom is for CSV and TSV"), "{refused}");
}

#[test]
fn csv_has_the_separator_of_the_csv_that_it_is_made_of_and_merge_keeps_it() {
    let stage = Stage::new().file("in.csv", "id;text\n1;Hello, you\n").file("in.jsonl", "{\"text\":\"Hello\"}\n");
    assert_eq!(stage.label(&["in.csv", "-o", "out.csv", "--fields", "status"]).code, 0);
    assert_eq!(stage.lines("out.csv"), ["id;text;status", "1;Hello, you;ok"]);
    assert_eq!(stage.run(&["merge", "out.csv", "--fields", "status", "-o", "new.csv"]).code, 0);
    assert_eq!(stage.lines("new.csv"), stage.lines("out.csv"));
    let run = stage.run(&["merge", "out.csv", "--fields", "status", "-o", "comma.csv", "--output-delimiter", ","]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(stage.lines("comma.csv"), ["id,text,status", "1,\"Hello, you\",ok"]);
    assert_eq!(stage.label(&["in.jsonl", "-o", "other.csv", "--fields", "status"]).code, 0);
    assert_eq!(stage.lines("other.csv"), ["text,status", "Hello,ok"]);
    let refused = stage.label(&["in.jsonl", "--output-delimiter", ";", "-o", "out.tsv"]);
    assert!(refused.code == 2 && refused.stderr.contains("--output-delimiter is for CSV"), "{refused}");
}

#[test]
fn a_report_is_one_page_of_a_stream_a_file_or_a_run_that_is_decided_anew() {
    let stage = Stage::new().file("in.csv", "id,text\nx1,Hello <b>you</b>\nx2,\n");
    let page = |name: &str| {
        let page = fs::read_to_string(stage.path(name)).unwrap();
        assert!(page.contains("Hello &lt;b&gt;you") && !page.contains("<b>you"), "{page}");
        assert!(!page.contains("://") && !page.contains("src="), "it loads nothing");
        assert!(page.contains("the text is empty"), "{page}");
        page
    };
    for (flags, name) in [(&["in.csv"][..], "a.html"), (&["in.csv", "-o", "out.csv"], "b.html")] {
        let run = stage.label(&[flags, &["--report", name]].concat());
        assert!(run.code == 3 && run.stderr.contains(name), "{run}");
        assert!(page(name).contains("<title>rules on in.csv</title>") && page(name).contains("threshold 0.0"));
    }
    let run = stage.run(&["merge", "out.csv", "--threshold", "0.75", "-o", "new.csv", "--report", "c.html"]);
    assert!(run.code == 3 && run.stderr.ends_with("; written to new.csv, c.html\n"), "{run}");
    assert!(page("c.html").contains("threshold 0.75"));
    let refused = stage.label(&["in.csv", "-m", "absent.gguf", "--report", "r.txt"]);
    assert!(refused.code == 2 && refused.stderr.contains("r.txt: report files end in .html"), "{refused}");
}
