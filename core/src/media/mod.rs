//! What a file must be to travel as an image, a video, a voice note and so on.
//!
//! A file is what its first bytes say. What its sender calls it, by type or by name, may be less exact,
//! and may not be something else.
//!
//! | file | what |
//! |---|---|
//! | `content` | a type by content, and whether a declared one agrees |
//! | `name` | what a file may be called, and what a document is |
//! | `picture` | how large a picture may be |
//! | `schedule` | when a download is tried again, and how long a file is kept |

use serde::{Deserialize, Serialize};

mod content;
mod name;
mod picture;
mod schedule;

pub use content::{HEAD, TypeRefusal, VOICE, Verdict, extension, judge, sniff};
pub use name::{document_name, file_name};
pub use picture::{FRAMES_MAX, PICTURE_SIDE_MAX, PictureRefusal, STICKER_SIDE, check_picture};
pub use schedule::{KEPT_DAYS, KEPT_DAYS_RANGE, retry_after};

const KB: u64 = 1_000;
const MIB: u64 = 1 << 20;

/// Image, audio and video: what Meta's own table and WhatsApp's clients have in common, but for images,
/// which Meta's Cloud API takes up to 5 MB, and videos, which it takes up to 16 MB ("Supported media
/// types", WhatsApp Cloud API reference). Its apps and web client, which we are one of, take images up
/// to 16 MB and send videos up to 64 MB as they are.
const IMAGE_MAX: u64 = 16 * MIB;
const VIDEO_MAX: u64 = 64 * MIB;
const AUDIO_MAX: u64 = 16 * MIB;
/// From the same table, in its own decimal units where that is the stricter reading.
const STICKER_MAX: u64 = 100 * KB;
const ANIMATED_STICKER_MAX: u64 = 500 * KB;
/// Of one document, where the operator says nothing else.
pub const DOCUMENT_MAX: u64 = 100 * MIB;
/// WhatsApp's own.
pub const DOCUMENT_LIMIT_MAX: u64 = 2 << 30;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(rename_all = "lowercase")]
        #[sqlx(rename_all = "lowercase", type_name = "text")]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
words! {
    /// As what a file is shown.
    Kind {
        Image = "image",
        Video = "video",
        /// A file of music or speech.
        Audio = "audio",
        /// What somebody said into a phone: played in the chat, with a waveform.
        Voice = "voice",
        /// Anything, to be saved.
        Document = "document",
        Sticker = "sticker",
    }
}
words! {
    /// How a file came to us.
    Origin {
        Upload = "upload",
        Url = "url",
        Base64 = "base64",
        /// Somebody sent it to one of our numbers.
        Received = "received",
    }
}
words! {
    /// Whether we have its bytes.
    State {
        Stored = "stored",
        /// Received, and still with WhatsApp.
        Waiting = "waiting",
        /// It could not be fetched, so often as it was tried.
        Failed = "failed",
        /// WhatsApp has it no longer.
        Gone = "gone",
    }
}

/// How large a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In bytes.
    pub document: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { document: DOCUMENT_MAX }
    }
}

impl Limits {
    /// In bytes. A sticker's is that of an animated one: whether it is one shows when all of it is there.
    pub fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Image => IMAGE_MAX,
            Kind::Video => VIDEO_MAX,
            Kind::Audio | Kind::Voice => AUDIO_MAX,
            Kind::Document => self.document,
            Kind::Sticker => ANIMATED_STICKER_MAX,
        }
    }

    /// Once it is known whether the sticker moves.
    pub fn of_sticker(is_animated: bool) -> u64 {
        if is_animated { ANIMATED_STICKER_MAX } else { STICKER_MAX }
    }

    /// Of a file of which nobody said what it is.
    pub fn largest(&self) -> u64 {
        Kind::ALL.iter().map(|kind| self.of(*kind)).max().unwrap_or(self.document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(Kind::parse("gif"), None);
        assert_eq!(State::parse("waiting"), Some(State::Waiting));
        assert_eq!(Origin::parse("Upload"), None);
    }

    #[test]
    fn limits_are_whatsapps_and_a_documents_is_the_operators() {
        let limits = Limits { document: 5 };
        assert_eq!(limits.of(Kind::Image), 16 << 20);
        assert_eq!(limits.of(Kind::Document), 5);
        assert_eq!(limits.largest(), 64 << 20);
        assert_eq!(Limits::default().largest(), 100 << 20);
        assert!(Limits::of_sticker(false) < Limits::of_sticker(true));
    }
}
