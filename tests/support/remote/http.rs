//! HTTP as far as a stub needs it: connections that stay open, and answers that are whole, cut or late.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// Further header lines, each with its end.
    pub headers: String,
    /// Bytes of the body that are sent before the connection ends. `None` for all of them.
    pub cut: Option<usize>,
    /// The time before the first byte.
    pub wait: Duration,
}

impl Answer {
    pub fn json(value: &serde_json::Value) -> Self {
        Self::status(200, &value.to_string())
    }

    pub fn status(status: u16, body: &str) -> Self {
        Self { status, body: body.as_bytes().to_vec(), headers: String::new(), cut: None, wait: Duration::ZERO }
    }
}

/// Serves a connection until its client ends it.
pub fn serve(mut stream: TcpStream, answer: impl Fn(&str, &str, &[u8]) -> Answer) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers = head.to_lowercase();
        let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let Answer { status, body, headers, cut, wait } = answer(&path, &headers, &body);
        std::thread::sleep(wait);
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let sent = &body[..cut.unwrap_or(body.len()).min(body.len())];
        if stream.write_all(&[head.as_bytes(), sent].concat()).is_err() || cut.is_some() {
            return;
        }
    }
}
