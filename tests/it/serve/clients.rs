//! Public clients, installed from their registries: `scripts/client-test` drives them.
//!
//! This test runs the small ones. `.github/workflows/ci.yml` runs all, among them LiteLLM, NeMo Guardrails and Osprey,
//! whose packages take minutes to install.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

#[test]
fn public_clients_get_the_probabilities_of_check_by_configuration_alone() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/client-test");
    let clients = ["openai-moderations", "openai-chat", "coop"];
    let mut command = Command::new("python3");
    command.arg(script).arg("--program").arg(cargo_bin!("magistrate")).args(clients);
    let Ok(output) = command.output() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    let lines = String::from_utf8_lossy(&output.stdout);
    // A client whose package cannot be had is named with the reason.
    eprintln!("{lines}");
    assert_eq!(output.status.code(), Some(0), "{lines}{}", String::from_utf8_lossy(&output.stderr));
    for client in clients {
        assert!(lines.lines().any(|line| line.contains(client)), "{client} has no line: {lines}");
    }
}
