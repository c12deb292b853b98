use super::*;
use PolicyErrorKind as Kind;

fn check(text: &str, expected: &str) {
    let policy = Policy::from_plain("house", text, None).unwrap_or_else(|error| panic!("{text}\n{error}"));
    assert_eq!(policy.contract.labels, labels(expected), "{text}");
    assert_eq!(policy.body, Body::Verbatim(text.to_owned()));
}

/// Builds a policy that asks for a digit and defines the digits in these words.
fn digits(definition: &str) -> String {
    format!("# Ads\nNo ads.\nReturn exactly one character: 0 or 1.\n{definition}\n")
}

#[test]
fn a_stated_contract_is_found() {
    let words = "VALID=safe,INVALID=violation";
    let digits = "0=safe,1=violation";
    check("Rules.\nReturn exactly one word: VALID or INVALID.", words);
    check("Return exactly one word: `VALID` or `INVALID`", words);
    check("Classify each post as VALID (no spam) or INVALID (spam) by this policy.", words);
    check("Return **VALID** / **INVALID**, nothing else", words);
    check("Answer with one word, without any explanation:\nVALID or INVALID", words);
    check("Do not explain, just return VALID or INVALID.", words);
    check("Never answer with 0 or 1. Return exactly one word: VALID or INVALID.", words);
    check("Answer with nothing but VALID or INVALID. Do not return JSON.", words);
    check("Return VALID if the post follows the rules.\nReturn exactly one word: VALID or INVALID.", words);
    check("Posts that violate no rule are VALID. Return exactly one word: VALID or INVALID.", words);
    check("Return exactly one character: 0 or 1.\n0 = Content does NOT violate.\n1 = Content violates.", digits);
    check("## VIOLATES (1)\nNoise.\n## SAFE (0)\nTalk.\nAnswer (0 or 1):", digits);
    check("### VIOLATES Policy (Label: 1)\nAds.\n### DOES NOT Violate Policy (Label: 0)\nNews.\nAnswer (0/1)", digits);
    check("Respond with one of: safe, unsafe", "safe=safe,unsafe=violation");
    check("Output ALLOW, BLOCK, or REVIEW.", "ALLOW=safe,BLOCK=violation,REVIEW=review");
    check("Return VALID or INVALID.\nOnce more: output INVALID or VALID.", words);
}

#[test]
fn digits_are_read_as_the_text_defines_them() {
    for definition in [
        "0 = safe, 1 = violation",
        "0 = safe\n1 = violation",
        "safe = 0, violation = 1",
        "0: does not violate\n1: violates",
        "`0` - not a violation\n`1` - a violation",
        "- **0**: allowed\n- **1**: not allowed",
        "0 (fine) or 1 (toxic)",
        "0 → no violation; 1 → violation",
        "no violation → 0; violation → 1",
        "1 means that the post breaks a rule.",
        "0 means that the post does not break any of the rules.",
        "Return 1 if any violation is found, otherwise return 0.",
        "- Return 1 if any violation is found\n- Return 0 if the message is safe",
        "If the message violates the policy, return 1. Otherwise return 0.",
        "If the message is safe\nreturn 0, and if it\nviolates the policy return 1.",
        "Return 0 if the post does not violate the policy and 1 if it does.",
        "Return `1` for any policy violation and `0` otherwise.",
        "A safe post gets 0, a violating post gets 1.",
        "Violating content is 1.",
        "Use 1 only if the post violates the policy.",
        "1 where the post is spam, 0 where it is not spam",
        "| 0 | safe |\n| 1 | violation |",
        "1 = violates\nAt least 1 link, 0 links or 1.5 days change nothing. Rule 1 is that it is safe.",
        "1 = violates\nIf in doubt, return 0 unless it clearly violates.",
        "0 = allowed\n1. Be safe.\n2. Be kind.\n1) Not allowed: noise.",
        "1 = violates\nText: \"this is a safe and allowed thing to say\" → 1",
    ] {
        check(&digits(definition), "0=safe,1=violation");
    }
}

/// Digits with unusual meanings, in every order of words, and words whose meaning the text reverses.
#[test]
fn a_meaning_against_the_usual_is_refused_with_the_flag_to_paste() {
    for definition in [
        "- Return 0 if any violation is found\n- Return 1 if the message is safe",
        "0 = the content violates this policy.",
        "1 = the content is safe.",
        "0 - Violation\n1 - OK",
        "0: not allowed\n1: allowed",
        "violation = 0, safe = 1",
        "unsafe: 0; safe: 1",
        "1 (no violation), 0 (violation)",
        "0, where 0 means a violation",
        "where 1 is fine",
        "If the message is safe, return 1. Otherwise return 0.",
        "If the message is safe return 1, if it violates the rules return 0.",
        "If any rule is broken:\nreturn 0",
        "Violating content gets\n0 and safe content\n1",
        "Return 0 if the post is\nnot allowed, and 1 if it\nfollows the rules.",
        "Return 1 only if the post does not violate the policy.",
        "Return `0` for any policy violation and `1` otherwise.",
        "A post that does not violate anything gets a 1.",
        "## SAFE (1)\nTalk.\n## VIOLATES (0)\nNoise.",
        "### DOES NOT Violate Policy (Label: 1)",
        "| 0 | violation |\n| 1 | safe |",
        "| violation | 0 |\n| safe | 1 |",
        "0 → blocked; 1 → allowed",
        "1 means “allowed”.",
        "1 indicates that no rule is broken.",
        "0 stands for content that isn't allowed.",
        "0 = non-compliant",
        "0 if it fails to comply",
        "0 = spam, 1 = not spam",
        "Label it 0, meaning that it violates the policy, or 1, meaning that it does not violate the policy.",
    ] {
        let text = digits(definition);
        let error = Policy::from_plain("house", &text, None).expect_err(definition);
        assert_eq!(error.kind(), Kind::NoContract, "{error}");
        let hint = hint(&error);
        assert!(hint.contains("--labels 0=violation,1=safe"), "{definition}\n{error}");
        assert!(error.line().is_some_and(|line| line > 2), "{error}");
    }
    for text in [
        "Return exactly one word: VALID or INVALID.\nReturn VALID if the report violates the policy.",
        "Return exactly one word: SAFE or UNSAFE.\nSAFE = the post is not allowed",
        "Is the complaint right?\nReturn exactly one word: VALID (violation) or INVALID (no violation).",
        "Return exactly one word: ALLOW or BLOCK.\n## ALLOW\nIf the post is forbidden, return ALLOW.",
    ] {
        let error = Policy::from_plain("house", text, None).expect_err(text);
        assert_eq!(error.kind(), Kind::NoContract, "{error}");
        assert!(hint(&error).starts_with("--labels "), "{error}");
    }
}

/// Pairs of phrases for content that violates and for content that does not.
const PHRASES: [(&str, &str); 12] = [
    ("it violates the policy", "it does not violate the policy"),
    ("the post is not allowed", "the post is allowed"),
    ("any rule is broken", "no rule is broken"),
    ("the content is unsafe", "the content is safe"),
    ("it breaks the rules", "it follows the rules"),
    ("the message is harmful", "the message is harmless"),
    ("it is prohibited", "it is permitted"),
    ("it does not comply with the policy", "it complies with the policy"),
    ("it isn't permitted", "it isn't prohibited"),
    ("it contains spam", "it contains no spam"),
    ("it is against the policy", "it is not against the policy"),
    ("the text is a violation", "the text is fine"),
];

/// Ways to define two labels: V for content that violates, S for content that does not. `+` marks those that are read.
const DEFINITIONS: [&str; 67] = [
    "+{V} if {v}, {S} if {s}.",
    "+Return {V} if {v}; return {S} if {s}.",
    "+Return {V} when {v} and {S} when {s}.",
    "+If {v}, return {V}. If {s}, return {S}.",
    "+If {v}, answer with {V}, otherwise {S}.",
    "+If {s}, answer with {S}, otherwise {V}.",
    "+When {s} output {S}, when {v} output {V}.",
    "+{V} means that {v}.\n{S} means that {s}.",
    "+- {V}: {v}\n- {S}: {s}",
    "+* `{V}` = {v}\n* `{S}` = {s}",
    "+{v}: {V}; {s}: {S}",
    "+{v} ({V}), {s} ({S})",
    "+({V}) {v}\n({S}) {s}",
    "+{V} ({v}) / {S} ({s})",
    "+Use {V} where {v}.\nUse {S} where {s}.",
    "+| Label | Meaning |\n|---|---|\n| {V} | {v} |\n| {S} | {s} |",
    "+| Meaning | Label |\n|---|---|\n| {v} | {V} |\n| {s} | {S} |",
    "+## Label {V}: {v}\n## Label {S}: {s}",
    "+If {v}:\n  return {V}\nelse:\n  return {S}",
    "+If {s}:\n  return {S}\nelse:\n  return {V}",
    "+Answer {V}: {v}. Answer {S}: {s}.",
    "+Set the flag to {V} if {v}, else to {S}.",
    "+Label it {V}, meaning that {v}, or {S}, meaning that {s}.",
    "{v} = {V}\n{s} = {S}",
    "{V} - {v} | {S} - {s}",
    "{V} = {v} and {S} = {s}",
    "Give a {V} to a post if {v}. Give a {S} to it if {s}.",
    "Return {S} unless {v}, in which case return {V}.",
    "## {V}\n{v}.\n## {S}\n{s}.",
    "The label {V} says that {v}, and the label {S} says that {s}.",
    "Whenever {v}\nthe answer is\n{V}.\nWhenever {s}\nthe answer is\n{S}.",
    "{V}\n{v}\n\n{S}\n{s}",
    "{v}\n{V}\n\n{s}\n{S}",
    "Does the post break a rule? {V} = yes, {S} = no",
    "{V} for yes ({v}), {S} for no ({s})",
    "A {V} is for posts where {v}; a {S} is for the rest.",
    "Return {S} for everything else, and {V} if {v}.",
    "Content where {v} should be labelled {V}, content where {s} should be labelled {S}.",
    "{V}. {v}\n{S}. {s}",
    "{V}) {v}\n{S}) {s}",
    "Return 1 or 0: {V} if {v}.",
    "We return {V} since {v}",
    "{v} -> {V}\n{s} -> {S}",
    "{V} -> {v}\n{S} -> {s}",
    "{V} => {v}",
    "{V} denotes: {v}; {S} denotes: {s}",
    "Never return {S} if {v}.",
    "Do not return {V} if {s}.",
    "Return {V} rather than {S} if {v}.",
    "Return not {S} but {V} if {v}.",
    "Return {V}, not {S}, if {v}.",
    "If {v}, never {S}, always {V}.",
    "Instead of {S} return {V} if {v}.",
    "If {v} it cannot be {S}.",
    "{S} is wrong if {v}.",
    "{S} would be a mistake when {v}.",
    "It is not {V} that says that {s}.",
    "Return the opposite of {S} if {v}.",
    "{V} or {S}: {v} or {s}, respectively.",
    "{V}/{S} = {v}/{s}",
    "Return {V}: {v}\nReturn {S}: {s}",
    "In case {v}, {V}; in case {s}, {S}.",
    "Answer {V} ({v}) and nothing else, or {S}.",
    "A score of {V} tells us that {v}",
    "Rating: {S} ... {s}; {V} ... {v}",
    "{v} - {V}, {s} - {S}",
    "Say {V}, that is: {v}, or say {S}, that is: {s}.",
];

/// The worst possible fault would be a reversed verdict.
#[test]
fn no_order_of_words_turns_the_meaning_of_labels_round() {
    let (mut wrong, mut unread) = (Vec::new(), Vec::new());
    for definition in DEFINITIONS {
        for (index, (v, s)) in PHRASES.into_iter().enumerate() {
            for (violation, safe) in [("1", "0"), ("0", "1"), ("INVALID", "VALID"), ("VALID", "INVALID")] {
                let (digit, usual) = (violation.len() == 1, ["1", "INVALID"].contains(&violation));
                let ask = if digit { "Return exactly one character: 0 or 1." } else { "Return VALID or INVALID." };
                let body = definition.trim_start_matches('+').replace("{V}", violation).replace("{S}", safe);
                let body = body.replace("{v}", v).replace("{s}", s);
                let text =
                    if index % 2 == 0 { format!("# P\n{ask}\n{body}\n") } else { format!("# P\n{body}\n{ask}\n") };
                match Policy::from_plain("house", &text, None) {
                    // A word such as VALID keeps its usual meaning, unless a definition that is read gives another.
                    Ok(_) if !usual && (digit || definition.starts_with('+')) => wrong.push(text),
                    Err(_) if usual && definition.starts_with('+') => unread.push(text),
                    _ => {}
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are turned round:\n{}", wrong.len(), wrong.join("\n"));
    assert!(unread.len() < 60, "{} are not read:\n{}", unread.len(), unread.join("\n"));
}

#[test]
fn digits_that_the_text_does_not_explain_are_refused() {
    for definition in [
        "",
        "Answer (0/1)",
        "1 = yes, 0 = no",
        "1 if so, 0 if not.",
        "1 = relevant, 0 = irrelevant",
        "1 = discusses hate, 0 = does not discuss it",
        "0 or 1, depending on whether the post is safe or violating",
        "0 and 1 for safe and violating posts, respectively",
        "1 = safe or violating",
        "0 = allowed only with approval",
        "1 = violates, unless it is satire",
        "0 = unclear, or no, or safe but not allowed",
        "Policy violations 0 = safe or unsafe",
        "Never return 1 if it violates the policy.",
        "Do not return 0 if it does not violate the policy.",
        "A post must not be labelled 0 if it is safe.",
        "Say 0, that it violates the rules, or else 1.",
    ] {
        let error = Policy::from_plain("house", &digits(definition), None).expect_err(definition);
        assert_eq!(error.kind(), Kind::NoContract, "{error}");
        assert!(hint(&error).starts_with("--labels "), "{error}");
    }
}

#[test]
fn a_request_for_json_or_for_flags_offers_no_words() {
    for text in [
        "Return {\"violation\": 1, \"policy_category\": \"A\"}",
        "Return a JSON object with binary flags (0 or 1), one for each category.\n0 = safe, 1 = violation",
        "Return JSON: {\"label\": 0 or 1}",
        "Respond in JSON with the label VALID or INVALID.",
        "Your output must be:\n```json\n{ \"S\": 0 or 1, \"H\": 0 or 1 }\n```",
        "Answer 0 or 1 for each category.\n0 = safe, 1 = violation",
        "Return flags, 0 or 1, for spam and for hate.\n0 = safe, 1 = violation",
        "Is it spam? Return JSON: {\"violation\": 0 or 1, \"rationale\": \"short\"}\n0 = not spam, 1 = spam",
    ] {
        let error = Policy::from_plain("house", text, None).expect_err(text);
        assert!(matches!(error.kind(), Kind::NoContract | Kind::TwoContracts), "{text}\n{error}");
        assert!(!hint(&error).is_empty(), "{error}");
    }
}

#[test]
fn nothing_is_guessed_where_nothing_is_stated() {
    for text in [
        "Be kind.",
        "Posts are safe or unsafe, and the difference matters.",
        "VALID and INVALID are words.",
        "Label the post as valid or invalid in spirit.",
        "Do not return VALID or INVALID.",
        "Gib genau ein Wort zurück: VALID oder INVALID.",
    ] {
        let error = Policy::from_plain("house", text, None).expect_err(text);
        assert_eq!(error.kind(), Kind::NoContract, "{text}\n{error}");
        assert_eq!(error.message(), "the policy does not state its answers", "{text}");
        assert!(hint(&error).contains("--labels INVALID=violation,VALID=safe"));
    }
}

#[test]
fn words_without_a_known_meaning_are_named() {
    for (text, message, flag) in [
        (
            "Return exactly one word: REMOVE or KEEP",
            "the policy asks for `REMOVE` or `KEEP`, but which is the violation?",
            "--labels REMOVE=violation,KEEP=safe",
        ),
        (
            "Return KEEP or REMOVE.",
            "the policy asks for `KEEP` or `REMOVE`, but which is the violation?",
            "--labels KEEP=safe,REMOVE=violation",
        ),
        (
            "Return exactly one word: GOOD or BAD",
            "the policy asks for `GOOD` or `BAD`, but which is the violation?",
            "or the other way round",
        ),
        (
            "Return exactly one word: Yes or No",
            "the policy asks for `Yes` or `No`, but which is the violation?",
            "or the other way round",
        ),
        (
            "Return exactly one word: VALID, INVALID or MAYBE",
            "the policy asks for `VALID`, `INVALID` or `MAYBE`, but which is the violation?",
            "--labels VALID=",
        ),
        (
            "Return 0 (safe), 1 (mild) or 2 (severe).",
            "the policy asks for `0`, `1` or `2`, but which is the violation?",
            "--labels 0=",
        ),
        (
            "Return one word: VALID, INVALID or unsure",
            "the policy asks for `VALID`, `INVALID` or `unsure`, but which is the violation?",
            "--labels VALID=",
        ),
    ] {
        let error = Policy::from_plain("house", text, None).expect_err(text);
        assert_eq!((error.kind(), error.message()), (Kind::NoContract, message), "{error}");
        assert!(hint(&error).contains(flag), "{error}");
    }
}

#[test]
fn two_contracts_are_refused_with_both_lines() {
    for (text, first, second) in [
        ("Return VALID or INVALID.\n\nAnswer (0 or 1):", 1, 3),
        ("Return VALID or INVALID.\nReturn VALID, INVALID or ESCALATE.", 1, 2),
        ("Classify as VALID (no spam) or INVALID (spam).\n\nLABEL FORMAT\nTwo labels each: D-SP#, R-SP#.", 1, 3),
        ("Return VALID or INVALID.\nOr return {\"violation\": 1}.", 1, 2),
        ("Return VALID or INVALID.\nOr return REMOVE or KEEP.", 1, 2),
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
fn given_labels_that_contradict_the_text_are_told() {
    let agrees = |text: &str, given: &str| read::plain::check_labels("house", text, &labels(given));
    for (text, given) in [
        ("No ads.", "YES=violation,NO=safe"),
        ("Return exactly one word: REMOVE or KEEP", "REMOVE=violation,KEEP=safe"),
        ("Return VALID or INVALID.", "INVALID=violation,VALID=safe"),
        ("Return VALID or INVALID.\nAnswer (0 or 1):", "1=violation,0=safe"),
        ("Return 0 or 1.\n0 = violation, 1 = safe", "0=violation,1=safe"),
        ("Return exactly one word: VALID (violation) or INVALID (no violation).", "VALID=violation,INVALID=safe"),
    ] {
        agrees(text, given).unwrap_or_else(|error| panic!("{text}\n{error}"));
    }
    for (text, given) in [
        ("Return exactly `0` (fine) or `1` (toxic).", "VALID=safe,INVALID=violation"),
        ("Return VALID or INVALID.", "VALID=violation,INVALID=safe"),
        ("Return VALID, INVALID or ESCALATE.", "VALID=safe,INVALID=violation"),
        ("Return 0 or 1.\n0 = violation, 1 = safe", "0=safe,1=violation"),
        ("Return JSON: {\"label\": 0 or 1}", "0=safe,1=violation"),
    ] {
        let error = agrees(text, given).expect_err(text);
        assert_eq!(error.kind(), Kind::Labels, "{error}");
        let way_out = format!("to use yours all the same: --labels house:{given}");
        assert!(hint(&error).ends_with(&way_out), "{error}");
    }
}

#[test]
fn a_long_text_is_read_in_one_pass_whatever_it_repeats() {
    for part in
        ["0 ", "0) ", "(a", "VALID or ", "return 0 or 1 ", "a, ", "{\"", "1 = safe ", "Answer 0, 1. ", "\n- 0 = "]
    {
        let text = format!("Return 0 or 1.\n{}", part.repeat(100_000 / part.len()));
        let start = std::time::Instant::now();
        let _ = Policy::from_plain("house", &text, None);
        assert!(start.elapsed().as_secs() < 10, "{part:?} takes {:?}", start.elapsed());
    }
    let error = Policy::from_plain("house", &"a ".repeat(600_000), None).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
}

#[test]
fn a_text_without_words_is_refused() {
    let error = Policy::from_plain("house", " \n", Some(labels("1=violation,0=safe"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Empty);
}
