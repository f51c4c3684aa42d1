//! How long a sound is, by its frames. What does not tell is no fault: `None`.

use std::io::{BufRead, ErrorKind, Read, Seek};

use super::{Flaw, whole_seconds};

/// Frames that are walked through, at most: two days of the shortest.
const FRAMES_MAX: u64 = 10_000_000;

/// The next bytes, or `None` where the file ends.
fn next<const N: usize>(file: &mut impl Read) -> Result<Option<[u8; N]>, Flaw> {
    let mut bytes = [0; N];
    match file.read_exact(&mut bytes) {
        Err(problem) if problem.kind() == ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(bytes)).map_err(Flaw::from),
    }
}

fn skip(file: &mut (impl BufRead + Seek), count: u64) -> Result<(), Flaw> {
    file.seek_relative(i64::try_from(count).map_err(|_| Flaw::Damaged)?).map_err(Flaw::from)
}

fn seconds(units: u64, per_second: u64) -> Option<i64> {
    (units > 0).then(|| whole_seconds(units, per_second))
}

/// Is it what WhatsApp's own voice notes are? By a file's first bytes.
pub fn is_mono_opus(head: &[u8]) -> bool {
    head.get(28..36) == Some(b"OpusHead") && head.get(37) == Some(&1)
}

/// Ogg: pages, each of which says how many samples have been heard by its end.
///
/// # Errors
/// When a page is cut off.
pub fn ogg(file: &mut (impl BufRead + Seek), size: u64) -> Result<Option<i64>, Flaw> {
    let (mut at, mut stream, mut heard, mut rate, mut silence) = (0, None, 0, None, 0);
    while let Some(head) = next::<27>(file)? {
        if &head[..4] != b"OggS" {
            return Err(Flaw::Damaged);
        }
        let [granule, serial] = parts(&head);
        let mut table = vec![0; head[26].into()];
        file.read_exact(&mut table)?;
        let length: u64 = table.iter().map(|part| u64::from(*part)).sum();
        at += 27 + table.len() as u64 + length;
        if at > size {
            return Err(Flaw::Damaged);
        }
        let mut left = length;
        if stream.is_none() && length >= 16 {
            let start: [u8; 16] = next(file)?.ok_or(Flaw::Damaged)?;
            left -= 16;
            if start.starts_with(b"OpusHead") {
                // Opus counts 48,000 a second whatever it holds; the first of them are not heard.
                (rate, silence) = (Some(48_000), u64::from(u16::from_le_bytes([start[10], start[11]])));
            } else if start.starts_with(b"\x01vorbis") {
                rate = Some(u64::from(u32::from_le_bytes([start[12], start[13], start[14], start[15]])));
            }
        }
        let own = *stream.get_or_insert(serial);
        // All ones: no packet ends on this page.
        if own == serial && granule != u64::MAX {
            heard = granule;
        }
        skip(file, left)?;
    }
    Ok(rate.and_then(|rate| seconds(heard.saturating_sub(silence), rate)))
}

/// Of an Ogg page's head: what it says by its end, and whose it is.
fn parts(head: &[u8; 27]) -> [u64; 2] {
    let mut granule = [0; 8];
    granule.copy_from_slice(&head[6..14]);
    let serial = u32::from_le_bytes([head[14], head[15], head[16], head[17]]);
    [u64::from_le_bytes(granule), serial.into()]
}

/// MP3: by the count of frames that its first one holds, or by its bit rate.
pub fn mp3(file: &mut (impl BufRead + Seek), size: u64) -> Result<Option<i64>, Flaw> {
    const KBIT: [[u64; 15]; 2] = [
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let mut start = 0;
    let Some(tag) = next::<10>(file)? else { return Ok(None) };
    if tag.starts_with(b"ID3") {
        start = 10 + tag[6..].iter().fold(0, |size, byte| (size << 7) | u64::from(byte & 0x7f));
    }
    file.seek(std::io::SeekFrom::Start(start))?;
    let Some(frame) = next::<48>(file)? else { return Ok(None) };
    // Layer III of MPEG 1, 2 or 2.5.
    let (version, kbit, hz) = ((frame[1] >> 3) & 3, frame[2] >> 4, (frame[2] >> 2) & 3);
    let is_frame = frame[0] == 0xff && frame[1] & 0xe0 == 0xe0;
    let is_layer_three = (frame[1] >> 1) & 3 == 1;
    if !is_frame || !is_layer_three || version == 1 || kbit == 15 || hz == 3 {
        return Ok(None);
    }
    let is_first = version == 3;
    let base = [44_100, 48_000, 32_000][usize::from(hz)];
    let rate = match version {
        3 => base,
        2 => base / 2,
        _ => base / 4,
    };
    let samples = if is_first { 1_152 } else { 576 };
    let is_mono = frame[3] >> 6 == 3;
    let side = match (is_first, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let info = &frame[4 + side..];
    if (info.starts_with(b"Xing") || info.starts_with(b"Info")) && info.len() >= 12 && info[7] & 1 == 1 {
        let frames = u64::from(u32::from_be_bytes([info[8], info[9], info[10], info[11]]));
        return Ok(seconds(frames * samples, rate));
    }
    let bits = KBIT[usize::from(!is_first)][usize::from(kbit)] * 1_000;
    Ok((bits > 0).then(|| seconds(size.saturating_sub(start) * 8, bits)).flatten())
}

/// AAC as ADTS: frames of 1,024 samples.
pub fn aac(file: &mut (impl BufRead + Seek)) -> Result<Option<i64>, Flaw> {
    const RATES: [u64; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    let (mut frames, mut rate) = (0, None);
    while let Some(head) = next::<7>(file)? {
        if head[0] != 0xff || head[1] & 0xf0 != 0xf0 || frames == FRAMES_MAX {
            break;
        }
        let length = (u64::from(head[3] & 3) << 11) | (u64::from(head[4]) << 3) | (u64::from(head[5]) >> 5);
        let Some(rest) = length.checked_sub(7) else { break };
        rate = rate.or_else(|| RATES.get(usize::from((head[2] >> 2) & 15)).copied());
        frames += 1;
        skip(file, rest)?;
    }
    Ok(rate.and_then(|rate| seconds(frames * 1_024, rate)))
}

/// AMR: frames of 20 ms.
pub fn amr(file: &mut (impl BufRead + Seek)) -> Result<Option<i64>, Flaw> {
    const NARROW: [u64; 9] = [12, 13, 15, 17, 19, 20, 26, 31, 5];
    const WIDE: [u64; 10] = [17, 23, 32, 36, 40, 46, 50, 58, 60, 5];
    let Some(head) = next::<6>(file)? else { return Ok(None) };
    let sizes: &[u64] = match &head {
        b"#!AMR\n" => &NARROW,
        b"#!AMR-" if next::<3>(file)? == Some(*b"WB\n") => &WIDE,
        _ => return Ok(None),
    };
    let mut frames = 0;
    while let Some([head]) = next(file)? {
        if frames == FRAMES_MAX {
            break;
        }
        // 15 is a frame without sound.
        let kind = usize::from((head >> 3) & 15);
        frames += 1;
        match sizes.get(kind) {
            Some(size) => skip(file, *size)?,
            None if kind == 15 => {}
            None => return Ok(None),
        }
    }
    Ok(seconds(frames, 50))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn page(granule: u64, content: &[u8]) -> Vec<u8> {
        let mut page = b"OggS\0\0".to_vec();
        page.extend_from_slice(&granule.to_le_bytes());
        page.extend_from_slice(&7_u32.to_le_bytes());
        page.extend_from_slice(&[0; 8]);
        let parts: Vec<u8> = content.chunks(255).map(|part| u8::try_from(part.len()).unwrap()).collect();
        page.push(u8::try_from(parts.len()).unwrap());
        page.extend_from_slice(&parts);
        page.extend_from_slice(content);
        page
    }

    fn opus(heard: u64) -> Vec<u8> {
        let head = [b"OpusHead\x01\x01".as_slice(), &312_u16.to_le_bytes(), &[0; 7]].concat();
        [page(0, &head), page(u64::MAX, &[9; 400]), page(heard, &[9; 300])].concat()
    }

    #[test]
    fn opus_is_as_long_as_its_last_page_says() {
        let file = opus(48_000 * 5 + 312);
        assert!(is_mono_opus(&file));
        assert_eq!(ogg(&mut Cursor::new(&file), file.len() as u64).unwrap(), Some(5));
        for length in 1..file.len() {
            let cut = &file[..length];
            let said = ogg(&mut Cursor::new(cut), length as u64);
            assert!(!matches!(said, Ok(Some(5))), "{length}: {said:?}");
        }
    }

    #[test]
    fn an_mp3_is_as_long_as_it_says_or_as_its_bits_last() {
        // 128 kbit/s, 44.1 kHz, stereo: 16,000 bytes a second.
        let mut file = vec![0; 160_000];
        file[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
        assert_eq!(mp3(&mut Cursor::new(&file), 160_000).unwrap(), Some(10));
        file[36..44].copy_from_slice(b"Xing\0\0\0\x01");
        file[44..48].copy_from_slice(&766_u32.to_be_bytes());
        assert_eq!(mp3(&mut Cursor::new(&file), 160_000).unwrap(), Some(20));
        let tagged = [b"ID3\x04\0\0\0\0\0\x05hello".as_slice(), &file].concat();
        assert_eq!(mp3(&mut Cursor::new(&tagged), tagged.len() as u64).unwrap(), Some(20));
        assert_eq!(mp3(&mut Cursor::new(b"\xff\xff"), 2).unwrap(), None);
    }

    #[test]
    fn frames_are_counted() {
        // 16 kHz, frames of 50 bytes.
        let mut frame = vec![0xff, 0xf1, 8 << 2, 0, 0x32 >> 3, (0x32 & 7) << 5, 0];
        frame.resize(50, 0);
        assert_eq!(aac(&mut Cursor::new(frame.repeat(32))).unwrap(), Some(2));
        let mut frame = vec![7 << 3];
        frame.resize(32, 0);
        let file = [b"#!AMR\n".as_slice(), &frame.repeat(101)].concat();
        assert_eq!(amr(&mut Cursor::new(file)).unwrap(), Some(2));
    }

    #[test]
    fn noise_is_no_sound_and_no_panic() {
        for byte in [0, 0xff, b'O', 0x55] {
            let noise = vec![byte; 5_000];
            let _ = (
                ogg(&mut Cursor::new(&noise), 5_000),
                mp3(&mut Cursor::new(&noise), 5_000),
                aac(&mut Cursor::new(&noise)),
                amr(&mut Cursor::new(&noise)),
            );
        }
    }
}
