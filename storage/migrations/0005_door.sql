-- +goose Up

-- Rows of a database door's outbox table that became texts, and what was last
-- written back into them.
CREATE TABLE door_rows (
    door    TEXT NOT NULL,
    row     TEXT NOT NULL,    -- its id in the outbox table
    take    INTEGER NOT NULL, -- how often it became a text
    digest  TEXT NOT NULL,    -- of its number and text
    message TEXT NOT NULL,
    written TEXT NOT NULL,    -- the status last written back; '': none
    done    INTEGER NOT NULL, -- a final one was
    changed INTEGER NOT NULL,
    PRIMARY KEY (door, row)
) STRICT, WITHOUT ROWID;
CREATE INDEX door_rows_open ON door_rows (door, row) WHERE done = 0;

-- Incoming texts that wait for their row in a door's inbox table.
CREATE TABLE door_replies (
    door     TEXT NOT NULL,
    incoming TEXT NOT NULL,
    PRIMARY KEY (door, incoming)
) STRICT, WITHOUT ROWID;
