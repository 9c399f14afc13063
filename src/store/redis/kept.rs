//! A board as Redis keeps it: that it is there, of our kind, and of which epoch.

use rand::RngExt;
use redis::{Value, aio::MultiplexedConnection};

use super::{
    Place,
    connect::{Link, connect},
    fault::Fault,
    keys::Keys,
    load::{Loaded, Meta, entry, load, meta},
    record::{array, number, read_epoch, text},
    scripts::Scripts,
    time::RedisClock,
};
use crate::{
    board::{BoardId, Epoch, Rules, Timestamp},
    store::StoreError,
};

/// The form in which all is written. A later one may be read by later programs alone.
pub(super) const SCHEMA: usize = 1;

/// Where a board is, and how to speak about it.
pub(super) struct KeptBoard {
    pub(super) place: Place,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    pub(super) rules: Rules,
    pub(super) clock: RedisClock,
}

/// A board that was found, or has just been made.
pub(super) struct Found {
    pub(super) meta: Meta,
    pub(super) is_new: bool,
}

impl KeptBoard {
    pub(super) fn new(place: &Place, board: &BoardId, rules: Rules) -> KeptBoard {
        KeptBoard {
            place: place.clone(),
            keys: Keys::new(board),
            scripts: Scripts::new(),
            rules,
            clock: RedisClock::new(),
        }
    }

    /// Connects, and loads the board.
    pub(super) async fn open(&self) -> Result<(Link, Loaded), Fault> {
        let mut link = connect(&self.place, &self.keys).await?;
        self.find(&mut link.commands).await?;
        let loaded = self.load(&mut link.commands).await?;
        Ok((link, loaded))
    }

    /// Loads the board; if entries are gone that had no ranks yet, as of the last one.
    pub(super) async fn load(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Loaded, Fault> {
        match load(connection, self).await {
            Err(Fault::Gap(after)) => {
                let now = meta(connection, &self.keys.meta).await?;
                let next = entry(connection, &self.keys.log, after + 1).await?;
                // What has ranks by now may be trimmed, while the board was being read.
                if next.is_some() || !(now.ranked_through..now.seq).contains(&after) {
                    return Err(Fault::Gap(after));
                }
                let fault = Fault::Gap(after);
                tracing::error!(%fault, "some duplicates will be answered without their ranks");
                self.renew(connection, now.epoch, true).await?;
                load(connection, self).await
            }
            result => result,
        }
    }

    /// Finds the board, and makes it if it is not there.
    pub(super) async fn find(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Found, Fault> {
        let wanted = self.rules.deciding();
        let new = random_epoch();
        let mut call = self.scripts.begin.prepare_invoke();
        for key in self.keys.all() {
            call.key(key);
        }
        call.arg(SCHEMA).arg(new.to_string()).arg(wanted);
        let found: Value = call.invoke_async(connection).await?;
        let [now, schema, epoch, deciding, seq, ranked_through, migrating] = array(&found)? else {
            return Err(Fault::Damaged("a board of another form"));
        };
        self.clock.hear(Timestamp(number(text(now)?)?));
        let schema = number(text(schema)?)?;
        if schema > SCHEMA {
            return Err(self.too_new(schema));
        }
        if *migrating != Value::Nil {
            return Err(Fault::Foreign(StoreError::Migrating(
                self.place.to_string(),
            )));
        }
        let deciding = text(deciding)?;
        if deciding != wanted {
            return Err(Fault::Foreign(StoreError::OtherRules {
                found: deciding.to_owned(),
                wanted,
            }));
        }
        let epoch = read_epoch(text(epoch)?)?;
        Ok(Found {
            meta: Meta {
                epoch,
                seq: number(text(seq)?)?,
                ranked_through: number(text(ranked_through)?)?,
            },
            is_new: epoch == new,
        })
    }

    /// The fault of a board of a later schema.
    pub(super) fn too_new(&self, found: usize) -> Fault {
        Fault::Foreign(StoreError::TooNew {
            path: self.place.to_string(),
            found,
            known: SCHEMA,
        })
    }

    /// Ends an epoch, if it has not ended yet. With `is_torn`, entries that have no
    /// ranks yet are missing, and the board goes on from the last one.
    pub(super) async fn renew(
        &self,
        connection: &mut MultiplexedConnection,
        old: Epoch,
        is_torn: bool,
    ) -> Result<(), Fault> {
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(&self.keys.meta)
            .arg(old.to_string())
            .arg(random_epoch().to_string())
            .arg(u8::from(is_torn));
        Ok(call.invoke_async(connection).await?)
    }
}

pub(super) fn random_epoch() -> Epoch {
    Epoch(rand::rng().random())
}
