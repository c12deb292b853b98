//! A line of a journal or an archive: a JSON object whose last field is a checksum of all before it.
//!
//! Damage anywhere in a line shows in that line, and its neighbors stay readable.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use serde::Serialize;

use crate::digest::Hash;

/// The bytes before and after the checksum.
const BEFORE: &str = ",\"sum\":\"";
const BEHIND: &str = "\"}\n";
/// Digits of the checksum: eight bytes of a [`Hash`].
const DIGITS: usize = 16;

/// Returns the line of a value, which is an object with at least one field.
pub(in crate::label) fn sealed(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    // The closing brace follows the checksum.
    line.pop();
    let sum = sum(&line);
    for part in [BEFORE, &sum, BEHIND] {
        line.extend_from_slice(part.as_bytes());
    }
    Ok(line)
}

/// Reports whether a line is undamaged, to the last byte.
pub(in crate::label) fn is_whole(line: &[u8]) -> bool {
    let parts = line.strip_suffix(BEHIND.as_bytes()).and_then(|line| line.split_last_chunk::<DIGITS>());
    parts.is_some_and(|(line, written)| {
        line.strip_suffix(BEFORE.as_bytes()).is_some_and(|line| sum(line).as_bytes() == written.as_slice())
    })
}

/// Reads the line at a place of a file. `None` if it is damaged, or torn.
pub(in crate::label) fn at(mut file: &File, place: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(place))?;
    BufReader::with_capacity(4096, file).read_until(b'\n', &mut line)?;
    Ok(is_whole(&line).then_some(line))
}

fn sum(bytes: &[u8]) -> String {
    format!("{:016x}", Hash::of(bytes).short())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_json_and_damage_to_any_of_its_bits_shows() {
        let line = sealed(&json!({"n": 1, "text": "see you at nine"})).unwrap();
        assert!(is_whole(&line));
        let read: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["text"], "see you at nine");
        for place in 0..line.len() {
            for bit in 0..8 {
                let mut damaged = line.clone();
                damaged[place] ^= 1 << bit;
                assert!(!is_whole(&damaged), "bit {bit} of byte {place}");
            }
            assert!(!is_whole(&line[..place]), "cut at {place}");
        }
        assert!(!is_whole(b"") && !is_whole(b"\n"));
    }
}
