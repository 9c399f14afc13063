//! Announcements on the hub: those that are scheduled, and those that were published and
//! are sent to clients that connect later.

use std::collections::{BTreeMap, HashSet, VecDeque};

use tokio::time::Duration;

use crate::{
    auth::Identity,
    board::{Announcement, AnnouncementId, Audience, Timestamp, UserId},
};

/// Announcements that are sent to a client that connects: a bound for an organiser whose
/// program has run wild.
pub(super) const MOST_SHOWN: usize = 100;

/// The longest wait at a time, so that a clock that was set is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(super) struct Banners {
    scheduled: BTreeMap<(Timestamp, AnnouncementId), Banner>,
    shown: VecDeque<Banner>,
}

/// An announcement, and what the hub knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Banner {
    pub(super) announcement: Announcement,
    pub(super) source: Source,
}

/// Where an announcement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It is on the log.
    Log,
    /// This server publishes it by itself.
    Server {
        /// The announcement that does not hold any more because of this one.
        replaces: Option<AnnouncementId>,
    },
    /// This server publishes it by itself, because this user has achieved something.
    Achievement(UserId),
}

impl Banners {
    /// Adds an announcement, which is published when it is due.
    pub(super) fn add(&mut self, announcement: Announcement, source: Source) {
        if let Source::Server { replaces: Some(id) } = source {
            self.scheduled.retain(|(_, scheduled), _| *scheduled != id);
            self.shown.retain(|it| it.announcement.id != id);
        }
        let key = (announcement.from, announcement.id);
        let banner = Banner {
            announcement,
            source,
        };
        self.scheduled.insert(key, banner);
    }

    /// The log was replaced by another that has these. Announcements that it has not are
    /// over; those that it has and that were published are not published again.
    pub(super) fn replace_log(&mut self, announced: Vec<Announcement>) {
        let on_log: HashSet<AnnouncementId> = announced.iter().map(|it| it.id).collect();
        self.scheduled.retain(|_, it| it.source != Source::Log);
        self.shown
            .retain(|it| it.source != Source::Log || on_log.contains(&it.announcement.id));
        let shown: HashSet<AnnouncementId> =
            self.shown.iter().map(|it| it.announcement.id).collect();
        for announcement in announced {
            if !shown.contains(&announcement.id) {
                self.add(announcement, Source::Log);
            }
        }
    }

    /// A user was deleted or hidden: their achievements are not sent any more.
    pub(super) fn forget(&mut self, user: UserId) {
        let is_of_others = |it: &Banner| it.source != Source::Achievement(user);
        self.scheduled.retain(|_, it| is_of_others(it));
        self.shown.retain(is_of_others);
    }

    /// How long to wait from `now` until the next may be due, if there is one.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let ((from, _), _) = self.scheduled.first_key_value()?;
        Some(Duration::from_millis(from.0.saturating_sub(now.0)).min(LONGEST_WAIT))
    }

    /// Takes those that are due, to be published, without those that are over already.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Banner> {
        self.shown.retain(|it| it.announcement.until > now);
        let mut due = Vec::new();
        while let Some(entry) = self.scheduled.first_entry()
            && entry.key().0 <= now
        {
            let banner = entry.remove();
            if banner.announcement.until > now {
                due.push(banner);
            }
        }
        self.shown.extend(due.iter().cloned());
        while self.shown.len() > MOST_SHOWN {
            // A contest begins with many achievements, which are soon over.
            let ends = self.shown.iter().map(|it| it.announcement.until);
            let soonest = ends.enumerate().min_by_key(|(_, until)| *until);
            if let Some((at, _)) = soonest {
                self.shown.remove(at);
            }
        }
        due
    }

    /// The one with this id, if it was published and is not over.
    pub(super) fn valid(&self, id: AnnouncementId, now: Timestamp) -> Option<&Banner> {
        let mut shown = self.shown.iter();
        shown.find(|it| it.announcement.id == id && it.announcement.until > now)
    }

    /// What a client that connects now is sent, oldest first.
    pub(super) fn valid_for(
        &self,
        identity: Identity,
        now: Timestamp,
    ) -> impl Iterator<Item = &Banner> {
        self.shown
            .iter()
            .filter(move |Banner { announcement, .. }| {
                announcement.until > now && is_for(announcement.audience, identity)
            })
    }
}

/// Is this user in the audience?
pub(super) fn is_for(audience: Audience, identity: Identity) -> bool {
    match audience {
        Audience::All => true,
        Audience::Role(role) => identity.role == role,
        Audience::User(user) => identity.user == user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Role;
    use crate::board::{AnnouncementKind, Severity};

    fn announcement(n: u8, from: u64, until: u64, audience: Audience) -> Announcement {
        Announcement {
            id: AnnouncementId([n; 16]),
            kind: AnnouncementKind::SystemAlert,
            message: "…".into(),
            severity: Severity::Info,
            audience,
            from: Timestamp(from),
            until: Timestamp(until),
            duration: None,
        }
    }

    fn identity(n: u8, role: Role) -> Identity {
        Identity {
            user: UserId([n; 16]),
            role,
            issued: None,
            expires: u64::MAX,
        }
    }

    fn ids<'a>(banners: impl IntoIterator<Item = &'a Banner>) -> Vec<u8> {
        let ids = banners.into_iter().map(|it| it.announcement.id.0[0]);
        ids.collect()
    }

    /// What a viewer who connects now is sent.
    fn valid(banners: &Banners, now: u64) -> Vec<u8> {
        ids(banners.valid_for(identity(1, Role::Viewer), Timestamp(now)))
    }

    #[test]
    fn an_announcement_is_published_once_when_it_is_due() {
        let mut banners = Banners::default();
        banners.add(announcement(1, 50, 90, Audience::All), Source::Log);
        banners.add(announcement(2, 10, 20, Audience::All), Source::Log);
        banners.add(announcement(3, 10, 90, Audience::All), Source::Log);
        assert_eq!(banners.wait(Timestamp(7)), Some(Duration::from_millis(3)));
        assert!(banners.take_due(Timestamp(9)).is_empty());
        assert_eq!(ids(&banners.take_due(Timestamp(30))), [3]);
        assert_eq!(ids(&banners.take_due(Timestamp(50))), [1]);
        assert_eq!(banners.wait(Timestamp(50)), None);
    }

    #[test]
    fn achievements_of_somebody_who_is_gone_are_not_sent() {
        let mut banners = Banners::default();
        let (gone, other) = (UserId([7; 16]), UserId([8; 16]));
        for (n, from, user) in [(1, 0, gone), (2, 0, other), (3, 50, gone), (4, 50, other)] {
            let announcement = announcement(n, from, 100, Audience::All);
            banners.add(announcement, Source::Achievement(user));
        }
        banners.take_due(Timestamp(10));
        banners.forget(gone);
        assert_eq!(valid(&banners, 10), [2]);
        assert_eq!(ids(&banners.take_due(Timestamp(60))), [4]);
    }

    #[test]
    fn late_joiners_are_sent_what_is_valid_and_for_them() {
        let mut banners = Banners::default();
        banners.add(announcement(1, 0, 100, Audience::All), Source::Log);
        banners.add(
            announcement(2, 0, 60, Audience::Role(Role::Player)),
            Source::Log,
        );
        let theirs = Audience::User(UserId([7; 16]));
        banners.add(announcement(3, 0, 100, theirs), Source::Log);
        banners.add(announcement(4, 90, 100, Audience::All), Source::Log);
        banners.take_due(Timestamp(50));
        let seen = |identity, now| ids(banners.valid_for(identity, Timestamp(now)));
        assert_eq!(seen(identity(7, Role::Player), 50), [1, 2, 3]);
        assert_eq!(seen(identity(7, Role::Player), 60), [1, 3]);
        assert_eq!(seen(identity(8, Role::Viewer), 50), [1]);
        assert!(seen(identity(8, Role::Viewer), 100).is_empty());
    }

    #[test]
    fn of_another_log_only_new_announcements_are_published() {
        let mut banners = Banners::default();
        let of = |n, from| announcement(n, from, 100, Audience::All);
        for (n, from) in [(1, 0), (2, 0), (3, 60)] {
            banners.add(of(n, from), Source::Log);
        }
        banners.add(of(4, 0), Source::Server { replaces: None });
        banners.take_due(Timestamp(10));
        banners.replace_log(vec![of(2, 0), of(5, 5), of(6, 70)]);
        assert_eq!(ids(&banners.take_due(Timestamp(20))), [5]);
        assert_eq!(valid(&banners, 20), [2, 4, 5]);
        assert_eq!(ids(&banners.take_due(Timestamp(80))), [6]);
        assert_eq!(valid(&banners, 80), [2, 4, 5, 6]);
    }

    #[test]
    fn a_replaced_announcement_is_not_sent_any_more() {
        let mut banners = Banners::default();
        let server = |n, replaces: Option<u8>| {
            let replaces = replaces.map(|n| AnnouncementId([n; 16]));
            let it = announcement(n, 0, 100, Audience::All);
            (it, Source::Server { replaces })
        };
        for (n, replaces) in [(1, None), (2, None), (3, Some(1))] {
            let (announcement, source) = server(n, replaces);
            banners.add(announcement, source);
        }
        assert_eq!(ids(&banners.take_due(Timestamp(10))), [2, 3]);
        let (announcement, source) = server(4, Some(2));
        banners.add(announcement, source);
        assert_eq!(ids(&banners.take_due(Timestamp(20))), [4]);
        assert_eq!(valid(&banners, 20), [3, 4]);
    }

    #[test]
    fn announcements_that_end_soonest_make_room() {
        let mut banners = Banners::default();
        banners.add(announcement(200, 0, 9000, Audience::All), Source::Log);
        for n in 0..150 {
            banners.add(announcement(n, 1, 1000, Audience::All), Source::Log);
        }
        banners.take_due(Timestamp(500));
        let shown = valid(&banners, 500);
        assert_eq!((shown.len(), shown[0]), (MOST_SHOWN, 200));
    }

    #[test]
    fn no_more_are_kept_than_a_new_client_can_be_sent() {
        let mut banners = Banners::default();
        for n in 0..150 {
            banners.add(announcement(n, n.into(), 1000, Audience::All), Source::Log);
        }
        banners.take_due(Timestamp(500));
        let shown = valid(&banners, 500);
        assert_eq!((shown.len(), shown[0]), (MOST_SHOWN, 50));
    }
}
