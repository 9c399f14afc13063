//! The banners of the page: a few at a time, and each once. Pure.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "banners come in the browser alone")
)]

use crate::wire::{Severity, SystemNotification};

/// Banners that are shown at a time; of more, one makes room.
const SHOWN: usize = 3;
/// Ids that are remembered: whoever connects again is told again of what is still
/// valid, and has perhaps dismissed it.
const REMEMBERED: usize = 200;

/// Banners that can be read again.
const KEPT: usize = 50;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Banners {
    shown: Vec<SystemNotification>,
    said: Vec<SystemNotification>,
    seen: Vec<String>,
}

impl Banners {
    /// The banners: errors, then warnings, then all else, each latest first.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &SystemNotification> {
        let of = |severity| {
            let is = move |it: &&SystemNotification| it.severity == severity;
            self.shown.iter().rev().filter(is)
        };
        of(Severity::Error)
            .chain(of(Severity::Warning))
            .chain(of(Severity::Info))
    }

    /// All that was said, latest first, dismissed or not.
    pub(crate) fn said(&self) -> Vec<SystemNotification> {
        self.said.iter().rev().cloned().collect()
    }

    /// Adds a banner; `false` if it was added before.
    pub(crate) fn add(&mut self, notification: SystemNotification) -> bool {
        if self.seen.contains(&notification.id) {
            return false;
        }
        self.seen.push(notification.id.clone());
        if self.seen.len() > REMEMBERED {
            self.seen.remove(0);
        }
        if let Some(replaced) = &notification.replaces {
            self.dismiss(replaced);
        }
        self.said.push(notification.clone());
        if self.said.len() > KEPT {
            self.said.remove(0);
        }
        self.shown.push(notification);
        if self.shown.len() > SHOWN {
            // What goes by itself goes first, and errors last.
            let passing = |it: &SystemNotification| it.goes_after().is_some();
            let calm = |it: &SystemNotification| it.severity != Severity::Error;
            let mut shown = self.shown.iter();
            let oldest = shown.clone().position(passing);
            let oldest = oldest.or_else(|| shown.position(calm)).unwrap_or(0);
            self.shown.remove(oldest);
        }
        true
    }

    /// Removes a banner.
    pub(crate) fn dismiss(&mut self, id: &str) {
        self.shown.retain(|notification| notification.id != id);
    }
}

impl SystemNotification {
    /// How long the banner stays, in milliseconds, if it goes by itself: errors
    /// wait until somebody has seen them.
    pub(crate) fn goes_after(&self) -> Option<u64> {
        self.duration.filter(|_| self.severity != Severity::Error)
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::wire::NotificationKind;

    fn banner(id: &str, severity: Severity) -> SystemNotification {
        SystemNotification {
            id: id.into(),
            kind: NotificationKind::SystemAlert,
            message: String::new(),
            severity,
            timestamp: String::new(),
            duration: Some(5000),
            replaces: None,
        }
    }

    fn shown(banners: &Banners) -> Vec<&str> {
        banners.shown().map(|it| it.id.as_str()).collect()
    }

    #[test]
    fn each_is_shown_once() {
        let mut banners = Banners::default();
        assert!(banners.add(banner("a", Severity::Info)));
        assert!(!banners.add(banner("a", Severity::Info)));
        banners.add(banner("b", Severity::Info));
        assert_eq!(shown(&banners), ["b", "a"]);
        banners.dismiss("a");
        assert!(
            !banners.add(banner("a", Severity::Info)),
            "it was dismissed"
        );
        assert_eq!(shown(&banners), ["b"]);
    }

    #[test]
    fn what_is_replaced_goes_and_can_be_read_again() {
        let mut banners = Banners::default();
        banners.add(banner("a", Severity::Info));
        banners.add(banner("away", Severity::Warning));
        banners.add(SystemNotification {
            replaces: Some("away".into()),
            ..banner("back", Severity::Info)
        });
        assert_eq!(shown(&banners), ["back", "a"]);
        assert!(!banners.add(banner("away", Severity::Warning)));
        assert_eq!(banners.said().len(), 3);
    }

    #[test]
    fn of_many_the_latest_are_shown_and_errors_stay() {
        let mut banners = Banners::default();
        banners.add(banner("error", Severity::Error));
        for n in 0..1000 {
            banners.add(banner(&n.to_string(), Severity::Info));
        }
        assert_eq!(shown(&banners), ["error", "999", "998"]);
        assert_eq!(banners.seen.len(), REMEMBERED);
        assert_eq!(banners.said().len(), KEPT);
    }

    #[test]
    fn what_goes_by_itself_makes_room_first() {
        let mut banners = Banners::default();
        let lasting = |id: &str| SystemNotification {
            duration: None,
            ..banner(id, Severity::Info)
        };
        banners.add(lasting("a"));
        banners.add(banner("passing", Severity::Info));
        banners.add(lasting("b"));
        banners.add(lasting("c"));
        assert_eq!(shown(&banners), ["c", "b", "a"]);
        banners.add(lasting("d"));
        assert_eq!(shown(&banners), ["d", "c", "b"]);
    }

    #[test]
    fn errors_do_not_go_by_themselves() {
        assert_eq!(banner("a", Severity::Warning).goes_after(), Some(5000));
        assert_eq!(banner("a", Severity::Error).goes_after(), None);
    }
}
