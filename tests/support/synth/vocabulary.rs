//! The vocabulary: o200k's ranks in GPT-2's spelling, the control tokens of harmony, and the merges that llama.cpp
//! builds ranks from. Every split of a token into two others is a merge, in the order of the public `tokenizer.json`,
//! because llama.cpp takes the order in which tokens join from it alone.

use std::collections::HashMap;

/// Ranks of o200k. The ids after them belong to control tokens.
pub const RANKS: u32 = 199_998;

/// Entries of gpt-oss's own vocabulary, `o200k_harmony`.
const ENTRIES: u32 = 201_088;

/// The control tokens that have a meaning, with their true ids.
pub const CONTROLS: [(u32, &str); 10] = [
    (199_998, "<|startoftext|>"),
    (199_999, "<|endoftext|>"),
    (200_002, "<|return|>"),
    (200_003, "<|constrain|>"),
    (200_005, "<|channel|>"),
    (200_006, "<|start|>"),
    (200_007, "<|end|>"),
    (200_008, "<|message|>"),
    (200_012, "<|call|>"),
    (200_018, "<|endofprompt|>"),
];

/// llama.cpp's type of an ordinary token.
const NORMAL: i32 = 1;
/// llama.cpp's type of a token that no text yields.
const CONTROL: i32 = 3;

/// Values of the `tokenizer.ggml` keys.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Spelling of each id.
    pub tokens: Vec<String>,
    /// Type of each id, by llama.cpp's numbers.
    pub kinds: Vec<i32>,
    /// Pairs that join, first come first.
    pub merges: Vec<String>,
}

impl Vocabulary {
    /// Returns the first `ranks` of o200k with all control tokens after them, or everything with its true id. Reserved
    /// tokens take the place of the names in `absent`, and fill up to a multiple of 32.
    pub fn o200k(ranks: Option<u32>, absent: &[String]) -> Self {
        let spelling = Spelling::new();
        let ordinary = ordinary(ranks.unwrap_or(RANKS));
        let mut tokens: Vec<String> = ordinary.iter().map(|token| spelling.of(token)).collect();
        let mut kinds = vec![NORMAL; tokens.len()];

        let reserved = |id: usize| format!("<|reserved_{id}|>");
        let control = |name: &str, id: usize| {
            let gone = absent.iter().any(|gone| gone == name);
            if gone { reserved(id) } else { name.to_owned() }
        };
        if ranks.is_none() {
            tokens.extend((RANKS as usize..ENTRIES as usize).map(reserved));
            for (id, name) in CONTROLS {
                tokens[id as usize] = control(name, id as usize);
            }
        } else {
            for (_, name) in CONTROLS {
                tokens.push(control(name, tokens.len()));
            }
            tokens.extend((tokens.len()..tokens.len().next_multiple_of(32)).map(reserved));
        }
        kinds.resize(tokens.len(), CONTROL);
        Self { merges: merges(&ordinary, &spelling), tokens, kinds }
    }

    /// Returns the id of a control token.
    pub fn id(&self, name: &str) -> Option<u32> {
        let at = self.tokens.iter().rposition(|token| token == name)?;
        u32::try_from(at).ok()
    }
}

/// Returns the bytes of the first ranks.
fn ordinary(ranks: u32) -> Vec<Vec<u8>> {
    let o200k = tiktoken_rs::o200k_base_singleton();
    (0..ranks).map(|rank| o200k.decode_bytes(&[rank]).expect("o200k's ranks have no gaps")).collect()
}

fn merges(tokens: &[Vec<u8>], spelling: &Spelling) -> Vec<String> {
    let ranks: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(rank, token)| (&**token, rank)).collect();
    let mut merges = Vec::new();
    for token in tokens {
        let halves = (1..token.len()).map(|at| token.split_at(at));
        let mut known: Vec<_> = halves.filter_map(|(a, b)| Some((*ranks.get(a)?, *ranks.get(b)?))).collect();
        known.sort_unstable();
        merges.extend(
            known
                .into_iter()
                .map(|(left, right)| format!("{} {}", spelling.of(&tokens[left]), spelling.of(&tokens[right]))),
        );
    }
    merges
}

/// GPT-2's alphabet: a printable character for each byte. Printable bytes are their own characters. The others have the
/// characters from U+0100 on, in order.
struct Spelling([char; 256]);

impl Spelling {
    fn new() -> Self {
        let mut next = '\u{100}'..;
        Self(std::array::from_fn(|byte| match u8::try_from(byte) {
            Ok(byte @ (b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff)) => char::from(byte),
            _ => next.next().expect("68 bytes do not print"),
        }))
    }

    fn of(&self, bytes: &[u8]) -> String {
        bytes.iter().map(|byte| self.0[usize::from(*byte)]).collect()
    }
}
