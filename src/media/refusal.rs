//! Why a file is not taken.

use std::io;

use wapid_core::media::{PictureRefusal, State, TypeRefusal};
use wapid_core::store::StoreError;
use wapid_core::turns::Busy;

use super::inspect::Flaw;
use crate::outgoing::{self, DownloadError};

/// Why a file was refused. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the file is empty")]
    Empty,
    #[error("the file is larger than {most} bytes")]
    TooLarge { most: u64 },
    #[error(transparent)]
    Type(#[from] TypeRefusal),
    #[error(transparent)]
    Picture(#[from] PictureRefusal),
    #[error("the file is damaged, or its end is missing")]
    Damaged,
    #[error("mediaBase64 is not base64")]
    NotBase64,
    /// Before anybody was asked.
    #[error("mediaUrl: {0}")]
    Url(outgoing::Refusal),
    /// The other side's answer, or that there is none.
    #[error("mediaUrl: {0}")]
    Download(DownloadError),
    #[error("the files of this tenant take {most} bytes already; remove some, or keep them for fewer days")]
    Full { most: u64 },
    #[error(
        "a voice note must be Ogg with Opus, and nothing here can make one of this file: install ffmpeg \
         (Debian: apt-get install ffmpeg) or set WAPID_FFMPEG"
    )]
    NeedsFfmpeg,
    #[error("no sound could be read from the file")]
    NoSound,
    #[error("too many files are on their way; try again in a moment")]
    Busy,
    #[error("the file did not arrive in time")]
    TooSlow,
    #[error("the file broke off, or the form does not read")]
    BrokenOff,
    #[error("nobody waits for this file any more")]
    NotWanted,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a file could not be stored: {0}")]
    Io(io::Error),
}

impl From<Flaw> for Refusal {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Damaged => Self::Damaged,
            Flaw::Picture(refusal) => Self::Picture(refusal),
            Flaw::TooLarge { most } => Self::TooLarge { most },
            Flaw::Io(problem) => Self::Io(problem),
        }
    }
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl From<DownloadError> for Refusal {
    fn from(problem: DownloadError) -> Self {
        match problem {
            DownloadError::TooLarge { most } => Self::TooLarge { most },
            other => Self::Download(other),
        }
    }
}

/// Why a file that has a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{}", why(*.0))]
    NotStored(State),
    /// The row promises what is not there: a folder or a bucket was changed by somebody else.
    #[error("the file's bytes are lost")]
    Lost,
    #[error("a file could not be read: {0}")]
    Io(io::Error),
}

fn why(state: State) -> &'static str {
    match state {
        State::Waiting => "the file is not fetched yet",
        State::Failed => "the file could not be fetched",
        State::Gone => "WhatsApp has the file no longer",
        State::Stored => "the file has no bytes",
    }
}

impl From<io::Error> for Unreadable {
    fn from(problem: io::Error) -> Self {
        if problem.kind() == io::ErrorKind::NotFound { Self::Lost } else { Self::Io(problem) }
    }
}
