-- Messages are found by what they say, kept for as long as their tenant wants, and erased on request; and
-- more is known of what became of each.

ALTER TABLE messages ADD COLUMN played_at BIGINT;
ALTER TABLE messages ADD COLUMN failed_at BIGINT;
ALTER TABLE messages ADD COLUMN refusal BIGINT;   -- WhatsApp's own code, where it refused
ALTER TABLE messages ADD COLUMN erased_at BIGINT; -- what it said was erased on request
ALTER TABLE tenant_settings ADD COLUMN message_days BIGINT; -- NULL: for ever

-- A person's messages are found by their number.
CREATE INDEX messages_by_chat ON messages (chat, tenant_id, mode, key) WHERE chat NOT LIKE '%@s.whatsapp.net';
CREATE INDEX messages_by_job ON messages (job_id, tenant_id, mode, key) WHERE job_id IS NOT NULL;
CREATE INDEX messages_by_lid ON messages (lid, tenant_id, mode, key) WHERE phone IS NULL AND lid IS NOT NULL;

-- Sessions that were removed: their messages are still asked for by WhatsApp's id.
CREATE TABLE past_sessions (
    tenant_id   TEXT NOT NULL,
    mode        TEXT NOT NULL,
    session_key TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    PRIMARY KEY (tenant_id, mode, session_key)
) WITHOUT ROWID;
CREATE TRIGGER sessions_past AFTER DELETE ON sessions BEGIN
    INSERT INTO past_sessions (tenant_id, mode, session_key, session_id)
    VALUES (OLD.tenant_id, OLD.mode, OLD.key, OLD.session_id)
    ON CONFLICT (tenant_id, mode, session_key) DO NOTHING;
END;

-- Every term of a tenant begins with this number, so that nobody's log makes another's slower.
CREATE TABLE search_scopes (
    tenant_id  TEXT NOT NULL,
    mode       TEXT NOT NULL,
    scope      BIGINT NOT NULL,
    -- What was written before this step is taken up from the newest to the oldest: keys below this one are
    -- still to come. NULL: all are in.
    older_than TEXT,
    PRIMARY KEY (tenant_id, mode)
) WITHOUT ROWID;
CREATE UNIQUE INDEX search_scopes_by_scope ON search_scopes (scope);
CREATE INDEX search_scopes_unfinished ON search_scopes (tenant_id, mode) WHERE older_than IS NOT NULL;
INSERT INTO search_scopes (tenant_id, mode, scope, older_than)
SELECT tenant_id, mode, ROW_NUMBER() OVER (ORDER BY tenant_id, mode), newest || '~'
FROM (
    SELECT t.id AS tenant_id, m.mode,
        (SELECT MAX(x.key) FROM messages x WHERE x.tenant_id = t.id AND x.mode = m.mode) AS newest
    FROM tenants t CROSS JOIN (SELECT 'live' AS mode UNION ALL SELECT 'test') m
) AS logs
WHERE newest IS NOT NULL;

-- "Look at this message again": it is new, says something else, or is gone. Written in the transaction of
-- its cause, whoever caused it; read in batches, before every search.
CREATE TABLE search_queue (
    tenant_id TEXT NOT NULL,
    mode      TEXT NOT NULL,
    key       TEXT NOT NULL,
    PRIMARY KEY (tenant_id, mode, key)
) WITHOUT ROWID;
CREATE TRIGGER messages_search_new AFTER INSERT ON messages BEGIN
    INSERT INTO search_queue (tenant_id, mode, key) VALUES (NEW.tenant_id, NEW.mode, NEW.key)
    ON CONFLICT (tenant_id, mode, key) DO NOTHING;
END;
CREATE TRIGGER messages_search_changed AFTER UPDATE OF body, content, sender_name, phone, lid ON messages BEGIN
    INSERT INTO search_queue (tenant_id, mode, key) VALUES (NEW.tenant_id, NEW.mode, NEW.key)
    ON CONFLICT (tenant_id, mode, key) DO NOTHING;
END;
CREATE TRIGGER messages_search_gone AFTER DELETE ON messages BEGIN
    INSERT INTO search_queue (tenant_id, mode, key) VALUES (OLD.tenant_id, OLD.mode, OLD.key)
    ON CONFLICT (tenant_id, mode, key) DO NOTHING;
END;

-- Row ids go up with keys (core/src/store/search/), so the newest are read first. The words are those that
-- core/src/search/ made: letters, digits and symbols, with spaces in between.
CREATE VIRTUAL TABLE search_docs USING fts5 (
    key UNINDEXED,
    words,
    content = '', contentless_delete = 1, contentless_unindexed = 1,
    tokenize = 'ascii'
);
