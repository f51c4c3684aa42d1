//! Pictures from beginning to end, without decoding: what they say of their size, and whether their end is
//! there. A decoder would forgive a missing end, and show grey where it was.

use std::io::{BufRead, Read, Seek};

use wapid_core::media::{FRAMES_MAX, PictureRefusal};

use super::{Flaw, Shape};

fn bytes<const N: usize>(file: &mut impl Read) -> Result<[u8; N], Flaw> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(file: &mut (impl BufRead + Seek), count: u64) -> Result<(), Flaw> {
    // Beyond the end: the next read tells.
    let by = i64::try_from(count).map_err(|_| Flaw::Damaged)?;
    file.seek_relative(by).map_err(Flaw::from)
}

fn count_frame(frames: &mut u32) -> Result<(), Flaw> {
    *frames += 1;
    if *frames > FRAMES_MAX { Err(PictureRefusal::TooManyFrames.into()) } else { Ok(()) }
}

/// Segments up to the mark of the end, through the scans' own bytes.
pub fn jpeg(mut file: impl BufRead + Seek) -> Result<Shape, Flaw> {
    if bytes(&mut file)? != [0xff, 0xd8] {
        return Err(Flaw::Damaged);
    }
    let (mut size, mut has_scan) = (None, false);
    let [mut byte] = bytes(&mut file)?;
    loop {
        if byte != 0xff {
            return Err(Flaw::Damaged);
        }
        let mut marker = byte;
        while marker == 0xff {
            [marker] = bytes(&mut file)?;
        }
        match marker {
            0xd9 => {
                let (width, height) = size.filter(|_| has_scan).ok_or(Flaw::Damaged)?;
                return Ok(Shape { width, height, is_animated: false });
            }
            // Without a length.
            0x01 | 0xd0..=0xd8 => {}
            _ => {
                let length = u64::from(u16::from_be_bytes(bytes(&mut file)?));
                let mut rest = length.checked_sub(2).ok_or(Flaw::Damaged)?;
                let is_frame = matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
                if is_frame && size.is_none() {
                    let _precision: [u8; 1] = bytes(&mut file)?;
                    let height = u16::from_be_bytes(bytes(&mut file)?);
                    let width = u16::from_be_bytes(bytes(&mut file)?);
                    rest = rest.checked_sub(5).ok_or(Flaw::Damaged)?;
                    if width == 0 || height == 0 {
                        return Err(Flaw::Damaged);
                    }
                    size = Some((u32::from(width), u32::from(height)));
                }
                skip(&mut file, rest)?;
                if marker == 0xda {
                    has_scan = true;
                    byte = scan(&mut file)?;
                    continue;
                }
            }
        }
        [byte] = bytes(&mut file)?;
    }
}

/// Reads a scan's own bytes and the first, `0xff`, of the marker that ends it.
fn scan(file: &mut (impl BufRead + Seek)) -> Result<u8, Flaw> {
    loop {
        let ahead = file.fill_buf()?;
        if ahead.is_empty() {
            return Err(Flaw::Damaged);
        }
        let Some(at) = ahead.iter().position(|byte| *byte == 0xff) else {
            let all = ahead.len();
            file.consume(all);
            continue;
        };
        file.consume(at + 1);
        let mut next;
        loop {
            [next] = bytes(file)?;
            if next != 0xff {
                break;
            }
        }
        if next != 0 && !matches!(next, 0xd0..=0xd7) {
            // The marker is read again after its 0xff.
            file.seek_relative(-1)?;
            return Ok(0xff);
        }
    }
}

/// Chunks up to `IEND`.
pub fn png(mut file: impl BufRead + Seek) -> Result<Shape, Flaw> {
    if &bytes(&mut file)? != b"\x89PNG\r\n\x1a\n" {
        return Err(Flaw::Damaged);
    }
    let (mut size, mut has_data, mut is_animated) = (None, false, false);
    loop {
        let mut length = u64::from(u32::from_be_bytes(bytes(&mut file)?));
        let name = bytes(&mut file)?;
        match &name {
            b"IHDR" => {
                let width = u32::from_be_bytes(bytes(&mut file)?);
                let height = u32::from_be_bytes(bytes(&mut file)?);
                length = length.checked_sub(8).ok_or(Flaw::Damaged)?;
                size = Some((width, height));
            }
            b"acTL" => {
                let frames = u32::from_be_bytes(bytes(&mut file)?);
                length = length.checked_sub(4).ok_or(Flaw::Damaged)?;
                if frames > FRAMES_MAX {
                    return Err(PictureRefusal::TooManyFrames.into());
                }
                is_animated = true;
            }
            b"IDAT" => has_data = true,
            _ => {}
        }
        let (width, height) = size.filter(|(w, h)| *w > 0 && *h > 0).ok_or(Flaw::Damaged)?;
        skip(&mut file, length)?;
        let _checksum: [u8; 4] = bytes(&mut file)?;
        if &name == b"IEND" {
            return if has_data { Ok(Shape { width, height, is_animated }) } else { Err(Flaw::Damaged) };
        }
    }
}

/// Chunks up to the length that the first of them says.
pub fn webp(mut file: impl BufRead + Seek) -> Result<Shape, Flaw> {
    if &bytes(&mut file)? != b"RIFF" {
        return Err(Flaw::Damaged);
    }
    let mut left = u64::from(u32::from_le_bytes(bytes(&mut file)?));
    if &bytes(&mut file)? != b"WEBP" {
        return Err(Flaw::Damaged);
    }
    left = left.checked_sub(4).ok_or(Flaw::Damaged)?;
    let (mut canvas, mut still, mut frames) = (None, None, 0);
    while left >= 8 {
        let name: [u8; 4] = bytes(&mut file)?;
        let length = u64::from(u32::from_le_bytes(bytes(&mut file)?));
        left = left.checked_sub(8 + length).ok_or(Flaw::Damaged)?;
        let read = match &name {
            b"VP8X" => {
                let _flags: [u8; 4] = bytes(&mut file)?;
                let mut side = || {
                    let [low, middle, high] = bytes(&mut file)?;
                    Ok::<_, Flaw>(u32::from_le_bytes([low, middle, high, 0]) + 1)
                };
                canvas = Some((side()?, side()?));
                10
            }
            b"VP8 " => {
                let _frame: [u8; 3] = bytes(&mut file)?;
                if bytes(&mut file)? != [0x9d, 0x01, 0x2a] {
                    return Err(Flaw::Damaged);
                }
                let mut side = || Ok::<_, Flaw>(u32::from(u16::from_le_bytes(bytes(&mut file)?) & 0x3fff));
                still = Some((side()?, side()?));
                10
            }
            b"VP8L" => {
                if bytes(&mut file)? != [0x2f] {
                    return Err(Flaw::Damaged);
                }
                let bits = u32::from_le_bytes(bytes(&mut file)?);
                still = Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1));
                5
            }
            b"ANMF" => {
                count_frame(&mut frames)?;
                0
            }
            _ => 0,
        };
        // All but the last byte unread, so that a missing one is noticed.
        let rest = length.checked_sub(read).ok_or(Flaw::Damaged)?;
        if rest > 0 {
            skip(&mut file, rest - 1)?;
            let _last: [u8; 1] = bytes(&mut file)?;
        }
        // Chunks begin at even places; some writers leave the last filler out, and do not count it.
        if length % 2 == 1 && left > 0 {
            let _filler: [u8; 1] = bytes(&mut file)?;
            left -= 1;
        }
    }
    let has_picture = still.is_some() || frames > 0;
    let size = canvas.or(still).filter(|(w, h)| has_picture && *w > 0 && *h > 0);
    let (width, height) = size.ok_or(Flaw::Damaged)?;
    Ok(Shape { width, height, is_animated: frames > 0 })
}

/// Blocks up to the trailer.
pub fn gif(mut file: impl BufRead + Seek) -> Result<Shape, Flaw> {
    let header: [u8; 6] = bytes(&mut file)?;
    if &header != b"GIF87a" && &header != b"GIF89a" {
        return Err(Flaw::Damaged);
    }
    let width = u16::from_le_bytes(bytes(&mut file)?);
    let height = u16::from_le_bytes(bytes(&mut file)?);
    let [flags, _, _] = bytes(&mut file)?;
    skip_colours(&mut file, flags)?;
    let mut frames = 0;
    loop {
        match bytes(&mut file)? {
            [0x21] => {
                let _label: [u8; 1] = bytes(&mut file)?;
                skip_blocks(&mut file)?;
            }
            [0x2c] => {
                count_frame(&mut frames)?;
                let [.., flags]: [u8; 9] = bytes(&mut file)?;
                skip_colours(&mut file, flags)?;
                let _code_size: [u8; 1] = bytes(&mut file)?;
                skip_blocks(&mut file)?;
            }
            [0x3b] if frames > 0 && width > 0 && height > 0 => {
                return Ok(Shape { width: width.into(), height: height.into(), is_animated: frames > 1 });
            }
            _ => return Err(Flaw::Damaged),
        }
    }
}

fn skip_colours(file: &mut (impl BufRead + Seek), flags: u8) -> Result<(), Flaw> {
    let has_table = flags & 0x80 != 0;
    if has_table { skip(file, 3 << ((flags & 7) + 1)) } else { Ok(()) }
}

fn skip_blocks(file: &mut (impl BufRead + Seek)) -> Result<(), Flaw> {
    loop {
        let [length] = bytes(file)?;
        if length == 0 {
            return Ok(());
        }
        skip(file, length.into())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::gif::GifEncoder;
    use image::{DynamicImage, Frame, ImageFormat, RgbImage, RgbaImage};
    use std::io::{BufReader, Cursor};

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        // Not of one colour, so that there is something to lose.
        let pixels = RgbImage::from_fn(width, height, |x, y| {
            let byte = |n: u32| u8::try_from(n % 256).unwrap();
            image::Rgb([byte(x * 7), byte(y * 5), byte(x * y)])
        });
        let mut file = Cursor::new(vec![]);
        DynamicImage::from(pixels).write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn walk(format: ImageFormat, file: &[u8]) -> Result<Shape, Flaw> {
        let file = BufReader::with_capacity(61, Cursor::new(file.to_vec()));
        match format {
            ImageFormat::Jpeg => jpeg(file),
            ImageFormat::Png => png(file),
            ImageFormat::WebP => webp(file),
            _ => gif(file),
        }
    }

    const FORMATS: [ImageFormat; 4] =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif];

    #[test]
    fn a_whole_picture_says_its_size() {
        for format in FORMATS {
            let shape = walk(format, &picture(47, 31, format)).unwrap();
            assert_eq!(shape, Shape { width: 47, height: 31, is_animated: false }, "{format:?}");
        }
    }

    #[test]
    fn a_picture_without_its_end_is_damaged_wherever_it_was_cut() {
        for format in FORMATS {
            let file = picture(40, 40, format);
            for length in 0..file.len() {
                let said = walk(format, &file[..length]);
                assert!(
                    matches!(said, Err(Flaw::Damaged)),
                    "{format:?} at {length} of {}: {said:?}",
                    file.len()
                );
            }
        }
    }

    #[test]
    fn what_follows_a_picture_is_no_matter() {
        for format in FORMATS {
            let mut file = picture(20, 20, format);
            file.extend_from_slice(b"whatever a camera writes there");
            assert!(walk(format, &file).is_ok(), "{format:?}");
        }
    }

    #[test]
    fn frames_are_counted_and_bounded() {
        let animated = |count: u32| {
            let mut file = vec![];
            let mut writer = GifEncoder::new(&mut file);
            writer.encode_frames((0..count).map(|_| Frame::new(RgbaImage::new(2, 2)))).unwrap();
            drop(writer);
            walk(ImageFormat::Gif, &file)
        };
        assert!(animated(2).unwrap().is_animated);
        let said = animated(FRAMES_MAX + 1);
        assert!(matches!(said, Err(Flaw::Picture(PictureRefusal::TooManyFrames))), "{said:?}");
    }

    #[test]
    fn noise_is_damaged_and_never_loops_or_panics() {
        let mut seed = 1_u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for format in FORMATS {
            let good = picture(24, 24, format);
            for _ in 0..3_000 {
                let mut bad = good.clone();
                for _ in 0..4 {
                    let at = random() as usize % bad.len();
                    bad[at] = random().to_le_bytes()[0];
                }
                // Whether it is good or not: it ends, and says a size that was in it.
                let _ = walk(format, &bad);
            }
        }
    }
}
