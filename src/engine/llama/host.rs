//! The machine as llama.cpp sees it: its devices, and its CPU's instruction sets.

use std::ffi::CStr;

use llama_cpp_2::{LlamaBackendDevice, LlamaBackendDeviceType};
use llama_cpp_sys_2 as sys;

use super::start::initialized;
use crate::engine::error::EngineError;
use crate::machine::{Device, DeviceKind};

/// Returns the devices that llama.cpp was built for and has found.
///
/// # Errors
///
/// [`EngineError::Start`] or [`EngineError::NoBackend`] if llama.cpp cannot be started.
pub fn devices() -> Result<Vec<Device>, EngineError> {
    initialized()?;
    let device = |device: LlamaBackendDevice| Device {
        name: device.name,
        description: device.description,
        backend: device.backend,
        kind: match device.device_type {
            LlamaBackendDeviceType::Gpu => DeviceKind::Gpu,
            LlamaBackendDeviceType::IntegratedGpu => DeviceKind::Integrated,
            LlamaBackendDeviceType::Accelerator => DeviceKind::Accelerator,
            LlamaBackendDeviceType::Cpu | LlamaBackendDeviceType::Unknown => DeviceKind::Cpu,
        },
        total: device.memory_total as u64,
        free: device.memory_free as u64,
    };
    Ok(llama_cpp_2::list_llama_ggml_backend_devices().into_iter().map(device).collect())
}

/// The instruction sets that llama.cpp computes with on this CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// The sets that it was compiled for, by llama.cpp's names.
    pub used: Vec<String>,
    /// The sets that this CPU has and that would help, though it was not compiled for them.
    pub idle: Vec<&'static str>,
}

/// Compares the instruction sets that llama.cpp was compiled for with those of this CPU.
///
/// # Errors
///
/// [`EngineError::Cpu`] if this CPU lacks an instruction set that the build needs, and the errors of [`devices`].
pub fn instructions() -> Result<Instructions, EngineError> {
    check_cpu()?;
    initialized()?;
    // SAFETY: the function takes nothing, and returns a NUL-terminated string that lives until the next call. It is
    // called here only, and the string is copied at once.
    let info = unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().into_owned();
    // One backend after the other, each as `NAME : FEATURE = 1 | FEATURE = 1 | `.
    let (_, of_cpu) = info.split_once("CPU : ").unwrap_or_default();
    let used: Vec<String> = of_cpu
        .split(" | ")
        .map_while(|feature| feature.split_once(" = ").filter(|(name, _)| !name.contains(':')))
        .filter(|(_, value)| *value == "1")
        .map(|(name, _)| name.to_owned())
        .collect();
    #[cfg(target_arch = "x86_64")]
    let there = [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("AVX_VNNI", std::arch::is_x86_feature_detected!("avxvnni")),
        ("AVX512", std::arch::is_x86_feature_detected!("avx512f")),
        ("AVX512_VBMI", std::arch::is_x86_feature_detected!("avx512vbmi")),
        ("AVX512_VNNI", std::arch::is_x86_feature_detected!("avx512vnni")),
        ("AVX512_BF16", std::arch::is_x86_feature_detected!("avx512bf16")),
    ];
    #[cfg(target_arch = "aarch64")]
    let there = [
        ("DOTPROD", std::arch::is_aarch64_feature_detected!("dotprod")),
        ("MATMUL_INT8", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("SVE", std::arch::is_aarch64_feature_detected!("sve")),
    ];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let there: [(&str, bool); 0] = [];
    let is_used = |name: &str| used.iter().any(|used| used == name);
    // Code for AVX512_VNNI leaves no work to AVX_VNNI.
    let needless = |name: &str| is_used(name) || name == "AVX_VNNI" && is_used("AVX512_VNNI");
    let idle = there.into_iter().filter_map(|(name, there)| (there && !needless(name)).then_some(name)).collect();
    Ok(Instructions { used, idle })
}

/// Finds devices by their names. The CPU is left out, as it takes no layers of a GPU.
pub fn chosen(names: &[String]) -> Result<Vec<sys::ggml_backend_dev_t>, EngineError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let known = devices()?;
    let mut chosen = Vec::new();
    for name in names {
        let place = known.iter().position(|device| device.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            EngineError::Device { name: name.clone(), known: known.iter().map(|device| device.name.clone()).collect() }
        })?;
        if known[place].kind != DeviceKind::Cpu {
            // SAFETY: the devices are numbered from 0 in the order in which they were just listed, and live forever.
            chosen.push(unsafe { sys::ggml_backend_dev_get(place) });
        }
    }
    Ok(chosen)
}

/// Refuses a CPU that cannot run this build.
///
/// The C++ of a portable x86-64 build needs more than Rust's baseline. Without this check an older CPU would meet an
/// illegal instruction. Where backends are libraries, llama.cpp chooses one that this CPU can run.
pub fn check_cpu() -> Result<(), EngineError> {
    #[cfg(all(target_arch = "x86_64", not(feature = "dynamic-backends")))]
    {
        let missing: Vec<&str> = [
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("FMA", std::arch::is_x86_feature_detected!("fma")),
            ("F16C", std::arch::is_x86_feature_detected!("f16c")),
            ("BMI2", std::arch::is_x86_feature_detected!("bmi2")),
        ]
        .into_iter()
        .filter_map(|(name, there)| (!there).then_some(name))
        .collect();
        if !missing.is_empty() {
            return Err(EngineError::Cpu(missing.join(", ")));
        }
    }
    Ok(())
}
