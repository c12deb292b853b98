//! The machine's memory and devices.

use std::path::Path;
use std::process::ExitCode;

use magistrate::engine::{EngineError, llama};
use magistrate::machine::{Device, DeviceKind, Machine, Memory};

use super::terminal::units::megabytes;
use super::terminal::{exit, output};

/// Returns the machine: its memory as the kernel reports it, else as llama.cpp does, and its devices.
pub fn machine() -> Result<Machine, EngineError> {
    let devices = llama::devices()?;
    let cpu = devices.iter().find(|device| device.kind == DeviceKind::Cpu);
    let reported = cpu.map(|cpu| Memory { total: cpu.total, free: cpu.free, limit: None });
    Ok(Machine { memory: Memory::read(Path::new("/")).or(reported).unwrap_or_default(), devices })
}

/// Prints the devices for `--device list`.
pub fn list() -> Result<ExitCode, anyhow::Error> {
    output::print(&table(&machine()?))?;
    Ok(ExitCode::from(exit::DONE))
}

/// Returns a table of the devices: the name for `--device`, the memory and a description.
fn table(machine: &Machine) -> String {
    let width = machine.devices.iter().map(|device| device.name.len()).max().unwrap_or(0);
    let row = |device: &Device| {
        let memory = machine.memory;
        // llama.cpp reports all of the CPU's memory as free.
        let of_cpu = device.kind == DeviceKind::Cpu;
        let (free, total) = if of_cpu { (memory.free, memory.total) } else { (device.free, device.total) };
        let Device { name, description, .. } = device;
        format!("{name:width$}  {} of {} free  {description}\n", megabytes(free), megabytes(total))
    };
    machine.devices.iter().map(row).collect()
}
