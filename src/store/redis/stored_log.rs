//! The log of a server as it is stored in Redis: that it is there, of our kind, and of which
//! epoch.

use rand::RngExt;
use redis::{Script, ScriptInvocation, Value, aio::MultiplexedConnection};

use super::record::{detail_text, nonce_text, rules_text, settings_text};
use super::{
    fault::Fault,
    keys::Keys,
    meta::Meta,
    record::{array, number, text},
    scan::keys_page,
    scripts::Scripts,
    servers::Servers,
    time::RedisClock,
};
use crate::{
    board::{Direction, Epoch, Operator, Settings, Timestamp},
    store::StoreError,
};

/// The form in which all is written. A later one may be read by later programs alone.
pub(super) const SCHEMA: usize = 2;
/// What was written when a server had one board.
const EARLY: usize = 1;

/// Where the log and all that follows from it is, and how to speak about it.
pub(super) struct StoredLog {
    pub(super) servers: Servers,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    /// What `main` is in a new log.
    pub(super) main: Settings,
    pub(super) clock: RedisClock,
}

impl StoredLog {
    pub(super) fn new(servers: &Servers, main: &Settings) -> StoredLog {
        StoredLog {
            servers: servers.clone(),
            keys: Keys::new(),
            scripts: Scripts::new(),
            main: main.clone(),
            clock: RedisClock::new(),
        }
    }

    /// A script with the keys that a board is made of.
    pub(super) fn call<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        for key in self.keys.all() {
            call.key(key);
        }
        call
    }

    /// Finds the log, if it is there, whichever program has written it.
    ///
    /// # Errors
    /// If it is not as it should be, or a part of it is there without the rest.
    pub(super) async fn find(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Meta>, Fault> {
        let found = self.look(connection).await?;
        Ok(found.map(|(_, meta)| meta))
    }

    /// Finds the log, if it is there. What was written when a server had one board is taken
    /// over: that board becomes `main`.
    pub(super) async fn find_taken_over(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Meta>, Fault> {
        match self.look(connection).await? {
            Some((EARLY, _)) => self.begin(connection).await.map(Some),
            found => Ok(found.map(|(_, meta)| meta)),
        }
    }

    async fn look(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<(usize, Meta)>, Fault> {
        let call = self.call(&self.scripts.find);
        let found: Value = call.invoke_async(connection).await?;
        self.read(&found)
    }

    /// Begins a log, unless another node is faster.
    ///
    /// # Errors
    /// If Redis has any key of one.
    pub(super) async fn create(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Meta, Fault> {
        self.check_empty(connection).await?;
        self.begin(connection).await
    }

    async fn begin(&self, connection: &mut MultiplexedConnection) -> Result<Meta, Fault> {
        let mut call = self.call(&self.scripts.create);
        call.arg(SCHEMA)
            .arg(random_epoch().to_string())
            .arg(nonce_text(rand::rng().random()))
            .arg(rules_text(&self.main))
            .arg(detail_text(&self.main, &[]))
            .arg(settings_text(&self.main));
        let made = self.read(&call.invoke_async(connection).await?)?;
        let made = made.map(|(_, meta)| meta);
        made.ok_or(Fault::Damaged("a log of another form"))
    }

    /// Has Redis no key of a board of this name? Another node may make one meanwhile.
    pub(super) async fn check_empty(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Fault> {
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let (found, next) = keys_page(connection, self.keys.prefix(), &from).await?;
            let is_ours = |key: &&Vec<u8>| ***key != *self.keys.nodes.as_bytes();
            if let Some(key) = found.iter().find(is_ours)
                && self.find(connection).await?.is_none()
            {
                return Err(Fault::Lost(format!(
                    "{} is missing in Redis, and there is {}",
                    self.keys.meta,
                    key.escape_ascii()
                )));
            }
            cursor = next;
        }
        Ok(())
    }

    /// Reads the answer of `begin.lua`.
    fn read(&self, found: &Value) -> Result<Option<(usize, Meta)>, Fault> {
        let (now, fields) = match array(found)? {
            [now] => (now, None),
            [now, fields @ ..] => (now, Some(fields)),
            [] => return Err(Fault::Damaged("an answer of another form")),
        };
        self.clock.observe(Timestamp(number(text(now)?)?));
        let Some(fields) = fields else {
            return Ok(None);
        };
        let [
            schema,
            epoch,
            deciding,
            seq,
            ranked_through,
            decided,
            claimed,
        ] = fields
        else {
            return Err(Fault::Damaged("a board of another form"));
        };
        let schema: usize = number(text(schema)?)?;
        if schema > SCHEMA {
            return Err(self.too_new(schema));
        }
        if *claimed != Value::Nil {
            return Err(Fault::Foreign(StoreError::Migrating(
                self.servers.to_string(),
            )));
        }
        if schema == EARLY {
            self.check_rule(text(deciding)?)?;
        }
        let meta = Meta::read(epoch, seq, ranked_through, decided)?;
        Ok(Some((schema, meta)))
    }

    /// Was the board of an early program played by the rule that is configured?
    pub(super) fn check_rule(&self, found: &str) -> Result<(), Fault> {
        let rules = &self.main.rules;
        let wanted = match (rules.operator, rules.order.direction) {
            (Operator::Sum | Operator::Count, _) => "sum",
            (Operator::Best, Direction::HighestFirst) => "best, highest",
            (Operator::Best, Direction::LowestFirst) => "best, lowest",
            (Operator::Latest, _) => "latest",
        };
        // Which rule there was, a later program has noted as a fact.
        if found == wanted || found == "log" {
            return Ok(());
        }
        Err(Fault::Unusable(format!(
            "its actions were counted by the rule {found:?}, and board.operator and \
             board.direction now say {wanted:?}: set them back, or take another store"
        )))
    }

    /// The fault of a board of a later schema.
    pub(super) fn too_new(&self, found: usize) -> Fault {
        Fault::Foreign(StoreError::TooNew {
            path: self.servers.to_string(),
            found,
            known: SCHEMA,
        })
    }

    /// Notes in Redis that nothing may be written until an operator has decided, for all
    /// who cannot see why.
    pub(super) async fn halt(
        &self,
        connection: &mut MultiplexedConnection,
        epoch: Epoch,
        why: &str,
    ) -> Result<(), Fault> {
        let mut call = self.scripts.halt.prepare_invoke();
        call.key(&self.keys.meta).arg(epoch.to_string()).arg(why);
        Ok(call.invoke_async(connection).await?)
    }
}

pub(super) fn random_epoch() -> Epoch {
    Epoch(rand::rng().random())
}
