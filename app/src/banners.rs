//! The banners of the page: a few at a time, and each once. Pure.
#![cfg_attr(
    feature = "ssr",
    allow(dead_code, reason = "only the browser receives notifications")
)]

use crate::wire::{Severity, SystemNotification};

/// Banners that are shown at a time; one of more is removed.
const SHOWN: usize = 3;
/// Ids that are stored: a page that connects again is sent again what is still valid, and
/// the user may have dismissed it.
const REMEMBERED: usize = 200;
/// Notifications that can be read again.
const HISTORY: usize = 50;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Banners {
    shown: Vec<SystemNotification>,
    history: Vec<SystemNotification>,
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

    /// All that were added, latest first, dismissed or not.
    pub(crate) fn history(&self) -> Vec<SystemNotification> {
        self.history.iter().rev().cloned().collect()
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
        self.history.push(notification.clone());
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
        self.shown.push(notification);
        if self.shown.len() > SHOWN {
            // Banners that expire are removed first, and errors last.
            let expires = |it: &SystemNotification| it.expires_after().is_some();
            let calm = |it: &SystemNotification| it.severity != Severity::Error;
            let mut shown = self.shown.iter();
            let oldest = shown.clone().position(expires);
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
    /// How long the banner is shown, in milliseconds, if it expires. An error is shown until
    /// the user dismisses it.
    pub(crate) fn expires_after(&self) -> Option<u64> {
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
    fn a_replaced_banner_is_removed_and_can_be_read_again() {
        let mut banners = Banners::default();
        banners.add(banner("a", Severity::Info));
        banners.add(banner("unreachable", Severity::Warning));
        banners.add(SystemNotification {
            replaces: Some("unreachable".into()),
            ..banner("back", Severity::Info)
        });
        assert_eq!(shown(&banners), ["back", "a"]);
        assert!(!banners.add(banner("unreachable", Severity::Warning)));
        assert_eq!(banners.history().len(), 3);
    }

    #[test]
    fn of_many_the_latest_are_shown_and_errors_remain() {
        let mut banners = Banners::default();
        banners.add(banner("error", Severity::Error));
        for n in 0..1000 {
            banners.add(banner(&n.to_string(), Severity::Info));
        }
        assert_eq!(shown(&banners), ["error", "999", "998"]);
        assert_eq!(banners.seen.len(), REMEMBERED);
        assert_eq!(banners.history().len(), HISTORY);
    }

    #[test]
    fn banners_that_expire_are_removed_first() {
        let mut banners = Banners::default();
        let lasting = |id: &str| SystemNotification {
            duration: None,
            ..banner(id, Severity::Info)
        };
        banners.add(lasting("a"));
        banners.add(banner("expiring", Severity::Info));
        banners.add(lasting("b"));
        banners.add(lasting("c"));
        assert_eq!(shown(&banners), ["c", "b", "a"]);
        banners.add(lasting("d"));
        assert_eq!(shown(&banners), ["d", "c", "b"]);
    }

    #[test]
    fn errors_do_not_expire() {
        assert_eq!(banner("a", Severity::Warning).expires_after(), Some(5000));
        assert_eq!(banner("a", Severity::Error).expires_after(), None);
    }
}
