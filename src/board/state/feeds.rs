//! Which actions of a board count on those that are derived from it.

use super::{BoardIndex, State};
use crate::board::{Action, Board, BoardId, Derivation, GroupId, Person, Settings, Timestamp};

/// Which actions of a board count on a derived one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) to: BoardIndex,
    /// Only these types, if any are named.
    types: Vec<Box<[Box<str>]>>,
    /// Only people in all of these groups.
    groups: Vec<GroupId>,
    starts: Timestamp,
    ends: Timestamp,
}

impl State {
    /// From which actions the boards follow that are derived from this one, directly or not: they
    /// take only what it takes.
    pub(super) fn update_feeds_of_derived(&mut self, id: &BoardId) {
        let follow = |board: &Board| {
            let ancestors = self.ancestors(board.settings());
            ancestors.iter().any(|it| it.of == *id)
        };
        let indices = (0..self.boards.len() as u32).map(BoardIndex);
        let following: Vec<BoardIndex> = indices
            .filter(|index| self.board_at(*index).is_some_and(follow))
            .collect();
        for index in following {
            if let Some(settings) = self.board_at(index).map(|it| it.settings().clone()) {
                self.update_feed(index, &settings);
            }
        }
    }

    /// From which actions a derived board follows.
    pub(super) fn update_feed(&mut self, to: BoardIndex, settings: &Settings) {
        let Some(derivation) = settings.derivation() else {
            return;
        };
        let (root, feed) = self.feed(to, derivation, settings);
        for route in self.routes.values_mut() {
            route.feeds.retain(|feed| feed.to != to);
        }
        self.routes.entry(root).or_default().feeds.push(feed);
    }

    /// A board that is derived from a derived one takes what that one takes of it.
    pub(super) fn feed(
        &self,
        to: BoardIndex,
        derivation: &Derivation,
        settings: &Settings,
    ) -> (BoardId, Feed) {
        let mut feed = Feed {
            to,
            types: Vec::new(),
            groups: Vec::new(),
            starts: Timestamp::default(),
            ends: Timestamp(u64::MAX),
        };
        let mut root = derivation.of.clone();
        feed.add(derivation, settings);
        while let Some(parent) = self.board(&root)
            && let Some(derivation) = parent.settings().derivation()
        {
            feed.add(derivation, parent.settings());
            root = derivation.of.clone();
        }
        (root, feed)
    }
}

impl Feed {
    /// Takes only what a board with these settings takes.
    pub(super) fn add(&mut self, derivation: &Derivation, settings: &Settings) {
        self.types.extend(derivation.types.clone());
        self.groups.extend(derivation.group.clone());
        let starts = [
            settings.starts,
            derivation.period.as_ref().and_then(|it| it.starts),
        ];
        let starts = starts.into_iter().flatten();
        self.starts = starts.fold(self.starts, Timestamp::max);
        self.ends = settings.ends.map_or(self.ends, |ends| self.ends.min(ends));
    }

    pub(super) fn takes(&self, action: &Action, who: &Person, at: Timestamp) -> bool {
        let has_type = |types: &[Box<str>]| types.contains(&action.action_type);
        (self.starts..self.ends).contains(&at)
            && self.types.iter().all(|types| has_type(types))
            && self.groups.iter().all(|group| who.groups().contains(group))
    }
}
