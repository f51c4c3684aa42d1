-- What a session's phone shows beside its messages: conversations, and the names of people.

-- One row for each conversation of a session, under one name however its messages are addressed: the
-- number's JID where the number is known, else the JID it has.
CREATE TABLE chats (
    tenant_id   TEXT NOT NULL,
    mode        TEXT NOT NULL,
    session_key TEXT NOT NULL,
    chat        TEXT NOT NULL,
    wire        TEXT NOT NULL,             -- the JID that WhatsApp used last
    lid         TEXT,                      -- of the person, where known
    last_key    TEXT NOT NULL DEFAULT '',  -- of its newest message; '' while there is none
    unread      BIGINT NOT NULL DEFAULT 0,
    is_archived BOOLEAN NOT NULL DEFAULT FALSE,
    is_pinned   BOOLEAN NOT NULL DEFAULT FALSE,
    muted_until BIGINT NOT NULL DEFAULT 0, -- -1: for good
    expires_in  BIGINT NOT NULL DEFAULT 0, -- seconds until its messages disappear; 0: they stay
    PRIMARY KEY (tenant_id, mode, session_key, chat)
) WITHOUT ROWID;
CREATE INDEX chats_by_last ON chats (session_key, last_key) WHERE last_key > '';
CREATE INDEX chats_disappearing ON chats (session_key) WHERE expires_in > 0;

INSERT INTO chats (tenant_id, mode, session_key, chat, wire, lid, last_key)
SELECT tenant_id, mode, session_key,
    CASE WHEN phone IS NOT NULL AND (chat LIKE '%@s.whatsapp.net' OR chat LIKE '%@lid')
        THEN phone || '@s.whatsapp.net' ELSE chat END AS one,
    MAX(chat), MAX(CASE WHEN chat LIKE '%@g.us' THEN NULL ELSE lid END), MAX(key)
FROM messages WHERE target IS NULL GROUP BY tenant_id, mode, session_key, one;

-- What came before this was read on the phone, as far as anybody knows.
UPDATE messages SET read_at = created_at WHERE direction = 'in';

-- What nobody has read of a conversation.
CREATE INDEX messages_unread ON messages (session_key, chat, key) WHERE direction = 'in' AND read_at IS NULL AND target IS NULL;

-- How a session's phone calls somebody, and how they call themselves. The alias is that of `contacts`: the
-- number where it is known, else the LID.
CREATE TABLE contact_names (
    tenant_id    TEXT NOT NULL,
    mode         TEXT NOT NULL,
    session_key  TEXT NOT NULL,
    alias        TEXT NOT NULL,
    lid          TEXT,
    saved_name   TEXT,
    first_name   TEXT,
    saved_folded TEXT,                     -- in lower case, to be searched
    push_name    TEXT,
    push_folded  TEXT,
    PRIMARY KEY (tenant_id, mode, session_key, alias)
) WITHOUT ROWID;
CREATE INDEX contacts_by_id ON contacts (contact_id);

ALTER TABLE tenant_settings ADD COLUMN presence_events BOOLEAN NOT NULL DEFAULT FALSE;
