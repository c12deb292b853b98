//! The arrows between files: from each file to the files that it uses, read from the source.
//!
//! A path is resolved to the file that defines the item, through `use` and `pub use`. A module that only re-exports its
//! children has no arrow to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A file's module path: `engine::item`, or the empty path of `lib.rs` and `main.rs`.
pub type Module = Vec<String>;

/// A source file: its name from `src`, its code without comments, strings and tests.
pub struct Source {
    pub name: String,
    pub module: Module,
    code: String,
    uses: Vec<Use>,
}

/// One leaf of a `use` tree.
struct Use {
    path: Vec<String>,
    name: String,
    public: bool,
}

/// The files of `src` and their arrows: from a file to each file that it uses.
pub struct Arrows {
    pub sources: BTreeMap<Module, Source>,
    pub arrows: BTreeMap<Module, BTreeSet<Module>>,
}

impl Arrows {
    /// Reads a folder `src`; `more` are files that are not there, with their names and texts.
    pub fn read(root: &Path, more: &[(&str, &str)]) -> Self {
        let mut files = files(root);
        files.extend(more.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
        let sources: BTreeMap<_, _> = files
            .into_iter()
            .filter(|(name, _)| !name.contains("tests") && name != "lib.rs" && name != "main.rs")
            .map(|(name, text)| Source::parse(name, &text))
            .map(|source| (source.module.clone(), source))
            .collect();
        let mut arrows = BTreeMap::new();
        for (module, source) in &sources {
            let targets = source.paths().into_iter().filter_map(|path| define(&sources, module, &path, 0));
            arrows.insert(module.clone(), targets.filter(|target| target != module).collect::<BTreeSet<_>>());
        }
        Self { sources, arrows }
    }

    /// Returns the groups of files that use one another in a circle.
    pub fn circles(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<&Module, BTreeSet<&Module>> =
            self.arrows.keys().map(|module| (module, self.reachable(module))).collect();
        let mut circles = BTreeSet::new();
        for (module, reached) in &reach {
            if reached.contains(module) {
                let mutual = reached.iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(module)));
                circles.insert(mutual.map(|module| self.sources[*module].name.clone()).collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }

    fn reachable(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<_> = self.arrows[from].iter().collect();
        while let Some(module) = open.pop() {
            if reached.insert(module) {
                open.extend(self.arrows.get(module).into_iter().flatten());
            }
        }
        reached
    }
}

impl Source {
    fn parse(name: String, text: &str) -> Self {
        let code = without_comments_and_strings(text.split("#[cfg(test)]\nmod ").next().unwrap_or_default());
        let code = without_visibilities(&code);
        let module = name.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect();
        let mut uses = Vec::new();
        let mut rest = String::new();
        let mut tail = code.as_str();
        while let Some(start) = find_use(tail) {
            let end = start + tail[start..].find(';').expect("a `use` ends");
            let line = tail[..start].rfind('\n').map_or(0, |at| at + 1);
            let public = tail[line..start].contains("pub");
            rest.push_str(&tail[..line]);
            leaves(tail[start + 4..end].trim(), &[], public, &mut uses);
            tail = &tail[end + 1..];
        }
        rest.push_str(tail);
        Self { name, module, code: rest, uses }
    }

    /// Returns all paths that the file spells, those of its own re-exports left out.
    fn paths(&self) -> Vec<Vec<String>> {
        let reexport = |one: &&Use| one.public && !matches!(one.path[0].as_str(), "crate" | "super" | "magistrate");
        let mut paths: Vec<_> = self.uses.iter().filter(|one| !reexport(one)).map(|one| one.path.clone()).collect();
        let bytes = self.code.as_bytes();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let mut at = 0;
        while at < bytes.len() {
            if !word(bytes[at]) {
                at += 1;
                continue;
            }
            let mut path = Vec::new();
            loop {
                let start = at;
                while at < bytes.len() && word(bytes[at]) {
                    at += 1;
                }
                path.push(self.code[start..at].to_owned());
                if self.code[at..].starts_with("::") && bytes.get(at + 2).copied().is_some_and(word) {
                    at += 2;
                } else {
                    break;
                }
            }
            if path.len() > 1 {
                paths.push(path);
            }
        }
        paths
    }
}

/// Returns the file that defines what `path` means in `module`.
fn define(sources: &BTreeMap<Module, Source>, module: &Module, path: &[String], depth: usize) -> Option<Module> {
    // Imports that lead to one another would never end.
    if depth > 12 {
        return None;
    }
    let first = path[0].as_str();
    let (mut at, mut rest) = match first {
        "crate" | "magistrate" => (Vec::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => (module[..module.len() - 1].to_vec(), &path[1..]),
        _ => {
            let mut child = module.clone();
            child.push(path[0].clone());
            if sources.contains_key(&child) {
                (child, &path[1..])
            } else {
                let name = sources.get(module)?.uses.iter().find(|one| one.name == first)?;
                if name.path.len() == 1 && name.path[0] == first {
                    return None;
                }
                let mut whole = name.path.clone();
                whole.extend_from_slice(&path[1..]);
                return define(sources, module, &whole, depth + 1);
            }
        }
    };
    while let Some(next) = rest.first() {
        if next == "super" {
            at.pop();
            rest = &rest[1..];
            continue;
        }
        let mut deeper = at.clone();
        deeper.push(next.clone());
        if !sources.contains_key(&deeper) {
            break;
        }
        (at, rest) = (deeper, &rest[1..]);
    }
    let source = sources.get(&at)?;
    match rest.first() {
        Some(name) => match source.uses.iter().find(|one| &one.name == name) {
            Some(one) if one.path[0] != *name || one.path.len() > 1 => {
                let mut whole = one.path.clone();
                whole.extend_from_slice(&rest[1..]);
                define(sources, &at, &whole, depth + 1).or(Some(at))
            }
            _ => Some(at),
        },
        None => Some(at),
    }
}

fn find_use(code: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = code[from..].find("use ") {
        let at = from + at;
        let line = code[..at].rfind('\n').map_or(0, |start| start + 1);
        let before = code[line..at].trim();
        if before.is_empty() || before == "pub" || (before.starts_with("pub(") && before.ends_with(')')) {
            return Some(at);
        }
        from = at + 4;
    }
    None
}

/// Splits a `use` tree into its leaves.
fn leaves(tree: &str, prefix: &[String], public: bool, into: &mut Vec<Use>) {
    let tree = tree.trim();
    if let Some(brace) = tree.find('{') {
        let mut prefix = prefix.to_vec();
        prefix.extend(tree[..brace].split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
        let inner = &tree[brace + 1..tree.rfind('}').unwrap_or(tree.len())];
        let (mut depth, mut start) = (0, 0);
        for (at, char) in inner.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    leaves(&inner[start..at], &prefix, public, into);
                    start = at + 1;
                }
                _ => {}
            }
        }
        leaves(&inner[start..], &prefix, public, into);
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let mut whole = prefix.to_vec();
    whole.extend(path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
    if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
        whole.pop();
    }
    let Some(last) = whole.last().cloned() else { return };
    into.push(Use { name: alias.map_or(last, str::to_owned), path: whole, public });
}

fn without_comments_and_strings(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut previous = ' ';
    while let Some(char) = chars.next() {
        match char {
            '/' if chars.peek() == Some(&'/') => {
                for next in chars.by_ref() {
                    if next == '\n' {
                        break;
                    }
                }
                out.push('\n');
            }
            '"' => {
                while let Some(next) = chars.next() {
                    match next {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                out.push_str("\"\"");
            }
            '\'' if !previous.is_alphanumeric() => {
                // A character literal ends with a quote; a lifetime does not.
                let mut ahead = chars.clone();
                let first = ahead.next();
                if first == Some('\\') {
                    chars.next();
                    chars.next();
                    for next in chars.by_ref() {
                        if next == '\'' {
                            break;
                        }
                    }
                } else if ahead.next() == Some('\'') {
                    chars.next();
                    chars.next();
                }
            }
            _ => out.push(char),
        }
        previous = char;
    }
    out
}

/// Removes the path of `pub(in crate::room)`. Such a path is not an arrow.
fn without_visibilities(code: &str) -> String {
    let mut parts = code.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + "pub" + part.split_once(')').map_or(part, |(_, rest)| rest))
}

/// Returns the texts of all Rust files below a folder, each with its path from there.
pub fn files(root: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("src is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(root, &path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.strip_prefix(root).expect("inside").display().to_string().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path).expect("text")));
        }
    }
}
