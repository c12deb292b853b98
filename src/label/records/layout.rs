//! The layout of an input: its format, and the separator of a table.

use std::path::Path;

use super::dialect::{self, in_words};
use super::format::InputFormat;
use super::notice::Notice;
use super::record_fields::RecordFields;
use super::start::{Guess, guess};
use crate::hint::{Hint, Setting};

/// The format of an input, and how its fields are separated.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::label) struct Layout {
    pub format: InputFormat,
    /// The separator of a table, if it was named or is not the usual one.
    pub separator: Option<u8>,
    /// Notes on what may surprise people.
    pub notes: Vec<Notice>,
}

impl Layout {
    /// Finds the layout of an input that begins like this. `whole`: nothing follows. `format`: the format that was named.
    ///
    /// # Errors
    ///
    /// A [`Notice`], as [`guess`] gives; or a separator was named for a format without one.
    pub fn of(
        start: &[u8],
        whole: bool,
        path: Option<&Path>,
        format: Option<InputFormat>,
        wanted: &RecordFields,
    ) -> Result<Self, Notice> {
        let Guess { format: guessed, separator, note } = match format {
            Some(format) => Guess { format, separator: None, note: None },
            None => guess(start, whole, path, wanted)?,
        };
        let mut notes: Vec<Notice> = note.into_iter().collect();
        if !matches!(guessed, InputFormat::Csv | InputFormat::Tsv) {
            return match wanted.separator {
                Some(_) => {
                    let hint = Hint::new("leave out ").setting(Setting::Delimiter).text(", or give ");
                    let notice = Notice::new("a separator is given, and it is not read as CSV");
                    Err(notice.with_hint(hint.value(Setting::Format, "csv")))
                }
                None => Ok(Self { format: guessed, separator: None, notes }),
            };
        }
        // A format that was named as TSV has tabs.
        let own = guessed.separator();
        let found = match (wanted.separator, separator) {
            (Some(named), _) => named,
            (None, Some(found)) => found,
            (None, None) if format == Some(InputFormat::Tsv) => own,
            (None, None) => {
                let found = dialect::separator(start, whole, own, wanted);
                if found != own {
                    notes.push(Notice::about(format!("is separated by {}", in_words(found))));
                }
                found
            }
        };
        let is_said = wanted.separator.is_some() || found != own;
        Ok(Self { format: guessed, separator: is_said.then_some(found), notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(start: &str, name: &str, format: Option<InputFormat>, separator: Option<u8>) -> Result<Layout, Notice> {
        let wanted = RecordFields { separator, ..RecordFields::default() };
        Layout::of(start.as_bytes(), true, Some(Path::new(name)), format, &wanted)
    }

    #[test]
    fn a_separator_is_found_in_files_whose_name_or_flag_tells_that_they_are_tables() {
        let layout = of("id;text\n1;a\n", "posts.csv", None, None).unwrap();
        assert_eq!((layout.format, layout.separator), (InputFormat::Csv, Some(b';')));
        assert_eq!(layout.notes[0].clone().of_input("posts.csv").message, "posts.csv is separated by \";\"");
        assert_eq!(of("id,text\n", "a.tsv", None, None).unwrap().separator, Some(b','));
        assert_eq!(of("id,text\n", "a", Some(InputFormat::Tsv), None).unwrap().separator, None);
        assert_eq!(of("id;text\n", "a", Some(InputFormat::Csv), None).unwrap().separator, Some(b';'));
        assert_eq!(of("id,text\n", "a.csv", None, None).unwrap().separator, None);
    }

    #[test]
    fn a_separator_that_is_named_holds_and_makes_a_table() {
        let layout = of("id;text\n1;a\n", "a.csv", None, Some(b',')).unwrap();
        assert_eq!((layout.separator, layout.notes.len()), (Some(b','), 0));
        for name in ["a.txt", "a", "a.dat"] {
            assert_eq!(of("id#text\n", name, None, Some(b'#')).unwrap().format, InputFormat::Csv, "{name}");
        }
        assert!(of("{\"text\":1}\n", "a.jsonl", None, Some(b';')).is_err());
        assert!(of("a\n", "a", Some(InputFormat::Lines), Some(b';')).is_err());
    }
}
