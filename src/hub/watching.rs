//! Who watches which rows. Only views that somebody watches are computed, and
//! each once, however many watch it. Pure.

use std::collections::HashMap;

use socketioxide::socket::Sid;

use super::{
    frames::Frames,
    view::{Mode, View},
};

/// See the module.
pub(super) struct Watching {
    sockets: HashMap<Sid, Watch>,
    /// The visible board, which is always kept.
    top: Watched,
    pages: HashMap<u64, Watched>,
}

/// What a socket watches: one view at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub(super) view: View,
    pub(super) mode: Mode,
    /// The socket does not read, and is in no room: it has seen the frames up to
    /// here.
    pub(super) behind: Option<u64>,
}

/// A view, and how many watch it.
pub(super) struct Watched {
    pub(super) frames: Frames,
    full: usize,
    delta: usize,
}

impl Watched {
    fn new(frames: Frames) -> Watched {
        Watched {
            frames,
            full: 0,
            delta: 0,
        }
    }

    /// Does anybody watch it in this mode?
    pub(super) fn has(&self, mode: Mode) -> bool {
        match mode {
            Mode::Full => self.full > 0,
            Mode::Delta => self.delta > 0,
        }
    }

    fn count(&mut self, mode: Mode) -> &mut usize {
        match mode {
            Mode::Full => &mut self.full,
            Mode::Delta => &mut self.delta,
        }
    }
}

impl Watching {
    /// Nobody watches.
    pub(super) fn new(top: Frames) -> Watching {
        Watching {
            sockets: HashMap::new(),
            top: Watched::new(top),
            pages: HashMap::new(),
        }
    }

    /// A socket watches a view from now on, and what it watched before no more.
    /// If it is the first there, `frames` makes the first frame.
    pub(super) fn watch(
        &mut self,
        sid: Sid,
        view: View,
        mode: Mode,
        frames: impl FnOnce() -> Frames,
    ) -> &mut Frames {
        self.leave(sid);
        let watch = Watch {
            view,
            mode,
            behind: None,
        };
        self.sockets.insert(sid, watch);
        let watched = match view {
            View::Top => &mut self.top,
            View::Page(page) => self
                .pages
                .entry(page)
                .or_insert_with(|| Watched::new(frames())),
        };
        *watched.count(mode) += 1;
        &mut watched.frames
    }

    /// A socket watches nothing any more. Says what it watched.
    pub(super) fn leave(&mut self, sid: Sid) -> Option<Watch> {
        let watch = self.sockets.remove(&sid)?;
        if let Some(watched) = self.view_mut(watch.view) {
            *watched.count(watch.mode) -= 1;
        }
        if let View::Page(page) = watch.view
            && self
                .pages
                .get(&page)
                .is_some_and(|page| page.full + page.delta == 0)
        {
            self.pages.remove(&page);
        }
        Some(watch)
    }

    /// What a socket watches.
    pub(super) fn get(&self, sid: Sid) -> Option<&Watch> {
        self.sockets.get(&sid)
    }

    /// What a socket watches.
    pub(super) fn get_mut(&mut self, sid: Sid) -> Option<&mut Watch> {
        self.sockets.get_mut(&sid)
    }

    /// A view, if it is computed.
    pub(super) fn watched(&self, view: View) -> Option<&Watched> {
        match view {
            View::Top => Some(&self.top),
            View::Page(page) => self.pages.get(&page),
        }
    }

    /// The frames of a view, if it is computed.
    pub(super) fn frames(&self, view: View) -> Option<&Frames> {
        self.watched(view).map(|watched| &watched.frames)
    }

    /// The visible board.
    pub(super) fn top(&self) -> &Frames {
        &self.top.frames
    }

    /// All views that are computed.
    pub(super) fn views(&mut self) -> impl Iterator<Item = (View, &mut Watched)> {
        let pages = self.pages.iter_mut();
        std::iter::once((View::Top, &mut self.top))
            .chain(pages.map(|(page, watched)| (View::Page(*page), watched)))
    }

    fn view_mut(&mut self, view: View) -> Option<&mut Watched> {
        match view {
            View::Top => Some(&mut self.top),
            View::Page(page) => self.pages.get_mut(&page),
        }
    }
}
