-- Each job keeps its own pause, so that a slow one does not set the pace of the others.

ALTER TABLE jobs ADD COLUMN draw BIGINT NOT NULL DEFAULT 0; -- as in pace: where its own pause ends

-- The number that a session was linked with last; kept when it is unlinked.
ALTER TABLE sessions ADD COLUMN last_phone TEXT;
