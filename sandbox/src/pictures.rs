//! How a client gets a profile picture by the URL it was told: in memory, or from a sandbox elsewhere.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use wacore::net::{HttpClient, HttpRequest, HttpResponse};

use crate::control::Refused;
use crate::error::SandboxError;
use crate::net::Net;
use crate::picture;
use crate::sandbox::Sandbox;

/// Answers what asks for a picture, and leaves the rest to another client.
pub(crate) struct Pictures {
    pub from: Source,
    pub rest: Arc<dyn HttpClient>,
}

pub(crate) enum Source {
    Here {
        net: Arc<Net>,
        book: String,
    },
    /// The address a sandbox listens at.
    There {
        http: reqwest::Client,
        url: Arc<str>,
    },
}

#[async_trait]
impl HttpClient for Pictures {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let Some(path) = picture::path_of(&request.url) else {
            return self.rest.execute(request).await;
        };
        match &self.from {
            Source::Here { net, book } => Ok(match picture::at(net, book, path) {
                Some(bytes) => HttpResponse { status_code: 200, body: bytes.to_vec() },
                None => HttpResponse { status_code: 404, body: Vec::new() },
            }),
            Source::There { http, url } => {
                let answer = http.get(format!("{url}/{path}")).send().await?;
                let status_code = answer.status().as_u16();
                Ok(HttpResponse { status_code, body: answer.bytes().await?.to_vec() })
            }
        }
    }

    fn supports_streaming(&self) -> bool {
        self.rest.supports_streaming()
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<wacore::net::StreamingHttpResponse> {
        self.rest.execute_streaming(request)
    }

    fn supports_upload_streaming(&self) -> bool {
        self.rest.supports_upload_streaming()
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: wacore::net::UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        self.rest.execute_upload(request, body, content_length)
    }
}

/// `GET /pictures/{book}/{phone}/{name}` of a sandbox that runs alone.
pub(crate) async fn serve(
    State(sandbox): State<Sandbox>,
    Path((book, phone, name)): Path<(String, String, String)>,
) -> Response {
    let path = format!("pictures/{book}/{phone}/{name}");
    match picture::at(&sandbox.net, &book, &path) {
        Some(bytes) => ([(header::CONTENT_TYPE, "image/jpeg")], bytes).into_response(),
        None => Refused(SandboxError::PhoneNotFound).into_response(),
    }
}
