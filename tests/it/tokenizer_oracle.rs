//! The tokenizer against the reference implementation, which contains the whole o200k vocabulary.

use crate::support;

use std::collections::HashMap;
use std::sync::LazyLock;

use magistrate::harmony::{Control, Segment};
use magistrate::tokenizer::{Strings, Token, Tokenizer, Vocabulary};
use proptest::prelude::*;
use tiktoken_rs::CoreBPE;

const RANKS: u32 = 199_998;
const PATTERN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Our tokenizer over the first ranks, and the reference over the same ranks.
struct Pair {
    ours: Tokenizer,
    reference: CoreBPE,
}

static FULL: LazyLock<Pair> = LazyLock::new(|| pair(RANKS));
static PART: LazyLock<Pair> = LazyLock::new(|| pair(2000));
static TOKENS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let reference = tiktoken_rs::o200k_base().expect("the vocabulary is inside");
    let bytes = |rank| reference.decode_bytes(&[rank]).expect("a rank");
    (0..RANKS).map(bytes).collect()
});

fn pair(ranks: u32) -> Pair {
    let encoder = (0..ranks).map(|rank| (TOKENS[rank as usize].clone(), rank)).collect();
    Pair {
        ours: Tokenizer::new(&vocabulary(ranks)).expect("a good vocabulary"),
        reference: CoreBPE::new(encoder, std::iter::empty().collect(), PATTERN).expect("the pattern"),
    }
}

/// Returns the vocabulary as a converter writes it: all ranks with their true ids, or some with the control tokens after
/// them.
fn vocabulary(ranks: u32) -> Vocabulary {
    let tokens = &TOKENS[..ranks as usize];
    let rank_of: HashMap<&[u8], usize> = tokens.iter().enumerate().map(|(rank, token)| (&token[..], rank)).collect();
    let printed: Vec<String> = tokens.iter().map(|token| printed(token)).collect();
    let mut merges = Strings::default();
    for token in tokens {
        let mut splits: Vec<(usize, usize)> = (1..token.len())
            .filter_map(|at| Some((*rank_of.get(&token[..at])?, *rank_of.get(&token[at..])?)))
            .collect();
        splits.sort_unstable();
        for (left, right) in splits {
            merges.push(&format!("{} {}", printed[left], printed[right]));
        }
    }
    let mut texts: Strings = printed.iter().collect();
    if ranks == RANKS {
        let names = HashMap::from([
            (199_999, Control::EndOfText),
            (200_002, Control::Return),
            (200_003, Control::Constrain),
            (200_005, Control::Channel),
            (200_006, Control::Start),
            (200_007, Control::End),
            (200_008, Control::Message),
            (200_012, Control::Call),
        ]);
        for id in RANKS..201_088 {
            match names.get(&id) {
                Some(control) => texts.push(control.name()),
                None => texts.push(&format!("<|reserved_{id}|>")),
            }
        }
    } else {
        for control in Control::ALL {
            texts.push(control.name());
        }
    }
    let types = (0..texts.len()).map(|id| if id < ranks as usize { 1 } else { 3 }).collect();
    Vocabulary { tokens: texts, types, merges, pre: "gpt-4o".into(), model: "gpt2".into() }
}

/// Returns bytes in GPT-2's printable alphabet.
fn printed(bytes: &[u8]) -> String {
    let char = |byte: u8| match byte {
        b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
        0..=0x20 => char::from_u32(0x100 + u32::from(byte)).expect("a char"),
        0x7F..=0xA0 => char::from_u32(0x121 + u32::from(byte - 0x7F)).expect("a char"),
        0xAD => '\u{143}',
    };
    bytes.iter().copied().map(char).collect()
}

/// Checks one text against the reference.
fn check(pair: &Pair, text: &str) {
    let ours = pair.ours.encode(text);
    let ids: Vec<u32> = ours.iter().map(|token| token.0).collect();
    assert_eq!(ids, pair.reference.encode_ordinary(text), "{text:?}");
    assert_eq!(pair.ours.decode(&ours), text.as_bytes());
    assert!(ours.iter().all(|token| pair.ours.ordinary().contains(&token.0)));
}

/// Numbers from a fixed seed, for texts that proptest makes too slowly.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("64 bits") % sides
    }
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "The quick brown fox jumps over the lazy dog. It's what they'd DONE, we'll see; I'M sure YOU'VE seen it, she's'nt.",
    "हिन्दी में लिखा हुआ एक वाक्य, जिसमें संयुक्ताक्षर हैं: क्षत्रिय ज्ञान।",
    "বাংলা ভাষায় লেখা একটি বাক্য। తెలుగులో ఒక వాక్యం. ಕನ್ನಡದಲ್ಲಿ ಒಂದು ವಾಕ್ಯ. മലയാളത്തിൽ ഒരു വാക്യം.",
    "தமிழில் எழுதப்பட்ட ஒரு வாக்கியம், கொஞ்சம் நீளமானது.",
    "ภาษาไทยที่เขียนโดยไม่มีช่องว่างระหว่างคำ และมีวรรณยุกต์",
    "မြန်မာဘာသာဖြင့် ရေးထားသော စာကြောင်း။ ភាសាខ្មែរ ដែលមានជើងអក្សរ។ ພາສາລາວ",
    "بِسْمِ ٱللَّهِ ٱلرَّحْمَٰنِ ٱلرَّحِيمِ والسلام عليكم ورحمة الله وبركاته",
    "שָׁלוֹם עֲלֵיכֶם, כתוב בלי ניקוד גם כן. יידיש",
    "ქართული ენა ᲥᲐᲠᲗᲣᲚᲘ Ελληνικά με τόνους ΚΑΙ ΚΕΦΑΛΑΊΑ ᾼ ᾈδης",
    "中文文本,包含标点符号。繁體中文也有。日本語のテキスト、カタカナ ｶﾀｶﾅ ひらがな。",
    "か\u{3099}き\u{3099}く\u{3099} は\u{309A} NFD の日本語 カ\u{3099}ッコウ",
    "한국어 문장입니다. ᄒᆞᆫ글 \u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF} ㄱㄴㄷ",
    "ÀÉÎõü ÉCOLE École éCOLE ÑandÚ straẞe STRASSE ǅungla ǈ ŁÓDŹ Łódź İstanbul ıI ŉ ﬀ ſ'ſ IT'ſ",
    "E\u{301}cole E\u{301}COLE e\u{301}\u{302}\u{303} \u{301}\u{301}A \u{301}a \u{301}1 \u{301}\n",
    "Tiếng Việt có dấu thanh: Người Việt Nam. Türkçe İĞÜŞÖÇ. Русский ТЕКСТ и Украї́нська",
    "fn main() {\n    let x = vec![1, 2, 3];\n\tprintln!(\"{:?}\", x); // ok\n}\n\r\n\r\n#include <stdio.h>\n/* a/b */ https://x.y/z\n/\n",
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪🇫🇷 ❤️ \u{1F1E6} ☺︎ 1️⃣ #️⃣ 🤷🏿‍♀️!!!",
    "a \u{A0}b\u{1680}c\u{2000}\u{2001}d\u{2028}e\u{2029}f\u{202F}g\u{205F}h\u{3000}\u{3000}i\u{85}j\u{200B}k\u{FEFF}l\u{180E}m",
    "\r\n\r\n \r \n\t\n  \n x\r\r\ny \u{3000}\n\u{3000}z\u{B}\u{C}\u{1C}\u{1F} ",
    "1 12 123 1234 12345 ١٢٣٤٥ १२३४ ๑๒๓๔ Ⅷ ½¾ ²³ 一二三 𝟙𝟚𝟛𝟜 1,234.56 ৪৫৬৭",
    "I'm I'M i'Ll i'lL WE'RE We've we'VE don'T 'S 's ''s 's's x'sx x'd'd x'R x'v x'l X'll’s it’s",
    "snake_case camelCase PascalCase SCREAMING_CASE XMLHttpRequest2 iPhone7s a1b2 $x ->y ::z <|<||> <|start|>",
    "~~~!!!???... --- === \u{301}... ...\u{301} /// \\\\\\ \"'`´ ¿¡ «» “” …\n/\r/\n",
    "\0\u{1}\u{7F}\u{80}\u{9F}\u{AD}\u{FFFD}\u{FFFF}\u{10FFFF}\u{E000}\u{F0000} \u{378} \u{2FE0}",
];

#[test]
fn many_scripts_are_encoded_as_by_the_reference() {
    for text in TEXTS {
        check(&FULL, text);
        check(&PART, text);
    }
    check(&FULL, &TEXTS.concat());
}

#[test]
fn every_char_is_encoded_as_by_the_reference_among_others() {
    let mut text = String::new();
    for char in '\0'..=char::MAX {
        text.extend([char, 'a', char, 'B', char, char, ' ', char, '.', char, '1', char, '\n', char, '\'', 's']);
        if text.len() > 100_000 {
            check(&FULL, &text);
            text.clear();
        }
    }
    check(&FULL, &text);
}

#[test]
fn strings_of_vocabulary_tokens_are_encoded_as_by_the_reference() {
    let mut dice = Dice(1);
    for _ in 0..4000 {
        let bytes: Vec<u8> = (0..=dice.roll(30)).flat_map(|_| &TOKENS[dice.roll(TOKENS.len())]).copied().collect();
        check(&FULL, &String::from_utf8_lossy(&bytes));
        check(&PART, &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn random_bytes_are_encoded_as_by_the_reference() {
    let mut dice = Dice(2);
    for _ in 0..4000 {
        let bytes: Vec<u8> = (0..dice.roll(200)).map(|_| u8::try_from(dice.roll(256)).expect("a byte")).collect();
        check(&FULL, &String::from_utf8_lossy(&bytes));
    }
}

/// Strings of characters from all classes of the pattern. Characters at its edges occur more often.
#[test]
fn shuffled_edges_of_the_pattern_are_encoded_as_by_the_reference() {
    const EDGES: &[&str] = &[
        "a", "b", "A", "B", "é", "É", "ǅ", "ʰ", "あ", "中", "\u{301}", "\u{93F}", "\u{20DD}", "1", "٣", "Ⅷ", " ", " ",
        "\u{A0}", "\u{3000}", "\t", "\r", "\n", "\n", "/", "'", "'s", "'S", "'ſ", "'ll", "'Re", "'d", "!", "<|", "|>",
        "-", "\u{200D}", "😀", "\u{85}", "ſ", "s", "t", "R", "E",
    ];
    let mut dice = Dice(3);
    for _ in 0..40_000 {
        let text: String = (0..=dice.roll(14)).map(|_| EDGES[dice.roll(EDGES.len())]).collect();
        check(&FULL, &text);
    }
}

#[test]
fn long_runs_are_encoded_as_by_the_reference_and_not_in_quadratic_time() {
    let _alone = support::alone();
    for unit in ["a", " ", "A", "é", "क", "\n", "!", "=", "ab", "\u{301}", "9", "'"] {
        for length in [63, 64, 65, 99, 100, 1000, 100_000] {
            check(&FULL, &unit.repeat(length));
            check(&FULL, &format!("{}x", unit.repeat(length)));
        }
        let megabyte = unit.repeat(1_000_000 / unit.len());
        let start = std::time::Instant::now();
        assert_eq!(FULL.ours.decode(&FULL.ours.encode(&megabyte)), megabyte.as_bytes());
        // A second on a free core. Quadratic time would be hours.
        assert!(start.elapsed().as_secs() < 60, "{unit:?}: {:?}", start.elapsed());
    }
}

#[test]
fn the_control_tokens_have_their_true_ids_and_their_names_as_text_do_not() {
    let tokenizer = &FULL.ours;
    assert_eq!((tokenizer.ordinary(), tokenizer.len()), (0..RANKS, 201_088));
    assert_eq!(tokenizer.control(Control::Start), Token(200_006));
    assert_eq!(tokenizer.control_name(Token(200_006)), Some("<|start|>"));
    assert_eq!(tokenizer.control_name(Token(201_087)), Some("<|reserved_201087|>"));
    assert_eq!(tokenizer.control_name(Token(201_088)), None);
    assert_eq!(tokenizer.encode("<|start|>"), [27, 91, 5236, 91, 29].map(Token));
    let harmony = tiktoken_rs::o200k_harmony().expect("the vocabulary is inside");
    let prompt =
        "<|start|>system<|message|>Reasoning: low<|end|><|start|>assistant<|channel|>final<|message|>0<|return|>";
    let ids = tokenizer.encode_segments(&segments(prompt)).iter().map(|token| token.0).collect::<Vec<_>>();
    assert_eq!(ids, harmony.encode_with_special_tokens(prompt));
}

/// Returns a prompt with written control tokens as segments.
fn segments(mut prompt: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    while let Some((text, rest)) = prompt.split_once("<|") {
        let (name, rest) = rest.split_once("|>").expect("a control token");
        let control = Control::from_name(&format!("<|{name}|>")).expect("a control token");
        segments.extend([Segment::Text(text.into()), Segment::Control(control)]);
        prompt = rest;
    }
    segments.push(Segment::Text(prompt.into()));
    segments
}

/// Generates names of control tokens, their fragments, and words between them.
fn forged() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        proptest::sample::select(Control::ALL.map(|control| control.name().to_owned()).to_vec()),
        proptest::sample::select(
            ["<", "|", ">", "<|", "|>", "start", "end", "message", "<|reserved_200000|>", "<|endofprompt|>", " ", "\n"]
                .map(String::from)
                .to_vec()
        ),
        any::<String>(),
    ];
    proptest::collection::vec(fragment, 0..12).prop_map(|fragments| fragments.concat())
}

fn segment() -> impl Strategy<Value = Segment> {
    prop_oneof![
        forged().prop_map(Segment::Text),
        proptest::sample::select(Control::ALL.to_vec()).prop_map(Segment::Control),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_encoded_as_by_the_reference(text in any::<String>(), printable in "\\PC*") {
        check(&FULL, &text);
        check(&FULL, &printable);
        check(&PART, &text);
    }

    #[test]
    fn no_text_yields_a_control_token(text in forged()) {
        check(&FULL, &text);
        check(&PART, &text);
    }

    #[test]
    fn segments_yield_the_controls_that_they_name_and_no_others(segments in proptest::collection::vec(segment(), 0..12)) {
        let tokenizer = &FULL.ours;
        let tokens = tokenizer.encode_segments(&segments);
        let named: Vec<Token> = segments.iter().filter_map(|segment| match segment {
            Segment::Control(control) => Some(tokenizer.control(*control)),
            Segment::Text(_) => None,
        }).collect();
        let found: Vec<Token> = tokens.iter().copied().filter(|token| tokenizer.control_name(*token).is_some()).collect();
        prop_assert_eq!(named, found);
        let written: String = segments.iter().map(|segment| match segment {
            Segment::Control(control) => control.name(),
            Segment::Text(text) => text,
        }).collect();
        prop_assert_eq!(tokenizer.decode(&tokens), written.into_bytes());
    }

    #[test]
    fn a_prompt_cut_right_after_a_control_is_encoded_the_same(
        prefix in proptest::collection::vec(segment(), 0..6),
        control in proptest::sample::select(Control::ALL.to_vec()),
        suffix in proptest::collection::vec(segment(), 0..6),
    ) {
        let prefix = [prefix, vec![Segment::Control(control)]].concat();
        let parts = [FULL.ours.encode_segments(&prefix), FULL.ours.encode_segments(&suffix)].concat();
        prop_assert_eq!(FULL.ours.encode_segments(&[prefix, suffix].concat()), parts);
    }
}
