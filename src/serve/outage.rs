//! While the store takes nothing: says so to those who watch, why to the admins, and that
//! it is over.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use crate::{
    board::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp},
    metrics::Metrics,
    role::Role,
    store::Health,
};

/// How long the store may be away before anybody is told: nobody misses results for
/// so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it is said that the store is back.
const BACK: Duration = Duration::from_secs(8);

/// Counts how often the store takes nothing, and announces it if it lasts, once for each
/// time; and then that it is over, which takes the first announcement's place. Admins are
/// told why as well, and again when that changes. Ends when the store is closed.
pub(super) async fn follow(
    mut health: watch::Receiver<Health>,
    metrics: Metrics,
    time: impl Fn() -> Timestamp,
    announce: impl AsyncFn(Announcement, Option<AnnouncementId>),
) {
    while becomes(&mut health, is_down).await {
        metrics.store_outages.inc();
        let Err(_) = timeout(PATIENCE, becomes(&mut health, is_open)).await else {
            // Back already, or closed for good.
            continue;
        };
        let away = away(time());
        let id = away.id;
        announce(away, None).await;
        let mut reason = None;
        while !is_open(&health.borrow_and_update()) {
            reason = tell_reason(&health, reason, time(), &announce).await;
            if health.changed().await.is_err() || is_closed(&health.borrow()) {
                return;
            }
        }
        announce(back(time()), Some(id)).await;
        if let Some((_, id)) = reason {
            announce(writes_again(time()), Some(id)).await;
        }
    }
}

/// Why nothing is stored, as admins were told, and by which announcement.
type Reason = (Arc<str>, AnnouncementId);

/// Tells admins why nothing is stored, unless they were told so already.
async fn tell_reason(
    health: &watch::Receiver<Health>,
    told: Option<Reason>,
    now: Timestamp,
    announce: &impl AsyncFn(Announcement, Option<AnnouncementId>),
) -> Option<Reason> {
    let Health::Unwritable(why) = health.borrow().clone() else {
        return told;
    };
    if told.as_ref().is_some_and(|(known, _)| *known == why) {
        return told;
    }
    let announcement = unwritable(&why, now);
    let id = announcement.id;
    announce(announcement, told.map(|(_, id)| id)).await;
    Some((why, id))
}

fn is_open(health: &Health) -> bool {
    *health == Health::Open
}

fn is_closed(health: &Health) -> bool {
    *health == Health::Closed
}

fn is_down(health: &Health) -> bool {
    matches!(health, Health::Away | Health::Unwritable(_))
}

/// Waits until the store is so; `false` if it will never be, because it is closed.
async fn becomes(health: &mut watch::Receiver<Health>, is_wanted: fn(&Health) -> bool) -> bool {
    let known = health.wait_for(|it| is_wanted(it) || is_closed(it)).await;
    known.is_ok_and(|it| is_wanted(&it))
}

/// For admins, beside what all are told.
fn unwritable(why: &str, now: Timestamp) -> Announcement {
    Announcement {
        kind: AnnouncementKind::SystemAlert,
        message: format!("Nothing can be stored, because {why}").into(),
        severity: Severity::Error,
        audience: Audience::Role(Role::Admin),
        ..away(now)
    }
}

fn writes_again(now: Timestamp) -> Announcement {
    Announcement {
        kind: AnnouncementKind::SystemAlert,
        message: "The store can write again".into(),
        audience: Audience::Role(Role::Admin),
        ..back(now)
    }
}

fn away(now: Timestamp) -> Announcement {
    Announcement {
        message: "New results cannot be taken at the moment: the board shows the last ones".into(),
        severity: Severity::Warning,
        // Nobody knows for how long.
        until: Timestamp(u64::MAX),
        duration: None,
        ..back(now)
    }
}

fn back(now: Timestamp) -> Announcement {
    let duration = BACK.as_millis() as u64;
    Announcement {
        id: AnnouncementId(Uuid::new_v4().into_bytes()),
        kind: AnnouncementKind::Maintenance,
        message: "Results are coming in again".into(),
        severity: Severity::Info,
        audience: Audience::All,
        from: now,
        until: Timestamp(now.0 + duration),
        duration: Some(duration),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock;

    /// What is announced, and instead of what.
    type Said = (Announcement, Option<AnnouncementId>);

    struct Outage {
        health: watch::Sender<Health>,
        said: mpsc::UnboundedReceiver<Said>,
        metrics: Metrics,
    }

    /// A store that is open. Time goes on by itself while nothing happens.
    fn outage() -> Outage {
        let (health, watched) = watch::channel(Health::Open);
        let (say, said) = mpsc::unbounded_channel();
        let metrics = Metrics::default();
        let announce = async move |announcement, replaces| {
            _ = say.send((announcement, replaces));
        };
        tokio::spawn(follow(watched, metrics.clone(), clock::now, announce));
        Outage {
            health,
            said,
            metrics,
        }
    }

    impl Outage {
        async fn next(&mut self) -> Option<Said> {
            timeout(Duration::from_secs(3600), self.said.recv())
                .await
                .ok()?
        }

        /// Waits until it is known that the store is away.
        async fn away(&self, times: u64) {
            self.health.send_replace(Health::Away);
            while self.metrics.store_outages.get() < times {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_watches_is_told_once_of_each_outage_and_of_its_end() {
        let mut outage = outage();
        let mut ids = Vec::new();
        for times in 1..3 {
            outage.away(times).await;
            let (away, replaces) = outage.next().await.unwrap();
            assert_eq!((away.severity, replaces), (Severity::Warning, None));
            assert_eq!(outage.next().await, None, "it lasts, and was said");
            outage.health.send_replace(Health::Open);
            let (back, replaces) = outage.next().await.unwrap();
            assert_eq!((back.severity, replaces), (Severity::Info, Some(away.id)));
            assert_eq!(outage.next().await, None);
            ids.extend([away.id, back.id]);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each is shown");
    }

    #[tokio::test(start_paused = true)]
    async fn admins_are_told_why_and_when_that_changes_and_when_it_is_over() {
        let mut outage = outage();
        let because = |why: &str| Health::Unwritable(why.into());
        outage.health.send_replace(because("the disk is full"));
        let (all, _) = outage.next().await.unwrap();
        let (why, replaces) = outage.next().await.unwrap();
        assert_eq!(
            (all.audience, why.audience),
            (Audience::All, Audience::Role(Role::Admin))
        );
        assert_eq!((why.severity, replaces), (Severity::Error, None));
        assert!(why.message.ends_with("because the disk is full"), "{why:?}");
        assert!(!all.message.contains("disk"), "others need not know");
        outage.health.send_replace(because("the disk is full"));
        assert_eq!(outage.next().await, None, "that is known");
        outage.health.send_replace(because("the disk hangs"));
        let (other, replaces) = outage.next().await.unwrap();
        assert_eq!(replaces, Some(why.id));
        assert!(
            other.message.ends_with("because the disk hangs"),
            "{other:?}"
        );
        outage.health.send_replace(Health::Open);
        let (back, replaces) = outage.next().await.unwrap();
        assert_eq!((back.audience, replaces), (Audience::All, Some(all.id)));
        let (over, replaces) = outage.next().await.unwrap();
        assert_eq!(
            (over.audience, replaces),
            (Audience::Role(Role::Admin), Some(other.id))
        );
        assert_eq!(outage.next().await, None);
        assert_eq!(outage.metrics.store_outages.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_outage_is_counted_and_not_told_of() {
        let mut outage = outage();
        for times in 1..4 {
            outage.away(times).await;
            tokio::time::advance(PATIENCE / 2).await;
            outage.health.send_replace(Health::Open);
            assert_eq!(outage.next().await, None);
        }
        assert_eq!(outage.metrics.store_outages.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_store_that_is_closed_nothing_more_is_told() {
        let mut outage = outage();
        outage.away(1).await;
        outage.next().await.unwrap();
        outage.health.send_replace(Health::Closed);
        // The one who tells has ended.
        assert_eq!(outage.said.recv().await, None);
    }
}
