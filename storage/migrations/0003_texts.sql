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
ALTER TABLE sms_messages ADD COLUMN due INTEGER NOT NULL DEFAULT 0;        -- when a scheduled one is queued; 0: by something else
ALTER TABLE sms_messages ADD COLUMN valid_until INTEGER NOT NULL DEFAULT 0; -- not submitted after that; 0: always
ALTER TABLE sms_messages ADD COLUMN bound INTEGER NOT NULL DEFAULT 0;      -- to its account: no fail-over
ALTER TABLE sms_messages ADD COLUMN tier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_messages ADD COLUMN token TEXT NOT NULL DEFAULT '';        -- of the link that acknowledges
ALTER TABLE sms_messages ADD COLUMN again INTEGER NOT NULL DEFAULT 0;    -- which repeat it is; 0: the first copy
ALTER TABLE sms_messages ADD COLUMN format TEXT NOT NULL DEFAULT '';       -- of the callbacks
ALTER TABLE sms_messages ADD COLUMN late INTEGER NOT NULL DEFAULT 0;       -- told that it is not delivered in time
CREATE INDEX sms_messages_due ON sms_messages (due) WHERE status = 'scheduled' AND due > 0;
CREATE INDEX sms_messages_valid ON sms_messages (valid_until) WHERE valid_until > 0 AND status IN ('scheduled', 'queued');
CREATE UNIQUE INDEX sms_messages_token ON sms_messages (token) WHERE token != '';

ALTER TABLE sms_inbox ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE sms_inbox ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sms_inbox ADD COLUMN answer TEXT NOT NULL DEFAULT ''; -- the job that answers it

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
