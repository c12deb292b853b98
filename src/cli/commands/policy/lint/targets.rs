//! The policies that `policy lint` reads: those that are named, and those found in folders.

use std::fs;
use std::path::{Path, PathBuf};

use magistrate::policy::{PolicyLibrary, PolicySource, unlike_a_policy};

use crate::cli::terminal::error::ensure_hint;
use crate::cli::terminal::output;

/// Endings of the files that are looked at in a folder.
const ENDINGS: [&str; 5] = ["yaml", "yml", "md", "markdown", "txt"];

/// Folders of other programs, which hold no policies.
const PASSED: [&str; 2] = ["target", "node_modules"];

/// A policy to lint.
pub struct Target {
    pub source: PolicySource,
    /// Its file. `None` for a shipped policy.
    pub path: Option<PathBuf>,
}

/// The policies to lint, and the files of folders that are none.
pub struct Targets {
    pub found: Vec<Target>,
    skipped: Vec<(String, String)>,
    /// True if folders were searched.
    searched: bool,
}

impl Targets {
    /// Opens what is named: files, folders and shipped policies. Without a name it searches the current folder.
    pub fn find(specs: &[String], shipped: bool) -> Result<Self, anyhow::Error> {
        let mut targets = Self { found: Vec::new(), skipped: Vec::new(), searched: false };
        if shipped {
            for policy in PolicyLibrary::shipped().iter() {
                targets.found.push(Target { source: PolicySource::open(&policy.id)?, path: None });
            }
        }
        for spec in specs {
            if Path::new(spec).is_dir() && PolicySource::path(spec).is_some() {
                targets.search(Path::new(spec))?;
            } else {
                // A file of the user's may have the name of a shipped policy.
                let path = PolicySource::path(spec).map(Path::to_owned);
                targets.found.push(Target { source: PolicySource::open(spec)?, path });
            }
        }
        if specs.is_empty() && !shipped {
            targets.search(Path::new("."))?;
        }
        Ok(targets)
    }

    /// Opens the policies in a folder and below it.
    fn search(&mut self, folder: &Path) -> Result<(), anyhow::Error> {
        self.searched = true;
        let before = self.found.len();
        let mut files = Vec::new();
        walk(folder, &mut files)?;
        for path in files {
            let name = path.strip_prefix(".").unwrap_or(&path).display().to_string();
            match PolicySource::open_file(&path, &name) {
                Err(error) => self.skipped.push((name, error.message().to_owned())),
                Ok(source) => match unlike_a_policy(&name, &source.text) {
                    Some(reason) => self.skipped.push((name, reason.to_owned())),
                    None => self.found.push(Target { source, path: Some(path) }),
                },
            }
        }
        if self.found.len() == before {
            self.print_skipped();
        }
        ensure_hint!(
            self.found.len() > before,
            ("there is no policy in {} or below it", folder.display()),
            "name a file or another folder; --shipped lints the shipped policies"
        );
        Ok(())
    }

    /// Prints which files of the folders were read, and which were passed over.
    pub fn print_notes(&self) {
        if self.searched {
            let names: Vec<&str> = self.found.iter().map(|target| target.source.name.as_str()).collect();
            output::note(&format!("read {}", shortened(&names)));
            self.print_skipped();
        }
    }

    fn print_skipped(&self) {
        if !self.skipped.is_empty() {
            let names: Vec<String> = self.skipped.iter().map(|(name, reason)| format!("{name} ({reason})")).collect();
            output::note(&format!("skipped {}", shortened(&names)));
        }
    }
}

/// Lists the files of a folder and below it that may be policies, in the order of their names.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        // A link to a folder may lead in a circle, and is not followed.
        let kind = entry.file_type()?;
        let path = entry.path();
        if kind.is_dir() && !PASSED.contains(&name.as_str()) {
            // A folder that may not be read is passed over, as by a shell's pattern.
            let _ = walk(&path, files);
        } else if !kind.is_dir() && path.is_file() && has_ending(&path) {
            files.push(path);
        }
    }
    Ok(())
}

fn has_ending(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// Lists the first names, and the number of the others.
fn shortened<T: AsRef<str>>(names: &[T]) -> String {
    /// The most names in a line.
    const MOST: usize = 10;
    let shown: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
