//! Files: up to WhatsApp's servers and down again, a piece at a time.
//!
//! WhatsApp's encryption of a file is its own: a key per file, which travels in the message. The URL of an
//! upload names the hash of the encrypted file, so it is encrypted once, into a scratch file, before it goes.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::NamedTempFile;
use wacore::download::{DownloadWriter, MediaType};
use wacore::upload::{EncryptedMediaInfo, UploadSource, encrypt_media_streaming};
use wacore_binary::{Jid, JidExt as _};
use wapid_core::media::Kind;
use whatsapp_rust::download::DownloadParams;
use whatsapp_rust::features::{MediaRetryResult, MediaReuploadError, MediaReuploadRequest};
use whatsapp_rust::http::HttpStatusError;

use super::Link;
use crate::link::file::{Asked, Place, Sink};
use crate::link::hosts::ServerPath;

/// Why a file did not go up or come down.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileFailure {
    /// WhatsApp's servers have it no longer: whoever sent it may put it there again.
    #[error("the file is not on WhatsApp's servers any more")]
    Gone,
    /// The connection went away, or the servers do not answer; trying again may help.
    #[error("WhatsApp's servers cannot be reached")]
    Unreachable,
    /// What came is not what was sent, or our side could not read or write. Trying again may help.
    #[error("{0}")]
    Broken(String),
}

impl Link {
    /// Encrypts `plain` into `scratch` and puts it on WhatsApp's servers. Memory does not grow with the file.
    ///
    /// # Errors
    /// [`FileFailure::Unreachable`] or [`FileFailure::Broken`].
    pub async fn upload(
        &self,
        kind: Kind,
        plain: impl Read + Send + 'static,
        scratch: NamedTempFile,
    ) -> Result<Place, FileFailure> {
        let encrypted = tokio::task::spawn_blocking(move || encrypt(plain, scratch, media_type(kind)));
        let (source, info) = encrypted
            .await
            .map_err(|_| FileFailure::Broken("encrypting a file panicked".to_owned()))?
            .map_err(|error| FileFailure::Broken(error.to_string()))?;
        let uploading = async {
            let stored = self.client.upload_stream(source, info, media_type(kind)).await;
            stored.map_err(|error| self.file_failure(&error))
        };
        let stored = self.while_open(FileFailure::Unreachable, uploading).await?;
        Ok(Place {
            url: stored.url,
            direct_path: path(&stored.direct_path)?,
            media_key: stored.media_key,
            sha256: stored.file_sha256,
            enc_sha256: stored.file_enc_sha256,
            size: stored.file_length,
            made_at: stored.media_key_timestamp,
            sidecar: stored.streaming_sidecar,
        })
    }

    /// Fetches a file into `sink`, checked and decrypted.
    ///
    /// # Errors
    /// [`FileFailure`]; what `sink` holds then is to be thrown away, which it is when it is dropped.
    pub async fn download<S: Sink>(&self, kind: Kind, place: &Place, sink: S) -> Result<S, FileFailure> {
        let params = DownloadParams::encrypted(
            place.direct_path.as_str(),
            &place.media_key,
            &place.sha256,
            &place.enc_sha256,
            place.size,
            media_type(kind),
        );
        let downloading = async {
            let written = self.client.download_from_params_to_writer(&params, Writer(sink)).await;
            written.map(|writer| writer.0).map_err(|error| self.file_failure(&error))
        };
        self.while_open(FileFailure::Unreachable, downloading).await
    }

    /// Asks the phone that sent a file to put it on WhatsApp's servers again; where it is then.
    ///
    /// # Errors
    /// [`FileFailure::Gone`] when it has it no longer, [`FileFailure::Unreachable`] when it does not answer.
    pub async fn ask_again(&self, asked: &Asked<'_>, place: &Place) -> Result<Place, FileFailure> {
        let jid = |text: &str| text.parse::<Jid>().map_err(|error| FileFailure::Broken(error.to_string()));
        let chat = jid(asked.chat)?;
        let sender = jid(asked.sender)?;
        let request = MediaReuploadRequest {
            msg_id: asked.wa_id,
            chat_jid: &chat,
            media_key: &place.media_key,
            is_from_me: asked.from_me,
            participant: chat.is_group().then_some(&sender),
        };
        match self.client.media_reupload().request(&request).await {
            Ok(MediaRetryResult::Success { direct_path }) => {
                Ok(Place { direct_path: path(&direct_path)?, url: String::new(), ..place.clone() })
            }
            Ok(MediaRetryResult::NotFound | MediaRetryResult::DecryptionError) => Err(FileFailure::Gone),
            Ok(MediaRetryResult::GeneralError) | Err(MediaReuploadError::Timeout) => {
                Err(FileFailure::Unreachable)
            }
            Err(MediaReuploadError::Client(_) | MediaReuploadError::NotLoggedIn) => {
                Err(FileFailure::Unreachable)
            }
            Err(error) => Err(FileFailure::Broken(error.to_string())),
        }
    }

    fn file_failure(&self, error: &anyhow::Error) -> FileFailure {
        let refused = error.chain().find_map(|cause| cause.downcast_ref::<HttpStatusError>());
        match refused.map(|refused| refused.status) {
            Some(404 | 410) => FileFailure::Gone,
            Some(_) => FileFailure::Unreachable,
            None if !self.is_connected() => FileFailure::Unreachable,
            None => FileFailure::Broken(error.to_string()),
        }
    }
}

fn path(text: &str) -> Result<ServerPath, FileFailure> {
    ServerPath::parse(text).map_err(|error| FileFailure::Broken(error.to_string()))
}

fn media_type(kind: Kind) -> MediaType {
    match kind {
        Kind::Image => MediaType::Image,
        Kind::Video => MediaType::Video,
        Kind::Audio | Kind::Voice => MediaType::Audio,
        Kind::Document => MediaType::Document,
        Kind::Sticker => MediaType::Sticker,
    }
}

fn encrypt(
    mut plain: impl Read,
    scratch: NamedTempFile,
    kind: MediaType,
) -> anyhow::Result<(Scratch, EncryptedMediaInfo)> {
    let mut out = BufWriter::with_capacity(64 << 10, scratch.as_file());
    let info = encrypt_media_streaming(&mut plain, &mut out, kind)?;
    out.flush()?;
    drop(out);
    let len = scratch.as_file().metadata()?.len();
    Ok((Scratch { file: scratch, len }, info))
}

/// The encrypted file; gone when the upload is over.
struct Scratch {
    file: NamedTempFile,
    len: u64,
}

impl UploadSource for Scratch {
    fn len(&self) -> u64 {
        self.len
    }

    fn reader_from(&self, offset: u64) -> std::io::Result<Box<dyn Read + Send>> {
        let mut file = self.file.reopen()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }
}

/// The client's way to write into a [`Sink`].
struct Writer<S>(S);

impl<S: Sink> Write for Writer<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl<S: Sink> Seek for Writer<S> {
    /// The client only goes back to where it began, after it has emptied the sink or when it is done.
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match to {
            SeekFrom::Start(0) => Ok(0),
            _ => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }
}

impl<S: Sink> DownloadWriter for Writer<S> {
    fn truncate(&mut self, len: u64) -> std::io::Result<()> {
        if len == 0 { self.0.clear() } else { Err(std::io::ErrorKind::Unsupported.into()) }
    }
}
