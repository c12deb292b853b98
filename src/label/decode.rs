//! Inputs in other encodings or with other line ends, read as UTF-8 with newlines.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Decoder, DecoderResult};

use super::records::Encoding;
use super::unpack::BUFFER;

/// Returns a stream as UTF-8. A stream that is UTF-8 already is passed on unchanged, with its mark.
pub(in crate::label) fn decoded(stream: Box<dyn BufRead + Send>, encoding: Encoding) -> Box<dyn BufRead + Send> {
    if encoding == Encoding::UTF_8 {
        return stream;
    }
    Box::new(Decoded { stream, decoder: encoding.decoder(), text: Vec::new(), at: 0, ended: false })
}

/// Reports whether an input with this beginning ends its lines by carriage returns alone.
pub(in crate::label) fn ends_lines_by_returns(start: &[u8]) -> bool {
    // The last one may be followed by a newline.
    let before_last = start.len().saturating_sub(1);
    start[..before_last].contains(&b'\r') && !start.contains(&b'\n')
}

/// Returns a stream in which each carriage return is a newline, as old programs of the Macintosh mean it.
pub(in crate::label) fn with_newlines(stream: Box<dyn BufRead + Send>) -> Box<dyn BufRead + Send> {
    Box::new(BufReader::with_capacity(BUFFER, Returns(stream)))
}

struct Returns<R>(R);

impl<R: Read> Read for Returns<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(into)?;
        into[..count].iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
        Ok(count)
    }
}

/// A stream that is decoded while reading.
struct Decoded<R> {
    stream: R,
    decoder: Decoder,
    /// The decoded text, and the place up to which it was read.
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

/// The byte in place of a damaged character. UTF-8 never contains it, so the record gets a defect.
const NO_CHARACTER: u8 = 0xFF;

impl<R: BufRead> Decoded<R> {
    /// Decodes all bytes in the stream's buffer.
    fn decode(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        let bytes = self.stream.fill_buf()?;
        let (length, mut used) = (bytes.len(), 0);
        self.ended = length == 0;
        loop {
            let from = self.text.len();
            let room = self.decoder.max_utf8_buffer_length_without_replacement(length - used).unwrap_or(length * 3);
            self.text.resize(from + room.max(16), 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(&bytes[used..], &mut self.text[from..], self.ended);
            used += read;
            self.text.truncate(from + written);
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.text.push(NO_CHARACTER),
            }
        }
        self.stream.consume(length);
        Ok(())
    }
}

impl<R: BufRead> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.text.len() && !self.ended {
            self.decode()?;
        }
        Ok(&self.text[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut text = self.fill_buf()?;
        let count = text.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8], label: &str, at_once: usize) -> Vec<u8> {
        let stream = BufReader::with_capacity(at_once, io::Cursor::new(bytes.to_vec()));
        let mut text = Vec::new();
        decoded(Box::new(stream), label.parse().unwrap()).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn letters_arrive_and_the_mark_does_not() {
        assert_eq!(text(b"zo\xEB \x80", "latin1", 1), "zoë €".as_bytes());
        assert_eq!(text(b"\xFE\xFF\0a\0\xE9", "utf-16", 3), "aé".as_bytes(), "the mark decides");
        assert_eq!(text(b"\x83\x65\x83\x58\x83\x67", "shift_jis", 1), "テスト".as_bytes());
        assert_eq!(text(b"", "utf-16", 4), b"");
    }

    #[test]
    fn bytes_that_are_no_character_damage_their_place_alone() {
        assert_eq!(text(b"a\0\0\xD8b\0\n\0c\0", "utf-16le", 5), b"a\xFFb\nc");
        assert_eq!(text(b"a\0b", "utf-16le", 2), b"a\xFF", "half of a unit");
    }

    #[test]
    fn carriage_returns_end_lines_where_there_is_no_newline() {
        for (start, expect) in
            [(&b"a\rb\rc"[..], true), (b"a\rb\r\n", false), (b"a\r", false), (b"a\nb", false), (b"", false)]
        {
            assert_eq!(ends_lines_by_returns(start), expect, "{start:?}");
        }
        let mut text = String::new();
        with_newlines(Box::new(io::Cursor::new("a\rb\r"))).read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\nb\n");
    }

    proptest! {
        #[test]
        fn utf16_is_the_text_that_was_written(text in "\\PC{0,60}", at_once in 1..9_usize, big in any::<bool>()) {
            let units = [0xFEFF].into_iter().chain(text.encode_utf16());
            let bytes: Vec<u8> =
                units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect();
            prop_assert_eq!(self::text(&bytes, "utf-16", at_once), text.as_bytes());
        }
    }
}
