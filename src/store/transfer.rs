//! Moving a board from one store to another.
//!
//! A source tells what it keeps of a board, record by record, and a target writes what
//! it would have kept of that itself. A target is claimed before it is written to, and
//! set free when all that was written has been read back and compared: between, nobody
//! can open the board there. So a migration may end at any moment, and begins again.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{
    board::{
        Announcement, Board, BoardId, Epoch, LogEntry, Member, Rules, Score, Timestamp, UserId,
    },
    store::{ActionId, Opened, RecentAction, StoreError, StoreUrl, Window, redis, sqlite},
};

/// Records between two reports of progress.
const REPORT: u64 = 10_000;

/// A board to be moved between an SQLite file and Redis, in either direction.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Where it is. Nothing is taken away there.
    pub from: StoreUrl,
    /// Where it shall be.
    pub to: StoreUrl,
    /// Which board.
    pub board: BoardId,
    /// Its rules.
    pub rules: Rules,
    /// Whether a board that is whole may be thrown away at the target. Then a new epoch
    /// begins, because somebody may have watched that board.
    pub replace: bool,
}

/// How far a migration has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The board was loaded from the source.
    Loaded {
        /// Users who are ranked.
        users: usize,
        /// The last entry of the log.
        seq: u64,
    },
    /// So many records were read from the source, and written if they are kept.
    Moved(u64),
    /// So many records were read back from the target.
    Checked(u64),
}

/// What was moved of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many are at the target now.
    pub moved: u64,
    /// How many are not, because the target does not keep so many, or so old ones.
    pub left_out: u64,
}

/// What was moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Users, with score, moment, best rank and profile.
    pub users: Count,
    /// Entries of the log.
    pub entries: Count,
    /// Points of users' histories.
    pub points: Count,
    /// Ids of actions, with the answers to them.
    pub actions: Count,
    /// Announcements.
    pub announcements: Count,
    /// Users with revoked tokens.
    pub revocations: Count,
    /// Actions that count against limits of their types.
    pub limited: Count,
}

/// Why a board was not moved. The source is as it was.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A store cannot be used.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The two places are of one kind.
    #[error(
        "{from} and {to} are stores of one kind, and boards are moved between an SQLite file and \
         Redis: say the two with --from and --to"
    )]
    SameKind {
        /// The source.
        from: String,
        /// The target.
        to: String,
    },
    /// There is nothing to be moved.
    #[error("there is no board {board:?} in {place}: is that the right place for --from?")]
    NoBoard {
        /// The source.
        place: String,
        /// The board.
        board: String,
    },
    /// The target has been played on.
    #[error(
        "{place} has a board {board:?} of its own: choose another place, or throw that board away \
         with --replace"
    )]
    HasBoard {
        /// The target.
        place: String,
        /// The board.
        board: String,
    },
    /// Somebody wrote to the source.
    #[error(
        "{0} was written to meanwhile: stop all nodes that use it, and run podium migrate again"
    )]
    InUse(String),
    /// What was read back is not what was written.
    #[error("{place} does not say what was written to it ({what}): run podium migrate again")]
    Differs {
        /// The target.
        place: String,
        /// What is different.
        what: String,
    },
}

impl Migration {
    /// Moves the board, and checks that all of it is there. A target that was left
    /// unfinished is begun again.
    ///
    /// # Errors
    /// If a store cannot be used, the target has a board of its own, the source is
    /// written to, or the boards differ in the end. Unless the target was refused, it
    /// stays closed until a later run is through.
    pub async fn run(&self, mut progress: impl FnMut(Progress)) -> Result<Summary, MigrateError> {
        if matches!(
            (&self.from, &self.to),
            (StoreUrl::Sqlite(_), StoreUrl::Sqlite(_)) | (StoreUrl::Redis(_), StoreUrl::Redis(_))
        ) {
            return Err(MigrateError::SameKind {
                from: self.from.to_string(),
                to: self.to.to_string(),
            });
        }
        let (opened, mut source) = self.open_source().await?;
        progress(Progress::Loaded {
            users: opened.board.len(),
            seq: opened.board.seq(),
        });
        let head = Head {
            epoch: opened.epoch,
            seq: opened.board.seq(),
        };
        let mut target = self.claim_target(head).await?;

        let lasting = target.lasting();
        let mut summary = Summary::default();
        let mut written = Digests::default();
        let mut read = 0;
        source
            .read(async |record| {
                read += 1;
                if read % REPORT == 0 {
                    progress(Progress::Moved(read));
                }
                let all = record.len();
                let count = summary.count(&record);
                let kept = target.keep(record);
                let moved = kept.as_ref().map_or(0, Record::len);
                count.moved += moved;
                count.left_out += all - moved;
                match kept {
                    Some(kept) => {
                        written.add(&kept, lasting);
                        target.write(kept).await
                    }
                    None => Ok(()),
                }
            })
            .await?;
        if !source.is_as_it_was().await? {
            return Err(MigrateError::InUse(self.from.to_string()));
        }
        let loaded = target.complete(self.rules).await?;
        self.check_boards(&opened, &loaded, target.epoch())?;

        let mut found = Digests::default();
        let mut checked = 0;
        target
            .read(async |record| {
                checked += 1;
                if checked % REPORT == 0 {
                    progress(Progress::Checked(checked));
                }
                found.add(&record, lasting);
                Ok(())
            })
            .await?;
        let missing = written.missing_in(found);
        if missing > 0 {
            return Err(self.differs(format!("{missing} records are missing or others")));
        }
        target.set_free().await?;
        Ok(summary)
    }

    async fn open_source(&self) -> Result<(Opened, Source), MigrateError> {
        let found = match &self.from {
            StoreUrl::Sqlite(path) => sqlite::Source::open(path, &self.board, self.rules)?
                .map(|(opened, source)| (opened, Source::Sqlite(Box::new(source)))),
            StoreUrl::Redis(servers) => redis::Source::open(servers, &self.board, self.rules)
                .await?
                .map(|(opened, source)| (opened, Source::Redis(Box::new(source)))),
        };
        found.ok_or_else(|| MigrateError::NoBoard {
            place: self.from.to_string(),
            board: self.board.to_string(),
        })
    }

    async fn claim_target(&self, head: Head) -> Result<Target, MigrateError> {
        let Migration {
            board,
            rules,
            replace,
            ..
        } = self;
        let claimed = match &self.to {
            StoreUrl::Sqlite(path) => sqlite::Target::claim(path, board, *rules, head, *replace)?
                .map(|target| Target::Sqlite(Box::new(target))),
            StoreUrl::Redis(servers) => {
                redis::Target::claim(servers, board, *rules, head, *replace)
                    .await?
                    .map(|target| Target::Redis(Box::new(target)))
            }
        };
        claimed.ok_or_else(|| MigrateError::HasBoard {
            place: self.to.to_string(),
            board: board.to_string(),
        })
    }

    fn check_boards(
        &self,
        source: &Opened,
        target: &Opened,
        epoch: Epoch,
    ) -> Result<(), MigrateError> {
        if target.epoch != epoch {
            return Err(self.differs("its epoch is another".into()));
        }
        difference(&source.board, &target.board).map_or(Ok(()), |what| Err(self.differs(what)))
    }

    fn differs(&self, what: String) -> MigrateError {
        MigrateError::Differs {
            place: self.to.to_string(),
            what,
        }
    }
}

/// In what two boards differ that should be the same.
fn difference(source: &Board, target: &Board) -> Option<String> {
    if (source.seq(), source.changed()) != (target.seq(), target.changed()) {
        return Some(format!(
            "its last entry is {}, and not {}",
            target.seq(),
            source.seq()
        ));
    }
    if source.len() != target.len() {
        return Some(format!(
            "{} users are ranked, and not {}",
            target.len(),
            source.len()
        ));
    }
    let rows = source.rows(0..usize::MAX).zip(target.rows(0..usize::MAX));
    let place = rows.enumerate().find(|(_, (one, other))| one != other)?.0;
    Some(format!("the row at place {} is another", place + 1))
}

/// What a log is as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) epoch: Epoch,
    /// The last entry, 0 for none. All up to it have ranks.
    pub(super) seq: u64,
}

/// A part of a board, in no store's own form.
///
/// A source tells all entries before histories, and those before ids of actions. It may
/// tell a record twice.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// A user after the last entry.
    Member(Member),
    /// An entry of the log, with the action's id, if it is one and that is known.
    Entry(LogEntry, Option<Box<str>>),
    /// What is known of a user's actions since they were registered, in the order of
    /// the log, each with its number among all that were counted.
    History(UserId, Vec<(u64, RecentAction)>),
    /// An id that is not counted again.
    Counted(Counted),
    /// An announcement, with the number of its entry.
    Announced(u64, Announcement),
    /// Up to which second tokens of a user are void.
    Revoked(UserId, u64),
    /// An action that counts against a limit.
    Limited(Limited),
}

/// An action that was counted, and what was answered.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) id: Box<str>,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) user: UserId,
    pub(super) action_type: Box<str>,
    pub(super) increase: i64,
    pub(super) score: Score,
    pub(super) rank: Option<u64>,
    pub(super) old_rank: Option<u64>,
}

/// When an action was counted that has limits.
#[derive(Clone, Debug, Hash)]
pub(super) struct Limited {
    pub(super) user: UserId,
    pub(super) action_type: Box<str>,
    pub(super) at: Timestamp,
    pub(super) seq: u64,
}

impl Limited {
    /// When no window reaches back to it any more.
    pub(super) fn until(&self) -> Timestamp {
        Timestamp(self.at.0.saturating_add(Window::Day.millis()))
    }
}

impl Record {
    /// How many it counts as.
    fn len(&self) -> u64 {
        match self {
            Record::History(_, points) => points.len() as u64,
            _ => 1,
        }
    }
}

impl Summary {
    fn count(&mut self, record: &Record) -> &mut Count {
        match record {
            Record::Member(_) => &mut self.users,
            Record::Entry(..) => &mut self.entries,
            Record::History(..) => &mut self.points,
            Record::Counted(_) => &mut self.actions,
            Record::Announced(..) => &mut self.announcements,
            Record::Revoked(..) => &mut self.revocations,
            Record::Limited(_) => &mut self.limited,
        }
    }
}

/// What a store forgets by itself, while a migration goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lasting {
    /// What ends until then may be gone when it is looked for.
    pub(super) until: Timestamp,
    /// How long ids of actions are known, in milliseconds.
    pub(super) actions: u64,
}

impl Lasting {
    /// Is it sure to be there when the migration is over?
    fn holds(self, record: &Record) -> bool {
        let ends = match record {
            Record::Counted(counted) => counted.at.0.saturating_add(self.actions),
            Record::Announced(_, announcement) => announcement.until.0,
            Record::Limited(limited) => limited.until().0,
            Record::Member(_) | Record::Entry(..) | Record::History(..) | Record::Revoked(..) => {
                u64::MAX
            }
        };
        ends > self.until.0
    }
}

/// Records, as far as is needed to say whether one is among them.
#[derive(Default)]
struct Digests(Vec<u64>);

impl Digests {
    /// Adds what lasts.
    fn add(&mut self, record: &Record, lasting: Option<Lasting>) {
        if lasting.is_some_and(|lasting| !lasting.holds(record)) {
            return;
        }
        match record {
            Record::Member(member) => self.push(("member", member)),
            // The id is a record of its own.
            Record::Entry(entry, _) => self.push(("entry", entry)),
            Record::History(user, points) => {
                for (_, action) in points {
                    self.push(("point", user, action));
                }
            }
            // The moment follows from when a store forgets it, nearly.
            Record::Counted(counted) => self.push((
                ("counted", &counted.id, counted.seq, counted.user),
                (&counted.action_type, counted.increase, counted.score),
                (counted.rank, counted.old_rank),
            )),
            Record::Announced(seq, announcement) => self.push(("announced", seq, announcement)),
            Record::Revoked(user, until) => self.push(("revoked", user, until)),
            Record::Limited(limited) => self.push(("limited", limited)),
        }
    }

    fn push(&mut self, record: impl Hash) {
        let mut hasher = DefaultHasher::new();
        record.hash(&mut hasher);
        self.0.push(hasher.finish());
    }

    /// How many of these are not among the others.
    fn missing_in(mut self, others: Digests) -> usize {
        let mut others = others.0;
        others.sort_unstable();
        self.0.sort_unstable();
        self.0.dedup();
        let missing = self.0.iter();
        missing
            .filter(|digest| others.binary_search(digest).is_err())
            .count()
    }
}

/// An action that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAction {
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
            user: counted.user,
            action_type: counted.action_type,
            increase: counted.increase,
        }
    }
}

/// A board that is looked at and left as it is.
pub struct Peek(Source);

impl Peek {
    /// Opens a board and loads it; `None` if there is none. Then none is made.
    ///
    /// # Errors
    /// If what is there cannot be opened or read.
    pub async fn open(
        url: &StoreUrl,
        board: &BoardId,
        rules: Rules,
    ) -> Result<Option<(Opened, Peek)>, StoreError> {
        let found = match url {
            StoreUrl::Sqlite(path) => sqlite::Source::peek(path, board, rules)?
                .map(|(opened, source)| (opened, Source::Sqlite(Box::new(source)))),
            StoreUrl::Redis(servers) => redis::Source::peek(servers, board, rules)
                .await?
                .map(|(opened, source)| (opened, Source::Redis(Box::new(source)))),
        };
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
        let counted = match &mut self.0 {
            Source::Sqlite(source) => source.counted(ids)?,
            Source::Redis(source) => source.counted(ids).await?,
        };
        let known = counted.into_iter().map(|it| it.map(KnownAction::from));
        Ok(known.collect())
    }
}

/// Where a board is read.
enum Source {
    Sqlite(Box<sqlite::Source>),
    Redis(Box<redis::Source>),
}

impl Source {
    async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Source::Sqlite(source) => source.read(each).await,
            Source::Redis(source) => source.read(each).await,
        }
    }

    /// Has nobody written to it since it was opened?
    async fn is_as_it_was(&mut self) -> Result<bool, StoreError> {
        match self {
            // It is locked.
            Source::Sqlite(_) => Ok(true),
            Source::Redis(source) => source.is_as_it_was().await,
        }
    }
}

/// Where a board is written.
enum Target {
    Sqlite(Box<sqlite::Target>),
    Redis(Box<redis::Target>),
}

impl Target {
    /// The epoch that the board has there.
    fn epoch(&self) -> Epoch {
        match self {
            Target::Sqlite(target) => target.epoch(),
            Target::Redis(target) => target.epoch(),
        }
    }

    /// What it forgets, if it forgets anything.
    fn lasting(&self) -> Option<Lasting> {
        match self {
            Target::Sqlite(_) => None,
            Target::Redis(target) => Some(target.lasting()),
        }
    }

    /// What it keeps of a record.
    fn keep(&self, record: Record) -> Option<Record> {
        match self {
            Target::Sqlite(_) => Some(record),
            Target::Redis(target) => target.keep(record),
        }
    }

    async fn write(&mut self, record: Record) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.write(record),
            Target::Redis(target) => target.write(record).await,
        }
    }

    /// Writes what the board is as a whole, and loads it as a server does.
    async fn complete(&mut self, rules: Rules) -> Result<Opened, StoreError> {
        match self {
            Target::Sqlite(target) => target.complete(rules),
            Target::Redis(target) => target.complete().await,
        }
    }

    async fn read(
        &mut self,
        each: impl AsyncFnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.read(each).await,
            Target::Redis(target) => target.read(each).await,
        }
    }

    /// Lets others open the board.
    async fn set_free(self) -> Result<(), StoreError> {
        match self {
            Target::Sqlite(target) => target.set_free(),
            Target::Redis(target) => target.set_free().await,
        }
    }
}
