//! What was heard: how long, and how loud when.

use super::inspect::whole_seconds;

/// Samples in a second; enough to see how loud it is.
pub const RATE: u16 = 8_000;
/// Values of a waveform, each up to [`LOUDEST`], as WhatsApp draws them.
const WAVEFORM: usize = 64;
const LOUDEST: u64 = 100;
/// Marks that are kept at a time.
const MARKS_MAX: usize = 4_096;

/// How long a sound is, and its waveform.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub seconds: i64,
    pub waveform: Vec<u8>,
}

/// Hears samples of 16 bits and remembers how loud it was, in bounded memory: each mark covers twice as
/// much when there are too many.
#[derive(Debug)]
pub struct Ear {
    marks: Vec<u64>,
    /// Samples that a mark covers.
    span: u64,
    sum: u64,
    count: u64,
    samples: u64,
    odd: Option<u8>,
}

impl Default for Ear {
    fn default() -> Self {
        Self { marks: Vec::new(), span: 80, sum: 0, count: 0, samples: 0, odd: None }
    }
}

impl Ear {
    pub fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let Some(low) = self.odd.take() else {
                self.odd = Some(*byte);
                continue;
            };
            self.samples += 1;
            self.sum += u64::from(i16::from_le_bytes([low, *byte]).unsigned_abs());
            self.count += 1;
            if self.count == self.span {
                self.mark();
            }
        }
    }

    fn mark(&mut self) {
        self.marks.push(self.sum / self.count);
        (self.sum, self.count) = (0, 0);
        if self.marks.len() == MARKS_MAX {
            self.marks = self.marks.chunks(2).map(|pair| pair.iter().sum::<u64>() / 2).collect();
            self.span *= 2;
        }
    }

    pub fn heard(mut self) -> Option<Heard> {
        if self.count > 0 {
            self.mark();
        }
        if self.marks.is_empty() {
            return None;
        }
        let marks = self.marks.len();
        let bars: Vec<u64> = (0..WAVEFORM)
            .map(|bar| {
                let from = bar * marks / WAVEFORM;
                let to = ((bar + 1) * marks / WAVEFORM).max(from + 1);
                let part = &self.marks[from..to];
                part.iter().sum::<u64>() / part.len() as u64
            })
            .collect();
        let loudest = bars.iter().copied().max().unwrap_or(0).max(1);
        let waveform = bars.iter().map(|bar| u8::try_from(bar * LOUDEST / loudest).unwrap_or(0)).collect();
        Some(Heard { seconds: whole_seconds(self.samples, RATE.into()), waveform })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ear(samples: impl Iterator<Item = i16>) -> Option<Heard> {
        let bytes: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        let mut ear = Ear::default();
        for piece in bytes.chunks(777) {
            ear.hear(piece);
        }
        assert!(ear.marks.len() < MARKS_MAX);
        ear.heard()
    }

    #[test]
    fn a_waveform_shows_where_it_was_loud() {
        // A second of silence, then one of noise that grows.
        let samples = (0..16_000_i16)
            .map(|n| if n < 8_000 { 0 } else { (n - 8_000) * if n % 2 == 0 { 1 } else { -1 } });
        let heard = ear(samples).unwrap();
        assert_eq!((heard.seconds, heard.waveform.len()), (2, WAVEFORM));
        assert!(heard.waveform[..32].iter().all(|bar| *bar == 0));
        assert!(heard.waveform[32..].is_sorted() && heard.waveform[63] == 100);
    }

    #[test]
    fn hours_take_no_more_memory_than_seconds() {
        let heard = ear((0..8_000_000).map(|n| if n < 4_000_000 { 100 } else { 50 })).unwrap();
        assert_eq!(heard.seconds, 1_000);
        assert_eq!((heard.waveform[5], heard.waveform[60]), (100, 50));
    }

    #[test]
    fn one_sample_is_a_second_and_none_is_nothing() {
        let heard = ear([500].into_iter()).unwrap();
        assert_eq!((heard.seconds, heard.waveform), (1, vec![100; WAVEFORM]));
        assert_eq!(ear([].into_iter()), None);
        assert_eq!(ear([0; 100].into_iter()).unwrap().waveform, vec![0; WAVEFORM]);
    }
}
