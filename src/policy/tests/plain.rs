use super::*;
use PolicyErrorKind as Kind;

fn check(text: &str, expected: &str) {
    let policy = Policy::from_plain("house", text, None).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(policy.contract.labels, labels(expected), "{text}");
    assert_eq!(policy.body, Body::Verbatim(text.to_owned()));
}

#[test]
fn a_stated_contract_is_found() {
    let words = "VALID=safe,INVALID=violation";
    let digits = "0=safe,1=violation";
    check("Rules.\nReturn exactly one word: VALID or INVALID.", words);
    check("Return exactly one word: `VALID` or `INVALID`", words);
    check("Classify each post as VALID (no spam) or INVALID (spam) by this policy.", words);
    check("Return **VALID** / **INVALID**, nothing else", words);
    check("Return exactly one character: 0 or 1.\n0 = Content does NOT violate.\n1 = Content violates.", digits);
    check("## VIOLATES (1)\nNoise.\n## SAFE (0)\nTalk.\nAnswer (0 or 1):", digits);
    check("Answer (0/1)", digits);
    check("Respond with one of: safe, unsafe", "safe=safe,unsafe=violation");
    check("Output ALLOW, BLOCK, or REVIEW.", "ALLOW=safe,BLOCK=violation,REVIEW=review");
    check("Return VALID or INVALID.\nOnce more: output INVALID or VALID.", words);
}

#[test]
fn nothing_is_guessed_where_nothing_is_stated() {
    for text in [
        "Be kind.",
        "Posts are safe or unsafe, and the difference matters.",
        "VALID and INVALID are words.",
        "Label the post as valid or invalid in spirit.",
        "Return exactly one word: GOOD or BAD",
        "Return exactly one word: VALID, INVALID or MAYBE",
        "Return {\"violation\": 1, \"policy_category\": \"A\"}",
        "Return exactly one character: 0 or 1.\n0 = the content violates this policy.",
        "Return exactly one character: 0 or 1.\n1 = the content is safe.",
        "## SAFE (1)\n## VIOLATES (0)\nReturn exactly one character: 0 or 1.",
    ] {
        let error = Policy::from_plain("house", text, None).expect_err(text);
        assert_eq!(error.kind(), Kind::NoContract, "{text}\n{error}");
        assert!(error.hint().unwrap().contains("--labels INVALID=violation,VALID=safe"));
    }
}

#[test]
fn two_contracts_are_refused_with_both_lines() {
    for (text, first, second) in [
        ("Return VALID or INVALID.\n\nAnswer (0 or 1):", 1, 3),
        ("Return VALID or INVALID.\nReturn VALID, INVALID or ESCALATE.", 1, 2),
        ("Classify as VALID (no spam) or INVALID (spam).\n\nLABEL FORMAT\nTwo labels each: D-SP#, R-SP#.", 1, 3),
        ("Return VALID or INVALID.\nOr return {\"violation\": 1}.", 1, 2),
    ] {
        let error = Policy::from_plain("house.md", text, None).expect_err(text);
        assert_eq!((error.kind(), error.line()), (Kind::TwoContracts, Some(first)), "{error}");
        let report = error.to_string();
        assert!(report.contains(&format!("--> house.md:{first}:1")), "{report}");
        assert!(report.contains(&format!("--> house.md:{second}:1")), "{report}");
    }
}

#[test]
fn given_labels_settle_what_a_text_leaves_open() {
    let text = "Return VALID or INVALID.\nAnswer (0 or 1):";
    let policy = Policy::from_plain("house", text, Some(labels("1=violation,0=safe"))).unwrap();
    assert_eq!(policy.answers()[0].text, "1");
    assert_eq!((policy.title.as_str(), policy.version.as_str()), ("house", "unversioned"));
}

#[test]
fn a_text_without_words_is_refused() {
    let error = Policy::from_plain("house", " \n", Some(labels("1=violation,0=safe"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Empty);
}
