//! A sandbox in another process, with the words of the one in this process.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, ETAG};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wacore::net::{HttpClient, TransportFactory};

use crate::control::{
    ControlToken, Devices, EnterCode, FaultAt, Mark, NewPhone, Phones, Scan, Sent, Unlink, Unlinked,
};
use crate::error::{ErrorBody, SandboxError};
use crate::fault::Fault;
use crate::listen;
use crate::media::remote::Remote;
use crate::people::{Acted, PhoneAct, Seen};
use crate::phone::inbox::Inbox;
use crate::phone::message::PhoneMessage;
use crate::pictures::{Pictures, Source};
use crate::sandbox::{DeviceInfo, PhoneInfo, PhoneMedia, ReceiptKind, check_book};
use crate::transport::ws_transport;

/// A control call that takes longer found nobody: a typed code waits for 20 seconds, an inbox as long
/// for media.
const PATIENCE: Duration = Duration::from_secs(60);

const CONNECT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct RemoteSandbox {
    http: reqwest::Client,
    url: Arc<str>,
    static_key: [u8; 32],
    token: ControlToken,
}

impl RemoteSandbox {
    /// `url` is the `http://` address the sandbox listens at; `static_key` is what its clients pin; `token` is what its
    /// control calls carry.
    pub fn new(url: &str, static_key: [u8; 32], token: ControlToken) -> Result<Self, SandboxError> {
        if !url.starts_with("http://") {
            return Err(SandboxError::Invalid("a sandbox is reached at an http:// address".into()));
        }
        // A TLS configuration that trusts nobody: reqwest wants one, a sandbox needs none.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SandboxError::Unreachable(error.to_string()))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            // Before the sandbox closes it: a call that is written meanwhile would be lost.
            .pool_idle_timeout(listen::HEADERS / 2)
            .build()
            .map_err(|error| SandboxError::Unreachable(error.to_string()))?;
        Ok(Self { http, url: url.trim_end_matches('/').into(), static_key, token })
    }

    pub fn static_key(&self) -> [u8; 32] {
        self.static_key
    }

    /// Connections over WebSocket, into one phone book.
    pub fn transport(&self, book: &str) -> Arc<dyn TransportFactory> {
        let address = self.url.trim_start_matches("http://");
        ws_transport(&format!("ws://{address}/ws/chat?book={book}"))
    }

    /// The media host, for what is in this phone book.
    pub fn http(&self, book: &str) -> Arc<dyn HttpClient> {
        let (http, url) = (self.http.clone(), Arc::clone(&self.url));
        let media = Remote { http: http.clone(), url: Arc::clone(&url), book: book.to_owned() };
        Arc::new(Pictures { from: Source::There { http, url }, rest: Arc::new(media) })
    }

    pub async fn create_phone(&self, book: &str, phone: &str, name: &str) -> Result<PhoneInfo, SandboxError> {
        self.create_phone_known_as(book, phone, name, &[]).await
    }

    /// As [`Sandbox::create_phone_known_as`](crate::Sandbox::create_phone_known_as).
    pub async fn create_phone_known_as(
        &self,
        book: &str,
        phone: &str,
        name: &str,
        known_as: &[String],
    ) -> Result<PhoneInfo, SandboxError> {
        let body = NewPhone { phone: phone.to_owned(), name: name.to_owned(), known_as: known_as.to_vec() };
        self.post(&self.in_book(book, "phones")?, &body).await
    }

    pub async fn phones(&self, book: &str) -> Result<Vec<PhoneInfo>, SandboxError> {
        let answer: Phones = self.get(&self.in_book(book, "phones")?).await?;
        Ok(answer.phones)
    }

    pub async fn scan(&self, book: &str, phone: &str, qr: &str) -> Result<(), SandboxError> {
        self.tell(&self.of_phone(book, phone, "scan")?, &Scan { qr: qr.to_owned() }).await
    }

    pub async fn enter_code(&self, book: &str, phone: &str, code: &str) -> Result<(), SandboxError> {
        self.tell(&self.of_phone(book, phone, "enter-code")?, &EnterCode { code: code.to_owned() }).await
    }

    pub async fn messages(&self, book: &str, phone: &str) -> Result<Inbox, SandboxError> {
        self.get(&self.of_phone(book, phone, "messages")?).await
    }

    pub async fn media(&self, book: &str, phone: &str, message_id: &str) -> Result<PhoneMedia, SandboxError> {
        let mut url = reqwest::Url::parse(&self.of_phone(book, phone, "messages")?)
            .map_err(|error| SandboxError::Unreachable(error.to_string()))?;
        url.path_segments_mut().map_err(|()| SandboxError::MessageNotFound)?.push(message_id).push("media");
        let asked = self.http.get(url).bearer_auth(self.token.reveal());
        let response = tokio::time::timeout(PATIENCE, asked.send()).await;
        let response =
            response.map_err(|_| SandboxError::Unreachable("timeout".into()))?.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let named = |name| Some(response.headers().get(name)?.to_str().ok()?.trim_matches('"').to_owned());
        Ok(PhoneMedia {
            mime_type: named(CONTENT_TYPE),
            sha256: named(ETAG).unwrap_or_default(),
            size: response.content_length().unwrap_or_default(),
            body: response.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other)).boxed(),
        })
    }

    pub async fn send(&self, book: &str, phone: &str, out: PhoneMessage) -> Result<String, SandboxError> {
        let sent: Sent = self.post(&self.of_phone(book, phone, "messages")?, &out).await?;
        Ok(sent.id)
    }

    pub async fn mark(
        &self,
        book: &str,
        phone: &str,
        message_id: &str,
        kind: ReceiptKind,
    ) -> Result<(), SandboxError> {
        let action = match kind {
            ReceiptKind::Read => "read",
            ReceiptKind::Played => "played",
        };
        self.tell(&self.of_phone(book, phone, action)?, &Mark { message_id: message_id.to_owned() }).await
    }

    pub async fn act(&self, book: &str, phone: &str, act: PhoneAct) -> Result<Acted, SandboxError> {
        self.post(&self.of_phone(book, phone, "act")?, &act).await
    }

    pub async fn sees(&self, book: &str, phone: &str, other: &str) -> Result<Seen, SandboxError> {
        if other.is_empty() || !other.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SandboxError::NotOnWhatsApp);
        }
        self.get(&self.of_phone(book, phone, &format!("sees/{other}"))?).await
    }

    pub async fn unlink(&self, book: &str, phone: &str, device: Option<u16>) -> Result<u32, SandboxError> {
        let answer: Unlinked = self.post(&self.of_phone(book, phone, "unlink")?, &Unlink { device }).await?;
        Ok(answer.unlinked)
    }

    pub async fn devices(&self, book: &str, phone: &str) -> Result<Vec<DeviceInfo>, SandboxError> {
        let answer: Devices = self.get(&self.of_phone(book, phone, "devices")?).await?;
        Ok(answer.devices)
    }

    pub async fn fault(&self, book: &str, phone: &str, fault: Fault) -> Result<(), SandboxError> {
        let body = FaultAt { phone: phone.to_owned(), fault };
        self.tell(&self.in_book(book, "faults")?, &body).await
    }

    pub async fn remove_book(&self, book: &str) -> Result<(), SandboxError> {
        check_book(book)?;
        let request = self.http.delete(format!("{}/control/{book}", self.url));
        self.call::<serde_json::Value>(request).await.map(|_| ())
    }

    pub(crate) fn in_book(&self, book: &str, what: &str) -> Result<String, SandboxError> {
        check_book(book)?;
        Ok(format!("{}/control/{book}/{what}", self.url))
    }

    fn of_phone(&self, book: &str, phone: &str, what: &str) -> Result<String, SandboxError> {
        // The number is a part of the path; what is not one belongs to no phone.
        if phone.is_empty() || !phone.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SandboxError::PhoneNotFound);
        }
        self.in_book(book, &format!("phones/{phone}/{what}"))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, SandboxError> {
        self.call(self.http.get(url)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        body: &impl Serialize,
    ) -> Result<T, SandboxError> {
        self.call(self.http.post(url).json(body)).await
    }

    async fn tell(&self, url: &str, body: &impl Serialize) -> Result<(), SandboxError> {
        self.post::<serde_json::Value>(url, body).await.map(|_| ())
    }

    async fn call<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, SandboxError> {
        let request = request.bearer_auth(self.token.reveal()).timeout(PATIENCE);
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            return response.json().await.map_err(unreachable);
        }
        Err(refusal(response).await)
    }
}

fn unreachable(error: reqwest::Error) -> SandboxError {
    SandboxError::Unreachable(error.without_url().to_string())
}

async fn refusal(response: reqwest::Response) -> SandboxError {
    if response.status() == StatusCode::UNAUTHORIZED {
        return SandboxError::Unreachable("it does not know our token; see WAPID_SANDBOX_TOKEN".into());
    }
    match response.json::<ErrorBody>().await {
        Ok(body) => body.into(),
        Err(error) => unreachable(error),
    }
}
