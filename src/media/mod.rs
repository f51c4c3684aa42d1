//! Files: taken in, kept sealed, given out. Streamed both ways, never whole in memory.
//!
//! Whatever the way in (an upload, a URL, base64, a message), a file goes through the same steps: it is
//! sealed into a temporary file as it comes, hashed, judged by its first bytes, bounded by its kind's limit,
//! looked through from beginning to end, put into its place, and only then given a row. A refusal at any
//! step leaves nothing behind, and a crash leaves at most a temporary file, which the next start removes, or
//! a blob without a row, which [`Media::tidy`] does.
//!
//! Knows neither the routes nor the protocol: whoever uploads to WhatsApp reads a [`BlobReader`], whoever
//! downloads from it writes a [`Draft`].
//!
//! | file | what |
//! |---|---|
//! | `intake` | the steps of a file on its way in |
//! | `base64` | a file as text |
//! | `pace` | how slowly a file may come |
//! | `draft`, `reader`, `seal` | sealed bytes: written, read, and how |
//! | `shelf` | where they lie: a folder or a bucket |
//! | `inspect` | what a file's content says |
//! | `ffmpeg`, `waveform` | voice notes, and small pictures of videos |
//! | `glimpse` | a small picture of what is not kept |
//! | `tidy` | what is kept no longer |
//! | `refusal` | why not |

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::Stream;
use parking_lot::Mutex;
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;
use wapid_core::id::{MediaId, TenantId};
use wapid_core::media::{DOCUMENT_LIMIT_MAX, Limits};
use wapid_core::private;
use wapid_core::store::media::MediaRow;
use wapid_core::store::{Store, StoreError, TenantStore};
use wapid_core::turns::{Turn, Turns};

use crate::outgoing::Outgoing;

mod base64;
mod draft;
mod ffmpeg;
mod glimpse;
mod inspect;
mod intake;
mod pace;
mod reader;
mod refusal;
mod seal;
mod shelf;
mod tidy;
mod waveform;

pub use base64::is_data_url;
pub use draft::Draft;
pub use inspect::{Shape, shape};
pub use intake::Declared;
pub use reader::BlobReader;
pub use refusal::{Refusal, Unreadable};

use ffmpeg::Ffmpeg;
use shelf::{Bucket, Folder, Shelf};

/// Requests whose bodies hold a file as text, which is in memory, at a time.
const TEXTS_AT_ONCE: usize = 4;
/// Millions of pixels that are decoded at a time, for thumbnails.
const MEGAPIXELS_AT_ONCE: usize = 24;
/// Runs of ffmpeg at a time.
const PROGRAMS_AT_ONCE: usize = 2;

/// What the operator says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where files lie, or pass through on their way to a bucket.
    pub folder: PathBuf,
    /// `s3://bucket/prefix`; `None`: in the folder.
    pub url: Option<String>,
    /// Files on their way at a time.
    pub transfers: usize,
    /// Bytes of one tenant's files, in each mode.
    pub tenant_max: u64,
    pub limits: Limits,
    /// The program; looked up in `PATH`.
    pub ffmpeg: String,
}

/// The media store. Cheap to clone.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    store: Store,
    outgoing: Outgoing,
    shelf: Shelf,
    /// Temporary files, of this process alone.
    incoming: PathBuf,
    limits: Limits,
    /// Bytes of one tenant's files in one mode.
    room: i64,
    transfers: Turns,
    texts: Turns,
    pixels: Arc<Semaphore>,
    programs: Arc<Semaphore>,
    ffmpeg: Ffmpeg,
    /// The last blob that the sweep looked at.
    swept: Mutex<Option<String>>,
}

impl Media {
    /// Opens the folder or the bucket. The data folder must be this process's own.
    ///
    /// # Errors
    /// When the folder cannot be written, or the URL says nothing that we know.
    pub async fn start(store: Store, outgoing: Outgoing, settings: Settings) -> anyhow::Result<Self> {
        let home = store.media_home().await?;
        let incoming = settings.folder.join("incoming");
        prepare(&settings.folder, &incoming)
            .with_context(|| format!("cannot write {}", settings.folder.display()))?;
        let shelf = match &settings.url {
            Some(url) => Shelf::Bucket(Bucket::open(url, &home).context("WAPID_MEDIA_URL")?),
            None => Shelf::Folder(Folder::open(&settings.folder, &home)?),
        };
        Ok(Self(Arc::new(Inner {
            store,
            outgoing,
            shelf,
            incoming,
            limits: settings.limits,
            room: i64::try_from(settings.tenant_max).unwrap_or(i64::MAX),
            transfers: Turns::new(settings.transfers),
            texts: Turns::new(TEXTS_AT_ONCE),
            pixels: Arc::new(Semaphore::new(MEGAPIXELS_AT_ONCE)),
            programs: Arc::new(Semaphore::new(PROGRAMS_AT_ONCE)),
            ffmpeg: Ffmpeg::new(settings.ffmpeg),
            swept: Mutex::default(),
        })))
    }

    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Waits until a body that holds a file as text may be read into memory.
    ///
    /// # Errors
    /// When others have been at it for 30 s.
    pub async fn turn_for_text(&self, tenant: &TenantId) -> Result<Turn, Refusal> {
        Ok(self.0.texts.take(tenant).await?)
    }

    /// Part of a stored file, in pieces. The first was read and verified when this returns.
    ///
    /// # Errors
    /// When there are no bytes to read.
    pub async fn open(
        &self,
        row: &MediaRow,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Unreadable> {
        let (media, row) = (self.clone(), row.clone());
        let reader = move || media.reader(&row);
        let reader = tokio::task::spawn_blocking(reader).await.map_err(io::Error::other)??;
        Ok(reader::pieces(reader, range).await?)
    }

    /// The same for a thread that may block, from any place.
    ///
    /// # Errors
    /// When there are no bytes to read.
    pub fn reader(&self, row: &MediaRow) -> Result<BlobReader, Unreadable> {
        let blob = row.blob.as_ref().ok_or(Unreadable::NotStored(row.state))?;
        let size = row.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        Ok(BlobReader::new(self.0.shelf.source(&blob.name)?, &blob.key, size))
    }

    /// Where a received file is written to while it is fetched, up to `most` bytes; give it to [`Self::keep`]
    /// then. It holds a turn among all files on their way.
    ///
    /// # Errors
    /// When there is no room for more files, or all turns are taken.
    pub async fn draft(&self, tenant: &TenantStore, most: u64) -> Result<Draft, Refusal> {
        let turn = self.0.transfers.take(tenant.tenant_id()).await?;
        let left = self.room_left(tenant).await?;
        let media = self.clone();
        let draft = move || Draft::new(&media.0.incoming, left.min(DOCUMENT_LIMIT_MAX).min(most));
        let draft = tokio::task::spawn_blocking(draft).await.map_err(io::Error::other);
        Ok(draft.and_then(|draft| draft).map_err(Refusal::Io)?.with_turn(turn))
    }

    /// An empty file of its own for whoever needs one while a file is on its way; gone when it is dropped, or
    /// with the next start.
    ///
    /// # Errors
    /// When there is no place for it.
    pub fn scratch(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.0.incoming)
    }

    /// Removes a file; `false` where there is none.
    ///
    /// # Errors
    /// When the database fails. A blob that cannot be removed now is removed by the sweep.
    pub async fn remove(&self, tenant: &TenantStore, id: &MediaId) -> Result<bool, StoreError> {
        let Some(blob) = tenant.remove_media(id).await? else { return Ok(false) };
        self.forget_blobs(blob).await;
        Ok(true)
    }

    /// What the tenant may still store.
    async fn room_left(&self, tenant: &TenantStore) -> Result<u64, Refusal> {
        let left = self.0.room - tenant.media_used().await?;
        u64::try_from(left).ok().filter(|left| *left > 0).ok_or_else(|| self.full())
    }

    fn full(&self) -> Refusal {
        Refusal::Full { most: u64::try_from(self.0.room).unwrap_or(0) }
    }
}

/// What a crash left of files on their way is of no use to anybody.
fn prepare(folder: &Path, incoming: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(incoming) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    private::make_folder(folder)?;
    private::make_folder(incoming)
}
