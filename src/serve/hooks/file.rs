//! Reading a hook file: the YAML that describes one webhook, with a route for each of its paths.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::hook::{Hook, Origin, Source, Texts};
use super::json_path::JsonPath;
use super::outcome::Answers;
use super::reply::{OUTCOMES, Replies, Reply};

/// The most bytes of a hook file.
const LARGEST: usize = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HookFile {
    /// The name for messages.
    name: String,
    /// The routes.
    routes: Vec<RouteFile>,
    /// The replies of all routes.
    #[serde(default)]
    replies: BTreeMap<String, ReplyFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    path: String,
    summary: String,
    texts: Option<Vec<String>>,
    pair: Option<PairFile>,
    conversation: Option<ConversationFile>,
    #[serde(default)]
    policy: Vec<SourceFile>,
    #[serde(default)]
    without_policy: WithoutPolicy,
    #[serde(default)]
    threshold: Vec<SourceFile>,
    #[serde(default)]
    effort: Vec<SourceFile>,
    #[serde(default)]
    flags: BTreeMap<String, String>,
    #[serde(default)]
    refuse: Vec<String>,
    count: Option<String>,
    #[serde(default)]
    answers: AnswersFile,
    #[serde(default)]
    without_text: WithoutText,
    #[serde(default)]
    replies: BTreeMap<String, ReplyFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PairFile {
    text: String,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConversationFile {
    turns: String,
    role: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceFile {
    body: Option<String>,
    header: Option<String>,
    place: Option<String>,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WithoutPolicy {
    #[default]
    Only,
    All,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnswersFile {
    #[default]
    One,
    Each,
}

#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum WithoutText {
    #[default]
    Error,
    Safe,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplyFile {
    status: Option<u16>,
    body: String,
}

/// The name of the replies to a violation and to a safe text in one.
const JUDGED: &str = "judged";

/// Reads a hook file.
///
/// # Errors
///
/// A message for people.
pub fn read(source: &str) -> Result<Vec<Hook>, String> {
    if source.len() > LARGEST {
        return Err(format!("the file is larger than {LARGEST} bytes"));
    }
    let file: HookFile = serde_yaml::from_str(source).map_err(|error| error.to_string())?;
    if file.routes.is_empty() {
        return Err("the file has no route".to_owned());
    }
    let hook = |route: RouteFile| {
        let path = route.path.clone();
        of_route(&file.name, route, &file.replies).map_err(|error| format!("{path}: {error}"))
    };
    file.routes.into_iter().map(hook).collect()
}

fn of_route(name: &str, file: RouteFile, shared: &BTreeMap<String, ReplyFile>) -> Result<Hook, String> {
    let (route, suffix) = route_of(&file.path)?;
    let texts = match (file.texts, file.pair, file.conversation) {
        (Some(paths), None, None) => Texts::Each(paths_of(&paths)?),
        (None, Some(pair), None) => Texts::Pair(JsonPath::read(&pair.text)?, JsonPath::read(&pair.answer)?),
        (None, None, Some(file)) => Texts::Conversation {
            turns: JsonPath::read(&file.turns)?,
            role: JsonPath::read(&file.role)?,
            text: JsonPath::read(&file.text)?,
        },
        _ => return Err("a route has one of texts, pair and conversation".to_owned()),
    };
    let flags: BTreeMap<String, JsonPath> =
        file.flags.into_iter().map(|(name, path)| Ok((name, JsonPath::read(&path)?))).collect::<Result<_, String>>()?;
    let names: Vec<&str> = flags.keys().map(String::as_str).collect();
    Ok(Hook {
        replies: Replies::new(&replies_of(&file.replies, shared)?, &names)?,
        name: name.to_owned(),
        // Routes are made once for each server, and live as long as it does.
        route: String::leak(route),
        suffix,
        summary: String::leak(file.summary),
        texts,
        policy: sources(file.policy, &file.path)?,
        all_policies: matches!(file.without_policy, WithoutPolicy::All),
        threshold: sources(file.threshold, &file.path)?,
        effort: sources(file.effort, &file.path)?,
        flags,
        refuse: paths_of(&file.refuse)?,
        count: file.count.as_deref().map(JsonPath::read).transpose()?,
        answers: match file.answers {
            AnswersFile::One => Answers::One,
            AnswersFile::Each => Answers::Each,
        },
        is_safe_without_text: file.without_text == WithoutText::Safe,
    })
}

fn paths_of(paths: &[String]) -> Result<Vec<JsonPath>, String> {
    paths.iter().map(|path| JsonPath::read(path)).collect()
}

/// Returns the path for the router, and the text after its last place.
fn route_of(path: &str) -> Result<(String, String), String> {
    let wrong = || "a path is of segments such as /name and /{place}".to_owned();
    let segments = path.strip_prefix('/').ok_or_else(wrong)?;
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte));
    let last = segments.split('/').count() - 1;
    let mut suffix = "";
    for (at, segment) in segments.split('/').enumerate() {
        let Some((place, after)) = segment.strip_prefix('{').and_then(|segment| segment.split_once('}')) else {
            if is_word(segment) && (!segment.is_empty() || segments.is_empty()) {
                continue;
            }
            return Err(wrong());
        };
        if place.is_empty() || !place.bytes().all(|byte| byte.is_ascii_lowercase()) || !is_word(after) {
            return Err(wrong());
        }
        if !after.is_empty() && at != last {
            return Err("only the last segment may have a text after its place".to_owned());
        }
        suffix = after;
    }
    let route = path.strip_suffix(suffix).unwrap_or(path);
    Ok((route.to_owned(), suffix.to_owned()))
}

fn sources(files: Vec<SourceFile>, path: &str) -> Result<Vec<Source>, String> {
    let source = |file: SourceFile| {
        let from = match (file.body, file.header, file.place) {
            (Some(body), None, None) => Origin::Body(JsonPath::read(&body)?),
            (None, Some(header), None) => Origin::Header(header),
            (None, None, Some(place)) if path.contains(&format!("{{{place}}}")) => Origin::Place(place),
            (None, None, Some(place)) => return Err(format!("the path has no place `{place}`")),
            _ => return Err("a source is one of body, header and place".to_owned()),
        };
        Ok(Source { from, except: file.except })
    };
    files.into_iter().map(source).collect()
}

/// Returns the replies of a route, which replace those of all routes.
fn replies_of(
    own: &BTreeMap<String, ReplyFile>,
    shared: &BTreeMap<String, ReplyFile>,
) -> Result<BTreeMap<&'static str, Reply>, String> {
    let mut replies = BTreeMap::new();
    for files in [shared, own] {
        let is_known = |name: &&String| *name == JUDGED || OUTCOMES.iter().any(|(known, _)| known == name);
        if let Some(name) = files.keys().find(|name| !is_known(name)) {
            let names = OUTCOMES.map(|(name, _)| name).join(", ");
            return Err(format!("there is no outcome `{name}`; they are {names}, and {JUDGED} for the first three"));
        }
        let reply = |file: &ReplyFile| Reply { status: file.status, body: file.body.clone() };
        if let Some(file) = files.get(JUDGED) {
            replies.extend(["violation", "review", "safe"].map(|name| (name, reply(file))));
        }
        replies.extend(OUTCOMES.iter().filter_map(|(name, _)| Some((*name, reply(files.get(*name)?)))));
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
name: desk
routes:
  - path: /hooks/desk/{policy}:check
    summary: Judges a ticket
    texts: [ticket.body]
    policy: [{ place: policy, except: [any] }, { header: x-policy }]
replies:
  judged: { body: '{"spam": {{ verdict != "safe" }}}' }
  unresolved: { status: 503, body: '{}' }
  error: { body: '{"error": {{ error.code }}}' }
"#;

    #[track_caller]
    fn refusal(from: &str, to: &str) -> String {
        assert!(FILE.contains(from));
        read(&FILE.replace(from, to)).expect_err("it is refused")
    }

    #[test]
    fn a_route_has_a_path_for_the_router_and_a_suffix() {
        let hooks = read(FILE).unwrap();
        assert_eq!((hooks[0].route, hooks[0].suffix.as_str()), ("/hooks/desk/{policy}", ":check"));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_fault() {
        for (from, to, fault) in [
            ("name: desk", "title: desk", "title"),
            ("texts: [ticket.body]", "texts: ['ticket..body']", "the path `ticket..body`"),
            ("texts: [ticket.body]", "", "one of texts, pair and conversation"),
            ("place: policy,", "place: tenant,", "has no place `tenant`"),
            ("/hooks/desk/{policy}:check", "hooks/{policy}", "a path is of segments"),
            ("/hooks/desk/{policy}:check", "/{policy}:a/{b}", "only the last segment"),
            ("/hooks/desk/{policy}:check", "/{*policy}", "a path is of segments"),
            ("unresolved: { status: 503, body: '{}' }", "", "`unresolved` is missing"),
            ("error: {", "failed: {", "there is no outcome `failed`"),
            ("error.code", "text", "names `text`"),
            ("{ header: x-policy }", "{}", "one of body, header and place"),
        ] {
            let refusal = refusal(from, to);
            assert!(refusal.contains(fault), "{fault}: {refusal}");
        }
    }
}
