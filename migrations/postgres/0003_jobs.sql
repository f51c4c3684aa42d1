-- Bulk jobs: what they say, to whom, how fast; and who is not written to.

CREATE TABLE jobs (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    mode        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL,  -- 24 hex digits: 12 of milliseconds, 12 random; sorts by creation
    session_key TEXT COLLATE "C" NOT NULL,  -- outlives its session, as the log does
    session_id  TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C",
    state       TEXT COLLATE "C" NOT NULL,  -- loading | pending | running | paused | completed | cancelled | failed
    reason      TEXT COLLATE "C",           -- why it failed
    plan        TEXT COLLATE "C" NOT NULL,  -- JSON of core::job::Plan
    total       BIGINT NOT NULL DEFAULT 0, -- recipients that are to be sent to
    succeeded   BIGINT NOT NULL DEFAULT 0,
    failed      BIGINT NOT NULL DEFAULT 0,
    skipped     BIGINT NOT NULL DEFAULT 0, -- opted out
    duplicates  BIGINT NOT NULL DEFAULT 0, -- rows of the list that are not part of total
    invalid     BIGINT NOT NULL DEFAULT 0,
    not_before  BIGINT NOT NULL,
    hold        TEXT COLLATE "C",           -- why it waits until then: scheduled | daily_limit | window
    released_at BIGINT,         -- its last message's intent: whose turn it is
    created_at  BIGINT NOT NULL,
    started_at  BIGINT,
    finished_at BIGINT,
    PRIMARY KEY (tenant_id, mode, id)
);
CREATE UNIQUE INDEX jobs_by_id ON jobs (id);
CREATE INDEX jobs_by_session ON jobs (session_key, state);
CREATE INDEX jobs_active ON jobs (not_before) WHERE state IN ('pending', 'running');

-- One row of a caller's list. Its tenant and mode are its job's.
CREATE TABLE recipients (
    job_id      TEXT COLLATE "C" NOT NULL,
    seq         BIGINT NOT NULL, -- its row in the list, from 1: the order of sending
    phone       TEXT COLLATE "C",            -- digits; NULL where the row held no number
    fields      TEXT COLLATE "C",            -- compact JSON object of strings
    variant     BIGINT NOT NULL,
    state       TEXT COLLATE "C" NOT NULL,   -- queued | sending | sent | failed | skipped | invalid | duplicate
    attempts    BIGINT NOT NULL DEFAULT 0,
    message_key TEXT COLLATE "C",            -- of its latest message in the log
    error_code  TEXT COLLATE "C",
    error       TEXT COLLATE "C",
    settled_at  BIGINT,
    PRIMARY KEY (job_id, seq)
);
-- Their first rows are found without reading those that are done. `state` is among the columns because
-- SQLite prefers the table's own key, which reads them all, to an index that gives it no column more.
CREATE INDEX recipients_queued ON recipients (job_id, state, seq) WHERE state = 'queued';
CREATE INDEX recipients_failed ON recipients (job_id, state, error_code, seq) WHERE state = 'failed';

-- The recipient that a message of a job is for.
ALTER TABLE messages ADD COLUMN job_id TEXT COLLATE "C";
ALTER TABLE messages ADD COLUMN job_seq BIGINT;

-- When a session sent its last bulk message, and how long the pause after it is to be.
CREATE TABLE pace (
    session_key TEXT COLLATE "C" PRIMARY KEY,
    last_at     BIGINT NOT NULL,
    draw        BIGINT NOT NULL,  -- where in [delayMin, delayMax] the pause ends, in millionths
    hold        TEXT COLLATE "C",             -- why its jobs wait: blocked | timelock | new_chat_limit
    hold_until  BIGINT,
    strikes     BIGINT NOT NULL DEFAULT 0 -- refusals in a row
);

ALTER TABLE sessions ADD COLUMN daily_limit BIGINT;
CREATE TABLE session_usage (
    session_key TEXT COLLATE "C" NOT NULL,
    day         TEXT COLLATE "C" NOT NULL,    -- the tenant's local day
    used        BIGINT NOT NULL,
    PRIMARY KEY (session_key, day)
);

CREATE TABLE opt_outs (
    tenant_id  TEXT COLLATE "C" NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode       TEXT COLLATE "C" NOT NULL,
    phone      TEXT COLLATE "C" NOT NULL,
    source     TEXT COLLATE "C" NOT NULL,     -- api | message
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, phone)
);

CREATE TABLE tenant_settings (
    tenant_id       TEXT COLLATE "C" NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode            TEXT COLLATE "C" NOT NULL,
    default_country TEXT COLLATE "C",
    windows         TEXT COLLATE "C",          -- JSON of core::pacing::Windows
    stop_words      TEXT COLLATE "C",          -- JSON list; NULL is our own list
    start_words     TEXT COLLATE "C",
    confirmation    TEXT COLLATE "C",          -- what somebody who opts out is told
    opt_out_all     BOOLEAN NOT NULL DEFAULT FALSE, -- single sends are refused too
    PRIMARY KEY (tenant_id, mode)
);
