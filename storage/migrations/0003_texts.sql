-- +goose Up

-- What a job waits for, and what it does when nobody answers.
ALTER TABLE sms_jobs ADD COLUMN awaiting INTEGER NOT NULL DEFAULT 0; -- a confirmation
ALTER TABLE sms_jobs ADD COLUMN dedup TEXT NOT NULL DEFAULT '';
ALTER TABLE sms_jobs ADD COLUMN dedup_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_jobs ADD COLUMN send_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_jobs ADD COLUMN valid_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_jobs ADD COLUMN notice TEXT NOT NULL DEFAULT ''; -- JSON: tiers and repeats; '': none
ALTER TABLE sms_jobs ADD COLUMN step INTEGER NOT NULL DEFAULT 0; -- when the notice's next step is; 0: none
ALTER TABLE sms_jobs ADD COLUMN ack TEXT NOT NULL DEFAULT 'null'; -- JSON
CREATE INDEX sms_jobs_dedup ON sms_jobs (dedup, dedup_until) WHERE dedup != '';
CREATE INDEX sms_jobs_step ON sms_jobs (step) WHERE step > 0;

ALTER TABLE sms_messages ADD COLUMN class TEXT NOT NULL DEFAULT '';
ALTER TABLE sms_messages ADD COLUMN due INTEGER NOT NULL DEFAULT 0;        -- when a scheduled one is queued, or was; 0: by something else
ALTER TABLE sms_messages ADD COLUMN valid_until INTEGER NOT NULL DEFAULT 0; -- not submitted after that; 0: always
ALTER TABLE sms_messages ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;      -- to its account: no fail-over
ALTER TABLE sms_messages ADD COLUMN tier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_messages ADD COLUMN token TEXT NOT NULL DEFAULT '';        -- of the link that acknowledges
ALTER TABLE sms_messages ADD COLUMN again INTEGER NOT NULL DEFAULT 0;    -- which repeat it is; 0: the first copy
ALTER TABLE sms_messages ADD COLUMN format TEXT NOT NULL DEFAULT '';       -- of the callbacks
ALTER TABLE sms_messages ADD COLUMN late INTEGER NOT NULL DEFAULT 0;       -- told that it is not delivered in time
CREATE INDEX sms_messages_due ON sms_messages (due) WHERE status = 'scheduled' AND due > 0;
-- Released ones that may be late: what is late counts from due there, else from
-- created, in the order of rowid.
CREATE INDEX sms_messages_released ON sms_messages (due)
    WHERE due > 0 AND late = 0 AND status IN ('queued', 'submitting', 'submitted', 'unknown');
CREATE INDEX sms_messages_valid ON sms_messages (valid_until) WHERE valid_until > 0 AND status IN ('scheduled', 'queued');
CREATE UNIQUE INDEX sms_messages_token ON sms_messages (token) WHERE token != '';

ALTER TABLE sms_inbox ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE sms_inbox ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_inbox ADD COLUMN answer TEXT NOT NULL DEFAULT ''; -- the job that answers it
CREATE INDEX sms_inbox_job ON sms_inbox (job) WHERE job != '';
CREATE INDEX sms_inbox_time ON sms_inbox (time);

-- What a part came as, where it may begin or end within a character.
ALTER TABLE sms_fragments ADD COLUMN alphabet TEXT NOT NULL DEFAULT ''; -- of octets; '': there is text
ALTER TABLE sms_fragments ADD COLUMN octets BLOB NOT NULL DEFAULT x'';

-- Parts of long incoming texts that were put together, against those that come
-- again. again: it did.
CREATE TABLE sms_finished (
    account  TEXT NOT NULL,
    sender   TEXT NOT NULL,
    dest     TEXT NOT NULL,
    ref      INTEGER NOT NULL,
    total    INTEGER NOT NULL,
    idx      INTEGER NOT NULL,
    text     TEXT NOT NULL,
    alphabet TEXT NOT NULL,
    octets   BLOB NOT NULL,
    again    INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    PRIMARY KEY (account, sender, dest, ref, total, idx)
) STRICT, WITHOUT ROWID;

-- Numbers that get no texts: blocked by the desk, or unsubscribed from
-- marketing.
CREATE TABLE sms_blocked (
    number TEXT PRIMARY KEY, -- E.164
    kind   TEXT NOT NULL,    -- blocked or unsubscribed
    why    TEXT NOT NULL,
    time   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a supervisor sets for all texts: quiet_hours, routes, codes.
CREATE TABLE sms_settings (
    name TEXT PRIMARY KEY,
    doc  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

-- How many messages a key has sent on a day.
CREATE TABLE sms_quota (
    signer TEXT NOT NULL,
    day    TEXT NOT NULL, -- YYYY-MM-DD in the box's zone
    used   INTEGER NOT NULL,
    PRIMARY KEY (signer, day)
) STRICT, WITHOUT ROWID;

-- What a key may send; 0: no limit.
ALTER TABLE api_keys ADD COLUMN per_second INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN per_day INTEGER NOT NULL DEFAULT 0;
