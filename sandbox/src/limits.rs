//! Every bound on what comes from outside, in one place.
//!
//! The sandbox runs inside the gateway, where any tenant with a test key can reach it: nothing a
//! client or a control call sends may grow without an end.

use std::time::Duration;

/// The largest frame a client may send. WhatsApp allows 16 MiB; text needs a fraction of this, also
/// with a thumbnail beside it.
pub const FRAME_BYTES: usize = 1 << 20;
/// Stanzas waiting for one device. Past it, senders are refused instead of the oldest being lost.
pub const QUEUED_STANZAS: usize = 10_000;
/// Stanzas written to one connection but not yet taken by its client.
pub const UNSENT_STANZAS: usize = 4 * QUEUED_STANZAS;
/// Phones in one book.
pub const PHONES_PER_BOOK: usize = 20_000;
/// Groups in one book.
pub const GROUPS_PER_BOOK: usize = 10_000;
/// Participants that one change of a group may name.
pub const PARTICIPANTS_PER_CHANGE: usize = 1024;
/// Companion devices of one phone. WhatsApp links four; tests link more.
pub const DEVICES_PER_PHONE: usize = 32;
/// Messages a phone keeps; the oldest leave first.
pub const MESSAGES_PER_PHONE: usize = 100_000;
/// What they may weigh together: a medium's thumbnail is a part of its message.
pub const MESSAGE_BYTES_PER_PHONE: usize = 256 << 20;
/// The longest text, in characters, as WhatsApp has it.
pub const TEXT_CHARS: usize = 65_536;
/// Other numbers that a phone is known under.
pub const OTHER_NUMBERS: usize = 4;
/// The longest push name.
pub const NAME_BYTES: usize = 100;
/// The longest about text; WhatsApp allows 139 characters.
pub const ABOUT_BYTES: usize = 512;
/// A profile picture, encoded, and its side. Clients send 640 pixels.
pub const PICTURE_BYTES: usize = 768 * 1024;
pub const PICTURE_SIDE: u32 = 2048;
/// How many an account may block.
pub const BLOCKED_PER_ACCOUNT: usize = 5_000;
/// Connections that are told of one account's presence.
pub const PRESENCE_WATCHERS: usize = 10_000;
/// The longest message id a phone may be told to use.
pub const MESSAGE_ID_BYTES: usize = 128;
/// The longest name of a phone book.
pub const BOOK_BYTES: usize = 64;
/// A QR picture, encoded. A dashboard's PNG is a few kilobytes.
pub const QR_BYTES: usize = 512 * 1024;
/// The body of a control call: a QR picture with its JSON around it.
pub const CONTROL_BODY_BYTES: usize = QR_BYTES + 4096;
/// The body of a control call that may carry a profile picture in base64.
pub const PROFILE_BODY_BYTES: usize = 2 * PICTURE_BYTES;
/// One-time keys kept for one device; whatsapp-rust and Baileys upload 812 at a time.
pub const PREKEYS_PER_DEVICE: usize = 4096;
/// Patches kept for one app-state collection.
pub const PATCHES_PER_COLLECTION: usize = 10_000;
/// App-state collections of one account; WhatsApp has five.
pub const COLLECTIONS: usize = 16;
/// Records waiting for the disk before connections stop reading.
pub const UNWRITTEN_RECORDS: usize = 20_000;
/// From the opening of a connection to the end of its Noise handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(20);
/// From the end of a handshake to the first stanza, for clients that verify certificates. Baileys 6 takes a moment to
/// switch its keys and loses what comes before; it says nothing by which the end of that moment could be known. On a
/// phone network the way there takes as long.
pub const KEY_SWITCH: Duration = Duration::from_millis(250);
/// How long a client that was told to go may take to close the connection.
pub const LAST_WORD: Duration = Duration::from_secs(2);

// Media

/// The largest medium, encrypted: WhatsApp's limit for documents, with padding and MAC.
pub const BLOB_BYTES: u64 = (2 << 30) + 26;
/// All media of one book; the oldest leave first.
pub const MEDIA_PER_BOOK: u64 = 8 << 30;
/// Media of one book, however small.
pub const BLOBS_PER_BOOK: usize = 100_000;
/// Paths that lead, or led, to one medium.
pub const PATHS_PER_BLOB: usize = 16;
/// Uploads of one book that broke off and may go on.
pub const PARTS_PER_BOOK: usize = 16;
/// What a client may have in one piece; more is streamed.
pub const BUFFERED_BYTES: u64 = 64 << 20;
/// Slower than this on the whole, an upload is given up.
pub const UPLOAD_BYTES_PER_SECOND: u64 = 4096;
/// What is read of an upload that was refused, so that its client hears why.
pub const DRAINED_BYTES: usize = 64 << 20;
/// A medium that a phone is told to send.
pub const PHONE_MEDIA_BYTES: usize = 16 << 20;

// What a phone is told to send

/// The control call that tells it: a medium in Base64 with its JSON around it.
pub const SEND_BODY_BYTES: usize = PHONE_MEDIA_BYTES / 3 * 4 + (1 << 20);
/// Control calls of this size that are read at a time.
pub const SENDS_AT_A_TIME: usize = 8;
/// A name, a number, a MIME type.
pub const WORD_BYTES: usize = 255;
pub const ADDRESS_BYTES: usize = 1024;
pub const QUESTION_BYTES: usize = 1024;
pub const POLL_OPTIONS: usize = 12;
pub const EMOJI_BYTES: usize = 64;
pub const WAVEFORM_BYTES: usize = 256;
pub const THUMBNAIL_BYTES: usize = 64 * 1024;
/// The URL, the title and the description of a page below a text, each.
pub const PREVIEW_BYTES: usize = 2048;
pub const CONTACTS: usize = 257;
pub const MENTIONS: usize = 1024;
/// The longest time until a message disappears, in seconds: 90 days.
pub const EXPIRATION: usize = 90 * 86_400;

// What a phone remembers

/// Changes of one message by whose id a copy is known.
pub const CHANGES_PER_MESSAGE: usize = 256;
/// Reactions, edits, deletions and votes that a phone can send again.
pub const UNSEEN_PER_PHONE: usize = 1000;
/// Changes that arrived before their message.
pub const EARLY_PER_PHONE: usize = 256;
/// The largest of these.
pub const EARLY_BYTES: usize = 64 * 1024;
