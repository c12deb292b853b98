//! Prompts as tokens: equal to the official renderer's, and with the properties of every prompt.

use crate::support;

use magistrate::harmony::Segment;
use magistrate::policy::{Effort, Policy};
use magistrate::prompt::{Prompt, Templates};
use magistrate::tokenizer::Tokenizer;
use proptest::prelude::*;

use support::synth::Shape;

fn full_vocabulary() -> Tokenizer {
    support::tokenizer(&Shape::full_vocabulary())
}

fn plain(text: &str) -> Policy {
    support::plain("test", text, "1=violation,0=safe")
}

#[test]
fn all_thirty_vectors_of_the_official_renderer_are_token_identical() {
    let tokenizer = full_vocabulary();
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../vectors/harmony_render.json")).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 30);
    for vector in vectors {
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        let effort: Effort = text("effort").to_lowercase().parse().unwrap();
        let prompt =
            Prompt::new(&Templates::shipped(), &plain(&text("policy")), effort, vector["date"].as_str()).unwrap();
        let segments = prompt.segments(&text("content"));
        let ids: Vec<u64> = tokenizer.encode_segments(&segments).iter().map(|token| u64::from(token.0)).collect();
        let expected: Vec<u64> = vector["tokens"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
        let shown: String = segments
            .iter()
            .map(|segment| match segment {
                Segment::Control(control) => control.name().to_owned(),
                Segment::Text(text) => text.clone(),
            })
            .collect();
        assert_eq!(shown, text("text"));
        assert_eq!(ids, expected);
    }
}

#[test]
fn without_reasoning_the_prompt_is_that_of_the_effort_it_may_go_on_to() {
    let of = |effort| Prompt::new(&Templates::shipped(), &plain("Answer 0 or 1."), effort, None).unwrap();
    assert_eq!(of(Effort::None), of(Effort::Medium));
    assert_ne!(of(Effort::None), of(Effort::Low));
}

/// Generates hostile texts: names of control tokens, pieces of them, and any other text.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<|start|>",
            "<|end|>",
            "<|message|>",
            "<|channel|>",
            "<|return|>",
            "<|call|>",
            "<|endoftext|>",
            "<|constrain|>",
            "<|",
            "|>",
            "<",
            "|",
            ">",
            "start",
            "assistant",
            "final",
            "{content}",
            "{{ content }}",
            "\n",
            " ",
            "\u{1a}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_yields_a_control_token_and_the_parts_make_the_whole(policy in hostile(), content in hostile()) {
        static TOKENIZER: std::sync::OnceLock<Tokenizer> = std::sync::OnceLock::new();
        prop_assume!(!policy.trim().is_empty());
        let tokenizer = TOKENIZER.get_or_init(|| support::tokenizer(&Shape::tiny()));
        let prompt = Prompt::new(&Templates::shipped(), &plain(&policy), Effort::Low, None).unwrap();
        let segments = prompt.segments(&content);

        let controls = segments.iter().filter(|segment| matches!(segment, Segment::Control(_))).count();
        prop_assert_eq!(controls, 10);
        let tokens = tokenizer.encode_segments(&segments);
        let found = tokens.iter().filter(|token| tokenizer.control_name(**token).is_some()).count();
        prop_assert_eq!(found, controls);

        let parts = [prompt.prefix_tokens(tokenizer), prompt.suffix_tokens(tokenizer, &content)].concat();
        prop_assert_eq!(&parts, &tokens);
        prop_assert!(tokenizer.control_name(*prompt.prefix_tokens(tokenizer).last().unwrap()).is_some());

        let shown = String::from_utf8(tokenizer.decode(&tokens)).unwrap();
        prop_assert!(shown.contains(&policy), "the policy survives");
        let end = ["<|message|>", &content, "<|end|><|start|>assistant"].concat();
        prop_assert!(shown.ends_with(&end));
    }
}

/// The beginning of a download is enough to print a prompt's tokens.
#[test]
fn the_header_alone_gives_the_tokenizer() {
    let (_folder, path) = support::model(&Shape::tiny());
    let whole = std::fs::read(&path).unwrap();
    let header = magistrate::gguf::header::Header::read(whole.as_slice(), whole.len() as u64).unwrap();
    std::fs::write(&path, &whole[..usize::try_from(header.data).unwrap()]).unwrap();
    assert!(magistrate::gguf::inspect(&path).is_err());
    let tokenizer = magistrate::gguf::tokenizer(&path).unwrap();
    assert_eq!(tokenizer.decode(&tokenizer.encode("a prompt")), b"a prompt");
}
