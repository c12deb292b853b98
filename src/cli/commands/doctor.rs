//! `doctor`: checks this machine, this build and this model, and prints a remedy for each problem.

mod canary;
mod finding;
#[cfg(feature = "remote")]
mod remote;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::slice;

use anyhow::Context;
use clap::Args;
use magistrate::cache;
use magistrate::engine::kernels::KernelSet;
use magistrate::engine::memory_plan::LoadOptions;
#[cfg(feature = "remote")]
use magistrate::engine::remote::RemoteOptions;
use magistrate::engine::{Kernels, llama, llama_version};
use magistrate::files::Draft;
use magistrate::gguf::Opened;
use magistrate::label::config::RunConfig;
use magistrate::machine::processors::Processors;
use magistrate::machine::{self, DeviceKind, Drivers, Machine};

use self::finding::{Finding, State};
use crate::cli::args::engine::EngineArgs;
use crate::cli::args::model::ModelArgs;
#[cfg(feature = "remote")]
use crate::cli::args::remote::RemoteArgs;
use crate::cli::fitting::SEVERAL;
use crate::cli::models::places;
use crate::cli::terminal::units::megabytes;
use crate::cli::terminal::{error, exit, output};
use crate::cli::{loading, waiting};

#[derive(Debug, Args)]
pub struct Doctor {
    /// Check the machine and the model file alone, and judge nothing
    #[arg(long)]
    no_canary: bool,

    /// Record the canary set's verdicts, to compare with from here on
    #[arg(long, conflicts_with = "no_canary")]
    record: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    engine: EngineArgs,

    #[cfg(feature = "remote")]
    #[command(flatten)]
    remote: RemoteArgs,
}

impl Doctor {
    /// Exits 1 if there is a problem, else 0. Findings are printed at once: judging takes a while, and llama.cpp may
    /// end the process.
    pub fn run(self) -> Result<ExitCode, anyhow::Error> {
        if self.engine.lists_devices() {
            return crate::cli::devices::list();
        }
        // `judge` sets the model: if there is no model, that is a finding and not an error.
        let load_options = self.engine.resolve(PathBuf::new());
        let mut findings = Vec::new();
        let mut report = |finding: Finding| {
            if !self.json {
                output::report(&finding.text(), &finding::STYLES)?;
            }
            findings.push(finding);
            anyhow::Ok(())
        };
        for look in [build, processor, cache_folder] {
            report(look())?;
        }
        #[cfg(feature = "remote")]
        if let Some(options) = self.remote.resolve(self.engine.parallel())? {
            self.look_at_server(load_options, &options).into_iter().try_for_each(&mut report)?;
            return self.end(&findings);
        }
        match crate::cli::devices::machine() {
            Ok(machine) => {
                report(memory(&machine))?;
                devices(&machine, &Drivers::read(Path::new("/"))).into_iter().try_for_each(&mut report)?;
                report(stores())?;
                self.judge(load_options, &machine, &mut report)?;
            }
            Err(error) => report(Finding::of("device", &error.into(), "build it on this machine: scripts/run"))?,
        }
        self.end(&findings)
    }

    /// Prints the JSON of all findings, or the next step. Exits 1 if there is a problem.
    fn end(&self, findings: &[Finding]) -> Result<ExitCode, anyhow::Error> {
        if self.json {
            output::data(&format!("{}\n", serde_json::to_string(findings)?))?;
        }
        let ill = findings.iter().any(|finding| finding.state == State::Problem);
        if !ill && !self.json {
            output::summary(next_step());
        }
        Ok(ExitCode::from(if ill { exit::FINDING } else { exit::DONE }))
    }

    /// Asks a server, and judges the canary set there. If a model with weights is named, it is judged here, too.
    #[cfg(feature = "remote")]
    fn look_at_server(&self, mut load_options: LoadOptions, options: &RemoteOptions) -> Vec<Finding> {
        load_options.base.model = match self.model.path() {
            Ok(file) => file,
            Err(error) => {
                return vec![Finding::of("model", &error, "magistrate model list lists the models of this machine")];
            }
        };
        let file = &load_options.base.model;
        let has_weights = !file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let here = RunConfig::new(load_options, magistrate::canary::options());
        let mut there = here.clone();
        there.remote = Some(options.clone());
        let canary = if self.no_canary {
            remote::Canary::Skip
        } else {
            let here = Some(&here).filter(|_| self.model.is_named() && has_weights);
            remote::Canary::Compare { record: self.record, here }
        };
        remote::look(&there, options, canary)
    }

    /// Checks the model, and its verdicts on the canary set if it can be loaded.
    fn judge(
        &self,
        mut load_options: LoadOptions,
        machine: &Machine,
        report: &mut impl FnMut(Finding) -> Result<(), anyhow::Error>,
    ) -> Result<(), anyhow::Error> {
        let opened = match self.model.path().and_then(|path| Ok(Opened::read(&path)?)) {
            Ok(opened) => opened,
            Err(error) => {
                return report(Finding::of("model", &error, "magistrate model list lists the models of this machine"));
            }
        };
        load_options.base.model.clone_from(&opened.file.path);
        let config = RunConfig::new(load_options, magistrate::canary::options());
        let (finding, fits) = model(&opened, &config, machine)?;
        report(finding)?;
        if !fits || self.no_canary {
            return Ok(());
        }
        let remedy = "try --device cpu, and `magistrate model verify`";
        report(canary::look(&config, self.record).unwrap_or_else(|error| Finding::of("canary", &error, remedy)))
    }
}

/// Names the command to run next: the first verdict, or the way to a model for real use.
fn next_step() -> &'static str {
    if places().find().iter().any(|model| model.unusable.is_none()) {
        "next: magistrate model list names the models; magistrate check -m NAME -p spam 'Buy now' judges by one"
    } else {
        "next: magistrate check -p spam 'Buy now' tries the built-in model; for real use, magistrate model fit 20b tells \
         whether it fits, and magistrate model pull 20b fetches it (12 GB)"
    }
}

/// The backends that are compiled in, or beside the program, and the features that they are built by.
fn backends() -> impl Iterator<Item = &'static str> {
    let built = [
        ("cuda", cfg!(feature = "cuda")),
        // llama.cpp always builds it there.
        ("metal", cfg!(target_os = "macos")),
        ("vulkan", cfg!(feature = "vulkan")),
        ("rocm", cfg!(feature = "rocm")),
    ];
    built.into_iter().filter_map(|(name, there)| there.then_some(name))
}

fn build() -> Finding {
    let names = std::iter::once("cpu").chain(backends()).collect::<Vec<_>>().join(", ");
    let chosen = if cfg!(feature = "dynamic-backends") { ", chosen at start" } else { "" };
    Finding::ok(
        "build",
        format!("magistrate {}, {}; backends: {names}{chosen}", env!("CARGO_PKG_VERSION"), llama_version()),
    )
}

fn processor() -> Finding {
    match llama::instructions() {
        Err(error) => Finding::of("cpu", &error.into(), "build it on this machine: scripts/run"),
        Ok(found) => {
            let uses = format!("{}; computes with {}; {}", threads(), found.used.join(", "), kernels());
            if found.idle.is_empty() {
                return Finding::ok("cpu", uses);
            }
            let idle = found.idle.join(", ");
            Finding::note(
                "cpu",
                format!("{uses}; this build leaves unused: {idle}"),
                "built on this machine it uses them: scripts/run",
            )
        }
    }
}

/// Names the kernels that multiply weights on this CPU.
fn kernels() -> String {
    match KernelSet::for_this_cpu() {
        Some(set) if Kernels::here() == Kernels::Own => format!("magistrate's own kernels for {}", set.name),
        _ => "llama.cpp's kernels".to_owned(),
    }
}

/// Describes the threads: their number, how they wait, and why.
fn threads() -> String {
    let processors = Processors::here();
    let Processors { machine, allowed, cores, quota } = processors;
    let quota = quota.map_or_else(String::new, |quota| format!(", a quota of {quota}"));
    format!(
        "{} threads, for {machine} processors, of which {allowed} may be used, on {cores} cores{quota}; {}",
        processors.threads(),
        waiting::described()
    )
}

/// Checks that the cache folder can be written, and that its disk has room.
fn cache_folder() -> Finding {
    const LEAST: u64 = 1_000_000_000;
    let tried = cache::folder().map_err(anyhow::Error::from).and_then(|folder| {
        cache::make(&folder)
            // A draft that is dropped removes its file.
            .and_then(|()| Draft::private(&folder.join("doctor")).map(drop))
            .with_context(|| format!("{} cannot be written", folder.display()))?;
        Ok(folder)
    });
    match tried {
        Err(problem) => {
            Finding::problem("cache", error::message(&problem), format!("name another folder in {}", cache::VARIABLE))
        }
        Ok(folder) => {
            let place = folder.display();
            match machine::free_disk_space(&folder) {
                None => Finding::ok("cache", format!("{place} can be written")),
                Some(free) if free < LEAST => Finding::note(
                    "cache",
                    format!("{place}: its disk has {} left", megabytes(free)),
                    "decoded policies may take 4 GB there: make room, or `magistrate cache clear`",
                ),
                Some(free) => {
                    Finding::ok("cache", format!("{place} can be written; its disk has {} left", megabytes(free)))
                }
            }
        }
    }
}

fn memory(machine: &Machine) -> Finding {
    let memory = machine.memory;
    let found = format!("{} of {} free", megabytes(memory.free), megabytes(memory.total));
    match memory.limit {
        None => Finding::ok("memory", found),
        Some(limit) => Finding::note(
            "memory",
            format!("{found}; a control group allows {}", megabytes(limit)),
            "models are loaded within that; a container's limit is raised where it is started",
        ),
    }
}

/// Lists the devices beside the CPU, in use or not.
fn devices(machine: &Machine, drivers: &Drivers) -> Vec<Finding> {
    let mut findings: Vec<Finding> = machine
        .devices
        .iter()
        .filter(|device| device.kind != DeviceKind::Cpu)
        .map(|device| {
            let driver = match (&drivers.nvidia, device.backend.as_str()) {
                (Some(version), "CUDA") => format!(", driver {version}"),
                _ => String::new(),
            };
            let free = format!("{} of {} free", megabytes(device.free), megabytes(device.total));
            Finding::ok(
                "device",
                format!("{}: {}, {}{driver}, {free}", device.name, device.description, device.backend),
            )
        })
        .collect();
    if !findings.is_empty() {
        return findings;
    }
    let remedy = |features: &str| {
        format!("a build for it judges many times faster: MAGISTRATE_FEATURES={features} scripts/run doctor")
    };
    let compiled: Vec<&str> = backends().collect();
    findings.push(if !compiled.is_empty() {
        let found = format!("none but the CPU, though this build has {}", compiled.join(", "));
        Finding::note(
            "device",
            found,
            "the driver is missing, or a container hides the device: docker run --gpus all, say",
        )
    } else if let Some(version) = &drivers.nvidia {
        let found = format!("an NVIDIA card (driver {version}) is not used: this build has no backend for it");
        Finding::note("device", found, remedy("cuda"))
    } else if drivers.amd {
        Finding::note("device", "an AMD card is not used: this build has no backend for it", remedy("rocm, or vulkan,"))
    } else if drivers.renders {
        Finding::note("device", "a GPU is not used: this build has no backend for it", remedy("vulkan"))
    } else {
        Finding::ok("device", "none but the CPU")
    });
    findings
}

/// Lists the models of this machine.
fn stores() -> Finding {
    let found = places().find();
    let unusable: Vec<String> =
        found.iter().filter_map(|model| model.unusable.map(|why| format!("{} ({why})", model.name))).collect();
    let usable = found.len() - unusable.len();
    if !unusable.is_empty() {
        let found = format!("{usable} gpt-oss models can be used, and not: {}", unusable.join(", "));
        return Finding::note("models", found, "magistrate model convert makes a plain file of one of Ollama's");
    }
    if usable == 0 {
        return Finding::note("models", "no gpt-oss model is here", "magistrate model pull 20b fetches one (12 GB)");
    }
    Finding::ok("models", format!("{usable} gpt-oss models are here: magistrate model list"))
}

/// Checks that the model's file is sound, and that it fits.
fn model(opened: &Opened, config: &RunConfig, machine: &Machine) -> Result<(Finding, bool), anyhow::Error> {
    let file = &opened.file;
    let found = format!("{}, {}, {}", file.name, megabytes(file.size), file.path.display());
    let (_, plan) = loading::plan_of(config, opened, slice::from_ref(magistrate::canary::policy()), SEVERAL, machine)?;
    let finding = if !plan.fits() {
        let found = format!("{found}: it does not fit into memory");
        Finding::problem(
            "model",
            found,
            format!("`magistrate model fit {}` lists the models that would", file.path.display()),
        )
    } else if file.demonstration.is_some() {
        Finding::note("model", format!("{found}: for demonstration alone"), "name a real one with --model")
    } else {
        Finding::ok("model", format!("{found}: its header is sound, and it fits"))
    };
    Ok((finding, plan.fits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_no_backend_drives_gets_a_remedy() {
        let machine = Machine::default();
        let states = |drivers: &Drivers| {
            let found = devices(&machine, drivers);
            assert_eq!(found.len(), 1);
            (found[0].state, found[0].remedy.clone().unwrap_or_default())
        };
        assert_eq!(states(&Drivers::default()).0, State::Ok);
        if backends().next().is_none() {
            let nvidia = Drivers { nvidia: Some("550.54".to_owned()), ..Drivers::default() };
            let (state, remedy) = states(&nvidia);
            assert!(state == State::Note && remedy.contains("MAGISTRATE_FEATURES=cuda"), "{remedy}");
            let (state, remedy) = states(&Drivers { renders: true, ..Drivers::default() });
            assert!(state == State::Note && remedy.contains("MAGISTRATE_FEATURES=vulkan"), "{remedy}");
        }
    }
}
