-- +goose Up

-- The shape that a delivery goes out in: '' our own, else its name and what it
-- needs behind a blank.
ALTER TABLE deliveries ADD COLUMN format TEXT NOT NULL DEFAULT '';
