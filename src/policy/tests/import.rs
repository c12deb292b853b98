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
    assert_eq!(policy.categories()[1].criteria, ["Sound after ten.", "Horns.", "Engines."]);
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
            "- NS0.a Asking: \"Is that loud?\"",
            "- NS1.a Horns: \"Honk!\"",
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
        assert!(import("a.md", nothing).unwrap_err().contains("no rule that forbids something"), "{nothing:?}");
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
