//! Where the admin socket is: in a folder of the data folder that is its owner's alone.
//! Knows paths, modes and how long the path of a socket may be.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// The folder in the data folder.
pub const FOLDER: &str = "admin";
const SOCKET: &str = "socket";
/// A socket's address has 108 bytes on Linux and 104 elsewhere (unix(7)), the closing zero included.
const PATH_BYTES_MAX: usize = 100;

/// Listens in the folder, in place of a process before. INVARIANT: nobody else than its owner may enter the folder.
pub(super) fn listen(data: &Path) -> io::Result<UnixListener> {
    let folder = data.join(FOLDER);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
        _ => fs::set_permissions(&folder, Permissions::from_mode(0o700))?,
    }
    let place = Place::of(&folder)?;
    match fs::remove_file(&place.path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => UnixListener::bind(&place.path),
    }
}

/// Connects to the region whose data folder this is.
pub fn connect(data: &Path) -> io::Result<std::os::unix::net::UnixStream> {
    std::os::unix::net::UnixStream::connect(Place::of(&data.join(FOLDER))?.path)
}

/// A path that is short enough, for as long as this is kept.
struct Place {
    path: PathBuf,
    _folder: Option<File>,
}

impl Place {
    fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        // Linux has a short name for an open folder (proc(5)).
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}
