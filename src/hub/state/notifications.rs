//! What clients are sent of announcements, as `system_notification`.

use app::wire::{SYSTEM_NOTIFICATION, SystemNotification};
use socketioxide::socket::Sid;

use super::{
    HubState, Now,
    banners::{Banner, Source, is_for},
};
use crate::{
    board::{Announcement, AnnouncementId, Audience, BoardId, Who},
    hub::message::Recipient,
    live::Viewer,
    wire,
};

impl<A> HubState<A> {
    /// Sends announcements that are due to their audiences.
    pub(super) fn send_due_banners(&mut self, now: Now) {
        for banner in self.banners.take_due(now.store) {
            if !self.is_shown(&banner) {
                continue;
            }
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
        let banner = self.banners.valid(id, now.store);
        if let Some(banner) = banner.filter(|banner| self.is_shown(banner)) {
            let shown = notification(banner);
            self.delivery.send(sid, SYSTEM_NOTIFICATION, &shown, now);
        }
    }

    /// May it still be shown? The achievements of a user who has just been deleted or hidden go
    /// with the next tick. Those on a board that is private by now are not for all.
    fn is_shown(&self, banner: &Banner) -> bool {
        match banner.source {
            Source::Achievement(user) => self.live.read(|_, state| {
                let board = state.board(&BoardId::default());
                let is_for_all = board.is_some_and(|it| Viewer::Public.may_see(it.settings()));
                let is_theirs = banner.announcement.audience != Audience::All;
                state.directory().shown(Who::User(user)).is_some() && (is_theirs || is_for_all)
            }),
            Source::Log | Source::Server { .. } => true,
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
