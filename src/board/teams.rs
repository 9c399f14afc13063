//! What teams have on a board: the scores of their members, and what follows from them.
//!
//! A team's standing is a function of what its members have. It was reached when the latest
//! of the scores was that counts: so hiding somebody, which is no result, makes nobody's
//! later, and no two teams reach theirs with the same entry of the log.

use std::{
    collections::{BTreeSet, HashMap},
    hash::BuildHasherDefault,
    num::NonZeroU32,
    ops::Bound,
};

use super::{
    Competitor, Direction, Order, Rules, Score, Scores, Seq, TeamScore,
    ranking::{IndexHasher, Standing},
};

/// Members' scores, and sums of them.
#[derive(Clone, Debug)]
pub(super) struct Teams {
    rules: Rules,
    score: TeamScore,
    /// By person. One may have been in several teams, one after the other, and has something
    /// in each of them.
    members: HashMap<Competitor, Vec<Member>, Hashing>,
    teams: HashMap<Competitor, Tally, Hashing>,
}

type Hashing = BuildHasherDefault<IndexHasher>;

/// Somebody who has something in a team that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TeamMember {
    /// Who, by the index of a person.
    pub person: Competitor,
    /// What they have.
    pub scores: Scores,
    /// Where they stand in the order of the team.
    key: (Place, Seq, Competitor),
}

#[derive(Clone, Copy, Debug)]
struct Member {
    team: Competitor,
    standing: Standing,
    /// Does it not count, because the person is hidden?
    hidden: bool,
}

/// What counts for a team. Sums are of at most 2^32 scores of 54 bits.
#[derive(Clone, Debug, Default)]
struct Tally {
    score: i128,
    tiebreak: i128,
    /// Where only some count, the best first; of those with equal scores, and where all
    /// count, who reached theirs first.
    order: BTreeSet<(Place, Seq, Competitor)>,
}

/// Orders the scores of members: the smaller is the better.
type Place = (i64, i64);

impl Teams {
    pub(super) fn new(rules: Rules, score: TeamScore) -> Teams {
        Teams {
            rules,
            score,
            members: HashMap::default(),
            teams: HashMap::default(),
        }
    }

    /// Counts an action of a member.
    pub(super) fn act(
        &mut self,
        (team, person): (Competitor, Competitor),
        is_hidden: bool,
        (points, tiebreak): (i64, i64),
        seq: Seq,
    ) {
        let current = self.member(team, person);
        let before = current.map(|it| it.scores());
        let scores = self.rules.after_within_range(before, points, tiebreak);
        // A score that did not change was reached when it was reached first.
        let reached = current
            .filter(|it| it.scores() == scores)
            .map_or(seq, |it| it.reached);
        self.set((team, person), Standing::of(scores, reached), is_hidden);
    }

    /// Sets what a member has in a team.
    pub(super) fn set(
        &mut self,
        (team, person): (Competitor, Competitor),
        standing: Standing,
        hidden: bool,
    ) {
        let member = Member {
            team,
            standing,
            hidden,
        };
        let teams = self.members.entry(person).or_default();
        let before = match teams.iter_mut().find(|it| it.team == team) {
            Some(known) => Some(std::mem::replace(known, member)),
            None => {
                teams.push(member);
                None
            }
        };
        if let Some(before) = before.filter(|it| !it.hidden) {
            self.discount(team, person, before.standing);
        }
        if !hidden {
            self.count(team, person, standing);
        }
    }

    /// Counts a person no longer, or again. Says for which teams.
    pub(super) fn hide(&mut self, person: Competitor, hidden: bool) -> Vec<Competitor> {
        let members = self.members.get(&person).cloned().unwrap_or_default();
        for it in &members {
            self.set((it.team, person), it.standing, hidden);
        }
        members.into_iter().map(|it| it.team).collect()
    }

    /// Forgets a person. Says in which teams they had something that counted.
    pub(super) fn remove(&mut self, person: Competitor) -> Vec<Competitor> {
        let members = self.members.remove(&person).unwrap_or_default();
        // What is hidden goes without a trace.
        let counted = members.into_iter().filter(|it| !it.hidden);
        let counted: Vec<_> = counted.collect();
        for it in &counted {
            self.discount(it.team, person, it.standing);
        }
        counted.into_iter().map(|it| it.team).collect()
    }

    /// What a member has in a team.
    pub(super) fn member(&self, team: Competitor, person: Competitor) -> Option<Standing> {
        let teams = self.members.get(&person)?;
        let member = teams.iter().find(|it| it.team == team)?;
        Some(member.standing)
    }

    /// The teams in which a person has something.
    pub(super) fn of(&self, person: Competitor) -> impl Iterator<Item = Competitor> {
        let members = self.members.get(&person).into_iter().flatten();
        members.map(|it| it.team)
    }

    /// Has a person something in a team?
    pub(super) fn has(&self, person: Competitor) -> bool {
        self.members.contains_key(&person)
    }

    fn place(&self, standing: Standing) -> Place {
        if self.score == TeamScore::Sum {
            return Place::default();
        }
        let Order {
            direction,
            tiebreak,
            ..
        } = self.rules.order;
        let second = |direction| key(direction, standing.tiebreak.points());
        (
            key(direction, standing.score.points()),
            tiebreak.map_or(0, second),
        )
    }

    /// Both scores of somebody at this place.
    fn points(&self, (score, tiebreak): Place) -> (i64, i64) {
        let order = self.rules.order;
        let second = |direction| key(direction, tiebreak);
        (
            key(order.direction, score),
            order.tiebreak.map_or(0, second),
        )
    }

    fn count(&mut self, team: Competitor, person: Competitor, standing: Standing) {
        let place = self.place(standing);
        let tally = self.teams.entry(team).or_default();
        tally.score += i128::from(standing.score.points());
        tally.tiebreak += i128::from(standing.tiebreak.points());
        tally.order.insert((place, standing.reached, person));
    }

    fn discount(&mut self, team: Competitor, person: Competitor, standing: Standing) {
        let place = self.place(standing);
        let Some(tally) = self.teams.get_mut(&team) else {
            return;
        };
        tally.score -= i128::from(standing.score.points());
        tally.tiebreak -= i128::from(standing.tiebreak.points());
        tally.order.remove(&(place, standing.reached, person));
        if tally.order.is_empty() {
            self.teams.remove(&team);
        }
    }

    /// A team's standing; `None` if it has none.
    pub(super) fn standing(&self, team: Competitor) -> Option<Standing> {
        let tally = self.teams.get(&team)?;
        match self.score {
            TeamScore::Best(most) => self.best(tally, most),
            TeamScore::Sum => {
                let (_, reached, _) = *tally.order.last()?;
                let scores = within_range(tally.score, tally.tiebreak);
                Some(Standing::of(scores, reached))
            }
        }
    }

    /// Of a team with fewer results those that it has count where the highest wins. Where
    /// the lowest wins, fewer would be better, and the team has no standing.
    fn best(&self, tally: &Tally, most: NonZeroU32) -> Option<Standing> {
        let most = most.get() as usize;
        let is_lowest = self.rules.order.direction == Direction::LowestFirst;
        if is_lowest && tally.order.len() < most {
            return None;
        }
        let (mut score, mut tiebreak, mut latest) = (0, 0, None);
        for (place, reached, _) in tally.order.iter().take(most) {
            let (points, second) = self.points(*place);
            score += i128::from(points);
            tiebreak += i128::from(second);
            latest = latest.max(Some(*reached));
        }
        Some(Standing::of(within_range(score, tiebreak), latest?))
    }

    /// Up to `most` of those who have something in a team and are not hidden, after this one, in
    /// the order in which they count.
    pub(super) fn members_of(
        &self,
        team: Competitor,
        after: Option<&TeamMember>,
        most: usize,
    ) -> Vec<TeamMember> {
        let Some(tally) = self.teams.get(&team) else {
            return Vec::new();
        };
        let from = after.map_or(Bound::Unbounded, |it| Bound::Excluded(it.key));
        let keys = tally.order.range((from, Bound::Unbounded)).take(most);
        let members = keys.filter_map(|key| {
            let (_, _, person) = *key;
            Some(TeamMember {
                person,
                scores: self.member(team, person)?.scores(),
                key: *key,
            })
        });
        members.collect()
    }

    /// All that members have: person, team, and what.
    pub(super) fn members(&self) -> impl Iterator<Item = (Competitor, Competitor, Standing)> {
        let members = self.members.iter();
        members.flat_map(|(person, teams)| teams.iter().map(|it| (*person, it.team, it.standing)))
    }

    /// All teams of which something counts.
    pub(super) fn teams(&self) -> impl Iterator<Item = Competitor> {
        self.teams.keys().copied()
    }

    /// A new season begins.
    pub(super) fn clear(&mut self) {
        self.members.clear();
        self.teams.clear();
    }
}

/// The smaller it is, the better are the points; the key of the key are the points.
fn key(direction: Direction, points: i64) -> i64 {
    match direction {
        Direction::HighestFirst => -points,
        Direction::LowestFirst => points,
    }
}

/// The nearest scores that there are.
fn within_range(score: i128, tiebreak: i128) -> Scores {
    let nearest = |sum: i128| {
        let points = i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX });
        Score::nearest(points)
    };
    Scores {
        score: nearest(score),
        tiebreak: nearest(tiebreak),
    }
}
