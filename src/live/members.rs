//! Who stands behind a team on a board of teams.

use std::cmp::Ordering;

use super::{Live, UserState};
use crate::board::{
    BoardId, BoardView, Order, Profile, Scores, TeamId, TeamMember, TeamScore, UserId,
};

/// Members that are read while the state is locked.
const AT_ONCE: usize = 1024;

/// A team, and those of its members who have something on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamState {
    /// How the team stands.
    pub team: UserState,
    /// The best of the members, the best first.
    pub best: Vec<MemberRow>,
    /// How many have something.
    pub total: u64,
    /// So many of them count, the best; all if it is not said.
    pub counted: Option<u32>,
}

/// What a member of a team has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Who.
    pub user: UserId,
    /// How they are shown.
    pub profile: Profile,
    /// What they have in this team.
    pub scores: Scores,
    /// Is it a part of the team's score?
    pub counts: bool,
}

/// One of those who were read.
struct Found {
    user: UserId,
    scores: Scores,
    counts: bool,
}

impl Live {
    /// A team on a board of teams, and the best `most` of those who have something in it and are
    /// not hidden; `None` if there is no such team or board, or no teams stand on that.
    pub fn team(&self, board: &BoardId, team: TeamId, most: usize) -> Option<TeamState> {
        let first = self.read_board(board, |epoch, view| {
            let state = UserState::of(epoch, view, team)?;
            let order = view.rules().order;
            let derivation = view.board().settings().derivation()?;
            let counted = match derivation.team? {
                TeamScore::Sum => None,
                TeamScore::Best(most) => Some(most.get()),
            };
            Some((state, order, counted, piece(view, team, None)))
        });
        let (team_state, order, counted, mut members) = first??;
        // Where fewer than those that count would be better, a team with fewer has no score.
        let has_score = team_state.ranked.is_some();
        let (mut best, mut total) = (Vec::new(), 0_u64);
        loop {
            for (member, user) in &members {
                let is_among = counted.is_none_or(|counted| total < u64::from(counted));
                total += 1;
                best.push(Found {
                    user: *user,
                    scores: member.scores,
                    counts: has_score && is_among,
                });
            }
            best.sort_by(|one, other| better(&order, one.scores, other.scores));
            best.truncate(most);
            let Some((last, _)) = members.last().filter(|_| members.len() >= AT_ONCE) else {
                break;
            };
            let next = self.read_board(board, |_, view| piece(view, team, Some(last)));
            members = next.unwrap_or_default();
        }
        let best = self.read(|_, state| {
            let rows = best.into_iter().filter_map(|it| {
                let profile = state.directory().shown(it.user.into())?;
                Some(MemberRow {
                    user: it.user,
                    profile: profile.clone(),
                    scores: it.scores,
                    counts: it.counts,
                })
            });
            rows.collect()
        });
        Some(TeamState {
            team: team_state,
            best,
            total,
            counted,
        })
    }
}

/// The next members, with their ids: an index may be another's later.
fn piece(
    view: BoardView<'_>,
    team: TeamId,
    after: Option<&TeamMember>,
) -> Vec<(TeamMember, UserId)> {
    let members = view.members(team, after, AT_ONCE).into_iter();
    let with_ids = members.filter_map(|member| {
        let person = view.directory().person_at(member.person)?;
        Some((member, person.id))
    });
    with_ids.collect()
}

fn better(order: &Order, one: Scores, other: Scores) -> Ordering {
    let is_later = order.is_better(other, one);
    order.is_better(one, other).cmp(&is_later).reverse()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::{
        board::{Derivation, Direction, Fact, Order, Rules, Settings, Source, State},
        live::testing::{Log, action, board_with, live, main, opened},
    };

    const TEAM: TeamId = TeamId([9; 16]);

    fn user(n: u32) -> UserId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        UserId(id)
    }

    fn profile(name: &str) -> Profile {
        Profile {
            username: name.into(),
            avatar: None,
        }
    }

    /// A team of which each has as many points as is said, one after the other, on a board
    /// `teams`.
    fn state(points: &[i64], team: TeamScore, direction: Direction) -> State {
        let rules = Rules {
            order: Order {
                direction,
                ..Order::default()
            },
            ..Rules::default()
        };
        let mut log = Log::new(Settings::main(rules));
        let settings = Settings {
            rules,
            source: Source::Derived(Derivation {
                of: main(),
                types: None,
                group: None,
                team: Some(team),
                period: None,
            }),
            ..Settings::default()
        };
        log.state.put_board(board_with("teams", settings));
        log.add(Fact::TeamChanged {
            team: TEAM,
            profile: profile("North"),
        });
        for (n, points) in (0..).zip(points) {
            let user = user(n);
            log.add(Fact::UserChanged {
                user,
                profile: profile(&n.to_string()),
            });
            log.add(Fact::UserGrouped {
                user,
                team: Some(TEAM),
                groups: Box::default(),
            });
            log.add(action(main(), user, *points, *points));
        }
        log.state
    }

    /// The names of those who are shown, each with whether it counts, and how many there are.
    fn members(state: State, most: usize) -> (Vec<(String, bool)>, u64) {
        let (live, _folder) = live(opened(1, state));
        let teams = BoardId::new("teams").expect("an id");
        let team = live.team(&teams, TEAM, most).expect("it is there");
        assert!(live.team(&main(), TEAM, most).is_none());
        let best = team.best.into_iter();
        let best = best.map(|it| (it.profile.username.to_string(), it.counts));
        (best.collect(), team.total)
    }

    #[test]
    fn the_best_of_many_members_are_found_wherever_they_are_in_its_order() {
        let mut points: Vec<i64> = (0..3 * AT_ONCE as i64 + 7).map(|n| n % 50).collect();
        let last = points.len() - 1;
        points[last] = 1000;
        points[AT_ONCE + 3] = 900;
        let best = |names: [usize; 2], counts: [bool; 2]| {
            let names = names.map(|name| name.to_string());
            names.into_iter().zip(counts).collect::<Vec<_>>()
        };
        let names = [last, AT_ONCE + 3];
        let total = points.len() as u64;
        for (team, counts) in [
            (TeamScore::Sum, [true, true]),
            (TeamScore::Best(NonZeroU32::MIN), [true, false]),
        ] {
            let state = state(&points, team, Direction::HighestFirst);
            assert_eq!(members(state, 2), (best(names, counts), total), "{team:?}");
        }
    }

    #[test]
    fn nobody_counts_for_a_team_that_has_no_score_yet() {
        let three = TeamScore::Best(NonZeroU32::new(3).expect("not 0"));
        let lowest = |points: &[i64]| members(state(points, three, Direction::LowestFirst), 9).0;
        let rows = |rows: &[(&str, bool)]| -> Vec<(String, bool)> {
            let rows = rows.iter();
            rows.map(|(name, counts)| ((*name).to_owned(), *counts))
                .collect()
        };
        assert_eq!(lowest(&[5, 3]), rows(&[("1", false), ("0", false)]));
        assert_eq!(
            lowest(&[5, 3, 9, 7]),
            rows(&[("1", true), ("0", true), ("3", true), ("2", false)])
        );
    }
}
