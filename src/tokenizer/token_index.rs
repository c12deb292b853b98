//! The index of ordinary tokens: from a token to its bytes, and from bytes to a token.
//!
//! The one idea: one arena of bytes, and one open-addressing table over it. The hash is fast and not secret. Only the
//! vocabulary is inserted and content is only looked up, so no content can make the table slow.

/// Ordinary tokens by id and by bytes.
pub(super) struct TokenIndex {
    bytes: Vec<u8>,
    /// Token `id` is `bytes[starts[id]..starts[id + 1]]`.
    starts: Vec<u32>,
    slots: Vec<Slot>,
    /// The bytes of the longest token. Anything longer is not looked up.
    longest: usize,
    /// The token of every single byte.
    single: [u32; 256],
}

#[derive(Clone, Copy)]
struct Slot {
    /// The upper half of the hash, so that few other tokens are compared byte by byte.
    tag: u32,
    /// The token, or [`EMPTY`].
    id: u32,
}

const EMPTY: u32 = u32::MAX;

/// A list of tokens that cannot be indexed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IndexError {
    /// Two tokens have the same bytes.
    Duplicate { id: u32, first: u32 },
    /// No token is this single byte, so text with it could not be encoded.
    MissingByte(u8),
    /// More than 2³² bytes or tokens.
    TooLarge,
}

impl TokenIndex {
    /// Indexes these tokens, with the ids 0, 1, 2, …
    #[cfg(test)]
    pub(super) fn new<'token>(tokens: impl Iterator<Item = &'token [u8]>) -> Result<Self, IndexError> {
        let (mut bytes, mut starts, mut longest) = (Vec::new(), vec![0], 0);
        for token in tokens {
            longest = longest.max(token.len());
            bytes.extend_from_slice(token);
            starts.push(u32::try_from(bytes.len()).map_err(|_| IndexError::TooLarge)?);
        }
        Self::from_arena(bytes, starts, longest)
    }

    /// Indexes the tokens `bytes[starts[id]..starts[id + 1]]`, which have at most `longest` bytes.
    pub(super) fn from_arena(bytes: Vec<u8>, starts: Vec<u32>, longest: usize) -> Result<Self, IndexError> {
        let count = starts.len() - 1;
        let count = u32::try_from(count).map_err(|_| IndexError::TooLarge)?;
        let mut index = Self {
            bytes,
            starts,
            slots: vec![Slot { tag: 0, id: EMPTY }; (count as usize * 2).next_power_of_two()],
            longest,
            single: [EMPTY; 256],
        };
        for id in 0..count {
            let token = index.bytes(id);
            let hash = hash(token);
            if let &[byte] = token {
                index.single[usize::from(byte)] = id;
            }
            match index.find(index.bytes(id), hash) {
                Ok(first) => return Err(IndexError::Duplicate { id, first }),
                Err(place) => index.slots[place] = Slot { tag: tag(hash), id },
            }
        }
        match (0..=255).find(|byte| index.single[usize::from(*byte)] == EMPTY) {
            Some(byte) => Err(IndexError::MissingByte(byte)),
            None => Ok(index),
        }
    }

    /// Returns the token with exactly these bytes.
    #[inline]
    pub(super) fn get(&self, bytes: &[u8]) -> Option<u32> {
        if let &[byte] = bytes {
            return Some(self.single[usize::from(byte)]);
        }
        if bytes.len() > self.longest {
            return None;
        }
        self.find(bytes, hash(bytes)).ok()
    }

    /// Returns the bytes of a token. Empty for an unknown id.
    #[inline]
    pub(super) fn bytes(&self, id: u32) -> &[u8] {
        match self.starts.get(id as usize..) {
            Some(&[start, end, ..]) => &self.bytes[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Returns the number of tokens.
    pub(super) fn len(&self) -> u32 {
        // `from_arena` checked the count.
        u32::try_from(self.starts.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the token with these bytes, or the free slot for it. A free slot exists: at most half of them are used.
    #[inline]
    fn find(&self, bytes: &[u8], hash: u64) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation, reason = "only the lower bits are needed")]
        let mut place = hash as usize & mask;
        let tag = tag(hash);
        loop {
            let slot = self.slots[place];
            if slot.id == EMPTY {
                return Err(place);
            }
            if slot.tag == tag && self.bytes(slot.id) == bytes {
                return Ok(slot.id);
            }
            place = (place + 1) & mask;
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half fits")]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Returns the hash. Two overlapping words cover a token of at most 16 bytes; a longer one is folded word by word.
#[inline]
fn hash(bytes: &[u8]) -> u64 {
    const KEY: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 over the golden ratio
    let length = bytes.len() as u64;
    let (mut first, last) = if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        (u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into())
    } else {
        (bytes.first().copied().unwrap_or_default().into(), 0)
    };
    if bytes.len() > 16 {
        for word in bytes[8..bytes.len() - 8].chunks(8) {
            let word = word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            first = fold(first ^ word, KEY);
        }
    }
    fold(first ^ KEY, last ^ length.wrapping_mul(0xD6E8_FEB8_6659_FD93))
}

/// Mixes both halves of the product.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the two halves of a product")]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64 ^ (product >> 64) as u64).wrapping_mul(0xFF51_AFD7_ED55_8CCD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_bytes() -> Vec<Vec<u8>> {
        (0..=255u8).map(|byte| vec![byte]).collect()
    }

    #[test]
    fn every_token_is_found_by_its_bytes_and_nothing_else_is() {
        let mut tokens = all_bytes();
        for length in 2..200 {
            tokens.push(vec![b'a'; length]);
            tokens.push([vec![b'a'; length - 1], vec![b'b']].concat());
        }
        let index = TokenIndex::new(tokens.iter().map(Vec::as_slice)).expect("distinct");
        for (id, token) in (0..).zip(&tokens) {
            assert_eq!(index.get(token), Some(id));
            assert_eq!(index.bytes(id), token);
        }
        assert_eq!(index.get(b""), None);
        assert_eq!(index.get(b"ba"), None);
        assert_eq!(index.get(&[b'a'; 200]), None);
        assert_eq!(index.bytes(index.len()), b"");
    }

    #[test]
    fn a_repeated_token_and_a_missing_byte_are_refused() {
        let twice = [all_bytes(), vec![vec![7]]].concat();
        let refused = TokenIndex::new(twice.iter().map(Vec::as_slice)).err();
        assert_eq!(refused, Some(IndexError::Duplicate { id: 256, first: 7 }));
        let refused = TokenIndex::new(all_bytes()[..255].iter().map(Vec::as_slice)).err();
        assert_eq!(refused, Some(IndexError::MissingByte(255)));
    }
}
