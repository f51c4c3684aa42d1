//! How large a picture may be, so that no decoder is asked for what would fill the memory.

use super::Kind;

/// Pixels of a side.
pub const PICTURE_SIDE_MAX: u32 = 10_000;
/// In all: more than any phone's camera makes in one shot.
const PIXELS_MAX: u64 = 64_000_000;
/// Of an animated picture.
pub const FRAMES_MAX: u32 = 1_000;
/// Of a sticker, either side.
pub const STICKER_SIDE: u32 = 512;

/// Why a picture is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureRefusal {
    #[error(
        "the picture is {width} x {height} pixels; it may have {PICTURE_SIDE_MAX} on a side and 64 million in all"
    )]
    TooLarge { width: u32, height: u32 },
    #[error("a sticker is {STICKER_SIDE} x {STICKER_SIDE} pixels, and this is {width} x {height}")]
    NotSticker { width: u32, height: u32 },
    #[error("the picture has more than {FRAMES_MAX} frames")]
    TooManyFrames,
}

/// Before anything of it is decoded.
///
/// # Errors
/// Says which rule it breaks.
pub fn check_picture(kind: Kind, width: u32, height: u32) -> Result<(), PictureRefusal> {
    let pixels = u64::from(width) * u64::from(height);
    if width.max(height) > PICTURE_SIDE_MAX || pixels > PIXELS_MAX {
        Err(PictureRefusal::TooLarge { width, height })
    } else if kind == Kind::Sticker && (width, height) != (STICKER_SIDE, STICKER_SIDE) {
        Err(PictureRefusal::NotSticker { width, height })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_sides_and_pixels_within_bounds() {
        assert_eq!(check_picture(Kind::Image, 8_000, 8_000), Ok(()));
        assert_eq!(check_picture(Kind::Image, 10_000, 6_400), Ok(()));
        for (width, height) in
            [(10_001, 1), (1, 10_001), (8_001, 8_000), (60_000, 60_000), (u32::MAX, u32::MAX)]
        {
            let refusal = Err(PictureRefusal::TooLarge { width, height });
            assert_eq!(check_picture(Kind::Image, width, height), refusal);
        }
    }

    #[test]
    fn a_sticker_has_one_size() {
        assert_eq!(check_picture(Kind::Sticker, 512, 512), Ok(()));
        let refusal = Err(PictureRefusal::NotSticker { width: 512, height: 511 });
        assert_eq!(check_picture(Kind::Sticker, 512, 511), refusal);
    }
}
