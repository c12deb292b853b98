//! A server that behaves well or badly, as a test sets it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The answer of a server to a request.
pub enum Act {
    /// The file, or the requested range of it, with a tag.
    Serve(Vec<u8>, &'static str),
    /// The whole file, whatever range is requested.
    Whole(Vec<u8>),
    /// Some bytes of the file under its whole length, and the end of the connection.
    Cut(Vec<u8>, usize, &'static str),
    /// Some bytes of the file, and silence.
    Stall(Vec<u8>, usize),
    /// A length, and the end of the connection.
    Promise(usize),
    /// Status and headers without a body.
    Say(&'static str, String),
}

/// A request: its path, and its headers in lower case.
pub type Asked = (String, HashMap<String, String>);

/// Returns the answer to a request, by its path, its number from 0 and its headers.
type Answer = dyn Fn(&str, usize, &HashMap<String, String>) -> Act;

pub struct Server {
    pub url: String,
    pub asked: Arc<Mutex<Vec<Asked>>>,
}

/// Starts a server on a port of its own, which answers each request by `answer`.
pub fn server(answer: impl Fn(&str, usize, &HashMap<String, String>) -> Act + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            std::thread::spawn(move || serve(stream, &log, &*answer));
        }
    });
    Server { url, asked }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, answer: &Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers: HashMap<String, String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())))
        .collect();
    let number = {
        let mut log = log.lock().unwrap();
        log.push((path.clone(), headers.clone()));
        log.iter().filter(|(other, _)| *other == path).count() - 1
    };
    let range =
        headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    let part = |bytes: &[u8], tag: &str| {
        let same = headers.get("if-range").is_none_or(|asked| asked == tag);
        let tag_line = if tag.is_empty() { String::new() } else { format!("ETag: {tag}\r\n") };
        match range.filter(|from| same && *from < bytes.len()) {
            Some(from) => {
                let range = format!("Content-Range: bytes {from}-{}/{}\r\n{tag_line}", bytes.len() - 1, bytes.len());
                (head("206 Partial Content", bytes.len() - from, &range), from)
            }
            None => (head("200 OK", bytes.len(), &tag_line), 0),
        }
    };
    let _ = match answer(&path, number, &headers) {
        Act::Serve(bytes, tag) => {
            let (head, from) = part(&bytes, tag);
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes[from..]))
        }
        Act::Whole(bytes) => {
            stream.write_all(head("200 OK", bytes.len(), "").as_bytes()).and_then(|()| stream.write_all(&bytes))
        }
        Act::Cut(bytes, count, tag) => {
            let (head, from) = part(&bytes, tag);
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&bytes[from..bytes.len().min(from + count)]))
        }
        Act::Stall(bytes, count) => {
            let (head, from) = part(&bytes, "");
            let sent = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&bytes[from..bytes.len().min(from + count)]));
            std::thread::sleep(Duration::from_secs(3));
            sent
        }
        Act::Promise(length) => stream.write_all(head("200 OK", length, "").as_bytes()),
        Act::Say(status, headers) => stream.write_all(head(status, 0, &headers).as_bytes()),
    };
    let _ = stream.flush();
}
