//! Where backends are libraries: the program finds llama.cpp beside itself, and knows where they were built.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_LLAMA_BACKENDS_DIR");
    if let Ok(folder) = std::env::var("DEP_LLAMA_BACKENDS_DIR") {
        println!("cargo::rustc-env=MAGISTRATE_BUILT_BACKENDS={folder}");
        if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
            println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN");
        }
    }
}
