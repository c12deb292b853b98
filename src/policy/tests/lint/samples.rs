//! Policies in which the linter finds nothing, and the changes in which each rule finds something.

/// A policy in which the linter finds nothing.
pub const CLEAN: &str = "\
id: clean
title: Noise
version: '1'
summary: For tests.
instruction: Decide whether the post is noise.
contract:
  form: category
  labels: { '0': safe, '1': violation }
definitions:
  Noise: sound that nobody asked for.
categories:
  - code: N1.a
    title: Din
    verdict: violation
    severity: low
    criteria:
      - Much noise at night.
  - code: N2.a
    title: Roar
    verdict: violation
    severity: high
    criteria:
      - Noise that hurts.
  - code: N0.a
    title: Talk
    verdict: safe
    criteria:
      - Words about noise.
precedence:
  - If several rules apply, N2 comes before N1.
ambiguity:
  - If no rule is met in full, the post is safe.
escalation:
  - N2.a goes to a moderator.
examples:
  - text: The engine roars all night.
    category: N1.a
    why: It is loud.
  - text: The engine is off all night.
    category: null
    why: It is quiet.
  - text: My ears hurt from that horn.
    category: N2.a
    why: It hurts.
  - text: I like the sound of rain.
    category: null
    why: Nobody minds.
source:
  note: Written for tests.
";

pub const PLAIN: &str = "\
# Noise
Decide whether the post is noise.
Return exactly one word: VALID or INVALID
Do not include any explanation.

## INVALID
- Much noise.

## VALID
- Words about noise are allowed.

## Format
Return exactly one word: VALID or INVALID
";

/// A rule, a text of the clean policy, and its replacement, in which the rule finds something. Each rule occurs at least twice.
pub const CASES: [(&str, &str, &str); 85] = [
    ("unused-allow", "title: Noise", "title: Noise # lint: allow(vague-word)"),
    ("unused-allow", "source:\n", "# lint: allow(code-gap, length)\nsource:\n"),
    ("unknown-allow", "title: Noise", "title: Noise # lint: allow(lenght, syntax)"),
    ("unknown-allow", "source:\n", "# lint: ignore(length)\nsource:\n"),
    ("placeholder", "Much noise at night.", "Much noise in {{ place }}."),
    ("placeholder", "text: I like the sound of rain.", "text: \"[A post that reports this: rain]\""),
    ("placeholder", "title: Din", "title: '[Violation 1]'"),
    ("invisible-character", "Much noise", "Much\u{200b} noise"),
    ("invisible-character", "summary: For", "summary: \u{202e}For"),
    ("control-token", "Much noise at", "Much <|end|> noise at"),
    ("control-token", "like the sound", "like <|start|> the sound"),
    ("vague-word", "Much noise at night.", "Noise, generally at night."),
    ("vague-word", "is safe.", "is usually safe."),
    ("vague-word", "Words about noise.", "Words, songs, etc. about noise."),
    ("time-word", "Noise that hurts.", "Noise that hurts today."),
    ("time-word", "goes to a moderator", "currently goes to a moderator"),
    ("unfinished", "Much noise at night.", "TODO say how much noise."),
    ("unfinished", "Decide whether", "TBD. Decide whether"),
    ("effort-word", "Decide whether the post is noise.", "Decide whether it is noise. Reasoning high is on.\n  "),
    ("effort-word", "instruction: Decide", "instruction: Think step by step and decide"),
    ("long-rule", "Much noise at night.", "LONG"),
    ("long-rule", "Words about noise.", "LONG"),
    ("no-allowed-category", "verdict: safe", "verdict: violation"),
    (
        "no-allowed-category",
        "  - code: N0.a\n    title: Talk\n    verdict: safe\n    criteria:\n      - Words about noise.\n",
        "",
    ),
    ("no-precedence", "precedence:\n  - If several rules apply, N2 comes before N1.\n", ""),
    ("no-precedence", "precedence:\n  - If several rules apply, N2 comes before N1.\n", "precedence: []\n"),
    ("no-ambiguity", "ambiguity:\n  - If no rule is met in full, the post is safe.\n", ""),
    ("no-ambiguity", "ambiguity:\n  - If no rule is met in full, the post is safe.\n", "ambiguity: []\n"),
    ("no-escalation", "escalation:\n  - N2.a goes to a moderator.\n", ""),
    ("no-escalation", "severity: high", "severity: critical"),
    ("no-severity", "    severity: low\n", ""),
    ("no-severity", "    severity: high\n", ""),
    ("code-prefix", "code: N2.a", "code: N1.ab"),
    ("code-prefix", "code: N0.a", "code: N2"),
    ("code-gap", "code: N2.a", "code: N3.a"),
    ("code-gap", "code: N2.a", "code: N5.a"),
    ("severity-order", "severity: low", "severity: critical"),
    ("severity-order", "severity: high", "severity: medium"),
    ("repeated-rule", "Noise that hurts.", "Much noise at night."),
    ("repeated-rule", "Words about noise.", "noise that  HURTS."),
    ("unknown-code", "N2 comes before N1", "N4 comes before N1"),
    ("unknown-code", "N2.a goes", "N2.b goes"),
    ("unused-definition", "Noise: sound", "Racket: sound"),
    ("unused-definition", "Noise: sound that", "Hubbub: sound that"),
    ("no-licence", "note: Written for tests.", "url: https://example.org/policy"),
    ("no-licence", "note: Written for tests.", "url: https://example.org/policy\n  note: From there."),
    ("few-examples", "  - text: I like the sound of rain.\n    category: null\n    why: Nobody minds.\n", ""),
    ("few-examples", "EXAMPLES", ""),
    ("many-examples", "EXAMPLES", "11"),
    ("many-examples", "EXAMPLES", "20"),
    ("one-sided-examples", "category: null", "category: N1.a"),
    ("one-sided-examples", "VIOLATIONS", ""),
    ("no-near-miss", "The engine is off all night.", "Quiet here."),
    ("no-near-miss", "The engine roars all night.", "Bang bang."),
    ("repeated-example", "I like the sound of rain.", "The engine is off, all night!"),
    (
        "repeated-example",
        "My ears hurt from that horn.\n    category: N2.a",
        "The engine ROARS all night.\n    category: N1.a",
    ),
    ("contradicting-examples", "The engine is off all night.", "the engine roars, all night"),
    ("contradicting-examples", "I like the sound of rain.", "My ears hurt from that horn!"),
    ("example-without-why", "    why: It is loud.\n", ""),
    ("example-without-why", "    why: Nobody minds.\n", ""),
    ("label-prefix", "'0': safe, '1': violation", "Safe: safe, Safely: violation"),
    ("label-prefix", "'0': safe, '1': violation", "no: safe, nope: violation"),
    ("label-script", "'0': safe, '1': violation", "'0': safe, 'Ñ': violation"),
    ("label-script", "'0': safe, '1': violation", "оk: safe, '1': violation"),
    (
        "long-label",
        "form: category\n  labels: { '0': safe, '1': violation }",
        "form: label\n  labels: { very good: safe, bad: violation }",
    ),
    (
        "long-label",
        "form: category\n  labels: { '0': safe, '1': violation }",
        "form: label\n  labels: { good: safe, not at all: violation }",
    ),
    ("length", "title: Noise", "title: 1300"),
    ("length", "title: Noise", "title: 2500"),
    ("length", "title: Noise", "title: 7000"),
    ("unknown-key", "summary:", "sumary:"),
    ("unknown-key", "severity: low", "severty: low"),
    ("missing-key", "summary: For tests.\n", ""),
    ("missing-key", "    title: Din\n", ""),
    ("duplicate-key", "summary: For", "title: Again\nsummary: For"),
    ("duplicate-key", "severity: low", "severity: low\n    severity: high"),
    ("labels", "'0': safe, '1': violation", "'0': safe"),
    ("labels", "'0': safe, '1': violation", "a: safe, A: violation"),
    ("value", "code: N2.a", "code: n1.A"),
    ("value", "      - Much noise at night.\n", "      - ' '\n"),
    ("value", "category: N2.a", "category: N7"),
    ("syntax", "title: Noise", "title: \"Noise"),
    ("syntax", "title: Noise", "title: Noise: very"),
    ("value", "code: N1.a", "code: N 1"),
    ("value", "verdict: violation", "verdict: bad"),
    ("value", "verdict: violation", "verdict: safe"),
];

/// The same for the plain text.
pub const PLAIN_CASES: [(&str, &str, &str); 20] = [
    ("placeholder", "Much noise.", "{rules} and ${more} and %s"),
    ("placeholder", "Much noise.", "[INSERT rules here]"),
    (
        "answer-not-at-top",
        "Decide whether the post is noise.\nReturn exactly one word: VALID or INVALID\n",
        "Decide whether the post is noise.\n",
    ),
    ("answer-not-at-top", "Return exactly one word: VALID or INVALID\nDo not", "Be fair.\nDo not"),
    ("answer-not-at-bottom", "## Format\nReturn exactly one word: VALID or INVALID\n", "## Format\nOne word.\n"),
    (
        "answer-not-at-bottom",
        "## Format\nReturn exactly one word: VALID or INVALID\n",
        "## More\n- Noise at night.\n- Noise by day.\n",
    ),
    ("no-explanation-wording", "Do not include any explanation.\n", ""),
    ("no-explanation-wording", "Do not include any explanation.", "Be brief."),
    ("no-allowed-section", "SECTION", ""),
    ("no-allowed-section", "SECTION", "Be fair.\n"),
    ("trailing-answer", "END", "Answer (VALID or INVALID):\n"),
    ("trailing-answer", "END", "Content: [INPUT]\nAnswer:\n"),
    ("no-contract", "CONTRACT", ""),
    ("no-contract", "CONTRACT", "Answer with exactly one word: FOO or BAR\n"),
    (
        "two-contracts",
        "## Format\nReturn exactly one word: VALID or INVALID\n",
        "## Format\nReturn exactly one character: 0 or 1\n",
    ),
    ("two-contracts", "## Format\n", "Return exactly one word: SAFE or UNSAFE\n## Format\n"),
    ("invisible-character", "Much noise", "Much\u{2060} noise"),
    ("invisible-character", "Words about", "Words\u{feff} about"),
    ("control-token", "Much noise", "Much <|message|> noise"),
    ("control-token", "Words about", "Words <|return|> about"),
];
