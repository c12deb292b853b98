//! Words about verdicts that have one sense in a policy, in a label and in the name of a column.
//!
//! A reader adds words of its own: `free` denies in a policy (`free of spam`), and has no sense in the name of a column.

/// Words that deny the next one.
pub(crate) const DENIALS: &str = "not no never non un isnt";

/// Words for allowed content.
pub(crate) const ALLOWED: &str = "safe allow allowed permit permitted permissible acceptable accept accepted compliant comply fine ok okay \
    benign harmless appropriate legitimate clean valid approve approved keep innocuous";

/// Words for forbidden content.
pub(crate) const FORBIDDEN: &str =
    "banned harmful remove removed block blocked reject rejected delete deleted flag flagged";

/// Topics that a policy forbids whenever it names them.
pub(crate) const TOPICS: &str = "spam scam fraud fraudulent toxic toxicity hate hateful harassment abuse abusive threat threatening phishing \
    dangerous offensive nsfw malicious jailbreak";

/// Reports whether a word is in one of several lists of words, each separated by spaces.
pub(crate) fn is_in(lists: &[&str], word: &str) -> bool {
    lists.iter().flat_map(|list| list.split(' ')).any(|other| other == word)
}
