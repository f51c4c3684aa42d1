-- What a linked session must remember: keys, ratchets, and the small facts of the protocol.
-- Every table is keyed by session_key first. BYTEA columns are sealed to their place, except where it
-- says "open". Names compare by byte (COLLATE "C"), as in SQLite: prefixes are looked up as ranges.

-- Everything that is only ever found by its name: kind says what it is.
CREATE TABLE keystore_records (
    session_key TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    value       BYTEA NOT NULL,
    PRIMARY KEY (session_key, kind, name)
);

CREATE TABLE keystore_prekeys (
    session_key TEXT COLLATE "C" NOT NULL,
    id          BIGINT NOT NULL,
    uploaded    BOOLEAN NOT NULL,
    record      BYTEA NOT NULL,
    PRIMARY KEY (session_key, id)
);

-- Which devices of a group have our sender key.
CREATE TABLE keystore_sender_key_devices (
    session_key TEXT COLLATE "C" NOT NULL,
    group_jid   TEXT COLLATE "C" NOT NULL,
    device_jid  TEXT COLLATE "C" NOT NULL,
    has_key     BOOLEAN NOT NULL,
    PRIMARY KEY (session_key, group_jid, device_jid)
);
CREATE INDEX keystore_sender_key_devices_by_device ON keystore_sender_key_devices (session_key, device_jid);

CREATE TABLE keystore_lid_mappings (
    session_key     TEXT COLLATE "C" NOT NULL,
    lid             TEXT COLLATE "C" NOT NULL,
    phone           TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL, -- seconds, as whatsapp-rust counts
    updated_at      BIGINT NOT NULL,
    learning_source TEXT NOT NULL,
    PRIMARY KEY (session_key, lid)
);
CREATE INDEX keystore_lid_mappings_by_phone ON keystore_lid_mappings (session_key, phone, updated_at);

CREATE TABLE keystore_tc_tokens (
    session_key      TEXT COLLATE "C" NOT NULL,
    jid              TEXT COLLATE "C" NOT NULL,
    token            BYTEA,          -- NULL until the contact's token arrives
    token_timestamp  BIGINT NOT NULL,
    sender_timestamp BIGINT,
    PRIMARY KEY (session_key, jid)
);

-- Open: MACs are no secrets, and there are tens of thousands of them.
CREATE TABLE keystore_mutation_macs (
    session_key TEXT COLLATE "C" NOT NULL,
    collection  TEXT COLLATE "C" NOT NULL,
    index_mac   BYTEA NOT NULL,
    value_mac   BYTEA NOT NULL,
    version     BIGINT NOT NULL,
    PRIMARY KEY (session_key, collection, index_mac)
);

-- What we sent, for as long as a recipient may ask for it again.
CREATE TABLE keystore_sent_messages (
    session_key TEXT COLLATE "C" NOT NULL,
    chat        TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL,
    payload     BYTEA NOT NULL,
    stored_at   BIGINT NOT NULL,    -- seconds
    PRIMARY KEY (session_key, chat, message_id)
);
CREATE INDEX keystore_sent_messages_by_age ON keystore_sent_messages (session_key, stored_at);

-- What arrived and is not yet in the log: a crash replays it.
CREATE TABLE keystore_pending_inbound (
    session_key TEXT COLLATE "C" NOT NULL,
    chat        TEXT COLLATE "C" NOT NULL,
    sender      TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL,
    message     BYTEA NOT NULL,
    stored_at   BIGINT NOT NULL,    -- seconds
    PRIMARY KEY (session_key, chat, sender, message_id)
);

-- Keys of poll votes, reactions and edits of a message.
CREATE TABLE keystore_message_secrets (
    session_key TEXT COLLATE "C" NOT NULL,
    chat        TEXT COLLATE "C" NOT NULL,
    sender      TEXT COLLATE "C" NOT NULL,
    message_id  TEXT COLLATE "C" NOT NULL,
    secret      BYTEA NOT NULL,
    expires_at  BIGINT NOT NULL,    -- seconds; 0 is never
    message_ts  BIGINT NOT NULL,    -- seconds; 0 is unknown
    PRIMARY KEY (session_key, chat, sender, message_id)
);
CREATE INDEX keystore_message_secrets_by_expiry ON keystore_message_secrets (session_key, expires_at);
