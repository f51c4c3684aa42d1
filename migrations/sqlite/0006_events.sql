-- The event log in one order per tenant and mode; endpoints, deliveries and their attempts; contacts.

-- `last` is raised in the transaction that writes events and locked until its commit, so positions become
-- visible in order, also with several processes: a reader that has seen one has seen all before it.
CREATE TABLE event_logs (
    tenant_id     TEXT NOT NULL,
    mode          TEXT NOT NULL,
    last          BIGINT NOT NULL,
    has_endpoints BOOLEAN NOT NULL DEFAULT FALSE, -- enabled ones
    kept_days     BIGINT,            -- NULL: the default
    forgotten     BIGINT NOT NULL DEFAULT 0, -- events up to here are gone
    PRIMARY KEY (tenant_id, mode)
) WITHOUT ROWID;

CREATE TABLE events_ordered (
    tenant_id   TEXT NOT NULL,
    mode        TEXT NOT NULL,
    pos         BIGINT NOT NULL,     -- in the tenant's log, without gaps
    id          TEXT NOT NULL,       -- evt_ULID
    session_key TEXT,                -- NULL: of no session
    session_id  TEXT,
    seq         BIGINT,              -- within the session, without gaps
    kind        TEXT NOT NULL,
    version     BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    data        TEXT NOT NULL,       -- compact JSON
    PRIMARY KEY (tenant_id, mode, pos)
);
INSERT INTO events_ordered
    (tenant_id, mode, pos, id, session_key, session_id, seq, kind, version, occurred_at, data)
SELECT tenant_id, mode, ROW_NUMBER() OVER (PARTITION BY tenant_id, mode ORDER BY id), id, session_key,
    session_id, seq, kind, version, occurred_at, data
FROM events;
DROP TABLE events;
ALTER TABLE events_ordered RENAME TO events;
-- Without the tenant: a planner that knows nothing of a new table would look for positions by it.
CREATE UNIQUE INDEX events_by_id ON events (id);
INSERT INTO event_logs (tenant_id, mode, last) SELECT tenant_id, mode, MAX(pos) FROM events GROUP BY 1, 2;

CREATE TABLE endpoints (
    tenant_id     TEXT NOT NULL,
    mode          TEXT NOT NULL,
    id            TEXT NOT NULL,     -- ep_ULID
    is_first      BOOLEAN NOT NULL,  -- the tenant's one-URL setting
    settings      TEXT NOT NULL,     -- JSON of core::endpoint::Settings
    secrets       BLOB NOT NULL,     -- sealed JSON: what signs, and the headers it was given
    state         TEXT NOT NULL,     -- enabled | disabled
    reason        TEXT,              -- why it is disabled: owner | gone | failing
    changed_at    BIGINT NOT NULL,   -- of the state
    failures      BIGINT NOT NULL DEFAULT 0, -- in a row
    failing_since BIGINT,            -- nothing has succeeded since
    paused_until  BIGINT,            -- nothing is tried before, but one probe
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX endpoints_by_id ON endpoints (id);
CREATE UNIQUE INDEX endpoints_first ON endpoints (tenant_id, mode) WHERE is_first;

-- One event for one endpoint. Its tenant and mode are its endpoint's.
CREATE TABLE deliveries (
    endpoint_id TEXT NOT NULL,
    pos         BIGINT NOT NULL,     -- of the event
    state       TEXT NOT NULL,       -- waiting | delivered | failed | cancelled
    attempts    BIGINT NOT NULL DEFAULT 0, -- since it was queued; what its schedule goes by
    tried       BIGINT NOT NULL DEFAULT 0, -- in all
    next_at     BIGINT NOT NULL,
    settled_at  BIGINT,
    PRIMARY KEY (endpoint_id, pos)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (endpoint_id, state, next_at, pos) WHERE state = 'waiting';
CREATE INDEX deliveries_head ON deliveries (endpoint_id, state, pos) WHERE state = 'waiting';
CREATE INDEX deliveries_failed ON deliveries (endpoint_id, state, pos) WHERE state = 'failed';

CREATE TABLE attempts (
    endpoint_id TEXT NOT NULL,
    pos         BIGINT NOT NULL,
    nr          BIGINT NOT NULL,     -- from 1
    cause       TEXT NOT NULL,       -- schedule | replay
    at          BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    status      BIGINT,              -- NULL: no answer
    error       TEXT,                -- the class of what went wrong
    answer      TEXT,                -- its first 8 KiB
    PRIMARY KEY (endpoint_id, pos, nr)
);

-- A wish to deliver again what an endpoint missed; done in steps, each where the last one ended.
CREATE TABLE recoveries (
    endpoint_id TEXT NOT NULL,
    id          TEXT NOT NULL,       -- rec_ULID
    state       TEXT NOT NULL,       -- running | completed | cancelled
    since       BIGINT NOT NULL,     -- of when events were stored
    until       BIGINT NOT NULL,
    first_pos   BIGINT NOT NULL,
    pos         BIGINT NOT NULL,     -- done up to here
    last_pos    BIGINT NOT NULL,
    queued      BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (endpoint_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX recoveries_running ON recoveries (endpoint_id) WHERE state = 'running';

-- One person for a tenant, under every name that WhatsApp gives: `p:` and a number, `l:` and a LID.
CREATE TABLE contacts (
    tenant_id  TEXT NOT NULL,
    mode       TEXT NOT NULL,
    alias      TEXT NOT NULL,
    contact_id TEXT NOT NULL,        -- con_ULID
    PRIMARY KEY (tenant_id, mode, alias)
) WITHOUT ROWID;
