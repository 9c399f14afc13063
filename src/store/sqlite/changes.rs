//! Whether somebody has written to a file. When it was changed last is less: a process that
//! touches a file sets that, and changes nothing in it.
//!
//! Linux reports writes to local files, by inotify. It does not report those through a
//! mapping, which no program makes by which files are copied; and where it reports nothing,
//! each change counts as a write.

use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::{
    fd::OwnedFd,
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};

/// See the module.
pub(super) struct Changes {
    #[cfg(target_os = "linux")]
    events: Option<OwnedFd>,
    /// Has somebody written, as far as is known?
    are_there: Option<bool>,
}

impl Changes {
    /// Of a file, from now on.
    #[cfg(target_os = "linux")]
    pub(super) fn watch(path: &Path) -> Changes {
        let watch = || {
            let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            inotify::add_watch(&events, path, WatchFlags::MODIFY)?;
            Ok::<_, Errno>(events)
        };
        let events = super::file_system::is_local(path).then(watch);
        let events = events.and_then(Result::ok);
        Changes {
            are_there: events.is_some().then_some(false),
            events,
        }
    }

    /// Of no file: nothing is reported.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn watch(_: &Path) -> Changes {
        Changes { are_there: None }
    }

    /// Whether somebody has written since all was forgotten last; `None` if nobody knows.
    pub(super) fn are_there(&mut self) -> Option<bool> {
        #[cfg(target_os = "linux")]
        if let Some(events) = &self.events {
            // Room for some: equal ones that follow each other are one.
            let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
            let mut events = inotify::Reader::new(events, &mut buffer);
            loop {
                match events.next() {
                    // Any of them, and also that there were too many.
                    Ok(_) => self.are_there = Some(true),
                    Err(Errno::WOULDBLOCK) => break,
                    Err(Errno::INTR) => {}
                    Err(_) => {
                        self.are_there = Some(true);
                        break;
                    }
                }
            }
        }
        self.are_there
    }

    /// What [`are_there`](Self::are_there) has told was right. What was written since then
    /// is still to be told.
    pub(super) fn forget(&mut self) {
        if self.are_there.is_some() {
            self.are_there = Some(false);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        fs::{File, FileTimes, OpenOptions},
        time::SystemTime,
    };

    use super::*;

    #[test]
    fn a_file_that_is_touched_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "as it was").unwrap();
        let mut changes = Changes::watch(&path);
        if changes.are_there().is_none() {
            // Of the folder for temporary files no writes are reported.
            return;
        }
        let file = OpenOptions::new().append(true).open(&path).unwrap();
        // Both, as `touch` does: Linux takes one alone for a write.
        let now = SystemTime::now();
        let times = FileTimes::new().set_accessed(now).set_modified(now);
        file.set_times(times).unwrap();
        std::fs::read(&path).unwrap();
        assert_eq!(changes.are_there(), Some(false));
        file.set_len(3).unwrap();
        assert_eq!(changes.are_there(), Some(true));
        assert_eq!(changes.are_there(), Some(true));
        changes.forget();
        assert_eq!(changes.are_there(), Some(false));
        for _ in 0..1000 {
            std::fs::write(&path, "as it was").unwrap();
        }
        // Written after the last question: it is told with the next.
        changes.forget();
        assert_eq!(changes.are_there(), Some(true));
        changes.forget();
        assert_eq!(changes.are_there(), Some(false));
        drop(File::create(&path).unwrap());
        assert_eq!(changes.are_there(), Some(true));
    }
}
