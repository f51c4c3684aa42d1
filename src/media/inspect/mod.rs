//! What can be told of a file by reading it: its dimensions, its length, a small picture of it; and whether
//! all of it is there.
//!
//! Everything here reads what strangers made. Nothing is decoded before its header was found to be within
//! bounds, and nothing is believed that a header says of its own size.
//!
//! | file | what |
//! |---|---|
//! | `whole` | JPEG, PNG, WebP and GIF from beginning to end, without decoding |
//! | `thumbnail` | a small picture of a picture |
//! | `movie` | MP4 and its relatives: how long, how large |
//! | `fragments` | how long such a one plays that was written in pieces |
//! | `sound` | Ogg, MP3, AAC and AMR: how long |

use std::io::{self, BufReader, ErrorKind, Read, Seek};

use wapid_core::media::{Kind, Limits, PictureRefusal, VOICE, check_picture};

mod fragments;
mod movie;
mod sound;
mod thumbnail;
mod whole;

pub use sound::is_mono_opus;
pub use thumbnail::{BYTES_MAX as THUMBNAIL_MAX, weight};

/// What a file's content says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub seconds: Option<i64>,
    pub is_animated: bool,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

/// Why a file is not what it begins like.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    #[error("the file is damaged, or its end is missing")]
    Damaged,
    #[error(transparent)]
    Picture(#[from] PictureRefusal),
    #[error("the file is larger than {most} bytes")]
    TooLarge { most: u64 },
    /// Ours, not the file's.
    #[error("a file could not be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Flaw {
    fn from(problem: io::Error) -> Self {
        // Where a file ends in the middle of something, its reader hears of it like this.
        if problem.kind() == ErrorKind::UnexpectedEof { Self::Damaged } else { Self::Io(problem) }
    }
}

/// What a walk through a picture found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    pub is_animated: bool,
}

/// Walks through a picture from its beginning to its end and checks its size; nothing is decoded.
///
/// # Errors
/// When its end is missing, or it is larger than a picture may be.
pub fn shape(kind: Kind, mime: &str, size: u64, file: impl Read + Seek) -> Result<Shape, Flaw> {
    let file = BufReader::with_capacity(16 << 10, file);
    let shape = match mime {
        "image/jpeg" => whole::jpeg(file)?,
        "image/png" => whole::png(file)?,
        "image/webp" => whole::webp(file)?,
        "image/gif" => whole::gif(file)?,
        _ => return Err(Flaw::Damaged),
    };
    check_picture(kind, shape.width, shape.height)?;
    if kind == Kind::Sticker {
        let most = Limits::of_sticker(shape.is_animated);
        if size > most {
            return Err(Flaw::TooLarge { most });
        }
    }
    Ok(shape)
}

/// What is told of a picture whose shape is known to be good.
///
/// # Errors
/// When it does not decode.
pub fn picture(mime: &str, shape: Shape, file: impl Read + Seek) -> Result<Facts, Flaw> {
    let small = thumbnail::of(mime, shape, BufReader::with_capacity(16 << 10, file))?;
    let (width, height) =
        if small.is_turned { (shape.height, shape.width) } else { (shape.width, shape.height) };
    Ok(Facts {
        width: Some(width.into()),
        height: Some(height.into()),
        seconds: None,
        is_animated: shape.is_animated,
        thumbnail: small.jpeg,
    })
}

/// How long something plays, and how large it shows.
///
/// # Errors
/// When a movie's end is missing: where its parts are is told there.
pub fn played(mime: &str, size: u64, file: impl Read + Seek) -> Result<Facts, Flaw> {
    let mut file = BufReader::with_capacity(16 << 10, file);
    let seconds = match mime {
        "video/mp4" | "video/3gpp" | "video/quicktime" | "audio/mp4" => {
            let movie = movie::read(&mut file, size)?;
            let seconds = match movie.seconds {
                Some(seconds) => Some(seconds),
                None => {
                    file.rewind()?;
                    fragments::seconds(&mut file, size)
                }
            };
            return Ok(Facts { width: movie.width, height: movie.height, seconds, ..Facts::default() });
        }
        VOICE | "audio/ogg" => sound::ogg(&mut file, size)?,
        "audio/mpeg" => sound::mp3(&mut file, size)?,
        "audio/aac" => sound::aac(&mut file)?,
        "audio/amr" => sound::amr(&mut file)?,
        _ => None,
    };
    Ok(Facts { seconds, ..Facts::default() })
}

/// A length as phones show it: to the nearest second, and what is there at all has one.
pub fn whole_seconds(units: u64, per_second: u64) -> i64 {
    let per_second = per_second.max(1);
    let nearest = units.saturating_add(per_second / 2) / per_second;
    i64::try_from(nearest.max(1)).unwrap_or(i64::MAX)
}
