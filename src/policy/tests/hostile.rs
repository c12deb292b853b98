use proptest::prelude::*;

use super::*;

/// Checks that a result can be used: a report that prints, or answers and a digest.
fn survives(result: Result<Policy, PolicyError>) {
    match result {
        Ok(policy) => {
            assert!(policy.answers().len() >= 2);
            assert_eq!(policy.digest().len(), 64);
            assert!(policy.context().is_none_or(|context| serde_json::to_string(&context).is_ok()));
        }
        Err(error) => {
            let report = error.to_string();
            assert!(report.len() < 8000 && !report.contains('\u{1b}'), "{report}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        survives(Policy::from_yaml("any", &text));
        survives(Policy::from_plain("any", &text, None));
        let _ = Contract::parse_labels(&text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        survives(Policy::from_yaml("any", &text));
        survives(Policy::from_plain("any", &text, None));
    }

    #[test]
    fn no_soup_of_yaml_signs_makes_the_reader_panic(text in "[-:?&*!|>%@`{}\\[\\],#'\" \n\tab0<~]{0,80}") {
        survives(Policy::from_yaml("any", &text));
        survives(Policy::from_yaml("any", &format!("{SMALL}definitions:\n  {text}")));
    }

    #[test]
    fn no_soup_of_labels_makes_the_recogniser_panic(
        text in "(Return |answer |exactly one|VALID|INVALID|valid| or |0|1|/|,|\\(|\\)|`|=|: |MAYBE|#|\n|é|label format|SP#){0,20}",
    ) {
        survives(Policy::from_plain("any", &text, None));
    }

    #[test]
    fn no_damage_to_a_shipped_policy_makes_the_reader_panic(
        which in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        length in 0..60_usize,
        put in "(|.|\n| {2}|- |: |\\[|\\{|\"|&a |\\*a|\u{1b}|é|null|[a-z]{1,8}){0,3}",
    ) {
        let library = PolicyLibrary::shipped();
        let policies: Vec<_> = library.iter().collect();
        let id = &which.get(&policies).id;
        let mut text: Vec<char> = library.source(id).unwrap().chars().collect();
        let from = from.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, put.chars());
        let text: String = text.into_iter().collect();
        survives(Policy::from_yaml("damaged.yaml", &text));
    }
}
