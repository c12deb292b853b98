//! A form with files, as `multipart/form-data` sends it: read piece by piece, in memory that does not grow with a file.
//!
//! Source: RFC 7578 and RFC 2046.

/// Bytes before the first part, and of the head of a part, at most.
const LONGEST_HEAD: usize = 16 << 10;
/// Characters of a name, at most.
const LONGEST_NAME: usize = 255;

/// A reader of a form. The bytes of the body go in, and events come out.
#[derive(Debug)]
pub struct Multipart {
    /// The line end and the boundary that end a part.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the first part.
    Before,
    /// Behind a boundary, where the form may end.
    Boundary,
    /// In the head of a part.
    Head,
    /// In the content of a part.
    Content,
    /// Behind the last boundary.
    Over,
}

/// An event of a form.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'form> {
    /// A part begins: the field's name, and the file's name if it is one.
    Part(String, Option<String>),
    /// Bytes of its content.
    Data(&'form [u8]),
}

/// The reason why a form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// There is no boundary where one must be.
    #[error("the form has no boundary of the name in the header")]
    NoBoundary,
    /// The head of a part is too long.
    #[error("the head of a part is too long")]
    LongHead,
    /// The head of a part has no name.
    #[error("a part has no name")]
    NoName,
    /// The form ends within a part.
    #[error("the form is not complete")]
    Incomplete,
}

/// Returns the boundary in the header `content-type` of a form. `None` for another type, and without a usable boundary.
#[must_use]
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary").filter(|boundary| (1..=70).contains(&boundary.len()))
}

impl Multipart {
    /// Returns a reader of a form with this boundary.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        // The first boundary begins the body, where no line end comes before it.
        Self { delimiter: format!("\r\n--{boundary}").into_bytes(), buffer: b"\r\n".to_vec(), phase: Phase::Before }
    }

    /// Takes a piece of the body.
    ///
    /// # Errors
    ///
    /// A [`FormError`], or the error of `on`.
    pub fn push<E: From<FormError>>(
        &mut self,
        piece: &[u8],
        on: &mut dyn FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.buffer.extend_from_slice(piece);
        while self.step(on)? {}
        Ok(())
    }

    /// Checks that the form has ended.
    ///
    /// # Errors
    ///
    /// [`FormError::Incomplete`], or [`FormError::NoBoundary`] if not even a part has begun.
    pub fn end(&self) -> Result<(), FormError> {
        match self.phase {
            Phase::Over => Ok(()),
            Phase::Before => Err(FormError::NoBoundary),
            _ => Err(FormError::Incomplete),
        }
    }

    /// Reads one step on. Returns false if more bytes are needed.
    fn step<E: From<FormError>>(&mut self, on: &mut dyn FnMut(Event<'_>) -> Result<(), E>) -> Result<bool, E> {
        match self.phase {
            Phase::Before | Phase::Content => {
                let is_content = self.phase == Phase::Content;
                let found = find(&self.buffer, &self.delimiter);
                // The end of the buffer may be the beginning of a boundary.
                let whole = found.unwrap_or_else(|| self.buffer.len().saturating_sub(self.delimiter.len() - 1));
                if is_content && whole > 0 {
                    on(Event::Data(&self.buffer[..whole]))?;
                } else if whole > LONGEST_HEAD {
                    return Err(FormError::NoBoundary.into());
                }
                if is_content || found.is_some() {
                    self.buffer.drain(..whole + found.map_or(0, |_| self.delimiter.len()));
                }
                if found.is_some() {
                    self.phase = Phase::Boundary;
                }
                Ok(found.is_some())
            }
            Phase::Boundary => {
                if self.buffer.len() < 2 {
                    return Ok(false);
                }
                self.phase = if self.buffer.starts_with(b"--") { Phase::Over } else { Phase::Head };
                Ok(true)
            }
            Phase::Head => {
                // The line end behind the boundary belongs to it, so a part without a head is found, too.
                let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
                    return if self.buffer.len() > LONGEST_HEAD { Err(FormError::LongHead.into()) } else { Ok(false) };
                };
                if end > LONGEST_HEAD {
                    return Err(FormError::LongHead.into());
                }
                let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 4);
                self.phase = Phase::Content;
                let (name, file) = names(&head).ok_or(FormError::NoName)?;
                on(Event::Part(name, file))?;
                Ok(true)
            }
            Phase::Over => {
                self.buffer.clear();
                Ok(false)
            }
        }
    }
}

/// Returns the names of the field and of the file in the head of a part.
fn names(head: &str) -> Option<(String, Option<String>)> {
    let line = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim())
    })?;
    let (kind, parameters) = line.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    let name = parameter(parameters, "name").filter(|name| name.len() <= LONGEST_NAME)?;
    let file = parameter(parameters, "filename").map(|file| {
        // A name is shown again, and never used as a path.
        file.chars().filter(|character| !character.is_control()).take(LONGEST_NAME).collect()
    });
    Some((name, file))
}

/// Returns the value of a parameter, with or without quotes.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let (value, after) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        if key.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// Returns a value in quotes, and what follows it. Browsers write a quote as `%22`, and others put a backslash before it.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value.replace("%22", "\""), &text[at + 1..])),
            '\\' if text[at + 1..].starts_with(['"', '\\']) => value.extend(characters.next().map(|(_, next)| next)),
            other => value.push(other),
        }
    }
    None
}

/// Returns the place of the first occurrence.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == what[0])?;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = Vec<(String, Option<String>, Vec<u8>)>;

    fn read(body: &[u8], piece: usize) -> Result<Parts, FormError> {
        let mut form = Multipart::new("B");
        let mut parts = Parts::new();
        for piece in body.chunks(piece) {
            form.push::<FormError>(piece, &mut |event| {
                match event {
                    Event::Part(name, file) => parts.push((name, file, Vec::new())),
                    Event::Data(data) => parts.last_mut().unwrap().2.extend_from_slice(data),
                }
                Ok(())
            })?;
        }
        form.end().map(|()| parts)
    }

    #[test]
    fn a_form_is_read_the_same_in_pieces_of_every_size() {
        let body = b"preamble\r\n--B\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--B\r\n\
            content-disposition: form-data; filename=\"a \\\"b\\\".jsonl\"; name=file\r\nContent-Type: x/y\r\n\r\n\
            {\r\n--b\r\n-\r\n--\r\n}\n\r\n--B\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--B--\r\nepilogue";
        let expected = vec![
            ("purpose".to_owned(), None, b"batch".to_vec()),
            ("file".to_owned(), Some("a \"b\".jsonl".to_owned()), b"{\r\n--b\r\n-\r\n--\r\n}\n".to_vec()),
            ("empty".to_owned(), None, Vec::new()),
        ];
        for piece in 1..body.len() {
            assert_eq!(read(body, piece).unwrap(), expected, "{piece}");
        }
    }

    #[test]
    fn a_form_that_is_cut_or_has_no_names_is_refused() {
        assert_eq!(read(b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx", 7), Err(FormError::Incomplete));
        assert_eq!(read(b"--C\r\n\r\n", 3), Err(FormError::NoBoundary));
        assert_eq!(read(b"--B\r\nContent-Type: a/b\r\n\r\nx\r\n--B--", 9), Err(FormError::NoName));
        assert_eq!(read(b"--B\r\n\r\nx\r\n--B--", 9), Err(FormError::NoName));
        assert_eq!(read(&[b"--B\r\n".as_slice(), &vec![b'a'; 20_000]].concat(), 999), Err(FormError::LongHead));
        assert_eq!(read(&vec![b'a'; 40_000], 999), Err(FormError::NoBoundary));
    }

    #[test]
    fn memory_does_not_grow_with_a_file() {
        let mut form = Multipart::new("B");
        let mut bytes = 0;
        let mut push = |piece: &[u8]| {
            let mut on = |event: Event<'_>| {
                if let Event::Data(data) = event {
                    bytes += data.len();
                }
                Ok::<(), FormError>(())
            };
            form.push(piece, &mut on).unwrap();
            assert!(form.buffer.len() < 64, "{}", form.buffer.len());
        };
        push(b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
        (0..1000).for_each(|_| push(&[b'\r'; 1000]));
        push(b"\r\n--B--");
        assert_eq!(bytes, 1_000_000);
    }

    #[test]
    fn a_boundary_is_found_in_the_header() {
        assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc".into()));
        assert_eq!(boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), Some("a b".into()));
        for wrong in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=a", "text/plain"]
        {
            assert_eq!(boundary(wrong), None, "{wrong}");
        }
    }
}
