//! A property of a JSON schema, and the part of a verdict that answers it.
//!
//! The name of a property says which part it is. A name with two meanings is not guessed.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::words::{self, Side};
use crate::policy::{Category, Form, Label, Policy, Verdict};

/// A property of an object.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its schema, with references followed and without `null` beside its type.
    pub schema: Value,
    /// True if every object has it.
    pub is_required: bool,
    /// True if its value may be null.
    pub is_nullable: bool,
}

/// The part of a verdict that a property is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// The verdict as a boolean.
    Boolean {
        /// True if `true` means safe.
        is_inverted: bool,
    },
    /// True if a person must decide.
    Review,
    /// P(violation), or P(safe) if the name says so, and for the confidence beside a boolean that means safe.
    Number { least: f64, most: f64, is_whole: bool, is_safe: bool, is_confidence: bool },
    /// A value for each label of the policy.
    ByLabel(HashMap<String, Value>),
    /// A value for each verdict.
    ByVerdict { violation: Value, review: Option<Value>, safe: Value },
    /// A value for each category, and one for a text without a category.
    ByCategory { words: HashMap<String, Value>, none: Value },
    /// The category in a list. With an enum, the word for each category that has one.
    Categories(Option<HashMap<String, Value>>),
    /// The rationale.
    Reason,
    /// The category's code.
    Category {
        /// True if it may be null.
        is_nullable: bool,
    },
    /// The policy's own label.
    Label,
    /// `violation`, `safe` or `review`.
    Word,
}

/// The names of a schema's booleans, as far as one depends on the others.
#[derive(Clone, Debug)]
pub struct Names<'policy> {
    policy: Option<&'policy str>,
    /// The only boolean with another name, if no other boolean is the verdict.
    other: Option<String>,
    /// The verdicts of values, as the request gives them.
    labels: Option<&'policy BTreeMap<String, Verdict>>,
}

/// The most references that are followed in a row.
const MOST_REFERENCES: usize = 8;

/// Returns the properties of an object's schema. `None` for the schema of anything else.
#[must_use]
pub fn read(root: &Value) -> Option<Vec<Property>> {
    let schema = resolved(root, root).0;
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties")?.as_object()?.iter().map(|(name, property)| {
        let (property, is_nullable) = resolved(root, property);
        let mut property = property.clone();
        if let Some(items) = property.get("items") {
            property["items"] = resolved(root, items).0.clone();
        }
        Property { name: name.clone(), schema: property, is_required: required.contains(&name.as_str()), is_nullable }
    });
    Some(properties.collect())
}

/// Follows references and takes `null` off. Returns the schema, and whether `null` was there.
fn resolved<'root>(root: &'root Value, mut schema: &'root Value) -> (&'root Value, bool) {
    let mut is_nullable = false;
    for _ in 0..MOST_REFERENCES {
        let is_null = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("null");
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let next = match (reference, choices) {
            (Some(path), _) => root.pointer(path),
            (None, Some(choices)) => {
                is_nullable |= choices.iter().any(is_null);
                let mut others = choices.iter().filter(|choice| !is_null(choice));
                others.next().filter(|_| others.next().is_none())
            }
            (None, None) => break,
        };
        let Some(next) = next else { break };
        schema = next;
    }
    let types = schema.get("type").and_then(Value::as_array).into_iter().flatten();
    (schema, is_nullable || types.filter_map(Value::as_str).any(|kind| kind == "null"))
}

impl Property {
    /// Reports whether a value of this type is allowed.
    fn is(&self, kind: &str) -> bool {
        is_type(&self.schema, kind)
    }

    /// Returns the allowed values, apart from null.
    fn values(&self) -> Option<Vec<&Value>> {
        values(&self.schema)
    }

    /// Returns the allowed words, if all values are words.
    #[must_use]
    pub fn words(&self) -> Option<Vec<String>> {
        self.values()?.into_iter().map(|value| value.as_str().map(str::to_owned)).collect()
    }
}

fn is_type(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
            kinds.next() == Some(kind) && kinds.next().is_none()
        }
        _ => false,
    }
}

fn values(schema: &Value) -> Option<Vec<&Value>> {
    let values: Vec<&Value> = schema.get("enum")?.as_array()?.iter().filter(|value| !value.is_null()).collect();
    (!values.is_empty()).then_some(values)
}

impl<'policy> Names<'policy> {
    /// Reads the booleans of a schema.
    #[must_use]
    pub fn of(
        schema: &Value,
        policy: Option<&'policy str>,
        labels: Option<&'policy BTreeMap<String, Verdict>>,
    ) -> Self {
        let properties = read(schema).unwrap_or_default();
        let booleans: Vec<_> = properties.iter().filter(|property| property.is("boolean")).collect();
        let side = |property: &&&Property| words::side(&property.name, policy);
        let mut others = booleans.iter().filter(|property| side(property).is_none());
        let other = others.next().filter(|_| others.next().is_none()).map(|property| property.name.clone());
        let is_verdict = |property: &&Property| matches!(side(&property), Some(Side::Violation | Side::Safe));
        let has_verdict = booleans.iter().any(is_verdict);
        Self { policy, other: other.filter(|_| !has_verdict), labels }
    }

    /// Returns whether `true` means safe, for a boolean that is the verdict.
    #[must_use]
    pub fn boolean(&self, property: &Property) -> Option<bool> {
        match words::side(&property.name, self.policy) {
            _ if !property.is("boolean") => None,
            Some(Side::Violation) => Some(false),
            Some(Side::Safe) => Some(true),
            Some(Side::Review) => None,
            None if self.other.as_ref() != Some(&property.name) => None,
            None => match self.labels.and_then(|labels| labels.get("true")) {
                Some(verdict) => Some(*verdict == Verdict::Safe),
                None => words::has_topic(&property.name).then_some(false),
            },
        }
    }
}

impl Kind {
    /// Returns the part of a verdict that answers a property. `None` if no part does.
    #[must_use]
    pub fn of(property: &Property, policy: &Policy, names: &Names<'_>) -> Option<Self> {
        if let Some(values) = property.values() {
            return of_values(property, &values, policy, names.labels);
        }
        let has = |wanted: &[&str]| words::has(&property.name, wanted);
        if property.is("boolean") {
            let review = || (words::side(&property.name, None) == Some(Side::Review)).then_some(Self::Review);
            return names.boolean(property).map(|is_inverted| Self::Boolean { is_inverted }).or_else(review);
        }
        if property.is("number") || property.is("integer") {
            return of_number(property);
        }
        if property.is("array") {
            return of_list(property, policy);
        }
        if !property.is("string") {
            return None;
        }
        match () {
            () if has(&["reason", "rationale", "explanation", "justification", "reasoning"]) => Some(Self::Reason),
            () if has(&["category", "rule"]) => Some(Self::Category { is_nullable: property.is_nullable }),
            () if has(&["verdict", "decision"]) => Some(Self::Word),
            () if has(&["label"]) => Some(Self::Label),
            () => None,
        }
    }

    /// Reports whether the verdict can be told from it.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Reason | Self::Review)
    }
}

fn of_number(property: &Property) -> Option<Kind> {
    const NAMES: [&str; 7] = ["confidence", "score", "probability", "risk", "likelihood", "certainty", "prob"];
    let bound = |name: &str| property.schema.get(name).and_then(Value::as_f64);
    let (least, most) = (bound("minimum").unwrap_or(0.0), bound("maximum").unwrap_or(1.0));
    let is_whole = property.is("integer");
    // Between 0 and 1 a whole number would hide the probability.
    let fits = if is_whole { most - least >= 2.0 } else { most > least };
    // `safety_score` may count either way.
    let is_clear = !words::has(&property.name, &["safety", "trust", "quality", "review"]);
    (fits && is_clear && words::has(&property.name, &NAMES)).then(|| Kind::Number {
        least,
        most,
        is_whole,
        is_safe: words::side(&property.name, None) == Some(Side::Safe),
        is_confidence: words::has(&property.name, &["confidence", "certainty"]),
    })
}

fn of_list(property: &Property, policy: &Policy) -> Option<Kind> {
    const NAMES: [&str; 8] = ["category", "categories", "violations", "violation", "rules", "rule", "labels", "topics"];
    let items = property.schema.get("items")?;
    let is_never_empty = property.schema.get("minItems").and_then(Value::as_u64).is_some_and(|least| least > 0);
    if is_never_empty {
        return None;
    }
    match values(items) {
        Some(values) => {
            let words = by_category(&values, policy)?;
            Some(Kind::Categories(Some(words)))
        }
        None if is_type(items, "string") && words::has(&property.name, &NAMES) => Some(Kind::Categories(None)),
        None => None,
    }
}

/// Returns the part of a verdict that an enum is: a label, a verdict or a category.
fn of_values(
    property: &Property,
    values: &[&Value],
    policy: &Policy,
    labels: Option<&BTreeMap<String, Verdict>>,
) -> Option<Kind> {
    let by_label: Option<HashMap<String, Value>> = policy
        .contract
        .labels
        .iter()
        .map(|label| Some((label.text.clone(), find(values, &label.text)?.clone())))
        .collect();
    // Of 0 and 1 in a property `safe`, 1 is no violation. The same holds for yes and no.
    let is_turned = words::side(&property.name, None) == Some(Side::Safe);
    let is_bare = |label: &String| words::is_bare(label);
    if let Some(words) = by_label.filter(|words| !(is_turned && words.keys().any(is_bare))) {
        return Some(Kind::ByLabel(words));
    }
    let given = |word: &str| labels.and_then(|labels| labels.get(word)).copied();
    let usual = |word: &str| words::verdict(word, &property.name, Some(policy));
    if let Some(kind) = by_verdict(values, given).or_else(|| by_verdict(values, usual)) {
        return Some(kind);
    }
    let safe = |value: &&&Value| value.as_str().and_then(|word| words::verdict(word, "", None)) == Some(Verdict::Safe);
    let none = values
        .iter()
        .find(safe)
        .map(|value| (*value).clone())
        .or_else(|| property.is_nullable_enum().then_some(Value::Null))?;
    Some(Kind::ByCategory { words: by_category(values, policy)?, none })
}

impl Property {
    fn is_nullable_enum(&self) -> bool {
        let has_null = self.schema.get("enum").and_then(Value::as_array).is_some_and(|all| all.contains(&Value::Null));
        self.is_nullable || has_null
    }
}

/// Returns an enum of one word for each verdict. `None` if a word means something else.
fn by_verdict(values: &[&Value], verdict: impl Fn(&str) -> Option<Verdict>) -> Option<Kind> {
    let (mut violation, mut review, mut safe) = (None, None, None);
    for value in values {
        let place = match verdict(value.as_str()?)? {
            Verdict::Violation => &mut violation,
            Verdict::Review => &mut review,
            Verdict::Safe => &mut safe,
        };
        if place.replace((*value).clone()).is_some() {
            return None;
        }
    }
    Some(Kind::ByVerdict { violation: violation?, review, safe: safe? })
}

/// Returns the value of each category, by its code or its title, or `other`. `None` if a violation could have no value.
fn by_category(values: &[&Value], policy: &Policy) -> Option<HashMap<String, Value>> {
    let needed: Vec<&Category> =
        policy.categories().iter().filter(|category| category.verdict != Verdict::Safe).collect();
    let is_code = |label: &Label| needed.iter().any(|category| category.code == label.text);
    let mut bad = policy.contract.labels.iter().filter(|label| label.verdict != Verdict::Safe);
    if needed.is_empty() || (policy.contract.form == Form::Label && !bad.all(is_code)) {
        return None;
    }
    let word = |category: &Category| find(values, &category.code).or_else(|| find(values, &category.title));
    let other = find(values, "other");
    needed.iter().map(|category| Some((category.code.clone(), word(category).or(other)?.clone()))).collect()
}

/// Finds a value by its word: the same one, or else one in other letters.
fn find<'values>(values: &[&'values Value], word: &str) -> Option<&'values Value> {
    let is = |value: &Value, same: fn(&str, &str) -> bool| match value {
        Value::String(text) => same(text, word),
        Value::Number(number) => number.to_string() == word,
        _ => false,
    };
    let exact = values.iter().find(|value| is(value, |one, other| one == other));
    exact.or_else(|| values.iter().find(|value| is(value, str::eq_ignore_ascii_case))).copied()
}
