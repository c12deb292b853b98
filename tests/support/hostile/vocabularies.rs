//! Vocabularies that are too large, contradict themselves or are not text.

use magistrate::gguf::value::{numbers, strings};
use magistrate::gguf::write::RawHeader;

use super::{ALIGNMENT, Case, case};

/// Returns files with other vocabularies.
pub fn vocabularies(raw: RawHeader) -> impl Iterator<Item = Case> {
    type Make = fn(&RawHeader) -> RawHeader;
    let cases: [(&str, bool, Make); 25] = [
        ("a vocabulary of bytes", true, |raw| with(raw, letters(256), vec![], &[])),
        ("a million tokens", false, |raw| with(raw, letters(1_000_000), vec![], &[])),
        ("a million empty tokens", false, |raw| with(raw, vec![vec![]; 1_000_000], vec![], &[])),
        ("a million equal tokens", false, |raw| with(raw, vec![b"a".to_vec(); 1_000_000], vec![], &[])),
        ("260,000 tokens without merges", false, |raw| with(raw, letters(260_000), vec![], &[])),
        ("60,000 control tokens", true, |raw| with(raw, letters(256), reserved(60_000, 1), &[])),
        ("60,000 long control tokens", true, |raw| with(raw, letters(256), reserved(60_000, 300), &[])),
        ("250,000 control tokens", false, |raw| with(raw, letters(256), reserved(250_000, 70), &[])),
        ("a million control tokens", false, |raw| with(raw, letters(256), reserved(1_000_000, 1), &[])),
        ("an empty token", false, |raw| with(raw, [letters(256), vec![vec![]]].concat(), vec![], &[])),
        ("a token of 20 MB", false, |raw| with(raw, [letters(256), vec![vec![b'a'; 20 << 20]]].concat(), vec![], &[])),
        ("two equal tokens of 10 MB", false, |raw| {
            with(raw, [letters(256), vec![vec![b'a'; 10 << 20]; 2]].concat(), vec![], &[])
        }),
        ("200,000 tokens of 100 letters", false, |raw| {
            let long = |token: Vec<u8>| [token, vec![b'a'; 85]].concat();
            with(raw, letters(200_000).into_iter().map(long).collect(), vec![], &[])
        }),
        ("a control token of 10 MB", true, |raw| with(raw, letters(256), reserved(1, 10 << 20), &[])),
        ("a token that is no text", false, |raw| {
            with(raw, [letters(256), vec![vec![0xFF, 0xFE]]].concat(), vec![], &[])
        }),
        ("a token outside the alphabet", false, |raw| {
            with(raw, [letters(256), vec!["\u{202e}\n\x1b[2J".into()]].concat(), vec![], &[])
        }),
        ("a control token of escapes", false, |raw| with(raw, letters(256), vec!["<|\x1b[2J\n|>".into()], &[])),
        ("merges of nothing", false, |raw| with(raw, letters(256), vec![], &[b"zz yy".to_vec(), b" ".to_vec()])),
        ("a million empty merges", false, |raw| with(raw, letters(256), vec![], &vec![vec![]; 1_000_000])),
        ("a million merges that make the same", true, |raw| {
            with(raw, [letters(256), vec![b"ab".to_vec()]].concat(), vec![], &vec![b"a b".to_vec(); 1_000_000])
        }),
        ("a merge of 20 MB", false, |raw| {
            with(raw, letters(256), vec![], &[[vec![b'a'; 20 << 20], b" b".to_vec()].concat()])
        }),
        ("a merge of escapes", false, |raw| with(raw, letters(256), vec![], &[b"\n\x1b[2J \n".to_vec()])),
        ("no tokens", false, |raw| vocabulary(raw, &[], &[], &[])),
        ("fewer types than tokens", false, |raw| vocabulary(raw, &letters(256), &[1; 200], &[])),
        ("unknown types", false, |raw| vocabulary(raw, &letters(256), &[i32::MIN; 256], &[])),
    ];
    cases.into_iter().map(move |(name, fine, make)| {
        let case = case(&make(&raw), name);
        if fine { case.fine() } else { case }
    })
}

/// Returns a header whose vocabulary has these ordinary tokens, the control tokens of harmony, and these others.
pub fn with(raw: &RawHeader, mut tokens: Vec<Vec<u8>>, others: Vec<Vec<u8>>, merges: &[Vec<u8>]) -> RawHeader {
    let mut types = vec![1; tokens.len()];
    let names = ["startoftext", "endoftext", "return", "constrain", "channel", "start", "end", "message", "call"];
    tokens.extend(names.map(|name| format!("<|{name}|>").into_bytes()));
    tokens.extend(others);
    types.resize(tokens.len(), 3);
    vocabulary(raw, &tokens, &types, merges)
}

/// Returns `count` words over the 256 letters that represent bytes. The letters themselves come first.
pub fn letters(count: usize) -> Vec<Vec<u8>> {
    let alphabet = (0x21..=0x7E).chain(0xA1..=0xAC).chain(0xAE..=0x143);
    let alphabet: Vec<char> = alphabet.filter_map(char::from_u32).collect();
    let word = |mut number: usize| {
        let mut word = String::new();
        loop {
            word.push(alphabet[number % 256]);
            number /= 256;
            if number == 0 {
                return word.into_bytes();
            }
            number -= 1;
        }
    };
    (0..count).map(word).collect()
}

/// Returns `count` control tokens whose numbers have `digits` digits more.
fn reserved(count: usize, digits: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| [b"<|", &vec![b'0'; digits][..], number.to_string().as_bytes(), b"|>"].concat()).collect()
}

/// Returns the header with another vocabulary, and embeddings for it.
fn vocabulary(raw: &RawHeader, tokens: &[Vec<u8>], types: &[i32], merges: &[Vec<u8>]) -> RawHeader {
    let mut raw = raw.clone();
    raw.set("tokenizer.ggml.tokens", strings(tokens));
    raw.set("tokenizer.ggml.token_type", numbers(types));
    raw.set("tokenizer.ggml.merges", strings(merges));
    for tensor in &mut raw.tensors {
        if matches!(&tensor.name[..], b"token_embd.weight" | b"output.weight") {
            tensor.shape[1] = tokens.len() as u64;
        }
    }
    raw.lay_out(ALIGNMENT);
    raw
}
