//! A blob at rest: chunks, each sealed by itself and bound to its place.
//!
//! The STREAM construction over XChaCha20-Poly1305 (Hoang, Reyhanitabar, Rogaway and Vizár, 2015): the nonce
//! of a chunk is its number and whether it is the last. So a chunk opens only where it was written, and a
//! blob that lost its end does not open there; a range is read and verified without what comes before it.
//! A key seals one blob and no other, so its nonces never repeat.

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use wapid_core::store::media::BlobKey;

/// Plain bytes of every chunk but the last, which may have fewer.
pub const CHUNK: usize = 64 << 10;
/// What each chunk is longer by when it is sealed.
const TAG: usize = 16;
pub const SEALED_CHUNK: usize = CHUNK + TAG;

/// A chunk that does not open: another key, another place, or damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored file is damaged")]
pub struct Damaged;

/// Of how many chunks a file consists.
pub fn chunks(size: u64) -> u64 {
    size.div_ceil(CHUNK as u64).max(1)
}

/// How many bytes a file takes at rest.
pub fn sealed_size(size: u64) -> u64 {
    size + chunks(size) * TAG as u64
}

/// A blob's key at work.
pub struct Cipher(XChaCha20Poly1305);

impl Cipher {
    pub fn new(key: &BlobKey) -> Self {
        Self(XChaCha20Poly1305::new(&Key::from(key.0)))
    }

    /// Seals a chunk in place.
    pub fn seal(&self, number: u32, is_last: bool, chunk: &mut Vec<u8>) {
        self.0
            .encrypt_in_place(&nonce(number, is_last), &[], chunk)
            .expect("XChaCha20-Poly1305 seals anything shorter than 256 GiB");
    }

    /// Opens a chunk in place.
    ///
    /// # Errors
    /// [`Damaged`] when it does not open.
    pub fn open(&self, number: u32, is_last: bool, chunk: &mut Vec<u8>) -> Result<(), Damaged> {
        self.0.decrypt_in_place(&nonce(number, is_last), &[], chunk).map_err(|_| Damaged)
    }
}

fn nonce(number: u32, is_last: bool) -> XNonce {
    let mut nonce = [0; 24];
    nonce[19..23].copy_from_slice(&number.to_be_bytes());
    nonce[23] = u8::from(is_last);
    XNonce::from(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(cipher: &Cipher, number: u32, is_last: bool, plain: &[u8]) -> Vec<u8> {
        let mut chunk = plain.to_vec();
        cipher.seal(number, is_last, &mut chunk);
        chunk
    }

    #[test]
    fn a_chunk_opens_in_its_place_only() {
        let cipher = Cipher::new(&BlobKey([7; 32]));
        let chunk = sealed(&cipher, 3, false, b"some bytes");
        assert_eq!(chunk.len(), 10 + TAG);
        let opens = |number, is_last, key: u8| {
            let mut copy = chunk.clone();
            Cipher::new(&BlobKey([key; 32])).open(number, is_last, &mut copy).map(|()| copy)
        };
        assert_eq!(opens(3, false, 7).unwrap(), b"some bytes");
        for (number, is_last, key) in [(2, false, 7), (4, false, 7), (3, true, 7), (3, false, 8)] {
            assert_eq!(opens(number, is_last, key), Err(Damaged), "{number} {is_last} {key}");
        }
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let cipher = Cipher::new(&BlobKey([7; 32]));
        let chunk = sealed(&cipher, 0, true, b"x");
        for bit in 0..chunk.len() * 8 {
            let mut bad = chunk.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cipher.open(0, true, &mut bad), Err(Damaged));
        }
        assert_eq!(cipher.open(0, true, &mut vec![0; TAG - 1]), Err(Damaged));
    }

    #[test]
    fn sizes_count_a_tag_for_each_chunk() {
        for (size, at_rest) in [
            (0, 16),
            (1, 17),
            (CHUNK as u64, CHUNK as u64 + 16),
            (CHUNK as u64 + 1, CHUNK as u64 + 33),
            (2 << 30, (2 << 30) + 32_768 * 16),
        ] {
            assert_eq!(sealed_size(size), at_rest);
        }
    }
}
