//! Suggestions for flags and verbs that do not exist.
//!
//! A word that clap cannot place may be a piece of the text, which no error repeats. So only words that look like a flag
//! or a verb are named, and no suggestion follows from any other word.

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use magistrate::text::distance;

/// Names that other programs give to our flags.
const FLAGS: [(&str, &str); 12] = [
    ("silent", "quiet"),
    ("debug", "verbose"),
    ("colour", "color"),
    ("out", "output"),
    ("sep", "delimiter"),
    ("separator", "delimiter"),
    ("jobs", "parallel"),
    ("batch-size", "parallel"),
    ("ctx-size", "context"),
    ("ngl", "gpu-layers"),
    ("gpu", "device"),
    ("column", "text-column"),
];

/// Names that other programs give to our verbs.
const VERBS: [(&str, &str); 13] = [
    ("classify", "check"),
    ("judge", "check"),
    ("moderate", "check"),
    ("run", "label"),
    ("batch", "label"),
    ("annotate", "label"),
    ("test", "eval"),
    ("score", "eval"),
    ("evaluate", "eval"),
    ("server", "serve"),
    ("settings", "config"),
    ("completion", "completions"),
    ("benchmark", "bench"),
];

/// Returns an error with our own suggestion in place of clap's. `words` are those of the command line.
pub fn suggested(mut error: clap::Error, command: &Command, words: &[String]) -> clap::Error {
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return error,
    };
    let Some(ContextValue::String(word)) = error.get(kind).cloned() else { return error };
    let path = path(command, words);
    for clap_s in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::Suggested] {
        error.remove(clap_s);
    }
    let is_flag = kind == ContextKind::InvalidArg;
    let tip = if is_flag && word.starts_with('-') && is_name(word.trim_start_matches('-')) {
        flag_tip(word.trim_start_matches('-'), &path, command)
    } else if !is_flag && is_name(&word) {
        verb_tip(&word, path.last().unwrap_or(&command))
    } else {
        error.insert(kind, ContextValue::String("(not shown: it may be a part of the text)".to_owned()));
        // clap's own line of usage has the flag that resembles the word.
        if let Some(verb) = path.last() {
            error.insert(ContextKind::Usage, ContextValue::StyledStr((*verb).clone().render_usage()));
        }
        Some(if is_flag {
            "put a text of several words in quotes, and one that begins with a dash behind --".to_owned()
        } else {
            "to judge a text: magistrate check -p POLICY TEXT".to_owned()
        })
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// Returns an error of clap in which reasons of Rust's parsers are in words of ours.
pub fn in_words(text: &str) -> String {
    const REASONS: [(&str, &str); 6] = [
        ("invalid digit found in string", "not a whole number"),
        ("cannot parse integer from empty string", "not a whole number"),
        ("cannot parse float from empty string", "not a number"),
        ("invalid float literal", "not a number"),
        ("number too large to fit in target type", "too large"),
        ("number too small to fit in target type", "too small"),
    ];
    let text = REASONS.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours));
    // clap names the range of a type: `-1 is not in 0..=4294967295`.
    let line = |line: &str| match line
        .split_once(" is not in ")
        .and_then(|(start, range)| Some((start, range.split_once("..")?)))
    {
        Some((start, (least, most))) => {
            let most = most.trim_start_matches('=');
            let small = most.len() < 9 && !most.is_empty();
            let to = if small { format!("to {most}") } else { "up".to_owned() };
            let start = start.rsplit_once(' ').map_or(start, |(start, _)| start);
            format!("{start} not a whole number from {least} {to}")
        }
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns the verbs that the words name, the outermost first.
fn path<'command>(command: &'command Command, words: &[String]) -> Vec<&'command Command> {
    let mut path = vec![command];
    for word in words {
        if let Some(verb) = path.last().and_then(|last| last.find_subcommand(word)) {
            path.push(verb);
        }
    }
    path
}

/// Suggests a flag of the verb, else a verb that has the flag.
fn flag_tip(word: &str, path: &[&Command], command: &Command) -> Option<String> {
    let word = word.to_lowercase().replace('_', "-");
    let verb = path.last()?;
    let own: Vec<&str> = longs(verb);
    let renamed = FLAGS.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours);
    let meant = [Some(word.as_str()), renamed]
        .into_iter()
        .flatten()
        .find_map(|wanted| own.iter().copied().find(|long| *long == wanted));
    if let Some(flag) = meant.or_else(|| nearest(&word, own)) {
        return Some(format!("did you mean '--{flag}'?"));
    }
    let others: Vec<String> = all(command, "magistrate")
        .into_iter()
        .filter(|(_, other)| longs(other).contains(&word.as_str()))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !others.is_empty() {
        return Some(format!("'--{word}' is a flag of {}", others.join(", ")));
    }
    verb.get_positionals().next().map(|_| "a text or a file that begins with a dash goes behind --".to_owned())
}

/// Suggests a verb beside the word, else a verb of that name elsewhere.
fn verb_tip(word: &str, at: &Command) -> Option<String> {
    let word = word.to_lowercase();
    let own = |name: &str| at.find_subcommand(name).is_some();
    let renamed = VERBS.iter().find(|(theirs, ours)| *theirs == word && own(ours)).map(|(_, ours)| *ours);
    let names = at.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
    if let Some(verb) = renamed.or_else(|| nearest(&word, names)) {
        return Some(format!("did you mean '{verb}'?"));
    }
    let name = at.get_name();
    let found = all(at, name).into_iter().find(|(path, _)| path.rsplit_once(' ').is_some_and(|(_, last)| last == word));
    found.map(|(path, _)| format!("did you mean '{path}'?"))
}

/// Returns all visible verbs with their whole names.
fn all<'command>(command: &'command Command, name: &str) -> Vec<(String, &'command Command)> {
    let mut verbs = Vec::new();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let name = format!("{name} {}", verb.get_name());
        verbs.extend(all(verb, &name));
        verbs.push((name, verb));
    }
    verbs.sort_by(|one, other| one.0.cmp(&other.0));
    verbs
}

/// Returns the long names of a verb's visible flags.
fn longs(verb: &Command) -> Vec<&str> {
    let visible = verb.get_arguments().filter(|flag| !flag.is_hide_set());
    visible.filter_map(clap::Arg::get_long_and_visible_aliases).flatten().collect()
}

/// Returns the name that differs least from a word: in a third of its letters at most.
pub fn nearest<'name>(word: &str, names: impl IntoIterator<Item = &'name str>) -> Option<&'name str> {
    // The distance costs the product of both lengths, and a long word is no typing mistake.
    let names = names.into_iter().filter(|_| word.len() <= 64);
    let near = names.map(|name| (distance(word, name), name));
    near.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| distance * 3 <= word.len()).map(|(_, name)| name)
}

fn is_name(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_words() {
        for (theirs, ours) in [
            (
                "error: invalid value 'x' for '--seed <N>': invalid digit found in string",
                "error: invalid value 'x' for '--seed <N>': not a whole number",
            ),
            (
                "error: invalid value '-1' for '--n <N>': -1 is not in 0..=4294967295",
                "error: invalid value '-1' for '--n <N>': not a whole number from 0 up",
            ),
            (
                "error: invalid value '9' for '--n <N>': 9 is not in 1..=8",
                "error: invalid value '9' for '--n <N>': not a whole number from 1 to 8",
            ),
        ] {
            assert_eq!(in_words(theirs), ours);
        }
    }

    #[test]
    fn the_nearest_name_differs_in_a_third_at_most() {
        let verbs = ["check", "label", "merge", "verify", "eval"];
        assert_eq!(nearest("chekc", verbs), Some("check"));
        assert_eq!(nearest("labels", verbs), Some("label"));
        assert_eq!(nearest("version", verbs), None);
    }
}
