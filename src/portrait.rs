//! A picture made fit for a profile: square, at most 640 pixels on a side, a JPEG.
//!
//! What it is follows from its bytes. Its size is looked at before it is decoded, so that a small file
//! cannot become a large picture.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, Limits};
use wapid_core::media::Kind;

use crate::media::{self, Shape};

/// WhatsApp's own.
const SIDE: u32 = 640;
/// Less than this WhatsApp does not take.
const SIDE_MIN: u32 = 96;
/// A picture may be this large on a side; decoded it takes at most 4 bytes a pixel.
const GIVEN_SIDE_MAX: u32 = 6_000;
const DECODED_MAX: u64 = 160 << 20;
const QUALITY: u8 = 85;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortraitError {
    #[error("the picture must be a JPEG or a PNG")]
    NotAPicture,
    #[error("the picture must have between 96 and 6000 pixels on each side")]
    BadSize,
}

/// Takes some tens of milliseconds, and memory for the whole picture: run it apart, and few at a time.
///
/// # Errors
/// [`PortraitError`] for what is no picture, or one of an odd size.
pub fn portrait(bytes: &[u8]) -> Result<Vec<u8>, PortraitError> {
    let format = image::guess_format(bytes).map_err(|_| PortraitError::NotAPicture)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
        return Err(PortraitError::NotAPicture);
    }
    // A decoder would forgive a missing end, and show grey where it was.
    let file = Cursor::new(bytes);
    let shape = media::shape(Kind::Image, format.to_mime_type(), bytes.len() as u64, file);
    let Shape { width, height, .. } = shape.map_err(|_| PortraitError::NotAPicture)?;
    if width.min(height) < SIDE_MIN || width.max(height) > GIVEN_SIDE_MAX {
        return Err(PortraitError::BadSize);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut bounds = Limits::default();
    bounds.max_alloc = Some(DECODED_MAX);
    reader.limits(bounds);
    let picture = reader.decode().map_err(|_| PortraitError::NotAPicture)?;
    let side = width.min(height);
    let square = picture.crop_imm((width - side) / 2, (height - side) / 2, side, side);
    let fit = if side > SIDE { square.resize_exact(SIDE, SIDE, FilterType::Triangle) } else { square };
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&fit.into_rgb8());
    encoded.map_err(|_| PortraitError::NotAPicture)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            let byte = |n: u32| u8::try_from(n % 256).unwrap();
            image::Rgb([byte(x), byte(y), 128])
        });
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn size(jpeg: &[u8]) -> (u32, u32) {
        assert_eq!(image::guess_format(jpeg).unwrap(), ImageFormat::Jpeg);
        let decoded = image::load_from_memory(jpeg).unwrap();
        (decoded.width(), decoded.height())
    }

    #[test]
    fn a_picture_becomes_a_square_of_640_and_a_small_one_keeps_its_size() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            assert_eq!(size(&portrait(&picture(1_000, 1_600, format)).unwrap()), (640, 640));
            assert_eq!(size(&portrait(&picture(300, 200, format)).unwrap()), (200, 200));
        }
    }

    #[test]
    fn what_is_no_picture_or_an_odd_one_is_refused() {
        let jpeg = picture(640, 640, ImageFormat::Jpeg);
        for bad in [&b""[..], b"not a picture", b"GIF89a\x01\x00\x01\x00", &jpeg[..20]] {
            assert_eq!(portrait(bad), Err(PortraitError::NotAPicture));
        }
        assert_eq!(portrait(&picture(95, 640, ImageFormat::Png)), Err(PortraitError::BadSize));
        assert_eq!(portrait(&picture(6_001, 100, ImageFormat::Png)), Err(PortraitError::BadSize));
    }

    #[test]
    fn a_picture_that_lies_about_its_size_is_refused_before_it_is_decoded() {
        // A PNG of 50,000 by 50,000 pixels in its head, and nothing behind it.
        let mut bomb = picture(100, 100, ImageFormat::Png);
        bomb[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
        assert!(portrait(&bomb).is_err());
    }
}
