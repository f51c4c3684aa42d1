//! A medium that a phone sends: encrypted, put on the media host, described in a message.
//!
//! Encryption is wacore 0.7.0, src/upload.rs. It goes through a file, never whole in memory.

use std::io::{BufWriter, Cursor};
use std::sync::Arc;

use buffa::MessageField;
use wacore::download::MediaType;
use wacore::upload::{EncryptedMediaInfo, MediaEncryptor};
use waproto::whatsapp as wa;
use waproto::whatsapp::message;

use super::message::{Attachment, AttachmentKind};
use crate::account::Account;
use crate::error::SandboxError;
use crate::net::Net;
use crate::stanza::now;

/// The message that shows the medium, once the host has it.
pub(super) async fn describe(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    mut attachment: Attachment,
) -> Result<wa::Message, SandboxError> {
    let (net, phone) = (Arc::clone(net), Arc::clone(phone));
    let encrypted = tokio::task::spawn_blocking(move || {
        measure(&mut attachment);
        let stored = put_on_host(&net, &phone, &attachment)?;
        Ok(described(attachment, &stored))
    });
    encrypted.await.map_err(|error| SandboxError::Storage(error.to_string()))?
}

/// Reads the size of a picture from its first bytes, as a phone knows it of what it sends.
fn measure(attachment: &mut Attachment) {
    let is_picture = matches!(attachment.kind, AttachmentKind::Image | AttachmentKind::Sticker);
    if !is_picture || attachment.width.is_some() || attachment.height.is_some() {
        return;
    }
    let reader = image::ImageReader::new(Cursor::new(&attachment.bytes)).with_guessed_format();
    if let Some((width, height)) = reader.ok().and_then(|reader| reader.into_dimensions().ok()) {
        (attachment.width, attachment.height) = (Some(width), Some(height));
    }
}

struct OnHost {
    info: EncryptedMediaInfo,
    direct_path: String,
    url: String,
}

fn media_type(kind: AttachmentKind) -> MediaType {
    match kind {
        AttachmentKind::Image => MediaType::Image,
        AttachmentKind::Video => MediaType::Video,
        AttachmentKind::Audio | AttachmentKind::Voice => MediaType::Audio,
        AttachmentKind::Document => MediaType::Document,
        AttachmentKind::Sticker => MediaType::Sticker,
    }
}

fn put_on_host(net: &Net, phone: &Account, attachment: &Attachment) -> Result<OnHost, SandboxError> {
    let kind = media_type(attachment.kind);
    let failed = |error: anyhow::Error| SandboxError::Storage(error.to_string());
    let length = wacore::upload::encrypted_len(attachment.bytes.len()) as u64;
    let has_sidecar = matches!(kind, MediaType::Audio | MediaType::Video);
    let mut encryptor = MediaEncryptor::new_with_sidecar(kind, has_sidecar).map_err(failed)?;
    let incoming = net.media.shelves.begin(&phone.book, Some(length), &net.journal)?;
    let mut writer = BufWriter::new(incoming);
    encryptor.update_to_writer(&attachment.bytes, &mut writer).map_err(|error| failed(error.into()))?;
    let info = encryptor.finalize_to_writer(&mut writer).map_err(failed)?;
    let incoming = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    let stored = net.media.shelves.finish(incoming, None, &net.journal);
    let direct_path = stored.map_err(|error| failed(error.into()))?.direct_path;
    Ok(OnHost { info, url: format!("https://{}{direct_path}", net.media.host()), direct_path })
}

fn described(attachment: Attachment, OnHost { info, direct_path, url }: &OnHost) -> wa::Message {
    let claimed_size = attachment.claimed_size;
    macro_rules! medium {
        ($name:ident { $($field:ident : $value:expr),* $(,)? }) => {
            MessageField::some(message::$name {
                url: Some(url.clone()),
                direct_path: Some(direct_path.clone()),
                mimetype: Some(attachment.mime_type.clone()),
                media_key: Some(info.media_key.to_vec()),
                media_key_timestamp: i64::try_from(now()).ok(),
                file_sha256: Some(info.file_sha256.to_vec()),
                file_enc_sha256: Some(info.file_enc_sha256.to_vec()),
                file_length: Some(claimed_size.unwrap_or(info.file_length)),
                $($field: $value,)*
                ..Default::default()
            })
        };
    }
    let thumbnail = attachment.thumbnail.as_ref().map(|bytes| bytes.to_vec());
    let mut message = wa::Message::default();
    match attachment.kind {
        AttachmentKind::Image => {
            message.image_message = medium!(ImageMessage {
                caption: attachment.caption,
                width: attachment.width,
                height: attachment.height,
                jpeg_thumbnail: thumbnail,
            });
        }
        AttachmentKind::Video => {
            message.video_message = medium!(VideoMessage {
                caption: attachment.caption,
                seconds: attachment.seconds,
                width: attachment.width,
                height: attachment.height,
                jpeg_thumbnail: thumbnail,
                streaming_sidecar: info.streaming_sidecar.clone(),
            });
        }
        AttachmentKind::Audio | AttachmentKind::Voice => {
            message.audio_message = medium!(AudioMessage {
                seconds: attachment.seconds,
                ptt: Some(attachment.kind == AttachmentKind::Voice),
                waveform: attachment.waveform,
                streaming_sidecar: info.streaming_sidecar.clone(),
            });
        }
        AttachmentKind::Document => {
            message.document_message = medium!(DocumentMessage {
                caption: attachment.caption,
                title: attachment.file_name.clone(),
                file_name: attachment.file_name,
                jpeg_thumbnail: thumbnail,
            });
        }
        AttachmentKind::Sticker => {
            message.sticker_message = medium!(StickerMessage {
                width: attachment.width,
                height: attachment.height,
                is_animated: Some(wacore::webp::is_animated(&attachment.bytes)),
            });
        }
    }
    message
}
