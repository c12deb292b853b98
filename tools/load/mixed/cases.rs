//! The requests of a mixed run: good ones, bad ones and cancelled ones, by a seed.

use magistrate::random::Random;
use serde_json::json;

use crate::work::Work;

/// The kind of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    Single,
    Array,
    /// An array with a text that is too long among good ones.
    ArrayWithLong,
    BadJson,
    WrongType,
    TooLong,
    TooLarge,
    UnknownPolicy,
    Nul,
    Surrogate,
    NotUtf8,
    /// The client leaves within the head.
    CutHead,
    /// The client leaves within the body.
    CutBody,
    /// The client leaves behind a whole request, before its reply.
    CutReply,
}

/// The kinds that get a reply, with their shares.
const ANSWERED: &[(Kind, usize)] = &[
    (Kind::Single, 34),
    (Kind::Array, 14),
    (Kind::ArrayWithLong, 3),
    (Kind::BadJson, 9),
    (Kind::WrongType, 9),
    (Kind::TooLong, 6),
    (Kind::TooLarge, 2),
    (Kind::UnknownPolicy, 7),
    (Kind::Nul, 6),
    (Kind::Surrogate, 6),
    (Kind::NotUtf8, 4),
];

const CANCELLED: &[(Kind, usize)] = &[(Kind::CutHead, 1), (Kind::CutBody, 1), (Kind::CutReply, 3)];

impl Kind {
    /// Reports whether the client leaves before the reply.
    pub fn is_cancelled(self) -> bool {
        CANCELLED.iter().any(|(kind, _)| *kind == self)
    }

    /// Returns the statuses that this kind may get. A full queue may refuse texts with 503.
    pub fn allows(self, status: u16) -> bool {
        match self {
            Self::Single | Self::Array | Self::ArrayWithLong => matches!(status, 200 | 503),
            Self::Nul => matches!(status, 200 | 422 | 503),
            Self::BadJson | Self::WrongType | Self::NotUtf8 => status == 400,
            // A lone surrogate is no text. A server may refuse it, or judge a replacement character.
            Self::Surrogate => matches!(status, 200 | 400 | 503),
            Self::TooLong => matches!(status, 422 | 503),
            Self::TooLarge => status == 413,
            Self::UnknownPolicy => status == 404,
            Self::CutHead | Self::CutBody | Self::CutReply => false,
        }
    }
}

/// One request.
pub struct Case {
    pub kind: Kind,
    pub bytes: Vec<u8>,
    /// The number of texts in the request. Zero if no text can be read from it.
    pub texts: usize,
}

/// Sizes and shares that a caller sets.
pub struct Mix {
    /// The share of cancelled requests in percent.
    pub cancelled: usize,
    pub long_words: usize,
    pub large_bytes: usize,
}

/// Makes the request with a number. Equal seeds and numbers give equal requests.
pub fn case(work: &Work, mix: &Mix, number: u64) -> Case {
    let mut random = Random::new(work.texts.seed.rotate_left(32) ^ number);
    let kinds = if random.below(100) < mix.cancelled { CANCELLED } else { ANSWERED };
    let kind = pick(kinds, &mut random);
    let count = if matches!(kind, Kind::Array | Kind::ArrayWithLong) { 2 + random.below(6) } else { 1 };
    let texts: Vec<String> = (0..count).map(|place| work.texts.message(number * 10 + place as u64)).collect();
    let text = &texts[0];
    let post = |body: &str| work.target.post("/v1/check", body.as_bytes());
    let single = work.check(&json!({ "text": text }));
    let (bytes, texts) = match kind {
        Kind::Array => (post(&work.check(&json!({ "texts": texts }))), count),
        Kind::ArrayWithLong => {
            let mut texts = texts;
            let place = random.below(count);
            texts[place] = long(work, mix, number);
            (post(&work.check(&json!({ "texts": texts }))), count)
        }
        Kind::BadJson => (post(&broken(&single, text, &mut random)), 0),
        Kind::WrongType => (post(&mistyped(work, text, &mut random)), 0),
        Kind::TooLong => (post(&work.check(&json!({ "text": long(work, mix, number) }))), 1),
        Kind::TooLarge => {
            let text = format!("{text} {}", "word ".repeat(mix.large_bytes / 5));
            (post(&work.check(&json!({ "text": text }))), 0)
        }
        Kind::UnknownPolicy => {
            let body = json!({ "policy": format!("no-such-policy-{number}"), "text": text, "effort": "none" });
            (post(&body.to_string()), 0)
        }
        Kind::Nul => (post(&work.check(&json!({ "text": format!("\u{0}{text}\u{0} and more") }))), 1),
        Kind::Surrogate => (post(&single.replacen(text.as_str(), &format!("\\ud83d {text} \\udc00"), 1)), 1),
        Kind::NotUtf8 => {
            let mut bytes = post(&single);
            let end = bytes.len() - 2;
            bytes[end - random.below(20)] = 0xFF;
            (bytes, 0)
        }
        Kind::CutHead | Kind::CutBody => (cut(post(&single), kind, &mut random), 0),
        Kind::Single | Kind::CutReply => (post(&single), 1),
    };
    Case { kind, bytes, texts }
}

fn pick(kinds: &[(Kind, usize)], random: &mut Random) -> Kind {
    let mut place = random.below(kinds.iter().map(|(_, share)| share).sum());
    for (kind, share) in kinds {
        if place < *share {
            return *kind;
        }
        place -= share;
    }
    kinds[0].0
}

/// Returns a text that no context holds.
fn long(work: &Work, mix: &Mix, number: u64) -> String {
    let secret = work.texts.secret.as_deref().unwrap_or_default();
    format!("{} {secret}", work.texts.made_up(number, mix.long_words))
}

/// Returns a body that is no JSON, and still contains the text.
fn broken(single: &str, text: &str, random: &mut Random) -> String {
    let half = single.len() - 1 - random.below(single.len() / 2);
    match random.below(6) {
        0 => single.chars().take(half).collect(),
        1 => format!("{single},"),
        2 => single.replace(':', "="),
        3 => text.to_owned(),
        4 => format!("{}{single}", "[".repeat(5_000)),
        _ => single.replace('"', "'"),
    }
}

/// Returns a body with a value of the wrong type, and still with the text.
fn mistyped(work: &Work, text: &str, random: &mut Random) -> String {
    let body = match random.below(7) {
        0 => json!({ "policy": work.policy, "text": [text] }),
        1 => json!({ "policy": 7, "text": text }),
        2 => json!({ "policy": work.policy, "texts": text }),
        3 => json!({ "policy": work.policy, "text": text, "effort": ["none"] }),
        4 => json!({ "policy": work.policy, "texts": [{ "text": { "deep": text } }] }),
        5 => json!([text]),
        _ => json!({ "policy": work.policy, "text": text, "threshold": "high" }),
    };
    body.to_string()
}

/// Returns the first part of a request: some of its head, or its head and some of its body.
fn cut(mut bytes: Vec<u8>, kind: Kind, random: &mut Random) -> Vec<u8> {
    let body = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |place| place + 4);
    let end = match kind {
        Kind::CutHead => 1 + random.below(body - 2),
        _ => body + random.below(bytes.len() - body),
    };
    bytes.truncate(end);
    bytes
}
