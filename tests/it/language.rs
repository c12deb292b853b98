//! The style rule of CONTRIBUTING.md, as far as a program can check it. `cargo run --release --example vague-words` prints
//! the figures, and `vague-words PATH` each vague word of a file.

#[path = "../../tools/prose.rs"]
mod prose;

use std::path::Path;

use prose::{COUNTED, File, GROUPS, Kind, WIDTH, per_thousand};

/// Most vague words per 1,000 words in a group of files.
const MOST_IN_GROUP: f64 = 6.0;
/// Most vague words per 1,000 words in a file with at least `SMALL` words, and most vague words in a smaller one.
const MOST_IN_FILE: f64 = 12.0;
const SMALL: usize = 150;
const MOST_IN_SMALL_FILE: usize = 2;

/// The files that are held to the rule.
fn held() -> Vec<File> {
    let files = prose::files(Path::new(option_env!("CARGO_MANIFEST_DIR").unwrap_or(".")));
    assert!(files.len() > 100, "the files are not where they were");
    files
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(
        faults.is_empty(),
        "{} places break the style rule of CONTRIBUTING.md:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn no_text_contains_a_banned_phrase() {
    let hits = |file: &File| {
        file.banned().iter().map(|hit| format!("{}:{}: {}", file.path, hit.line, hit.phrase)).collect::<Vec<_>>()
    };
    assert_none(&held().iter().flat_map(hits).collect::<Vec<_>>());
}

#[test]
fn vague_words_are_rare_in_every_file() {
    let fault = |file: &File| {
        let (words, vague) = file.count(COUNTED);
        let rate = per_thousand(vague.len(), words);
        let is_fault = if words < SMALL { vague.len() > MOST_IN_SMALL_FILE } else { rate > MOST_IN_FILE };
        is_fault.then(|| format!("{}: {} of {words} words are vague, {rate:.1} per 1,000", file.path, vague.len()))
    };
    assert_none(&held().iter().filter_map(fault).collect::<Vec<_>>());
}

#[test]
fn vague_words_are_rare_in_every_group() {
    let files = held();
    let fault = |group: &prose::Group| {
        let counts = files.iter().filter(|file| (group.holds)(&file.path)).map(|file| file.count(group.kinds));
        let (words, vague) = counts.fold((0, 0), |sum, (words, vague)| (sum.0 + words, sum.1 + vague.len()));
        let rate = per_thousand(vague, words);
        (rate > MOST_IN_GROUP)
            .then(|| format!("{}: {vague} of {words} words are vague, {rate:.1} per 1,000", group.name))
    };
    assert_none(&GROUPS.iter().filter_map(fault).collect::<Vec<_>>());
}

#[test]
fn markdown_lines_fit_the_width() {
    let lines = |file: &File| {
        let lines = file.long_lines(WIDTH);
        lines.iter().map(|line| format!("{}:{line}: more than {WIDTH} columns", file.path)).collect::<Vec<_>>()
    };
    assert_none(&held().iter().flat_map(lines).collect::<Vec<_>>());
}

/// A file with the passages of some Rust source, of which the strings are messages.
fn rust(text: &str) -> File {
    File { path: String::new(), text: text.to_owned(), passages: prose::rust(text, false) }
}

fn markdown(text: &str) -> File {
    let passages = vec![prose::Passage { kind: Kind::Markdown, line: 1, text: text.to_owned() }];
    File { path: String::new(), text: text.to_owned(), passages }
}

fn banned(file: &File) -> Vec<(usize, &'static str)> {
    file.banned().into_iter().map(|hit| (hit.line, hit.phrase)).collect()
}

#[test]
fn phrases_are_found_in_comments_and_messages_but_not_in_code_and_test_data() {
    let source = r##"
//! What a module is.

/// Takes so
/// many, and `so much` of it.
/// ```
/// let so_many = "is none";
/// ```
fn f(so_much: &'static str) -> char {
    let (quote, text) = ('"', r#"it "hangs on" that"#); // there is none
    print(" \" so \
        much");
    quote
}
#[cfg(test)]
mod tests {
    const TEXT: &str = "so many";
}
"##;
    let found = banned(&rust(source));
    assert_eq!(found, [(2, "What"), (4, "so many"), (10, "hangs on"), (10, "is none"), (11, "so much")]);
}

#[test]
fn markdown_is_counted_without_code_links_and_comments() {
    let text = "It is a [name](what.md), `what` it\nis.\n\n```\nwhat\n```\n<!-- what -->\n| who | none |\n|---|---|\n";
    let (words, vague) = markdown(text).count(COUNTED);
    let vague: Vec<_> = vague.iter().map(|hit| (hit.line, hit.phrase)).collect();
    assert_eq!((words, vague), (8, vec![(1, "it is"), (1, "it is"), (8, "who"), (8, "none")]));
    assert_eq!(banned(&markdown("So. Many of\n\nAll that is\nso, many\n")), [(3, "All that")]);
}

#[test]
fn tables_code_and_lone_links_may_be_wide() {
    let wide = "word ".repeat(30);
    let text = format!("{wide}\n| {wide} |\n```\n{wide}\n```\n[link]: {wide}\nhttps://{wide}\n{wide}\n");
    assert_eq!(markdown(&text).long_lines(WIDTH), [1, 8]);
}
