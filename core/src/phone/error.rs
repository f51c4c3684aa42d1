//! Why a text is no phone number.

/// Why a number was refused; the text tells the caller what to fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error("the phone number is empty")]
    Empty,
    #[error("a phone number has only digits, spaces, dashes, dots, slashes, brackets and a leading +")]
    NotDigits,
    #[error("a spreadsheet has rounded this number (9.19E+11); format its column as text and save again")]
    Rounded,
    #[error("this number has decimals; format its column as text and write the digits alone")]
    Decimals,
    #[error("this is more than one phone number; write one alone")]
    Several,
    #[error("digits stand beside this number that may be no part of it; write the number alone")]
    DigitsBeside,
    #[error("this number has an extension, which WhatsApp does not know; write the number without it")]
    Extension,
    #[error("this link names no phone number; one that does looks like https://wa.me/919876543210")]
    NoNumberInLink,
    #[error("a phone number with its country code has 7 to 15 digits")]
    Length,
    #[error("write the number with its country code and without a leading 0, or name its defaultCountry")]
    LeadingZero,
    #[error("the number does not begin with a known country code")]
    UnknownCountry,
    #[error("this may be a number of two countries; write it with + and its country code")]
    Ambiguous,
    #[error("not a WhatsApp JID: use digits@s.whatsapp.net, digits@lid or id@g.us")]
    BadJid,
    #[error("messages to status and broadcast lists, channels and bots are not supported")]
    UnsupportedJid,
}
