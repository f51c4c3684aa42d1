-- What the groups of a session are called, so that a message can name its group without asking WhatsApp.
CREATE TABLE groups (
    session_key TEXT COLLATE "C" NOT NULL,
    jid         TEXT COLLATE "C" NOT NULL,
    subject     TEXT NOT NULL,
    updated_at  BIGINT NOT NULL, -- since when it is called so, by WhatsApp
    PRIMARY KEY (session_key, jid)
);
