-- Tenants, keys, sessions, messages, usage, events, leases.
-- Ids are text, times are integer milliseconds since the epoch, booleans are 0 or 1.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE tenants (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    daily_limit   BIGINT,
    session_limit BIGINT,
    created_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX tenants_by_name ON tenants (name);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode         TEXT NOT NULL,
    label        TEXT,
    public       TEXT NOT NULL,
    hash         BLOB NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT
) WITHOUT ROWID;
CREATE INDEX api_keys_by_public ON api_keys (public);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, mode);

CREATE TABLE sessions (
    key         TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode        TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    name        TEXT,
    device_name TEXT,
    proxy       BLOB,             -- sealed: may hold a password
    wanted      BOOLEAN NOT NULL, -- should it run?
    removing    BOOLEAN NOT NULL DEFAULT FALSE, -- DELETE was accepted; finish it after a crash
    account     TEXT,             -- JSON of core::session::Account
    ended       TEXT,             -- JSON of core::session::End
    event_seq   BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    linked_at   BIGINT
) WITHOUT ROWID;
CREATE UNIQUE INDEX sessions_by_id ON sessions (tenant_id, mode, session_id);

CREATE TABLE messages (
    tenant_id    TEXT NOT NULL,
    mode         TEXT NOT NULL,
    key          TEXT NOT NULL, -- msg_ULID of created_at: sorts by creation
    session_key  TEXT NOT NULL, -- outlives its session, as the log does
    session_id   TEXT NOT NULL,
    direction    TEXT NOT NULL,   -- in | out
    origin       TEXT NOT NULL,   -- api | phone | contact
    wa_id        TEXT NOT NULL,
    chat         TEXT NOT NULL, -- JID
    sender       TEXT NOT NULL, -- JID; '' for our own
    phone        TEXT,          -- the other party's digits, where known
    lid          TEXT,
    sender_name  TEXT,
    kind         TEXT NOT NULL,
    body         TEXT NOT NULL,
    content      TEXT,            -- JSON of core::message::Content, for a resend
    status       TEXT NOT NULL,
    rank         BIGINT NOT NULL, -- of status; only grows
    pending      BOOLEAN NOT NULL, -- sending: the outcome is not known
    claimed_epoch BIGINT,         -- of the lease that sends it
    counted_on   TEXT,            -- the local day whose quota it took
    error_code   TEXT,
    error        TEXT,
    created_at   BIGINT NOT NULL,
    sent_at      BIGINT,
    delivered_at BIGINT,
    read_at      BIGINT,
    PRIMARY KEY (tenant_id, mode, key)
);
-- WhatsApp's own identity of a message: chat, sender, id.
CREATE UNIQUE INDEX messages_by_wa_id ON messages (session_key, wa_id, chat, sender);
CREATE INDEX messages_by_session ON messages (session_id, tenant_id, mode, key);
CREATE INDEX messages_by_phone ON messages (phone, tenant_id, mode, key);
-- Not by status: Postgres would then rewrite every index entry of a row with each receipt.
CREATE INDEX messages_pending ON messages (session_key, key) WHERE pending;

CREATE TABLE idempotency_keys (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode        TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,   -- SHA-256 of route and canonical body, in hex
    message_key TEXT NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE daily_usage (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode      TEXT NOT NULL,
    day       TEXT NOT NULL,     -- the tenant's local day
    used      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, day)
) WITHOUT ROWID;

CREATE TABLE events (
    tenant_id   TEXT NOT NULL,
    mode        TEXT NOT NULL,
    id          TEXT NOT NULL, -- evt_ULID
    session_key TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    seq         BIGINT NOT NULL, -- within the session, without gaps
    kind        TEXT NOT NULL,
    version     BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    data        TEXT NOT NULL,   -- compact JSON
    PRIMARY KEY (tenant_id, mode, id)
);
CREATE UNIQUE INDEX events_by_seq ON events (session_key, seq);

CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL,
    epoch BIGINT NOT NULL        -- grows with every change of owner: the fencing token
) WITHOUT ROWID;
