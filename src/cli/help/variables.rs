//! The environment variables of each verb.

/// A variable and its meaning.
type Variable = (&'static str, &'static str);

const CACHE: Variable =
    ("MAGISTRATE_CACHE", "Folder for caches [default: the platform's, such as ~/.cache/magistrate]");
const BACKENDS: Variable = ("MAGISTRATE_BACKENDS", "Folder of the backend libraries, for a build by scripts/package");
const SETTINGS: Variable =
    ("MAGISTRATE_<KEY>", "Default of a flag, such as MAGISTRATE_THRESHOLD; see [env: ...] above");
const NO_CONFIG: Variable = ("MAGISTRATE_NO_CONFIG", "1 reads no settings files");
const SPINS: Variable = (
    "GOMP_SPINCOUNT, OMP_WAIT_POLICY",
    "Time that threads spin before they sleep [default: chosen by the load of the machine]",
);
const COLOR: Variable = (
    "NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM",
    "Colors, where --color does not decide: none with NO_COLOR=1 or TERM=dumb",
);
const STORES: [Variable; 4] = [
    ("MAGISTRATE_MODELS", "Folder of your own models [default: ~/.local/share/magistrate/models]"),
    ("HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME", "Cache of Hugging Face, which is searched for models"),
    ("LLAMA_CACHE, OLLAMA_MODELS", "Folders of llama.cpp and of Ollama, which are searched for models"),
    ("XDG_CACHE_HOME, XDG_DATA_HOME", "Base folders of caches and of your own models"),
];
#[cfg(feature = "serve")]
const API_KEY: Variable = ("MAGISTRATE_API_KEY", "Key that clients must send, beside those of --keys");
const REMOTE: &[Variable] = if cfg!(feature = "remote") {
    &[("MAGISTRATE_REMOTE_KEY", "Key for the server of --remote, where --remote-key names no file")]
} else {
    &[]
};
const HUB: [Variable; 2] = [
    ("HF_TOKEN", "Token for models of Hugging Face that need one [default: the one of its own program]"),
    ("HF_ENDPOINT, HF_HUB_OFFLINE", "Server of Hugging Face, and 1 for no network"),
];

/// Returns the variables of a verb.
pub fn of(verb: &str) -> Vec<Variable> {
    match verb {
        "" => [&[SETTINGS, NO_CONFIG, CACHE, COLOR][..], &STORES, &HUB].concat(),
        "check" | "label" | "verify" | "eval" | "calibrate" | "dev" | "worker" => {
            [&[SETTINGS, NO_CONFIG, CACHE][..], &STORES, REMOTE, &[BACKENDS, SPINS, COLOR]].concat()
        }
        "bench" | "warm" => [&[SETTINGS, NO_CONFIG, CACHE][..], &STORES, &[BACKENDS, SPINS, COLOR]].concat(),
        #[cfg(feature = "serve")]
        "serve" => [&[API_KEY, SETTINGS, NO_CONFIG, CACHE][..], &STORES, REMOTE, &[BACKENDS, SPINS, COLOR]].concat(),
        "doctor" => [&[SETTINGS, CACHE][..], &STORES, REMOTE, &[BACKENDS, SPINS]].concat(),
        "model fit" => [&[SETTINGS, CACHE][..], &STORES, &[BACKENDS, SPINS]].concat(),
        "daemon" | "daemon status" | "daemon stop" => {
            vec![("XDG_RUNTIME_DIR", "Folder for the daemons' sockets [default: the cache folder]"), CACHE]
        }
        "model pull" => [&STORES[..], &HUB].concat(),
        "model" | "model list" | "model path" | "model inspect" | "model verify" | "model convert" => STORES.to_vec(),
        "cache" | "cache show" | "cache clear" => vec![CACHE],
        "config" | "config show" | "config path" | "config init" => {
            vec![SETTINGS, NO_CONFIG, ("XDG_CONFIG_HOME", "Base folder of your own settings file [default: ~/.config]")]
        }
        "prompt" => vec![SETTINGS, NO_CONFIG],
        _ => Vec::new(),
    }
}
