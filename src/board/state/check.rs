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
        let before = board.settings();
        if before.source != settings.source
            || board.is_used() && before.deciding() != settings.deciding()
        {
            return Err(Contradiction::Decided);
        }
        // A derived board counts what it would have counted with these times from the start.
        let is_to_come = |it: &Settings| it.ends.is_none_or(|ends| ends > now);
        let ends_later = before.ends == settings.ends || is_to_come(before) && is_to_come(settings);
        if settings.derivation().is_some()
            && board.is_used()
            && (before.starts != settings.starts || !ends_later)
        {
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
