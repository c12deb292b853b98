//! Lines of a stream, within bounds. A line that is too large is skipped without being kept.

use std::io::{self, BufRead, Read};

use super::format::BYTE_ORDER_MARK;
use super::limits::LARGEST;

/// The lines of a stream, without a byte order mark at its start.
pub(super) struct Lines<R> {
    stream: R,
    /// The number of lines read.
    pub count: u64,
    /// The number of bytes read.
    pub bytes: u64,
}

/// The result of reading a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Read,
    /// With the line the record would be larger than [`LARGEST`]. The line was skipped.
    TooLarge,
    /// There is no further line.
    End,
}

impl<R: BufRead> Lines<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, count: 0, bytes: 0 }
    }

    /// Appends the next line to a record, with its line ending.
    pub fn read(&mut self, record: &mut Vec<u8>) -> io::Result<Line> {
        // One byte more than fits, so that a line too large is recognized.
        let room = (LARGEST + 1).saturating_sub(record.len());
        let read = (&mut self.stream).take(room as u64).read_until(b'\n', record)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.count += 1;
        self.bytes += read as u64;
        if record.len() > LARGEST {
            if !record.ends_with(b"\n") {
                self.bytes += self.stream.skip_until(b'\n')? as u64;
            }
            return Ok(Line::TooLarge);
        }
        if self.count == 1 && record.starts_with(BYTE_ORDER_MARK) {
            record.drain(..BYTE_ORDER_MARK.len());
            // The stream is a byte order mark and nothing else.
            if record.is_empty() {
                return Ok(Line::End);
            }
        }
        Ok(Line::Read)
    }
}

/// A document that is no lines, read byte by byte. `count` is the number of newlines passed.
impl<R: BufRead> Lines<R> {
    /// Passes over blanks, and a byte order mark at the start. Returns the byte that follows.
    pub fn after_blanks(&mut self) -> io::Result<Option<u8>> {
        loop {
            let (at_start, bytes) = (self.bytes < BYTE_ORDER_MARK.len() as u64, self.there()?);
            if bytes.is_empty() {
                return Ok(None);
            }
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || (at_start && BYTE_ORDER_MARK.contains(byte));
            let blanks = bytes.iter().take_while(|byte| is_blank(byte)).count();
            let next = bytes.get(blanks).copied();
            self.take(blanks);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Returns bytes that were not taken yet. Empty at the end.
    pub fn there(&mut self) -> io::Result<&[u8]> {
        self.stream.fill_buf()
    }

    /// Takes bytes that are there.
    pub fn take(&mut self, count: usize) {
        // They are there, so nothing is read here.
        let bytes = self.stream.fill_buf().unwrap_or_default();
        let lines = bytes[..count.min(bytes.len())].split(|byte| *byte == b'\n').count();
        let newlines = lines.saturating_sub(1);
        self.count += newlines as u64;
        self.bytes += count as u64;
        self.stream.consume(count);
    }

    /// Takes all bytes up to the end.
    pub fn skip_all(&mut self) -> io::Result<()> {
        loop {
            let count = self.there()?.len();
            if count == 0 {
                return Ok(());
            }
            self.take(count);
        }
    }
}

/// Returns a line without its ending, `\n` or `\r\n`.
pub(super) fn without_ending(line: &[u8]) -> &[u8] {
    match line.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_endings_and_lose_the_byte_order_mark() {
        let mut lines = Lines::new(&b"\xEF\xBB\xBFa\r\n\n\xEF\xBB\xBFb"[..]);
        let mut next = || {
            let mut line = Vec::new();
            (lines.read(&mut line).unwrap() == Line::Read).then_some(line)
        };
        assert_eq!(next().unwrap(), b"a\r\n");
        assert_eq!(next().unwrap(), b"\n");
        assert_eq!(next().unwrap(), b"\xEF\xBB\xBFb");
        assert_eq!(next(), None);
        assert_eq!(Lines::new(BYTE_ORDER_MARK).read(&mut Vec::new()).unwrap(), Line::End);
    }

    #[test]
    fn a_line_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
        for (length, expect) in [(LARGEST - 1, Line::Read), (LARGEST, Line::TooLarge), (LARGEST + 9, Line::TooLarge)] {
            let stream = [vec![b'a'; length], b"\nnext\n".to_vec()].concat();
            let mut lines = Lines::new(&stream[..]);
            assert_eq!(lines.read(&mut Vec::new()).unwrap(), expect);
            let mut next = Vec::new();
            assert_eq!(lines.read(&mut next).unwrap(), Line::Read);
            assert_eq!(next, b"next\n");
        }
    }

    #[test]
    fn an_ending_is_a_newline_and_one_carriage_return_before_it() {
        for (line, text) in [("a\n", "a"), ("a\r\n", "a"), ("a\r\r\n", "a\r"), ("a\r", "a\r"), ("\n", ""), ("a", "a")] {
            assert_eq!(without_ending(line.as_bytes()), text.as_bytes());
        }
    }
}
