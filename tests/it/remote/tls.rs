//! Servers behind `https://`, with a certificate of somebody's own.

#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;

use super::command::{finder, stage, text};
use super::tokenizer;
use crate::support;
use crate::support::remote::{Program, stub};

/// Makes a certificate authority, and a certificate of `localhost` that it has signed.
const CERTIFICATES: &str = "set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=localhost
printf 'subjectAltName=DNS:localhost' >names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile names
";

/// Takes TLS off connections, and passes their bytes to a port and back. Prints its own port.
const PROXY: &str = "
import socket, ssl, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
def serve(plain):
    try:
        client = context.wrap_socket(plain, server_side=True)
    except (ssl.SSLError, OSError):
        return
    server = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    def pass_on(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        other.close()
    threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
    pass_on(client, server)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
";

struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the proxy of a port. Returns it with its own port. `None` without openssl or Python.
fn proxy(folder: &Path, port: &str) -> Option<(Proxy, String)> {
    let made = Command::new("sh").args(["-c", CERTIFICATES]).current_dir(folder).output().ok()?;
    if !made.status.success() {
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", PROXY, port]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    Some((Proxy(child), line.trim().to_owned()))
}

#[test]
fn a_certificate_of_ones_own_is_trusted_if_ssl_cert_file_names_its_authority() {
    let folder = stage(6);
    let stub = stub(Program::Vllm, &tokenizer(), finder());
    let Some((_proxy, port)) = proxy(folder.path(), stub.url.rsplit(':').next().unwrap()) else {
        eprintln!("skipped: there is no openssl or no python3");
        return;
    };
    let url = format!("https://localhost:{port}");
    let judge = |roots: &str| {
        let mut command = Command::new(cargo_bin("magistrate"));
        command.args([
            "label",
            "-p",
            "rules.md",
            "--labels",
            "0=safe,1=violation",
            "--effort",
            "none",
            "--min-mass",
            "0",
        ]);
        command.args(["texts.jsonl", "-o", "out.jsonl", "--restart", "--remote", &url, "-m"]);
        command.arg(support::demonstration()).current_dir(folder.path());
        let variables = [("MAGISTRATE_NO_CONFIG", "1"), ("NO_PROXY", "localhost"), ("SSL_CERT_FILE", roots)];
        command.envs(variables).env("MAGISTRATE_CACHE", folder.path()).output().unwrap()
    };
    let strange = judge("");
    assert_eq!(strange.status.code(), Some(2), "{}", text(&strange.stderr));
    assert!(text(&strange.stderr).contains("certificate"), "{}", text(&strange.stderr));
    let wrong = judge("texts.jsonl");
    assert_eq!(wrong.status.code(), Some(2));
    let said = text(&wrong.stderr);
    assert!(said.contains("texts.jsonl: it contains no certificate") && said.contains("unset SSL_CERT_FILE"), "{said}");
    let trusted = judge("ca.pem");
    assert_eq!(trusted.status.code(), Some(0), "{}", text(&trusted.stderr));
    let rows = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert_eq!(rows.lines().filter(|row| row.contains("\"status\":\"ok\"")).count(), 6, "{rows}");
}
