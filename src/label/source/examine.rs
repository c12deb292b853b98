//! Examining an input before its records are read: its encoding, its layout and its columns.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use super::error::SourceError;
use super::input_file::Input;
use crate::hint::{Hint, Setting};
use crate::label::decode::decoded;
use crate::label::records::{
    Census, Encoding, InputFormat, LARGEST, Layout, Names, Notice, RecordFields, Seen, Text, each_element, in_quotes,
};
use crate::label::unpack::{BUFFER, unpacked};

/// Bytes of an input that are examined, at most. This part of a file is read twice.
const EXAMINED: u64 = 64 << 20;

impl Input {
    /// Returns the encoding of an input with this beginning, and a note on any but UTF-8. `whole`: nothing follows.
    pub(super) fn encoding(&self, start: &[u8], whole: bool) -> Result<(Encoding, Option<Notice>), SourceError> {
        if let Some(encoding) = Encoding::of_start(start) {
            let note =
                (encoding != Encoding::UTF_8).then(|| Notice::new(format!("{} is read as {encoding}", self.name)));
            return Ok((encoding, note));
        }
        let mut census = Census::default();
        census.take(start);
        if whole {
            census.end();
        } else if !census.is_clear()
            && let Some(stream) = self.again()
        {
            census = Census::default();
            // An error will come again when the records are read.
            let _ = take_census(stream, &mut census);
        }
        let encoding = census.guess().map_err(|notice| self.refused(notice))?;
        let hint = || Hint::of_value(Setting::Encoding, "NAME").text(" chooses another encoding");
        let note = || Notice::new(format!("{} is not UTF-8, and is read as {encoding}", self.name)).with_hint(hint());
        Ok((encoding, (encoding != Encoding::UTF_8).then(note)))
    }

    /// Looks for wanted columns of JSON in all of a file, if the records at its start lack one.
    pub(super) fn look_further(&self, seen: Seen, format: InputFormat, wanted: &RecordFields) -> Seen {
        let missing: Vec<&str> =
            wanted.text.columns().into_iter().chain(wanted.id.as_deref()).filter(|name| !seen.has(name)).collect();
        if seen.whole || missing.is_empty() {
            return seen;
        }
        let Some(stream) = self.again() else { return seen };
        let mut further = Seen::default();
        let stream = decoded(stream, wanted.encoding.unwrap_or(Encoding::UTF_8));
        let found = match format {
            InputFormat::Json => each_element(stream, EXAMINED, |element| {
                further.take(element);
                !missing.iter().all(|name| further.has(name))
            }),
            _ => find_columns(stream, &missing, &mut further),
        };
        match found {
            Ok(whole) => {
                further.whole = whole;
                further
            }
            Err(_) => seen,
        }
    }

    /// Returns a file's text from its beginning, unpacked. `None` for a stream, which cannot be read twice.
    fn again(&self) -> Option<Box<dyn BufRead + Send>> {
        self.size()?;
        let file = File::open(self.path()?).ok()?;
        unpacked(BufReader::with_capacity(BUFFER, file)).ok().map(|(stream, _)| stream)
    }
}

fn take_census(mut stream: impl BufRead, census: &mut Census) -> io::Result<()> {
    let mut examined = 0;
    while examined < EXAMINED && !census.is_clear() {
        let part = stream.fill_buf()?;
        let count = part.len();
        if count == 0 {
            census.end();
            break;
        }
        census.take(part);
        stream.consume(count);
        examined += count as u64;
    }
    Ok(())
}

/// Collects columns until all that are missing were seen. Reports whether the input ended before.
fn find_columns(mut stream: impl BufRead, missing: &[&str], seen: &mut Seen) -> io::Result<bool> {
    let (mut examined, mut line) = (0, Vec::new());
    while examined < EXAMINED && !missing.iter().all(|name| seen.has(name)) {
        line.clear();
        let read = (&mut stream).take(LARGEST as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(true);
        }
        examined += read as u64;
        seen.take(&line);
    }
    Ok(false)
}

/// Returns the notes on how an input is laid out, and on a column that is judged for want of `text`.
pub(super) fn notes(input: &str, layout: &Layout, assumed: Option<&str>) -> Vec<Notice> {
    let layout = layout.notes.iter().map(|note| note.clone().of_input(input));
    layout.chain(assumed.map(|name| note_of_assumed(input, name))).collect()
}

/// Returns the note on a column that is judged for want of `text`.
pub(super) fn note_of_assumed(input: &str, name: &str) -> Notice {
    Notice::new(format!("{input} has no column \"text\", so the column {} is judged", in_quotes(name)))
}

/// Returns the column of JSON that has the name `text` in other letters, if only that one has and no flag names another.
pub(super) fn assumed(seen: &Seen, wanted: &RecordFields) -> Option<String> {
    if wanted.text != Text::Unsaid || seen.has("text") {
        return None;
    }
    let names: Vec<&str> = seen.names.iter().map(String::as_str).collect();
    Names::Object(&names).only_near("text").map(str::to_owned)
}
