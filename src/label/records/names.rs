//! Names of columns in messages: all of them, and the one that was probably meant.
//!
//! Names come from outside. Characters that a terminal would obey are replaced, and long names and lists are cut.

use super::defect::{Defect, Location};
use crate::hint::{Hint, Setting};
use crate::text::{cut, harmless, nearest};

/// The names of all columns, where one was not found.
#[derive(Clone, Copy)]
pub(in crate::label) enum Names<'names> {
    /// Names of a table, which have numbers from 1.
    Table(&'names [String]),
    /// Names of an object.
    Object(&'names [&'names str]),
}

impl<'names> Names<'names> {
    fn all(&self) -> Vec<&'names str> {
        match self {
            Self::Table(names) => names.iter().map(String::as_str).collect(),
            Self::Object(names) => names.to_vec(),
        }
    }

    /// Returns the problem, without its subject: a column is missing, and these are the others.
    pub fn lack(&self, wanted: &str) -> String {
        let all = self.all();
        let numbered = matches!(self, Self::Table(_));
        let column = match (numbered && wanted.parse::<usize>().is_ok(), all.len()) {
            (false, _) => in_quotes(wanted),
            (true, 1) => format!("{wanted}: there is 1 column"),
            (true, count) => format!("{wanted}: there are {count} columns"),
        };
        match shown(&all, numbered) {
            list if list.is_empty() => format!("has no column {column}, and no other"),
            list => format!("has no column {column}. Columns: {list}"),
        }
    }

    /// Returns the remedy for a missing column of the text.
    pub fn hint(&self, wanted: &str) -> Hint {
        let all = self.all();
        let column = Hint::of_value(Setting::TextColumn, "NAME");
        let numbered = matches!(self, Self::Table(_));
        if let Some(near) = self.near(wanted) {
            return did_you_mean(&in_quotes(near));
        }
        if all.contains(&"custom_id") && all.contains(&"body") {
            return Hint::of_value(Setting::Format, "batch").text(" reads OpenAI Batch requests");
        }
        match likely(&all) {
            Some(place) if numbered => {
                let number = place + 1;
                Hint::of_value(Setting::TextColumn, in_quotes(all[place]))
                    .text(", or ")
                    .value(Setting::TextColumn, number)
            }
            Some(place) => Hint::of_value(Setting::TextColumn, in_quotes(all[place])),
            None if numbered => column.text(", or its number, chooses the column to judge"),
            None => column.text(" chooses the column to judge"),
        }
    }

    /// Returns the first name that differs only in case or in blanks around it, or by a typing mistake.
    pub fn near(&self, wanted: &str) -> Option<&'names str> {
        // The default name is not typed, and two letters are not enough to compare.
        let is_typed = wanted != "text" && wanted.chars().count() > 2;
        self.alike(wanted).next().or_else(|| nearest(wanted, self.all()).filter(|_| is_typed))
    }

    /// Returns that name if it is the only one.
    pub fn only_near(&self, wanted: &str) -> Option<&'names str> {
        let mut alike = self.alike(wanted);
        alike.next().filter(|_| alike.next().is_none())
    }

    fn alike(&self, wanted: &str) -> impl Iterator<Item = &'names str> {
        let plain = |name: &str| name.trim().to_lowercase();
        let wanted = plain(wanted);
        self.all().into_iter().filter(move |name| plain(name) == wanted)
    }
}

/// Returns the place of the column that usually contains the text, if one has such a name.
#[must_use]
pub fn likely(names: &[&str]) -> Option<usize> {
    const USUAL: [&str; 13] = [
        "text",
        "post",
        "body",
        "content",
        "message",
        "comment",
        "tweet",
        "review",
        "prompt",
        "question",
        "answer",
        "caption",
        "description",
    ];
    // A date of a post is no post.
    const OTHER: [&str; 12] =
        ["id", "date", "time", "url", "link", "author", "user", "count", "number", "type", "length", "language"];
    let words = |name: &str| -> Vec<String> {
        name.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).map(str::to_owned).collect()
    };
    let whole = |usual: &&str| names.iter().position(|name| words(name) == [*usual]);
    let part = |usual: &&str| {
        names.iter().position(|name| {
            let words = words(name);
            words.iter().any(|word| word == *usual) && !words.iter().any(|word| OTHER.contains(&word.as_str()))
        })
    };
    USUAL.iter().find_map(whole).or_else(|| USUAL.iter().find_map(part))
}

pub(super) fn missing_text(wanted: &str, names: Names<'_>, place: impl Into<Location>) -> Defect {
    missing("missing-text", wanted, names, place).with_hint(names.hint(wanted))
}

pub(super) fn missing_id(wanted: &str, names: Names<'_>, place: impl Into<Location>) -> Defect {
    let hint = match names.near(wanted) {
        Some(near) => did_you_mean(&in_quotes(near)),
        None => Hint::of_value(Setting::IdColumn, "NAME").text(" chooses the column of the id"),
    };
    missing("missing-id", wanted, names, place).with_hint(hint)
}

/// The defect's subject is the record, or for a table its input, which goes before the message.
fn missing(code: &'static str, wanted: &str, names: Names<'_>, place: impl Into<Location>) -> Defect {
    let subject = if matches!(names, Names::Object(_)) { "the record " } else { "" };
    Defect::new(code, place, format_args!("{subject}{}", names.lack(wanted)))
}

/// Returns the hint that proposes a column, whose name is in quotes.
pub(in crate::label) fn did_you_mean(near: &str) -> Hint {
    Hint::new(format!("did you mean {near}?"))
}

/// Returns the names of columns in words, with their numbers if they have any. Names after the first 50 are only
/// counted.
pub(in crate::label) fn shown(names: &[impl AsRef<str>], numbered: bool) -> String {
    const MOST: usize = 50;
    let name = |(number, name): (usize, &str)| {
        if numbered { format!("{number} {}", in_quotes(name)) } else { in_quotes(name) }
    };
    let mut list: Vec<String> = (1..).zip(names.iter().map(AsRef::as_ref)).take(MOST).map(name).collect();
    if names.len() > MOST {
        list.push(format!("and {} more", names.len() - MOST));
    }
    list.join(", ")
}

/// Returns a name between double quotes, shortened and harmless.
pub(in crate::label) fn in_quotes(name: &str) -> String {
    format!("\"{}\"", short(name))
}

/// Returns a name between backticks, shortened and harmless.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", short(name))
}

fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    cut(&harmless(name), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_shown_with_numbers_short_and_harmless() {
        assert_eq!(shown(&["id", "Post text", "Über"], true), r#"1 "id", 2 "Post text", 3 "Über""#);
        assert_eq!(shown(&["id", "a\u{1B}]0;x\u{7}\u{202E}b"], false), "\"id\", \"a\u{FFFD}]0;x\u{FFFD}\u{FFFD}b\"");
        assert_eq!(shown(&["x".repeat(41)], false), format!("\"{}…\"", "x".repeat(40)));
        assert_eq!(shown(&[""; 0], true), "");
        assert!(shown(&["a"; 52], true).ends_with("50 \"a\", and 2 more"));
    }

    #[test]
    fn a_missing_column_is_reported_with_all_others_and_a_remedy() {
        let names = ["ID", "Post", "Date posted"].map(str::to_owned);
        let words = |defect: Defect| (defect.message, defect.hint.unwrap().to_string());
        let text = |wanted: &str| words(missing_text(wanted, Names::Table(&names), Location::File));
        let columns = r#"Columns: 1 "ID", 2 "Post", 3 "Date posted""#;
        assert_eq!(text("post"), (format!("has no column \"post\". {columns}"), r#"did you mean "Post"?"#.to_owned()));
        assert_eq!(
            text("text"),
            (
                format!("has no column \"text\". {columns}"),
                r#"`RecordFields::text` = "Post", or `RecordFields::text` = 2"#.to_owned()
            )
        );
        assert_eq!(text("9").0, format!("has no column 9: there are 3 columns. {columns}"));
        assert_eq!(
            words(missing_id("id", Names::Table(&names), Location::File)),
            (format!("has no column \"id\". {columns}"), r#"did you mean "ID"?"#.to_owned())
        );
        let (_, requests) = words(missing_text("text", Names::Object(&["custom_id", "body"]), 1));
        assert_eq!(requests, "`InputFormat` = batch reads OpenAI Batch requests");
        let (message, hint) = words(missing_text("text", Names::Object(&["a", "b"]), 4));
        assert_eq!(message, r#"line 4: the record has no column "text". Columns: "a", "b""#);
        assert_eq!(hint, "`RecordFields::text` = NAME chooses the column to judge");
        assert_eq!(
            missing_text("text", Names::Object(&[]), 1).message,
            r#"line 1: the record has no column "text", and no other"#
        );
    }

    #[test]
    fn the_usual_names_of_texts_are_proposed() {
        for (names, expect) in [
            (&["Post ID", "Author", "Date posted", "Post"][..], Some(3)),
            (&["post_id", "post_text", "label"], Some(1)),
            (&["tweet_id", "full_tweet"], Some(1)),
            (&["id", "comment_date", "Kommentar"], None),
            (&["content-type", "message"], Some(1)),
        ] {
            assert_eq!(likely(names), expect, "{names:?}");
        }
    }

    #[test]
    fn a_name_is_near_in_any_case_and_alone_only_once() {
        let names = Names::Object(&["Text", "text ", "Id"]);
        assert_eq!((names.near("text"), names.only_near("text")), (Some("Text"), None));
        assert_eq!(names.only_near("ID"), Some("Id"));
        let names = Names::Object(&["Subject", "Body", "tex"]);
        assert_eq!((names.near("bdy"), names.near("sbuject"), names.near("tx")), (Some("Body"), Some("Subject"), None));
        assert_eq!(names.near("text"), None, "a default name is no typing mistake");
    }
}
