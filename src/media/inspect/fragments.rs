//! How long a movie in fragments plays: its head does not know, because it was written before the rest was recorded.
//!
//! Each fragment says how many samples of which length it adds to a track. Nothing here refuses a file: one whose
//! fragments do not read has no length.

use std::collections::HashMap;
use std::io::{BufRead, Seek, SeekFrom};

use super::whole_seconds;

/// Some hours of fragments of a second, with picture and sound.
const BOXES_MAX: u32 = 200_000;
/// A movie, its track, its media: deeper in is nothing that is read here.
const DEPTH_MAX: u32 = 3;
/// Of all tracks, those that say their own length.
const SAMPLES_MAX: u64 = 4_000_000;

/// `None` where that cannot be told.
pub fn seconds(file: &mut (impl BufRead + Seek), size: u64) -> Option<i64> {
    let mut tally = Tally {
        file,
        boxes: 0,
        samples: 0,
        scale: 0,
        whole: 0,
        described: 0,
        extended: (0, 0),
        tracks: HashMap::new(),
    };
    tally.through(0, size, 0)?;
    tally.seconds()
}

#[derive(Default)]
struct Track {
    /// Ticks in a second.
    scale: u32,
    /// Ticks of a sample that does not say.
    usual: u32,
    ticks: u64,
}

struct Tally<'a, F> {
    file: &'a mut F,
    boxes: u32,
    samples: u64,
    /// Ticks in a second, and all ticks, where the head knows after all.
    scale: u32,
    whole: u64,
    /// The track that the head speaks of.
    described: u32,
    /// The track that a fragment adds to, and its usual ticks there.
    extended: (u32, u32),
    tracks: HashMap<u32, Track>,
}

impl<F: BufRead + Seek> Tally<'_, F> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    fn through(&mut self, from: u64, to: u64, depth: u32) -> Option<()> {
        let mut at = from;
        while at + 8 <= to {
            self.boxes += 1;
            if self.boxes > BOXES_MAX {
                return None;
            }
            let mut length = u64::from(self.number()?);
            let name: [u8; 4] = self.bytes()?;
            let mut head = 8;
            match length {
                0 => length = to - at,
                1 => {
                    length = u64::from_be_bytes(self.bytes()?);
                    head = 16;
                }
                _ => {}
            }
            let end = at.checked_add(length).filter(|end| *end <= to && length >= head)?;
            match &name {
                b"moov" | b"trak" | b"mdia" | b"mvex" | b"moof" | b"traf" if depth < DEPTH_MAX => {
                    self.through(at + head, end, depth + 1)?;
                }
                b"mvhd" => self.scale = self.scale_after_times()?,
                b"mehd" => self.whole = self.whole_length()?,
                b"tkhd" => self.described = self.scale_after_times()?,
                b"mdhd" => {
                    let scale = self.scale_after_times()?;
                    self.tracks.entry(self.described).or_default().scale = scale;
                }
                b"trex" => {
                    let [_, track, _, usual] =
                        [self.number()?, self.number()?, self.number()?, self.number()?];
                    self.tracks.entry(track).or_default().usual = usual;
                }
                b"tfhd" => self.extended = self.fragment()?,
                b"trun" => self.run(end)?,
                _ => {}
            }
            self.file.seek(SeekFrom::Start(end)).ok()?;
            at = end;
        }
        Some(())
    }

    /// The number behind two times, which are longer in the second version: a scale, or a track's id.
    fn scale_after_times(&mut self) -> Option<u32> {
        let [version, ..] = self.bytes::<4>()?;
        if version == 1 {
            let _times: [u8; 16] = self.bytes()?;
        } else {
            let _times: [u8; 8] = self.bytes()?;
        }
        self.number()
    }

    fn whole_length(&mut self) -> Option<u64> {
        let [version, ..] = self.bytes::<4>()?;
        if version == 1 { self.bytes().map(u64::from_be_bytes) } else { self.number().map(u64::from) }
    }

    /// Which track a fragment adds to, and the ticks of its samples unless they say.
    fn fragment(&mut self) -> Option<(u32, u32)> {
        let flags = self.number()?;
        let track = self.number()?;
        if flags & 0x1 != 0 {
            let _offset: [u8; 8] = self.bytes()?;
        }
        if flags & 0x2 != 0 {
            self.number()?;
        }
        let usual = self.tracks.get(&track).map_or(0, |track| track.usual);
        Some((track, if flags & 0x8 != 0 { self.number()? } else { usual }))
    }

    fn run(&mut self, end: u64) -> Option<()> {
        let flags = self.number()?;
        let count = self.number()?;
        let (track, usual) = self.extended;
        let ticks = if flags & 0x100 == 0 {
            u64::from(count) * u64::from(usual)
        } else {
            self.samples += u64::from(count);
            let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|field| flags & **field != 0).count();
            let room = end.saturating_sub(self.file.stream_position().ok()?);
            if self.samples > SAMPLES_MAX || u64::from(count) * fields as u64 * 4 > room {
                return None;
            }
            for optional in [0x1, 0x4] {
                if flags & optional != 0 {
                    self.number()?;
                }
            }
            let mut ticks = 0_u64;
            for _ in 0..count {
                ticks += u64::from(self.number()?);
                for _ in 1..fields {
                    self.number()?;
                }
            }
            ticks
        };
        let track = self.tracks.entry(track).or_default();
        track.ticks = track.ticks.checked_add(ticks)?;
        Some(())
    }

    fn seconds(&self) -> Option<i64> {
        if self.whole > 0 && self.scale > 0 {
            return Some(whole_seconds(self.whole, self.scale.into()));
        }
        let known = self.tracks.values().filter(|track| track.scale > 0 && track.ticks > 0);
        known.map(|track| whole_seconds(track.ticks, track.scale.into())).max()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::movie::tests::boxed;
    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// A head that knows no length, of tracks with so many ticks in a second.
    fn head(scales: &[u32], usual: u32, whole: Option<u32>) -> Vec<u8> {
        let mut inside = boxed(b"mvhd", &numbers(&[0, 0, 0, 1_000, 0]));
        let mut extends = whole.map(|whole| boxed(b"mehd", &numbers(&[0, whole]))).unwrap_or_default();
        for (track, scale) in (1..).zip(scales) {
            let media = boxed(b"mdia", &boxed(b"mdhd", &numbers(&[0, 0, 0, *scale, 0])));
            inside.extend(boxed(b"trak", &[boxed(b"tkhd", &numbers(&[0, 0, 0, track])), media].concat()));
            extends.extend(boxed(b"trex", &numbers(&[0, track, 1, usual, 0, 0])));
        }
        inside.extend(boxed(b"mvex", &extends));
        boxed(b"moov", &inside)
    }

    fn fragment(track: u32, header: &[u32], run: &[u32]) -> Vec<u8> {
        let header = boxed(b"tfhd", &numbers(&[&[header[0], track], &header[1..]].concat()));
        let traf = boxed(b"traf", &[header, boxed(b"trun", &numbers(run))].concat());
        [boxed(b"moof", &traf), boxed(b"mdat", &[7; 100])].concat()
    }

    fn says(parts: &[Vec<u8>]) -> Option<i64> {
        let file = parts.concat();
        seconds(&mut Cursor::new(&file), file.len() as u64)
    }

    #[test]
    fn the_fragments_of_the_longest_track_are_counted() {
        let usual = head(&[1_000, 48_000], 500, None);
        // Ten samples of the usual length, then four that say theirs, beside their sizes.
        let first = fragment(1, &[0], &[0x1, 10, 0]);
        let second = fragment(1, &[0], &[0x301, 4, 0, 1_000, 1, 1_000, 1, 1_500, 1, 1_500, 1]);
        assert_eq!(says(&[usual.clone(), first.clone(), second.clone()]), Some(10));
        // And sound, whose fragment has a length of its own.
        let sound = fragment(2, &[0x2a, 1, 48_000], &[0, 12]);
        assert_eq!(says(&[usual, first, second, sound]), Some(12));
    }

    #[test]
    fn a_head_that_knows_after_all_is_believed() {
        assert_eq!(says(&[head(&[1_000], 500, Some(7_200))]), Some(7));
    }

    #[test]
    fn nonsense_has_no_length() {
        let head = head(&[1_000], 500, None);
        assert_eq!(says(&[]), None);
        assert_eq!(says(std::slice::from_ref(&head)), None);
        let greedy = fragment(1, &[0], &[0x100, u32::MAX, 1]);
        assert_eq!(says(&[head.clone(), greedy]), None);
        let whole = [head.clone(), fragment(1, &[0], &[0, 10])].concat();
        for length in head.len()..whole.len() {
            let _ = seconds(&mut Cursor::new(&whole[..length]), length as u64);
        }
        let mut deep = boxed(b"trun", &[]);
        for _ in 0..5_000 {
            deep = boxed(b"moof", &deep);
        }
        assert_eq!(says(&[deep]), None);
    }
}
