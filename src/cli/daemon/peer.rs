//! The user and the process at the other end of a socket.
//!
//! `unsafe` is needed because the standard library cannot yet name the peer of a Unix socket.
#![allow(unsafe_code)]

use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// Refuses a socket whose other end is another user's process.
pub fn ours(stream: &UnixStream) -> Result<()> {
    if user_of(stream)? == me() { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
}

/// Kills the process that listens at the other end.
pub fn end(stream: &UnixStream) -> Result<()> {
    let process = process_of(stream)?;
    // SAFETY: it takes two numbers. The process exists, because it listens.
    if unsafe { libc::kill(process, libc::SIGKILL) } == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Returns the id of the user that this process runs as.
pub fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(target_os = "linux")]
fn user_of(stream: &UnixStream) -> Result<u32> {
    credentials(stream).map(|peer| peer.uid)
}

/// Returns the process at the other end. A process in another container is an error.
#[cfg(target_os = "linux")]
fn process_of(stream: &UnixStream) -> Result<i32> {
    let process = credentials(stream)?.pid;
    if process > 1 {
        Ok(process)
    } else {
        Err(Error::other("a daemon is silent, and its process is in another container"))
    }
}

#[cfg(target_os = "linux")]
fn credentials(stream: &UnixStream) -> Result<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(Error::other)?;
    // SAFETY: the descriptor is open as long as the stream, and the length is the size of the value behind the pointer.
    let done = unsafe {
        let peer = (&raw mut peer).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, peer, &raw mut length)
    };
    if done == 0 { Ok(peer) } else { Err(Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn process_of(_: &UnixStream) -> Result<i32> {
    Err(Error::other("a daemon is silent, and its process is unknown: look for it with ps, and end it"))
}

#[cfg(not(target_os = "linux"))]
fn user_of(stream: &UnixStream) -> Result<u32> {
    let (mut user, mut group) = (0, 0);
    // SAFETY: the descriptor is open as long as the stream, and both pointers lead to numbers.
    let done = unsafe { libc::getpeereid(stream.as_raw_fd(), &raw mut user, &raw mut group) };
    if done == 0 { Ok(user) } else { Err(Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_our_own_socket_is_ours() {
        let (one, other) = UnixStream::pair().unwrap();
        assert!(ours(&one).is_ok() && ours(&other).is_ok());
    }
}
