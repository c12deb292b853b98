//! Texts with runs of formatting, and the texts that cells share.

use super::archive::Unpacked;
use super::error::WorkbookError;
use super::escapes::resolve;
use super::xml::{LARGEST_PIECE, Piece, Xml};

/// Reads the rest of an element that holds a text: plain, or in runs. Its pronunciation is left out.
pub(super) fn read(xml: &mut Xml, element: &str) -> Result<String, WorkbookError> {
    let (mut text, mut is_text, mut spoken) = (String::new(), false, false);
    loop {
        match xml.next()? {
            Piece::Open(tag) => match tag.name() {
                "rPh" => spoken = true,
                "t" => is_text = !spoken,
                _ => {}
            },
            Piece::Close("rPh") => spoken = false,
            Piece::Close("t") => is_text = false,
            Piece::Close(name) if name == element => return Ok(resolve(text)),
            Piece::Text(piece) if is_text => {
                text.push_str(&piece);
                if text.len() > LARGEST_PIECE {
                    let what = format!("a text has more than {} MiB", LARGEST_PIECE >> 20);
                    return Err(WorkbookError::too_large(what));
                }
            }
            Piece::Text(_) | Piece::Close(_) => {}
            Piece::End => return Err(WorkbookError::damaged("a part ends in the middle of a text")),
        }
    }
}

/// The texts that cells share, each named by its number.
#[derive(Default)]
pub(super) struct SharedTexts {
    all: String,
    /// The end of each text.
    ends: Vec<usize>,
}

/// Bytes of all shared texts, at most.
const LARGEST: usize = 1 << 30;

impl SharedTexts {
    pub fn read(part: Unpacked) -> Result<Self, WorkbookError> {
        let (mut shared, mut xml) = (Self::default(), Xml::new(part));
        loop {
            match xml.next()? {
                Piece::Open(tag) if tag.name() == "si" => {}
                Piece::End => return Ok(shared),
                _ => continue,
            }
            shared.all.push_str(&read(&mut xml, "si")?);
            shared.ends.push(shared.all.len());
            if shared.all.len() + shared.ends.len() * size_of::<usize>() > LARGEST {
                let what = format!("its shared texts take more than {} MiB of memory", LARGEST >> 20);
                return Err(WorkbookError::too_large(what));
            }
        }
    }

    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.all[start..end])
    }
}
