//! Compiles the C++ code that catches llama.cpp's exceptions (feature `llama`).
//!
//! With the feature `dynamic-backends`, llama.cpp's backends are libraries. The program then looks for them beside itself, in
//! the folder `lib/magistrate` beside its own, and where they were built.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "llama")]
    {
        const FILES: [&str; 2] = ["src/engine/llama/caught.cpp", "src/engine/llama/operations.cpp"];
        for file in FILES {
            println!("cargo::rerun-if-changed={file}");
        }
        let mut build = cc::Build::new();
        if cfg!(feature = "dynamic-backends") {
            build.define("MAGISTRATE_DYNAMIC_BACKENDS", None);
        }
        build.cpp(true).std("c++17").files(FILES).compile("magistrate_llama");
    }
    println!("cargo::rerun-if-env-changed=DEP_LLAMA_BACKENDS_DIR");
    println!("cargo::rerun-if-env-changed=MAGISTRATE_PACKAGED");
    let Ok(backends) = std::env::var("DEP_LLAMA_BACKENDS_DIR") else { return };
    // A package names no folder of the machine that built it (scripts/package).
    let is_packaged = std::env::var_os("MAGISTRATE_PACKAGED").is_some();
    let backends = if is_packaged { "/usr/lib/magistrate/backends".to_owned() } else { backends };
    println!("cargo::rustc-env=MAGISTRATE_BUILT_BACKENDS={backends}");
    let beside = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("windows") => return,
        Ok("macos") => "@loader_path",
        _ => "$ORIGIN",
    };
    let installed = format!("{beside}/../lib/magistrate");
    let built = Path::new(&backends).with_file_name("lib").display().to_string();
    let folders = if is_packaged { vec![installed] } else { vec![beside.to_owned(), installed, built] };
    for folder in folders {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
