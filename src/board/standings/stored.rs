//! A board as a store keeps it.

use std::{collections::HashMap, sync::Arc};

use super::{Board, Hidden, Members, Seasons, packed};
use crate::board::{
    BoardId, Competitor, Directory, Ranking, Scores, Settings, TeamId, Timestamp, UserId,
    ranking::Standing, teams::Teams,
};

/// A board as a store keeps it, without those who stand on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BoardHead {
    /// Which.
    pub id: BoardId,
    /// Its settings.
    pub settings: Arc<Settings>,
    /// How many facts were folded into it.
    pub seq: u64,
    /// When the last of them was taken.
    pub changed: Timestamp,
    /// Has somebody acted on it?
    pub is_used: bool,
    /// Where it is in its seasons.
    pub seasons: Seasons,
}

/// A board as a store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBoard {
    /// All but who stands on it.
    pub head: BoardHead,
    /// The entry of the log as of which this is, if it is a later one than the state's: then
    /// entries up to it are not folded into this board again. 0 for none.
    pub as_of: u64,
    /// Who has a result, whether hidden or not; nobody on a board of teams. On a board for
    /// everyone those without a result follow from the directory.
    pub standings: Vec<StoredStanding>,
    /// Of a board of teams: what members have.
    pub members: Vec<StoredMember>,
}

/// What somebody has on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoredStanding {
    /// Who.
    pub user: UserId,
    /// The scores, and when they were reached.
    pub standing: Standing,
    /// The best rank after an action of one's own.
    pub best: Option<u64>,
}

/// What a person has on a board of teams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoredMember {
    /// Who.
    pub user: UserId,
    /// In which team.
    pub team: TeamId,
    /// The scores, and when they were reached.
    pub standing: Standing,
}

/// Adds those who have no result, as they stand on a board for everyone: all at once, which is
/// several times faster than each.
pub(super) fn add_everyone(
    directory: &Directory,
    ranked: &mut Vec<(Competitor, Option<Standing>)>,
    hidden: &mut HashMap<Competitor, Hidden>,
) {
    let people = directory.people();
    let mut people: Vec<_> = people
        .map(|(index, person)| (person.registered, index, person.hidden))
        .collect();
    let indices = people.iter().map(|(_, index, _)| index.0 as usize + 1);
    let mut has_result = vec![false; indices.max().unwrap_or(0)];
    let known = ranked.iter().map(|(index, _)| index);
    for index in known.chain(hidden.keys()) {
        has_result[index.0 as usize] = true;
    }
    people.retain(|(_, index, _)| !has_result[index.0 as usize]);
    people.sort_unstable();
    for (registered, index, is_hidden) in people {
        let standing = Standing::of(Scores::default(), registered);
        if is_hidden {
            let best = None;
            hidden.insert(index, Hidden { standing, best });
        } else {
            ranked.push((index, Some(standing)));
        }
    }
}

impl Board {
    /// A board as it was stored. Whoever is not in the directory is left out. O(n log n).
    pub(in crate::board) fn load(stored: StoredBoard, directory: &Directory) -> Board {
        let StoredBoard {
            head,
            as_of,
            standings,
            members,
        } = stored;
        let settings = head.settings;
        let mut hidden = HashMap::new();
        let mut bests = Vec::with_capacity(standings.len());
        let mut ranked = Vec::with_capacity(standings.len());
        for it in standings {
            let Some(index) = directory.index_of(it.user) else {
                continue;
            };
            let (standing, best) = (it.standing, it.best.and_then(packed));
            if directory.is_hidden(index) {
                hidden.insert(index, Hidden { standing, best });
            } else {
                ranked.push((index, Some(standing)));
                bests.push(best);
            }
        }
        // Nobody has one on a derived board.
        if bests.iter().all(Option::is_none) {
            bests = Vec::new();
        }
        let members = match settings.derivation().and_then(|it| it.team) {
            None => {
                if settings.everyone && settings.rules.begin_at_zero() {
                    add_everyone(directory, &mut ranked, &mut hidden);
                }
                Members::People(hidden)
            }
            Some(score) => {
                let mut teams = Teams::new(settings.rules, score);
                for it in members {
                    if let Some(person) = directory.index_of(it.user)
                        && let Some(team) = directory.index_of_team(it.team)
                    {
                        teams.set((team, person), it.standing, directory.is_hidden(person));
                    }
                }
                let standings = teams
                    .teams()
                    .filter_map(|it| Some((it, teams.standing(it)?)));
                ranked.extend(standings.map(|(team, standing)| (team, Some(standing))));
                Members::Teams(teams)
            }
        };
        Board {
            id: head.id,
            seq: head.seq,
            changed: head.changed,
            is_used: head.is_used,
            as_of,
            ranking: Ranking::load(settings.rules.order, ranked),
            settings,
            bests,
            members,
            seasons: head.seasons,
        }
    }

    /// What a store keeps of it, in no order.
    pub fn stored(&self, directory: &Directory) -> StoredBoard {
        let (mut standings, mut members) = (Vec::new(), Vec::new());
        match &self.members {
            Members::People(hidden) => {
                let ranked = self.ranking.competitors().map(|(person, _)| person);
                let people = ranked.chain(hidden.keys().copied());
                standings.extend(people.filter_map(|it| self.stored_standing(it, directory)));
            }
            Members::Teams(teams) => {
                members.extend(teams.members().filter_map(|(person, team, standing)| {
                    Some(StoredMember {
                        user: directory.person_at(person)?.id,
                        team: directory.team_at(team)?.id,
                        standing,
                    })
                }));
            }
        }
        StoredBoard {
            head: self.head(),
            as_of: self.as_of,
            standings,
            members,
        }
    }

    /// All but who stands on it.
    pub fn head(&self) -> BoardHead {
        BoardHead {
            id: self.id.clone(),
            settings: self.settings.clone(),
            seq: self.seq,
            changed: self.changed,
            is_used: self.is_used,
            seasons: self.seasons,
        }
    }

    /// What a store keeps of a person; `None` if that follows from the directory.
    pub(in crate::board) fn stored_standing(
        &self,
        person: Competitor,
        directory: &Directory,
    ) -> Option<StoredStanding> {
        let Members::People(hidden) = &self.members else {
            return None;
        };
        let (standing, best) = match hidden.get(&person) {
            Some(it) => (it.standing, it.best),
            None => {
                let slot = self.ranking.slot(person)?;
                (self.ranking.standing(slot)?, self.packed_best(slot))
            }
        };
        let person = directory.person_at(person)?;
        let is_first = standing == Standing::of(Scores::default(), person.registered);
        if self.lists_everyone() && is_first && best.is_none() {
            return None;
        }
        Some(StoredStanding {
            user: person.id,
            standing,
            best: best.map(|best| u64::from(best.get())),
        })
    }

    /// What a store keeps of a person in a team.
    pub(in crate::board) fn stored_member(
        &self,
        person: Competitor,
        team: Competitor,
        directory: &Directory,
    ) -> Option<StoredMember> {
        let Members::Teams(teams) = &self.members else {
            return None;
        };
        Some(StoredMember {
            user: directory.person_at(person)?.id,
            team: directory.team_at(team)?.id,
            standing: teams.member(team, person)?,
        })
    }
}
