//! A small picture of a picture, as WhatsApp shows it until the large one is there.

use std::io::{BufRead, Seek};

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

use super::{Flaw, Shape};

/// Pixels of its longer side.
const SIDE: u32 = 96;
/// It travels in the message itself: some KB, whatever it shows.
pub const BYTES_MAX: usize = 8 << 10;
const QUALITIES: [u8; 3] = [70, 45, 20];
/// A larger picture has none: decoding it would take too much memory. Phones' cameras make 12 million
/// pixels by themselves, 24 with effort.
const PIXELS_MAX: u64 = 24_000_000;
/// For a picture of that many pixels, with four bytes each, and what decoders need besides.
const MEMORY_MAX: u64 = 128 << 20;

pub struct Small {
    pub jpeg: Option<Vec<u8>>,
    /// The camera was held upright: width and height are each other's.
    pub is_turned: bool,
}

/// Millions of pixels that decoding takes at a time, at least one.
pub fn weight(shape: Shape) -> u32 {
    let pixels = pixels(shape);
    if pixels > PIXELS_MAX { 1 } else { u32::try_from(pixels.div_ceil(1_000_000)).unwrap_or(1).max(1) }
}

fn pixels(shape: Shape) -> u64 {
    u64::from(shape.width) * u64::from(shape.height)
}

/// # Errors
/// When the picture does not decode.
pub fn of(mime: &str, shape: Shape, file: impl BufRead + Seek) -> Result<Small, Flaw> {
    let format = ImageFormat::from_mime_type(mime).ok_or(Flaw::Damaged)?;
    if pixels(shape) > PIXELS_MAX {
        return Ok(Small { jpeg: None, is_turned: false });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(shape.width);
    limits.max_image_height = Some(shape.height);
    limits.max_alloc = Some(MEMORY_MAX);
    let mut reader = ImageReader::with_format(file, format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|_| Flaw::Damaged)?;
    // Whoever lies about the size to one reader must not have another one believe it.
    if decoder.total_bytes() > MEMORY_MAX {
        return Err(Flaw::Damaged);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let large = DynamicImage::from_decoder(decoder).map_err(|_| Flaw::Damaged)?;
    let mut small = large.thumbnail(SIDE, SIDE);
    drop(large);
    small.apply_orientation(orientation);
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    Ok(Small { jpeg: encoded(&on_white(&small)), is_turned })
}

/// A JPEG has no holes.
fn on_white(picture: &DynamicImage) -> RgbImage {
    let with_alpha = picture.to_rgba8();
    RgbImage::from_fn(with_alpha.width(), with_alpha.height(), |x, y| {
        let [r, g, b, alpha] = with_alpha.get_pixel(x, y).0;
        let over = |colour: u8| {
            let (colour, alpha) = (u32::from(colour), u32::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        Rgb([over(r), over(g), over(b)])
    })
}

/// Noise compresses badly: then with less of it.
fn encoded(picture: &RgbImage) -> Option<Vec<u8>> {
    QUALITIES.into_iter().find_map(|quality| {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(picture).ok()?;
        (jpeg.len() <= BYTES_MAX).then_some(jpeg)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};
    use std::io::Cursor;

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut file = Cursor::new(vec![]);
        picture.into().write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    fn small(file: &[u8], width: u32, height: u32) -> Result<RgbImage, Flaw> {
        let shape = Shape { width, height, is_animated: false };
        let small = of("image/png", shape, Cursor::new(file))?;
        let jpeg = small.jpeg.expect("a thumbnail");
        assert!(jpeg.len() <= BYTES_MAX, "{}", jpeg.len());
        Ok(image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).unwrap().to_rgb8())
    }

    #[test]
    fn a_thumbnail_is_small_and_has_the_same_sides() {
        let noise = RgbImage::from_fn(640, 320, |x, y| {
            let byte = |n: u32| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap();
            Rgb([byte(x * 31 + y), byte(y * 17 + x), byte(x ^ y)])
        });
        let small = small(&png(noise), 640, 320).unwrap();
        assert_eq!(small.dimensions(), (96, 48));
    }

    #[test]
    fn a_hole_is_white() {
        let small = small(&png(RgbaImage::from_pixel(100, 100, Rgba([0, 0, 0, 0]))), 100, 100).unwrap();
        assert!(small.pixels().all(|pixel| pixel.0.iter().all(|colour| *colour > 250)));
    }

    #[test]
    fn a_picture_that_says_another_size_to_the_decoder_is_damaged() {
        let file = png(RgbImage::new(300, 300));
        assert!(matches!(small(&file, 100, 100), Err(Flaw::Damaged)));
    }

    #[test]
    fn a_picture_too_large_to_decode_has_none_and_weighs_little() {
        let shape = Shape { width: 8_000, height: 8_000, is_animated: false };
        let small = of("image/png", shape, Cursor::new(b"not looked at")).unwrap();
        assert!(small.jpeg.is_none());
        assert_eq!(weight(shape), 1);
        assert_eq!(weight(Shape { width: 4_000, height: 3_000, is_animated: false }), 12);
        assert_eq!(weight(Shape { width: 1, height: 1, is_animated: false }), 1);
    }
}
