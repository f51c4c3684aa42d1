//! What a file must be to travel as an image, a video, a voice note and so on.
//!
//! A file is what its first bytes say. What its sender calls it, by type or by name, may be less exact,
//! and may not be something else.
//!
//! | file | what |
//! |---|---|
//! | `content` | a type by content, and whether a declared one agrees |
//! | `picture` | how large a picture may be |
//! | `schedule` | when a download is tried again, and how long a file is kept |

use serde::{Deserialize, Serialize};

mod content;
mod picture;
mod schedule;

pub use content::{HEAD, TypeRefusal, VOICE, Verdict, extension, judge, sniff};
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

/// File names longer than this are cut; in bytes, as file systems count them.
const FILE_NAME_MAX: usize = 255;

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

/// A file name as it is shown to people: its last part, without what would hide its end or leave its
/// folder; `None` where nothing is left.
pub fn file_name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    // Besides controls what turns the direction of writing: `exe.fdp` must not read as `pdf.exe`.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let shown: String = last.chars().filter(|c| !is_hidden(*c)).collect();
    let shown = shown.trim().trim_start_matches('.').trim();
    if shown.is_empty() {
        return None;
    }
    if shown.len() <= FILE_NAME_MAX {
        return Some(shown.to_owned());
    }
    // The end says what it is.
    let (stem, end) = match shown.rsplit_once('.') {
        Some((stem, end)) if end.len() <= 16 => (stem, format!(".{end}")),
        _ => (shown, String::new()),
    };
    let room = FILE_NAME_MAX - end.len();
    let cut = stem.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|to| *to <= room).last();
    Some(format!("{}{end}", &stem[..cut.unwrap_or(0)]))
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

    #[test]
    fn a_file_name_is_a_name_and_nothing_else() {
        assert_eq!(file_name("invoice.pdf").as_deref(), Some("invoice.pdf"));
        assert_eq!(file_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(file_name("C:\\Users\\me\\preço.xlsx").as_deref(), Some("preço.xlsx"));
        assert_eq!(file_name("a\u{202e}fdp.exe\r\n").as_deref(), Some("afdp.exe"));
        assert_eq!(file_name(".htaccess").as_deref(), Some("htaccess"));
        for nothing in ["", "/", "..", " . ", "a/", "\u{200f}"] {
            assert_eq!(file_name(nothing), None, "{nothing:?}");
        }
        let long = file_name(&format!("{}.pdf", "ü".repeat(200))).unwrap();
        assert!(long.len() <= FILE_NAME_MAX && long.ends_with("ü.pdf"), "{long}");
        assert!(file_name(&"x".repeat(400)).unwrap().len() == FILE_NAME_MAX);
    }
}
