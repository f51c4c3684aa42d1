//! What can go wrong when a phone is told to do something.

use serde::{Deserialize, Serialize};

use crate::group::rules::No;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the phone does not exist in this book")]
    PhoneNotFound,
    #[error("the code is not one this network showed, or it has expired")]
    QrNotValid,
    #[error("the pairing code is wrong or has expired")]
    CodeNotValid,
    #[error("the phone has no such message")]
    MessageNotFound,
    #[error("the phone has no such medium")]
    MediaNotFound,
    #[error("the phone has no such linked device")]
    DeviceNotFound,
    #[error("the recipient is not on WhatsApp")]
    NotOnWhatsApp,
    #[error("there is no such group in this book")]
    GroupNotFound,
    #[error("the phone is not in the group")]
    NotInGroup,
    #[error("the phone is no admin of the group")]
    NotGroupAdmin,
    #[error("{0}")]
    GroupRefused(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0} reached its limit")]
    LimitReached(String),
    #[error("the state could not be read or written: {0}")]
    Storage(String),
    #[error("the sandbox does not answer: {0}")]
    Unreachable(String),
}

impl SandboxError {
    /// The stable code of the control surface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PhoneNotFound => "PHONE_NOT_FOUND",
            Self::QrNotValid => "QR_NOT_VALID",
            Self::CodeNotValid => "CODE_NOT_VALID",
            Self::MessageNotFound => "MESSAGE_NOT_FOUND",
            Self::MediaNotFound => "MEDIA_NOT_FOUND",
            Self::DeviceNotFound => "DEVICE_NOT_FOUND",
            Self::NotOnWhatsApp => "NOT_ON_WHATSAPP",
            Self::GroupNotFound => "GROUP_NOT_FOUND",
            Self::NotInGroup => "NOT_IN_GROUP",
            Self::NotGroupAdmin => "NOT_GROUP_ADMIN",
            Self::GroupRefused(_) => "GROUP_REFUSED",
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::LimitReached(_) => "LIMIT_REACHED",
            Self::Storage(_) => "STORAGE",
            Self::Unreachable(_) => "UNREACHABLE",
        }
    }

    /// The HTTP status of the control surface.
    pub fn status(&self) -> u16 {
        match self {
            Self::PhoneNotFound
            | Self::MessageNotFound
            | Self::MediaNotFound
            | Self::DeviceNotFound
            | Self::GroupNotFound => 404,
            Self::QrNotValid
            | Self::CodeNotValid
            | Self::NotOnWhatsApp
            | Self::NotInGroup
            | Self::NotGroupAdmin
            | Self::GroupRefused(_)
            | Self::Invalid(_) => 400,
            Self::LimitReached(_) => 429,
            Self::Storage(_) => 500,
            Self::Unreachable(_) => 502,
        }
    }

    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: match self {
                Self::LimitReached(what) => what.clone(),
                other => other.to_string(),
            },
            code: self.code().to_owned(),
        }
    }
}

/// An error as the control surface writes it.
#[derive(Serialize, Deserialize)]
pub(crate) struct ErrorBody {
    pub error: String,
    pub code: String,
}

impl From<ErrorBody> for SandboxError {
    fn from(body: ErrorBody) -> Self {
        match body.code.as_str() {
            "PHONE_NOT_FOUND" => Self::PhoneNotFound,
            "QR_NOT_VALID" => Self::QrNotValid,
            "CODE_NOT_VALID" => Self::CodeNotValid,
            "MESSAGE_NOT_FOUND" => Self::MessageNotFound,
            "MEDIA_NOT_FOUND" => Self::MediaNotFound,
            "DEVICE_NOT_FOUND" => Self::DeviceNotFound,
            "NOT_ON_WHATSAPP" => Self::NotOnWhatsApp,
            "GROUP_NOT_FOUND" => Self::GroupNotFound,
            "NOT_IN_GROUP" => Self::NotInGroup,
            "NOT_GROUP_ADMIN" => Self::NotGroupAdmin,
            "GROUP_REFUSED" => Self::GroupRefused(body.error),
            "INVALID_REQUEST" => Self::Invalid(body.error),
            "LIMIT_REACHED" => Self::LimitReached(body.error),
            "STORAGE" => Self::Storage(body.error),
            _ => Self::Unreachable(body.error),
        }
    }
}

impl From<No> for SandboxError {
    fn from(no: No) -> Self {
        match no {
            No::Outsider => Self::NotInGroup,
            No::NotAdmin => Self::NotGroupAdmin,
            No::TooMany => Self::LimitReached("the groups of this book".into()),
            other => Self::GroupRefused(other.to_string()),
        }
    }
}
