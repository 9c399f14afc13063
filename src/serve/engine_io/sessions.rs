//! Sessions that were opened by long polling, by their ids.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use socketioxide::socket::Sid;

use crate::hub::{Session, WeakSession};

/// The sessions of one server. Clones are the same. It keeps none alive: those that
/// ended are thrown away when there are twice as many as there were left last time.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    sessions: HashMap<Sid, WeakSession>,
    clean_at: usize,
}

/// The table is not looked through for fewer sessions than this.
const FEW: usize = 64;

impl Sessions {
    pub(super) fn insert(&self, sid: Sid, session: &Session) {
        let mut table = self.0.lock();
        if table.sessions.len() >= table.clean_at {
            table.sessions.retain(|_, session| !session.is_gone());
            table.sessions.shrink_to(FEW);
            table.clean_at = (2 * table.sessions.len()).max(FEW);
        }
        table.sessions.insert(sid, session.downgrade());
    }

    /// The session with this id, if it goes on.
    pub(super) fn get(&self, sid: Sid) -> Option<Session> {
        let session = self.0.lock().sessions.get(&sid)?.upgrade()?;
        (!session.is_closed()).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::LimitsTable,
        limits::{Traffic, tests::limits},
    };

    #[test]
    fn sessions_that_ended_are_unknown_and_not_kept() {
        let limits = Arc::new(limits(LimitsTable::default()));
        let session = || Session::new(None, Traffic::new(limits.clone(), [192, 0, 2, 1].into()));
        let sessions = Sessions::default();
        let (open, closed) = (session(), session());
        let sids = [Sid::new(), Sid::new(), Sid::new()];
        sessions.insert(sids[0], &open);
        sessions.insert(sids[1], &closed);
        sessions.insert(sids[2], &session());
        closed.close();
        assert!(sessions.get(sids[0]).is_some());
        assert!(sessions.get(sids[1]).is_none());
        assert!(sessions.get(sids[2]).is_none());
        assert!(sessions.get(Sid::new()).is_none());
        for _ in 0..10_000 {
            sessions.insert(Sid::new(), &session());
        }
        assert!(sessions.0.lock().sessions.len() <= 2 * FEW);
        assert!(sessions.get(sids[0]).is_some());
    }
}
