//! What stays the same while the page is open: its board and address, how it is viewed,
//! its language, and the rules that the server sent with it.

use leptos::prelude::*;

use crate::{
    base_path::BasePath,
    dates, format,
    pictures::{self, PictureOrigins},
    texts::{Locale, Text},
    wire::{BoardInfo, View},
};

/// See the module. A handle: copies are the same settings.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// How the page is viewed.
    pub(crate) view: View,
    /// By how many points a user must be ahead to rank higher.
    pub(super) margin: u64,
    /// Was the page opened by a sign-in link that is not valid?
    pub(crate) link_failed: bool,
    /// Do teams stand on the board?
    pub(crate) is_of_teams: bool,
    /// Does a second score decide where the first is equal?
    pub(crate) has_tiebreak: bool,
    /// Is this the board that is meant where none is named?
    pub(crate) is_main: bool,
    /// Are points counted?
    has_points: bool,
    score_name: Text,
    texts: StoredValue<Texts>,
}

struct Texts {
    board: BoardInfo,
    base: BasePath,
    locale: Locale,
    avatar_origins: PictureOrigins,
}

impl Settings {
    /// The settings of a page.
    pub(super) fn new(
        board: BoardInfo,
        base: BasePath,
        locale: Locale,
        avatar_origins: Vec<String>,
        (view, margin, link_failed): (View, u64, bool),
    ) -> Settings {
        let avatar_origins = PictureOrigins {
            shown: avatar_origins,
            own: pictures::own_origins(),
            base: base.clone(),
        };
        Settings {
            view,
            margin,
            link_failed,
            is_of_teams: board.teams,
            has_tiebreak: board.tiebreak,
            is_main: board.other_id().is_none(),
            has_points: board.format.is_plain(),
            score_name: format::score_name(&board.format),
            texts: StoredValue::new(Texts {
                board,
                base,
                locale,
                avatar_origins,
            }),
        }
    }

    /// What the board is called.
    pub(crate) fn title(self) -> String {
        self.texts.read_value().board.title.clone()
    }

    /// The board's id, unless it is the one that is meant where none is named.
    pub(crate) fn board(self) -> Option<String> {
        self.texts.read_value().board.other_id().map(str::to_owned)
    }

    /// The address of a path of the server's own.
    pub(crate) fn link(self, path: &str) -> String {
        self.texts.read_value().base.link(path)
    }

    /// The address of a path of the board's page.
    pub(crate) fn board_link(self, path: &str) -> String {
        let texts = self.texts.read_value();
        texts.base.link(&texts.board.path(path))
    }

    /// Where links open: outside the frame of an embedded page.
    pub(crate) fn target(self) -> Option<&'static str> {
        (self.view == View::Embed).then_some("_blank")
    }

    /// The address of a picture, if pictures from there are shown.
    pub(crate) fn picture(self, address: Option<String>) -> Option<String> {
        let texts = self.texts.read_value();
        let address = address.filter(|address| texts.avatar_origins.allow(address));
        address.map(|address| texts.base.picture(address))
    }

    /// A text of the page.
    pub(crate) fn text(self, text: Text) -> String {
        self.texts.read_value().locale.text(text)
    }

    /// A text of the page with values in it.
    pub(crate) fn with(self, text: Text, values: &[(&str, &str)]) -> String {
        self.texts.read_value().locale.with(text, values)
    }

    /// A number in the page's language.
    pub(crate) fn number(self, number: i64) -> String {
        self.texts.read_value().locale.number(number)
    }

    /// A score as the board writes scores.
    pub(crate) fn score(self, score: i64) -> String {
        let texts = self.texts.read_value();
        texts.locale.score(&texts.board.format, score)
    }

    /// The score that was written like this.
    #[cfg(feature = "hydrate")]
    pub(crate) fn parse_score(self, text: &str) -> Option<i64> {
        format::parse_score(&self.texts.read_value().board.format, text)
    }

    /// A score in a sentence: so many points, where points are what is counted.
    pub(super) fn result(self, score: i64) -> String {
        if self.has_points {
            self.texts.read_value().locale.points(score)
        } else {
            self.score(score)
        }
    }

    /// What a score is called, above a number.
    pub(crate) fn score_name(self) -> String {
        self.text(self.score_name)
    }

    /// What follows a score for those who do not see the board: points say what they are.
    pub(crate) fn score_unit(self) -> String {
        if self.has_points {
            self.text(Text::Points)
        } else {
            String::new()
        }
    }

    /// So many players, or teams.
    pub(crate) fn players(self, players: u64) -> String {
        let texts = self.texts.read_value();
        texts.locale.count(players, self.is_of_teams)
    }

    /// The time of day, in the user's time zone.
    pub(crate) fn time(self, iso: &str) -> String {
        dates::time(iso, &self.texts.read_value().locale.code)
    }

    /// Day and time, in the user's time zone.
    #[cfg(feature = "hydrate")]
    pub(super) fn day_and_time(self, iso: &str) -> String {
        dates::day_and_time(iso, &self.texts.read_value().locale.code)
    }
}
