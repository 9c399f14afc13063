//! May a board have these settings?

use super::State;
use crate::board::{Board, BoardId, Contradiction, Derivation, Settings, Timestamp};

impl State {
    /// May this be the settings of this board, which is new or has others now?
    ///
    /// # Errors
    /// If they contradict each other, or what is there.
    pub fn check_settings(
        &self,
        id: &BoardId,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<(), Contradiction> {
        if self
            .board(id)
            .is_some_and(|it| **it.settings() == *settings)
        {
            return Ok(());
        }
        if let (Some(starts), Some(ends)) = (settings.starts, settings.ends)
            && ends <= starts
        {
            return Err(Contradiction::EndsFirst);
        }
        if settings.is_of_teams() && settings.everyone {
            return Err(Contradiction::EveryoneOfTeams);
        }
        if let Some(derivation) = settings.derivation() {
            self.check_derivation(id, settings, derivation)?;
        }
        let Some(board) = self.board(id) else {
            return Ok(());
        };
        if settings.is_private()
            && let Some(shown) = self
                .derived_from(id)
                .filter(|it| !it.settings().is_private())
                .map(Board::id)
                .min()
        {
            return Err(Contradiction::ShownBy(shown.clone()));
        }
        let has_tiebreak = |it: &Settings| it.rules.order.tiebreak.is_some();
        if !has_tiebreak(settings)
            && let Some(derived) = self
                .derived_from(id)
                .filter(|it| has_tiebreak(it.settings()))
                .map(Board::id)
                .min()
        {
            return Err(Contradiction::TiebreakOf(derived.clone()));
        }
        let before = board.settings();
        if before.source != settings.source
            || board.is_used() && before.deciding() != settings.deciding()
        {
            return Err(Contradiction::Decided);
        }
        if settings.derivation().is_some() && !times_fit(board, settings, now) {
            return Err(Contradiction::Counted);
        }
        if board.is_used() && before.everyone && !settings.everyone {
            return Err(Contradiction::EveryoneStands);
        }
        Ok(())
    }

    fn check_derivation(
        &self,
        id: &BoardId,
        settings: &Settings,
        derivation: &Derivation,
    ) -> Result<(), Contradiction> {
        if derivation
            .types
            .as_ref()
            .is_some_and(|types| types.is_empty())
        {
            return Err(Contradiction::NoTypes);
        }
        let of = derivation.of.clone();
        if self.ancestors(settings).iter().any(|it| it.of == *id) {
            return Err(Contradiction::Circle(of));
        }
        let Some(parent) = self.board(&of) else {
            return Err(Contradiction::UnknownBoard(of));
        };
        if parent.settings().is_private() && !settings.is_private() {
            return Err(Contradiction::OfPrivate(of));
        }
        if settings.rules.order.tiebreak.is_some()
            && parent.settings().rules.order.tiebreak.is_none()
        {
            return Err(Contradiction::NoTiebreak(of));
        }
        match parent.settings().derivation() {
            Some(it) if it.team.is_some() => Err(Contradiction::OfTeams(of)),
            Some(it) if it.period.is_some() => Err(Contradiction::OfSeasons(of)),
            _ => Ok(()),
        }
    }
}

/// Does a derived board count what it would have counted with these times from the start? Where
/// nothing has counted so far, nothing would have in a shorter time.
fn times_fit(board: &Board, settings: &Settings, now: Timestamp) -> bool {
    let starts = |it: &Settings| it.starts.unwrap_or_default();
    let ends = |it: &Settings| it.ends.unwrap_or(Timestamp(u64::MAX));
    let before = board.settings();
    // A season that has ended stays.
    let may_shrink = !board.is_used() && board.ended_seasons() == 0;
    let fits = |before: Timestamp, after: Timestamp, is_shorter: bool| {
        before == after || before.min(after) > now || may_shrink && is_shorter
    };
    let is_shorter = (
        starts(before) <= starts(settings),
        ends(settings) <= ends(before),
    );
    fits(starts(before), starts(settings), is_shorter.0)
        && fits(ends(before), ends(settings), is_shorter.1)
}
