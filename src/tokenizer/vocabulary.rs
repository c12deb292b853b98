//! The vocabulary of a model file, before any check.

use std::ops::Index;

/// The vocabulary of a model file: texts in GPT-2's printable alphabet, types, merges and two names.
///
/// Nothing is checked here; [`super::Tokenizer::new`] does that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// The text of every token, by id (`tokenizer.ggml.tokens`).
    pub tokens: Strings,
    /// The type of every token, by id (`tokenizer.ggml.token_type`): 1 normal, 3 control, 4 user-defined, 5 unused,
    /// 6 byte.
    pub types: Vec<i32>,
    /// The merges, `left right`, best first (`tokenizer.ggml.merges`).
    pub merges: Strings,
    /// The name of the pre-tokenizer (`tokenizer.ggml.pre`).
    pub pre: String,
    /// The name of the algorithm (`tokenizer.ggml.model`).
    pub model: String,
}

/// Many short strings in one allocation: a vocabulary has 650,000 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    /// The end of each string in `text`, in bytes.
    ends: Vec<usize>,
}

impl Strings {
    /// Splits `bytes` into consecutive strings with these ends.
    ///
    /// # Errors
    ///
    /// The number of the first string that is not UTF-8, or has an end out of order.
    pub fn from_bytes(bytes: Vec<u8>, ends: Vec<usize>) -> Result<Self, usize> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            ends.partition_point(|end| *end <= valid)
        })?;
        let mut start = 0;
        for (number, &end) in ends.iter().enumerate() {
            if end < start || !text.is_char_boundary(end) {
                return Err(number);
            }
            start = end;
        }
        Ok(Self { text, ends })
    }

    /// Appends a string.
    pub fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len());
    }

    /// Returns a string by its number, from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start..end)
    }

    /// Returns the number of strings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Reports whether it contains no strings.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Iterates over the strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let string = &self.text[start..end];
            start = end;
            string
        })
    }
}

impl Index<usize> for Strings {
    type Output = str;

    /// # Panics
    ///
    /// If the number is not below [`Strings::len`].
    fn index(&self, number: usize) -> &str {
        self.get(number).expect("a number below len()")
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(strings: I) -> Self {
        let mut all = Self::default();
        for string in strings {
            all.push(string.as_ref());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_out_as_they_went_in() {
        let strings = Strings::from_iter(["one", "", "drei ü"]);
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["one", "", "drei ü"]);
        assert_eq!((strings.len(), &strings[2], strings.get(3)), (3, "drei ü", None));
    }

    #[test]
    fn a_string_that_is_not_utf8_is_named_by_its_number() {
        assert_eq!(Strings::from_bytes(b"ab\xFFc".to_vec(), vec![1, 2, 3, 4]), Err(2));
        // Together they are UTF-8, each alone is not.
        assert_eq!(Strings::from_bytes("aü".as_bytes().to_vec(), vec![2, 3]), Err(0));
        assert_eq!(Strings::from_bytes(b"ab".to_vec(), vec![2, 1]), Err(1));
    }
}
