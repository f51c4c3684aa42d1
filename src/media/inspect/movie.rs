//! MP4, 3GP and QuickTime: boxes in boxes. How long it plays, how large it shows, and whether all of its
//! parts are there.

use std::io::{BufRead, Seek};

use super::{Flaw, whole_seconds};

/// More than any that was made to be watched.
const BOXES_MAX: u32 = 20_000;

/// What a movie says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Movie {
    pub width: Option<i64>,
    pub height: Option<i64>,
    pub seconds: Option<i64>,
}

/// # Errors
/// When a part is cut off, or the one that describes the others is missing.
pub fn read(file: &mut (impl BufRead + Seek), size: u64) -> Result<Movie, Flaw> {
    let mut walk = Walk { file, movie: Movie::default(), boxes: 0 };
    if walk.through(0, size, Inside::File)? { Ok(walk.movie) } else { Err(Flaw::Damaged) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    File,
    Movie,
    Track,
}

struct Walk<'a, F> {
    file: &'a mut F,
    movie: Movie,
    boxes: u32,
}

impl<F: BufRead + Seek> Walk<'_, F> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Through the boxes between two places; whether `moov` was among them.
    fn through(&mut self, from: u64, to: u64, inside: Inside) -> Result<bool, Flaw> {
        let (mut at, mut has_movie) = (from, false);
        while at + 8 <= to {
            self.boxes += 1;
            if self.boxes > BOXES_MAX {
                return Err(Flaw::Damaged);
            }
            let mut length = u64::from(u32::from_be_bytes(self.bytes()?));
            let name = self.bytes()?;
            let mut head = 8;
            match length {
                // To the end of what it is in.
                0 => length = to - at,
                1 => {
                    length = u64::from_be_bytes(self.bytes()?);
                    head = 16;
                }
                _ => {}
            }
            let end =
                at.checked_add(length).filter(|end| *end <= to && length >= head).ok_or(Flaw::Damaged)?;
            match (inside, &name) {
                (Inside::File, b"moov") => {
                    has_movie = true;
                    self.through(at + head, end, Inside::Movie)?;
                }
                (Inside::Movie, b"trak") => {
                    self.through(at + head, end, Inside::Track)?;
                }
                (Inside::Movie, b"mvhd") => self.length()?,
                (Inside::Track, b"tkhd") => self.size()?,
                _ => {}
            }
            self.file.seek(std::io::SeekFrom::Start(end))?;
            at = end;
        }
        Ok(has_movie)
    }

    fn length(&mut self) -> Result<(), Flaw> {
        let [version, ..] = self.bytes::<4>()?;
        let (scale, duration) = if version == 1 {
            let _made: [u8; 16] = self.bytes()?;
            (u32::from_be_bytes(self.bytes()?), u64::from_be_bytes(self.bytes()?))
        } else {
            let _made: [u8; 8] = self.bytes()?;
            (u32::from_be_bytes(self.bytes()?), u64::from(u32::from_be_bytes(self.bytes()?)))
        };
        // All ones: it does not know.
        let is_known = duration != u64::MAX && duration != u64::from(u32::MAX);
        if is_known && scale > 0 && duration > 0 {
            self.movie.seconds = Some(whole_seconds(duration, scale.into()));
        }
        Ok(())
    }

    /// Of the first track that shows something.
    fn size(&mut self) -> Result<(), Flaw> {
        let [version, ..] = self.bytes::<4>()?;
        if version == 1 {
            let _times: [u8; 32] = self.bytes()?;
        } else {
            let _times: [u8; 20] = self.bytes()?;
        }
        let _layers: [u8; 16] = self.bytes()?;
        let matrix: [u8; 36] = self.bytes()?;
        // In 65,536ths.
        let width = i64::from(u32::from_be_bytes(self.bytes()?) >> 16);
        let height = i64::from(u32::from_be_bytes(self.bytes()?) >> 16);
        if self.movie.width.is_none() && width > 0 && height > 0 {
            // Neither axis keeps its direction: the camera was held upright.
            let is_turned = matrix[..4] == [0; 4] && matrix[16..20] == [0; 4];
            let (width, height) = if is_turned { (height, width) } else { (width, height) };
            (self.movie.width, self.movie.height) = (Some(width), Some(height));
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::io::Cursor;

    pub fn boxed(name: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 8).unwrap();
        [&length.to_be_bytes(), name, content].concat()
    }

    /// A movie of 2.5 s with 640 x 360 pixels, without anything to show.
    pub fn movie(is_turned: bool) -> Vec<u8> {
        let length = [&[0; 12][..], &1_000_u32.to_be_bytes(), &2_500_u32.to_be_bytes(), &[0; 80]].concat();
        let one = 1_u32 << 16;
        let matrix =
            if is_turned { [0, one, 0, one, 0, 0, 0, 0, 0] } else { [one, 0, 0, 0, one, 0, 0, 0, 0] };
        let matrix: Vec<u8> = matrix.into_iter().flat_map(u32::to_be_bytes).collect();
        let size = [&[0; 24][..], &[0; 16], &matrix, &(640 * one).to_be_bytes(), &(360 * one).to_be_bytes()]
            .concat();
        let sound = [&[0; 24][..], &[0; 16], &matrix, &[0; 8]].concat();
        let tracks =
            [boxed(b"trak", &boxed(b"tkhd", &sound)), boxed(b"trak", &boxed(b"tkhd", &size))].concat();
        let moov = boxed(b"moov", &[boxed(b"mvhd", &length), tracks].concat());
        [boxed(b"ftyp", b"isom\0\0\x02\0isomiso2"), boxed(b"mdat", &[7; 500]), moov].concat()
    }

    fn says(file: &[u8]) -> Result<Movie, Flaw> {
        read(&mut Cursor::new(file), file.len() as u64)
    }

    #[test]
    fn a_movie_says_how_long_and_how_large_it_is() {
        let movie_of = |w, h| Movie { width: Some(w), height: Some(h), seconds: Some(3) };
        assert_eq!(says(&movie(false)).unwrap(), movie_of(640, 360));
        assert_eq!(says(&movie(true)).unwrap(), movie_of(360, 640));
    }

    #[test]
    fn a_movie_without_its_end_is_damaged() {
        let file = movie(false);
        for length in 0..file.len() {
            assert!(matches!(says(&file[..length]), Err(Flaw::Damaged)), "{length}");
        }
        let without = [boxed(b"ftyp", b"isom\0\0\x02\0"), boxed(b"mdat", &[7; 50])].concat();
        assert!(matches!(says(&without), Err(Flaw::Damaged)));
    }

    #[test]
    fn boxes_within_boxes_end() {
        let mut deep = boxed(b"mvhd", &[]);
        for _ in 0..5_000 {
            deep = boxed(b"moov", &deep);
        }
        let _ = says(&deep);
        let many = boxed(b"free", &[]).repeat(30_000);
        assert!(matches!(says(&many), Err(Flaw::Damaged)));
    }
}
