-- The database as schema 1 left it: what was there before texts had tables.

-- Times are UTC milliseconds since 1970; 0 is no time. IDs are UUIDv7 text.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The one event log. Each start of the box begins a new range of seq.
CREATE TABLE journal (
    seq   INTEGER PRIMARY KEY,
    time  INTEGER NOT NULL,
    type  TEXT NOT NULL,
    call  TEXT NOT NULL,
    agent TEXT NOT NULL,
    doc   TEXT NOT NULL
) STRICT;

-- One record a call; doc is the record, the columns are what it is found by.
CREATE TABLE calls (
    id          TEXT PRIMARY KEY,
    seize       INTEGER NOT NULL,
    last        INTEGER NOT NULL, -- time of the last event
    from_number TEXT NOT NULL,    -- E.164, else digits, else as received
    to_number   TEXT NOT NULL,
    agent       TEXT NOT NULL,
    queue       TEXT NOT NULL,
    result      TEXT,             -- NULL while the call runs
    doc         TEXT NOT NULL,
    told        INTEGER NOT NULL DEFAULT 0, -- notices given: 1 new 2 answer 4 hangup 8 record
    -- what may be filled in beside the record
    acw_end     INTEGER NOT NULL DEFAULT 0,
    disposition TEXT,
    survey      TEXT,
    recording   TEXT
) STRICT;
CREATE INDEX calls_seize ON calls (seize, id);
CREATE INDEX calls_running ON calls (id) WHERE result IS NULL;
CREATE INDEX calls_wrap_up ON calls (id) WHERE result IS NOT NULL AND acw_end = 0 AND agent != '';
CREATE INDEX calls_from ON calls (from_number, seize, id);
CREATE INDEX calls_to ON calls (to_number, seize, id);
CREATE INDEX calls_agent ON calls (agent, seize, id);
CREATE INDEX calls_queue ON calls (queue, seize, id);

-- Every agent a call was offered to: who may see it.
CREATE TABLE call_agents (
    agent TEXT NOT NULL,
    call  TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    PRIMARY KEY (agent, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_agents_call ON call_agents (call);

-- The outbox: a notice is written with what it tells, and goes to each endpoint.
CREATE TABLE notices (
    id        TEXT PRIMARY KEY,
    event     TEXT NOT NULL,
    order_key TEXT NOT NULL,
    time      INTEGER NOT NULL,
    body      TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    notice    TEXT NOT NULL REFERENCES notices (id),
    endpoint  TEXT NOT NULL, -- whose queue: the subscription's URL, or a callback's scheme and host
    url       TEXT NOT NULL,
    trusted   INTEGER NOT NULL, -- the URL stands in the configuration file
    signer    TEXT NOT NULL,    -- id of the API key that signs a callback
    order_key TEXT NOT NULL,
    dead      INTEGER NOT NULL DEFAULT 0,
    head      INTEGER NOT NULL DEFAULT 0, -- the first of its order key
    attempt   INTEGER NOT NULL DEFAULT 0, -- attempts made
    first     INTEGER NOT NULL DEFAULT 0, -- first attempt
    next      INTEGER NOT NULL,           -- next attempt
    error     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX deliveries_due ON deliveries (endpoint, next) WHERE head = 1;
CREATE INDEX deliveries_order ON deliveries (endpoint, order_key, id) WHERE dead = 0;
CREATE INDEX deliveries_dead ON deliveries (id) WHERE dead = 1;
CREATE INDEX deliveries_notice ON deliveries (notice);

-- Who may log in; an agent is a user with an extension.
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    extension     TEXT UNIQUE,
    ha1_md5       TEXT NOT NULL,
    ha1_sha256    TEXT NOT NULL,
    skills        TEXT NOT NULL,
    queues        TEXT NOT NULL,
    listed        INTEGER NOT NULL -- belongs to the site's agents
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    hash         BLOB NOT NULL UNIQUE,
    sealed       BLOB NOT NULL,
    scopes       TEXT NOT NULL,
    account_sid  TEXT NOT NULL UNIQUE,
    confirm_over INTEGER NOT NULL,
    created      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    token   BLOB PRIMARY KEY, -- SHA-256 of the cookie's
    data    BLOB NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_expires ON sessions (expires);

-- What a supervisor edits, as documents: queue, route, flow, template, calendars.
CREATE TABLE objects (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    pos  INTEGER NOT NULL,
    doc  TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
    id   TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    doc  TEXT NOT NULL
) STRICT;

CREATE TABLE customer_numbers (
    number   TEXT NOT NULL, -- E.164, or the digits as given
    customer TEXT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    PRIMARY KEY (number, customer)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_numbers_customer ON customer_numbers (customer);

CREATE TABLE desks (
    agent  TEXT PRIMARY KEY,
    state  TEXT NOT NULL,
    reason TEXT NOT NULL,
    since  INTEGER NOT NULL,
    call   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (
    user       TEXT NOT NULL,
    contact    TEXT NOT NULL,
    source     TEXT NOT NULL,
    transport  TEXT NOT NULL,
    expires    INTEGER NOT NULL,
    call_id    TEXT NOT NULL,
    cseq       INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    PRIMARY KEY (user, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE dialogs (
    id  TEXT PRIMARY KEY,
    doc TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recordings (
    id      TEXT PRIMARY KEY,
    path    TEXT NOT NULL,
    law     TEXT NOT NULL,
    started INTEGER NOT NULL,
    state   TEXT NOT NULL,
    seconds REAL NOT NULL,
    missing REAL NOT NULL,
    why     TEXT NOT NULL,
    sha256  TEXT NOT NULL,
    mixed   INTEGER NOT NULL
) STRICT;
CREATE INDEX recordings_started ON recordings (started, id);
CREATE INDEX recordings_open ON recordings (id) WHERE state = 'recording';

-- Each row's hash covers the row before: a changed or missing row shows.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    who    TEXT NOT NULL,
    what   TEXT NOT NULL,
    object TEXT NOT NULL,
    origin TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

CREATE TABLE goose_db_version (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL,
    is_applied INTEGER NOT NULL,
    tstamp     TIMESTAMP DEFAULT (datetime('now'))
);
INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1);
INSERT INTO meta VALUES ('starts', '41');
INSERT INTO users (id, name, role, password_hash, extension, ha1_md5, ha1_sha256, skills, queues, listed)
    VALUES ('1001', '王芳', 'agent', '', '1001', '', '', '{"repair":5}', '["repair"]', 1);
INSERT INTO calls (id, seize, last, from_number, to_number, agent, queue, result, doc)
    VALUES ('old-call', 1772441400000, 1772441460000, '+8613800138000', '+864001234567', '1001', 'repair', 'answered',
    '{"id":"old-call","direction":"in","result":"answered","agent":{"id":"1001","name":"王芳"},"times":{"seize":"2026-03-02T08:50:00.000Z"}}');
INSERT INTO customers VALUES ('c1', '张三', '{"id":"c1","name":"张三","numbers":["13800138000"]}');
INSERT INTO customer_numbers VALUES ('+8613800138000', 'c1');
