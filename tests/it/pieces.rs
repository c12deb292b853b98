//! Long texts in pieces: nothing is left out, and nothing is larger than it may be.

use crate::support;

use std::sync::OnceLock;

use magistrate::label::pieces::pieces;
use magistrate::tokenizer::Tokenizer;
use proptest::prelude::*;
use support::synth::Shape;

/// A vocabulary in which most words have several tokens, and that of the model.
fn tokenizers() -> [&'static Tokenizer; 2] {
    static TINY: OnceLock<Tokenizer> = OnceLock::new();
    static FULL: OnceLock<Tokenizer> = OnceLock::new();
    [
        TINY.get_or_init(|| support::tokenizer(&Shape::tiny())),
        FULL.get_or_init(|| support::tokenizer(&Shape::full_vocabulary())),
    ]
}

/// Checks what must hold of any pieces, and returns where each begins and ends.
#[track_caller]
fn checked(tokenizer: &Tokenizer, text: &str, size: usize, overlap: usize) -> Vec<(usize, usize)> {
    let pieces = pieces(tokenizer, text, size, overlap);
    let place = |piece: &str| {
        let start = piece.as_ptr().addr() - text.as_ptr().addr();
        (start, start + piece.len())
    };
    let places: Vec<_> = pieces.iter().map(|piece| place(piece)).collect();
    assert_eq!(places[0].0, 0);
    assert_eq!(places.last().unwrap().1, text.len());
    for piece in &pieces {
        assert!(tokenizer.encode(piece).len() <= size.max(4));
    }
    for pair in places.windows(2) {
        let ((start, end), (next, next_end)) = (pair[0], pair[1]);
        assert!(start < next && next <= end && end < next_end, "{pair:?}");
        assert!(tokenizer.encode(&text[next..end]).len() <= overlap + 4, "{pair:?}");
    }
    places
}

#[test]
fn a_text_that_fits_is_one_piece() {
    for tokenizer in tokenizers() {
        assert_eq!(checked(tokenizer, "", 10, 2), [(0, 0)]);
        assert_eq!(checked(tokenizer, "a b", 10, 2), [(0, 3)]);
    }
}

#[test]
fn pieces_end_at_lines_or_sentences_or_words_and_overlap() {
    let [_, tokenizer] = tokenizers();
    let text =
        "The quick brown fox jumps over the dog. It ran away\nand never came back again to this place, they say.";
    assert_eq!(
        pieces(tokenizer, text, 12, 4),
        [
            "The quick brown fox jumps over the dog. It ran away",
            " It ran away\nand never came back again to this",
            " again to this place, they say.",
        ]
    );
}

#[test]
fn an_overlap_is_about_what_was_asked_for() {
    let [_, tokenizer] = tokenizers();
    let text = "Every word of this sentence is one token, or two at most. ".repeat(200);
    let places = checked(tokenizer, &text, 100, 20);
    for pair in places.windows(2) {
        let shared = tokenizer.encode(&text[pair[1].0..pair[0].1]).len();
        assert!((14..=20).contains(&shared), "{shared}");
    }
    assert!(places.len() < tokenizer.encode(&text).len() / 50);
}

#[test]
fn a_long_text_without_pauses_is_cut_too() {
    for unit in
        ["a", " ", "\n", "👩‍👩‍👧‍👦", "e\u{301}\u{302}", "我能吞下玻璃而不伤身体。", "1234567", "aB3$ \u{10FFFF}\u{0}\r"]
    {
        let text = unit.repeat((1 << 17) / unit.len());
        for tokenizer in tokenizers() {
            checked(tokenizer, &text, 512, 64);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_is_covered_by_pieces_that_fit(
        parts in prop::collection::vec(prop_oneof![
            any::<String>(),
            "[a-z]{1,12}",
            "[ \n\r\t.!?。]{1,4}",
            prop::sample::select(vec!["👩‍👩‍👧‍👦", "e\u{301}", " \n \n", "don't", "HTTPServer", "\u{10FFFF}"]).prop_map(str::to_owned),
        ], 0..60),
        size in 0..40_usize,
        overlap in 0..40_usize,
    ) {
        let text = parts.concat();
        for tokenizer in tokenizers() {
            checked(tokenizer, &text, size, overlap);
        }
    }
}
