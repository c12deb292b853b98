use super::*;
use crate::policy::import::import;

/// As published policies are written: rules under headings with codes, two kinds of answer, examples with arrows.
const PROSE: &str = "\
# Noise Policy (#NS)

## Goal

Find posts that are noise. Classify each post as `VALID` or `INVALID`.

## Definitions

- Noise: Sound that nobody asked for.
- a line that defines nothing

## Allowed Content (NS0 - Talk)

Words about noise.

Examples:

- NS0.a Asking: \"Is that loud?\"

Output: `VALID` when it is quiet.

## Loud Sound (NS1 - Noise at night)

Sound after ten.

- NS1.a Horns: \"Honk!\"
- NS1.b Engines

Output: `INVALID`

## Escalation of Sound (NS2 - Sound that hurts)

Sound that hurts.

Output: `INVALID`

## Label Format

Each post gets one label.

- \"Honk at eleven\" -> `NS1`
- \"What a calm evening\" -> `NS0`
- \"Something else\" -> `NS7`

## Ambiguity and Escalation

- If both apply, the highest code has priority.
- If in doubt, treat it as `INVALID`.
- NS2 is escalated to a person.

## Thanks

To all.
";

#[test]
fn what_is_certain_is_taken_over_and_all_else_is_kept_with_its_line() {
    let imported = import("noise.md", PROSE).unwrap();
    let yaml = imported.draft.yaml();
    let policy = Policy::from_yaml("noise.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    let codes: Vec<_> = policy.categories().iter().map(|category| (category.code.as_str(), category.verdict)).collect();
    assert_eq!(codes, [("NS0", Verdict::Safe), ("NS1", Verdict::Violation), ("NS2", Verdict::Violation)]);
    assert_eq!(
        policy.categories()[1].criteria,
        ["Sound after ten.", "NS1.a Horns: \"Honk!\"", "NS1.b Engines."],
        "words stay what they are"
    );
    assert_eq!(policy.categories()[0].criteria, ["Words about noise.", "Examples: NS0.a Asking: \"Is that loud?\""]);
    assert!(policy.categories().iter().all(|category| category.severity.is_none()), "a number is no severity");
    let Body::Structured(rules) = &policy.body else { panic!("it has parts") };
    assert_eq!((policy.title.as_str(), rules.instruction.as_str()), ("Noise Policy", "Find posts that are noise."));
    assert_eq!(rules.definitions.len(), 1);
    let examples: Vec<_> = rules.examples.iter().map(|example| example.category.as_deref()).collect();
    assert_eq!(examples, [Some("NS1"), None]);
    assert_eq!((rules.precedence.len(), rules.ambiguity.len(), rules.escalation.len()), (1, 1, 1));
    let kept: Vec<&str> = imported.unplaced.iter().map(|line| PROSE.lines().nth(line - 1).unwrap()).collect();
    assert_eq!(
        kept,
        [
            "Find posts that are noise. Classify each post as `VALID` or `INVALID`.",
            "- a line that defines nothing",
            "Each post gets one label.",
            "## Thanks",
            "To all.",
        ]
    );
    for line in kept.iter().chain(&["Something else -> NS7"]) {
        assert!(yaml.contains(line), "{line}\n{yaml}");
    }
    assert!(imported.notes.iter().any(|note| note.contains("VALID and INVALID")), "{:?}", imported.notes);
}

#[test]
fn lists_under_plain_headings_become_rules_with_codes_and_a_text_without_rules_is_refused() {
    let text = "HOUSE RULES\n\n## VIOLATES (1)\n- Begging: Asks readers for money.\n- Shouts at others.\n\n## SAFE (0)\n- Names a charity.\n";
    let draft = import("House Rules.txt", text).unwrap().draft;
    let policy = Policy::from_yaml("rules.yaml", &draft.yaml()).unwrap();
    let rules: Vec<_> = policy.categories().iter().map(|category| (category.code.as_str(), category.verdict)).collect();
    assert_eq!(rules, [("R1", Verdict::Violation), ("R2", Verdict::Violation), ("R3", Verdict::Safe)]);
    assert_eq!(policy.id, "house-rules");
    for nothing in ["", "Be kind.", "# Title\n\n## Safe\n- all of it\n"] {
        assert!(
            import("a.md", nothing).unwrap_err().to_string().contains("no rule that forbids something"),
            "{nothing:?}"
        );
    }
}

/// Lists the rules of an import as `code verdict title: criteria`, one on each line.
fn rules(text: &str) -> String {
    let imported = match import("house.md", text) {
        Ok(imported) => imported,
        Err(error) => return format!("refused: {error}"),
    };
    let yaml = imported.draft.yaml();
    let policy = Policy::from_yaml("house.yaml", &yaml).unwrap_or_else(|error| panic!("{text}\n{error}\n{yaml}"));
    let line = |category: &Category| {
        format!("{} {} {}: {}", category.code, category.verdict, category.title, category.criteria.join(" / "))
    };
    policy.categories().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check(text: &str, expected: &str) {
    assert_eq!(rules(text), expected, "{text}");
}

#[test]
fn a_heading_is_read_with_its_denials_or_not_at_all() {
    let under = |heading: &str| rules(&format!("# T\n\n## VIOLATES\n- Cold ads\n\n## {heading}\n- Resold tickets\n"));
    let only_ads = "R1 violation Cold ads: Cold ads.";
    for (heading, verdict) in [
        ("Unsafe", Some("violation")),
        ("Never allowed", Some("violation")),
        ("Not permitted", Some("violation")),
        ("Content that isn't allowed", Some("violation")),
        ("What is not allowed", Some("violation")),
        ("Invalid content (remove)", Some("violation")),
        ("VIOLATES Policy (Label: 1)", Some("violation")),
        ("DOES NOT Violate Policy (Label: 0)", Some("safe")),
        ("What is allowed", Some("safe")),
        ("Valid content types (permit)", Some("safe")),
        ("Acceptable", Some("safe")),
        ("Allowed only with approval", None),
        ("Exceptions to allowed content", None),
        ("Exceptions", None),
        ("Allowed unless reported", None),
        ("Allowed and not allowed", None),
        ("More", None),
    ] {
        let expected = match verdict {
            Some(verdict) => format!("{only_ads}\nR2 {verdict} Resold tickets: Resold tickets."),
            None => only_ads.to_owned(),
        };
        assert_eq!(under(heading), expected, "{heading}");
    }
    let imported = import("a.md", "## VIOLATES\n- Ads\n## Allowed only with approval\n- Tickets\n").unwrap();
    assert_eq!(imported.unplaced, [3, 4]);
    assert!(imported.notes.iter().any(|note| note.starts_with("line 3: ")), "{:?}", imported.notes);
}

#[test]
fn the_verdict_of_a_section_holds_for_what_stands_in_it() {
    check(
        "# T\n## Invalid types (Remove)\n**TV1: Branded material.**\nMade by a listed group.\n**TV2: Threats.**\n- With a date.\n\
         ## Valid types (Permit)\n**TV0: Not extremism.**\nAll that is none of TV1 and TV2.\n\
         **TV.01: News.**\nReporting. This does not apply if it is:\n- Branded material (see TV1)\n- Threats (see TV2)\n",
        "TV1 violation Branded material: Made by a listed group.\n\
         TV2 violation Threats: With a date.\n\
         TV0 safe Not extremism: All that is none of TV1 and TV2.\n\
         TV.01 safe News: Reporting. This does not apply if it is: Branded material (see TV1); Threats (see TV2).",
    );
    check(
        "# T\n## Rules\n### VIOLATES\nContent that:\n- **S1**: Asks how to steal\n### DOES NOT violate\nContent that is:\n- News\n",
        "S1 violation Asks how to steal: Content that: Asks how to steal.\nR1 safe News: Content that is: News.",
    );
    // No word says that this is allowed or forbidden.
    check("## VIOLATES\n- Ads\n## Tickets (T1)\nTickets that are resold.\n", "R1 violation Ads: Ads.");
    // The heading contradicts the line below it.
    check("## VIOLATES\n- Ads\n## Prohibited (T1)\nTickets.\n\nOutput: VALID\n", "R1 violation Ads: Ads.");
    check("## VIOLATES\n- Ads\n### Allowed\n- News\n", "R1 violation Ads: Ads.");
    check("## VIOLATES\n- Ads\n### Bulk\n- sent to many\n", "R1 violation Ads: Ads.\nR2 violation Bulk: sent to many.");
}

#[test]
fn what_stands_below_an_item_belongs_to_it() {
    check(
        "# Shop\n## VIOLATES\n- Ads sent in bulk\n  - except to subscribers\n- Fake prizes,\n  even small ones\n\
         ## ALLOWED\n- Receipts\n  - but not receipts with links\n    - to shops\n",
        "R1 violation Ads sent in bulk: Ads sent in bulk: except to subscribers.\n\
         R2 violation Fake prizes, even small ones: Fake prizes, even small ones.\n\
         R3 safe Receipts: Receipts: but not receipts with links (to shops).",
    );
    check("## Prohibited\nDo not post:\n- Ads\n", "R1 violation Ads: Do not post: Ads.");
    check("## VIOLATES\n- Bait\n\nDo not post anything but:\n- Ads\n", "R1 violation Bait: Bait.");
    check(
        "## ALLOWED\nDo not post:\n- Ads\n\nDo not remove:\n- News\n## VIOLATES\n- Bait\n",
        "R1 safe News: Do not remove: News.\nR2 violation Bait: Bait.",
    );
    // A limit of a rule is not a rule, and nothing shows which rule it limits.
    check(
        "## VIOLATES\n- Ads\n- Except: news\n- Allowed: charity\n- Does not apply to staff\n",
        "R1 violation Ads: Ads.",
    );
    check(
        "## ALLOWED\n- News\nThis does not apply to:\n- Ads\n## VIOLATES\n- Bait\n",
        "R1 safe News: News.\nR2 violation Bait: Bait.",
    );
    check(
        "## ALLOWED\n- News\n\nThis does not apply to:\n- Ads\n## VIOLATES\n- Bait\n",
        "R1 safe News: News.\nR2 violation Bait: Bait.",
    );
}

#[test]
fn numbered_headings_and_items_are_read_as_word_writes_them() {
    check(
        "Community policy (v3.2)\n\n1. Purpose\nKeep the forum clean.\n2. What is not allowed\n2.1 Prize bait: promises of money.\n\
         2.2 Ads\n2.2.1 in bulk\n3. What is allowed\n3.1 Questions\n",
        "R2.1 violation Prize bait: promises of money.\nR2.2 violation Ads: Ads: in bulk.\nR3.1 safe Questions: Questions.",
    );
    let draft = import(
        "w3.txt",
        "Community policy (v3.2)\n\n1. Not allowed\n1.1 Ads (e.g. for a shop)\n2. In doubt\nKeep the post.\n",
    )
    .unwrap()
    .draft;
    assert_eq!((draft.title.as_str(), draft.id.as_str()), ("Community policy (v3.2)", "w3"));
    assert_eq!(draft.categories[0].title, "Ads (e.g. for a shop)");
    assert_eq!(draft.ambiguity, ["Keep the post."]);
}

#[test]
fn a_text_pasted_from_a_word_processor_is_imported_in_one_go() {
    let text = "Shop forum rules (v3.2)\nLast updated: 3 May 2024\n\n1. Purpose\nKeep the forum friendly. Return exactly one word: REMOVE or KEEP\n\
        2. What is not allowed\n2.1 Prize bait: promises of money\u{a0}for a reply.\n(a) \u{201c}You have won\u{201d}, or any request.\n\
        (b) \u{201c}Fake\u{201d} jobs: offers of work\n2.2 Cold ads \u{2013} ads to stran\u{ad}gers (e.g. for a shop)\n\u{2022}\tby mail\n\
        o\teven politely\n3. What is allowed\n3.1 Questions\n4. If in doubt\nKeep the post.\n5. Examples\n\u{201c}Win a car!\u{201d} \u{2192} 2.1\n";
    check(
        text,
        "R2.1 violation Prize bait: promises of money for a reply: \u{201c}You have won\u{201d}, or any request; \
         \u{201c}Fake\u{201d} jobs: offers of work.\n\
         R2.2 violation Cold ads: ads to strangers (e.g. for a shop): by mail (even politely).\n\
         R3.1 safe Questions: Questions.",
    );
    let draft = import("rules.txt", text).unwrap().draft;
    assert_eq!(
        (draft.title.as_str(), draft.instruction.as_str()),
        ("Shop forum rules (v3.2)", "Keep the forum friendly.")
    );
    assert_eq!(draft.ambiguity, ["Keep the post."]);
    assert_eq!((draft.examples[0].text.as_str(), draft.examples[0].category.as_deref()), ("Win a car!", Some("R2.1")));
    assert!(draft.categories.iter().all(|rule| rule.severity.is_none()), "no severity is invented");
}

#[test]
fn headings_without_a_mark_are_known_by_their_words() {
    check(
        "House rules\n\nThese rules hold for all posts.\n\nNot allowed\n\u{2022} Ads\n\u{2022} Bait\n\nAllowed:\n\u{2022} Questions\n\n\
         Exceptions\n\u{2022} Ads by sponsors\n\nIf in doubt, keep the post.\n",
        "R1 violation Ads: Ads.\nR2 violation Bait: Bait.\nR3 safe Questions: Questions.",
    );
    check(
        "Forum policy\rI. Purpose\rBe kind.\rII. Prohibited content\rA. Spam\r1. bulk mail\r2. chains\rB. Scams\rIII. Permitted content\rA. News\r",
        "R1 violation Spam: Spam: bulk mail; chains.\nR2 violation Scams: Scams.\nR3 safe News: News.",
    );
    check(
        "**Noise (#N)**\n**GOAL:** Find noise.\n\n**Fine (N0 - Non-loud)**\n- **N0.a Talk** - \"Hi!\"\n  **Output:** VALID\n\
         **Loud (N1)**\nMuch noise.\n- **N1.a Horns**\n  **Output:** INVALID\n",
        "N0 safe Fine: N0.a Talk - \"Hi!\"\nN1 violation Loud: Much noise. / N1.a Horns.",
    );
    let doubt = import("a.md", "Not allowed\n- Ads\n\nIf in doubt, keep it.\n").unwrap().draft.ambiguity;
    assert_eq!(doubt, ["If in doubt, keep it."]);
}

#[test]
fn what_a_label_includes_and_excludes_and_what_a_heading_says_of_its_label_are_read() {
    let text = "# Criteria\n\n## Overview\nFind noise.\n\n## Definition of Terms\n- **Noise:** sound.\n\n## Definition of Label\n\n\
        ### (NOISE) Loud noise\n\n#### Includes\n\n- **Horns**: Content with horns, such as:\n  - **Trucks**: in the street\n  - **Exclusion**: Not ships\n\n\
        #### Excludes\n\n- **Music**: Content with music\n";
    check(
        text,
        "R1 violation Horns: Content with horns, such as: Trucks: in the street; Exclusion: Not ships.\nR2 safe Music: Content with music.",
    );
    let draft = import("a.md", text).unwrap().draft;
    assert_eq!((draft.title.as_str(), draft.definitions.len()), ("Loud noise", 1));
    check(
        "# T\nReturn exactly `0` (fine) or `1` (violation).\n## LOUD (Label: 1)\n- Horns\n## QUIET (Label: 0)\n- Rain\n## MORE (Label: 2)\n- Wind\n",
        "R1 violation Horns: Horns.\nR2 safe Rain: Rain.",
    );
    // Under an allowed heading nobody can tell what an exclusion means.
    check("## VIOLATES\n- Ads\n## ALLOWED\n### Excludes\n- Tickets\n", "R1 violation Ads: Ads.");
    let severe =
        import("a.md", "## Prohibited\n### 2.1 Hate\nAttacks.\n\n**Severity: HIGH** - removal\n").unwrap().draft;
    let [rule] = severe.categories.as_slice() else { panic!("{severe:?}") };
    assert_eq!((rule.code.as_str(), rule.title.as_str(), rule.severity), ("R2.1", "Hate", Some(Severity::High)));
}

#[test]
fn no_word_is_changed_and_no_code_stands_twice() {
    check(
        "## VIOLATES\n- Bait: \"You have won\", or any request to reply.\n- “Fake” jobs: offers of work\n- \"Quoted\"\n",
        "R1 violation Bait: \"You have won\", or any request to reply.\n\
         R2 violation “Fake” jobs: offers of work.\nR3 violation Quoted: Quoted.",
    );
    check(
        "## VIOLATES\n- **S1**: Hurts\n- **S1**: Steals\n- R1: Lies\n- Cheats\n## Examples\n### Example 1: Theft (S2)\nInput: \"x\"\n",
        "S1 violation Hurts: Hurts.\nR1 violation Lies: Lies.\nR2 violation Cheats: Cheats.",
    );
    let severe =
        import("a.md", "## VIOLATES\n### Bulk (S2 - High severity)\nMany.\n### Small (S4)\nFew.\n").unwrap().draft;
    let severities: Vec<_> = severe.categories.iter().map(|rule| rule.severity).collect();
    assert_eq!(severities, [Some(Severity::High), None]);
}

mod any_text {
    use proptest::prelude::*;

    use super::super::*;
    use crate::policy::import::{ImportError, import};
    use crate::policy::lint::{Level, lint};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Every draft loads, has no fault that breaks replies, and loses no line.
        #[test]
        fn what_import_writes_loads(
            lines in prop::collection::vec(
                "(# |## |### |\\*\\*|- | {2}- |\\* |1\\. |1\\.1 |2\\.1 |\\(a\\) |\\(i\\) |I\\. |A\\. |o\t|\u{2022}\t|\\| |> |)(VIOLATES|Not allowed|ALLOWED|Safe|Examples|Ambiguity|\
                 Includes|Excludes|\\(DRUGS\\) Drugs|If in doubt|Severity: high|Definitions|Label format|S1|SP2\\.a|S1: Ads|Goal|Term: a|\"a\" -> S1|\"A!\" -> VALID|a -> S1|except|Ads|News:|Output: INVALID|\
                 S9 is worst|Escalate S1|: |\"|\u{e9}|Return 0 or 1|```| {3}|'|#)(\\*\\*|:|\\.| \\(S1\\)|)",
                0..24,
            ),
        ) {
            let text = format!("## Prohibited\n- Bait\n{}", lines.join("\n"));
            let imported = match import("any.md", &text) {
                Ok(imported) => imported,
                // The lines after `Bait` can make it uncertain.
                Err(error) => {
                    prop_assert!(error == ImportError::NoRule, "{error}\n{text}");
                    return Ok(());
                }
            };
            let yaml = imported.draft.yaml();
            let policy = Policy::from_yaml("any.yaml", &yaml);
            prop_assert!(policy.is_ok(), "{}\n{yaml}", policy.unwrap_err());
            let errors: Vec<String> = lint("any.yaml", &yaml, None, |_| None)
                .iter()
                .filter(|finding| finding.level() == Level::Error)
                .map(ToString::to_string)
                .collect();
            prop_assert!(errors.is_empty(), "{errors:?}\n{text}\n{yaml}");
        }

        #[test]
        fn no_text_makes_import_panic(text in any::<String>()) {
            let _ = import("any.md", &text);
            let _ = import("any.md", &format!("## VIOLATES\n- {text}\n"));
        }
    }
}

#[test]
fn a_change_is_told_by_what_it_is_a_change_of() {
    use crate::policy::diff::diff;
    let old = Policy::from_yaml("small.yaml", SMALL).unwrap();
    assert_eq!(diff(&old, &old), []);
    let new = edited("    severity: low\n    action: limit\n    criteria: [Noise.]\n", "    criteria: [Loud noise.]\n")
        .unwrap();
    let changes: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        ["changed category A1.a\n  - Noise (violation, low, limit): Noise.\n  + Noise (violation): Loud noise."]
    );
    let new = Policy::from_yaml("small.yaml", &format!("{SMALL}ambiguity: [So be it.]\n")).unwrap();
    assert_eq!(diff(&old, &new)[0].to_string(), "added ambiguity\n  + So be it.");
    assert_eq!(diff(&new, &old)[0].to_string(), "removed ambiguity\n  - So be it.");
    let plain = |text: &str| Policy::from_plain("a", text, Some(labels("0=safe,1=violation"))).unwrap();
    let changes = diff(&plain("# A\nOne.\nTwo.\n"), &plain("# A\nTwo.\nThree.\n"));
    assert_eq!(
        changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["removed line\n  - One.", "added line\n  + Three."]
    );
}
