-- +goose Up

-- One job: one text to some numbers. Its status follows from its messages'.
CREATE TABLE sms_jobs (
    id      TEXT PRIMARY KEY,
    ref     TEXT NOT NULL,
    key     TEXT UNIQUE,   -- the client's; NULL: none
    digest  TEXT NOT NULL, -- of the request, for key
    class   TEXT NOT NULL,
    account TEXT NOT NULL, -- the one asked for; '': any
    replies TEXT NOT NULL, -- JSON: answer to word
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX sms_jobs_ref ON sms_jobs (ref, id);

-- One recipient's text of a job.
CREATE TABLE sms_messages (
    id         TEXT PRIMARY KEY,
    job        TEXT NOT NULL REFERENCES sms_jobs (id) ON DELETE CASCADE,
    number     TEXT NOT NULL, -- E.164
    raw        TEXT NOT NULL,
    text       TEXT NOT NULL, -- signed, unless the carrier's gateway signs
    status     TEXT NOT NULL,
    parts      INTEGER NOT NULL,
    account    TEXT NOT NULL,
    ref        TEXT NOT NULL, -- the job's
    error      TEXT NOT NULL, -- JSON, null: none
    maybe_sent INTEGER NOT NULL,
    times      TEXT NOT NULL, -- JSON: status to milliseconds
    rank       INTEGER NOT NULL, -- claimed lowest first
    extension  TEXT NOT NULL,
    reserve    INTEGER NOT NULL,
    reference  INTEGER NOT NULL, -- of a long message, as last claimed
    lost       INTEGER NOT NULL,
    pieces     TEXT NOT NULL, -- JSON: the parts' ids and Stats
    callback   TEXT NOT NULL,
    signer     TEXT NOT NULL,
    created    INTEGER NOT NULL,
    changed    INTEGER NOT NULL -- last change of status
) STRICT;
CREATE INDEX sms_messages_queue ON sms_messages (account, rank, id) WHERE status = 'queued';
CREATE INDEX sms_messages_submitting ON sms_messages (status, number, id) WHERE status = 'submitting';
CREATE INDEX sms_messages_maybe ON sms_messages (number, id) WHERE maybe_sent = 1;
CREATE INDEX sms_messages_submitted ON sms_messages (account, changed) WHERE status = 'submitted';
CREATE INDEX sms_messages_job ON sms_messages (job, id);
CREATE INDEX sms_messages_number ON sms_messages (number, id);

-- Which message a part at the carrier belongs to. Ids come again after a year:
-- the last one counts.
CREATE TABLE sms_parts (
    account TEXT NOT NULL,
    id      TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;

-- Reports whose message is not known yet.
CREATE TABLE sms_parked (
    account TEXT NOT NULL,
    id      TEXT NOT NULL,
    number  TEXT NOT NULL,
    stat    TEXT NOT NULL,
    done    TEXT NOT NULL,
    time    INTEGER NOT NULL,
    PRIMARY KEY (account, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_parked_time ON sms_parked (time);

-- The last reference of a long message to a number.
CREATE TABLE sms_references (
    account TEXT NOT NULL,
    number  TEXT NOT NULL,
    last    INTEGER NOT NULL,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- The last extension that an account's jobs were given.
CREATE TABLE sms_extensions (
    account TEXT PRIMARY KEY,
    last    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Incoming texts that came before.
CREATE TABLE sms_seen (
    account TEXT NOT NULL,
    id      TEXT NOT NULL,
    sender  TEXT NOT NULL,
    time    INTEGER NOT NULL,
    PRIMARY KEY (account, id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX sms_seen_time ON sms_seen (time);

-- Parts of long incoming texts.
CREATE TABLE sms_fragments (
    account TEXT NOT NULL,
    sender  TEXT NOT NULL,
    dest    TEXT NOT NULL,
    ref     INTEGER NOT NULL,
    total   INTEGER NOT NULL,
    idx     INTEGER NOT NULL,
    id      TEXT NOT NULL,
    text    TEXT NOT NULL,
    time    INTEGER NOT NULL,
    PRIMARY KEY (account, sender, dest, ref, total, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE sms_inbox (
    id         TEXT PRIMARY KEY,
    time       INTEGER NOT NULL,
    sender     TEXT NOT NULL, -- E.164, or ''
    raw        TEXT NOT NULL,
    dest       TEXT NOT NULL,
    text       TEXT NOT NULL,
    account    TEXT NOT NULL,
    ref        TEXT NOT NULL,
    job        TEXT NOT NULL, -- the one it answers, or ''
    match      REAL NOT NULL,
    keyword    TEXT NOT NULL,
    incomplete INTEGER NOT NULL
) STRICT;
