//! The examples in the help of each verb: the purpose and the command. A test parses every command.

type Example = (&'static str, &'static str);

/// Returns the examples of a verb. Empty for an unknown verb.
pub fn of(verb: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, examples)| examples)
}

/// The examples of each verb, which is named as behind `magistrate`.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            ("Check the machine first", "magistrate doctor"),
            ("Judge one text", "magistrate check -p spam 'Reply YES to claim your prize'"),
            ("Judge a file of texts, a row for each", "magistrate label -p spam posts.csv -o judged.csv"),
            ("Fetch a model for real use (12 GB)", "magistrate model pull 20b"),
        ],
    ),
    (
        "check",
        &[
            ("Judge a text by a shipped policy", "magistrate check -p spam 'Reply YES to claim your prize'"),
            ("Judge stdin by two policies, as JSON", "cat post.txt | magistrate check -p spam -p hate --json"),
            ("Judge a file by your own policy, with a real model", "magistrate check -p rules.yaml -m 20b -f post.txt"),
            ("Call a violation only what is likely one", "magistrate check -p spam --threshold 0.9 'Buy now'"),
        ],
    ),
    (
        "label",
        &[
            (
                "Judge a spreadsheet's column, and write another",
                "magistrate label -p spam posts.csv --text-column Post -o judged.csv",
            ),
            ("Print only the violations, as grep does", "magistrate label -p spam posts.jsonl --only violation"),
            ("Estimate the time and the memory first", "magistrate label -p spam posts.csv --dry-run -m 20b"),
            ("Judge a stream on stdin", "tail -f log.txt | magistrate label -p spam --only violation"),
        ],
    ),
    (
        "merge",
        &[
            ("Join the shares of two machines", "magistrate merge one.jsonl two.jsonl -o all.csv"),
            ("Write the rows of a run again, in another format", "magistrate merge judged.jsonl -o judged.parquet"),
        ],
    ),
    (
        "serve",
        &[
            ("Serve the shipped policies on this machine", "magistrate serve"),
            ("Serve a folder of policies with a real model", "magistrate serve -p policies/ -m 20b"),
            ("Write policies in a browser", "magistrate serve --workspace ~/policies"),
            ("Keep doubtful texts, and 1% of all, for review", "magistrate serve -p spam --review queue --sample 1%"),
            ("Make a key, and serve other machines", "magistrate serve --new-key ana"),
            ("Serve other machines with keys", "magistrate serve -p spam --listen 0.0.0.0:8787 --keys keys.txt"),
        ],
    ),
    ("review", &[("Write the decisions of a review queue", "magistrate review export queue -o decisions.jsonl")]),
    (
        "review export",
        &[
            ("Write the decisions of a review queue", "magistrate review export queue -o decisions.jsonl"),
            (
                "Print those about one policy, of texts chosen at random",
                "magistrate review export queue -p spam --reason sample",
            ),
        ],
    ),
    (
        "verify",
        &[(
            "Judge 50 rows of a run again, on this machine",
            "magistrate verify -p spam posts.csv -o judged.csv --sample 50",
        )],
    ),
    (
        "eval",
        &[
            ("Evaluate a shipped policy on its own golden set", "magistrate eval -p spam"),
            (
                "Evaluate your policy on labeled texts, with a report",
                "magistrate eval -p rules.yaml labeled.csv --report report.html",
            ),
            ("Fail a build below a figure", "magistrate eval -p rules.yaml labeled.csv --fail-under f1=0.90"),
            (
                "Compare with an earlier evaluation",
                "magistrate eval -p rules.yaml labeled.csv --baseline before.json --max-drop 0.02",
            ),
        ],
    ),
    (
        "dev",
        &[
            ("Judge the golden set of a policy after each save", "magistrate dev my-spam.yaml"),
            ("Use texts of your own", "magistrate dev rules.yaml labeled.csv --label-column gold"),
            ("Judge once, for a script", "magistrate dev rules.yaml labeled.csv --once"),
        ],
    ),
    (
        "calibrate",
        &[
            ("Certify which verdicts may be acted on", "magistrate calibrate -p spam labeled.csv -o spam.cert.json"),
            (
                "Use rows that were judged already",
                "magistrate calibrate -p spam --from evaluation.json -o spam.cert.json",
            ),
        ],
    ),
    (
        "bench",
        &[
            ("Measure the speed of a model on this machine", "magistrate bench -m 20b"),
            ("Search the fastest setting, and remember it", "magistrate bench -m 20b --tune"),
        ],
    ),
    (
        "daemon",
        &[
            ("Keep a model loaded for checks by a policy", "magistrate daemon -- check -p spam"),
            ("List the daemons that run", "magistrate daemon status"),
        ],
    ),
    ("daemon status", &[("List the daemons for a program", "magistrate daemon status --json")]),
    ("daemon stop", &[("Stop all daemons", "magistrate daemon stop")]),
    (
        "worker",
        &[
            ("Judge lines of JSON, and end with them", "magistrate worker -p spam < texts.jsonl"),
            ("Print the terms that all hosts of a run must share", "magistrate worker -p spam -m 20b --terms"),
        ],
    ),
    ("warm", &[("Read a policy ahead for a large model", "magistrate warm -p rules.yaml -m 20b")]),
    (
        "prompt",
        &[
            ("Print the exact prompt", "magistrate prompt -p spam 'Buy now'"),
            ("Print its token ids", "magistrate prompt -p spam --tokens 'Buy now'"),
        ],
    ),
    (
        "doctor",
        &[
            ("Check everything, with the default model", "magistrate doctor"),
            ("Check a model, and judge nothing", "magistrate doctor -m 20b --no-canary"),
        ],
    ),
    (
        "config",
        &[
            ("Show the settings that hold, and their origin", "magistrate config"),
            ("Write a first settings file", "magistrate config init"),
        ],
    ),
    ("config show", &[("Show the settings for a program", "magistrate config show --json")]),
    ("config path", &[("Print the path of your own settings file", "magistrate config path")]),
    ("config init", &[("Write your own settings file", "magistrate config init --user")]),
    (
        "completions",
        &[
            ("Complete commands in this bash", "source <(magistrate completions bash)"),
            (
                "Complete commands in every fish",
                "magistrate completions fish > ~/.config/fish/completions/magistrate.fish",
            ),
        ],
    ),
    (
        "man",
        &[
            ("Read the page of a verb", "magistrate man label | man -l -"),
            ("Install all pages", "magistrate man --dir ~/.local/share/man/man1"),
        ],
    ),
    (
        "policy",
        &[
            ("List the shipped policies", "magistrate policy list"),
            ("Write a policy of your own", "magistrate policy new begging -o begging.yaml"),
            ("Find its faults", "magistrate policy lint begging.yaml"),
        ],
    ),
    ("policy list", &[("List the shipped policies", "magistrate policy list")]),
    (
        "policy show",
        &[
            ("Save a shipped policy as a file of your own", "magistrate policy show spam > my-spam.yaml"),
            ("Print the instructions that the model reads", "magistrate policy show spam --rendered"),
        ],
    ),
    (
        "policy new",
        &[
            ("Answer questions", "magistrate policy new"),
            (
                "Write it from flags",
                "magistrate policy new begging --violation 'Begging: Asks readers for money.' -o begging.yaml",
            ),
        ],
    ),
    ("policy import", &[("Convert a policy in prose", "magistrate policy import rules.md -o rules.yaml")]),
    (
        "policy lint",
        &[
            ("Find the faults of a policy", "magistrate policy lint rules.yaml"),
            ("Fail a build on warnings, too", "magistrate policy lint rules.yaml --strict --format github"),
        ],
    ),
    ("policy diff", &[("Compare your policy with the shipped one", "magistrate policy diff spam my-spam.yaml")]),
    ("policy schema", &[("Save the schema for an editor", "magistrate policy schema > policy.schema.json")]),
    (
        "model",
        &[
            ("List the models on this machine", "magistrate model list"),
            ("See whether a model fits, before the download", "magistrate model fit 20b"),
            ("Fetch it (12 GB)", "magistrate model pull 20b"),
        ],
    ),
    ("model list", &[("List the models for a program", "magistrate model list --json")]),
    ("model path", &[("Pass a model to another program", "llama-cli -m \"$(magistrate model path magistrate-nano)\"")]),
    ("model inspect", &[("Print the properties of a file", "magistrate model inspect model.gguf")]),
    (
        "model fit",
        &[
            ("See whether a model fits, before the download", "magistrate model fit 20b"),
            ("Plan for a machine with 16 GB", "magistrate model fit 20b --memory 16GB"),
        ],
    ),
    ("model verify", &[("Check a download for damage", "magistrate model verify 20b")]),
    (
        "model pull",
        &[
            ("Fetch the 20b (12 GB)", "magistrate model pull 20b"),
            ("Fetch a file of Hugging Face", "magistrate model pull hf:unsloth/gpt-oss-safeguard-20b-GGUF:Q4_K_M"),
        ],
    ),
    ("model convert", &[("Make a plain file of Ollama's", "magistrate model convert gpt-oss:20b -o gpt-oss-20b.gguf")]),
    ("cache", &[("Show the folder, and the size of each part", "magistrate cache show")]),
    ("cache show", &[("Show the folder, and the size of each part", "magistrate cache show")]),
    ("cache clear", &[("Remove everything that can be made again", "magistrate cache clear")]),
];
