-- What a message says besides its text; messages that change others; the files that came along.

ALTER TABLE messages ADD COLUMN target TEXT;    -- WhatsApp id of the message that this one changes
ALTER TABLE messages ADD COLUMN media_id TEXT;
ALTER TABLE messages ADD COLUMN chat_name TEXT; -- a group's subject when the message came
ALTER TABLE messages ADD COLUMN original TEXT;  -- the first text, once it was edited
ALTER TABLE messages ADD COLUMN edited_at BIGINT;
ALTER TABLE messages ADD COLUMN deleted_at BIGINT;
-- Edits, reactions and votes of a message.
CREATE INDEX messages_by_target ON messages (session_key, target) WHERE target IS NOT NULL;
