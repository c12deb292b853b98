//! Prints the figures of the style rule of CONTRIBUTING.md: `vague-words [PATH...]`.
//!
//! Without arguments it prints words, vague words and vague words per 1,000, for each file (the worst first) and each group.
//! With arguments it takes the files whose path begins with one of them. It then also lists each vague word, each banned phrase
//! and each Markdown line that is too wide.

#[path = "prose.rs"]
mod prose;

use std::io::{self, Write, stdout};
use std::path::Path;

use prose::{COUNTED, File, GROUPS, Hit, WIDTH, files, per_thousand};

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    // Built by rustc alone, the program does not know the root and reads the current folder.
    let mut files = files(Path::new(option_env!("CARGO_MANIFEST_DIR").unwrap_or(".")));
    files.retain(|file| paths.is_empty() || paths.iter().any(|path| file.path.starts_with(path)));
    // A closed pipe, as of `head`, ends the table early and is no error.
    let _ = print(&files, !paths.is_empty());
}

fn print(files: &[File], with_hits: bool) -> io::Result<()> {
    let out = &mut stdout().lock();
    for file in files.iter().filter(|_| with_hits) {
        for hit in file.count(COUNTED).1 {
            writeln!(out, "{}:{}: {}", file.path, hit.line, hit.phrase)?;
        }
        for hit in file.banned() {
            writeln!(out, "{}:{}: banned: {}", file.path, hit.line, hit.phrase)?;
        }
        for line in file.long_lines(WIDTH) {
            writeln!(out, "{}:{line}: more than {WIDTH} columns", file.path)?;
        }
    }

    let mut rows: Vec<Figures> = files.iter().map(|file| Figures::new(&file.path).plus(&file.count(COUNTED))).collect();
    rows.retain(|row| row.words > 0);
    rows.sort_by(|a, b| b.rate().total_cmp(&a.rate()).then_with(|| a.name.cmp(&b.name)));
    writeln!(out, "{:<50} {:>8} {:>6} {:>9}", "file", "words", "vague", "per 1,000")?;
    for row in rows {
        row.print(out)?;
    }
    writeln!(out)?;
    for group in GROUPS {
        let counts = files.iter().filter(|file| (group.holds)(&file.path)).map(|file| file.count(group.kinds));
        counts.fold(Figures::new(group.name), |sum, count| sum.plus(&count)).print(out)?;
    }
    let counts = files.iter().map(|file| file.count(COUNTED));
    counts.fold(Figures::new("total"), |sum, count| sum.plus(&count)).print(out)
}

/// A line of the table.
struct Figures {
    name: String,
    words: usize,
    vague: usize,
}

impl Figures {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), words: 0, vague: 0 }
    }

    fn plus(self, (words, vague): &(usize, Vec<Hit>)) -> Self {
        Self { words: self.words + words, vague: self.vague + vague.len(), ..self }
    }

    fn rate(&self) -> f64 {
        per_thousand(self.vague, self.words)
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{:<50} {:>8} {:>6} {:>9.1}", self.name, self.words, self.vague, self.rate())
    }
}
