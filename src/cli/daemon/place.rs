//! Where a daemon listens: a socket and a lock, named by all that its answers hang on.

use std::fs::{self, File, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use magistrate::cache;
use magistrate::engine::plan::Wishes;
use magistrate::prompt::Templates;

use super::peer;
use super::protocol::SILENCE;
use crate::cli::name_of;

/// The bytes that the path of a socket may have: 104 on some systems, one of them a NUL.
const LONGEST: usize = 103;

/// The place of one daemon.
#[derive(Clone, Debug)]
pub struct Place {
    socket: PathBuf,
}

impl Place {
    /// The place of a daemon for this model, loaded so, and these templates. The program itself is a part of the name, so a
    /// daemon of another build is another one.
    pub fn of(wishes: &Wishes, templates: &Templates) -> Result<Self> {
        let model = fs::canonicalize(&wishes.base.model)?;
        let mut wishes = wishes.clone();
        wishes.base.model.clone_from(&model);
        let key = format!("{} {} {wishes:?} {}", program()?, templates.digest(), identity(&model)?);
        Ok(Self { socket: folder()?.join(format!("{}.sock", name_of(&key, 8))) })
    }

    /// All places where a daemon listens, or has listened.
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

    /// Connects to the daemon there, if it is this user's. `None` if nobody listens.
    pub fn connect(&self) -> Result<Option<UnixStream>> {
        cache::own(self.socket.parent().unwrap_or(Path::new("/")))?;
        if !self.socket.exists() {
            return Ok(None);
        }
        // The queue of one that hangs may be full, and there is no limit for how long a place in it is waited for.
        let (tell, told) = channel();
        let socket = self.socket.clone();
        thread::Builder::new().spawn(move || tell.send(UnixStream::connect(socket)))?;
        match told.recv_timeout(SILENCE) {
            Ok(Ok(stream)) => peer::ours(&stream).map(|()| Some(stream)),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }

    /// Listens there. `None` if another daemon has the place. It is kept as long as the lock.
    pub fn listen(&self) -> Result<Option<(UnixListener, File)>> {
        let folder = self.socket.parent().unwrap_or(Path::new("/"));
        cache::make(folder)?;
        let lock =
            cache::options().write(true).create(true).truncate(false).open(self.socket.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever listened there has gone, as the lock is ours.
        self.leave();
        Ok(Some((UnixListener::bind(&self.socket)?, lock)))
    }

    /// Takes the socket away.
    pub fn leave(&self) {
        let _ = fs::remove_file(&self.socket);
    }
}

/// The folder of all sockets of this cache: in it, or where paths are shorter if its own is too long.
fn folder() -> Result<PathBuf> {
    let cache = cache::folder()?;
    let within = cache.join("daemons");
    // A name has 16 digits, and an ending.
    if within.as_os_str().as_bytes().len() + "/0123456789abcdef.sock".len() <= LONGEST {
        return Ok(within);
    }
    let own = name_of(&cache.to_string_lossy(), 8);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let base = runtime.filter(|folder| folder.is_absolute() && folder.as_os_str().len() < 60);
    Ok(base.map_or_else(
        || Path::new("/tmp").join(format!("magistrate-{}-{own}", peer::me())),
        |base| base.join(format!("magistrate-{own}")),
    ))
}

/// What tells this build from all others: the version, and the program's file.
fn program() -> Result<String> {
    // Through this link also a program whose file was replaced is looked at, and not the new file.
    let link = Path::new("/proc/self/exe");
    let path = if link.exists() { link.to_owned() } else { std::env::current_exe()? };
    Ok(format!("{} {}", env!("CARGO_PKG_VERSION"), identity(&path)?))
}

/// What tells a file from all others, and from itself after a change.
fn identity(path: &Path) -> Result<String> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(Error::other("it is no file"));
    }
    let (device, node, size) = (about.dev(), about.ino(), about.len());
    Ok(format!("{device} {node} {size} {} {}", about.mtime(), about.mtime_nsec()))
}
