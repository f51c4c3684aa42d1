//! A QR in the shapes people need: PNG, SVG, and blocks for a terminal.
//!
//! Drawn on request and never kept.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::Luma;
use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

/// Side of the PNG in pixels, at least.
const SIDE: u32 = 320;

fn code(text: &str) -> Option<QrCode> {
    // Level L, as WhatsApp Web draws it: the text is long, and a screen is not torn.
    QrCode::with_error_correction_level(text, EcLevel::L).ok()
}

/// `None` for a text that no QR can hold (over 2,953 bytes).
pub fn png(text: &str) -> Option<Vec<u8>> {
    let picture = code(text)?.render::<Luma<u8>>().min_dimensions(SIDE, SIDE).build();
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).ok()?;
    Some(bytes.into_inner())
}

pub fn png_data_url(text: &str) -> Option<String> {
    Some(format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png(text)?)))
}

pub fn svg(text: &str) -> Option<String> {
    Some(code(text)?.render::<svg::Color>().min_dimensions(SIDE, SIDE).build())
}

/// Half blocks, two modules high. Drawn light on dark with a quiet zone, so it scans on dark and
/// light terminals alike.
pub fn terminal(text: &str) -> Option<String> {
    let drawn = code(text)?
        .render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build();
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2@abc,def,ghi,jkl,1";

    #[test]
    fn a_phone_reads_the_png() {
        let picture = image::load_from_memory(&png(TEXT).unwrap()).unwrap().to_luma8();
        let mut picture = rqrr::PreparedImage::prepare(picture);
        let (_, read) = picture.detect_grids()[0].decode().unwrap();
        assert_eq!(read, TEXT);
    }

    #[test]
    fn a_terminal_shows_a_square_with_a_quiet_zone() {
        let drawn = terminal(TEXT).unwrap();
        let width = drawn.lines().next().unwrap().chars().count();
        assert!(drawn.lines().count().abs_diff(width / 2) <= 1);
        assert!(svg(TEXT).unwrap().contains("<svg"));
    }

    #[test]
    fn what_no_qr_can_hold_is_none() {
        assert!(png(&"x".repeat(3000)).is_none());
    }
}
