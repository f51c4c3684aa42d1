//! A small picture of what is kept nowhere: of a page that somebody links to.
//!
//! It goes the way of a picture that is stored, with the same limits: walked through first, and decoded only
//! when so many pixels are free, on a thread that may block.

use std::io::Cursor;

use tokio::task::spawn_blocking;
use wapid_core::media::{Kind, sniff};

use super::{Media, inspect};

impl Media {
    /// A small JPEG. `None` for what is no picture, a broken one, or one that is too large to decode.
    pub async fn glimpse(&self, picture: Vec<u8>) -> Option<Vec<u8>> {
        let walk = move || {
            let mime = sniff(&picture)?;
            let size = picture.len() as u64;
            let shape = inspect::shape(Kind::Image, mime, size, Cursor::new(&picture)).ok()?;
            Some((picture, mime, shape))
        };
        let (picture, mime, shape) = spawn_blocking(walk).await.ok()??;
        let pixels = self.0.pixels.clone().acquire_many_owned(inspect::weight(shape)).await.ok()?;
        let decode = move || {
            // Until it is done, also when nobody waits for it any more.
            let _pixels = pixels;
            inspect::picture(mime, shape, Cursor::new(picture)).ok()?.thumbnail
        };
        spawn_blocking(decode).await.ok()?
    }
}
