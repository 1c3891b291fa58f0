-- +goose Up

-- When a wrap-up ends by itself; 0: as since and the queues have it.
ALTER TABLE desks ADD COLUMN until INTEGER NOT NULL DEFAULT 0;

-- What a recording is looked for by, beside the numbers.
ALTER TABLE calls ADD COLUMN recorded   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN seconds    REAL NOT NULL DEFAULT 0; -- of the recording
ALTER TABLE calls ADD COLUMN customer   TEXT NOT NULL DEFAULT ''; -- names
ALTER TABLE calls ADD COLUMN agent_name TEXT NOT NULL DEFAULT '';
UPDATE calls SET
    recorded   = coalesce(json_extract(doc, '$.recording.id'), '') != '' AND json_extract(doc, '$.recording.state') != 'none',
    seconds    = coalesce(json_extract(doc, '$.recording.seconds'), 0),
    customer   = coalesce(json_extract(doc, '$.customer.name'), ''),
    agent_name = coalesce(json_extract(doc, '$.agent.name'), '');
-- Names and parts of numbers are searched in this index alone, newest first.
CREATE INDEX calls_recorded ON calls (seize, id, seconds, customer, agent_name, from_number, to_number, agent, queue)
    WHERE recorded = 1;

-- A call that entered a queue and is over: what the figures are made of.
-- Lengths are milliseconds.
CREATE TABLE tallies (
    queue   TEXT NOT NULL,
    entered INTEGER NOT NULL,
    call    TEXT NOT NULL,
    outcome INTEGER NOT NULL, -- 0 left otherwise, 1 answered, 2 abandoned
    wait    INTEGER NOT NULL, -- to the answer, else to the end
    talk    INTEGER NOT NULL,
    work    INTEGER NOT NULL, -- after the call
    PRIMARY KEY (queue, entered, call)
) STRICT, WITHOUT ROWID;
INSERT INTO tallies (queue, entered, call, outcome, wait, talk, work)
SELECT queue, entered, id, outcome, max(0, CASE outcome WHEN 1 THEN answer ELSE hangup END - entered),
    CASE outcome WHEN 1 THEN max(0, hangup - answer) ELSE 0 END,
    CASE WHEN outcome = 1 AND acw_end > hangup THEN acw_end - hangup ELSE 0 END
FROM (SELECT id, queue, acw_end,
    CAST(round(unixepoch(json_extract(doc, '$.times.queue_in'), 'subsec') * 1000) AS INTEGER) AS entered,
    CAST(round(unixepoch(json_extract(doc, '$.times.agent_answer'), 'subsec') * 1000) AS INTEGER) AS answer,
    CAST(round(unixepoch(json_extract(doc, '$.times.hangup'), 'subsec') * 1000) AS INTEGER) AS hangup,
    CASE WHEN json_extract(doc, '$.times.agent_answer') IS NOT NULL THEN 1
        WHEN result = 'abandoned' AND json_extract(doc, '$.where') IN ('queue', 'ringing') THEN 2 ELSE 0 END AS outcome
    FROM calls WHERE result IS NOT NULL AND queue != '' AND json_extract(doc, '$.times.queue_in') IS NOT NULL
        AND json_extract(doc, '$.times.hangup') IS NOT NULL);

-- The journal of one call, and of the agents' states.
CREATE INDEX journal_call ON journal (call) WHERE call != '';
CREATE INDEX journal_agents ON journal (time, seq, agent, type)
    WHERE type IN ('agentReady', 'agentNotReady', 'agentBusy', 'agentWorkingAfterCall', 'agentLoggedOff');

-- What people wrote at a moment of a recording.
CREATE TABLE recording_notes (
    id        TEXT PRIMARY KEY,
    recording TEXT NOT NULL,
    at        REAL NOT NULL, -- seconds from its beginning
    text      TEXT NOT NULL,
    by        TEXT NOT NULL,
    name      TEXT NOT NULL,
    time      INTEGER NOT NULL
) STRICT;
CREATE INDEX recording_notes_recording ON recording_notes (recording, at, id);
