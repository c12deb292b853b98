//! The prose of the repository: its passages, its words, and the words that the style rule of CONTRIBUTING.md bans.
//!
//! `tests/it/language.rs` holds the files to that rule, and `tools/vague-words.rs` prints their figures.

use std::path::{Path, PathBuf};

/// Words that point at something instead of naming it. Their number per 1,000 words measures how vague a text is.
const VAGUE: &[&str] = &[
    "what", "whatever", "whoever", "who", "so many", "so much", "none", "all that", "of which", "it is", "as it",
    "gone", "stand", "stands", "said", "told", "tell", "tells",
];

/// Phrases that are banned everywhere.
const BANNED: &[&str] = &[
    "so many",
    "so much",
    "how manieth",
    "gone on with",
    "hangs on",
    "stands so",
    "is none",
    "what came of",
    "came of it",
];

/// Words with which no sentence begins. With a capital letter they are found inside a line too.
const OPENINGS: &[&str] = &["What", "Whether", "Those", "All that", "Whatever", "Whoever"];

/// The kind of a passage. It decides which rules the passage is held to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `///`
    Doc,
    /// `//!`
    ModuleDoc,
    /// `//`, or `#` in scripts and settings.
    Comment,
    /// A string literal, a template or a policy's text: held to the banned phrases, not counted.
    Message,
    Markdown,
}

/// Consecutive lines of one kind.
#[derive(Debug)]
pub struct Passage {
    pub kind: Kind,
    /// The number of the first line, from 1.
    pub line: usize,
    /// The lines without their comment markers.
    pub text: String,
}

/// A file of the repository and the prose in it.
pub struct File {
    /// The path from the root, with `/` between its parts.
    pub path: String,
    pub text: String,
    pub passages: Vec<Passage>,
}

/// The kinds of passages that are counted.
pub const COUNTED: &[Kind] = &[Kind::Doc, Kind::ModuleDoc, Kind::Comment, Kind::Markdown];

/// The widest Markdown line, in characters.
pub const WIDTH: usize = 120;

/// Passages of some files that are counted together.
pub struct Group {
    pub name: &'static str,
    pub kinds: &'static [Kind],
    /// Reports whether the file at a path belongs to the group.
    pub holds: fn(&str) -> bool,
}

/// All groups. Help texts are doc comments that clap prints, so they belong to two groups.
pub const GROUPS: &[Group] = &[
    Group { name: "rustdoc", kinds: &[Kind::Doc, Kind::ModuleDoc], holds: |path| path.starts_with("src/") },
    Group { name: "help", kinds: &[Kind::Doc], holds: |path| path.starts_with("src/cli") },
    Group { name: "comments", kinds: &[Kind::Comment], holds: |path| path.starts_with("src/") },
    Group { name: "README", kinds: &[Kind::Markdown], holds: |path| path == "README.md" },
    Group { name: "docs", kinds: &[Kind::Markdown], holds: |path| path.starts_with("docs/") },
    Group {
        name: "other Markdown",
        kinds: &[Kind::Markdown],
        holds: |path| path != "README.md" && !path.starts_with("docs/"),
    },
    Group {
        name: "tests and tools",
        kinds: &[Kind::Doc, Kind::ModuleDoc, Kind::Comment],
        holds: |path| is_rust(path) && !path.starts_with("src/"),
    },
    Group { name: "scripts and settings", kinds: &[Kind::Comment], holds: |path| !is_rust(path) },
];

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "rs")
}

/// The vague words per 1,000 words.
#[allow(clippy::cast_precision_loss, reason = "numbers of words are small")]
pub fn per_thousand(vague: usize, words: usize) -> f64 {
    1000.0 * vague as f64 / words.max(1) as f64
}

/// A word or phrase at a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    pub line: usize,
    pub phrase: &'static str,
}

impl File {
    /// Reads one file, or nothing where its kind is not prose. `path` begins at `root`.
    fn read(root: &Path, path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let name = path.strip_prefix(root).ok()?.to_string_lossy().replace('\\', "/");
        let passages = match path.extension().and_then(|ending| ending.to_str()) {
            Some("rs" | "cpp") => rust(&text, !name.starts_with("src/") || is_test(&name)),
            Some("md") => vec![Passage { kind: Kind::Markdown, line: 1, text: text.clone() }],
            Some("jinja") => vec![Passage { kind: Kind::Message, line: 1, text: text.clone() }],
            Some("yaml" | "yml") if name.starts_with("policies/") && !name.starts_with("policies/golden/") => {
                let mut passages = hashed(&text, false);
                passages.push(Passage { kind: Kind::Message, line: 1, text: text.clone() });
                passages
            }
            Some("py") => hashed(&text, true),
            Some("sh" | "toml" | "yaml" | "yml") => hashed(&text, false),
            _ if text.starts_with("#!") => {
                hashed(&text, text.lines().next().is_some_and(|line| line.contains("python")))
            }
            _ => return None,
        };
        Some(Self { path: name, text, passages })
    }

    /// The counted words of the passages of some kinds: their number, and the vague ones.
    pub fn count(&self, kinds: &[Kind]) -> (usize, Vec<Hit>) {
        let (mut total, mut vague) = (0, Vec::new());
        for passage in self.passages.iter().filter(|passage| kinds.contains(&passage.kind)) {
            let words = words(passage);
            total += words.iter().filter(|word| word.counts()).count();
            vague.extend(found(&words, VAGUE));
        }
        vague.sort_by_key(|hit| hit.line);
        (total, vague)
    }

    /// The banned phrases and openings of all passages.
    pub fn banned(&self) -> Vec<Hit> {
        let mut hits = Vec::new();
        for passage in &self.passages {
            let words = words(passage);
            hits.extend(found(&words, BANNED));
            if passage.kind != Kind::Message {
                hits.extend(openings(&words));
            }
        }
        hits.sort_by_key(|hit| hit.line);
        hits
    }

    /// The numbers of Markdown lines of more than `limit` characters. Tables, code blocks and lone links may be longer.
    pub fn long_lines(&self, limit: usize) -> Vec<usize> {
        if !self.passages.iter().any(|passage| passage.kind == Kind::Markdown) {
            return Vec::new();
        }
        let mut fence = Fence::default();
        let is_long = |line: &str| {
            let line = line.trim_start();
            let is_link = line.starts_with('[') && line.contains("]: ") || !line.contains(' ') && line.contains("](");
            !line.starts_with('|') && !is_link && !line.starts_with("http")
        };
        let lines = self.text.lines().enumerate().filter(|(_, line)| !fence.covers(line));
        lines.filter(|(_, line)| line.chars().count() > limit && is_long(line)).map(|(index, _)| index + 1).collect()
    }
}

/// The prose files below `root`, sorted by path. Build outputs, hidden folders and test data are left out, and so are the
/// license texts of others.
pub fn files(root: &Path) -> Vec<File> {
    const SKIPPED: &[&str] =
        &["target", "corpus", "artifacts", "snapshots", "vectors", "themes", "__pycache__", "THIRD-PARTY-NOTICES.md"];
    fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if SKIPPED.contains(&name.as_str()) || name.starts_with('.') && name != ".github" {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => walk(&entry.path(), paths),
                Ok(kind) if kind.is_file() => paths.push(entry.path()),
                _ => {}
            }
        }
    }
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    paths.iter().filter_map(|path| File::read(root, path)).collect()
}

/// Reports whether a source file holds tests alone, so that its strings are not messages.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Splits Rust into its comments and, where `only_comments` is not set, its string literals. Literals behind the first
/// `#[cfg(test)]` module are test data and left out.
pub fn rust(source: &str, only_comments: bool) -> Vec<Passage> {
    let messages_end = if only_comments { 0 } else { source.find("#[cfg(test)]\nmod ").unwrap_or(source.len()) };
    let mut passages: Vec<Passage> = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, token) = token(rest, source[..at].chars().next_back());
        let lexeme = &rest[..length];
        match token {
            Token::Comment(kind, marker) => {
                let text = &lexeme[marker..];
                let last = passages.last_mut();
                match last.filter(|last| last.kind == kind && last.line + last.text.lines().count().max(1) == line) {
                    Some(last) => {
                        // An empty line is written with a blank, so that `lines` counts it.
                        last.text.push('\n');
                        last.text.push_str(if text.is_empty() { " " } else { text });
                    }
                    None => passages.push(Passage { kind, line, text: text.to_owned() }),
                }
            }
            Token::String if at < messages_end => {
                passages.push(Passage { kind: Kind::Message, line, text: lexeme.replace("\\n", "\n") });
            }
            Token::String | Token::Other => {}
        }
        line += lexeme.matches('\n').count();
        at += length;
    }
    passages
}

enum Token {
    /// Its kind, and the length of its marker.
    Comment(Kind, usize),
    String,
    Other,
}

/// The first token of `rest` and its length in bytes. `before` is the character before it.
fn token(rest: &str, before: Option<char>) -> (usize, Token) {
    let end_of =
        |needle: &str, from: usize| rest[from..].find(needle).map_or(rest.len(), |end| from + end + needle.len());
    if rest.starts_with("//") {
        let end = rest.find('\n').unwrap_or(rest.len());
        let (kind, marker) = match rest {
            _ if rest.starts_with("//!") => (Kind::ModuleDoc, 3),
            _ if rest.starts_with("///") && !rest.starts_with("////") => (Kind::Doc, 3),
            _ => (Kind::Comment, 2),
        };
        return (end, Token::Comment(kind, marker));
    }
    if rest.starts_with("/*") {
        return (end_of("*/", 2), Token::Comment(Kind::Comment, 2));
    }
    if !before.is_some_and(|character| character.is_alphanumeric() || character == '_') {
        let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).unwrap_or("");
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let from = rest.len() - raw.len() + hashes + 1;
            return (end_of(&format!("\"{}", "#".repeat(hashes)), from), Token::String);
        }
    }
    if let Some(literal) = rest.strip_prefix('"') {
        return (1 + quoted(literal, '"'), Token::String);
    }
    if let Some(literal) = rest.strip_prefix('\'') {
        // A lifetime has no closing quote.
        if literal.starts_with('\\') || literal.chars().nth(1) == Some('\'') {
            return (1 + quoted(literal, '\''), Token::Other);
        }
    }
    (rest.chars().next().map_or(1, char::len_utf8), Token::Other)
}

/// The length of a literal up to its closing quote, and with it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The `#` comments of a script or of settings, one passage for each run of lines. Docstrings count as comments.
fn hashed(source: &str, docstrings: bool) -> Vec<Passage> {
    let mut passages: Vec<Passage> = Vec::new();
    let mut inside = false;
    for (index, line) in source.lines().enumerate() {
        let quotes = if docstrings { line.matches("\"\"\"").count() } else { 0 };
        let comment = if inside || quotes > 0 {
            Some(line.trim().trim_matches('"'))
        } else {
            line.trim_start().strip_prefix('#').or_else(|| line.split_once(" # ").map(|(_, comment)| comment))
        };
        inside ^= quotes % 2 == 1;
        let Some(text) = comment.filter(|_| !line.starts_with("#!")) else { continue };
        let text = if text.is_empty() { " " } else { text };
        match passages.last_mut().filter(|last| last.line + last.text.lines().count() == index + 1) {
            Some(last) => last.text.extend(["\n", text]),
            None => passages.push(Passage { kind: Kind::Comment, line: index + 1, text: text.to_owned() }),
        }
    }
    passages
}

/// The state of fenced code while lines are read one after another.
#[derive(Default)]
struct Fence(Option<&'static str>);

impl Fence {
    /// Reports whether the line is code or the fence itself.
    fn covers(&mut self, line: &str) -> bool {
        let line = line.trim_start();
        let marker = ["```", "~~~"].into_iter().find(|marker| line.starts_with(marker));
        match (self.0, marker) {
            (None, Some(marker)) => self.0 = Some(marker),
            (Some(open), Some(marker)) if open == marker => self.0 = None,
            (None, None) => return false,
            _ => {}
        }
        true
    }
}

/// A word of a passage.
struct Word {
    line: usize,
    /// Without punctuation around it. It is empty where code stood, and between paragraphs.
    text: String,
    /// Punctuation behind it: no phrase goes beyond it.
    ends: bool,
}

impl Word {
    fn counts(&self) -> bool {
        self.text.contains(char::is_alphabetic)
    }
}

/// The words of a passage outside its code, links' targets and HTML comments.
fn words(passage: &Passage) -> Vec<Word> {
    let mut fence = Fence::default();
    let is_message = passage.kind == Kind::Message;
    let mut prose = String::with_capacity(passage.text.len());
    for line in passage.text.lines() {
        let is_definition = line.trim_start().starts_with('[') && line.contains("]: ");
        if !is_message && (fence.covers(line) || is_definition) {
            prose.push('`');
        } else {
            prose.push_str(line);
        }
        prose.push('\n');
    }
    let mut words = Vec::new();
    for (index, line) in without_code(&prose).lines().enumerate() {
        let line_number = passage.line + index;
        if line.trim().is_empty() {
            words.push(Word { line: line_number, text: String::new(), ends: true });
        }
        for word in line.split_whitespace().filter(|word| !(is_message && *word == "\\")) {
            let text = word.trim_matches(|character: char| !character.is_alphanumeric());
            let ends = word.ends_with(|character: char| !character.is_alphanumeric());
            let text = if word.contains("://") { "" } else { text };
            words.push(Word { line: line_number, text: text.to_owned(), ends });
        }
    }
    words
}

/// The text with code spans, links' targets, templates' code and HTML comments replaced by a backtick each. Line ends stay.
fn without_code(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ticks = rest.len() - rest.trim_start_matches('`').len();
        let (from, end) = match first {
            '`' => (ticks, rest[ticks..].find(&rest[..ticks]).map(|end| end + 2 * ticks)),
            ']' if rest.starts_with("](") => (2, rest.find(')').map(|end| end + 1)),
            '{' if rest.starts_with("{%") => (2, rest.find("%}").map(|end| end + 2)),
            '<' if rest.starts_with("<!--") => (4, rest.find("-->").map(|end| end + 3)),
            _ => (first.len_utf8(), None),
        };
        // Code spans and targets do not go beyond their paragraph.
        if let Some(end) = end.filter(|end| first == '<' || !rest[..*end].contains("\n\n")) {
            left.push('`');
            left.extend(rest[..end].chars().filter(|character| *character == '\n'));
            rest = &rest[end..];
        } else {
            left.push_str(&rest[..from]);
            rest = &rest[from..];
        }
    }
    left
}

/// The phrases among the words, in any case of letters.
fn found(words: &[Word], phrases: &[&'static str]) -> Vec<Hit> {
    let matches = |at: usize, phrase: &str| {
        let mut parts = phrase.split(' ').enumerate();
        parts.all(|(index, part)| {
            let word = words.get(at + index).filter(|word| word.text.eq_ignore_ascii_case(part));
            word.is_some() && (index == 0 || !words[at + index - 1].ends)
        })
    };
    hits(words, phrases, matches)
}

/// The banned openings among the words. A capital letter marks the beginning of a sentence.
fn openings(words: &[Word]) -> Vec<Hit> {
    hits(words, OPENINGS, |at, phrase| {
        let mut parts = phrase.split(' ').enumerate();
        parts.all(|(index, part)| words.get(at + index).is_some_and(|word| word.text == part))
    })
}

/// The places at which a phrase begins.
fn hits(words: &[Word], phrases: &[&'static str], begins: impl Fn(usize, &str) -> bool) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| !word.text.is_empty()) {
        hits.extend(phrases.iter().filter(|phrase| begins(at, phrase)).map(|phrase| Hit { line: word.line, phrase }));
    }
    hits
}
