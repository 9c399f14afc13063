-- One log, and many boards. What was one board with users becomes people, and what they have
-- on `main`. All ranks have been written before.
CREATE TABLE log_state (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    epoch          INTEGER NOT NULL,
    -- People, teams, boards and what they have are as of this entry; the few after it are
    -- folded when the file is opened.
    folded_through INTEGER NOT NULL,
    -- Whether a migration from another store is still writing it.
    migrating      INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO log_state (id, epoch, folded_through, migrating)
SELECT 1, epoch, ranked_through, migrating FROM boards;

CREATE TABLE people (
    id         BLOB    PRIMARY KEY,
    username   TEXT    NOT NULL,
    avatar     TEXT,
    -- The entry by which somebody was registered.
    registered INTEGER NOT NULL,
    team       BLOB,
    -- A list in JSON.
    groups     TEXT,
    hidden     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
    id     BLOB PRIMARY KEY,
    name   TEXT NOT NULL,
    avatar TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE boards_2 (
    id          TEXT    PRIMARY KEY,
    -- In JSON, as the API shows them.
    settings    TEXT    NOT NULL,
    -- How many facts it holds, and when the last was taken.
    seq         INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    is_used     INTEGER NOT NULL,
    season      INTEGER,
    season_ends INTEGER,
    -- The entry as of which it is, where that is later than `folded_through`.
    as_of       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE standings (
    board     TEXT    NOT NULL,
    user      BLOB    NOT NULL,
    score     INTEGER NOT NULL,
    tiebreak  INTEGER,
    reached   INTEGER NOT NULL,
    -- The best after an action of one's own.
    best_rank INTEGER,
    PRIMARY KEY (board, user)
) STRICT, WITHOUT ROWID;

-- What people have on boards of teams.
CREATE TABLE members (
    board    TEXT    NOT NULL,
    user     BLOB    NOT NULL,
    team     BLOB    NOT NULL,
    score    INTEGER NOT NULL,
    tiebreak INTEGER,
    reached  INTEGER NOT NULL,
    PRIMARY KEY (board, user, team)
) STRICT, WITHOUT ROWID;

-- From which number another board counts on that is given the id of a deleted one.
CREATE TABLE deleted_boards (
    id        TEXT    PRIMARY KEY,
    first_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Seasons that have ended, and their standings in order.
CREATE TABLE seasons (
    board  TEXT    NOT NULL,
    number INTEGER NOT NULL,
    ends   INTEGER NOT NULL,
    -- The entry by which it ended.
    ended_by INTEGER NOT NULL,
    PRIMARY KEY (board, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE final_standings (
    board    TEXT    NOT NULL,
    season   INTEGER NOT NULL,
    position INTEGER NOT NULL,
    user     BLOB,
    team     BLOB,
    rank     INTEGER NOT NULL,
    score    INTEGER NOT NULL,
    tiebreak INTEGER,
    PRIMARY KEY (board, season, position)
) STRICT, WITHOUT ROWID;

-- Which columns are filled depends on the kind; `tiebreak_increase` and `tiebreak` are empty
-- for 0. `rank`, `old_rank` and `board_seq`, the
-- number of the action among the facts of its board, are filled up to
-- `log_state.folded_through`; without `board_seq` that number is `seq`.
CREATE TABLE log_2 (
    seq               INTEGER PRIMARY KEY,
    at                INTEGER NOT NULL,
    kind              TEXT    NOT NULL CHECK (kind IN (
        'user', 'grouped', 'hidden', 'deleted', 'team', 'action', 'board', 'board_deleted',
        'season_ended', 'revoked', 'announced')),
    board             TEXT,
    user              BLOB,
    team              BLOB,
    username          TEXT,
    avatar            TEXT,
    action_id         TEXT,
    action_type       TEXT,
    increase          INTEGER,
    tiebreak_increase INTEGER,
    score             INTEGER,
    tiebreak          INTEGER,
    rank              INTEGER,
    old_rank          INTEGER,
    board_seq         INTEGER,
    issued_until      INTEGER,
    -- What has no column, in JSON.
    detail            TEXT,
    CHECK (kind <> 'action' OR (board IS NOT NULL AND user IS NOT NULL
        AND action_type IS NOT NULL AND increase IS NOT NULL AND score IS NOT NULL))
) STRICT;
INSERT INTO log_2 (seq, at, kind, board, user, username, avatar, action_id, action_type,
                   increase, score, rank, old_rank, issued_until)
SELECT seq, at, kind, iif(kind = 'action', 'main', NULL), user, username, avatar, action_id,
       action_type, increase, score, rank, old_rank, issued_until
FROM log;

WITH gone AS (
    SELECT user, max(seq) AS seq FROM log_2 WHERE kind = 'deleted' GROUP BY user
), registered AS (
    SELECT log_2.user, min(log_2.seq) AS seq FROM log_2 LEFT JOIN gone USING (user)
    WHERE kind IN ('user', 'action') AND log_2.seq > coalesce(gone.seq, 0) GROUP BY log_2.user
)
INSERT INTO people (id, username, avatar, registered)
-- Of somebody whose registration the log has lost, the first entry that is known.
SELECT id, username, avatar,
       coalesce(min(registered.seq, coalesce(reached, registered.seq)), reached, 1)
FROM users LEFT JOIN registered ON registered.user = users.id;
INSERT INTO standings (board, user, score, tiebreak, reached, best_rank)
SELECT 'main', id, score, NULL, reached, best_rank FROM users WHERE score IS NOT NULL;

DROP TABLE log;
DROP TABLE users;
DROP TABLE boards;
ALTER TABLE log_2 RENAME TO log;
ALTER TABLE boards_2 RENAME TO boards;
CREATE UNIQUE INDEX log_action_id ON log (action_id) WHERE action_id IS NOT NULL;
-- For looking back. With `at`, when a user acted is in the index alone.
CREATE INDEX log_user_actions ON log (board, user, seq, at) WHERE kind = 'action';
CREATE INDEX log_deleted ON log (user, seq) WHERE kind = 'deleted';
CREATE INDEX log_grouped ON log (user, seq) WHERE kind = 'grouped';
CREATE INDEX log_deleted_boards ON log (board, seq) WHERE kind = 'board_deleted';

CREATE TABLE announcements_3 (
    seq        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    severity   TEXT    NOT NULL,
    audience   TEXT    NOT NULL,
    -- Where `audience` is 'user'.
    user       BLOB,
    shown_from INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    duration   INTEGER
) STRICT;
INSERT INTO announcements_3
SELECT seq, id, kind, message, severity, audience, user, shown_from, until, duration
FROM announcements;
DROP TABLE announcements;
ALTER TABLE announcements_3 RENAME TO announcements;
CREATE INDEX announcements_id ON announcements (id);

CREATE TABLE revocations_2 (
    user         BLOB    PRIMARY KEY,
    issued_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO revocations_2 SELECT user, issued_until FROM revocations;
DROP TABLE revocations;
ALTER TABLE revocations_2 RENAME TO revocations;

CREATE TABLE limited_actions_2 (
    user        BLOB    NOT NULL,
    action_type TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY (user, action_type, at, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO limited_actions_2 SELECT user, action_type, at, seq FROM limited_actions;
DROP TABLE limited_actions;
ALTER TABLE limited_actions_2 RENAME TO limited_actions;
CREATE INDEX limited_actions_at ON limited_actions (at);

CREATE TABLE counted_actions_2 (
    action_id         TEXT    PRIMARY KEY,
    seq               INTEGER NOT NULL,
    at                INTEGER NOT NULL,
    board             TEXT    NOT NULL,
    user              BLOB    NOT NULL,
    action_type       TEXT    NOT NULL,
    increase          INTEGER NOT NULL,
    tiebreak_increase INTEGER,
    score             INTEGER NOT NULL,
    tiebreak          INTEGER,
    rank              INTEGER,
    old_rank          INTEGER,
    board_seq         INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO counted_actions_2
SELECT action_id, seq, at, 'main', user, action_type, increase, NULL, score, NULL, rank, old_rank,
       NULL
FROM counted_actions;
DROP TABLE counted_actions;
ALTER TABLE counted_actions_2 RENAME TO counted_actions;
