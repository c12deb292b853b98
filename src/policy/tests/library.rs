use std::fs;
use std::path::Path;

use super::*;
use PolicyErrorKind as Kind;

#[test]
fn shipped_policies_are_found_by_id_and_their_source_makes_the_same_policy() {
    let library = PolicyLibrary::shipped();
    assert_eq!(
        library.iter().map(|policy| policy.id.as_str()).collect::<Vec<_>>(),
        [
            "spam",
            "fraud-and-scams",
            "hate",
            "harassment",
            "violence-and-threats",
            "violent-extremism",
            "graphic-violence",
            "self-harm",
            "sexual-content",
            "sexual-crimes",
            "minors-safety",
            "teen-safety",
            "weapons",
            "drugs-and-regulated-goods",
            "cybercrime",
            "personal-data",
            "prompt-injection",
            "misinformation-and-elections",
            "regulated-advice",
            "intellectual-property",
        ]
    );
    for policy in library.iter() {
        assert_eq!(library.get(&policy.id).unwrap(), policy);
        let read = Policy::from_yaml("x", library.source(&policy.id).unwrap()).unwrap();
        assert_eq!(Policy { golden: policy.golden.clone(), ..read }, *policy);
        assert_eq!((policy.contract.form, policy.effort), (Form::Rationale, Effort::Low));
    }
}

#[test]
fn shipped_policies_have_examples_of_both_sides_and_rules_for_doubt() {
    for policy in PolicyLibrary::shipped().iter() {
        let Body::Structured(rules) = &policy.body else { panic!("{} is structured", policy.id) };
        let safe = rules.examples.iter().filter(|example| example.category.is_none()).count();
        assert!(
            safe >= 2 && rules.examples.len() - safe >= 2 && rules.examples.iter().all(|example| example.why.is_some())
        );
        assert!(!rules.precedence.is_empty() && !rules.ambiguity.is_empty() && !rules.escalation.is_empty());
    }
}

#[test]
fn golden_sets_are_large_enough_test_every_rule_and_share_no_text_with_any_policy() {
    let library = PolicyLibrary::shipped();
    let mut texts = std::collections::HashMap::new();
    let plain = |text: &str| {
        let lower = text.to_lowercase();
        lower.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    };
    for policy in library.iter() {
        let Body::Structured(rules) = &policy.body else { panic!("{} is structured", policy.id) };
        for example in &rules.examples {
            let other = texts.insert(plain(&example.text), &policy.id);
            assert_eq!(other, None, "{}: {}", policy.id, example.text);
        }
    }
    for policy in library.iter() {
        let golden = library.golden(&policy.id);
        let near = golden.iter().filter(|case| case.near_miss).count();
        assert!(golden.len() >= 40 && 2 * near >= golden.len(), "{}: {} cases, {near} near", policy.id, golden.len());
        assert!(golden.iter().filter(|case| case.near_miss).all(|case| case.why.is_some()), "{}", policy.id);
        for category in policy.categories().iter().filter(|category| category.verdict != Verdict::Safe) {
            let count = golden.iter().filter(|case| case.category.as_ref() == Some(&category.code)).count();
            assert!(count >= 2, "{}: {} has {count} cases", policy.id, category.code);
        }
        for case in golden {
            let other = texts.insert(plain(&case.text), &policy.id);
            assert_eq!(other, None, "{}: {}", policy.id, case.text);
        }
    }
}

#[test]
fn a_golden_set_is_held_to_its_policy() {
    let with = |golden: &str| {
        let source = format!("{SMALL}golden:\n{golden}");
        Policy::from_yaml("small.yaml", &source)
    };
    let policy = with("  - text: Clang\n    category: A2\n    near_miss: true\n  - text: Shh\n").unwrap();
    assert_eq!((policy.golden.len(), policy.golden[0].category.as_deref()), (2, Some("A2")));
    assert_eq!(
        policy.digest(),
        Policy::from_yaml("small.yaml", SMALL).unwrap().digest(),
        "it is no part of the policy"
    );
    for (golden, message) in [
        ("  - text: Clang\n    category: A9\n", "no category has the code `A9`"),
        ("  - text: Clang\n    category: A0\n", "the category `A0` is safe"),
        ("  - text: Bang\n    category: A2\n", "the case is an example of the policy"),
        ("  - text: Clang\n  - text: Clang\n", "the same case occurs twice"),
        ("  - text: ' '\n", "there is no text here"),
    ] {
        let error = with(golden).unwrap_err();
        assert!(error.message() == message && error.line() > Some(28), "{error}");
    }
    let own = "policy: other\ncases: []\n";
    let error = Policy::from_yaml("small.yaml", SMALL).unwrap().with_golden("golden.yaml", own).unwrap_err();
    assert_eq!(error.message(), "a golden set of the policy `other`, and not of `small`");
}

#[test]
fn an_unknown_id_is_answered_with_the_one_that_was_probably_meant() {
    let list = "`magistrate policy list` shows all 20";
    for (id, meant) in [
        ("spamm", "spam"),
        ("Spma", "spam"),
        ("selfharm", "self-harm"),
        ("fraud", "fraud-and-scams"),
        ("suicide", "self-harm"),
        ("drugs", "drugs-and-regulated-goods"),
    ] {
        let error = load(id, None).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownPolicy);
        assert_eq!(hint(&error), format!("did you mean {meant}? ({list})"), "{id}");
    }
    for id in ["zebra", "a", "of"] {
        assert!(hint(&load(id, None).unwrap_err()).starts_with(list), "{id}");
    }
    for file in ["no/such", "no.such", "no.yaml"] {
        assert_eq!(load(file, None).unwrap_err().message(), "there is no such file", "{file}");
    }
}

#[test]
fn a_golden_set_may_be_a_file_beside_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    let source = PolicyLibrary::shipped().source("spam").unwrap().replace("id: spam", "id: mine");
    fs::write(&path, format!("{source}golden: golden/mine.yaml\n")).unwrap();
    let policy = load(path.to_str().unwrap(), None).unwrap();
    let file = policy.golden_file.clone().unwrap();
    assert_eq!((file.as_path(), policy.golden.len()), (folder.path().join("golden/mine.yaml").as_path(), 0));
    assert_eq!(policy.clone().with_golden_file(&file).unwrap_err().message(), "there is no such file");
    fs::create_dir(folder.path().join("golden")).unwrap();
    // The set was written for the policy with the earlier id.
    fs::write(&file, PolicyLibrary::shipped().golden_source("spam").unwrap()).unwrap();
    let read = policy.clone().with_golden_file(&file).unwrap().golden;
    assert_eq!(read, PolicyLibrary::shipped().golden("spam"));
    fs::write(&file, "policy: mine\ncases:\n  - text: a\n    category: SP9.z\n").unwrap();
    let wrong = policy.clone().with_golden_file(&file).unwrap_err();
    assert_eq!((wrong.kind(), wrong.line()), (Kind::Value, Some(4)));
    assert!(policy.with_golden_file(Path::new("golden.csv")).unwrap_err().message().contains("is a YAML file"));
    let number = Policy::from_yaml("mine.yaml", &format!("{source}golden: {{a: b}}\n")).unwrap_err();
    assert_eq!(number.kind(), Kind::Type);
}

#[test]
fn a_golden_set_in_the_folder_golden_is_that_of_the_policy_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("golden")).unwrap();
    fs::write(path("golden/house.yaml"), "policy: house\ncases:\n  - text: a\n    verdict: violation\n").unwrap();
    let source = PolicyLibrary::shipped().source("spam").unwrap();
    fs::write(path("house.md"), "Answer VALID or INVALID. INVALID is spam.").unwrap();
    fs::write(path("house.yaml"), source).unwrap();
    fs::write(path("other.yaml"), source).unwrap();
    fs::write(path("own.yaml"), format!("{source}golden:\n  - text: b\n")).unwrap();
    fs::write(path("golden/own.yaml"), "policy: own\ncases:\n  - text: a\n").unwrap();
    let golden = |name: &str| load(path(name).to_str().unwrap(), None).unwrap().golden_file;
    for name in ["house.md", "house.yaml"] {
        assert_eq!(golden(name), Some(path("golden/house.yaml")), "{name}");
    }
    assert_eq!((golden("other.yaml"), golden("own.yaml")), (None, None), "its own cases come first");
}

#[test]
fn a_shipped_policy_is_found_in_any_case() {
    assert_eq!(load("Spam", None).unwrap().id, "spam");
    assert_eq!(PolicySource::path("SELF-HARM"), None);
    assert_eq!(PolicySource::open("mine=Hate").unwrap().parse(None).unwrap().id, "mine");
}

#[test]
fn the_ending_of_a_path_or_the_text_says_how_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rules = "# House rules\nReturn exactly one word: VALID or INVALID\n";
    fs::write(path("a.yml"), SMALL).unwrap();
    fs::write(path("bom.yaml"), format!("\u{feff}{SMALL}")).unwrap();
    for name in ["b.md", "b.markdown", "b.TXT", "b", "b.v2"] {
        fs::write(path(name), rules).unwrap();
        let plain = load(&path(name), None).unwrap();
        assert_eq!((plain.id.as_str(), plain.title.as_str()), ("b", "House rules"), "{name}");
    }
    fs::write(path("small"), SMALL).unwrap();
    fs::write(path("c.json"), "{}").unwrap();
    fs::write(path("e.txt"), "\n").unwrap();
    for name in ["a.yml", "bom.yaml", "small"] {
        assert_eq!(load(&path(name), None).unwrap().id, "small", "{name}");
    }
    for named in [path("a.yml"), path("b.md"), path("b"), "spam".to_owned()] {
        assert_eq!(load(&format!("mine={named}"), None).unwrap().id, "mine", "{named}");
    }
    fs::write(path("with=sign.md"), rules).unwrap();
    assert_eq!(load(&path("with=sign.md"), None).unwrap().id, "with=sign");
    assert_eq!(load("My Rules=spam", None).unwrap_err().kind(), Kind::UnknownPolicy);
    assert_eq!(load(&path("c.json"), None).unwrap_err().kind(), Kind::UnknownPolicy);
    let empty = load(&path("e.txt"), None).unwrap_err();
    assert_eq!((empty.kind(), empty.name()), (Kind::Empty, Some(path("e.txt").as_str())));
    assert_eq!(load(&path("none.yaml"), None).unwrap_err().kind(), Kind::Read);
    assert_eq!(load(&path(""), None).unwrap_err().kind(), Kind::Read);
}

#[test]
fn a_file_that_is_no_text_is_refused_by_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let utf16 = |text: &str, head: &[u8]| -> Vec<u8> {
        head.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    };
    for (name, bytes, message) in [
        ("a.yaml", utf16(SMALL, &[0xff, 0xfe]), "UTF-16"),
        ("b.md", utf16("Be kind.", &[]), "UTF-16"),
        ("f.md", b"Be\0kind.".to_vec(), "NUL bytes"),
        ("c.md", b"PK\x03\x04\x14\x00word/document.xml".to_vec(), "is a Word document (.docx)"),
        ("c.docx", b"PK\x03\x04\x14\x00word/document.xml".to_vec(), "is a Word document (.docx)"),
        ("c.xlsx", b"PK\x03\x04\x14\x00xl/workbook.xml".to_vec(), "is a workbook (.xlsx)"),
        ("d", b"%PDF-1.7\n".to_vec(), "PDF"),
        ("e.txt", b"Zeile\nGr\xfc\xdfe".to_vec(), "not UTF-8 at byte 8"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let error = load(path.to_str().unwrap(), None).unwrap_err();
        assert!(error.message().contains(message) && hint(&error).contains("UTF-8"), "{error}");
        assert_eq!(error.kind(), Kind::Encoding, "{error}");
        assert!(name != "e.txt" || (error.line(), error.column()) == (Some(2), Some(3)), "{error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_policy_without_end_is_refused_and_not_read_whole() {
    for zeros in ["/dev/zero", "/proc/self/fd/../../../../dev/zero"] {
        assert_eq!(load(zeros, None).unwrap_err().kind(), Kind::Encoding);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.md");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert_eq!(load(path.to_str().unwrap(), None).unwrap_err().kind(), Kind::Encoding);
    fs::write(&path, "words ".repeat(200_000)).unwrap();
    let error = load(path.to_str().unwrap(), None).unwrap_err();
    assert!(error.kind() == Kind::Limit && error.message().contains("1048576 bytes"), "{error}");
}

#[test]
fn given_labels_replace_those_of_a_policy_or_are_refused() {
    let policy = load("spam", Some(labels("YES=violation,NO=safe"))).unwrap();
    assert_eq!(policy.answers()[0].text, r#"{"violation":"NO","policy_category":null,"rationale":""#);
    let error = load("spam", Some(labels("YES=violation,NO=safe,ASK=review"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Labels);
}

#[test]
fn shipped_policies_satisfy_the_schema_and_unknown_keys_do_not() {
    let schema = schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for policy in PolicyLibrary::shipped().iter() {
        let source = PolicyLibrary::shipped().source(&policy.id).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(source).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", policy.id);
        for pointer in ["", "/contract", "/categories/0", "/examples/0", "/source"] {
            let mut value = value.clone();
            value.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert("colour".to_owned(), "red".into());
            assert!(!validator.is_valid(&value), "an unknown key at {pointer:?} passes");
        }
    }
}
