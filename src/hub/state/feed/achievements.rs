//! Achievements: the first time that an action of a player takes them to first place, or
//! among the first few.

use uuid::Uuid;

use crate::{
    board::{
        Announcement, AnnouncementId, AnnouncementKind, Audience, BoardView, Climb, Epoch,
        Severity, Timestamp, UserId,
    },
    config::{AchievementsTable, Recipients},
    live::Viewer,
};

/// The achievements among a tick's climbs, and whose they are, in their order. Of the users
/// who took first place, only the one who holds it now has achieved it: no client has seen
/// the others there. On a board that is not for all to see, only they are told.
pub(super) fn achieved(
    table: &AchievementsTable,
    epoch: Epoch,
    board: BoardView<'_>,
    climbs: &[Climb],
    now: Timestamp,
) -> Vec<(UserId, Announcement)> {
    let reached =
        |climb: &Climb, rank: u64| climb.to <= rank && climb.from.is_none_or(|from| from > rank);
    let mut achieved = Vec::new();
    for climb in climbs {
        // One who has been hidden since is not ranked.
        let row = board.user(climb.user);
        let Some(row) = row.filter(|row| row.rank().is_some()) else {
            continue;
        };
        let name = &row.profile.username;
        let users = board.len() as u64;
        let leads = row.rank() == Some(1) && users > 1;
        let (what, audience, to_all, to_player) = if reached(climb, 1) && leads {
            let to_player = "You have taken first place".to_owned();
            (
                "first",
                table.first_place,
                format!("{name} takes first place"),
                to_player,
            )
        } else if reached(climb, table.top_places.get()) && users > table.top_places.get() {
            let places = table.top_places;
            let to_player = format!("You are in the top {places}");
            (
                "top",
                table.top,
                format!("{name} is in the top {places}"),
                to_player,
            )
        } else {
            continue;
        };
        let is_for_all = Viewer::Public.may_see(board.board().settings());
        let (audience, message) = match audience {
            Recipients::All if is_for_all => (Audience::All, to_all),
            Recipients::All | Recipients::Player => (Audience::User(climb.user), to_player),
            Recipients::Nobody => continue,
        };
        let named = [&epoch.0.to_be_bytes(), &climb.user.0[..], what.as_bytes()].concat();
        let duration = table.duration.as_millis() as u64;
        let announcement = Announcement {
            // The same on every node, and after a restart.
            id: AnnouncementId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &named).into_bytes()),
            kind: AnnouncementKind::Achievement,
            message: message.into(),
            severity: Severity::Info,
            audience,
            from: now,
            until: Timestamp(now.0 + duration),
            duration: Some(duration),
        };
        achieved.push((climb.user, announcement));
    }
    achieved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::{Changes, Effects, Fact, Profile, Rules, Settings, Visibility},
        live::testing::{self, Log},
    };

    fn registered(n: u8) -> Fact {
        Fact::UserChanged {
            user: UserId([n; 16]),
            profile: Profile {
                username: format!("P{n}").into(),
                avatar: None,
            },
        }
    }

    /// The announcements of actions in one tick: of which player, and the score then. The
    /// actions `before` come in an earlier one.
    fn announced(
        table: &AchievementsTable,
        before: &[(u8, i64)],
        actions: &[(u8, i64)],
    ) -> Vec<String> {
        announced_on(Settings::main(Rules::default()), table, before, actions)
    }

    /// The same on a board with these settings.
    fn announced_on(
        settings: Settings,
        table: &AchievementsTable,
        before: &[(u8, i64)],
        actions: &[(u8, i64)],
    ) -> Vec<String> {
        let mut log = Log::new(settings);
        for n in 0..12 {
            log.add(registered(n));
        }
        let act = |log: &mut Log, (n, score): (u8, i64)| log.act(UserId([n; 16]), 1, score);
        for action in before {
            act(&mut log, *action);
        }
        let mut changes = Changes::default();
        for action in actions {
            let (entry, Effects { shown, .. }) = act(&mut log, *action);
            changes.add(&entry, &shown);
        }
        let changes = changes.boards.remove(&testing::main()).unwrap();
        achieved(table, Epoch(1), log.main(), &changes.climbed, Timestamp(5))
            .into_iter()
            .map(|(_, it)| {
                let to = match it.audience {
                    Audience::All => "all".to_owned(),
                    Audience::User(user) => format!("P{}", user.0[0]),
                    _ => "nobody".to_owned(),
                };
                format!("{to}: {}", it.message)
            })
            .collect()
    }

    #[test]
    fn the_first_time_in_first_place_and_in_the_top_are_achievements() {
        let table = AchievementsTable::default();
        assert_eq!(
            announced(&table, &[], &[(11, 5)]),
            ["all: P11 takes first place"]
        );
        assert_eq!(
            announced(&table, &[(11, 5)], &[(10, 3), (11, 9)]),
            ["P10: You are in the top 10"]
        );
        // Again in first place: only the first time is an achievement.
        assert_eq!(announced(&table, &[(11, 5), (10, 6)], &[(11, 9)]), [""; 0]);
    }

    #[test]
    fn only_the_last_to_take_the_lead_in_a_tick_has_achieved_it() {
        let table = AchievementsTable::default();
        assert_eq!(
            announced(&table, &[], &[(3, 5), (4, 6), (5, 7)]),
            [
                "P3: You are in the top 10",
                "P4: You are in the top 10",
                "all: P5 takes first place"
            ]
        );
    }

    #[test]
    fn achievements_for_nobody_are_not_announced() {
        let table = AchievementsTable {
            first_place: Recipients::Nobody,
            top: Recipients::All,
            ..AchievementsTable::default()
        };
        assert_eq!(
            announced(&table, &[(1, 50)], &[(2, 60), (11, 7)]),
            ["all: P11 is in the top 10"]
        );
    }

    #[test]
    fn on_a_private_board_players_alone_are_told() {
        let settings = Settings {
            visibility: Visibility::Private,
            ..Settings::main(Rules::default())
        };
        let table = AchievementsTable::default();
        assert_eq!(
            announced_on(settings, &table, &[], &[(11, 5)]),
            ["P11: You have taken first place"]
        );
    }

    #[test]
    fn an_achievement_has_the_same_id_whenever_it_is_computed() {
        let climb = Climb {
            user: UserId([3; 16]),
            from: None,
            to: 1,
        };
        let mut log = Log::new(Settings::main(Rules::default()));
        for n in 3..5 {
            log.add(registered(n));
        }
        let table = AchievementsTable::default();
        let id = |epoch, now| {
            let achieved = achieved(&table, Epoch(epoch), log.main(), &[climb], Timestamp(now));
            achieved[0].1.id
        };
        assert_eq!(id(1, 5), id(1, 9));
        assert_ne!(id(1, 5), id(2, 5));
    }
}
