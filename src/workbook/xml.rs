//! XML, read piece by piece and within limits. Declarations of document types, and so entities of their own, are refused.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::archive::Unpacked;
use super::error::WorkbookError;

/// A part that is read.
pub(super) struct Xml {
    reader: Reader<Bounded>,
    buffer: Vec<u8>,
    /// The name of the element that ended last.
    closed: String,
    depth: usize,
}

/// A piece of XML.
pub(super) enum Piece<'xml> {
    /// An element begins.
    Open(Tag<'xml>),
    /// An element ends. Its name, without a prefix.
    Close(&'xml str),
    /// A text, or a part of it.
    Text(Cow<'xml, str>),
    /// The part ends.
    End,
}

/// The beginning of an element.
pub(super) struct Tag<'xml>(BytesStart<'xml>);

/// Elements within one another, at most.
const DEEPEST: usize = 256;

/// Bytes of a piece, at most.
pub(super) const LARGEST_PIECE: usize = 16 << 20;

impl Xml {
    pub fn new(part: Unpacked) -> Self {
        let bounded = Bounded { inner: BufReader::with_capacity(1 << 16, part), left: LARGEST_PIECE };
        let mut reader = Reader::from_reader(bounded);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), closed: String::new(), depth: 0 }
    }

    /// Reads the next piece.
    pub fn next(&mut self) -> Result<Piece<'_>, WorkbookError> {
        self.buffer.clear();
        self.reader.get_mut().left = LARGEST_PIECE;
        match self.reader.read_event_into(&mut self.buffer).map_err(failed)? {
            Event::Start(tag) | Event::Empty(tag) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    let what = format!("elements lie more than {DEEPEST} deep within one another");
                    return Err(WorkbookError::damaged(what));
                }
                Ok(Piece::Open(Tag(tag)))
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.closed.clear();
                self.closed.push_str(tag.local_name().into_inner());
                Ok(Piece::Close(&self.closed))
            }
            Event::Text(text) => Ok(Piece::Text(normal(text.into_inner()))),
            Event::CData(text) => Ok(Piece::Text(normal(text.into_inner()))),
            Event::GeneralRef(name) => {
                let character = name.resolve_char_ref().map_err(failed)?.or(match &*name {
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "amp" => Some('&'),
                    "apos" => Some('\''),
                    "quot" => Some('"'),
                    _ => None,
                });
                let character = character.ok_or_else(|| WorkbookError::damaged("it uses an entity that XML lacks"))?;
                Ok(Piece::Text(character.to_string().into()))
            }
            Event::DocType(_) => Err(WorkbookError::damaged("it declares a document type, as no workbook does")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => Ok(Piece::Text("".into())),
            Event::Eof if self.depth > 0 => Err(WorkbookError::damaged("a part ends in the middle of an element")),
            Event::Eof => Ok(Piece::End),
        }
    }

    /// Reads the rest, so that its checksum is compared.
    pub fn finish(&mut self) -> Result<(), WorkbookError> {
        Ok(io::copy(&mut self.reader.get_mut().inner, &mut io::sink()).map(|_| ())?)
    }

    /// Returns the share of the part that was read, as bytes of bytes before unpacking.
    pub fn progress(&self) -> (u64, u64) {
        self.reader.get_ref().inner.get_ref().progress()
    }
}

/// Returns a text whose lines end as XML wants it: by a newline alone.
fn normal(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text }
}

fn failed(error: quick_xml::Error) -> WorkbookError {
    match error {
        quick_xml::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(inner) => WorkbookError::clone(inner),
            None => WorkbookError::damaged(error),
        },
        other => WorkbookError::damaged(other),
    }
}

impl Tag<'_> {
    /// Returns the name without its prefix.
    pub fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// Returns the value of an attribute without a prefix.
    pub fn value(&self, name: &str) -> Option<String> {
        self.find(|key| key == name)
    }

    /// Returns the value of an attribute with a prefix, whichever it is.
    pub fn prefixed(&self, name: &str) -> Option<String> {
        self.find(|key| key.split_once(':').is_some_and(|(_, local)| local == name))
    }

    /// Returns the value of an attribute as a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.trim().parse().ok()
    }

    /// Reports whether an attribute is true.
    pub fn is(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| matches!(value.trim(), "1" | "true"))
    }

    fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut attributes = self.0.attributes();
        let found = attributes.with_checks(false).flatten().find(|attribute| wanted(attribute.key.as_ref()))?;
        found.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned)
    }
}

/// The bytes of a part. A single piece cannot take more of them than a limit.
struct Bounded {
    inner: BufReader<Unpacked>,
    left: usize,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into)
    }
}

impl BufRead for Bounded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let what = format!("a text or a tag has more than {} MiB", LARGEST_PIECE >> 20);
            return Err(WorkbookError::too_large(what).into());
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.inner.consume(count);
    }
}
