//! The devices that compute.

use super::memory::Memory;

/// Memory and devices of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Memory of the CPU.
    pub memory: Memory,
    /// Devices that llama.cpp was built for and has found, the CPU included.
    pub devices: Vec<Device>,
}

/// A device that computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name, as llama.cpp lists it.
    pub name: String,
    /// Description for people, such as the model of a graphics card.
    pub description: String,
    /// Name of the llama.cpp backend that drives it.
    pub backend: String,
    /// Kind of device.
    pub kind: DeviceKind,
    /// Total memory in bytes.
    pub total: u64,
    /// Free memory in bytes.
    pub free: u64,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A graphics card with memory of its own.
    Gpu,
    /// A graphics processor that shares the CPU's memory.
    Integrated,
    /// A device that helps the CPU, in its memory.
    Accelerator,
}

impl Machine {
    /// Returns the devices that hold layers by default: all graphics cards, or an integrated one if there are no cards.
    pub fn gpus(&self) -> impl Iterator<Item = &Device> {
        let cards = self.devices.iter().any(|device| device.kind == DeviceKind::Gpu);
        let wanted = if cards { DeviceKind::Gpu } else { DeviceKind::Integrated };
        self.devices.iter().filter(move |device| device.kind == wanted)
    }
}
