-- A session is one number's. May the next pairing be another's? True once somebody asked for it, until a number
-- is linked.
ALTER TABLE sessions ADD COLUMN any_number BOOLEAN NOT NULL DEFAULT FALSE;
