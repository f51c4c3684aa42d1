//! The steps of a file on its way in.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tracing::error;
use wapid_core::crash;
use wapid_core::id::MediaId;
use wapid_core::media::{HEAD, Kind, Origin, VOICE, Verdict, file_name, judge, sniff};
use wapid_core::store::TenantStore;
use wapid_core::store::media::{Blob, MediaRow, NewMedia, NotAdded, Whole};

use super::base64::Text;
use super::draft::{Draft, Finished};
use super::ffmpeg::Unusable;
use super::inspect::{self, Facts, is_mono_opus};
use super::pace::Pace;
use super::reader::BlobReader;
use super::seal::CHUNK;
use super::shelf::new_name;
use super::waveform::Heard;
use super::{Media, Refusal};
use crate::outgoing::{Asker, Download, DownloadError, Wish};

/// A URL has so long to answer, whatever it leads to, and so much for each second more.
const URL_START: Duration = Duration::from_secs(30);
const URL_PER_SECOND: u64 = 1 << 20;
/// And so long for each piece.
const URL_STALL: Duration = Duration::from_secs(15);
const ANYTHING: &str = "application/octet-stream";

/// What whoever brings a file says of it.
#[derive(Debug, Clone)]
pub struct Declared {
    /// As what it is to be shown; `None`: by its content.
    pub kind: Option<Kind>,
    pub mime: Option<String>,
    pub file_name: Option<String>,
    pub origin: Origin,
}

/// A file that is all there, and what its first bytes say.
struct Poured {
    finished: Finished,
    verdict: Verdict,
}

/// A file that was looked through.
struct Inspected {
    finished: Finished,
    mime: String,
    facts: Facts,
    waveform: Option<Vec<u8>>,
}

impl Media {
    /// Takes a file as it comes. A body that fails says so by the refusal that it ends with.
    ///
    /// # Errors
    /// Says why it is not taken.
    pub async fn take(
        &self,
        tenant: &TenantStore,
        declared: Declared,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<MediaRow, Refusal> {
        let _turn = self.0.transfers.take(tenant.tenant_id()).await?;
        let room = self.room_left(tenant).await?;
        // Boxed: what carries a request is copied with it.
        Box::pin(self.take_in(tenant, room, declared, body)).await
    }

    /// Fetches a file from a URL that a tenant names.
    ///
    /// # Errors
    /// Says why there is none, or why it is not taken.
    pub async fn fetch_url(
        &self,
        tenant: &TenantStore,
        url: &str,
        declared: Declared,
    ) -> Result<MediaRow, Refusal> {
        // As an address bar takes it: spaces around it are nobody's, and one within is `%20`.
        let url = url.trim().replace(' ', "%20");
        let asker = Asker::of(tenant);
        let target = self.0.outgoing.check(&url, asker).map_err(Refusal::Url)?;
        let _turn = self.0.transfers.take(tenant.tenant_id()).await?;
        let room = self.room_left(tenant).await?;
        let most = self.limit(declared.kind);
        let within = URL_START + Duration::from_secs(most / URL_PER_SECOND);
        let wish = Wish { within, stall: URL_STALL, most };
        let download = self.0.outgoing.download(target, wish).await?;
        let declared = Declared {
            mime: declared.mime.or_else(|| download.content_type().map(str::to_owned)),
            file_name: declared.file_name.or_else(|| download.file_name()),
            ..declared
        };
        match Box::pin(self.take_in(tenant, room, declared, stream::unfold(Some(download), next_of))).await {
            Err(Refusal::TooSlow) => Err(Refusal::Download(DownloadError::Stalled)),
            taken => taken,
        }
    }

    /// Takes a file that is written as base64, or as a `data:` URL of that.
    ///
    /// # Errors
    /// Says why it is not taken.
    pub async fn from_base64(
        &self,
        tenant: &TenantStore,
        text: String,
        declared: Declared,
    ) -> Result<MediaRow, Refusal> {
        let text = Text::new(text)?;
        let most = self.limit(declared.kind);
        // Spaces and line ends among it are a few in a hundred.
        if text.size_max() / 2 > most {
            return Err(Refusal::TooLarge { most });
        }
        let mime = declared.mime.or_else(|| text.mime.clone());
        self.take(tenant, Declared { mime, ..declared }, stream::iter(text.pieces())).await
    }

    /// A received file is whole: its row is stored from here on. It is never refused for what it is; what
    /// was sent was sent.
    ///
    /// # Errors
    /// When there is no room for it, or nobody waits for it any more.
    pub async fn keep(&self, tenant: &TenantStore, id: &MediaId, draft: Draft) -> Result<MediaRow, Refusal> {
        let row = tenant.media(id).await?.ok_or(Refusal::NotWanted)?;
        let finished = blocking(move || draft.finish().map_err(Refusal::Io)).await?;
        let mime = match judge(Some(row.kind), Some(&row.mime), row.file_name.as_deref(), &finished.head) {
            Ok(verdict) => verdict.mime,
            Err(_) => sniff(&finished.head).unwrap_or(ANYTHING).to_owned(),
        };
        let (finished, facts) = self.look_through(row.kind, &mime, finished).await?;
        let facts = match facts {
            Err(Refusal::Io(problem)) => return Err(Refusal::Io(problem)),
            other => other.unwrap_or_default(),
        };
        let inspected = Inspected { finished, mime, facts, waveform: None };
        let whole = self.place(row.kind, inspected).await?;
        let blob = whole.blob.name.clone();
        self.settle(blob, tenant.keep_received(id, &whole, self.0.room)).await
    }

    async fn take_in(
        &self,
        tenant: &TenantStore,
        room: u64,
        declared: Declared,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<MediaRow, Refusal> {
        let Poured { finished, verdict } = self.pour(room, &declared, body).await?;
        let kind = verdict.kind;
        let inspected = self.inspect(verdict, finished).await?;
        let new = NewMedia {
            id: MediaId::new(),
            origin: declared.origin,
            file_name: declared.file_name.as_deref().and_then(file_name),
            whole: self.place(kind, inspected).await?,
        };
        crash::point("media_placed");
        let blob = new.whole.blob.name.clone();
        self.settle(blob, Box::pin(tenant.add_media(&new, self.0.room))).await
    }

    /// Bytes that a file may have of which no more is known.
    fn limit(&self, kind: Option<Kind>) -> u64 {
        kind.map_or_else(|| self.0.limits.largest(), |kind| self.0.limits.of(kind))
    }

    /// Seals a body into a temporary file, as far as it may go: up to what there is room for, and up to its
    /// kind's limit.
    async fn pour(
        &self,
        room: u64,
        declared: &Declared,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    ) -> Result<Poured, Refusal> {
        let mut most = self.limit(declared.kind);
        let (media, bound) = (self.clone(), most.min(room));
        let mut draft = blocking(move || Draft::new(&media.0.incoming, bound).map_err(Refusal::Io)).await?;
        let (mut held, mut verdict, mut pace) = (BytesMut::new(), None, Pace::new(most, Instant::now()));
        let mut body = pin!(body);
        loop {
            let piece = timeout_at(pace.deadline(), body.next()).await.map_err(|_| Refusal::TooSlow)?;
            let is_end = piece.is_none();
            if let Some(piece) = piece.transpose()? {
                pace.saw(piece.len(), Instant::now());
                held.extend_from_slice(&piece);
            }
            if held.len() >= CHUNK || is_end || (verdict.is_none() && held.len() >= HEAD) {
                let piece = held.split().freeze();
                let too_large = if room < most { self.full() } else { Refusal::TooLarge { most } };
                draft = blocking(move || match draft.write_all(&piece) {
                    Ok(()) => Ok(draft),
                    Err(problem) if problem.kind() == ErrorKind::FileTooLarge => Err(too_large),
                    Err(problem) => Err(Refusal::Io(problem)),
                })
                .await?;
            }
            if verdict.is_none() && (is_end || draft.head().len() == HEAD) {
                if draft.size() == 0 {
                    return Err(Refusal::Empty);
                }
                let Declared { kind, mime, file_name, .. } = declared;
                let said = judge(*kind, mime.as_deref(), file_name.as_deref(), draft.head())?;
                most = self.0.limits.of(said.kind);
                if draft.size() > most {
                    return Err(Refusal::TooLarge { most });
                }
                draft.limit(most.min(room));
                pace.limit(most);
                verdict = Some(said);
            }
            if is_end {
                break;
            }
        }
        let finished = blocking(move || draft.finish().map_err(Refusal::Io)).await?;
        Ok(Poured { finished, verdict: verdict.ok_or(Refusal::Empty)? })
    }

    /// Looks a file through that is to be sent, and makes a voice note of one that is to be one.
    async fn inspect(&self, verdict: Verdict, finished: Finished) -> Result<Inspected, Refusal> {
        let Verdict { kind, mime } = verdict;
        if kind == Kind::Voice {
            return self.voice(mime, finished).await;
        }
        let (finished, facts) = self.look_through(kind, &mime, finished).await?;
        let mut facts = facts?;
        if kind == Kind::Video {
            facts.thumbnail = self.frame(&mime, &finished).await?;
        }
        Ok(Inspected { finished, mime, facts, waveform: None })
    }

    /// A small picture of a video; it is shown without one where there is none.
    async fn frame(&self, mime: &str, finished: &Finished) -> Result<Option<Vec<u8>>, Refusal> {
        if !self.0.ffmpeg.is_there().await {
            return Ok(None);
        }
        let _turn = self.0.programs.acquire().await;
        let plain = self.plain(finished).await?;
        Ok(self.0.ffmpeg.frame(mime, plain).await.ok())
    }

    /// What a file's content says, or what is wrong with it; the file either way.
    async fn look_through(
        &self,
        kind: Kind,
        mime: &str,
        finished: Finished,
    ) -> Result<(Finished, Result<Facts, Refusal>), Refusal> {
        let mime = mime.to_owned();
        match kind {
            Kind::Document => Ok((finished, Ok(Facts::default()))),
            Kind::Video | Kind::Audio | Kind::Voice => {
                let look = move |file: BlobReader, size| Ok(inspect::played(&mime, size, file)?);
                looked(finished, look).await
            }
            Kind::Image | Kind::Sticker => {
                let walked = mime.clone();
                let walk = move |file: BlobReader, size| Ok(inspect::shape(kind, &walked, size, file)?);
                let (finished, shape) = looked(finished, walk).await?;
                let shape = match shape {
                    Ok(shape) => shape,
                    Err(refusal) => return Ok((finished, Err(refusal))),
                };
                let _pixels = self.0.pixels.acquire_many(inspect::weight(shape)).await;
                let decode = move |file: BlobReader, _| Ok(inspect::picture(&mime, shape, file)?);
                looked(finished, decode).await
            }
        }
    }

    /// A voice note: as it came, where it is one already; otherwise by ffmpeg.
    async fn voice(&self, mime: String, finished: Finished) -> Result<Inspected, Refusal> {
        let has_ffmpeg = self.0.ffmpeg.is_there().await;
        if mime != VOICE && !has_ffmpeg {
            return Err(Refusal::NeedsFfmpeg);
        }
        if !has_ffmpeg || (mime == VOICE && is_mono_opus(&finished.head)) {
            let heard = if has_ffmpeg { self.listen(&mime, &finished).await? } else { None };
            let (finished, facts) = self.look_through(Kind::Voice, &mime, finished).await?;
            let waveform = heard.map(|heard| heard.waveform);
            return Ok(Inspected { finished, mime, facts: facts?, waveform });
        }
        let _turn = self.0.programs.acquire().await;
        let plain = self.plain(&finished).await?;
        let media = self.clone();
        let draft = blocking(move || {
            Draft::new(&media.0.incoming, media.0.limits.of(Kind::Voice)).map_err(Refusal::Io)
        });
        let ffmpeg = &self.0.ffmpeg;
        let again = plain.try_clone().map_err(Refusal::Io)?;
        let draft = ffmpeg.speak(&mime, plain, draft.await?).await?;
        let Heard { seconds, waveform } = ffmpeg.listen(&mime, again).await?;
        let finished = blocking(move || draft.finish().map_err(Refusal::Io)).await?;
        let facts = Facts { seconds: Some(seconds), ..Facts::default() };
        Ok(Inspected { finished, mime: VOICE.to_owned(), facts, waveform: Some(waveform) })
    }

    /// The waveform of what is a voice note already; it is shown without one where there is none.
    async fn listen(&self, mime: &str, finished: &Finished) -> Result<Option<Heard>, Refusal> {
        let _turn = self.0.programs.acquire().await;
        let plain = self.plain(finished).await?;
        match self.0.ffmpeg.listen(mime, plain).await {
            Err(Unusable::Io(problem)) => Err(Refusal::Io(problem)),
            heard => Ok(heard.ok()),
        }
    }

    /// A file as a program reads it: without a name, and gone when it is closed.
    async fn plain(&self, finished: &Finished) -> Result<File, Refusal> {
        let reader = BlobReader::of_finished(finished).map_err(Refusal::Io)?;
        let media = self.clone();
        blocking(move || {
            let mut reader = reader;
            let mut plain = tempfile::tempfile_in(&media.0.incoming).map_err(Refusal::Io)?;
            io::copy(&mut reader, &mut plain).map_err(Refusal::Io)?;
            Ok(plain)
        })
        .await
    }

    /// Puts a file into its place.
    async fn place(&self, kind: Kind, inspected: Inspected) -> Result<Whole, Refusal> {
        let Inspected { finished, mime, facts, waveform } = inspected;
        let name = new_name(self.0.store.clock().now());
        self.0.shelf.place(finished.file, &name).await.map_err(Refusal::Io)?;
        Ok(Whole {
            kind,
            mime,
            size: i64::try_from(finished.size).unwrap_or(i64::MAX),
            sha256: finished.sha256,
            width: facts.width,
            height: facts.height,
            seconds: facts.seconds,
            is_animated: facts.is_animated,
            waveform,
            thumbnail: facts.thumbnail,
            blob: Blob { name, key: finished.key },
        })
    }

    /// A blob whose row was refused is nobody's.
    async fn settle(
        &self,
        blob: String,
        written: impl Future<Output = Result<MediaRow, NotAdded>>,
    ) -> Result<MediaRow, Refusal> {
        let refusal = match written.await {
            Ok(row) => return Ok(row),
            Err(NotAdded::Full) => self.full(),
            Err(NotAdded::NotWanted) => Refusal::NotWanted,
            // It may have been written all the same: the sweep looks.
            Err(NotAdded::Store(problem)) => return Err(Refusal::Store(problem)),
        };
        self.forget_blobs([blob]).await;
        Err(refusal)
    }
}

impl From<Unusable> for Refusal {
    fn from(problem: Unusable) -> Self {
        match problem {
            Unusable::Nothing => Self::NoSound,
            Unusable::Io(problem) if problem.kind() == ErrorKind::FileTooLarge => Self::NoSound,
            Unusable::Io(problem) => Self::Io(problem),
        }
    }
}

/// A download, one piece after the other, up to its end or its first failure.
async fn next_of(download: Option<Download>) -> Option<(Result<Bytes, Refusal>, Option<Download>)> {
    let mut download = download?;
    match download.chunk().await {
        Ok(None) => None,
        Ok(Some(piece)) => Some((Ok(piece), Some(download))),
        Err(problem) => Some((Err(problem.into()), None)),
    }
}

/// Reads a file where that holds nobody up.
async fn looked<T: Send + 'static>(
    finished: Finished,
    look: impl FnOnce(BlobReader, u64) -> Result<T, Refusal> + Send + 'static,
) -> Result<(Finished, Result<T, Refusal>), Refusal> {
    let size = finished.size;
    let reader = BlobReader::of_finished(&finished).map_err(Refusal::Io)?;
    Ok((finished, blocking(move || look(reader, size)).await))
}

/// Runs what blocks on a thread that may. A panic in it is the file's fault, and its words may hold what is
/// in the file: they are not logged.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        error!("Reading a file panicked");
        Err(Refusal::Damaged)
    })
}
