-- +goose Up

-- Drafts of what people write down about a call, one a person, until they
-- dispose of it.
CREATE TABLE notes (
    call  TEXT NOT NULL,
    agent TEXT NOT NULL, -- whose
    text  TEXT NOT NULL,
    time  INTEGER NOT NULL,
    PRIMARY KEY (call, agent)
) STRICT, WITHOUT ROWID;
CREATE INDEX notes_time ON notes (time);

-- What people wrote to each other. The ids are in the order of time.
CREATE TABLE chats (
    id        TEXT PRIMARY KEY,
    time      INTEGER NOT NULL,
    sender    TEXT NOT NULL,
    recipient TEXT NOT NULL,
    name      TEXT NOT NULL, -- the sender's, then
    text      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX chats_sender ON chats (sender, recipient, id);
CREATE INDEX chats_recipient ON chats (recipient, id);
CREATE INDEX chats_time ON chats (time);

-- The texts that came from one number.
CREATE INDEX sms_inbox_sender ON sms_inbox (sender, id);
