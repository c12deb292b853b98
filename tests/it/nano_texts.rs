//! The texts about the built-in model: no text of its training repeats one of the golden sets, and a hundred are typed by
//! hand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use magistrate::policy::PolicyLibrary;

/// Words that follow each other in two texts make them alike.
const RUN: usize = 5;
/// A text repeats a golden text if it has this part of its runs of words, as a divisor.
const ONE_IN: usize = 3;
/// A word in place of a slot, which no text has.
const SLOT: &str = "\0";

/// The wording of a theme, as far as its texts.
#[derive(serde::Deserialize)]
struct Theme {
    concepts: BTreeMap<String, Concept>,
}

#[derive(serde::Deserialize)]
struct Concept {
    texts: Vec<String>,
    held_out: Vec<String>,
}

/// A text that was typed by hand.
#[derive(serde::Deserialize)]
struct Typed {
    id: String,
    policy: String,
    expected: String,
    text: String,
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn typed() -> Vec<Typed> {
    read("tests/support/nano-typed.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns the templates of a theme, each behind the code of its concept. Empty if there is no such theme.
fn templates(theme: &str) -> Vec<(String, String)> {
    let path = format!("scripts/nano/themes/{theme}.yaml");
    if !Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).exists() {
        return Vec::new();
    }
    let theme: Theme = serde_yaml::from_str(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let of = |(code, concept): (String, Concept)| {
        let all = concept.texts.into_iter().chain(concept.held_out);
        all.map(move |text| (code.clone(), text)).collect::<Vec<_>>()
    };
    theme.concepts.into_iter().flat_map(of).collect()
}

/// Returns fillings of a template: the first alternative of each `[a|b]`, the second, and so on. `{slot}`s become [`SLOT`].
fn fillings(template: &str) -> Vec<String> {
    let mut parts = vec![vec![String::new()]];
    let mut rest = template;
    while let Some(start) = rest.find(['[', '{']) {
        let close = if rest[start..].starts_with('[') { ']' } else { '}' };
        let Some(length) = rest[start..].find(close) else { break };
        let inside = &rest[start + 1..start + length];
        parts.push(vec![rest[..start].to_owned()]);
        parts.push(match close {
            '}' => vec![format!(" {SLOT} ")],
            // The slots inside are found in the filled text.
            _ => inside.split('|').map(str::to_owned).collect(),
        });
        rest = &rest[start + length + 1..];
    }
    parts.push(vec![rest.to_owned()]);
    let most = parts.iter().map(Vec::len).max().unwrap_or(1);
    let pick = |number: usize| parts.iter().map(|part| part[number % part.len()].as_str()).collect::<String>();
    let filled: Vec<String> = (0..most).map(pick).collect();
    if most > 1 { filled.iter().flat_map(|text| fillings(&text.replace('[', "("))).collect() } else { filled }
}

/// Returns the words of a text in small letters, without punctuation.
fn words(text: &str) -> Vec<String> {
    let is_gap = |letter: char| !letter.is_alphanumeric() && letter != '\0';
    text.split(is_gap).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn runs(words: &[String]) -> HashSet<Vec<String>> {
    let whole = words.windows(RUN).filter(|run| run.iter().all(|word| word != SLOT));
    whole.map(<[String]>::to_vec).collect()
}

/// The golden texts of all policies, by their words and by each run of words.
struct GoldenTexts {
    whole: HashMap<Vec<String>, usize>,
    by_run: HashMap<Vec<String>, Vec<usize>>,
    /// Each text's policy, its number there and the number of its runs.
    texts: Vec<(String, usize, usize)>,
}

impl GoldenTexts {
    fn new() -> Self {
        let mut this = Self { whole: HashMap::new(), by_run: HashMap::new(), texts: Vec::new() };
        let library = PolicyLibrary::shipped();
        for id in library.ids() {
            for (number, case) in (1..).zip(library.golden(id)) {
                let (text, words) = (this.texts.len(), words(&case.text));
                let runs = runs(&words);
                this.texts.push((id.to_owned(), number, runs.len()));
                this.whole.insert(words, text);
                for run in runs {
                    this.by_run.entry(run).or_default().push(text);
                }
            }
        }
        this
    }

    /// Returns the policy and the number of a golden text that a text repeats. Nobody should read it, so it has no quotation.
    fn repeated_by(&self, text: &str) -> Option<String> {
        let words = words(text);
        let mut shared: HashMap<usize, usize> = HashMap::new();
        for run in runs(&words) {
            for &text in self.by_run.get(&run).into_iter().flatten() {
                *shared.entry(text).or_default() += 1;
            }
        }
        let is_like = |&(text, count): &(usize, usize)| ONE_IN * count >= self.texts[text].2;
        let found = self.whole.get(&words).copied();
        let (policy, number, _) =
            &self.texts[found.or_else(|| shared.into_iter().find(is_like).map(|(text, _)| text))?];
        Some(format!("golden text {number} of {policy}"))
    }
}

#[test]
fn no_template_and_no_typed_text_repeats_a_golden_text() {
    let golden = GoldenTexts::new();
    let mut faults = Vec::new();
    for id in PolicyLibrary::shipped().ids() {
        for (code, template) in templates(id) {
            if let Some(which) = fillings(&template).iter().find_map(|text| golden.repeated_by(text)) {
                faults.push(format!("{id}, {code}: {template:?} is like {which}"));
            }
        }
    }
    for Typed { id, text, .. } in typed() {
        faults.extend(golden.repeated_by(&text).map(|which| format!("{id} is like {which}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_repeated_text_is_found_in_a_template_too() {
    assert_eq!(fillings("[a|b] c {slot}"), [format!("a c  {SLOT} "), format!("b c  {SLOT} ")]);
    assert_eq!(words("It's {x} \u{0} Twice!"), ["it", "s", "x", SLOT, "twice"]);
    let golden = GoldenTexts::new();
    let library = PolicyLibrary::shipped();
    let long = library.golden("hate").iter().map(|case| &case.text).max_by_key(|text| text.len()).unwrap();
    assert!(golden.repeated_by(long).is_some());
    assert!(golden.repeated_by(&format!("So: {}", long.to_uppercase())).is_some());
    assert_eq!(golden.repeated_by("The ferry to the island leaves twice a day in winter."), None);
}

#[test]
fn ten_texts_are_typed_for_each_of_ten_policies_half_of_them_violations() {
    let mut by_policy: BTreeMap<String, Vec<Typed>> = BTreeMap::new();
    for text in typed() {
        by_policy.entry(text.policy.clone()).or_default().push(text);
    }
    assert_eq!(by_policy.len(), 10);
    for (policy, texts) in by_policy {
        assert!(PolicyLibrary::shipped().get(&policy).is_ok(), "{policy}");
        let count = |verdict| texts.iter().filter(|text| text.expected == verdict).count();
        assert_eq!((count("violation"), count("safe")), (5, 5), "{policy}");
    }
}
