//! `model fit`: whether a model fits on this machine, and how; and what is said where it does not.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use magistrate::engine::plan::{Job, Need, Plan, Wishes};
use magistrate::engine::{CacheType, EngineError, Layout, llama};
use magistrate::gguf::{self, ModelFile, Opened};
use magistrate::machine::{Device, Kind, Machine, Memory};
use serde_json::{Value, json};

use super::engine::EngineArgs;
use super::model::{megabytes, places};
use super::{exit, output, tune};

#[derive(Debug, Args)]
pub struct Fit {
    /// A name of `model list`, or a file
    model: String,

    /// What it is wanted for: label judges many texts at once, check one
    #[arg(long = "for", value_name = "VERB", default_value = "label")]
    what: What,

    /// Policies that it is to judge by, which take memory, too
    #[arg(short, long = "policy", value_name = "POLICY")]
    policies: Vec<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Check,
    Label,
}

/// Texts that `label` judges at once if there is room.
pub const MANY: usize = 8;
/// Texts that `check` judges at once.
pub const ONE: usize = 1;

impl Fit {
    /// 0 if it fits, else 1.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        let opened = Opened::read(&super::model::path(&self.model)?)?;
        let templates = magistrate::prompt::Templates::shipped();
        let mut policies = Vec::new();
        for spec in &self.policies {
            let policy = magistrate::policy::load(spec, None)?;
            let prompt = magistrate::prompt::Prompt::new(&templates, &policy, policy.effort, None)?;
            policies.push(prompt.prefix_tokens(&opened.tokenizer).len());
        }
        let wishes = self.engine.wishes(opened.file.path.clone())?;
        let machine = machine()?;
        let job = match self.what {
            What::Check => Job { parallel: ONE, tuned: None, policies },
            What::Label => Job { parallel: MANY, tuned: tune::remembered(&opened.file, &wishes, &machine), policies },
        };
        let plan = Plan::new(&opened.file, &wishes, &job, &machine);
        if self.json {
            output::data(&format!("{}\n", object(&opened.file, &plan)))?;
        } else {
            output::print(&told(&opened.file, &plan, &wishes, &job, &machine))?;
        }
        Ok(ExitCode::from(if plan.fits() { exit::DONE } else { exit::FINDING }))
    }
}

/// What there is: of memory what the kernel says, else what llama.cpp does.
pub fn machine() -> Result<Machine, EngineError> {
    let devices = llama::devices()?;
    let cpu = devices.iter().find(|device| device.kind == Kind::Cpu);
    let told = cpu.map(|cpu| Memory { total: cpu.total, free: cpu.free, limit: None });
    Ok(Machine { memory: Memory::read(Path::new("/")).or(told).unwrap_or_default(), devices })
}

/// What computes: a name for `--device`, what it is, and its memory.
pub fn devices(machine: &Machine) -> String {
    let width = machine.devices.iter().map(|device| device.name.len()).max().unwrap_or(0);
    let row = |device: &Device| {
        let memory = machine.memory;
        // Of the CPU's memory llama.cpp tells that all of it is free.
        let of_cpu = device.kind == Kind::Cpu;
        let (free, total) = if of_cpu { (memory.free, memory.total) } else { (device.free, device.total) };
        let Device { name, description, .. } = device;
        format!("{name:width$}  {} of {} free  {description}\n", megabytes(free), megabytes(total))
    };
    machine.devices.iter().map(row).collect()
}

/// Why a model is not loaded, and what would be.
pub fn refusal(model: &ModelFile, plan: &Plan, wishes: &Wishes, job: &Job, machine: &Machine) -> String {
    let more = "hint: --memory SIZE says that there is more, and loads it all the same";
    format!("{}\n{more}", told(model, plan, wishes, job, machine).trim_end())
}

/// What is to be said where less was chosen than was wanted.
pub fn note(plan: &Plan, wishes: &Wishes, job: &Job) -> Option<String> {
    let less = plan.config.parallel < wishes.parallel.unwrap_or(job.at_once())
        || wishes.cache.is_none() && plan.config.cache != CacheType::default();
    less.then(|| format!("note: memory is short, so the model is loaded with {}", settings(plan)))
}

/// A plan as flags.
pub fn settings(plan: &Plan) -> String {
    let config = &plan.config;
    let mut text = format!("--parallel {} --context {}", config.parallel, config.context);
    if config.workers > 1 {
        text.push_str(&format!(" --workers {}", config.workers));
    }
    if config.layout == Layout::Split {
        text.push_str(" --layout split");
    }
    if config.cache == CacheType::Q8_0 {
        text.push_str(" --kv q8_0");
    }
    if config.repack {
        text.push_str(" --repack");
    }
    if let Some(layers) = config.gpu_layers {
        text.push_str(&format!(" --gpu-layers {layers}"));
    }
    if config.cpu_experts > 0 {
        text.push_str(&format!(" --cpu-experts {}", config.cpu_experts));
    }
    text
}

fn told(model: &ModelFile, plan: &Plan, wishes: &Wishes, job: &Job, machine: &Machine) -> String {
    let fits = plan.fits();
    let mut text = format!("{} {}\n\n", model.name, if fits { "fits" } else { "does not fit" });
    let gpu = plan.gpu.bytes() > 0;
    text.push_str(&line("", "memory", if gpu { "GPU" } else { "" }));
    for (what, of) in ROWS {
        let (cpu, on_gpu) = (of(&plan.cpu), of(&plan.gpu));
        if cpu + on_gpu > 0 {
            text.push_str(&line(what, &megabytes(cpu), &if gpu { megabytes(on_gpu) } else { String::new() }));
        }
    }
    text.push_str(&line(
        "together",
        &megabytes(plan.cpu.bytes()),
        &if gpu { megabytes(plan.gpu.bytes()) } else { String::new() },
    ));
    text.push_str(&line(
        "free",
        &megabytes(plan.cpu_room),
        &if gpu { megabytes(plan.gpu_room) } else { String::new() },
    ));
    text.push('\n');
    if let Some(memory) = wishes.memory {
        text.push_str(&format!("--memory says that {} may be taken\n", megabytes(memory)));
    } else if let Some(limit) = machine.memory.limit {
        let total = megabytes(machine.memory.total);
        text.push_str(&format!("a control group allows {} of the machine's {total}\n", megabytes(limit)));
    }
    text.push_str(&format!("{} {}\n", if fits { "loaded with" } else { "the least tried:" }, settings(plan)));
    if fits && !gpu && !plan.config.repack && job.at_once() > ONE {
        let mut repacked = wishes.clone();
        repacked.base.repack = true;
        let repacked = Plan::new(model, &repacked, job, machine);
        if repacked.fits() && repacked.cpu.repacked > 0 {
            let size = megabytes(repacked.cpu.bytes());
            text.push_str(&format!("--repack fits, too, in {size}: a slower start, then faster\n"));
        }
    }
    if !fits {
        let others = alternatives(model, wishes, job, machine);
        text.extend(others.iter().map(|one| format!("would fit: {one}\n")));
        if others.is_empty() {
            text.push_str("no model that is here would fit, and gpt-oss is not published in less than MXFP4\n");
        }
    }
    text
}

/// A row of a table of needs: its name, and how many bytes it is of one.
type NeedRow = (&'static str, fn(&Need) -> u64);

const ROWS: [NeedRow; 5] = [
    ("weights", |need| need.weights),
    ("weights, rearranged", |need| need.repacked),
    ("keys and values", |need| need.cells),
    ("computing", |need| need.computing),
    ("program, vocabulary", |need| need.program),
];

fn line(what: &str, cpu: &str, gpu: &str) -> String {
    format!("{what:<20}  {cpu:>10}  {gpu:>10}").trim_end().to_owned() + "\n"
}

/// What would fit in its place: less asked for, a smaller quantization, another model that is here.
fn alternatives(model: &ModelFile, wishes: &Wishes, job: &Job, machine: &Machine) -> Vec<String> {
    let mut found = Vec::new();
    let mut less =
        Wishes { parallel: None, context: None, cache: None, cpu_experts: None, gpu_layers: None, ..wishes.clone() };
    less.base.repack = false;
    let fitting = |model: &ModelFile| Some(Plan::new(model, &less, job, machine)).filter(Plan::fits);
    if let Some(plan) = (less != *wishes).then(|| fitting(model)).flatten() {
        found.push(format!("it, with {}", settings(&plan)));
    }
    if let Some(smaller) = model.in_mxfp4()
        && let Some(plan) = fitting(&smaller)
    {
        let size = megabytes(plan.cpu.weights + plan.gpu.weights);
        found.push(format!("a file of it whose experts are in MXFP4, as they were published: {size} of weights"));
    }
    let others = places().find().into_iter().filter(|other| other.path != model.path && other.unusable.is_none());
    for other in others {
        let fits = gguf::inspect(&other.path).ok().and_then(|file| fitting(&file));
        if let Some(plan) = fits {
            found.push(format!("{}, with {}", other.name, settings(&plan)));
        }
    }
    if found.is_empty() && model.shape.blocks > TWENTY.0 && wishes.memory.unwrap_or(machine.memory.free) >= TWENTY.1 {
        found.push("gpt-oss-safeguard-20b, in 12.7 GB of memory: magistrate model pull 20b".to_owned());
    }
    found
}

/// The layers of the 20b, and bytes of memory that it takes.
const TWENTY: (u32, u64) = (24, 12_700_000_000);

fn object(model: &ModelFile, plan: &Plan) -> Value {
    let need = |need: &Need| {
        let rows = [
            ("weights", need.weights),
            ("repacked", need.repacked),
            ("cells", need.cells),
            ("computing", need.computing),
            ("program", need.program),
            ("together", need.bytes()),
        ];
        Value::Object(rows.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.into())).collect())
    };
    let config = &plan.config;
    json!({
        "model": model.name,
        "fits": plan.fits(),
        "cpu": need(&plan.cpu),
        "cpu_free": plan.cpu_room,
        "gpu": need(&plan.gpu),
        "gpu_free": plan.gpu_room,
        "parallel": config.parallel,
        "workers": config.workers,
        "context": config.context,
        "kv": if config.cache == CacheType::Q8_0 { "q8_0" } else { "f16" },
        "gpu_layers": config.gpu_layers,
        "cpu_experts": config.cpu_experts,
        "repack": config.repack,
        "flags": settings(plan),
    })
}
