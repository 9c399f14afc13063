//! Where a file lies: what is beside it, which file is at a path now, and file systems
//! that do not keep what they confirm.

use std::{
    fmt,
    fs::Metadata,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// Magic numbers of file systems, as in linux/magic.h and the `statfs` manual, with what
/// they are called and what may happen there.
const RISKY: &[(u32, &str, &str)] = &[
    (0x6969, "NFS", NETWORK),
    (0x517b, "SMB", NETWORK),
    (0xff53_4d42, "CIFS", NETWORK),
    (0xfe53_4d42, "SMB2", NETWORK),
    (0x0102_1997, "9P", NETWORK),
    (0x5346_414f, "AFS", NETWORK),
    (0x6b41_4653, "AFS", NETWORK),
    (0x00c3_6400, "Ceph", NETWORK),
    (0x0bd0_0bd0, "Lustre", NETWORK),
    (0x7375_7245, "Coda", NETWORK),
    (0x564c, "NCP", NETWORK),
    (0x786f_4256, "VirtualBox's shared folders", NETWORK),
    (0x6573_5546, "FUSE", FUSE),
    (0x0102_1994, "tmpfs", MEMORY),
    (0x8584_58f6, "ramfs", MEMORY),
    (0x794c_7630, "overlayfs", LAYER),
];

const NETWORK: &str = "locks and syncs over a network or between machines may lose or damage \
                       what was confirmed: take a local disk, or Redis for several nodes";
const FUSE: &str = "what is behind it may be a network or a cloud drive, which may lose or damage \
                    what was confirmed: take a local disk unless you know it syncs";
const MEMORY: &str = "that is memory, and all of it is gone after a restart of the machine: take \
                      a disk";
const LAYER: &str = "in a container that is gone together with the container: mount a volume";

/// Whether a file is on a file system of this machine's kernel alone: elsewhere nobody hears of
/// what others write, and locks of several kinds may be one.
#[cfg(target_os = "linux")]
pub(super) fn is_local(path: &Path) -> bool {
    let kind = file_system(path);
    kind.is_some_and(|kind| {
        !RISKY
            .iter()
            .any(|(magic, _, why)| *magic == kind && (*why == NETWORK || *why == FUSE))
    })
}

/// Nothing is known of other systems.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_local(_: &Path) -> bool {
    false
}

/// What puts at risk what is stored in this file, as sentences.
pub(in crate::store) fn risks(path: &Path) -> Vec<String> {
    let Some(kind) = file_system(path) else {
        return Vec::new();
    };
    let known = RISKY.iter().find(|(magic, ..)| *magic == kind);
    known
        .map(|(_, name, why)| format!("{} is on {name}: {why}", path.display()))
        .into_iter()
        .collect()
}

/// The magic number of the file system that a file is on, or will be.
#[cfg(target_os = "linux")]
fn file_system(path: &Path) -> Option<u32> {
    let kind = |path: &Path| rustix::fs::statfs(path).ok().map(|it| it.f_type as u32);
    kind(path).or_else(|| kind(&folder(path)))
}

/// It is not asked elsewhere.
#[cfg(not(target_os = "linux"))]
fn file_system(_: &Path) -> Option<u32> {
    None
}

/// Where a file really is: SQLite follows links, and puts what belongs to a file beside it.
/// It need not be there.
pub(super) fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As often as Linux does.
    for _ in 0..40 {
        match path.canonicalize() {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return found,
        }
        match path.read_link() {
            Ok(target) => path = folder(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// The file beside a database with this after its name, as in `podium.db-wal`.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// How long a file is, in bytes; 0 if it is not there.
pub(super) fn length(path: &Path) -> io::Result<u64> {
    match path.metadata() {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// How much room is left on the disk of a file for this program, in bytes.
pub(super) fn free(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// How a file was when it was looked at. Whoever writes to it changes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// In bytes.
    pub(super) length: u64,
    /// When it was written last, in seconds since 1970-01-01T00:00:00Z, and nanoseconds more.
    modified: (i64, i64),
}

impl Stamp {
    /// The length of its text, in bytes.
    pub(super) const TEXT: usize = 40;

    pub(super) fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// From its text.
    pub(super) fn parse(text: &str) -> Option<Stamp> {
        let number = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        let stamp = Stamp {
            length: number(0..16)?,
            modified: (
                number(16..32)?.cast_signed(),
                number(32..Stamp::TEXT)?.cast_signed(),
            ),
        };
        (text.len() == Stamp::TEXT).then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stamp {
            length,
            modified: (seconds, nanos),
        } = self;
        write!(f, "{length:016x}{seconds:016x}{nanos:08x}")
    }
}

/// Why a file cannot be opened that must be written.
pub(super) fn writable(path: &Path, source: io::Error) -> StoreError {
    let path = path.display().to_string();
    match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::Unfit {
            path,
            problem: format!("it cannot be written ({source})"),
            cure: READ_ONLY,
        },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Unfit {
            path,
            problem: format!("there is no room ({source})"),
            cure: NO_ROOM,
        },
        _ => StoreError::File { path, source },
    }
}

/// What to do about a disk that is full.
pub(super) const NO_ROOM: &str = "make room and start again";

/// What to do about a file or folder that cannot be written.
pub(super) const READ_ONLY: &str = "let the user that runs Podium write the file and its folder, \
                                    on a disk that is not mounted read-only";

/// The folder that a file is in, or will be.
fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.into(),
        _ => ".".into(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_still_to_be_made_is_where_its_folder_is() {
        // Of Linux, and always there.
        let risks = risks(Path::new("/dev/shm/none/such/podium.db"));
        assert!(risks.is_empty(), "the folder is missing: {risks:?}");
        let risks = super::risks(Path::new("/dev/shm/no-such-podium.db"));
        assert!(risks[0].contains("is on tmpfs"), "{risks:?}");
        assert!(super::risks(Path::new("/proc/self/none.db")).is_empty());
    }
}
