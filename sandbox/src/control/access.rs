//! Who may call a sandbox that runs alone: its phones obey whoever has the token, clients come as WhatsApp's do, and web
//! pages are refused everywhere.
//!
//! A page in a browser on the same machine reaches a port of loopback, also under a name of its own that it lets point
//! there. It always says where it comes from (`Origin`), and calls the port by that name (`Host`). Clients of WhatsApp
//! can send no token; some of them say that they come from WhatsApp's own page.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest as _, Sha256};

use super::denied;

/// The page that WhatsApp's clients say they are.
const WHATSAPP: &str = "https://web.whatsapp.com";
/// The shortest token that is taken.
const TOKEN_CHARS: usize = 16;

/// What control calls carry. Its text is shown once, to whoever starts the sandbox.
#[derive(Clone)]
pub struct ControlToken(String);

/// The text is too easily guessed, or cannot stand in a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token has at least {TOKEN_CHARS} letters, digits and signs of ASCII, and no blank")]
pub struct ControlTokenError;

impl ControlToken {
    /// # Errors
    /// When it is short, or has what cannot stand in a header.
    pub fn parse(text: &str) -> Result<Self, ControlTokenError> {
        let is_fit = text.len() >= TOKEN_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_fit.then(|| Self(text.to_owned())).ok_or(ControlTokenError)
    }

    pub(crate) fn generate() -> Self {
        Self(hex::encode(rand::random::<[u8; 24]>()))
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// How long it takes tells nothing about the token.
    fn is(&self, shown: &str) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(shown)
    }
}

impl std::fmt::Debug for ControlToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ControlToken(…)")
    }
}

/// How a sandbox that runs alone may be called.
#[derive(Debug, Clone)]
pub struct Access {
    pub token: ControlToken,
    /// Names of this machine, besides its addresses and `localhost`.
    pub names: Vec<String>,
    /// Connections at a time; later ones are closed unanswered.
    pub connections: usize,
}

/// Why a call was not heard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error(
        "a control call carries the token that this sandbox printed at its start: Authorization: Bearer …"
    )]
    NoToken,
    #[error(
        "this is not the token of this sandbox; it is the one printed at its start, or in WAPID_SANDBOX_TOKEN"
    )]
    WrongToken,
    #[error("a web page may not call a sandbox: leave the Origin header out")]
    WebPage,
    #[error("this sandbox is not known as `{0}`: call it by its address, or start it with --known-as {0}")]
    UnknownName(String),
    #[error("name the sandbox in the Host header")]
    NoName,
    #[error("the body is JSON, and says so: Content-Type: application/json")]
    NotJson,
    #[error("the body did not arrive in time")]
    BodyLate,
    #[error("the body is larger than this call may be")]
    BodyTooLarge,
    #[error("the body broke off")]
    BodyBroken,
}

impl Denial {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::WebPage | Self::UnknownName(_) => StatusCode::FORBIDDEN,
            Self::NoName | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyLate => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoToken | Self::WrongToken => "UNAUTHORIZED",
            Self::WebPage => "WEB_PAGE_REFUSED",
            Self::UnknownName(_) => "HOST_NOT_KNOWN",
            Self::NoName | Self::BodyBroken => "INVALID_REQUEST",
            Self::NotJson => "JSON_EXPECTED",
            Self::BodyLate => "BODY_TIMEOUT",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
        }
    }
}

/// Lets control calls in.
pub(crate) async fn guard_control(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let checked = access.check_caller(request.headers(), request.uri());
    match checked.and_then(|()| access.check_token(request.headers())) {
        Ok(()) => next.run(request).await,
        Err(denial) => denied(&denial),
    }
}

/// Lets calls in that tell nothing secret and change nothing.
pub(crate) async fn guard_open(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    match access.check_caller(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(denial) => denied(&denial),
    }
}

/// Lets WhatsApp's clients in, under whatever name they reach us.
pub(crate) async fn guard_clients(request: Request, next: Next) -> Response {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    if origins.all(|origin| origin.as_bytes().eq_ignore_ascii_case(WHATSAPP.as_bytes())) {
        next.run(request).await
    } else {
        denied(&Denial::WebPage)
    }
}

impl Access {
    fn check_caller(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Denial> {
        if headers.contains_key(header::ORIGIN) {
            return Err(Denial::WebPage);
        }
        let named = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
        // A proxy's form of a request names its target in the line; both count.
        let named: Vec<&str> = named.chain(uri.authority().map(axum::http::uri::Authority::as_str)).collect();
        if named.is_empty() {
            return Err(Denial::NoName);
        }
        match named.into_iter().find(|host| !self.is_known_as(host)) {
            Some(host) => Err(Denial::UnknownName(shown(host))),
            None => Ok(()),
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Denial> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        match shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            None => Err(Denial::NoToken),
            Some((_, token)) if self.token.is(token.trim()) => Ok(()),
            Some(_) => Err(Denial::WrongToken),
        }
    }

    /// An address is nobody's name: no page can let one point elsewhere.
    fn is_known_as(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return address.parse::<std::net::Ipv6Addr>().is_ok();
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_address = name.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4());
        // An empty setting is a name that nobody has.
        let is_given =
            || self.names.iter().any(|known| !known.is_empty() && known.eq_ignore_ascii_case(name));
        is_address || name.eq_ignore_ascii_case("localhost") || is_given()
    }
}

/// A name as it is shown back, without what would not stand in one.
fn shown(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let token = ControlToken::parse("0123456789abcdef").expect("long enough");
        Access { token, names: vec!["sandbox".to_owned(), String::new()], connections: 1 }
    }

    #[test]
    fn an_address_and_a_given_name_are_known_and_no_other() {
        let access = access();
        for host in [
            "127.0.0.1:7810",
            "127.0.0.1",
            "10.1.2.3:80",
            "[::1]:7810",
            "[::1]",
            "localhost:7810",
            "LOCALHOST",
            "localhost.",
            "sandbox:7810",
            "Sandbox",
        ] {
            assert!(access.is_known_as(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7810",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "sandbox.evil.example",
            "127.0.0.1:7810:80",
            "127.0.0.1@evil.example",
            "[::1",
            "::1",
            "[evil.example]",
            "2130706433",
            "0x7f.1",
        ] {
            assert!(!access.is_known_as(host), "{host}");
        }
    }

    #[test]
    fn a_token_that_is_easily_guessed_is_none() {
        for text in
            ["", "secret", "123456789012345", "0123456789 abcdef", "0123456789abcdé€", "0123456789abcdef\n"]
        {
            assert_eq!(ControlToken::parse(text).err(), Some(ControlTokenError), "{text}");
        }
        let token = ControlToken::generate();
        assert!(ControlToken::parse(token.reveal()).is_ok());
        assert!(!format!("{token:?}").contains(token.reveal()), "a log would hold it");
        assert!(!token.is(ControlToken::generate().reveal()));
    }
}
