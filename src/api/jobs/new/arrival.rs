//! How a request arrives: as JSON, or as a form with a file; complete within a deadline, and read where that
//! holds nobody up.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::time::timeout;
use wapid_core::turns::Turn;

use super::{BODY_MAX, NewBulk, PART_MAX};
use crate::api::Api;
use crate::api::body::read_json;
use crate::api::error::ApiError;
use crate::api::jobs::list_turns::ListSize;
use crate::api::jobs::upload;
use crate::caller::Caller;

/// How long a request may take to arrive, however steadily it does.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// What other programs call a file's part. It has to be `file`: then a form that is sent twice means the same.
const FILE_NAMES: [&str; 13] = [
    "data",
    "csv",
    "upload",
    "list",
    "attachment",
    "excel",
    "xlsx",
    "document",
    "files",
    "file[]",
    "files[]",
    "data0",
    "filename",
];
/// How files begin that may hold far more than they are long: a zip, which most workbooks are.
const PACKED: [&[u8]; 1] = [b"PK"];
/// Content types of a file that is sent as the body itself: its message would have no place.
const BARE_FILES: [&str; 9] = [
    "text/csv",
    "text/tab-separated-values",
    "text/vcard",
    "text/x-vcard",
    "application/csv",
    "application/vnd.",
    "application/zip",
    "application/x-zip",
    "application/octet-stream",
];
const NOT_A_FORM: &str = "send the list as the part file of a form (multipart/form-data), with message and the other \
    fields as parts beside it; in n8n: Body Content Type Form-Data, a parameter of the type n8n Binary File called file";

/// A request as it came, as JSON or as a form.
pub struct Asked {
    pub(super) new: NewBulk,
    pub(super) file: Option<NamedTempFile>,
    /// Of all that it says, the file included.
    pub(super) print: [u8; 32],
    pub(super) turn: Turn,
}

impl FromRequest<Api> for Asked {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, api: &Api) -> Result<Self, ApiError> {
        let caller: Caller = request.extract_parts_with_state(api).await?;
        let tenant = caller.store.tenant_id().clone();
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.map(|kind| kind.trim().to_ascii_lowercase()).unwrap_or_default();
        let is_form = kind.starts_with("multipart/form-data");
        if BARE_FILES.iter().any(|file| kind.starts_with(file)) {
            return Err(ApiError::bad("INVALID_FORM", NOT_A_FORM));
        }
        let arrival = async {
            if is_form {
                let form = Multipart::from_request(request, api)
                    .await
                    .map_err(|problem| ApiError::bad("INVALID_FORM", problem.body_text()))?;
                return Arrived::from_form(form, api).await;
            }
            let json: Bytes = crate::api::body::read(request.into_body(), BODY_MAX).await?;
            Ok(Arrived { json, file: None })
        };
        let arrived = timeout(ARRIVAL_MAX, arrival).await.map_err(|_| ApiError::slow_body())??;
        let size = arrived.size().map_err(anyhow::Error::from)?;
        let turn = api.lists.wait(&tenant, size).await;
        // Work for some tenths of a second: not on a thread that serves others.
        off_thread("INVALID_JSON", move || arrived.read(turn)).await
    }
}

/// A request before it is read.
struct Arrived {
    json: Bytes,
    file: Option<NamedTempFile>,
}

impl Arrived {
    /// The fields of the JSON, one part each, and the list as the part `file`.
    async fn from_form(mut form: Multipart, api: &Api) -> Result<Self, ApiError> {
        let twice = |name: &str| ApiError::bad("INVALID_FORM", format!("{name}: one part, not two"));
        let mut file = None;
        let mut parts: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        let mut size = 0;
        while let Some(field) = form.next_field().await.map_err(|problem| upload::broken(&problem))? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                if file.is_some() {
                    return Err(twice(&name));
                }
                let is_named = field.file_name().is_some_and(|name| !name.is_empty());
                let saved = upload::save(field, &api.uploads).await?;
                // A browser sends an empty part without a name where nobody chose a file.
                let is_empty = saved.as_file().metadata().map_err(anyhow::Error::from)?.len() == 0;
                file = (is_named || !is_empty).then_some(saved);
                continue;
            }
            if field.file_name().is_some() || FILE_NAMES.contains(&name.as_str()) {
                let name = wapid_core::recipient::shown(&name);
                let why = format!("the list is the part file, not {name}; call that part file");
                return Err(ApiError::bad("INVALID_FORM", why).about("file"));
            }
            let is_list = matches!(name.as_str(), "recipients" | "variants");
            let max = if is_list { BODY_MAX } else { PART_MAX };
            let text = upload::text(field, max).await?;
            size += name.len() + text.len();
            if size > BODY_MAX {
                return Err(ApiError::too_large(BODY_MAX));
            }
            // A form sends the fields that nobody filled in as well.
            if text.is_empty() {
                continue;
            }
            // What is not text in JSON is written as JSON in a form.
            let value = match name.as_str() {
                "recipients" | "variants" | "windows" | "delayMin" | "delayMax" | "checkNumbers"
                | "viewOnce" | "linkPreview" | "gif" | "options" | "selectableCount" | "latitude"
                | "longitude" | "contacts" | "includeHidden" => {
                    RawValue::from_string(text).map_err(|problem| {
                        ApiError::bad("INVALID_REQUEST", format!("{name}: not valid JSON: {problem}"))
                    })?
                }
                _ => serde_json::value::to_raw_value(&text).map_err(anyhow::Error::from)?,
            };
            if parts.contains_key(&name) {
                return Err(twice(&name));
            }
            parts.insert(name, value);
        }
        let json = serde_json::to_vec(&parts).map_err(anyhow::Error::from)?;
        Ok(Self { json: json.into(), file })
    }

    fn size(&self) -> std::io::Result<ListSize> {
        let mut size = ListSize { bytes: self.json.len() as u64, is_packed: false };
        if let Some(file) = &self.file {
            let mut file = std::fs::File::open(file.path())?;
            size.bytes += file.metadata()?.len();
            let mut head = Vec::new();
            std::io::Read::read_to_end(&mut std::io::Read::take(&mut file, 4), &mut head)?;
            size.is_packed = PACKED.iter().any(|mark| head.starts_with(mark));
        }
        Ok(size)
    }

    fn read(self, turn: Turn) -> Result<Asked, ApiError> {
        let mut print = Sha256::new();
        if let Ok(fields) = serde_json::from_slice::<BTreeMap<&str, &RawValue>>(&self.json) {
            for (name, value) in fields {
                print.update(name);
                print.update(b"\0");
                print.update(without_spaces(value.get()));
                print.update(b"\0");
            }
        }
        if let Some(file) = &self.file {
            print.update(digest_of(file.path()).map_err(anyhow::Error::from)?);
        }
        Ok(Asked { new: read_json(&self.json)?, file: self.file, print: print.finalize().into(), turn })
    }
}

/// JSON without what stands between its tokens. A list is too long to be made a tree for that.
fn without_spaces(json: &str) -> Vec<u8> {
    let (mut in_text, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        let keep = in_text || !byte.is_ascii_whitespace();
        if *byte == b'"' && !escaped {
            in_text = !in_text;
        }
        escaped = in_text && *byte == b'\\' && !escaped;
        keep
    };
    json.bytes().filter(keep).collect()
}

/// Runs what takes long where it holds nobody up. A panic in it is the input's fault, and its words may
/// hold what the caller sent: they are not logged.
pub(super) async fn off_thread<T: Send + 'static>(
    code: &'static str,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        tracing::error!("Reading a list panicked");
        Err(ApiError::bad(code, "The list does not read"))
    })
}

fn digest_of(path: &std::path::Path) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut file = std::fs::File::open(path)?;
    let mut chunk = vec![0; 64 << 10];
    loop {
        match std::io::Read::read(&mut file, &mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            size => hash.update(&chunk[..size]),
        }
    }
}
