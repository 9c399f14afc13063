//! The file system that a file is on: whether it loses what it has confirmed, and how much
//! room is left.

use std::{io, path::Path};

use super::file::folder;

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

/// How much room is left on the disk of a file for this program, in bytes.
pub(super) fn free(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
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
