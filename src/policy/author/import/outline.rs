//! The outline of a text: headings, paragraphs, and lists with the text that belongs to each item.
//!
//! The one idea: every line gets one place and keeps its number. An item below an item belongs to it, and so does a
//! line that continues it. The meaning of a heading is not known here.

use std::collections::HashSet;

/// A trimmed line, and its number from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub number: usize,
    pub text: String,
}

/// A heading and the text below it, up to the next heading.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// `None` before the first heading.
    pub heading: Option<Heading>,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(super) struct Heading {
    pub line: Line,
    /// Its words, without the mark.
    pub text: String,
    /// Its level: 1 is the highest.
    pub level: usize,
}

#[derive(Debug)]
pub(super) enum Block {
    Paragraph(Vec<Line>),
    Item(Item),
    /// A line of code, of a table or of a quotation.
    Other(Line),
}

/// An item of a list.
#[derive(Debug)]
pub(super) struct Item {
    pub lines: Vec<Line>,
    /// Its own words, without the mark.
    pub text: String,
    pub children: Vec<Item>,
    indent: usize,
    /// The count of numbers in its mark: `2.1` has two, a bullet zero.
    depth: usize,
}

impl Item {
    /// Returns the item's lines and those of every item below it.
    pub fn all_lines(&self) -> Vec<Line> {
        self.lines.iter().cloned().chain(self.children.iter().flat_map(Self::all_lines)).collect()
    }

    /// Joins the words of the items below it.
    pub fn belongings(&self) -> String {
        let each = |item: &Self| match item.belongings() {
            inner if inner.is_empty() => item.text.trim_end_matches([';', ',']).to_owned(),
            inner => format!("{} ({inner})", item.text.trim_end_matches([':', ';', ','])),
        };
        self.children.iter().map(each).collect::<Vec<_>>().join("; ")
    }

    fn last(&mut self) -> &mut Self {
        if self.children.is_empty() {
            return self;
        }
        let end = self.children.len() - 1;
        self.children[end].last()
    }

    /// Adds an item below this one or below one of its children.
    fn take(&mut self, item: Item) {
        match self.children.last_mut() {
            Some(child) if child.owns(&item) => child.take(item),
            _ => self.children.push(item),
        }
    }

    fn owns(&self, other: &Self) -> bool {
        let deeper = self.depth > 0 && (other.depth == 0 || other.depth > self.depth);
        other.indent > self.indent || (deeper && other.indent >= self.indent)
    }
}

/// Levels below those of `#`: a line in capitals, a line in bold, a number.
const CAPITALS: usize = 7;
const BOLD: usize = 8;
const NUMBERED: usize = 9;

/// Reads the outline of a text.
pub(super) fn outline(text: &str) -> Vec<Section> {
    let lines: Vec<&str> = text.lines().collect();
    let numbered = numbered_headings(&lines);
    let mut reader = Reader { sections: vec![Section::default()], blank: true, item_open: false };
    let (mut fenced, mut index) = (false, 0);
    while let Some(raw) = lines.get(index) {
        let line = Line { number: index + 1, text: raw.trim().to_owned() };
        let bare = line.text.as_str();
        let next = lines.get(index + 1).map_or("", |next| next.trim());
        index += 1;
        if bare.starts_with("```") || bare.starts_with("~~~") {
            fenced = !fenced;
            reader.other(line);
        } else if fenced {
            if !bare.is_empty() {
                reader.other(line);
            }
        } else if bare.is_empty() || is_rule(bare) {
            (reader.blank, reader.item_open) = (true, reader.item_open && bare.is_empty());
        } else if let Some((level, words)) = marked_heading(bare) {
            reader.heading(line.clone(), words, level);
        } else if !next.is_empty()
            && (is_all(next, '=') || (is_all(next, '-') && next.len() > 2))
            && item(raw).is_none()
        {
            index += 1;
            let level = if next.starts_with('=') { 1 } else { 2 };
            reader.heading(line.clone(), bare, level);
        } else if reader.blank && is_in_capitals(bare) && item(raw).is_none() {
            reader.heading(line.clone(), bare, CAPITALS);
        } else if numbered.contains(&(index - 1)) {
            let words = number(bare).map_or(bare, |(_, words)| words);
            reader.heading(line.clone(), words, NUMBERED);
        } else if bare.starts_with(['|', '>']) {
            reader.other(line);
        } else if let Some((indent, depth, words)) = item(raw) {
            let item = Item { lines: vec![line.clone()], text: words.to_owned(), children: Vec::new(), indent, depth };
            reader.item(item);
        } else {
            reader.words(line.clone(), indent_of(raw));
        }
    }
    reader.sections
}

struct Reader {
    sections: Vec<Section>,
    /// True if the previous line was blank.
    blank: bool,
    /// True within a list.
    item_open: bool,
}

impl Reader {
    fn blocks(&mut self) -> &mut Vec<Block> {
        if self.sections.is_empty() {
            self.sections.push(Section::default());
        }
        let last = self.sections.len() - 1;
        &mut self.sections[last].blocks
    }

    fn heading(&mut self, line: Line, words: &str, level: usize) {
        let heading = Heading { text: words.trim_end_matches(':').trim().to_owned(), line, level };
        self.sections.push(Section { heading: Some(heading), blocks: Vec::new() });
        (self.blank, self.item_open) = (true, false);
    }

    fn other(&mut self, line: Line) {
        self.blocks().push(Block::Other(line));
        (self.blank, self.item_open) = (true, false);
    }

    fn item(&mut self, item: Item) {
        let open = self.item_open;
        match self.blocks().last_mut() {
            Some(Block::Item(last)) if open && last.owns(&item) => last.take(item),
            _ => self.blocks().push(Block::Item(item)),
        }
        (self.blank, self.item_open) = (false, true);
    }

    /// Adds a line without a mark. It continues the item or the paragraph before it, or begins a paragraph.
    fn words(&mut self, line: Line, indent: usize) {
        let (blank, open) = (self.blank, self.item_open);
        match self.blocks().last_mut() {
            // `This does not apply to:` starts another list.
            Some(Block::Item(item)) if open && (indent > item.indent || !(blank || line.text.ends_with(':'))) => {
                let last = item.last();
                last.text = format!("{} {}", last.text, line.text);
                last.lines.push(line);
            }
            Some(Block::Paragraph(lines)) if !blank => lines.push(line),
            _ => {
                self.blocks().push(Block::Paragraph(vec![line]));
                self.item_open = false;
            }
        }
        self.blank = false;
    }
}

fn indent_of(line: &str) -> usize {
    line.chars().take_while(|char| char.is_whitespace()).map(|char| if char == '\t' { 4 } else { 1 }).sum()
}

fn is_all(line: &str, sign: char) -> bool {
    !line.is_empty() && line.chars().all(|char| char == sign)
}

/// Recognizes a horizontal rule.
fn is_rule(line: &str) -> bool {
    line.len() > 2 && ['-', '*', '_', '='].iter().any(|sign| is_all(line, *sign))
}

/// Recognizes a heading by its mark: `#`, or a whole line in bold.
fn marked_heading(line: &str) -> Option<(usize, &str)> {
    let level = line.chars().take_while(|char| *char == '#').count();
    if level > 0 {
        return Some((level.min(CAPITALS - 1), line.trim_matches('#').trim()));
    }
    let bold = line.trim_end_matches(':').strip_prefix("**")?.strip_suffix("**")?;
    (!bold.contains("**")).then_some((BOLD, bold.trim()))
}

fn is_in_capitals(line: &str) -> bool {
    let letters = line.chars().filter(|char| char.is_alphabetic()).count();
    letters > 3 && line.len() < 60 && !line.chars().any(char::is_lowercase) && !line.ends_with(['.', '!', '?', ','])
}

/// Reads an item: its indent, the count of numbers in its mark, and its words.
fn item(raw: &str) -> Option<(usize, usize, &str)> {
    let bare = raw.trim();
    let bullet = ["- ", "* ", "+ ", "• ", "– ", "· "].iter().find_map(|bullet| bare.strip_prefix(bullet));
    if let Some(words) = bullet {
        return Some((indent_of(raw), 0, words.trim()));
    }
    number(bare).map(|(path, words)| (indent_of(raw), path.len(), words))
}

/// Reads the numbers of a mark such as `2.`, `2)` or `2.1`, and the words after it.
fn number(line: &str) -> Option<(Vec<u32>, &str)> {
    let (mark, words) = line.split_once([' ', '\t'])?;
    let bare = mark.strip_suffix(['.', ')', ':']).unwrap_or(mark);
    let path: Option<Vec<u32>> = bare.split('.').map(|part| part.parse().ok()).collect();
    let path = path.filter(|path| path.len() > 1 || bare.len() < mark.len())?;
    let words = words.trim();
    // `1.5 million` begins with a number, `2.1 Bait` with a mark.
    let is_mark = bare.len() < mark.len() || path.len() > 2 || !words.starts_with(char::is_lowercase);
    (path.len() <= 4 && !words.is_empty() && is_mark).then_some((path, words))
}

/// Finds the lines that are headings by their numbers: `2. What is not allowed` over `2.1 Bait`.
fn numbered_headings(lines: &[&str]) -> HashSet<usize> {
    // A text that marks its headings by `#` has numbers for its lists.
    if lines.iter().any(|line| line.starts_with('#')) {
        return HashSet::new();
    }
    let numbers: Vec<(usize, Vec<u32>, &str)> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| indent_of(line) == 0)
        .filter_map(|(index, line)| number(line.trim()).map(|(path, words)| (index, path, words)))
        .collect();
    let over: HashSet<u32> =
        numbers.iter().filter(|(_, path, _)| path.len() > 1).filter_map(|(_, path, _)| path.first().copied()).collect();
    let heads: Vec<_> = numbers.iter().filter(|(_, path, _)| path.len() == 1).collect();
    if !heads.iter().any(|(_, path, _)| over.contains(&path[0])) {
        return HashSet::new();
    }
    let is_title = |words: &str| words.split_whitespace().count() <= 8 && !words.ends_with(['.', ';', ',']);
    heads
        .iter()
        .filter(|(_, path, words)| over.contains(&path[0]) || is_title(words))
        .map(|(index, ..)| *index)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows an outline in short: headings by level, items in brackets with those below them.
    fn shape(text: &str) -> String {
        let block = |block: &Block| match block {
            Block::Paragraph(lines) => lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" "),
            Block::Item(item) => format!("[{}|{}]", item.text, item.belongings()),
            Block::Other(line) => format!("<{}>", line.text),
        };
        let section = |section: &Section| {
            let heading = section.heading.as_ref().map(|heading| format!("{}{}: ", heading.level, heading.text));
            let blocks = section.blocks.iter().map(block).collect::<Vec<_>>().join(" ");
            format!("{}{blocks}", heading.unwrap_or_default())
        };
        outline(text).iter().map(section).collect::<Vec<_>>().join(" / ")
    }

    #[test]
    fn every_line_lands_where_it_belongs() {
        for (text, expected) in [
            ("", ""),
            ("# A\nb\nc\n\nd\n", " / 1A: b c d"),
            ("A\n=\nb\n\nC c\n---\n- d", " / 1A: b / 2C c: [d|]"),
            ("- a\n  - b\n    - c\n  - d\n- e", "[a|b (c); d] [e|]"),
            ("- a\n  goes on\n- b\ngoes on\n\nnot b", "[a goes on|] [b goes on|] not b"),
            ("- a\n\n  - b\n\n  more of b\n", "[a|b more of b]"),
            ("1. a\n- b\n- c\n2. d", "[a|b; c] [d|]"),
            ("**Bold**\n- a\n**Bold:** and more", " / 8Bold: [a **Bold:** and more|]"),
            ("HOUSE RULES\n\n- a\n\nNO ADS.", " / 7HOUSE RULES: [a|] NO ADS."),
            (
                "1. Why\nBe kind.\n2. Not allowed\n2.1 Bait: a\n2.2 Ads\n2.2.1 b",
                " / 9Why: Be kind. / 9Not allowed: [Bait: a|] [Ads|b]",
            ),
            ("# A\n1. b\n1.1 C\n2. d", " / 1A: [b|C] [d|]"),
            ("```\n# a\n```\n| b |\n> c", "<```> <# a> <```> <| b |> <> c>"),
            ("3.5 million people\n1.5 is a number", "3.5 million people 1.5 is a number"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }
}
