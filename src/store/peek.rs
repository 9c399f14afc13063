//! Looking at a store without changing it.

use super::{ActionId, Opened, StoreError, StoreUrl, records::Counted, source::Source};
use crate::board::{BoardId, Settings, UserId};

/// An action that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAction {
    /// On which board.
    pub board: BoardId,
    /// Who acted.
    pub user: UserId,
    /// The kind of action.
    pub action_type: Box<str>,
    /// The points that it was worth.
    pub increase: i64,
}

impl From<Counted> for KnownAction {
    fn from(counted: Counted) -> KnownAction {
        KnownAction {
            board: counted.board,
            user: counted.user,
            action_type: counted.action_type,
            increase: counted.increase,
        }
    }
}

/// A store that is looked at and left as it is.
pub struct Peek(Source);

impl Peek {
    /// Opens a store and loads what is in it; `None` if there is nothing. Then nothing is
    /// made. What is of an early form may be brought to the present one, in which `main` has
    /// these settings.
    ///
    /// # Errors
    /// If what is there cannot be opened or read.
    pub async fn open(
        url: &StoreUrl,
        main: &Settings,
    ) -> Result<Option<(Opened, Peek)>, StoreError> {
        let found = Source::peek(url, main).await?;
        Ok(found.map(|(opened, source)| (opened, Peek(source))))
    }

    /// What was counted under each of these ids, as far as the store knows it still.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn counted(
        &mut self,
        ids: &[ActionId],
    ) -> Result<Vec<Option<KnownAction>>, StoreError> {
        let counted = self.0.counted(ids).await?;
        let known = counted.into_iter().map(|it| it.map(KnownAction::from));
        Ok(known.collect())
    }
}
