-- Files: what tenants send, and what they were sent. Their bytes are blobs outside the database, sealed with
-- a key of their own that lies here.

CREATE TABLE media (
    tenant_id   TEXT COLLATE "C" NOT NULL,
    mode        TEXT COLLATE "C" NOT NULL,
    id          TEXT COLLATE "C" NOT NULL, -- med_ULID of created_at: sorts by creation
    origin      TEXT COLLATE "C" NOT NULL, -- upload | url | base64 | received
    kind        TEXT COLLATE "C" NOT NULL, -- image | video | audio | voice | document | sticker
    state       TEXT COLLATE "C" NOT NULL, -- stored | waiting | failed | gone
    mime        TEXT COLLATE "C" NOT NULL,
    file_name   TEXT COLLATE "C",
    size        BIGINT, -- of the file; while it waits, as its sender says
    sha256      BYTEA,
    width       BIGINT,
    height      BIGINT,
    seconds     BIGINT,
    is_animated BOOLEAN NOT NULL DEFAULT FALSE,
    waveform    BYTEA, -- 64 bytes, 0 to 100
    thumbnail   BYTEA, -- a small JPEG
    blob        TEXT COLLATE "C", -- where its bytes are; NULL: nowhere
    blob_key    BYTEA, -- sealed
    session_key TEXT COLLATE "C", -- of a received one: the message that it came with
    wa_id       TEXT COLLATE "C",
    chat        TEXT COLLATE "C",
    sender      TEXT COLLATE "C",
    from_me     BOOLEAN,
    wire        BYTEA, -- sealed JSON: where WhatsApp has it, and its key
    tries       BIGINT NOT NULL DEFAULT 0,
    next_at     BIGINT, -- when it is fetched; NULL: when somebody asks
    error       TEXT COLLATE "C",
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode, id)
);
CREATE UNIQUE INDEX media_by_id ON media (id);
CREATE UNIQUE INDEX media_by_blob ON media (blob) WHERE blob IS NOT NULL;
CREATE INDEX media_by_expiry ON media (expires_at);
CREATE INDEX media_by_message ON media (session_key, wa_id, tenant_id, mode, id) WHERE session_key IS NOT NULL;
CREATE INDEX media_due ON media (session_key, state, next_at, id) WHERE state = 'waiting';

-- What WhatsApp has of a file, so that it is uploaded once and sent to many. Its tenant and mode are the
-- file's.
CREATE TABLE media_uploads (
    media_id    TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL, -- keys differ by what a file is sent as
    wire        BYTEA NOT NULL, -- sealed JSON
    uploaded_at BIGINT NOT NULL,
    PRIMARY KEY (media_id, kind)
);

-- Bytes of a tenant's blobs, so that nobody has to add them up.
CREATE TABLE media_usage (
    tenant_id TEXT COLLATE "C" NOT NULL,
    mode      TEXT COLLATE "C" NOT NULL,
    bytes     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, mode)
);

ALTER TABLE tenant_settings ADD COLUMN media_keep_days BIGINT; -- NULL: the default
