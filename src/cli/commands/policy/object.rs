//! A policy as a JSON object.

use magistrate::gguf::TRAINED_FOR;
use magistrate::policy::{Body, Policy, PolicyLibrary, Structured};
use serde_json::{Value, json};

/// Returns the parts by which a policy is found in a list.
pub fn entry(policy: &Policy) -> Value {
    let summary = match &policy.body {
        Body::Structured(rules) => Some(&rules.summary),
        Body::Verbatim(_) => None,
    };
    json!({
        "id": policy.id,
        "title": policy.title,
        "version": policy.version,
        "summary": summary,
        "digest": policy.digest(),
        // The built-in model was trained for the shipped wording alone.
        "built_in_model": TRAINED_FOR.contains(&policy.id.as_str()) && PolicyLibrary::shipped().has(policy),
        "golden_cases": policy.golden.len(),
    })
}

/// Returns all parts of a policy.
pub fn whole(policy: &Policy) -> Value {
    let mut object = entry(policy);
    let labels = policy.contract.labels.iter().map(|label| json!({ "label": label.text, "verdict": label.verdict }));
    object["effort"] = json!(policy.effort);
    object["contract"] = json!({ "form": policy.contract.form, "labels": labels.collect::<Value>() });
    match &policy.body {
        Body::Verbatim(text) => object["text"] = json!(text),
        Body::Structured(rules) => parts(&mut object, rules),
    }
    object
}

fn parts(object: &mut Value, rules: &Structured) {
    object["instruction"] = json!(rules.instruction);
    object["definitions"] = json!(rules.definitions);
    object["categories"] = json!(rules.categories);
    object["precedence"] = json!(rules.precedence);
    object["ambiguity"] = json!(rules.ambiguity);
    object["escalation"] = json!(rules.escalation);
    object["examples"] = json!(rules.examples);
    object["taxonomy"] = rules.taxonomy.iter().map(|(name, keys)| (name.clone(), json!(keys))).collect();
    object["source"] = json!(rules.source);
}
