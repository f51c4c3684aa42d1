//! What is refused of a message.

use wapid_core::content::{CARDS_MAX, MENTIONS_MAX, OPTION_MAX, OPTIONS, QUESTION_MAX, TEXT_MAX};
use wapid_core::media::Kind;
use wapid_core::people::TYPING_MAX_MS;
use wapid_core::phone::PhoneError;
use wapid_core::wa_id::WaIdError;

use super::content::VCARD_MAX;
use crate::usecases::field::Field;

/// Of what a message says, a single one or a job's.
#[derive(Debug, thiserror::Error)]
pub enum ContentRefusal {
    #[error("text, image, video, audio, voice, document, sticker, poll, location or contact")]
    UnknownKind,
    /// Whoever gave what another kind says means it.
    #[error("not with the type {kind}")]
    Misplaced { fields: &'static [Field], kind: String },
    #[error("with a file it is image, video, audio, voice, document or sticker")]
    TextWithFile,
    #[error("required, and not empty")]
    NoText,
    #[error("{} has none; send a text beside it", .0.as_str())]
    NoWordsWith(Kind),
    #[error("for images, videos and voice notes")]
    CannotOpenOnce,
    #[error("for videos")]
    CannotLoop,
    #[error("for texts")]
    NoPreview,
    #[error("one of them is required")]
    NoFile,
    #[error("one of them, not several")]
    SeveralFiles,
    #[error("the given file is {}; it can also go as a document", .0.as_str())]
    FileOfOtherKind(Kind),
    #[error("the poll's question, 1 to {max} characters", max = QUESTION_MAX)]
    Question,
    #[error("the poll's answers, {} to {}", OPTIONS.start(), OPTIONS.end())]
    OptionCount,
    #[error("each 1 to {max} characters", max = OPTION_MAX)]
    OptionLength,
    #[error("each a different one")]
    OptionTwice,
    #[error("not more than there are options; 0 for any number")]
    SelectableCount,
    #[error("required, in degrees")]
    NoDegrees(Field),
    #[error("-{most} to {most} degrees")]
    Degrees { field: Field, most: f64 },
    #[error("1 to {max}", max = CARDS_MAX)]
    ContactCount,
    #[error("each with a phone or a vcard")]
    ContactOfNothing,
    #[error("required where the vCard has none")]
    ContactName,
    #[error(transparent)]
    ContactPhone(PhoneError),
    #[error("a vCard of at most {max} bytes", max = VCARD_MAX)]
    ContactVcard,
    #[error("without NUL characters")]
    Nul(Field),
    #[error("at most {most} characters")]
    TooLong { field: Field, most: usize },
    #[error("with header and footer at most {max} characters", max = TEXT_MAX)]
    TextTooLong,
}

impl ContentRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::UnknownKind | Self::TextWithFile | Self::FileOfOtherKind(_) => &[Field::Kind],
            Self::Misplaced { fields, .. } => fields,
            Self::NoText | Self::Question | Self::TextTooLong => &[Field::Message],
            Self::NoWordsWith(_) => &[Field::Message, Field::Header, Field::Footer],
            Self::CannotOpenOnce => &[Field::ViewOnce],
            Self::CannotLoop => &[Field::Gif],
            Self::NoPreview => &[Field::LinkPreview],
            Self::NoFile | Self::SeveralFiles => {
                &[Field::MediaUrl, Field::MediaBase64, Field::MediaId, Field::File]
            }
            Self::OptionCount | Self::OptionLength | Self::OptionTwice => &[Field::Options],
            Self::SelectableCount => &[Field::SelectableCount],
            Self::ContactCount | Self::ContactOfNothing => &[Field::Contacts],
            Self::ContactName => &[Field::ContactName],
            Self::ContactPhone(_) => &[Field::ContactPhone],
            Self::ContactVcard => &[Field::ContactVcard],
            Self::NoDegrees(field)
            | Self::Degrees { field, .. }
            | Self::Nul(field)
            | Self::TooLong { field, .. } => std::slice::from_ref(field),
        }
    }
}

/// Of one message: whom it is for, which message it names, what stands beside it.
#[derive(Debug, thiserror::Error)]
pub enum MessageRefusal {
    #[error("required")]
    NoRecipient,
    #[error("whom it is sent on to")]
    NobodyToForwardTo,
    #[error(transparent)]
    Recipient(PhoneError),
    #[error("for reaction, edit, delete and forward")]
    NamesMessage,
    #[error("required")]
    NamesNoMessage,
    #[error("{why}")]
    MessageId { field: Field, why: WaIdError },
    #[error("1 to {max} milliseconds", max = TYPING_MAX_MS)]
    Typing,
    #[error("this message was taken back or erased, or never reached anybody")]
    Gone,
    #[error("required; an empty one takes the reaction back")]
    NoEmoji,
    #[error("exactly one emoji, such as 👍 or 5️⃣")]
    NotOneEmoji,
    #[error("only this number's own messages can be edited")]
    EditOfOthers,
    #[error("only texts and captions can be edited")]
    CannotEdit,
    #[error("WhatsApp takes edits for 15 minutes after a message")]
    EditTooLate,
    #[error("the new text, not empty")]
    NoNewText,
    #[error("only this number's own messages can be taken back, and in groups, by admins, others'")]
    DeleteOfOthers,
    #[error("WhatsApp lets a message be taken back for two and a half days")]
    DeleteTooLate,
    #[error("this message cannot be sent on: it opens once, or is of an unknown kind")]
    CannotForward,
    #[error("everybody, in groups only")]
    EverybodyOfOne,
    #[error("at most {max}", max = MENTIONS_MAX)]
    MentionCount,
    #[error("people, not groups")]
    MentionOfGroup,
    #[error(transparent)]
    Mention(PhoneError),
    #[error("86400, 604800 or 7776000 seconds; 0 for never")]
    ExpiresIn,
}

impl MessageRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::NoRecipient | Self::NobodyToForwardTo | Self::Recipient(_) => &[Field::To],
            Self::MessageId { field, .. } => std::slice::from_ref(field),
            Self::Typing => &[Field::Typing],
            Self::NoEmoji | Self::NotOneEmoji => &[Field::Emoji],
            Self::NoNewText => &[Field::Message],
            Self::EverybodyOfOne | Self::MentionCount | Self::MentionOfGroup | Self::Mention(_) => {
                &[Field::Mentions]
            }
            Self::ExpiresIn => &[Field::ExpiresIn],
            Self::NamesMessage
            | Self::NamesNoMessage
            | Self::Gone
            | Self::EditOfOthers
            | Self::CannotEdit
            | Self::EditTooLate
            | Self::DeleteOfOthers
            | Self::DeleteTooLate
            | Self::CannotForward => &[Field::MessageId],
        }
    }
}
