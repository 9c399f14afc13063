//! A board as it is stored in Redis: that it is there, of our kind, and of which epoch.

use rand::RngExt;
use redis::{Script, ScriptInvocation, Value, aio::MultiplexedConnection};

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
    board::{BoardId, Epoch, Rules, Timestamp},
    store::StoreError,
};

/// The form in which all is written. A later one may be read by later programs alone.
pub(super) const SCHEMA: usize = 1;

/// Where a board is, and how to speak about it.
pub(super) struct StoredBoard {
    pub(super) servers: Servers,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    pub(super) rules: Rules,
    pub(super) clock: RedisClock,
}

impl StoredBoard {
    pub(super) fn new(servers: &Servers, board: &BoardId, rules: Rules) -> StoredBoard {
        StoredBoard {
            servers: servers.clone(),
            keys: Keys::new(board),
            scripts: Scripts::new(),
            rules,
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

    /// Finds the board, if it is there.
    ///
    /// # Errors
    /// If it is not as it should be, or a part of it is there without the rest.
    pub(super) async fn find(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<Meta>, Fault> {
        let call = self.call(&self.scripts.find);
        let found: Value = call.invoke_async(connection).await?;
        self.read(&found)
    }

    /// Makes the board, unless another node is faster.
    ///
    /// # Errors
    /// If Redis has any key of a board of this name.
    pub(super) async fn create(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Meta, Fault> {
        self.check_empty(connection).await?;
        let mut call = self.call(&self.scripts.create);
        call.arg(SCHEMA)
            .arg(random_epoch().to_string())
            .arg(self.rules.deciding());
        let made = self.read(&call.invoke_async(connection).await?)?;
        made.ok_or(Fault::Damaged("a board of another form"))
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
    fn read(&self, found: &Value) -> Result<Option<Meta>, Fault> {
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
            migrating,
        ] = fields
        else {
            return Err(Fault::Damaged("a board of another form"));
        };
        let schema = number(text(schema)?)?;
        if schema > SCHEMA {
            return Err(self.too_new(schema));
        }
        if *migrating != Value::Nil {
            return Err(Fault::Foreign(StoreError::Migrating(
                self.servers.to_string(),
            )));
        }
        self.check_rule(text(deciding)?)?;
        Meta::read(epoch, seq, ranked_through, decided).map(Some)
    }

    /// Was the board played by the rule that is configured?
    pub(super) fn check_rule(&self, found: &str) -> Result<(), Fault> {
        let wanted = self.rules.deciding();
        if found == wanted {
            return Ok(());
        }
        Err(Fault::Foreign(StoreError::OtherRules {
            found: found.to_owned(),
            wanted,
        }))
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
