use super::*;

fn texts(policy: &Policy) -> Vec<String> {
    policy.answers().into_iter().map(|answer| answer.text).collect()
}

#[test]
fn a_category_answer_is_compact_json_and_safe_names_no_category() {
    let policy = edited("summary: For tests.", "summary: For tests.").unwrap();
    assert_eq!(
        texts(&policy),
        [
            r#"{"violation":0,"policy_category":null}"#,
            r#"{"violation":1,"policy_category":"A1.a"}"#,
            r#"{"violation":1,"policy_category":"A2"}"#,
        ]
    );
    assert_eq!(
        policy.answers()[1],
        Answer {
            text: r#"{"violation":1,"policy_category":"A1.a"}"#.to_owned(),
            label: "1".to_owned(),
            category: Some("A1.a".to_owned()),
            verdict: Verdict::Violation,
        }
    );
}

#[test]
fn a_rationale_answer_ends_in_the_quote_that_opens_the_rationale() {
    let policy = edited("form: category", "form: rationale").unwrap();
    let answer = &policy.answers()[1];
    assert_eq!(answer.text, r#"{"violation":1,"policy_category":"A1.a","rationale":""#);
    let complete = policy.contract.complete(answer, "says \"bang\"\nand \\");
    let value: serde_json::Value = serde_json::from_str(&complete).unwrap();
    assert_eq!(value["rationale"], "says \"bang\"\nand \\");
}

#[test]
fn a_category_for_review_brings_the_label_2() {
    let policy = edited("title: Din\n    verdict: violation", "title: Din\n    verdict: review").unwrap();
    assert_eq!(texts(&policy)[2], r#"{"violation":2,"policy_category":"A2"}"#);
    assert_eq!(policy.answers()[2].verdict, Verdict::Review);
}

#[test]
fn integers_stand_as_json_numbers_and_all_else_as_strings() {
    for (label, json) in [
        ("7", "7"),
        ("-1", "-1"),
        ("07", "\"07\""),
        ("-0", "\"-0\""),
        ("1.5", "\"1.5\""),
        ("BAD", "\"BAD\""),
        ("a\\\"", "\"a\\\\\\\"\""),
    ] {
        let labels = vec![
            Label { text: "OK".to_owned(), verdict: Verdict::Safe },
            Label { text: label.to_owned(), verdict: Verdict::Violation },
        ];
        let policy = edited("summary: For tests.", "summary: For tests.").unwrap().with_labels(labels).unwrap();
        assert_eq!(texts(&policy)[1], format!(r#"{{"violation":{json},"policy_category":"A1.a"}}"#));
        serde_json::from_str::<serde_json::Value>(&texts(&policy)[1]).unwrap();
    }
}

#[test]
fn a_label_that_is_a_code_names_its_category() {
    let codes = "form: label\n  labels: { A0: safe, A1.a: violation, A2: violation }";
    let policy = edited("form: category", codes).unwrap();
    assert_eq!(texts(&policy), ["A0", "A1.a", "A2"]);
    assert_eq!(policy.answers()[1].category.as_deref(), Some("A1.a"));
    let words = edited("form: category", "form: label").unwrap();
    assert_eq!(texts(&words), ["0", "1"]);
    assert_eq!(words.answers()[1].category, None);
}

#[test]
fn no_answer_of_a_policy_stands_twice() {
    for policy in PolicyLibrary::shipped().iter() {
        let mut texts = texts(policy);
        let count = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), count);
    }
}

#[test]
fn labels_are_read_from_a_command_line() {
    assert_eq!(
        labels(" INVALID=violation, VALID=safe,ESCALATE=review"),
        [
            Label { text: "INVALID".to_owned(), verdict: Verdict::Violation },
            Label { text: "VALID".to_owned(), verdict: Verdict::Safe },
            Label { text: "ESCALATE".to_owned(), verdict: Verdict::Review },
        ]
    );
}

#[test]
fn an_error_in_labels_names_the_part() {
    for (text, part) in [
        ("BAD", "`BAD` is not LABEL=VERDICT"),
        ("BAD=violation,", "`` is not LABEL=VERDICT"),
        ("BAD=violations,OK=safe", "in `BAD=violations`: `violations` is not a verdict"),
        ("=violation,OK=safe", "a label is empty"),
        ("BAD=violation", "no label means safe"),
        ("A=safe,a=violation", "the label `a` occurs twice"),
        ("A\u{7}B=safe,C=violation", "control character"),
    ] {
        let error = Contract::parse_labels(text).unwrap_err();
        assert_eq!(error.kind(), PolicyErrorKind::Labels);
        assert!(error.message().contains(part), "{text}: {error}");
        assert!(!hint(&error).is_empty(), "{text}");
    }
}

#[test]
fn the_digest_sees_the_words_and_not_the_layout() {
    let digest = |source: &str| Policy::from_yaml("x", source).unwrap().digest();
    let same = SMALL.replace("criteria: [Much noise.]", "criteria: # loud\n      - >\n        Much\n        noise.");
    assert_ne!(same, SMALL);
    assert_eq!(digest(&same), digest(SMALL));
    assert_eq!(digest(&format!("# mine\n{SMALL}effort: high\n")), digest(SMALL));
    for other in ["id: small", "title: Din", "'1'", "form: category", "It is loud.", "severity: low"] {
        let changed = SMALL.replace(
            other,
            &other
                .replace("small", "tiny")
                .replace("Din", "Row")
                .replace("'1'", "'2'")
                .replace("category", "rationale")
                .replace("loud", "noisy")
                .replace("low", "high"),
        );
        assert_ne!(digest(&changed), digest(SMALL), "{other}");
    }
    assert_eq!(digest(SMALL).len(), 64);
}

#[test]
fn the_digest_of_a_plain_text_is_of_text_and_labels() {
    let plain = |id, text, given| Policy::from_plain(id, text, Some(labels(given))).unwrap().digest();
    assert_eq!(plain("a", "Text.", "1=violation,0=safe"), plain("b", "Text.", "1=violation,0=safe"));
    assert_ne!(plain("a", "Text.", "1=violation,0=safe"), plain("a", "Text.", "0=violation,1=safe"));
    assert_ne!(plain("a", "Text.", "1=violation,0=safe"), plain("a", "Text!", "1=violation,0=safe"));
}

#[test]
fn words_are_read_back_as_they_are_written() {
    for effort in [Effort::None, Effort::Low, Effort::Medium, Effort::High] {
        assert_eq!(effort.as_str().parse(), Ok(effort));
        assert_eq!(serde_json::to_value(effort).unwrap(), effort.as_str());
    }
    for verdict in [Verdict::Violation, Verdict::Safe, Verdict::Review] {
        assert_eq!(verdict.to_string().parse(), Ok(verdict));
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
    }
    for severity in [Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
    }
    let error = "max".parse::<Effort>().unwrap_err().to_string();
    assert_eq!(error, "`max` is not an effort: use none, low, medium or high");
}
