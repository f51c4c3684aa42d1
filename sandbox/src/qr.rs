//! Reading a QR picture, as a phone's camera would.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;

use crate::error::SandboxError;
use crate::limits;

const PNG_URL: &str = "data:image/png;base64,";

/// A picture may be this large on a side; a decoder given more could be made to allocate a lot.
const SIDE: u32 = 4096;

/// The text of a code given as text or as a PNG data URL.
pub(crate) fn text(qr: &str) -> Result<String, SandboxError> {
    if qr.len() > limits::QR_BYTES {
        return Err(SandboxError::QrNotValid);
    }
    match qr.trim().strip_prefix(PNG_URL) {
        Some(encoded) => read(encoded).ok_or(SandboxError::QrNotValid),
        None => Ok(qr.trim().to_owned()),
    }
}

fn read(encoded: &str) -> Option<String> {
    let bytes = BASE64.decode(encoded).ok()?;
    let mut reader = image::ImageReader::with_format(std::io::Cursor::new(bytes), image::ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    reader.limits(limits);
    let picture = reader.decode().ok()?.into_luma8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let (x, y) = (u32::try_from(x).unwrap_or(0), u32::try_from(y).unwrap_or(0));
        picture.get_pixel(x, y).0[0]
    });
    prepared.detect_grids().into_iter().find_map(|grid| Some(grid.decode().ok()?.1))
}
