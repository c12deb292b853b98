//! `policy`, and policies that cannot be used.

use std::fs;
use std::path::Path;

use insta::{assert_snapshot, with_settings};
use magistrate::policy::PolicyLibrary;
use serde_json::Value;

use super::{RULES, Stage, transcript};

#[test]
fn findings_are_told_to_people_and_to_programs() {
    let broken = "id: noise\ntitle: Noise\nversion: '1'\nsummary: For tests.\ninstruction: Decide, generally, whether it is noise.\n\
        contract:\n  form: category\ncategories:\n  - code: N1.a\n    title: Din\n    verdict: violation\n    criteria: [Much\u{200b} noise.]\n";
    let stage = Stage::new().file("noise.yaml", broken).file("wrong.yaml", "id: wrong\n");
    let lint = |args: &[&str]| stage.run(&[&["policy", "lint"], args].concat());
    let text = lint(&["noise.yaml"]);
    let (github, wrong, strict) =
        (lint(&["noise.yaml", "--format", "github"]), lint(&["wrong.yaml"]), lint(&["noise.yaml", "--strict"]));
    assert_eq!((text.code, github.code, wrong.code, strict.code), (0, 0, 1, 1));
    let findings: Value =
        serde_json::from_str(&lint(&["noise.yaml", "wrong.yaml", "--format", "json"]).stdout).unwrap();
    assert_eq!((&findings[0]["file"], &findings[0]["level"]), (&"noise.yaml".into(), &"warning".into()));
    let sarif: Value = serde_json::from_str(&lint(&["noise.yaml", "--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), findings.as_array().unwrap().len() - 1);
    let shipped = lint(&["--shipped"]);
    assert_eq!((shipped.code, shipped.stdout.as_str()), (0, "20 policies: 0 errors, 0 warnings, 0 notes\n"));
    let fixed = lint(&["noise.yaml", "--fix"]);
    assert_eq!(fs::read_to_string(stage.path("noise.yaml")).unwrap(), broken.replace('\u{200b}', ""));
    assert_transcript!([text, github, wrong, fixed]);
}

#[test]
fn lint_reads_the_policies_of_the_folder_and_says_what_it_passed_over() {
    let shown = PolicyLibrary::shipped().source("spam").unwrap();
    let stage = Stage::new()
        .file("begging.yaml", shown.replace("id: spam", "id: begging"))
        .file("README.md", "# Read me\nReturn exactly one word: VALID or INVALID\n")
        .file("notes.txt", "Buy milk.\n")
        .file("golden.yaml", "policy: begging\ncases: []\n");
    let empty = stage.run(&["policy", "lint"]);
    fs::create_dir_all(stage.path("packs/.hidden")).unwrap();
    fs::create_dir_all(stage.path("packs/loud")).unwrap();
    fs::write(stage.path("packs/.hidden/a.yaml"), "id: a\ntitle: b\n").unwrap();
    fs::write(stage.path("packs/loud/policy.md"), RULES).unwrap();
    fs::write(stage.path("packs/broken.txt"), b"\xff\xfeR\0").unwrap();
    let below = stage.run(&["policy", "lint", "packs"]);
    let none = stage.run(&["policy", "lint", "packs/.hidden/", "--shipped"]);
    assert_eq!((empty.code, below.code, none.code), (0, 0, 1));
    fs::create_dir(stage.path("empty")).unwrap();
    let nothing = stage.run(&["policy", "lint", "empty"]);
    assert_eq!(nothing.code, 2);
    assert_transcript!([empty, below, nothing]);
}

#[test]
fn rules_of_lint_are_listed_explained_and_left_out() {
    let vague = PolicyLibrary::shipped().source("spam").unwrap().replacen("      - ", "      - Usually ", 1);
    let stage = Stage::new()
        .file("vague.yaml", &vague)
        .file("keep.md", RULES.replace("INVALID", "REMOVE").replace("VALID", "KEEP"));
    let list = stage.run(&["policy", "lint", "--list"]);
    assert_eq!(list.stdout.lines().count(), 46);
    let json: Value =
        serde_json::from_str(&stage.run(&["policy", "lint", "--list", "--format", "json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 46);
    let strict = stage.run(&["policy", "lint", "vague.yaml", "--strict"]);
    let ignored = stage.run(&["policy", "lint", "vague.yaml", "--strict", "--ignore", "vague-word"]);
    assert_eq!((strict.code, ignored.code), (1, 0), "{strict}{ignored}");
    fs::write(stage.path("vague.yaml"), format!("# lint: allow(vague-word)\n{vague}")).unwrap();
    assert_eq!(stage.run(&["policy", "lint", "vague.yaml", "--strict"]).code, 0);
    // A text whose words have no usual meaning is clean with the labels that `check` would get.
    let labels = "REMOVE=violation,KEEP=safe";
    assert_eq!(stage.run(&["policy", "lint", "keep.md"]).code, 1);
    for given in [labels.to_owned(), format!("keep:{labels}")] {
        assert_eq!(stage.run(&["policy", "lint", "keep.md", "vague.yaml", "--labels", &given]).code, 0, "{given}");
    }
    assert_transcript!([
        list,
        stage.run(&["policy", "lint", "--explain", "code-gap"]),
        stage.run(&["policy", "lint", "--explain", "syntax"]),
        stage.run(&["policy", "lint", "--explain", "code-gab"]),
        stage.run(&["policy", "lint", "vague.yaml", "--ignore", "vague"]),
        stage.run(&["policy", "lint", "vague.yaml", "--ignore", "syntax"]),
    ]);
}

#[test]
fn a_policy_is_made_from_flags_or_from_prose_and_compared() {
    let prose = "# House rules\n\n## VIOLATES\n- Begging: Asks readers for money.\n\n## Thanks\nTo all.\n";
    let stage = Stage::new().file("prose.md", prose);
    let new = ["policy", "new", "begging", "--violation", "Begging: Asks readers for money."];
    let made =
        stage.run(&[&new[..], &["--allowed", "Charity: Names a registered charity.", "-o", "begging.yaml"]].concat());
    // The author must replace the examples in brackets. Until then lint reports them.
    let lint = || stage.run(&["policy", "lint", "begging.yaml", "--strict"]);
    let unfinished = lint();
    assert_eq!((made.code, unfinished.code, unfinished.stdout.matches("[placeholder]").count()), (0, 1, 4));
    let written = fs::read_to_string(stage.path("begging.yaml")).unwrap();
    fs::write(stage.path("begging.yaml"), written.replace("\"[", "\"").replace("]\"", "\"")).unwrap();
    assert_eq!(lint().stdout, "1 policy: 0 errors, 0 warnings, 0 notes\n");
    fs::write(stage.path("begging.yaml"), written).unwrap();
    let again = stage.run(&[&new[..], &["-o", "begging.yaml"]].concat());
    let nothing = stage.run(&["policy", "new"]);
    for wrong in ["\u{fc}bel", "-x", ""] {
        let wrong = stage.run(&["policy", "new", "--violation", "A: B.", "--", wrong]);
        assert!(wrong.code == 2 && wrong.stderr.contains("not lower-case letters"), "{wrong}");
    }
    let untitled = stage.run(&["policy", "new", "begging", "--violation", "Begging"]);
    assert!(untitled.code == 2 && untitled.stderr.contains("not of the form \"Title: rule\""), "{untitled}");
    let import = stage.run(&["policy", "import", "prose.md"]);
    let lost = stage.run(&["policy", "import", "rules.md"]);
    fs::write(
        stage.path("other.yaml"),
        fs::read_to_string(stage.path("begging.yaml")).unwrap().replace("low\n\n#", "high\n\n#"),
    )
    .unwrap();
    let diff = stage.run(&["policy", "diff", "begging.yaml", "other.yaml"]);
    let same = stage.run(&["policy", "diff", "spam", "spam"]);
    assert_eq!([again.code, nothing.code, import.code, lost.code, diff.code, same.code], [2, 2, 0, 2, 1, 0]);
    assert_transcript!([made, nothing, import, lost, diff]);
}

#[test]
fn programs_get_policies_and_their_changes_as_json() {
    let stage = Stage::new();
    let json = |args: &[&str]| -> Value {
        let run = stage.run(&[&["policy"], args].concat());
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("no JSON: {run}"))
    };
    let list = json(&["list", "--json"]);
    let trained = list.as_array().unwrap().iter().filter(|policy| policy["built_in_model"] == true).count();
    assert_eq!((list.as_array().unwrap().len(), trained, &list[0]["id"]), (20, 6, &"spam".into()));
    let spam = json(&["show", "Spam", "--json"]);
    let rule = &spam["categories"][0];
    assert!(rule["code"].is_string() && rule["title"].is_string() && rule["severity"].is_string(), "{rule}");
    assert_eq!((&spam["digest"], &spam["golden_cases"]), (&list[0]["digest"], &49.into()));
    assert_eq!(json(&["show", "rules.md", "--json"])["text"], RULES);
    assert_eq!(json(&["diff", "spam", "spam", "--json"])["equal"], true);
    let changes = json(&["diff", "spam", "hate", "--json"]);
    assert_eq!((&changes["equal"], &changes["changes"][0]["part"]), (&false.into(), &"title".into()));
    assert_eq!(stage.run(&["policy", "diff", "spam", "spam"]).stdout, "no differences\n");
    let prose = "# House\n## VIOLATES\n- Begging\n## Thanks\nTo all.\n";
    let run = stage.run_on(prose.as_bytes(), &["policy", "import", "-", "--json"]);
    let imported: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &imported["file"], &imported["unplaced"][1]["text"]), (0, &Value::Null, &"To all.".into()));
    assert!(imported["yaml"].as_str().unwrap().contains("title: House"), "{imported}");
    let foreign = stage.run_on(b"# House\n## VIOLATES\n- \x93Fake\x94 jobs\n", &["policy", "import", "-"]);
    assert!(foreign.stdout.contains("“Fake” jobs") && foreign.stderr.contains("Windows-1252"), "{foreign}");
    // A pattern of a shell turns further policies into texts.
    let glob = stage.run(&["check", "-p", "rules.md", "rules.md"]);
    assert!(glob.code == 2 && glob.stderr.contains("the text is the name of a file"), "{glob}");
}

#[test]
fn the_golden_set_of_a_policy_is_a_file_that_a_policy_may_name() {
    let shown = PolicyLibrary::shipped().source("spam").unwrap().replace("id: spam", "id: mine");
    let stage = Stage::new().file("mine.yaml", format!("{shown}golden: golden.yaml\n"));
    let golden = stage.run(&["policy", "show", "spam", "--golden"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(golden.stdout, fs::read_to_string(root.join("policies/golden/spam.yaml")).unwrap());
    let missing = stage.run(&["policy", "show", "mine.yaml", "--golden"]);
    let none = stage.run(&["policy", "show", "rules.md", "--golden"]);
    fs::write(stage.path("golden.yaml"), &golden.stdout).unwrap();
    let own = stage.run(&["policy", "show", "mine.yaml", "--golden"]);
    assert!(own.code == 0 && own.stdout.starts_with("policy: mine\ncases:\n  - text: "), "{own}");
    assert_eq!((missing.code, none.code), (2, 2));
    // The set is read by eval alone: a policy is used without it.
    fs::remove_file(stage.path("golden.yaml")).unwrap();
    assert_eq!(stage.run(&["policy", "show", "mine.yaml", "--rendered"]).code, 0);
    assert_transcript!([missing, none]);
}

#[test]
fn a_golden_set_in_yaml_evaluates_every_policy_with_its_codes() {
    let shown = PolicyLibrary::shipped().source("spam").unwrap().replace("id: spam", "id: mine");
    let set = "policy: spam\ncases:\n  - text: Win a prize today\n    category: SP2.a\n  - text: The hall is open\n    category: null\n";
    let stage = Stage::new()
        .file("mine.yaml", &shown)
        .file("named.yaml", format!("{shown}golden: set.yaml\n"))
        .file("set.yaml", set)
        .file("wrong.yaml", set.replace("SP2.a", "SP7.a"));
    let eval = |args: &[&str]| {
        stage.run(&[&["eval", "--effort", "none", "--min-mass", "0", "--no-cache", "--json"], args].concat())
    };
    let by_name = eval(&["-p", "mine.yaml", "set.yaml"]);
    assert!(by_name.code == 0 && by_name.stdout.contains("\"rows\":2"), "{}", by_name.stderr);
    assert_eq!(eval(&["-p", "named.yaml"]).code, 0, "the policy names its set");
    let both = eval(&["-p", "spam,mine.yaml", "--golden-of", "named.yaml"]);
    assert!(both.code == 0 && both.stdout.matches("\"about\"").count() == 2, "{}", both.stderr);
    let foreign = eval(&["-p", "hate", "--golden-of", "spam"]);
    assert!(foreign.code == 2 && foreign.stderr.contains("no category has the code `SP1.a`"), "{}", foreign.stderr);
    let wrong = eval(&["-p", "mine.yaml", "wrong.yaml"]);
    let own = eval(&["-p", "mine.yaml"]);
    let several = eval(&["-p", "spam,mine.yaml"]);
    assert_eq!((wrong.code, own.code, several.code), (2, 2, 2));
    for (run, hint) in [(&wrong, "wrong.yaml:4"), (&own, "--golden-of ID"), (&several, "--golden-of ID")] {
        assert!(run.stderr.contains(hint), "{run}");
    }
}

#[test]
fn policies_are_listed() {
    assert_transcript!([Stage::new().run(&["policy", "list"])]);
}

#[test]
fn a_policy_is_shown_as_the_file_that_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stage = Stage::new();
    for policy in PolicyLibrary::shipped().iter() {
        let run = stage.run(&["policy", "show", &policy.id]);
        let file = fs::read_to_string(root.join(format!("policies/{}.yaml", policy.id))).unwrap();
        assert_eq!((run.code, run.stdout, run.stderr), (0, file, String::new()));
    }
    assert_eq!(stage.run(&["policy", "show", "rules.md"]).stdout, RULES);
}

#[test]
fn a_policy_that_was_saved_is_the_policy_that_was_shown() {
    let stage = Stage::new();
    let shown = stage.run(&["policy", "show", "spam"]).stdout;
    let stage = stage.file("mine.yaml", shown.replace("id: spam", "id: mine"));
    let rendered = |policy| stage.run(&["policy", "show", policy, "--rendered"]).stdout;
    assert_eq!(rendered("mine.yaml"), rendered("spam"));
    assert!(rendered("spam").starts_with("# Spam\n\n## INSTRUCTIONS\n"));
    assert_eq!(rendered("rules.md").trim_end(), RULES.trim_end());
}

#[test]
fn the_schema_of_policies_is_a_json_schema() {
    let run = Stage::new().run(&["policy", "schema"]);
    let schema: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(schema, magistrate::policy::schema());
    jsonschema::validator_for(&schema).unwrap();
}

#[test]
fn a_policy_that_cannot_be_used_says_where_and_why() {
    let broken = PolicyLibrary::shipped().source("spam").unwrap().replace("severity: critical", "severity: criticl");
    let stage = Stage::new()
        .file("broken.yaml", broken)
        .file("bare.md", "No advertising.\n")
        .file("digits.txt", "Answer 0 or 1.\n- Return 0 if any violation is found\n- Return 1 if the message is safe\n")
        .file("keep.md", "Return exactly one word: REMOVE or KEEP\n")
        .file("utf16.md", b"\xff\xfeB\0e\0")
        .file("posts.csv", "id,text\n");
    let check = |args: &[&str]| stage.fails(&[&["check"], args].concat());
    assert_transcript!([
        check(&["-p", "spm"]),
        check(&["-p", "something-else"]),
        check(&["-p", "none.yaml"]),
        check(&["-p", "posts.csv"]),
        check(&["-p", "utf16.md"]),
        stage.run(&["policy", "lint", "utf16.md"]),
        stage.run(&["policy", "import", "utf16.md"]),
        check(&["-p", "broken.yaml"]),
        check(&["-p", "bare.md"]),
        check(&["-p", "digits.txt"]),
        check(&["-p", "keep.md"]),
        check(&["-p", "rules.md", "-p", "./rules.md"]),
        check(&["-p", "spam", "-p", "spam"]),
        check(&["-p", "rules.md", "--labels", "BAD"]),
        check(&["-p", "rules.md", "--labels", "BAD=violaton,FINE=safe"]),
        check(&["-p", "rules.md", "--labels", "BAD=violation,FINE=safe"]),
        check(&["-p", "rules.md", "--labels", "VALID=violation,INVALID=safe"]),
        check(&["-p", "rules.md", "-p", "keep.md", "--labels", "REMOVE=violation,KEEP=safe"]),
        check(&["-p", "rules.md", "--labels", "keep:REMOVE=violation,KEEP=safe"]),
        check(&["-p", "keep.md", "--labels", "A=violation,B=safe", "--labels", "A=violation,B=safe"]),
        check(&["-p", "spam", "--labels", "BAD=violation,FINE=safe,HM=review"]),
        stage.fails(&["prompt", "-p", "rules.md", "-p", "spam"]),
        stage.fails(&["prompt"]),
        check(&[]),
        stage.run(&["policy", "show", "spm"]),
    ]);
}
