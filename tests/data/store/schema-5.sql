CREATE TABLE "announcements" (
        board      INTEGER NOT NULL,
        seq        INTEGER NOT NULL,
        id         BLOB    NOT NULL,
        kind       TEXT    NOT NULL,
        message    TEXT    NOT NULL,
        severity   TEXT    NOT NULL,
        audience   TEXT    NOT NULL,
        -- Where `audience` is 'user'.
        user       BLOB,
        shown_from INTEGER NOT NULL,
        until      INTEGER NOT NULL,
        duration   INTEGER,
        PRIMARY KEY (board, seq)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE boards (
        id             INTEGER PRIMARY KEY,
        name           TEXT    NOT NULL UNIQUE,
        epoch          INTEGER NOT NULL,
        -- The rule by which its scores were decided: `Rules::deciding`.
        deciding       TEXT    NOT NULL,
        ranked_through INTEGER NOT NULL DEFAULT 0
    , migrating INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "boards" VALUES(1,'main',5154699736210273504,'sum',12,0);
CREATE TABLE counted_actions (
        board       INTEGER NOT NULL,
        action_id   TEXT    NOT NULL,
        seq         INTEGER NOT NULL,
        at          INTEGER NOT NULL,
        user        BLOB    NOT NULL,
        action_type TEXT    NOT NULL,
        increase    INTEGER NOT NULL,
        score       INTEGER NOT NULL,
        rank        INTEGER,
        old_rank    INTEGER,
        PRIMARY KEY (board, action_id)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE limited_actions (
        board       INTEGER NOT NULL,
        user        BLOB    NOT NULL,
        action_type TEXT    NOT NULL,
        at          INTEGER NOT NULL,
        seq         INTEGER NOT NULL,
        PRIMARY KEY (board, user, action_type, at, seq)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE "log" (
        board          INTEGER NOT NULL,
        seq            INTEGER NOT NULL,
        at             INTEGER NOT NULL,
        kind           TEXT    NOT NULL
                       CHECK (kind IN ('user', 'action', 'deleted', 'revoked', 'announced')),
        user           BLOB,
        username       TEXT,
        avatar         TEXT,
        action_id      TEXT,
        action_type    TEXT,
        increase       INTEGER,
        score          INTEGER,
        score_before   INTEGER,
        reached_before INTEGER,
        rank           INTEGER,
        old_rank       INTEGER,
        issued_until   INTEGER,
        PRIMARY KEY (board, seq)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "log" VALUES(1,1,1795847909381,'user',X'01010101010101010101010101010101','user 1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,NULL);
INSERT INTO "log" VALUES(1,2,1795847909388,'user',X'02020202020202020202020202020202','user 2',NULL,NULL,NULL,NULL,NULL,NULL,NULL,2,NULL,NULL);
INSERT INTO "log" VALUES(1,3,1795847909392,'user',X'03030303030303030303030303030303','user 3',NULL,NULL,NULL,NULL,NULL,NULL,NULL,3,NULL,NULL);
INSERT INTO "log" VALUES(1,4,1795847909395,'action',X'01010101010101010101010101010101',NULL,NULL,'a','test',5,5,0,1,1,1,NULL);
INSERT INTO "log" VALUES(1,5,1795847909398,'action',X'02020202020202020202020202020202',NULL,NULL,'b','test',8,8,0,2,1,2,NULL);
INSERT INTO "log" VALUES(1,6,1795847909401,'action',X'03030303030303030303030303030303',NULL,NULL,'c','test',2,2,0,3,3,3,NULL);
INSERT INTO "log" VALUES(1,7,1795847909403,'user',X'01010101010101010101010101010101','Zoë',NULL,NULL,NULL,NULL,NULL,5,4,2,2,NULL);
INSERT INTO "log" VALUES(1,8,1795847909406,'deleted',X'03030303030303030303030303030303',NULL,NULL,NULL,NULL,NULL,NULL,2,6,NULL,3,NULL);
INSERT INTO "log" VALUES(1,9,1795847909409,'user',X'03030303030303030303030303030303','user 3 again',NULL,NULL,NULL,NULL,NULL,NULL,NULL,3,NULL,NULL);
INSERT INTO "log" VALUES(1,10,1795847909411,'action',X'03030303030303030303030303030303',NULL,NULL,'d','test',1,1,0,9,3,3,NULL);
INSERT INTO "log" VALUES(1,11,1795847909414,'action',X'01010101010101010101010101010101',NULL,NULL,'e','test',4,9,5,4,1,2,NULL);
INSERT INTO "log" VALUES(1,12,1795847909421,'action',X'02020202020202020202020202020202',NULL,NULL,'f','test',-20,-12,8,5,3,2,NULL);
INSERT INTO "log" VALUES(1,13,1795847909426,'action',X'01010101010101010101010101010101',NULL,NULL,'g','test',1,10,9,11,NULL,NULL,NULL);
CREATE TABLE revocations (
        board        INTEGER NOT NULL,
        user         BLOB    NOT NULL,
        issued_until INTEGER NOT NULL,
        PRIMARY KEY (board, user)
    ) STRICT, WITHOUT ROWID;
CREATE TABLE users (
        board    INTEGER NOT NULL,
        id       BLOB    NOT NULL,
        username TEXT    NOT NULL,
        avatar   TEXT,
        score    INTEGER,
        reached  INTEGER, best_rank INTEGER,
        PRIMARY KEY (board, id)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "users" VALUES(1,X'01010101010101010101010101010101','Zoë',NULL,10,13,1);
INSERT INTO "users" VALUES(1,X'02020202020202020202020202020202','user 2',NULL,-12,12,1);
INSERT INTO "users" VALUES(1,X'03030303030303030303030303030303','user 3 again',NULL,1,10,3);
CREATE UNIQUE INDEX log_action_id ON log (board, action_id) WHERE action_id IS NOT NULL;
CREATE INDEX limited_actions_at ON limited_actions (board, at);
CREATE INDEX log_user_actions ON log (board, user, seq, at) WHERE kind = 'action';
CREATE INDEX log_deleted ON log (board, user, seq) WHERE kind = 'deleted';
CREATE INDEX announcements_id ON announcements (board, id);
