//! The keys of settings files: each sets a flag, as a variable does.

/// A setting beside the command line: in a file or in a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The name in a file, which is the flag's long name.
    pub name: &'static str,
    /// The environment variable. Empty if it has none.
    pub variable: &'static str,
    /// The struct with the flag, which clap has as a group. Verbs without the group ignore the key.
    pub group: &'static str,
    /// The name of the flag in that struct.
    pub id: &'static str,
    pub kind: Kind,
    pub place: Place,
    /// A value for the file that `magistrate config init` writes.
    pub example: &'static str,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string, or a whole number.
    Size,
    /// A number.
    Number,
    /// A whole number.
    Count,
    /// `true` or `false`.
    Switch,
    /// A string, or a list of strings.
    List,
    /// A path, relative to the file that contains it.
    Path,
    /// A path of a model, relative to the file, or a name.
    Model,
    /// Paths of policies, relative to the file, or ids.
    Policies,
}

/// The files that may contain a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The user's file, and the file of a project, which may come from a stranger. The key must neither start a process
    /// nor write a file.
    Anywhere,
    /// The user's file alone.
    User,
}

const fn key(
    [name, variable]: [&'static str; 2],
    [group, id]: [&'static str; 2],
    kind: Kind,
    example: &'static str,
) -> Key {
    Key { name, variable, group, id, kind, place: Place::Anywhere, example }
}

const fn of_user(key: Key) -> Key {
    Key { place: Place::User, ..key }
}

/// The variable of a key that has none: texts leave this machine only if a flag or the user's file says so.
const NO_VARIABLE: &str = "";

/// All keys, in the order of help.
pub const KEYS: &[Key] = &[
    key(["policy", "MAGISTRATE_POLICY"], ["PolicyArgs", "policies"], Kind::Policies, "\"spam\""),
    key(["model", "MAGISTRATE_MODEL"], ["ModelArgs", "model"], Kind::Model, "\"20b\""),
    of_user(key(["remote", NO_VARIABLE], ["RemoteArgs", "remote"], Kind::Text, "\"http://127.0.0.1:8000\"")),
    of_user(key(
        ["remote-model", "MAGISTRATE_REMOTE_MODEL"],
        ["RemoteArgs", "remote_model"],
        Kind::Text,
        "\"openai/gpt-oss-safeguard-20b\"",
    )),
    of_user(key(["remote-level", "MAGISTRATE_REMOTE_LEVEL"], ["RemoteArgs", "remote_level"], Kind::Text, "\"exact\"")),
    key(["threshold", "MAGISTRATE_THRESHOLD"], ["JudgingArgs", "threshold"], Kind::Number, "0.8"),
    key(["min-mass", "MAGISTRATE_MIN_MASS"], ["JudgingArgs", "min_mass"], Kind::Number, "0.5"),
    key(["certificate", "MAGISTRATE_CERTIFICATE"], ["JudgingArgs", "certificate"], Kind::Path, "\"spam.cert.json\""),
    key(["effort", "MAGISTRATE_EFFORT"], ["PromptArgs", "effort"], Kind::Text, "\"low\""),
    key(["templates", "MAGISTRATE_TEMPLATES"], ["PromptArgs", "templates"], Kind::Path, "\"templates\""),
    key(["budget", "MAGISTRATE_BUDGET"], ["JudgingArgs", "budget"], Kind::Count, "512"),
    key(
        ["max-content-tokens", "MAGISTRATE_MAX_CONTENT_TOKENS"],
        ["JudgingArgs", "max_content_tokens"],
        Kind::Count,
        "4096",
    ),
    key(["chunk", "MAGISTRATE_CHUNK"], ["JudgingArgs", "chunk"], Kind::Count, "1024"),
    key(["cascade", "MAGISTRATE_CASCADE"], ["JudgingArgs", "cascade"], Kind::Text, "\"0.2:0.8\""),
    key(["sure", "MAGISTRATE_SURE"], ["JudgingArgs", "sure"], Kind::Text, "\"0.98\""),
    key(["parallel", "MAGISTRATE_PARALLEL"], ["EngineArgs", "parallel"], Kind::Count, "8"),
    key(["workers", "MAGISTRATE_WORKERS"], ["EngineArgs", "workers"], Kind::Count, "1"),
    key(["context", "MAGISTRATE_CONTEXT"], ["EngineArgs", "context"], Kind::Count, "16384"),
    key(["kv", "MAGISTRATE_KV"], ["EngineArgs", "kv"], Kind::Text, "\"f16\""),
    key(["threads", "MAGISTRATE_THREADS"], ["EngineArgs", "threads"], Kind::Count, "8"),
    key(["kernels", "MAGISTRATE_KERNELS"], ["EngineArgs", "kernels"], Kind::Text, "\"own\""),
    key(["device", "MAGISTRATE_DEVICE"], ["EngineArgs", "devices"], Kind::List, "\"cpu\""),
    key(["gpu-layers", "MAGISTRATE_GPU_LAYERS"], ["EngineArgs", "gpu_layers"], Kind::Count, "24"),
    key(["cpu-experts", "MAGISTRATE_CPU_EXPERTS"], ["EngineArgs", "cpu_experts"], Kind::Count, "0"),
    key(["memory", "MAGISTRATE_MEMORY"], ["EngineArgs", "memory"], Kind::Size, "\"16GB\""),
    key(["reproducible", "MAGISTRATE_REPRODUCIBLE"], ["EngineArgs", "reproducible"], Kind::Switch, "true"),
    of_user(key(["daemon", "MAGISTRATE_DAEMON"], ["CheckArgs", "daemon"], Kind::Count, "600")),
    of_user(key(["hf-endpoint", "HF_ENDPOINT"], ["Pull", "hf_endpoint"], Kind::Text, "\"https://huggingface.co\"")),
    of_user(key(["offline", "HF_HUB_OFFLINE"], ["Pull", "offline"], Kind::Switch, "false")),
    key(["quiet", "MAGISTRATE_QUIET"], ["GlobalArgs", "quiet"], Kind::Switch, "false"),
    key(["verbose", "MAGISTRATE_VERBOSE"], ["GlobalArgs", "verbose"], Kind::Count, "0"),
    key(["color", "MAGISTRATE_COLOR"], ["GlobalArgs", "color"], Kind::Text, "\"auto\""),
    key(["no-progress", "MAGISTRATE_NO_PROGRESS"], ["GlobalArgs", "no_progress"], Kind::Switch, "false"),
];

/// Returns the key of this name.
pub fn named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_key() {
        for key in KEYS.iter().filter(|key| !key.variable.starts_with("HF_") && key.variable != NO_VARIABLE) {
            assert_eq!(key.variable, format!("MAGISTRATE_{}", key.name.to_uppercase().replace('-', "_")));
        }
    }

    #[test]
    fn a_project_can_start_no_process_and_reach_no_server() {
        let of_user: Vec<&str> = KEYS.iter().filter(|key| key.place == Place::User).map(|key| key.name).collect();
        assert_eq!(of_user, ["remote", "remote-model", "remote-level", "daemon", "hf-endpoint", "offline"]);
    }

    #[test]
    fn no_variable_alone_sends_texts_to_a_server() {
        let without: Vec<&str> = KEYS.iter().filter(|key| key.variable.is_empty()).map(|key| key.name).collect();
        assert_eq!(without, ["remote"]);
    }
}
