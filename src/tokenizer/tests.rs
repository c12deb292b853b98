//! Checks at load, over a small vocabulary made by hand. `tests/it/tokenizer_oracle.rs` compares the encoding with the
//! reference tokenizer.

use super::*;

/// All bytes, `ab`, `abc`, and the control tokens of harmony.
fn small() -> Vocabulary {
    let mut tokens: Vec<String> = (0..0x144u32)
        .filter(|code| matches!(code, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0x143))
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    tokens.extend(["ab".into(), "abc".into()]);
    let mut types = vec![1; tokens.len()];
    for control in Control::ALL {
        tokens.push(control.name().into());
        types.push(3);
    }
    Vocabulary {
        tokens: Strings::from_iter(&tokens),
        types,
        merges: Strings::from_iter(["a b", "ab c"]),
        pre: "gpt-4o".into(),
        model: "gpt2".into(),
    }
}

/// The refusal of the small vocabulary after a change to it.
fn refusal(change: impl FnOnce(&mut Vocabulary)) -> TokenizerError {
    let mut vocabulary = small();
    change(&mut vocabulary);
    Tokenizer::new(&vocabulary).expect_err("should have been refused")
}

/// A change of one token's text.
fn renamed(id: usize, text: &'static str) -> impl FnOnce(&mut Vocabulary) {
    move |vocabulary| {
        let mut tokens: Vec<String> = vocabulary.tokens.iter().map(Into::into).collect();
        tokens[id] = text.into();
        vocabulary.tokens = Strings::from_iter(tokens);
    }
}

#[test]
fn a_small_vocabulary_serves() {
    let tokenizer = Tokenizer::new(&small()).expect("a good vocabulary");
    assert_eq!((tokenizer.ordinary(), tokenizer.len()), (0..258, 266));
    assert_eq!(tokenizer.encode("abc ab"), [257, 220, 256].map(Token));
    assert_eq!(tokenizer.decode(&tokenizer.encode("Grüße, \0\u{1F600}")), "Grüße, \0\u{1F600}".as_bytes());
    assert_eq!(tokenizer.control(Control::Start), Token(258));
    assert_eq!(tokenizer.control_name(Token(258)), Some("<|start|>"));
    assert_eq!(tokenizer.bytes(Token(258)), b"<|start|>");
    assert_eq!(tokenizer.control_name(Token(257)), None);
    assert_eq!(tokenizer.bytes(Token(266)), b"");
}

#[test]
fn neighbouring_texts_are_one_text() {
    let tokenizer = Tokenizer::new(&small()).expect("a good vocabulary");
    let text = |text: &str| Segment::Text(text.into());
    let segments = [text("a"), text(""), text("bc"), Segment::Control(Control::End), text("a")];
    let end = tokenizer.control(Control::End);
    assert_eq!(tokenizer.encode_segments(&segments), [Token(257), end, Token(64)]);
}

#[test]
fn another_kind_of_tokenizer_is_refused() {
    assert_eq!(refusal(|it| it.model = "llama".into()), TokenizerError::Model("llama".into()));
    assert_eq!(refusal(|it| it.pre = "default".into()), TokenizerError::Pre("default".into()));
}

#[test]
fn ordinary_tokens_come_first_and_every_token_has_a_known_kind() {
    assert_eq!(refusal(|it| it.types.push(3)), TokenizerError::Types { tokens: 266, types: 267 });
    assert_eq!(refusal(|it| it.types[5] = 3), TokenizerError::Order(6));
    assert_eq!(refusal(|it| it.types[260] = 6), TokenizerError::Kind { id: 260, kind: 6 });
    assert_eq!(refusal(|it| it.types[0] = 2), TokenizerError::Kind { id: 0, kind: 2 });
}

#[test]
fn a_token_that_does_not_stand_for_bytes_is_refused() {
    for text in ["", " ", "a b", "\u{144}", "\u{AD}"] {
        assert_eq!(refusal(renamed(7, text)), TokenizerError::Bytes { id: 7, text: crate::text::shown(text) });
    }
}

#[test]
fn every_byte_has_one_token() {
    assert_eq!(refusal(renamed(64, "b")), TokenizerError::Duplicate { id: 65, first: 64 });
    assert_eq!(refusal(renamed(64, "abcd")), TokenizerError::MissingByte(b'a'));
}

#[test]
fn merges_are_in_the_order_of_the_tokens_and_make_them_all() {
    let merges = |merges: &'static [&str]| refusal(|it| it.merges = Strings::from_iter(merges));
    let misplaced = |index, merge: &str| TokenizerError::Merge { index, merge: merge.into() };
    let unmerged = |id, text: &str| TokenizerError::Unmerged { id, text: text.into() };
    assert_eq!(merges(&["ab c", "a b"]), unmerged(256, "ab"));
    assert_eq!(merges(&["a b", "ab c", "a b"]), misplaced(2, "a b"));
    assert_eq!(merges(&["a b", "b c", "ab c"]), misplaced(1, "b c"));
    assert_eq!(merges(&["a b", "abc"]), misplaced(1, "abc"));
    assert_eq!(merges(&["a b", "ab ", "ab c"]), misplaced(1, "ab "));
    assert_eq!(merges(&["a b"]), unmerged(257, "abc"));
    assert_eq!(merges(&[]), unmerged(256, "ab"));
}

#[test]
fn many_more_tokens_than_gpt_oss_has_are_refused() {
    let with = |ordinary: usize, others: usize| {
        refusal(|it| {
            it.tokens = (0..ordinary + others).map(|_| "a").collect();
            it.types = [vec![1; ordinary], vec![3; others]].concat();
        })
    };
    assert_eq!(with(300_000, 10), TokenizerError::TooMany { tokens: 300_010, others: 10 });
    assert_eq!(with(256, 70_000), TokenizerError::TooMany { tokens: 70_256, others: 70_000 });
    assert_eq!(with(200_000, 1_000), TokenizerError::Duplicate { id: 1, first: 0 });
}

#[test]
fn every_control_token_is_there_once_under_a_name_that_shows_it() {
    assert_eq!(refusal(renamed(258, "<|x|>")), TokenizerError::MissingControl(Control::Start));
    assert_eq!(refusal(renamed(259, "<|start|>")), TokenizerError::Duplicate { id: 259, first: 258 });
    for name in ["start", "", "<start>", "<|start\0|>", "<|ſtart|>", "<| |>"] {
        assert_eq!(
            refusal(renamed(258, name)),
            TokenizerError::ControlName { id: 258, name: crate::text::shown(name) }
        );
    }
}

#[test]
fn an_unused_token_may_have_any_name_that_is_not_taken() {
    let unused = |name: &'static str| {
        let mut vocabulary = small();
        vocabulary.tokens.push(name);
        vocabulary.types.push(5);
        Tokenizer::new(&vocabulary)
    };
    let tokenizer = unused("[PAD266]").expect("a good vocabulary");
    assert_eq!(tokenizer.control_name(Token(266)), Some("[PAD266]"));
    assert_eq!(tokenizer.decode(&tokenizer.encode("[PAD266]")), b"[PAD266]");
    for (name, first) in [("abc", 257), ("<|end|>", 259)] {
        let refused = unused(name).expect_err("a name that is taken");
        assert_eq!(refused, TokenizerError::Duplicate { id: 266, first });
    }
    assert!(unused("").is_err());
}
