//! Announcements on the hub: those that wait for their moment, and those that
//! whoever comes later is still to be shown. Pure.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Duration;

use crate::{
    auth::{Identity, Role},
    board::{Announcement, AnnouncementId, Audience, Timestamp},
};

/// Announcements that are kept for late joiners: a bound for an organiser that has
/// run wild.
const KEPT: usize = 100;

/// The longest that is waited at a time, so that a clock that was set is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(super) struct Banners {
    scheduled: BTreeMap<(Timestamp, AnnouncementId), Announcement>,
    shown: VecDeque<Announcement>,
}

impl Banners {
    /// Adds an announcement, which comes out when it is due.
    pub(super) fn add(&mut self, announcement: Announcement) {
        let key = (announcement.from, announcement.id);
        self.scheduled.insert(key, announcement);
    }

    /// How long until the next is due, if there is one.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let ((from, _), _) = self.scheduled.first_key_value()?;
        Some(Duration::from_millis(from.0.saturating_sub(now.0)).min(LONGEST_WAIT))
    }

    /// Those that are due, and not over already.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Announcement> {
        self.shown.retain(|announcement| announcement.until > now);
        let mut due = Vec::new();
        while let Some(entry) = self.scheduled.first_entry()
            && entry.key().0 <= now
        {
            let announcement = entry.remove();
            if announcement.until > now {
                due.push(announcement);
            }
        }
        self.shown.extend(due.iter().cloned());
        while self.shown.len() > KEPT {
            // A contest begins with many achievements, which are soon over.
            let ends = self.shown.iter().map(|it| it.until);
            let soonest = ends.enumerate().min_by_key(|(_, until)| *until);
            if let Some((at, _)) = soonest {
                self.shown.remove(at);
            }
        }
        due
    }

    /// What somebody who comes now is to be shown, oldest first.
    pub(super) fn valid_for(
        &self,
        identity: Identity,
        now: Timestamp,
    ) -> impl Iterator<Item = &Announcement> {
        let is_valid = move |it: &&Announcement| it.until > now && is_for(it.audience, identity);
        self.shown.iter().filter(is_valid)
    }
}

fn is_for(audience: Audience, identity: Identity) -> bool {
    match audience {
        Audience::All => true,
        Audience::Viewers => identity.role == Role::Viewer,
        Audience::Players => identity.role == Role::Player,
        Audience::Publishers => identity.role == Role::Publisher,
        Audience::Admins => identity.role == Role::Admin,
        Audience::User(user) => identity.user == user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{AnnouncementKind, Severity, UserId};

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

    fn ids<'a>(announcements: impl IntoIterator<Item = &'a Announcement>) -> Vec<u8> {
        announcements.into_iter().map(|it| it.id.0[0]).collect()
    }

    #[test]
    fn an_announcement_comes_out_once_and_when_it_is_due() {
        let mut banners = Banners::default();
        banners.add(announcement(1, 50, 90, Audience::All));
        banners.add(announcement(2, 10, 20, Audience::All));
        banners.add(announcement(3, 10, 90, Audience::All));
        assert_eq!(banners.wait(Timestamp(7)), Some(Duration::from_millis(3)));
        assert!(banners.take_due(Timestamp(9)).is_empty());
        assert_eq!(ids(&banners.take_due(Timestamp(30))), [3]);
        assert_eq!(ids(&banners.take_due(Timestamp(50))), [1]);
        assert_eq!(banners.wait(Timestamp(50)), None);
    }

    #[test]
    fn late_joiners_see_what_is_valid_and_theirs() {
        let mut banners = Banners::default();
        banners.add(announcement(1, 0, 100, Audience::All));
        banners.add(announcement(2, 0, 60, Audience::Players));
        banners.add(announcement(3, 0, 100, Audience::User(UserId([7; 16]))));
        banners.add(announcement(4, 90, 100, Audience::All));
        banners.take_due(Timestamp(50));
        let seen = |identity, now| ids(banners.valid_for(identity, Timestamp(now)));
        assert_eq!(seen(identity(7, Role::Player), 50), [1, 2, 3]);
        assert_eq!(seen(identity(7, Role::Player), 60), [1, 3]);
        assert_eq!(seen(identity(8, Role::Viewer), 50), [1]);
        assert!(seen(identity(8, Role::Viewer), 100).is_empty());
    }

    #[test]
    fn what_is_soon_over_makes_room() {
        let mut banners = Banners::default();
        banners.add(announcement(200, 0, 9000, Audience::All));
        for n in 0..150 {
            banners.add(announcement(n, 1, 1000, Audience::All));
        }
        banners.take_due(Timestamp(500));
        let kept = ids(banners.valid_for(identity(1, Role::Viewer), Timestamp(500)));
        assert_eq!((kept.len(), kept[0]), (KEPT, 200));
    }

    #[test]
    fn not_more_are_kept_than_a_newcomer_can_take() {
        let mut banners = Banners::default();
        for n in 0..150 {
            banners.add(announcement(n, n.into(), 1000, Audience::All));
        }
        banners.take_due(Timestamp(500));
        let kept = ids(banners.valid_for(identity(1, Role::Viewer), Timestamp(500)));
        assert_eq!((kept.len(), kept[0]), (KEPT, 50));
    }
}
