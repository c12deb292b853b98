//! The documents: a command that they show works when it is pasted.

use std::path::Path;

/// The Markdown files that show commands, with their text.
fn documents() -> Vec<(&'static str, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "BENCHMARKS.md", "models/README.md", "scripts/nano/README.md"]
        .into_iter()
        .map(|name| (name, std::fs::read_to_string(root.join(name)).expect("it is there")))
        .collect()
}

/// The commands of a document's `console` and `sh` blocks, with the numbers of their lines.
fn commands(text: &str) -> Vec<(usize, String)> {
    let (mut inside, mut commands) = (None, Vec::new());
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(language), None) => inside = Some(language),
            (None, Some("console")) => {
                commands.extend(line.strip_prefix("$ ").map(|command| (number + 1, command.to_owned())));
            }
            (None, Some("sh")) => commands.push((number + 1, line.to_owned())),
            (None, _) => {}
        }
    }
    commands
}

/// Reports whether an interactive bash would replace a part of a command by an older one: a `!` that is not in single
/// quotes, and not before a blank, an `=` or the end.
fn expands_history(command: &str) -> bool {
    let (mut single, mut double) = (false, false);
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !single => drop(characters.next()),
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '!' if !single => match characters.peek() {
                None | Some(' ' | '\t' | '=' | '(') => {}
                Some('"') if double => {}
                Some(_) => return true,
            },
            _ => {}
        }
    }
    false
}

#[test]
fn no_command_that_is_shown_is_changed_by_the_history_of_a_shell() {
    assert!(expands_history(r#"check "WINNER!! Reply""#) && expands_history("!ls"));
    assert!(!expands_history("check 'WINNER!! Reply'") && !expands_history(r#"check "Hello!""#));
    let mut count = 0;
    for (name, text) in documents() {
        for (line, command) in commands(&text) {
            assert!(!expands_history(&command), "{name}, line {line}: {command}");
            count += 1;
        }
    }
    assert!(count > 50, "the documents' commands were not found");
}
