//! What stays the same while the page is open: its title and address, how it is viewed,
//! its language, and the rules that the server sent with it.

use leptos::prelude::*;

use crate::{
    base_path::BasePath,
    dates,
    pictures::{self, PictureOrigins},
    texts::{Locale, Text},
    wire::View,
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
    texts: StoredValue<Texts>,
}

struct Texts {
    title: String,
    base: BasePath,
    locale: Locale,
    avatar_origins: PictureOrigins,
}

impl Settings {
    /// The settings of a page.
    pub(super) fn new(
        title: String,
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
            texts: StoredValue::new(Texts {
                title,
                base,
                locale,
                avatar_origins,
            }),
        }
    }

    /// What the board is called.
    pub(crate) fn title(self) -> String {
        self.texts.read_value().title.clone()
    }

    /// The address of a path of the board's own.
    pub(crate) fn link(self, path: &str) -> String {
        self.texts.read_value().base.link(path)
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

    /// So many points.
    pub(super) fn points(self, points: i64) -> String {
        self.texts.read_value().locale.points(points)
    }

    /// So many players.
    pub(crate) fn players(self, players: u64) -> String {
        self.texts.read_value().locale.players(players)
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
