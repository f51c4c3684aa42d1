//! The fields of wishes, as refusals name them.
//!
//! Each front calls them what its users call them: the API by the names of its JSON, a form by its labels.

/// A field of a wish, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Whom a message is for.
    To,
    /// The country of numbers that are written without its code.
    DefaultCountry,
    /// Text, caption, or a poll's question.
    Message,
    Header,
    Footer,
    /// What kind of message it is.
    Kind,
    /// A file by its address, as base64, by the id it was given under, or as it came with the request.
    MediaUrl,
    MediaBase64,
    MediaId,
    File,
    FileName,
    ViewOnce,
    LinkPreview,
    Gif,
    Options,
    /// How many of a poll's options one may choose.
    SelectableCount,
    Latitude,
    Longitude,
    PlaceName,
    PlaceAddress,
    /// Contact cards, and the fields of one.
    Contacts,
    ContactName,
    ContactPhone,
    ContactVcard,
    /// The message that is reacted to, edited, deleted or forwarded.
    MessageId,
    Emoji,
    /// The message that is answered.
    QuotedMessageId,
    Mentions,
    /// How long a message of a disappearing chat is shown.
    ExpiresIn,
    /// How long somebody is shown typing before.
    Typing,
    /// A job's list, its label for people and its several texts.
    Recipients,
    JobName,
    Variants,
    VariantWeight,
    /// The shortest and the longest pause between two of its messages.
    DelayMin,
    DelayMax,
    /// When it begins, and when its messages may leave.
    ScheduleAt,
    Windows,
    /// Of a session, its name being a label for people.
    SessionId,
    SessionName,
    /// The number that is linked by a code.
    PhoneNumber,
    DeviceName,
    Proxy,
    /// Of a webhook.
    Url,
    Description,
    Events,
    Sessions,
    /// Which headers say the signature.
    Profile,
    Headers,
    Secret,
    Concurrency,
    MaxAttempts,
    TimeoutMs,
    /// How long an old secret signs as well.
    GraceHours,
    /// Of a group; its description is that above.
    Subject,
    /// Only admins write; only admins change it.
    Announce,
    Locked,
    EphemeralSeconds,
    /// What is to be done with which people of it.
    Action,
    Participants,
    InviteLink,
    /// The time that is recovered.
    Since,
    Until,
    /// What makes a repeated call the same one.
    IdempotencyKey,
}
