//! A client for HTTP/1.1 that trusts nothing: a reply is well-formed, or the connection fails.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Most bytes of a reply's head.
const HEAD: usize = 64 << 10;

/// A server, and the key for it.
pub struct Target {
    authority: String,
    address: SocketAddr,
    pub key: Option<String>,
    pub timeout: Duration,
}

impl Target {
    /// Reads an address such as `http://127.0.0.1:8787`.
    pub fn new(url: &str, key: Option<String>, timeout: Duration) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("--url begins with http://")?;
        let authority = rest.split('/').next().unwrap_or_default().to_owned();
        let port = if authority.contains(':') { "" } else { ":80" };
        let mut addresses =
            format!("{authority}{port}").to_socket_addrs().map_err(|error| format!("{authority}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{authority} has no address"))?;
        Ok(Self { authority, address, key, timeout })
    }

    /// Opens a connection.
    pub fn connect(&self) -> Result<Connection, Failure> {
        let stream = TcpStream::connect_timeout(&self.address, self.timeout).map_err(Failure::Connect)?;
        stream.set_nodelay(true).map_err(Failure::Connect)?;
        stream.set_read_timeout(Some(self.timeout)).map_err(Failure::Connect)?;
        stream.set_write_timeout(Some(self.timeout)).map_err(Failure::Connect)?;
        Ok(Connection { stream, unread: Vec::new() })
    }

    /// Opens a connection that never blocks, for one that is slow by intention.
    pub fn connect_unblocked(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_millis(200))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }

    /// Returns the head of a request, with further headers that end in `\r\n` each.
    pub fn head(&self, method: &str, path: &str, headers: &str) -> String {
        let key = self.key.as_ref().map_or(String::new(), |key| format!("Authorization: Bearer {key}\r\n"));
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{key}{headers}\r\n", self.authority)
    }

    /// Returns the bytes of a request without a body.
    pub fn get(&self, path: &str) -> Vec<u8> {
        self.head("GET", path, "").into_bytes()
    }

    /// Returns the bytes of a request with a JSON body, which may be broken.
    pub fn post(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let mut bytes = self.head("POST", path, &headers).into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Sends one request on a connection of its own.
    pub fn once(&self, request: &[u8]) -> Result<Reply, Failure> {
        let mut connection = self.connect()?;
        connection.send(request)?;
        connection.receive()
    }
}

/// A reply to one request.
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// False if the server closes the connection behind the reply.
    pub keeps: bool,
}

impl Reply {
    /// Returns the value of a header. Names are in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("status {}, not JSON: {error}", self.status))
    }
}

/// The reason for a request without a reply.
#[derive(Debug)]
pub enum Failure {
    Connect(io::Error),
    /// The connection ended before the reply did.
    Ended(io::Error),
    /// The time limit passed.
    Late,
    /// The reply breaks the rules of HTTP.
    Malformed(&'static str),
}

impl Failure {
    fn of(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Late,
            _ => Self::Ended(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {:?}", error.kind()),
            Self::Ended(error) => write!(f, "ended without a reply: {:?}", error.kind()),
            Self::Late => f.write_str("no reply in time"),
            Self::Malformed(why) => write!(f, "malformed: {why}"),
        }
    }
}

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that arrived and belong to no reply yet.
    unread: Vec<u8>,
}

impl Connection {
    /// Sends bytes. A server may refuse a request before its end, so the reply is worth reading after a failure.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).map_err(Failure::of)
    }

    /// Reports whether bytes arrived that no request asked for.
    pub fn has_more(&mut self) -> bool {
        if !self.unread.is_empty() {
            return true;
        }
        let _ = self.stream.set_nonblocking(true);
        let found = matches!(self.stream.peek(&mut [0]), Ok(1));
        let _ = self.stream.set_nonblocking(false);
        found
    }

    /// Reads one reply.
    pub fn receive(&mut self) -> Result<Reply, Failure> {
        loop {
            let reply = self.receive_any()?;
            // An interim reply such as "100 Continue".
            if reply.status >= 200 {
                return Ok(reply);
            }
        }
    }

    fn receive_any(&mut self) -> Result<Reply, Failure> {
        let end = self.find(b"\r\n\r\n", HEAD)?;
        let head = String::from_utf8(self.take(end)).map_err(|_| Failure::Malformed("the head is not text"))?;
        self.take(4);
        let (status, headers) = parse(&head)?;
        let mut reply = Reply { status, headers, body: Vec::new(), keeps: true };
        reply.keeps = !reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let is_chunked = reply.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = reply.header("content-length").map(str::parse::<usize>);
        match (is_chunked, length) {
            _ if status < 200 || matches!(status, 204 | 304) => {}
            (true, None) => reply.body = self.chunks()?,
            (true, Some(_)) => return Err(Failure::Malformed("two lengths")),
            (false, Some(Ok(length))) => {
                self.fill(length)?;
                reply.body = self.take(length);
            }
            (false, Some(Err(_))) => return Err(Failure::Malformed("the length is no number")),
            (false, None) if reply.keeps => return Err(Failure::Malformed("no length")),
            (false, None) => reply.body = self.rest()?,
        }
        Ok(reply)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let end = self.find(b"\r\n", 1024)?;
            let line = self.take(end);
            self.take(2);
            let digits = std::str::from_utf8(&line).unwrap_or_default().split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).map_err(|_| Failure::Malformed("the size of a chunk"))?;
            self.fill(length + 2)?;
            body.extend(self.take(length));
            if self.take(2) != b"\r\n" {
                return Err(Failure::Malformed("the end of a chunk"));
            }
            if length == 0 {
                return Ok(body);
            }
        }
    }

    /// Reads until bytes are found, and returns their place.
    fn find(&mut self, bytes: &[u8], most: usize) -> Result<usize, Failure> {
        loop {
            if let Some(place) = self.unread.windows(bytes.len()).position(|window| window == bytes) {
                return Ok(place);
            }
            if self.unread.len() > most {
                return Err(Failure::Malformed("a head without an end"));
            }
            self.read()?;
        }
    }

    fn fill(&mut self, length: usize) -> Result<(), Failure> {
        while self.unread.len() < length {
            self.read()?;
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.unread.drain(..length).collect()
    }

    fn rest(&mut self) -> Result<Vec<u8>, Failure> {
        while self.read_some()? > 0 {}
        Ok(std::mem::take(&mut self.unread))
    }

    fn read(&mut self) -> Result<(), Failure> {
        match self.read_some()? {
            0 => Err(Failure::Ended(ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    fn read_some(&mut self) -> Result<usize, Failure> {
        let mut some = [0; 16 << 10];
        let count = self.stream.read(&mut some).map_err(Failure::of)?;
        self.unread.extend_from_slice(&some[..count]);
        Ok(count)
    }
}

type Head = (u16, Vec<(String, String)>);

fn parse(head: &str) -> Result<Head, Failure> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok()).ok_or(Failure::Malformed("the first line"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Failure::Malformed("a header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((status, headers))
}
