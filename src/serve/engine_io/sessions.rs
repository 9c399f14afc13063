//! Sessions that were opened by long polling, by their ids.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use socketioxide::socket::Sid;

use crate::hub::{Session, WeakSession};

/// The sessions of one server. Clones are the same. It keeps none alive.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<Sid, WeakSession>>>);

impl Sessions {
    pub(super) fn insert(&self, sid: Sid, session: &Session) {
        self.0.lock().insert(sid, session.downgrade());
    }

    /// Forgets a session that has ended.
    pub(super) fn remove(&self, sid: Sid) {
        let mut sessions = self.0.lock();
        sessions.remove(&sid);
        if sessions.len() < sessions.capacity() / 4 {
            sessions.shrink_to_fit();
        }
    }

    /// The session with this id, if it goes on.
    pub(super) fn get(&self, sid: Sid) -> Option<Session> {
        let session = self.0.lock().get(&sid)?.upgrade()?;
        (!session.is_closed()).then_some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::LimitsTable,
        limits::{Admission, Traffic, tests::limits},
    };

    #[test]
    fn sessions_that_ended_are_unknown() {
        let limits = Arc::new(limits(LimitsTable::default()));
        let session = || {
            let address = [192, 0, 2, 1].into();
            let Admission::Opened(permit) = limits.session(address, None) else {
                panic!("one of the first connections");
            };
            Session::new(permit, Traffic::new(limits.clone(), address))
        };
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
        for sid in sids {
            sessions.remove(sid);
        }
        assert!(sessions.0.lock().is_empty());
    }
}
