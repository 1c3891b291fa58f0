-- +goose Up

-- Who wanted an agent and got none: one row a number and queue until somebody
-- has done what there is to do.
CREATE TABLE missed (
    row          INTEGER PRIMARY KEY,
    call         TEXT NOT NULL,    -- the last one
    kind         TEXT NOT NULL,    -- missed, voicemail
    number       TEXT NOT NULL,    -- what it is found by; '': withheld
    queue        TEXT NOT NULL,
    agent        TEXT NOT NULL,    -- where there is no queue: whose telephone rang, or ''
    time         INTEGER NOT NULL, -- when the last call came
    first        INTEGER NOT NULL, -- and the first
    tries        INTEGER NOT NULL DEFAULT 1,
    doc          TEXT NOT NULL,    -- JSON: number, customer and queue as they are shown
    claimed      INTEGER NOT NULL DEFAULT 0,
    claimed_by   TEXT NOT NULL DEFAULT '',
    claimed_name TEXT NOT NULL DEFAULT '',
    done         INTEGER NOT NULL DEFAULT 0,
    done_by      TEXT NOT NULL DEFAULT '',
    done_name    TEXT NOT NULL DEFAULT '',
    outcome      TEXT NOT NULL DEFAULT '',
    note         TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX missed_open ON missed (number, queue, agent) WHERE done = 0 AND number != '';
CREATE INDEX missed_time ON missed (time, call);
CREATE INDEX missed_queue ON missed (queue, time, call);
CREATE INDEX missed_voicemail ON missed (queue, done) WHERE kind = 'voicemail';

-- The calls of a row; those with seconds left a message.
CREATE TABLE missed_calls (
    call       TEXT PRIMARY KEY,
    missed     INTEGER NOT NULL REFERENCES missed (row) ON DELETE CASCADE,
    time       INTEGER NOT NULL,
    voice_from REAL NOT NULL,
    seconds    REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX missed_calls_missed ON missed_calls (missed, time);
