//! `serve --health`: asks a running server, for containers and supervisors without another client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use magistrate::serve::listen::Address;

use crate::cli::terminal::{exit, output};

/// The most time for a connection, and for each part of the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The bytes of an answer that are read. Its first line has the status.
const HEAD: u64 = 64;

/// Asks the server at an address whether it takes texts. Exits 0 if it does, else 1.
pub fn ask(address: &Address, shown: &str) -> ExitCode {
    let (message, code) = match status(address) {
        Ok(200) => ("ready".to_owned(), exit::DONE),
        Ok(status) => (format!("{shown} does not take texts now: status {status}"), exit::FINDING),
        Err(error) => (format!("{shown} does not answer: {error}"), exit::FINDING),
    };
    output::message(&message);
    ExitCode::from(code)
}

/// Returns the status that the server answers.
fn status(address: &Address) -> io::Result<u16> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            status_from(stream)
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            status_from(stream)
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Returns the address under which this machine reaches a server that listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn status_from(mut stream: impl Read + Write) -> io::Result<u16> {
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut head = Vec::new();
    stream.take(HEAD).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is no HTTP server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status of an answer, and the request.
    fn asked(answer: &str) -> (io::Result<u16>, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 512];
                let length = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&request[..length]).into_owned()
            });
            (status(&address), server.join().unwrap())
        })
    }

    #[test]
    fn the_status_is_read_from_the_first_line() {
        let (status, request) = asked("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(status.unwrap(), 503);
        assert!(request.starts_with("GET /ready HTTP/1.1\r\n"), "{request}");
        assert_eq!(asked("HTTP/1.1 200 OK\r\n\r\n").0.unwrap(), 200);
        assert!(asked("SSH-2.0-OpenSSH\r\n").0.is_err());
    }

    #[test]
    fn every_address_is_reached_at_this_machine() {
        let shown = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:8787"), "127.0.0.1:8787");
        assert_eq!(shown("[::]:8787"), "[::1]:8787");
        assert_eq!(shown("192.0.2.1:80"), "192.0.2.1:80");
    }
}
