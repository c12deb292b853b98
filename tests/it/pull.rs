//! Fetching models from servers that speak the registries' protocols, and behave badly.
#![cfg(feature = "hub")]

mod fetch;
mod registries;
mod server;

use std::fs;
use std::time::Duration;

use magistrate::gguf::sha256;
use magistrate::models::fetch::Client;

/// Returns a client with little patience, so that tests are fast.
fn client() -> Client {
    Client::new(Duration::from_millis(600)).unwrap()
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| u8::try_from(number * 7919 % 251).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), bytes).unwrap();
    sha256(&folder.path().join("a"), &mut |_, _| ()).unwrap()
}
