//! Prints how vague the prose of the repository is: `vague-words [PATH...]`.
//!
//! Without arguments: words, vague words and vague words per 1,000, for each file (the worst first) and each group. With
//! arguments: the same for the files whose path begins with one of them, and each vague or banned word with its line.

#[path = "prose.rs"]
mod prose;

use std::path::Path;

use prose::files;

fn main() {
    let root = Path::new(option_env!("CARGO_MANIFEST_DIR").unwrap_or("."));
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut files = files(root);
    files.retain(|file| wanted.is_empty() || wanted.iter().any(|path| file.path.starts_with(path)));

    for file in files.iter().filter(|_| !wanted.is_empty()) {
        for hit in file.count(prose::COUNTED).1 {
            println!("{}:{}: {}", file.path, hit.line, hit.phrase);
        }
        for hit in file.banned() {
            println!("{}:{}: banned: {}", file.path, hit.line, hit.phrase);
        }
        if file.is_markdown() {
            for line in file.long_lines(prose::WIDTH) {
                println!("{}:{line}: more than {} columns", file.path, prose::WIDTH);
            }
        }
    }

    let mut rows: Vec<Figures> = files.iter().map(|file| Figures::of(&file.path, file.count(prose::COUNTED))).collect();
    rows.retain(|row| row.words > 0);
    rows.sort_by(|a, b| b.rate().total_cmp(&a.rate()).then_with(|| a.name.cmp(&b.name)));
    println!("{:<50} {:>8} {:>6} {:>9}", "file", "words", "vague", "per 1,000");
    rows.iter().for_each(Figures::print);

    println!();
    for group in prose::GROUPS {
        let mut sum = Figures::of(group.name, (0, Vec::new()));
        for file in files.iter().filter(|file| (group.holds)(&file.path)) {
            sum.add(file.count(group.kinds));
        }
        sum.print();
    }
    let mut total = Figures::of("total", (0, Vec::new()));
    for file in &files {
        total.add(file.count(prose::COUNTED));
    }
    total.print();
}

/// A line of the table.
struct Figures {
    name: String,
    words: usize,
    vague: usize,
}

impl Figures {
    fn of(name: &str, (words, vague): (usize, Vec<prose::Hit>)) -> Self {
        Self { name: name.to_owned(), words, vague: vague.len() }
    }

    fn add(&mut self, (words, vague): (usize, Vec<prose::Hit>)) {
        self.words += words;
        self.vague += vague.len();
    }

    fn rate(&self) -> f64 {
        prose::per_thousand(self.vague, self.words)
    }

    fn print(&self) {
        println!("{:<50} {:>8} {:>6} {:>9.1}", self.name, self.words, self.vague, self.rate());
    }
}
