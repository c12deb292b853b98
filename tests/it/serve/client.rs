//! A server under test, and an HTTP client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

/// A running `magistrate serve`.
pub struct Server {
    child: Child,
    pub port: u16,
    /// The lines on stderr until now.
    pub log: Arc<Mutex<String>>,
    cache: tempfile::TempDir,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The head, in small letters.
    pub head: String,
    pub body: String,
}

impl Server {
    /// Starts a server with these flags and the built-in model, and waits until it is ready.
    #[track_caller]
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, |_| ())
    }

    #[track_caller]
    pub fn start_with(flags: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut command = Command::new(cargo_bin!("magistrate"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags).stderr(Stdio::piped()).stdout(Stdio::null());
        command.env("MAGISTRATE_CACHE", cache.path()).env("NO_COLOR", "1").env_remove("MAGISTRATE_API_KEY");
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut port = None;
        let mut line = String::new();
        while !line.starts_with("ready") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the server has ended: {}", log.lock().unwrap());
            log.lock().unwrap().push_str(&line);
            if let Some(address) = line.strip_prefix("listening on http://127.0.0.1:") {
                port = address.trim().parse().ok();
            }
        }
        let of_thread = Arc::clone(&log);
        std::thread::Builder::new()
            .spawn(move || {
                for line in lines.lines().map_while(Result::ok) {
                    let mut log = of_thread.lock().unwrap();
                    log.push_str(&line);
                    log.push('\n');
                }
            })
            .unwrap();
        Self { child, port: port.expect("the server prints its address"), log, cache }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream
    }

    /// Sends a request with these headers, on a connection of its own.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = self.connect();
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("host: localhost\r\n");
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        reply(stream)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    /// Sends JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    /// Returns the value of a metric by the beginning of its line, or 0.
    #[track_caller]
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |rest| rest.trim().parse().unwrap())
    }

    /// Returns the output of `check --json` at effort none, with the server's decoded policies.
    #[track_caller]
    pub fn check(&self, policies: &[&str], text: &str) -> Value {
        let mut check = Command::new(cargo_bin!("magistrate"));
        check.args(["check", "--json", "--effort", "none", text]).env("MAGISTRATE_CACHE", self.cache.path());
        let output = check.args(policies.iter().flat_map(|policy| ["-p", policy])).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Waits for the end of the server, and returns its exit code.
    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a response to its end.
#[track_caller]
pub fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // The server may reset a connection after a refusal.
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes)
}

#[track_caller]
pub fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let head = head.to_lowercase();
    let body = if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_owned() };
    Reply { status, head, body }
}

fn unchunked(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        out.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    out
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns the status and the code of an error.
    #[track_caller]
    pub fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim)
    }
}

/// Asserts that two rows are equal. Texts that share a batch may differ in the seventh digit.
#[track_caller]
pub fn assert_alike(one: &Value, other: &Value) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
            one.iter().for_each(|(name, value)| assert_alike(value, &other[name]));
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            assert!((one - other).abs() < 1e-6, "{one} {other}");
        }
        _ => assert_eq!(one, other),
    }
}
