//! What clients are sent of announcements, as `system_notification`.

use app::wire::{SYSTEM_NOTIFICATION, SystemNotification};
use socketioxide::socket::Sid;

use super::{
    HubState, Now,
    banners::{Banner, Source, is_for},
};
use crate::{
    board::{Announcement, AnnouncementId},
    hub::message::Recipient,
    wire,
};

impl<A> HubState<A> {
    /// Sends announcements that are due to their audiences.
    pub(super) fn send_due_banners(&mut self, now: Now) {
        for banner in self.banners.take_due(now.store) {
            self.mark_slow_consumers(now);
            let Announcement { id, audience, .. } = banner.announcement;
            let consumers = self.delivery.consumers.iter();
            let to: Vec<Sid> = consumers
                .filter(|(_, consumer)| is_for(audience, consumer.identity))
                .map(|(sid, _)| sid)
                .collect();
            for sid in &to {
                if let Some(pending) = self.delivery.consumers.pending(*sid) {
                    pending.add_banner(id);
                }
            }
            let (to_all, shown) = (Recipient::Audience(audience), notification(&banner));
            self.delivery
                .broadcast(to_all, to, SYSTEM_NOTIFICATION, &shown, now);
        }
    }

    /// Sends one socket an announcement that was published before.
    pub(super) fn send_banner(&mut self, sid: Sid, id: AnnouncementId, now: Now) {
        // The achievements of a user who has just been deleted go with the next tick.
        let is_of_deleted = |banner: &Banner| match banner.source {
            Source::Achievement(user) => !self.live.knows(user),
            Source::Log | Source::Server { .. } => false,
        };
        let banner = self.banners.valid(id, now.store);
        if let Some(banner) = banner.filter(|banner| !is_of_deleted(banner)) {
            let shown = notification(banner);
            self.delivery.send(sid, SYSTEM_NOTIFICATION, &shown, now);
        }
    }
}

fn notification(banner: &Banner) -> SystemNotification {
    let replaces = match banner.source {
        Source::Log | Source::Achievement(_) => None,
        Source::Server { replaces } => replaces,
    };
    SystemNotification {
        replaces: replaces.map(|id| id.to_string()),
        ..wire::notification(&banner.announcement)
    }
}
