//! A form's parts: its file on its way to disk, never whole in memory, and its texts; none larger than it
//! may be.

use std::io::Write as _;
use std::path::Path;

use axum::extract::multipart::Field;
use axum::http::StatusCode;
use encoding_rs::{Encoding, UTF_8};
use tempfile::NamedTempFile;

use super::new::FORM_MAX;
use crate::api::error::ApiError;

/// A list of 100,000 recipients with a few fields is 2 to 6 MiB.
pub const FILE_MAX: usize = 32 << 20;

/// Writes a part of a form into a file that is gone when it is dropped.
pub async fn save(mut field: Field<'_>, folder: &Path) -> Result<NamedTempFile, ApiError> {
    wapid_core::private::make_folder(folder).map_err(anyhow::Error::from)?;
    let mut file = NamedTempFile::new_in(folder).map_err(anyhow::Error::from)?;
    let mut size = 0;
    while let Some(chunk) = field.chunk().await.map_err(|problem| broken(&problem))? {
        size += chunk.len();
        if size > FILE_MAX {
            return Err(ApiError::too_large(FILE_MAX));
        }
        // A few KiB into the page cache.
        file.write_all(&chunk).map_err(anyhow::Error::from)?;
    }
    Ok(file)
}

/// Reads a part of a form that is a text, in the encoding that it says.
pub async fn text(mut field: Field<'_>, max: usize) -> Result<String, ApiError> {
    let kind = field.content_type().unwrap_or_default().to_ascii_lowercase();
    let label = kind.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    let label = label.map(|label| label.trim_matches('"'));
    let encoding = label.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8);
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|problem| broken(&problem))? {
        if bytes.len() + chunk.len() > max {
            return Err(ApiError::too_large(max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(encoding.decode(&bytes).0.into_owned())
}

pub fn broken(problem: &axum::extract::multipart::MultipartError) -> ApiError {
    match problem.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(FORM_MAX),
        // The connection's, not the form's.
        status if status.is_server_error() => ApiError::slow_body(),
        _ => ApiError::bad("INVALID_FORM", format!("The form does not read: {}", problem.body_text())),
    }
}
