//! The socket of a daemon and its lock. Their name covers everything that answers depend on.

use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use magistrate::cache;
use magistrate::digest::Hash;
use magistrate::engine::memory_plan::LoadOptions;
use magistrate::prompt::Templates;

use super::peer;
use super::protocol::SILENCE;

/// The longest path of a socket, in bytes. Some systems allow 104, one of them a NUL.
const LONGEST: usize = 103;

/// The socket of one daemon.
#[derive(Clone, Debug)]
pub struct Socket {
    socket: PathBuf,
}

impl Socket {
    /// Returns the socket of a daemon for a model, the way of loading it, and templates. The program is a part of the
    /// name, so another build gets another daemon.
    pub fn of(load_options: &LoadOptions, templates: &Templates) -> Result<Self> {
        // A relative path or a link leads to the same daemon as the file itself.
        let model = fs::canonicalize(&load_options.base.model)?;
        let mut load_options = load_options.clone();
        load_options.base.model.clone_from(&model);
        let key = format!("{} {} {load_options:?} {}", program()?, templates.digest(), identity(&model)?);
        Ok(Self { socket: folder()?.join(format!("{}.sock", digest(&key))) })
    }

    /// Returns all sockets on which a daemon listens or has listened.
    pub fn all() -> Result<Vec<Self>> {
        let folder = folder()?;
        if !folder.exists() {
            return Ok(Vec::new());
        }
        cache::own(&folder)?;
        let sockets = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
        let mut sockets: Vec<PathBuf> =
            sockets.filter(|path| path.extension().is_some_and(|ending| ending == "sock")).collect();
        sockets.sort();
        Ok(sockets.into_iter().map(|socket| Self { socket }).collect())
    }

    /// Connects to the daemon, if it belongs to this user. Returns `None` if no daemon listens.
    pub fn connect(&self) -> Result<Option<UnixStream>> {
        cache::own(self.socket.parent().unwrap_or(Path::new("/")))?;
        if !self.socket.exists() {
            return Ok(None);
        }
        // A daemon that hangs may have a full queue, and `connect` has no time limit of its own.
        let (send, received) = channel();
        let socket = self.socket.clone();
        thread::Builder::new().spawn(move || send.send(UnixStream::connect(socket)))?;
        match received.recv_timeout(SILENCE) {
            Ok(Ok(stream)) => peer::ours(&stream).map(|()| Some(stream)),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Listens on the socket. Returns `None` if another daemon does. The socket is held as long as the lock.
    pub fn listen(&self) -> Result<Option<(UnixListener, File)>> {
        let folder = self.socket.parent().unwrap_or(Path::new("/"));
        cache::make(folder)?;
        let lock = magistrate::files::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.socket.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The lock is ours, so no daemon listens at a socket that was left here.
        self.leave();
        Ok(Some((UnixListener::bind(&self.socket)?, lock)))
    }

    /// Removes the socket.
    pub fn leave(&self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// Returns the folder of all sockets of this cache: in the cache, or elsewhere if that path is too long.
fn folder() -> Result<PathBuf> {
    let cache = cache::folder()?;
    let within = cache.join("daemons");
    // A name has 16 digits, and an ending.
    let has_room = |folder: &PathBuf| folder.as_os_str().as_bytes().len() + "/0123456789abcdef.sock".len() <= LONGEST;
    if has_room(&within) {
        return Ok(within);
    }
    // Each cache has its own daemons, so a folder outside bears the digest of the cache's path.
    let own = digest(&cache.to_string_lossy());
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let in_runtime = runtime.map(|folder| folder.join(format!("magistrate-{own}"))).filter(has_room);
    // Users share `/tmp`, so the name there has the user's id, too.
    Ok(in_runtime.unwrap_or_else(|| Path::new("/tmp").join(format!("magistrate-{}-{own}", peer::me()))))
}

/// Returns a text's digest in 16 digits: a longer name would leave less of [`LONGEST`] to the folder.
fn digest(text: &str) -> String {
    format!("{:016x}", Hash::of(text.as_bytes()).short())
}

/// Identifies this build by the version and the program's file.
fn program() -> Result<String> {
    // This link leads to the running program even if its file was replaced.
    let link = Path::new("/proc/self/exe");
    let path = if link.exists() { link.to_owned() } else { std::env::current_exe()? };
    Ok(format!("{} {}", env!("CARGO_PKG_VERSION"), identity(&path)?))
}

/// Identifies a file and its state. Another file, or a later change, gives another text.
fn identity(path: &Path) -> Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(Error::other("it is no file"));
    }
    let (device, node, size) = (about.dev(), about.ino(), about.len());
    Ok(format!("{device} {node} {size} {} {}", about.mtime(), about.mtime_nsec()))
}
