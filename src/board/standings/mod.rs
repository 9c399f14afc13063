//! One board: who has how many points on it, and in which order they stand.

mod seasons;
mod stored;

use std::{collections::HashMap, num::NonZeroU32, ops::Range, sync::Arc};

use super::{
    BoardId, Competitor, Directory, Profile, Ranking, Scores, Seq, Settings, TeamId, Timestamp,
    UserId,
    ranking::{Position, Ranked, Shifts, Slot, Standing, trim},
    teams::{TeamMember, Teams},
};
pub use seasons::{Season, Seasons};
pub use stored::{BoardHead, StoredBoard, StoredMember, StoredStanding};

/// See the module. Whoever stands on it is in the [`Directory`].
#[derive(Clone, Debug)]
pub struct Board {
    id: BoardId,
    settings: Arc<Settings>,
    seq: u64,
    changed: Timestamp,
    is_used: bool,
    /// It holds all entries up to this one, whatever the state holds.
    as_of: u64,
    ranking: Ranking,
    /// The best ranks after actions of one's own, by slot, as far as anybody has one; those of
    /// 2^32 and more count as one.
    bests: Vec<Option<NonZeroU32>>,
    members: Members,
    seasons: Seasons,
}

/// Who stands on a board.
#[derive(Clone, Debug)]
enum Members {
    /// People, and what those have who are hidden.
    People(HashMap<Competitor, Hidden>),
    /// Teams.
    Teams(Teams),
}

/// What somebody has who is hidden.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    standing: Standing,
    best: Option<NonZeroU32>,
}

/// A person or a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A person.
    User(UserId),
    /// A team.
    Team(TeamId),
}

impl From<UserId> for Who {
    fn from(user: UserId) -> Who {
        Who::User(user)
    }
}

impl From<TeamId> for Who {
    fn from(team: TeamId) -> Who {
        Who::Team(team)
    }
}

/// What an entry of the log did on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Whose row it was about.
    pub competitor: Competitor,
    /// The best rank after an action of one's own; `None` before the first.
    pub best: Option<u64>,
    /// That rank before it.
    pub old_best: Option<u64>,
    /// The rank before it, and after it; `None` where nobody is ranked, and of a derived
    /// board, whose ranks are looked up where somebody wants to know.
    pub ranks: [Option<u64>; 2],
    /// What it did to the ranks of others.
    pub shifts: Shifts,
}

impl Board {
    /// A board on which nothing has happened yet. Those who are registered stand on it if
    /// it is for everyone.
    pub(super) fn new(
        id: BoardId,
        settings: Arc<Settings>,
        seasons: Seasons,
        first_seq: u64,
        directory: &Directory,
    ) -> Board {
        let head = BoardHead {
            id,
            settings,
            seq: first_seq,
            changed: Timestamp::default(),
            is_used: false,
            seasons,
        };
        Board::load(
            StoredBoard {
                head,
                as_of: 0,
                standings: Vec::new(),
                members: Vec::new(),
            },
            directory,
        )
    }

    /// Has a person anything on it, whether others see it or not?
    pub(super) fn has(&self, person: Competitor) -> bool {
        match &self.members {
            Members::People(hidden) => hidden.contains_key(&person) || self.shows(person),
            Members::Teams(teams) => teams.has(person),
        }
    }

    /// The teams in which a person has something on a board of teams.
    pub(super) fn teams_of(&self, person: Competitor, directory: &Directory) -> Box<[TeamId]> {
        let Members::Teams(teams) = &self.members else {
            return Box::default();
        };
        let teams = teams.of(person);
        teams
            .filter_map(|team| Some(directory.team_at(team)?.id))
            .collect()
    }

    /// Does it hold this entry?
    pub(super) fn holds(&self, seq: Seq) -> bool {
        seq.get() <= self.as_of
    }

    /// Which board it is.
    pub fn id(&self) -> &BoardId {
        &self.id
    }

    /// What it is.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// How many facts were folded into it, 0 for none. It tells nothing of other boards.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When the last of them was taken.
    pub fn changed(&self) -> Timestamp {
        self.changed
    }

    /// The season that runs, if it is known when it ends.
    pub fn season(&self) -> Option<Season> {
        self.seasons.running()
    }

    /// Where it is in its seasons.
    pub fn seasons(&self) -> Seasons {
        self.seasons
    }

    /// How many seasons have ended.
    pub fn ended_seasons(&self) -> u32 {
        self.seasons.ended
    }

    /// Has somebody acted on it, in this season or an earlier one?
    pub fn is_used(&self) -> bool {
        self.is_used
    }

    /// How many are ranked.
    pub fn len(&self) -> usize {
        self.ranking.len()
    }

    /// Is nobody ranked?
    pub fn is_empty(&self) -> bool {
        self.ranking.is_empty()
    }

    /// Where somebody stands and the rank there, for a [`RankSweep`](super::RankSweep);
    /// `None` if they are not ranked.
    pub fn position_of(&self, competitor: Competitor) -> Option<(Position, u64)> {
        let slot = self.ranking.slot(competitor)?;
        Some((self.ranking.position(slot)?, self.ranking.rank(slot)?))
    }

    /// Somebody's scores and rank, if they are ranked.
    pub fn ranked(&self, competitor: Competitor) -> Option<(Scores, u64)> {
        let slot = self.ranking.slot(competitor)?;
        Some((
            self.ranking.standing(slot)?.scores(),
            self.ranking.rank(slot)?,
        ))
    }

    /// What a person has, whether others see it or not; `None` without a result, and on a
    /// board of teams.
    pub fn scores_of(&self, person: Competitor) -> Option<Scores> {
        match &self.members {
            Members::People(hidden) => match hidden.get(&person) {
                Some(it) => Some(it.standing.scores()),
                None => self.scores(person),
            },
            Members::Teams(_) => None,
        }
    }

    /// Whoever of a team has something that others see; see
    /// [`BoardView::members`](super::BoardView::members).
    pub(super) fn members_of(
        &self,
        team: Competitor,
        after: Option<&TeamMember>,
        most: usize,
    ) -> Vec<TeamMember> {
        match &self.members {
            Members::People(_) => Vec::new(),
            Members::Teams(teams) => teams.members_of(team, after, most),
        }
    }

    /// What a hidden person has, who sees it and nobody else.
    pub fn hidden_scores(&self, person: Competitor) -> Option<Scores> {
        match &self.members {
            Members::People(hidden) => Some(hidden.get(&person)?.standing.scores()),
            Members::Teams(_) => None,
        }
    }

    /// The rows, counted from 0, of somebody and of up to `window` others on either side;
    /// `None` if they are not ranked.
    pub fn around(&self, competitor: Competitor, window: usize) -> Option<Range<usize>> {
        self.ranking.around(self.ranking.slot(competitor)?, window)
    }

    /// These rows, counted from 0, as far as there are any.
    pub fn rows<'a>(
        &'a self,
        directory: &'a Directory,
        rows: Range<usize>,
    ) -> impl Iterator<Item = Row<'a>> {
        let ranked = self.ranking.range(rows);
        ranked.filter_map(|ranked| self.row(directory, ranked))
    }

    fn row<'a>(&'a self, directory: &'a Directory, ranked: Ranked) -> Option<Row<'a>> {
        let competitor = self.ranking.competitor(ranked.slot);
        Some(Row {
            who: self.who(competitor, directory)?,
            profile: self.profile(competitor, directory)?,
            scores: Scores {
                score: ranked.score,
                tiebreak: ranked.tiebreak,
            },
            rank: ranked.rank,
        })
    }

    /// Whose index this is.
    pub(super) fn who(&self, competitor: Competitor, directory: &Directory) -> Option<Who> {
        Some(match &self.members {
            Members::People(_) => Who::User(directory.person_at(competitor)?.id),
            Members::Teams(_) => Who::Team(directory.team_at(competitor)?.id),
        })
    }

    fn profile<'a>(&self, competitor: Competitor, directory: &'a Directory) -> Option<&'a Profile> {
        Some(match &self.members {
            Members::People(_) => &directory.person_at(competitor)?.profile,
            Members::Teams(_) => &directory.team_at(competitor)?.profile,
        })
    }

    /// A fact was folded into it.
    pub(super) fn touch(&mut self, at: Timestamp) {
        self.seq += 1;
        self.changed = at;
    }

    /// Does somebody have a standing that others see?
    pub(super) fn shows(&self, competitor: Competitor) -> bool {
        self.ranking.slot(competitor).is_some()
    }

    /// Lists somebody who was registered, if it is a board for everyone.
    pub(super) fn register(&mut self, person: Competitor, registered: Seq) -> Option<Applied> {
        if !self.lists_everyone() {
            return None;
        }
        let shifts = self.place(person, Scores::default(), registered);
        let applied = self.applied(person, None, shifts);
        Some(applied)
    }

    /// Does somebody stand on it who is registered, with or without a result?
    fn lists_everyone(&self) -> bool {
        let is_of_people = matches!(self.members, Members::People(_));
        self.settings.everyone && is_of_people && self.settings.rules.begin_at_zero()
    }

    /// An action that names this board left a person with these scores.
    pub(super) fn set(
        &mut self,
        person: Competitor,
        is_hidden: bool,
        scores: Scores,
        seq: Seq,
    ) -> Option<Applied> {
        self.is_used = true;
        if is_hidden {
            self.set_hidden(person, scores, seq);
            return None;
        }
        let old = self.ranking.slot(person);
        let old_rank = old.and_then(|slot| self.ranking.rank(slot));
        let old_best = old.and_then(|slot| self.best(slot));
        let shifts = self.place(person, scores, seq);
        let slot = self.ranking.slot(person)?;
        let rank = self.ranking.rank(slot);
        let best = rank.map(|rank| old_best.map_or(rank, |best| best.min(rank)));
        self.set_best(slot, best.and_then(packed));
        Some(Applied {
            competitor: person,
            best: self.best(slot),
            old_best,
            ranks: [old_rank, rank],
            shifts,
        })
    }

    /// A person acted on the board that this one is derived from. Says whom it was about
    /// and what it did, if others see that.
    pub(super) fn act(
        &mut self,
        person: Competitor,
        is_hidden: bool,
        team: Option<Competitor>,
        (points, tiebreak): (i64, i64),
        seq: Seq,
    ) -> Option<Applied> {
        self.is_used = true;
        match &mut self.members {
            Members::People(hidden) => {
                let rules = &self.settings.rules;
                if is_hidden {
                    let current = hidden.get(&person).map(|it| it.standing.scores());
                    let scores = rules.after_within_range(current, points, tiebreak);
                    self.set_hidden(person, scores, seq);
                    return None;
                }
                let slot = self.ranking.register(person);
                let current = self.ranking.standing(slot).map(|it| it.scores());
                let scores = rules.after_within_range(current, points, tiebreak);
                let shifts = self.place_at(slot, scores, seq);
                Some(self.applied_at(person, slot, None, shifts))
            }
            Members::Teams(teams) => {
                let team = team?;
                teams.act((team, person), is_hidden, (points, tiebreak), seq);
                if is_hidden {
                    return None;
                }
                let shifts = self.place_team(team);
                Some(self.applied(team, None, shifts))
            }
        }
    }

    /// What somebody has that others see.
    fn scores(&self, competitor: Competitor) -> Option<Scores> {
        let slot = self.ranking.slot(competitor)?;
        Some(self.ranking.standing(slot)?.scores())
    }

    fn set_hidden(&mut self, person: Competitor, scores: Scores, seq: Seq) {
        let Members::People(hidden) = &mut self.members else {
            return;
        };
        let standing = Standing::of(scores, seq);
        let it = hidden.entry(person).or_insert(Hidden {
            standing,
            best: None,
        });
        // A score that did not change was reached when it was reached first.
        if it.standing.scores() != scores {
            it.standing = standing;
        }
    }

    /// A person is hidden from now on, or no more. Says whose rows it was about and what it
    /// did.
    pub(super) fn hide(&mut self, person: Competitor, is_hidden: bool) -> Vec<Applied> {
        match &mut self.members {
            Members::Teams(teams) => {
                let teams = teams.hide(person, is_hidden);
                self.place_teams(teams)
            }
            Members::People(hidden) if !is_hidden => {
                let Some(it) = hidden.remove(&person) else {
                    return Vec::new();
                };
                let slot = self.ranking.register(person);
                self.set_best(slot, it.best);
                let shifts = self.ranking.place(slot, it.standing);
                vec![self.applied(person, None, shifts)]
            }
            Members::People(hidden) => {
                let Some(slot) = self.ranking.slot(person) else {
                    return Vec::new();
                };
                if let Some(standing) = self.ranking.standing(slot) {
                    let best = self.bests.get(slot.index()).copied().flatten();
                    hidden.insert(person, Hidden { standing, best });
                }
                self.leave(person).into_iter().collect()
            }
        }
    }

    /// A person is deleted. Says whose rows it was about and what it did.
    pub(super) fn delete(&mut self, person: Competitor) -> Vec<Applied> {
        match &mut self.members {
            Members::Teams(teams) => {
                let teams = teams.remove(person);
                self.place_teams(teams)
            }
            Members::People(hidden) => {
                hidden.remove(&person);
                self.leave(person).into_iter().collect()
            }
        }
    }

    fn leave(&mut self, competitor: Competitor) -> Option<Applied> {
        let slot = self.ranking.slot(competitor)?;
        let old_best = self.best(slot);
        let old_rank = self.rank_if_fed(slot);
        let shift = self.ranking.remove(competitor);
        self.set_best(slot, None);
        self.bests.truncate(self.ranking.slots());
        trim(&mut self.bests);
        Some(Applied {
            competitor,
            best: None,
            old_best,
            ranks: [old_rank, None],
            shifts: [shift, None],
        })
    }

    /// The settings are others, which decide the same scores; with a period, the running season
    /// ends at the last of `borders`, if there is one.
    pub(super) fn change(
        &mut self,
        settings: Arc<Settings>,
        borders: &[Timestamp],
        directory: &Directory,
    ) {
        self.seasons = self.seasons.with(&self.settings, &settings, borders);
        if self.settings.everyone && !settings.everyone {
            // Nobody has acted on it, or it would be for everyone still.
            self.clear();
        }
        let stays = settings.rules.order == self.settings.rules.order
            && settings.rules.operator == self.settings.rules.operator
            && settings.everyone == self.settings.everyone;
        if stays {
            self.settings = settings;
            return;
        }
        let mut stored = self.stored(directory);
        stored.head.settings = settings;
        *self = Board::load(stored, directory);
    }

    /// Nobody stands on it any more, but for those who do without a result.
    fn begin_anew(&mut self, directory: &Directory) {
        self.clear();
        let lists_everyone = self.lists_everyone();
        if let Members::People(hidden) = &mut self.members
            && lists_everyone
        {
            let mut ranked = Vec::new();
            stored::add_everyone(directory, &mut ranked, hidden);
            self.ranking = Ranking::load(self.settings.rules.order, ranked);
        }
    }

    /// Nobody stands on it.
    fn clear(&mut self) {
        self.ranking = Ranking::new(self.settings.rules.order);
        self.bests = Vec::new();
        match &mut self.members {
            Members::People(hidden) => hidden.clear(),
            Members::Teams(teams) => teams.clear(),
        }
    }

    fn place_teams(&mut self, teams: Vec<Competitor>) -> Vec<Applied> {
        let place = |team| {
            let shifts = self.place_team(team);
            self.applied(team, None, shifts)
        };
        teams.into_iter().map(place).collect()
    }

    /// A team has the standing that follows from those of its members.
    fn place_team(&mut self, team: Competitor) -> Shifts {
        let Members::Teams(teams) = &self.members else {
            return Shifts::default();
        };
        match teams.standing(team) {
            Some(standing) => {
                let slot = self.ranking.register(team);
                self.ranking.place(slot, standing)
            }
            None => self
                .leave(team)
                .map_or_else(Shifts::default, |it| it.shifts),
        }
    }

    /// A score that did not change was reached when it was reached first.
    fn place(&mut self, competitor: Competitor, scores: Scores, seq: Seq) -> Shifts {
        let slot = self.ranking.register(competitor);
        self.place_at(slot, scores, seq)
    }

    fn place_at(&mut self, slot: Slot, scores: Scores, seq: Seq) -> Shifts {
        match self.ranking.standing(slot) {
            Some(old) if old.scores() == scores => Shifts::default(),
            _ => self.ranking.place(slot, Standing::of(scores, seq)),
        }
    }

    fn set_best(&mut self, slot: Slot, best: Option<NonZeroU32>) {
        if best.is_some() && slot.index() >= self.bests.len() {
            self.bests.resize(slot.index() + 1, None);
        }
        if let Some(known) = self.bests.get_mut(slot.index()) {
            *known = best;
        }
    }

    fn applied(&self, competitor: Competitor, old_rank: Option<u64>, shifts: Shifts) -> Applied {
        match self.ranking.slot(competitor) {
            Some(slot) => self.applied_at(competitor, slot, old_rank, shifts),
            None => Applied {
                competitor,
                best: None,
                old_best: None,
                ranks: [old_rank, None],
                shifts,
            },
        }
    }

    fn applied_at(
        &self,
        competitor: Competitor,
        slot: Slot,
        old_rank: Option<u64>,
        shifts: Shifts,
    ) -> Applied {
        let best = self.best(slot);
        Applied {
            competitor,
            best,
            old_best: best,
            ranks: [old_rank, self.rank_if_fed(slot)],
            shifts,
        }
    }

    /// Of derived boards nobody may want to know it, and it costs more than all the rest.
    fn rank_if_fed(&self, slot: Slot) -> Option<u64> {
        match self.settings.derivation() {
            None => self.ranking.rank(slot),
            Some(_) => None,
        }
    }

    fn best(&self, slot: Slot) -> Option<u64> {
        self.packed_best(slot).map(|best| u64::from(best.get()))
    }

    fn packed_best(&self, slot: Slot) -> Option<NonZeroU32> {
        self.bests.get(slot.index()).copied().flatten()
    }
}

/// A row to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Whose row it is.
    pub who: Who,
    /// How they are shown.
    pub profile: &'a Profile,
    /// The scores.
    pub scores: Scores,
    /// The rank to show, 1 or more.
    pub rank: u64,
}

impl Standing {
    /// These scores, reached by this entry of the log.
    pub fn of(scores: Scores, reached: Seq) -> Standing {
        Standing {
            score: scores.score,
            tiebreak: scores.tiebreak,
            reached,
        }
    }

    /// Both scores.
    pub fn scores(&self) -> Scores {
        Scores {
            score: self.score,
            tiebreak: self.tiebreak,
        }
    }
}

fn packed(rank: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(rank).unwrap_or(u32::MAX))
}
