//! What becomes of commands: decided from the state as of the last commit, and from what was
//! decided since.

use std::collections::{HashMap, HashSet};

use crate::{
    board::{
        self, BoardId, Fact, GroupId, Membership, Period, Profile, Scores, Settings, State, TeamId,
        Timestamp, UserId,
    },
    calendar::{self, CalendarError},
    store::{Action, Refusal},
};

/// The state, and what entries of a transaction that is being filled have changed.
pub(super) struct Pending<'a> {
    state: &'a State,
    people: HashMap<UserId, Option<KnownPerson>>,
    teams: HashMap<TeamId, Profile>,
    scores: HashMap<(BoardId, UserId), Scores>,
    /// Users of whose scores the state does not know any more.
    anew: HashSet<UserId>,
}

#[derive(Clone)]
struct KnownPerson {
    profile: Profile,
    membership: Membership,
    is_hidden: bool,
}

/// What is decided about a command that is no duplicate.
pub(super) enum Verdict {
    /// This is to be put on the log.
    Accepted(Fact),
    /// All is as it is asked for already.
    Unchanged,
    /// It is not accepted.
    Refused(Refusal),
}

impl From<Refusal> for Verdict {
    fn from(refusal: Refusal) -> Verdict {
        Verdict::Refused(refusal)
    }
}

impl<'a> Pending<'a> {
    pub(super) fn new(state: &'a State) -> Pending<'a> {
        Pending {
            state,
            people: HashMap::new(),
            teams: HashMap::new(),
            scores: HashMap::new(),
            anew: HashSet::new(),
        }
    }

    fn person(&self, user: UserId) -> Option<KnownPerson> {
        if let Some(known) = self.people.get(&user) {
            return known.clone();
        }
        let person = self.state.directory().person(user)?;
        Some(KnownPerson {
            profile: person.profile.clone(),
            membership: person.membership.as_deref().cloned().unwrap_or_default(),
            is_hidden: person.hidden,
        })
    }

    fn is_registered(&self, user: UserId) -> bool {
        match self.people.get(&user) {
            Some(known) => known.is_some(),
            None => self.state.directory().person(user).is_some(),
        }
    }

    pub(super) fn put_user(&mut self, user: UserId, profile: &Profile) -> Verdict {
        let known = self.person(user);
        if known
            .as_ref()
            .is_some_and(|known| known.profile == *profile)
        {
            return Verdict::Unchanged;
        }
        let known = known.unwrap_or_else(|| KnownPerson {
            profile: profile.clone(),
            membership: Membership::default(),
            is_hidden: false,
        });
        let profile = profile.clone();
        let fact = Fact::UserChanged {
            user,
            profile: profile.clone(),
        };
        self.people
            .insert(user, Some(KnownPerson { profile, ..known }));
        Verdict::Accepted(fact)
    }

    pub(super) fn group_user(
        &mut self,
        user: UserId,
        team: Option<Option<TeamId>>,
        groups: Option<&[GroupId]>,
    ) -> Verdict {
        let Some(known) = self.person(user) else {
            return Refusal::UnknownUser.into();
        };
        if let Some(Some(team)) = team
            && !self.teams.contains_key(&team)
            && self.state.directory().index_of_team(team).is_none()
        {
            return Refusal::UnknownTeam.into();
        }
        let membership = Membership {
            team: team.unwrap_or(known.membership.team),
            groups: groups.map_or(known.membership.groups.clone(), Into::into),
        };
        if membership == known.membership {
            return Verdict::Unchanged;
        }
        let fact = Fact::UserGrouped {
            user,
            team: membership.team,
            groups: membership.groups.clone(),
        };
        self.people.insert(
            user,
            Some(KnownPerson {
                membership,
                ..known
            }),
        );
        Verdict::Accepted(fact)
    }

    pub(super) fn hide_user(
        &mut self,
        user: UserId,
        hidden: bool,
        reason: Option<&str>,
    ) -> Verdict {
        let Some(known) = self.person(user) else {
            return Refusal::UnknownUser.into();
        };
        if known.is_hidden == hidden {
            return Verdict::Unchanged;
        }
        let is_hidden = hidden;
        self.people
            .insert(user, Some(KnownPerson { is_hidden, ..known }));
        Verdict::Accepted(Fact::UserHidden {
            user,
            hidden,
            reason: reason.map(Into::into),
        })
    }

    pub(super) fn delete_user(&mut self, user: UserId) -> Verdict {
        if !self.is_registered(user) {
            return Refusal::UnknownUser.into();
        }
        self.people.insert(user, None);
        self.scores.retain(|(_, known), _| *known != user);
        self.anew.insert(user);
        Verdict::Accepted(Fact::UserDeleted { user })
    }

    pub(super) fn put_team(&mut self, team: TeamId, profile: &Profile) -> Verdict {
        let directory = self.state.directory();
        let known = directory
            .index_of_team(team)
            .and_then(|it| directory.team_at(it));
        let known = self.teams.get(&team).or(known.map(|it| &it.profile));
        if known == Some(profile) {
            return Verdict::Unchanged;
        }
        self.teams.insert(team, profile.clone());
        let profile = profile.clone();
        Verdict::Accepted(Fact::TeamChanged { team, profile })
    }

    /// May somebody act on this board now?
    pub(super) fn check(&self, action: &Action, at: Timestamp) -> Result<(), Refusal> {
        let Some(board) = self.state.board(&action.board) else {
            return Err(Refusal::UnknownBoard(action.board.clone()));
        };
        let settings = board.settings();
        if let Some(derivation) = settings.derivation() {
            return Err(Refusal::Derived {
                board: action.board.clone(),
                of: derivation.of.clone(),
            });
        }
        if !self.is_registered(action.user) {
            return Err(Refusal::UnknownUser);
        }
        if settings.starts.is_some_and(|starts| at < starts) {
            return Err(Refusal::NotStarted);
        }
        if settings.ends.is_some_and(|ends| at >= ends) {
            return Err(Refusal::Ended);
        }
        Ok(())
    }

    /// Counts an action that was checked.
    pub(super) fn act(&mut self, action: &Action) -> Verdict {
        let Some(board) = self.state.board(&action.board) else {
            return Refusal::UnknownBoard(action.board.clone()).into();
        };
        let key = (action.board.clone(), action.user);
        let known = match self.scores.get(&key) {
            Some(scores) => Some(*scores),
            None if self.anew.contains(&action.user) => None,
            None => {
                let person = self.state.directory().index_of(action.user);
                person.and_then(|person| board.scores_of(person))
            }
        };
        let rules = &board.settings().rules;
        let after = rules.after(known, action.increase, action.tiebreak_increase);
        let Some(scores) = after else {
            return Refusal::OutOfRange.into();
        };
        self.scores.insert(key, scores);
        Verdict::Accepted(Fact::Action(board::Action {
            board: action.board.clone(),
            user: action.user,
            action_type: action.action_type.clone(),
            increase: action.increase,
            tiebreak_increase: action.tiebreak_increase,
            scores,
        }))
    }
}

/// May this board be created or changed so? Says when its seasons end, if it has a period and
/// is new: from the one in which the log begins, or in which the first action can count, to
/// the one that runs, or the last one; and of one that was there before when the running one
/// ends, if the board ends at another time now.
pub(super) fn check_board(
    state: &State,
    id: &BoardId,
    settings: &Settings,
    most: usize,
    began: Timestamp,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Refusal> {
    state.check_settings(id, settings, now)?;
    if let Some(board) = state.board(id) {
        let times = |it: &Settings| (it.starts, it.ends);
        return match settings.period() {
            Some(period) if times(board.settings()) != times(settings) => {
                Ok(borders(period, settings, now, now)?)
            }
            _ => Ok(Vec::new()),
        };
    }
    let boards = state.boards().count();
    if boards >= most {
        return Err(Refusal::TooManyBoards(boards));
    }
    let Some(period) = settings.period() else {
        return Ok(Vec::new());
    };
    Ok(borders(period, settings, began, now)?)
}

/// When the seasons of a board end from this time on, up to the one that runs, or the last one.
fn borders(
    period: &Period,
    settings: &Settings,
    from: Timestamp,
    now: Timestamp,
) -> Result<Vec<Timestamp>, CalendarError> {
    let starts = [period.starts, settings.starts].into_iter().flatten();
    // If that is still to come, the first season is the one in which it lies, whenever the board
    // is made.
    let from = starts.fold(from, Timestamp::max);
    let Some(ends) = settings.ends else {
        return calendar::ends_of_seasons(period, from, now);
    };
    let last = Timestamp(ends.0.saturating_sub(1));
    let mut borders = calendar::ends_of_seasons(period, from, now.min(last))?;
    if let Some(last) = borders.last_mut() {
        *last = ends.min(*last);
    }
    Ok(borders)
}

/// When the season ends that begins at this border of a board; `None` if none begins any more.
pub(super) fn next_border(settings: &Settings, border: Timestamp) -> Option<Timestamp> {
    if settings.ends.is_some_and(|ends| ends <= border) {
        return None;
    }
    // After the last year of the calendar there is no season any more.
    let next = calendar::end_of_season(settings.period()?, border).ok()?;
    Some(settings.ends.map_or(next, |ends| ends.min(next)))
}

/// May this board be deleted?
pub(super) fn check_deletion(state: &State, id: &BoardId) -> Result<(), Refusal> {
    if *id == BoardId::default() {
        return Err(Refusal::IsMain);
    }
    if state.board(id).is_none() {
        return Err(Refusal::UnknownBoard(id.clone()));
    }
    match state.derived_from(id).map(|derived| derived.id()).min() {
        Some(derived) => Err(Refusal::HasDerived(derived.clone())),
        None => Ok(()),
    }
}
