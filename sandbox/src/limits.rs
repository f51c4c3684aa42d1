//! Every bound on what comes from outside, in one place.
//!
//! The sandbox runs inside the gateway, where any tenant with a test key can reach it: nothing a
//! client or a control call sends may grow without an end.

use std::time::Duration;

/// The largest frame a client may send. WhatsApp allows 16 MiB; text needs a fraction of this.
pub const FRAME_BYTES: usize = 1 << 20;
/// Stanzas waiting for one device. Past it, senders are refused instead of the oldest being lost.
pub const QUEUED_STANZAS: usize = 10_000;
/// Stanzas written to one connection but not yet taken by its client.
pub const UNSENT_STANZAS: usize = 4 * QUEUED_STANZAS;
/// Phones in one book.
pub const PHONES_PER_BOOK: usize = 20_000;
/// Companion devices of one phone. WhatsApp links four; tests link more.
pub const DEVICES_PER_PHONE: usize = 32;
/// Messages a phone keeps; the oldest leave first.
pub const MESSAGES_PER_PHONE: usize = 100_000;
/// The longest text, as WhatsApp has it.
pub const TEXT_BYTES: usize = 65_536;
/// The longest push name.
pub const NAME_BYTES: usize = 100;
/// The longest message id a phone may be told to use.
pub const MESSAGE_ID_BYTES: usize = 128;
/// The longest name of a phone book.
pub const BOOK_BYTES: usize = 64;
/// A QR picture, encoded. A dashboard's PNG is a few kilobytes.
pub const QR_BYTES: usize = 512 * 1024;
/// The body of a control call: a QR picture with its JSON around it.
pub const CONTROL_BODY_BYTES: usize = QR_BYTES + 4096;
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
