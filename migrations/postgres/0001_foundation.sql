-- Tenants, keys, sessions, messages, usage, events, leases.
-- Ids are text, times are integer milliseconds since the epoch, booleans are booleans.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE tenants (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    time_zone     TEXT NOT NULL,
    daily_limit   BIGINT,
    session_limit BIGINT,
    created_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX tenants_by_name ON tenants (name);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode         TEXT NOT NULL,
    label        TEXT,
    public       TEXT NOT NULL,
    hash         BYTEA NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_by_public ON api_keys (public);
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, mode);

CREATE TABLE sessions (
    key         TEXT PRIMARY KEY,
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode        TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    name        TEXT,
    device_name TEXT,
    proxy       BYTEA,             -- sealed: may hold a password
    wanted      BOOLEAN NOT NULL, -- should it run?
    removing    BOOLEAN NOT NULL DEFAULT FALSE, -- DELETE was accepted; finish it after a crash
    account     TEXT,             -- JSON of core::session::Account
    ended       TEXT,             -- JSON of core::session::End
    event_seq   BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    linked_at   BIGINT
);
CREATE UNIQUE INDEX sessions_by_id ON sessions (tenant_id, mode, session_id);

CREATE TABLE messages (
    key          TEXT PRIMARY KEY, -- msg_ULID: sorts by creation
    tenant_id    TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode         TEXT NOT NULL,
    session_key  TEXT NOT NULL,   -- outlives its session, as the log does
    session_id   TEXT NOT NULL,
    direction    TEXT NOT NULL,   -- in | out
    origin       TEXT NOT NULL,   -- api | phone | contact
    wa_id        TEXT NOT NULL,
    chat         TEXT NOT NULL,   -- JID
    sender       TEXT NOT NULL,   -- JID; '' for our own
    phone        TEXT,            -- the other party's digits, where known
    lid          TEXT,
    sender_name  TEXT,
    kind         TEXT NOT NULL,
    body         TEXT NOT NULL,
    content      TEXT,            -- JSON of core::message::Content, for a resend
    status       TEXT NOT NULL,
    rank         BIGINT NOT NULL, -- of status; only grows
    error_code   TEXT,
    error        TEXT,
    claimed_epoch BIGINT,
    created_at   BIGINT NOT NULL,
    sent_at      BIGINT,
    delivered_at BIGINT,
    read_at      BIGINT
);
-- WhatsApp's own identity of a message: chat, sender, id.
CREATE UNIQUE INDEX messages_by_wa_id ON messages (session_key, wa_id, chat, sender);
CREATE INDEX messages_by_tenant ON messages (tenant_id, mode, key);
CREATE INDEX messages_by_session ON messages (tenant_id, mode, session_id, key);
CREATE INDEX messages_by_phone ON messages (tenant_id, mode, phone, key);
CREATE INDEX messages_unsettled ON messages (session_key, key) WHERE status = 'sending';

CREATE TABLE idempotency_keys (
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode        TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,   -- SHA-256 of route and canonical body
    message_key TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

CREATE TABLE daily_usage (
    tenant_id TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode      TEXT NOT NULL,
    day       TEXT NOT NULL,     -- the tenant's local day
    used      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, day)
);

CREATE TABLE events (
    id          TEXT PRIMARY KEY, -- evt_ULID
    tenant_id   TEXT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mode        TEXT NOT NULL,
    session_key TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    seq         BIGINT NOT NULL,  -- within the session, without gaps
    kind        TEXT NOT NULL,
    version     BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    data        TEXT NOT NULL     -- compact JSON
);
CREATE UNIQUE INDEX events_by_seq ON events (session_key, seq);
CREATE INDEX events_by_tenant ON events (tenant_id, mode, id);

CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL,
    epoch BIGINT NOT NULL        -- grows with every change of owner: the fencing token
);
