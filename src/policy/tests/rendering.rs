use super::*;
use crate::prompt::Templates;

pub(super) fn rendered(policy: &Policy) -> String {
    let context = policy.context().expect("a structured policy has a context");
    Templates::shipped().policy(&context).expect("the policy template renders")
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn shipped_policies_render_as_the_snapshots_show() {
    for policy in PolicyLibrary::shipped().iter() {
        snapshot(&policy.id, &rendered(policy));
    }
}

#[test]
fn every_form_renders_as_the_snapshots_show() {
    snapshot(
        "small-category",
        &rendered(
            &edited("A2\n    title: Din\n    verdict: violation", "A2\n    title: Din\n    verdict: review").unwrap(),
        ),
    );
    snapshot("small-label", &rendered(&edited("form: category", "form: label").unwrap()));
    let codes = "form: label\n  labels: { A0: safe, A1.a: violation, A2: violation }";
    snapshot("small-codes", &rendered(&edited("form: category", codes).unwrap()));
}

#[test]
fn shipped_policies_have_the_length_that_works_best() {
    let vocabulary = tiktoken_rs::o200k_base().unwrap();
    for policy in PolicyLibrary::shipped().iter() {
        let count = vocabulary.encode_ordinary(&rendered(policy)).len();
        assert!((400..=700).contains(&count), "{} has {count} tokens", policy.id);
    }
}

#[test]
fn every_example_shows_an_answer_that_the_contract_allows() {
    for policy in PolicyLibrary::shipped().iter() {
        let text = rendered(policy);
        let (_, examples) = text.split_once("## EXAMPLES\n").unwrap();
        for example in examples.trim_end().split("\n\n") {
            let (_, reply) = example.rsplit_once('\n').unwrap();
            let answers = policy.answers();
            let answer = answers.iter().find(|answer| reply.starts_with(&answer.text)).expect(reply);
            let reply: serde_json::Value = serde_json::from_str(reply).unwrap();
            assert_eq!(policy.contract.complete(answer, reply["rationale"].as_str().unwrap()), reply.to_string());
        }
    }
}

#[test]
fn the_answer_is_asked_for_near_the_top_and_again_before_the_examples() {
    for policy in PolicyLibrary::shipped().iter() {
        let text = rendered(policy);
        let asked: Vec<usize> = text.match_indices("Return exactly one").map(|(at, _)| at).collect();
        let forbidden: Vec<usize> = text.match_indices("Do not include any explanation").map(|(at, _)| at).collect();
        let (definitions, examples) = (text.find("## DEFINITIONS").unwrap(), text.find("## EXAMPLES").unwrap());
        for places in [asked, forbidden] {
            assert!(matches!(places[..], [top, bottom] if top < definitions && bottom < examples), "{places:?}");
        }
        assert!(!text.contains("Answer (") && !text.contains("[INPUT]"));
    }
}

#[test]
fn shipped_policies_use_no_vague_words_and_no_time_words() {
    const BANNED: [&str; 10] =
        ["generally", "usually", "normally", "often", "typically", "etc", "today", "currently", "recently", "tomorrow"];
    for policy in PolicyLibrary::shipped().iter() {
        let text = rendered(policy).to_lowercase();
        let words: Vec<&str> = text.split(|char: char| !char.is_alphabetic()).collect();
        for word in BANNED {
            assert!(!words.contains(&word), "{} says {word:?}", policy.id);
        }
    }
}
