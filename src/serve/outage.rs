//! While the store accepts no commands: notifies all users, and the admins of the reason,
//! and then that it is over.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};
use uuid::Uuid;

use crate::{
    board::{Announcement, AnnouncementId, AnnouncementKind, Audience, Severity, Timestamp},
    metrics::Metrics,
    role::Role,
    store::Health,
};

/// How long the store may be unreachable before users are notified: nobody misses results
/// for so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the notice is shown that the store is back.
const BACK: Duration = Duration::from_secs(8);

/// Counts outages of the store, and announces each that lasts, and then its end, which
/// replaces the first announcement. Admins also get the reason, and again when it changes.
/// Ends when the store is closed.
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
        let unreachable = unreachable(time());
        let id = unreachable.id;
        announce(unreachable, None).await;
        let mut reason = None;
        while !is_open(&health.borrow_and_update()) {
            reason = announce_reason(&health, reason, time(), &announce).await;
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

/// The reason of the outage that admins were sent, and the announcement that has it.
type Reason = (Arc<str>, AnnouncementId);

/// Sends admins the reason of the outage, unless they have it already.
async fn announce_reason(
    health: &watch::Receiver<Health>,
    announced: Option<Reason>,
    now: Timestamp,
    announce: &impl AsyncFn(Announcement, Option<AnnouncementId>),
) -> Option<Reason> {
    let Health::Unwritable(why) = health.borrow().clone() else {
        return announced;
    };
    if announced.as_ref().is_some_and(|(known, _)| *known == why) {
        return announced;
    }
    let announcement = unwritable(&why, now);
    let id = announcement.id;
    announce(announcement, announced.map(|(_, id)| id)).await;
    Some((why, id))
}

fn is_open(health: &Health) -> bool {
    *health == Health::Open
}

fn is_closed(health: &Health) -> bool {
    *health == Health::Closed
}

fn is_down(health: &Health) -> bool {
    matches!(health, Health::Unreachable | Health::Unwritable(_))
}

/// Waits until the store is so; `false` if it will never be, because it is closed.
async fn becomes(health: &mut watch::Receiver<Health>, is_wanted: fn(&Health) -> bool) -> bool {
    let known = health.wait_for(|it| is_wanted(it) || is_closed(it)).await;
    known.is_ok_and(|it| is_wanted(&it))
}

/// For admins, beside the announcement to all.
fn unwritable(why: &str, now: Timestamp) -> Announcement {
    Announcement {
        kind: AnnouncementKind::SystemAlert,
        message: format!("Nothing can be stored, because {why}").into(),
        severity: Severity::Error,
        audience: Audience::Role(Role::Admin),
        ..unreachable(now)
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

fn unreachable(now: Timestamp) -> Announcement {
    Announcement {
        message: "New results cannot be taken at the moment: the board shows the last ones".into(),
        severity: Severity::Warning,
        // How long it lasts is not known.
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

        /// Waits until it is known that the store is unreachable.
        async fn unreachable(&self, times: u64) {
            self.health.send_replace(Health::Unreachable);
            while self.metrics.store_outages.get() < times {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn users_are_notified_once_of_each_outage_and_of_its_end() {
        let mut outage = outage();
        let mut ids = Vec::new();
        for times in 1..3 {
            outage.unreachable(times).await;
            let (unreachable, replaces) = outage.next().await.unwrap();
            assert_eq!((unreachable.severity, replaces), (Severity::Warning, None));
            assert_eq!(outage.next().await, None, "it lasts, and was said");
            outage.health.send_replace(Health::Open);
            let (back, replaces) = outage.next().await.unwrap();
            assert_eq!(
                (back.severity, replaces),
                (Severity::Info, Some(unreachable.id))
            );
            assert_eq!(outage.next().await, None);
            ids.extend([unreachable.id, back.id]);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each is shown");
    }

    #[tokio::test(start_paused = true)]
    async fn admins_get_the_reason_its_changes_and_the_end() {
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
    async fn a_short_outage_is_counted_and_not_announced() {
        let mut outage = outage();
        for times in 1..4 {
            outage.unreachable(times).await;
            tokio::time::advance(PATIENCE / 2).await;
            outage.health.send_replace(Health::Open);
            assert_eq!(outage.next().await, None);
        }
        assert_eq!(outage.metrics.store_outages.get(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_announced_of_a_store_that_is_closed() {
        let mut outage = outage();
        outage.unreachable(1).await;
        outage.next().await.unwrap();
        outage.health.send_replace(Health::Closed);
        // The follower has ended.
        assert_eq!(outage.said.recv().await, None);
    }
}
