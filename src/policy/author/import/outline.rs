//! The outline of a text: headings, paragraphs, and lists with the text that belongs to each item.
//!
//! The one idea: every line gets one place and keeps its number. An item below an item belongs to it, and so does a
//! line that continues it. The meaning of a heading is not known here.

use super::marks::{
    CAPITALS, Mark, indent_of, is_all, is_in_capitals, is_output_line, is_rule, item, mark, marked_heading, number,
    unmarked_headings,
};

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
    /// Its number in the text, such as `2.1`.
    pub number: Option<String>,
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
    /// Its number in the text, such as `2.1`.
    pub number: Option<String>,
    indent: usize,
    /// The rank of its mark: `(a)` is below `2.1`, and `2.1` below `2.`. Zero for a bullet.
    depth: usize,
}

impl Item {
    /// Makes an item of a paragraph.
    pub fn of(lines: &[Line]) -> Self {
        let text = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join(" ");
        Self { lines: lines.to_vec(), text, children: Vec::new(), number: None, indent: 0, depth: 0 }
    }

    /// Returns the item's lines and those of every item below it.
    pub fn all_lines(&self) -> Vec<Line> {
        self.lines.iter().cloned().chain(self.children.iter().flat_map(Self::all_lines)).collect()
    }

    /// Joins the words of the items below it.
    pub fn belongings(&self) -> String {
        let each = |item: &Self| match item.belongings() {
            inner if inner.is_empty() => item.text.trim_end_matches([';', ',', '.']).to_owned(),
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

/// Reads the outline of a text. `is_title` reports whether words alone on a line are a heading, by their meaning.
pub(super) fn outline(text: &str, is_title: &dyn Fn(&str) -> bool) -> Vec<Section> {
    let lines: Vec<&str> = text.lines().collect();
    let unmarked = unmarked_headings(&lines, is_title);
    let mut reader = Reader { sections: vec![Section::default()], blank: true, item_open: false, letter: None };
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
        } else if let Some(level) = unmarked.get(&(index - 1)) {
            let words = mark(bare).map_or(bare, |(_, words)| words);
            reader.heading(line.clone(), words, *level);
        } else if bare.starts_with(['|', '>']) {
            reader.other(line);
        } else if let Some((mark, words)) = item(raw) {
            let depth = reader.depth(mark);
            let (lines, text, number) = (vec![line.clone()], words.to_owned(), number(bare));
            reader.item(Item { lines, text, children: Vec::new(), number, indent: indent_of(raw), depth });
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
    /// The last letter that marked an item: `(i)` follows `(h)`, or is a Roman one.
    letter: Option<char>,
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
        let text = words.trim_end_matches(':').trim().to_owned();
        let heading = Heading { text, number: number(line.text.trim_start_matches(['#', ' '])), line, level };
        self.sections.push(Section { heading: Some(heading), blocks: Vec::new() });
        (self.blank, self.item_open) = (true, false);
    }

    fn other(&mut self, line: Line) {
        self.blocks().push(Block::Other(line));
        (self.blank, self.item_open) = (true, false);
    }

    /// Returns the rank of an item's mark.
    fn depth(&mut self, mark: Mark) -> usize {
        let Mark::Letter(letter) = mark else { return mark.depth() };
        let follows = |before: char| self.letter == Some(before);
        let is_roman = match letter {
            'i' => !follows('h'),
            'v' => !follows('u'),
            'x' => !follows('w'),
            _ => false,
        };
        if is_roman {
            return Mark::Roman.depth();
        }
        self.letter = Some(letter);
        mark.depth()
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
            _ if is_output_line(&line.text) => self.blocks().push(Block::Paragraph(vec![line])),
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
        outline(text, &|words| words == "Not allowed").iter().map(section).collect::<Vec<_>>().join(" / ")
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
            ("2. Ads\n(a) b\n(b) c\n(i) d\n(ii) e\n- f\n3. g", "[Ads|b; c (d; e (f))] [g|]"),
            ("(g) a\n(h) b\n(i) c", "[a|] [b|] [c|]"),
            (
                "I. Why\nBe kind.\nII. Not allowed\nA. Ads\n1. b\nB. Bait",
                " / 9Why: Be kind. / 9Not allowed: [Ads|b] [Bait|]",
            ),
            ("Be kind.\n\nNot allowed\n- a\nNot allowed:\n- b", "Be kind. / 11Not allowed: [a|] / 11Not allowed: [b|]"),
            ("- a\n  Output: b", "[a|] Output: b"),
            ("```\n# a\n```\n| b |\n> c", "<```> <# a> <```> <| b |> <> c>"),
            ("3.5 million people\n1.5 is a number", "3.5 million people 1.5 is a number"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }
}
