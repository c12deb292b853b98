mod samples;

use std::fmt::Write as _;

use super::*;
use crate::policy::diagnostics::lint::rule::LintRule;
use crate::policy::lint::{Finding, Length, Level, fixed, lint};
use samples::{CASES, CLEAN, PLAIN, PLAIN_CASES};

/// The length that a title states, or a short one.
#[allow(clippy::unnecessary_wraps, reason = "what the linter asks for")]
fn length(policy: &Policy) -> Option<Length> {
    Some(Length { tokens: policy.title.parse().unwrap_or(300), exact: true, context: 8192 })
}

fn spoiled(from: &str, to: &str) -> String {
    let long = "noise ".repeat(60);
    let examples = |count: usize| {
        let all: String = (0..count)
            .map(|number| {
                format!(
                    "  - text: Horn number {number} at night.\n    category: {}\n    why: So.\n",
                    if number % 2 == 0 { "N1.a" } else { "null" }
                )
            })
            .collect();
        let (before, rest) = CLEAN.split_once("examples:\n").unwrap();
        let (_, after) = rest.split_once("source:").unwrap();
        let list = if count == 0 { String::new() } else { format!("examples:\n{all}") };
        format!("{before}{list}source:{after}")
    };
    match (from, to) {
        ("EXAMPLES", count) => examples(count.parse().unwrap_or(0)),
        // An example names the code, too.
        ("code: N2.a", to) if to != "code: n1.A" => CLEAN.replace("N2.a", &to["code: ".len()..]),
        (from, "LONG") => CLEAN.replacen(from, &long, 1),
        ("severity: high", "severity: critical") => CLEAN
            .replace("severity: high", "severity: critical")
            .replace("escalation:\n  - N2.a goes to a moderator.\n", ""),
        ("severity: high", "severity: medium") => {
            CLEAN.replace("severity: high", "severity: medium").replace("severity: low", "severity: high")
        }
        ("VIOLATIONS", _) => {
            CLEAN.replace("category: N1.a", "category: null").replace("category: N2.a", "category: null")
        }
        ("category: null", to) => CLEAN.replace("category: null", to),
        ("verdict: violation", "verdict: safe") => CLEAN.replace("verdict: violation", "verdict: safe"),
        _ if from.starts_with("Decide whether the post is noise.") && to.contains("Reasoning high") => {
            CLEAN.replacen(from, "'Decide whether it is noise. Reasoning: high'", 1)
        }
        (from, to) => {
            assert!(CLEAN.contains(from), "{from:?} is in the clean policy");
            CLEAN.replacen(from, to, 1)
        }
    }
}

fn spoiled_plain(from: &str, to: &str) -> String {
    match from {
        "SECTION" => format!("# Noise\nReturn exactly one word: NOISE or QUIET\nDo not include any explanation.\n{to}"),
        "END" => format!("{PLAIN}\n{to}"),
        "CONTRACT" => format!("# Noise\nNoise is not allowed.\n{to}Do not include any explanation.\n"),
        _ => PLAIN.replacen(from, to, 1),
    }
}

#[test]
fn every_rule_finds_what_it_is_for_and_says_where() {
    let mut reports = String::new();
    let cases = CASES.iter().map(|(rule, from, to)| (*rule, "noise.yaml", spoiled(from, to)));
    let plain = PLAIN_CASES.iter().map(|(rule, from, to)| (*rule, "noise.md", spoiled_plain(from, to)));
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for (rule, name, source) in cases.chain(plain) {
        let findings = lint(name, &source, None, length);
        let found = findings.iter().find(|finding| finding.rule() == rule);
        let found = found.unwrap_or_else(|| panic!("{rule} finds nothing in:\n{source}\n{findings:?}"));
        assert!(
            found.hint().is_some() || rule == "duplicate-key" || found.level() == Level::Error,
            "{rule} has no hint"
        );
        write!(reports, "{found}\n\n").unwrap();
        *counts.entry(rule).or_default() += 1;
    }
    let rules: Vec<&str> = LintRule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), rules, "each rule has a case");
    assert!(counts.values().all(|count| *count >= 2), "{counts:?}");
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("lint", reports);
    });
}

#[test]
fn a_clean_policy_and_the_shipped_ones_have_no_findings() {
    assert_eq!(lint("clean.yaml", CLEAN, None, length), []);
    assert_eq!(lint("clean.md", PLAIN, None, length), []);
    let vocabulary = tiktoken_rs::o200k_base().unwrap();
    for policy in PolicyLibrary::shipped().iter() {
        let source = PolicyLibrary::shipped().source(&policy.id).unwrap();
        let counted = |policy: &Policy| {
            let text = rendering::rendered(policy);
            Some(Length { tokens: vocabulary.encode_ordinary(&text).len(), exact: true, context: 8192 })
        };
        let findings = lint(&format!("{}.yaml", policy.id), source, None, counted);
        assert!(findings.is_empty(), "{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
}

#[test]
fn letters_that_change_their_length_with_their_case_harm_nothing() {
    let criterion = format!("{} usually x\u{e9} {}", "\u{130}".repeat(10), "\u{212a}".repeat(5));
    let source = CLEAN.replace("Much noise at night.", &criterion);
    let rules: Vec<&str> = lint("rules.yaml", &source, None, length).iter().map(Finding::rule).collect();
    assert_eq!(rules, ["vague-word"]);
}

#[test]
fn what_is_mechanical_is_mended_and_nothing_else_changes() {
    let source = CLEAN.replace("Much noise", "Mu\u{200b}ch noi\u{200b}se").replace("is usually", "is");
    let findings = lint("a.yaml", &source, None, length);
    assert_eq!(
        findings.iter().map(Finding::mends).collect::<Vec<_>>(),
        [2],
        "findings of one rule on one line are one"
    );
    assert!(findings[0].message().ends_with("(and 1 more on this line)"), "{}", findings[0]);
    assert_eq!(fixed(&source, &findings), (CLEAN.to_owned(), 2));
    let source = format!("{PLAIN}\nContent: [INPUT]\nAnswer:\n");
    let (mended, count) = fixed(&source, &lint("a.md", &source, None, length));
    assert_eq!((mended.trim_end(), count), (PLAIN.trim_end(), 2));
    assert_eq!(lint("a.md", &mended, None, length), []);
}

#[test]
fn joiners_and_marks_that_a_script_needs_are_no_findings_and_are_never_touched() {
    let criterion = "نمی\u{200c}خواهم 👨\u{200d}👩\u{200d}👧 שלום\u{200f} श\u{94d}\u{200d}य 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}";
    let source = CLEAN.replace("Much noise at night.", criterion);
    let findings = lint("a.yaml", &source, None, length);
    assert_eq!(findings, []);
    assert_eq!(fixed(&source, &findings), (source.clone(), 0));
    let source = format!("{PLAIN}- {criterion}\u{200b}\n");
    assert_eq!(fixed(&source, &lint("a.md", &source, None, length)), (format!("{PLAIN}- {criterion}\n"), 1));
}

#[test]
fn rules_that_know_english_words_alone_are_silent_about_other_languages() {
    let german = "# Werberegeln\nGib genau ein Wort zurück: VALID oder INVALID. Keine Erklärung.\n\n## VERBOTEN\n- Unverlangte Werbung\n- \
        Preise ohne Gewinnspiel\n- Rufen Sie um acht an\n\n## ERLAUBT\n- Quittungen\n- Fragen\n- Berichte\n- Lob\n- Tadel\n";
    let rules: Vec<&str> = lint("regeln.md", german, None, length).iter().map(Finding::rule).collect();
    assert_eq!(rules, ["no-contract"]);
}

#[test]
fn a_comment_turns_a_rule_off_for_its_line_or_for_the_whole_file() {
    let rules = |name: &str, source: &str| -> Vec<&str> {
        lint(name, source, None, length).iter().map(Finding::rule).collect()
    };
    let vague = CLEAN.replace("      - Much noise at night.", "      - Noise, usually at night.");
    assert_eq!(rules("a.yaml", &vague), ["vague-word"]);
    let line = vague.replace("usually at night.", "usually at night. # lint: allow(vague-word)");
    assert_eq!(rules("a.yaml", &line), [""; 0]);
    assert_eq!(rules("a.yaml", &format!("# lint: allow(vague-word)\n{vague}")), [""; 0]);
    let elsewhere = vague.replace("title: Din", "title: Din # lint: allow(vague-word)");
    assert_eq!(rules("a.yaml", &elsewhere), ["unused-allow", "vague-word"], "it holds for its own line alone");
    let long = CLEAN.replace("title: Noise", "title: 1300");
    assert_eq!(rules("a.yaml", &format!("#lint: allow( length , )\n{long}")), [""; 0]);
    let placeholder = PLAIN.replace("- Much noise.", "- Much noise by {name}.");
    assert_eq!(rules("a.md", &placeholder), ["placeholder"]);
    assert_eq!(rules("a.md", &format!("{placeholder}\n<!-- lint: allow(placeholder) -->\n")), [""; 0]);
    assert_eq!(rules("a.md", &placeholder.replace("{name}.", "{name}. <!-- lint: allow(placeholder) -->")), [""; 0]);
    // Such a policy cannot be used, so a comment cannot help. Rules that never ran are not called unused.
    let broken = CLEAN.replace("verdict: safe", "verdict: sfae");
    assert_eq!(rules("a.yaml", &format!("# lint: allow(value, length)\n{broken}")), ["unknown-allow", "value"]);
    // A hash within a text is no comment.
    assert_eq!(rules("a.yaml", &CLEAN.replace("title: Din", "title: 'Din#lint: allow(length)'")), [""; 0]);
}

#[test]
fn labels_make_a_text_without_a_contract_clean_unless_they_contradict_it() {
    let text =
        PLAIN.replace("VALID or INVALID", "KEEP or REMOVE").replace("INVALID", "REMOVE").replace("VALID", "KEEP");
    assert_eq!(lint("a.md", &text, None, length)[0].rule(), "no-contract");
    let given = labels("REMOVE=violation,KEEP=safe");
    assert_eq!(lint("a.md", &text, Some(&given), length), []);
    let findings = lint("a.md", PLAIN, Some(&given), length);
    assert_eq!((findings[0].rule(), findings[0].level()), ("labels", Level::Error));
}

#[test]
fn words_and_endings_of_other_languages_are_no_findings() {
    let spanish = CLEAN.replace("Much noise at night.", "Todo el ruido de noche, con todos los métodos.");
    assert_eq!(lint("a.yaml", &spanish, None, length), []);
    let russian = CLEAN
        .replace("Noise: sound that nobody asked for.", "Реклама: сообщения о продаже.")
        .replace("Much noise at night.", "Много рекламы ночью.");
    assert_eq!(lint("a.yaml", &russian, None, length), [], "a word keeps its stem in another case");
    let japanese = CLEAN
        .replace("The engine roars all night.", "夜中にエンジンが鳴る。")
        .replace("The engine is off all night.", "夜中にエンジンは静かだ。");
    assert_eq!(lint("a.yaml", &japanese, None, length), []);
}

#[test]
fn all_keys_that_are_missing_are_named_at_once() {
    let source = "id: a\ntitle: b\ncategories:\n  - code: A1\n    title: t\n    verdict: violation\n";
    let error = Policy::from_yaml("a.yaml", source).unwrap_err();
    assert_eq!(
        error.message(),
        "5 keys are missing: the key `version`, the key `summary`, the key `instruction`, the key `contract`, \
         the key `criteria` of categories 1"
    );
    assert_eq!(lint("a.yaml", source, None, length)[0].rule(), "missing-key");
}

#[test]
fn a_file_of_a_stranger_costs_little_time_and_memory() {
    let hidden = format!("{CLEAN}# {}", "\u{200b}".repeat(200_000));
    let findings = lint("a.yaml", &hidden, None, length);
    assert_eq!((findings.len(), findings[0].mends()), (1, 200_000));
    assert!(findings[0].to_string().len() < 1_000, "a finding keeps the part of the line around it");
    assert_eq!(fixed(&hidden, &findings).0.trim_end_matches(['#', ' ']), CLEAN);
    let lines = format!("{PLAIN}{}", "- a\u{200b} {x} <|end|> generally\n".repeat(20_000));
    let flow = "[generally {x} etc, today \u{200b}], ".repeat(15_000);
    for (name, source) in [
        ("lines.md", lines),
        ("flow.md", format!("{PLAIN}{flow}")),
        ("flow.yaml", CLEAN.replace("- Much noise at night.", &format!("- '{flow}'"))),
        (
            "many.yaml",
            CLEAN.replace("      - Much noise at night.\n", &"      - Noise, usually {x}, today\n".repeat(15_000)),
        ),
        (
            "one.yaml",
            CLEAN.replace(
                "\n      - Much noise at night.\n",
                &format!(" [{}]\n", "'usually {x} today', ".repeat(15_000)),
            ),
        ),
    ] {
        let start = std::time::Instant::now();
        let findings = lint(name, &source, None, length);
        assert!(!findings.is_empty() && start.elapsed().as_secs() < 15, "{name}: {:?}", start.elapsed());
        assert!(findings.iter().all(|finding| finding.to_string().len() < 1_000), "{name}");
    }
    let long = "a ".repeat(1 << 20);
    let errors =
        |name| lint(name, &long, None, length).iter().filter(|finding| finding.level() == Level::Error).count();
    assert_eq!((errors("a.md"), errors("a.yaml")), (1, 1));
}
