//! Profile pictures: made fit, kept, and handed out by URL.
//!
//! WhatsApp makes the preview itself and answers a question for a picture with a URL; the client fetches
//! it by plain HTTP. The URL names the book, so that one book cannot read another's.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, ImageReader, Limits};

use crate::limits;
use crate::net::Net;

/// Where pictures are fetched from. The name resolves nowhere: only a sandbox's own HTTP client knows it.
const HOST: &str = "https://pps.sandbox.invalid/";
/// The side of a preview.
const PREVIEW_SIDE: u32 = 96;
/// The id and the length of the preview.
const HEAD_BYTES: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Preview,
    Full,
}

/// A picture under the id that WhatsApp's clients compare.
#[derive(Clone)]
pub(crate) struct Picture {
    pub id: u64,
    preview: Bytes,
    full: Bytes,
}

/// The bytes are no picture, or one that is too large.
#[derive(Debug)]
pub(crate) struct NotAPicture;

impl Picture {
    /// Decoding takes milliseconds: call it where that may be.
    pub(crate) fn new(id: u64, bytes: Vec<u8>) -> Result<Self, NotAPicture> {
        if bytes.len() > limits::PICTURE_BYTES {
            return Err(NotAPicture);
        }
        let mut reader = ImageReader::with_format(Cursor::new(&bytes), ImageFormat::Jpeg);
        let mut bounds = Limits::default();
        bounds.max_image_width = Some(limits::PICTURE_SIDE);
        bounds.max_image_height = Some(limits::PICTURE_SIDE);
        reader.limits(bounds);
        let picture = reader.decode().map_err(|_| NotAPicture)?;
        let small = picture.thumbnail(PREVIEW_SIDE, PREVIEW_SIDE).into_rgb8();
        let mut preview = Cursor::new(Vec::new());
        small.write_to(&mut preview, ImageFormat::Jpeg).map_err(|_| NotAPicture)?;
        Ok(Self { id, preview: preview.into_inner().into(), full: bytes.into() })
    }

    pub(crate) fn bytes(&self, size: Size) -> &Bytes {
        match size {
            Size::Preview => &self.preview,
            Size::Full => &self.full,
        }
    }

    /// As the journal keeps it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.preview.len()).expect("a preview is smaller than its picture");
        let mut record = Vec::with_capacity(HEAD_BYTES + self.preview.len() + self.full.len());
        record.extend_from_slice(&self.id.to_be_bytes());
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&self.preview);
        record.extend_from_slice(&self.full);
        record
    }

    pub(crate) fn from_bytes(mut record: Bytes) -> Option<Self> {
        if record.len() < HEAD_BYTES {
            return None;
        }
        let head = record.split_to(HEAD_BYTES);
        let (id, length) = head.split_at(8);
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if record.len() < length {
            return None;
        }
        let preview = record.split_to(length);
        Some(Self { id: u64::from_be_bytes(id.try_into().ok()?), preview, full: record })
    }
}

pub(crate) fn url(book: &str, phone: &str, id: u64, size: Size) -> String {
    format!("{HOST}{}", path(book, phone, id, size))
}

/// The path is the same on every host that hands pictures out.
pub(crate) fn path(book: &str, phone: &str, id: u64, size: Size) -> String {
    let size = match size {
        Size::Preview => "preview",
        Size::Full => "image",
    };
    format!("pictures/{book}/{phone}/{id}-{size}.jpg")
}

/// The path of a URL of ours.
pub(crate) fn path_of(url: &str) -> Option<&str> {
    url.strip_prefix(HOST)
}

/// The picture at a path, for somebody of `book`.
pub(crate) fn at(net: &Net, book: &str, path: &str) -> Option<Bytes> {
    let mut parts = path.strip_prefix("pictures/")?.split('/');
    let (owner, phone, name) = (parts.next()?, parts.next()?, parts.next()?);
    if owner != book || parts.next().is_some() {
        return None;
    }
    let (id, size) = name.strip_suffix(".jpg")?.split_once('-')?;
    let size = match size {
        "preview" => Size::Preview,
        "image" => Size::Full,
        _ => return None,
    };
    let account = net.account(book, phone)?;
    let state = account.state.lock();
    let picture = state.person.picture.as_ref().filter(|picture| picture.id.to_string() == id)?;
    Some(picture.bytes(size).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(side: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(side, side, image::Rgb([200, 30, 30]));
        picture.write_to(&mut bytes, ImageFormat::Jpeg).expect("encodes");
        bytes.into_inner()
    }

    #[test]
    fn a_picture_survives_its_record_with_its_preview() {
        let picture = Picture::new(7, jpeg(640)).expect("a picture");
        let again = Picture::from_bytes(picture.to_bytes().into()).expect("reads");
        assert_eq!(again.id, 7);
        for size in [Size::Preview, Size::Full] {
            assert_eq!(again.bytes(size), picture.bytes(size));
        }
        let preview = image::load_from_memory(picture.bytes(Size::Preview)).expect("decodes");
        assert_eq!((preview.width(), preview.height()), (PREVIEW_SIDE, PREVIEW_SIDE));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(Picture::new(1, b"no picture".to_vec()).is_err());
        assert!(Picture::new(1, vec![0xff; limits::PICTURE_BYTES + 1]).is_err());
        assert!(Picture::from_bytes(Bytes::from_static(b"short")).is_none());
    }
}
