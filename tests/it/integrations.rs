//! The jobs of `integrations/` for several machines: the commands in their files, run by hand with their hosts' variables.
//!
//! One share is killed in the middle, and one is stopped. The same commands continue them. The merged output must have the
//! bytes of a run on one machine.
#![cfg(all(unix, feature = "cli", feature = "nano"))]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::TempDir;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_yaml::from_str(&read(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Returns the elements of a list of `{name, value}`.
fn pairs(list: &Value) -> Vec<(String, String)> {
    list.as_array().unwrap().iter().map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect()
}

/// A script, and its arguments.
struct Call(PathBuf, Vec<String>);

impl Call {
    /// Returns the call of a command in the image of `integrations/shards`.
    fn in_image(command: &Value) -> Self {
        let words: Vec<String> = command.as_array().unwrap().iter().map(text).collect();
        Self(file("shards").join(&words[0]), words[1..].to_vec())
    }
}

/// A run on several machines, as its files describe it.
struct Job {
    label: Call,
    merge: Call,
    variables: Vec<(String, String)>,
    /// The variable with the number of a share, and the number of the first one.
    index: (&'static str, usize),
    shares: usize,
}

/// A folder in place of the machines' common one, and of the folders in a container.
struct Stage(TempDir);

impl Stage {
    fn new() -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        for folder in ["bin", "data", "policy"] {
            fs::create_dir(stage.path(folder)).unwrap();
        }
        symlink(cargo_bin!("magistrate"), stage.path("bin/magistrate")).unwrap();
        // The step of Slurm, which keeps its process id. Options come before the program.
        let srun = "#!/usr/bin/env bash\necho $$ >\"$OUT/step\"\nwhile [[ $1 = -* ]]; do shift; done\nexec \"$@\"\n";
        fs::write(stage.path("bin/srun"), srun).unwrap();
        fs::set_permissions(stage.path("bin/srun"), fs::Permissions::from_mode(0o755)).unwrap();
        let policy = text(&yaml("kubernetes/policy.yaml")["data"]["policy.yaml"]);
        fs::write(stage.path("policy/policy.yaml"), &policy).unwrap();
        fs::write(stage.path("data/policy.yaml"), &policy).unwrap();
        let row = |row| format!("{{\"id\":\"p{row}\",\"text\":\"Reply YES to win voucher {row}\"}}\n");
        let rows: String = (0..64).map(row).collect();
        // The last row has no text, so the run exits 3.
        fs::write(stage.path("data/posts.jsonl"), rows + "{\"id\":\"blank\",\"text\":\"\"}\n").unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the place on the stage of a path in a container, and any other word unchanged.
    fn placed(&self, word: &str) -> String {
        let is_mounted = word.starts_with("/data/") || word.starts_with("/policy/");
        if is_mounted { format!("{}{word}", self.0.path().display()) } else { word.to_owned() }
    }

    fn command(&self, job: &Job, program: &Path, words: &[String]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command.args(words.iter().map(|word| self.placed(word))).current_dir(&self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(job.variables.iter().map(|(name, value)| (name, self.placed(value))));
        command.env("PATH", format!("{}:{path}", self.path("bin").display())).env("OMP_THREAD_LIMIT", "1");
        command.env("MAGISTRATE_CACHE", self.path("cache")).env_remove("MAGISTRATE_MODEL");
        command
    }

    fn script(&self, job: &Job, Call(script, words): &Call, more: &[&str]) -> Command {
        let more = more.iter().map(|&word| word.to_owned());
        let words: Vec<String> =
            [script.display().to_string()].into_iter().chain(words.iter().cloned()).chain(more).collect();
        self.command(job, Path::new("bash"), &words)
    }

    /// Returns the command of a share. The first share is 0.
    fn share(&self, job: &Job, number: usize) -> Command {
        let mut command = self.script(job, &job.label, &EXACT);
        command.env(job.index.0, (job.index.1 + number).to_string());
        command
    }

    fn output(&self, number: usize) -> PathBuf {
        self.path(&format!("data/out/shard-{}.jsonl", number + 1))
    }

    /// Starts a share, and returns its process once the journal has a row.
    fn started(&self, job: &Job, number: usize) -> Child {
        let mut child = self.share(job, number).process_group(0).spawn().unwrap();
        let journal = self.output(number).with_extension("jsonl.journal");
        let begun = Instant::now();
        while fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) < 2 {
            assert!(
                child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_mins(1),
                "{}",
                journal.display()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        child
    }

    /// Ends a share in the middle by a signal to the process that `receiver` names. On a busy machine the share may be
    /// done before its signal, and begins anew.
    fn cut(&self, job: &Job, number: usize, signal: &str, receiver: impl Fn(&Child) -> String) -> Output {
        for _ in 0..20 {
            let child = self.started(job, number);
            // Fails if the process has ended.
            let _ = Command::new("kill").args([signal, "--", &receiver(&child)]).status().unwrap();
            let ended = child.wait_with_output().unwrap();
            if !self.output(number).exists() {
                return ended;
            }
            fs::remove_file(self.output(number)).unwrap();
            fs::remove_file(self.output(number).with_extension("jsonl.journal")).unwrap();
        }
        panic!("each time the share was done before its signal");
    }

    /// Returns the process to which a host sends SIGTERM: the step of Slurm, or the first process of a container.
    fn receiver(&self, child: &Child) -> String {
        let step = fs::read_to_string(self.path("data/out/step"));
        step.map_or_else(|_| child.id().to_string(), |step| step.trim().to_owned())
    }

    fn merge(&self, job: &Job) -> Output {
        self.script(job, &job.merge, &[]).output().unwrap()
    }

    /// Runs a job whose shares are disturbed, and compares its result with that of one machine.
    fn run(&self, job: &Job) {
        // A machine that is lost takes all its processes with it.
        let lost = self.cut(job, 0, "-KILL", |child| format!("-{}", child.id()));
        assert_eq!(lost.status.signal(), Some(9), "{lost:?}");
        let drained = self.cut(job, 1, "-TERM", |child| self.receiver(child));
        assert_eq!(drained.status.code(), Some(130), "{drained:?}");

        for number in 0..job.shares {
            let early = self.merge(job);
            assert!(early.status.code() == Some(2) && !self.path("data/out/merged").exists(), "{early:?}");
            let done = self.share(job, number).output().unwrap();
            assert_eq!(done.status.code(), Some(0), "{done:?}");
            let is_continued = String::from_utf8_lossy(&done.stderr).contains("resumed  ");
            assert_eq!(is_continued, number < 2, "{done:?}");
        }
        for _ in 0..2 {
            let merged = self.merge(job);
            assert_eq!(merged.status.code(), Some(0), "{merged:?}");
        }

        let flags: Vec<String> =
            ["label"].into_iter().chain(EXACT).chain(["-o", "whole.jsonl"]).map(str::to_owned).collect();
        let words = [&flags[..], &job.label.1].concat();
        let whole = self.command(job, &self.path("bin/magistrate"), &words).output().unwrap();
        assert_eq!(whole.status.code(), Some(3), "{whole:?}");
        let rows = fs::read_to_string(self.path("whole.jsonl")).unwrap();
        assert_eq!(rows.lines().count(), 65);
        assert_eq!(fs::read_to_string(self.path("data/out/merged/verdicts.jsonl")).unwrap(), rows);
    }
}

/// Flags with which every run of a text gives the same bytes, and takes little time.
const EXACT: [&str; 3] = ["--reproducible", "--effort", "none"];

#[test]
fn the_jobs_of_kubernetes_make_what_one_machine_makes() {
    let (label, merge) = (yaml("kubernetes/label.yaml"), yaml("kubernetes/merge.yaml"));
    let container = |job: &Value| job["spec"]["template"]["spec"]["containers"][0].clone();
    let variables = pairs(&container(&label)["env"]);
    assert_eq!(variables[0], ("SHARDS".to_owned(), label["spec"]["completions"].to_string()));
    Stage::new().run(&Job {
        label: Call::in_image(&container(&label)["command"]),
        merge: Call::in_image(&container(&merge)["command"]),
        variables,
        index: ("JOB_COMPLETION_INDEX", 0),
        shares: 8,
    });
}

#[test]
fn the_jobs_of_aws_batch_make_what_one_machine_makes() {
    let (label, merge) = (json("cloud/aws-label.json"), json("cloud/aws-merge.json"));
    let mut variables = pairs(&label["containerProperties"]["environment"]);
    variables.push(("AWS_BATCH_JOB_ARRAY_SIZE".to_owned(), "3".to_owned()));
    Stage::new().run(&Job {
        label: Call::in_image(&label["containerProperties"]["command"]),
        merge: Call::in_image(&merge["containerProperties"]["command"]),
        variables,
        index: ("AWS_BATCH_JOB_ARRAY_INDEX", 0),
        shares: 3,
    });
}

#[test]
fn the_jobs_of_google_batch_make_what_one_machine_makes() {
    let task = |name| json(name)["taskGroups"][0]["taskSpec"].clone();
    let (label, merge) = (task("cloud/google-label.json"), task("cloud/google-merge.json"));
    let of_task = label["environment"]["variables"].as_object().unwrap();
    let mut variables: Vec<_> = of_task.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    variables.push(("BATCH_TASK_COUNT".to_owned(), "3".to_owned()));
    Stage::new().run(&Job {
        label: Call::in_image(&label["runnables"][0]["container"]["commands"]),
        merge: Call::in_image(&merge["runnables"][0]["container"]["commands"]),
        variables,
        index: ("BATCH_TASK_INDEX", 0),
        shares: 3,
    });
}

#[test]
fn the_jobs_of_slurm_make_what_one_machine_makes() {
    let variables = [("OUT", "/data/out"), ("SHARDS", "3"), ("SLURM_CPUS_PER_TASK", "1")];
    let words = ["-p", "/data/policy.yaml", "/data/posts.jsonl", "--id-column", "id"];
    let stage = Stage::new();
    // `submit` makes this folder.
    fs::create_dir(stage.path("data/out")).unwrap();
    stage.run(&Job {
        label: Call(file("slurm/label.sbatch"), words.map(str::to_owned).to_vec()),
        merge: Call(file("slurm/merge.sbatch"), Vec::new()),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        index: ("SLURM_ARRAY_TASK_ID", 1),
        shares: 3,
    });
}
