//! What teams have on a board: the scores of their members, and what follows from them.
//!
//! A team's standing is a function of what its members have. It was reached when the latest
//! of the scores was that counts: so hiding somebody, which is no result, makes nobody's
//! later, and no two teams reach theirs with the same entry of the log.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroU32,
};

use super::{
    Competitor, Direction, Order, Rules, Score, Scores, Seq, TeamScore, ranking::Standing,
};

/// Members' scores, and sums of them.
#[derive(Clone, Debug)]
pub(super) struct Teams {
    rules: Rules,
    score: TeamScore,
    /// By person and team: a person may have been in several, one after the other.
    members: BTreeMap<(Competitor, Competitor), Member>,
    teams: HashMap<Competitor, Tally>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
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
            members: BTreeMap::new(),
            teams: HashMap::new(),
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
        let current = self.members.get(&(person, team)).map(|it| it.standing);
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
        let member = Member { standing, hidden };
        let before = self.members.insert((person, team), member);
        if let Some(before) = before.filter(|it| !it.hidden) {
            self.discount(team, person, before.standing);
        }
        if !hidden {
            self.count(team, person, standing);
        }
    }

    /// Counts a person no longer, or again. Says for which teams.
    pub(super) fn hide(&mut self, person: Competitor, hidden: bool) -> Vec<Competitor> {
        let teams = self.teams_of(person);
        for &(team, Member { standing, .. }) in &teams {
            self.set((team, person), standing, hidden);
        }
        teams.into_iter().map(|(team, _)| team).collect()
    }

    /// Forgets a person. Says in which teams they had something.
    pub(super) fn remove(&mut self, person: Competitor) -> Vec<Competitor> {
        let teams = self.teams_of(person);
        for &(team, member) in &teams {
            self.members.remove(&(person, team));
            if !member.hidden {
                self.discount(team, person, member.standing);
            }
        }
        teams.into_iter().map(|(team, _)| team).collect()
    }

    /// What a member has in a team.
    pub(super) fn member(&self, team: Competitor, person: Competitor) -> Option<Standing> {
        Some(self.members.get(&(person, team))?.standing)
    }

    /// The teams in which a person has something.
    pub(super) fn of(&self, person: Competitor) -> Vec<Competitor> {
        let teams = self.teams_of(person).into_iter();
        teams.map(|(team, _)| team).collect()
    }

    /// Has a person something in a team?
    pub(super) fn has(&self, person: Competitor) -> bool {
        !self.teams_of(person).is_empty()
    }

    fn teams_of(&self, person: Competitor) -> Vec<(Competitor, Member)> {
        let least = (person, Competitor(0));
        let most = (person, Competitor(u32::MAX));
        let members = self.members.range(least..=most);
        members
            .map(|((_, team), member)| (*team, *member))
            .collect()
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
        let key = |direction, score: Score| match direction {
            Direction::HighestFirst => -score.points(),
            Direction::LowestFirst => score.points(),
        };
        let tiebreak = tiebreak.map_or(0, |direction| key(direction, standing.tiebreak));
        (key(direction, standing.score), tiebreak)
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
            TeamScore::Best(most) => self.best(team, tally, most),
            TeamScore::Sum => {
                let (_, reached, _) = *tally.order.last()?;
                let scores = within_range(tally.score, tally.tiebreak);
                Some(Standing::of(scores, reached))
            }
        }
    }

    /// Of a team with fewer results those that it has count where the highest wins. Where
    /// the lowest wins, fewer would be better, and the team has no standing.
    fn best(&self, team: Competitor, tally: &Tally, most: NonZeroU32) -> Option<Standing> {
        let most = most.get() as usize;
        let is_lowest = self.rules.order.direction == Direction::LowestFirst;
        if is_lowest && tally.order.len() < most {
            return None;
        }
        let (mut score, mut tiebreak, mut latest) = (0, 0, None);
        for (_, reached, person) in tally.order.iter().take(most) {
            let member = self.members.get(&(*person, team))?;
            score += i128::from(member.standing.score.points());
            tiebreak += i128::from(member.standing.tiebreak.points());
            latest = latest.max(Some(*reached));
        }
        Some(Standing::of(within_range(score, tiebreak), latest?))
    }

    /// All that members have: person, team, and what.
    pub(super) fn members(&self) -> impl Iterator<Item = (Competitor, Competitor, Standing)> {
        let members = self.members.iter();
        members.map(|((person, team), member)| (*person, *team, member.standing))
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
