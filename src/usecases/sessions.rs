//! Sessions: a number is linked, or brought back up.

use wapid_core::id::{SessionId, SessionIdError};
use wapid_core::phone::{Phone, PhoneError};
use wapid_core::session::Status;
use wapid_core::store::TenantStore;
use wapid_core::store::sessions::{NewSessionError, SessionSettings};

use super::GatewayParts;
use super::field::Field;
use super::home::home_of;
use super::refusal::Refusal;
use crate::caller::{Caller, OwnSession};
use crate::link::{Proxy, ProxyError};
use crate::outgoing::Asker;
use crate::session::{CodeRefusal, View};

/// The longest label and device name, in characters.
const NAME_MAX: usize = 100;

#[derive(Debug, thiserror::Error)]
pub enum SessionRefusal {
    #[error(transparent)]
    Id(SessionIdError),
    #[error(transparent)]
    Phone(PhoneError),
    #[error("at most {max} characters, and no control characters", max = NAME_MAX)]
    Name(Field),
    #[error(transparent)]
    Proxy(ProxyError),
    /// It leads into a local network.
    #[error(transparent)]
    ProxyNotAllowed(ProxyError),
    #[error("this session belongs to {expected}")]
    OtherNumber { expected: String },
    #[error(transparent)]
    NotMade(#[from] NewSessionError),
    #[error(transparent)]
    NoCode(#[from] CodeRefusal),
}

impl From<ProxyError> for SessionRefusal {
    fn from(problem: ProxyError) -> Self {
        match problem {
            ProxyError::LocalHost | ProxyError::Address => Self::ProxyNotAllowed(problem),
            _ => Self::Proxy(problem),
        }
    }
}

impl SessionRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Id(_) => &[Field::SessionId],
            Self::Phone(_) | Self::OtherNumber { .. } => &[Field::PhoneNumber],
            Self::Name(field) => std::slice::from_ref(field),
            Self::Proxy(_) | Self::ProxyNotAllowed(_) => &[Field::Proxy],
            Self::NotMade(_) | Self::NoCode(_) => &[],
        }
    }
}

/// A session to be made, or started again. What is left out stays as it is.
#[derive(Default)]
pub struct SessionWish {
    pub session_id: String,
    pub name: Option<String>,
    /// Links by a code that is typed into the phone of this number, instead of a scan.
    pub phone_number: Option<String>,
    pub device_name: Option<String>,
    /// An empty one takes the session's own way to WhatsApp away.
    pub proxy: Option<String>,
    pub daily_limit: Option<i64>,
    /// The next scan or code may be another number's than the one that was linked before.
    pub allow_other_number: Option<bool>,
}

/// A session that was started.
pub struct StartedSession {
    pub id: SessionId,
    pub is_new: bool,
    pub status: Status,
    pub pairing_code: Option<String>,
}

/// Makes a session, or starts it again; with a phone number, asks for the code that links it.
///
/// # Errors
/// [`SessionRefusal`]
pub async fn create(
    gateway: &GatewayParts,
    caller: &Caller,
    wish: SessionWish,
) -> Result<StartedSession, Refusal> {
    let id = SessionId::parse(&wish.session_id).map_err(SessionRefusal::Id)?;
    let phone = match &wish.phone_number {
        Some(given) => {
            let home = home_of(&caller.store, None).await?;
            Some(Phone::parse(given, home).map_err(SessionRefusal::Phone)?)
        }
        None => None,
    };
    if let Some(proxy) = wish.proxy.as_deref().filter(|proxy| !proxy.is_empty()) {
        vet_proxy(gateway, caller, proxy).await?;
    }
    let settings = SessionSettings {
        name: short(Field::SessionName, wish.name)?,
        device_name: short(Field::DeviceName, wish.device_name)?,
        proxy: wish.proxy,
        daily_limit: wish.daily_limit,
        any_number: wish.allow_other_number,
    };
    if let Some(phone) = phone.as_ref().filter(|_| wish.allow_other_number != Some(true)) {
        check_number(&caller.store, &id, phone).await?;
    }
    let made = caller.store.ensure_session(&id, settings).await;
    let (row, is_new) = made.map_err(SessionRefusal::NotMade)?;
    if wish.daily_limit.is_some() {
        gateway.sessions.wake_jobs(&row.key).await;
    }
    let started = gateway.sessions.start(row.clone(), phone.as_ref().map(Phone::digits)).await;
    let pairing_code = started.map_err(SessionRefusal::NoCode)?;
    let status = if is_new { Status::Initializing } else { gateway.sessions.view_of(&row).state.status() };
    Ok(StartedSession { id, is_new, status, pairing_code })
}

/// Brings a session back up, after a stop or to link its number again. Returns where it stands then.
///
/// # Errors
/// [`SessionRefusal`]
pub async fn start(
    gateway: &GatewayParts,
    session: &OwnSession,
    allow_other_number: Option<bool>,
) -> Result<View, Refusal> {
    let settings = SessionSettings { any_number: allow_other_number, ..SessionSettings::default() };
    let ensured = session.caller.store.ensure_session(&session.row.id, settings).await;
    let (row, _) = ensured.map_err(SessionRefusal::NotMade)?;
    gateway.sessions.start(row.clone(), None).await.map_err(SessionRefusal::NoCode)?;
    Ok(gateway.sessions.view_of(&row))
}

/// A proxy is vetted when it is named and again at every connect. A session of the sandbox never dials one.
async fn vet_proxy(gateway: &GatewayParts, caller: &Caller, proxy: &str) -> Result<(), SessionRefusal> {
    let asker = Asker::of(&caller.store);
    let proxy = Proxy::parse(proxy, gateway.deliveries.outgoing(), asker)?;
    Ok(proxy.look_up().await?)
}

/// Whoever wants a code for another number than the session's hears so before anybody types it.
async fn check_number(store: &TenantStore, id: &SessionId, phone: &Phone) -> Result<(), Refusal> {
    let row = store.session(id).await?.filter(|row| row.account.is_none());
    let Some(row) = row else { return Ok(()) };
    let expected = store.expected_phone(&row.key).await?;
    let is_other =
        |expected: &String| !phone.spellings().iter().any(|spelling| spelling.digits() == expected);
    match expected.filter(is_other) {
        Some(expected) => Err(SessionRefusal::OtherNumber { expected }.into()),
        None => Ok(()),
    }
}

fn short(field: Field, text: Option<String>) -> Result<Option<String>, SessionRefusal> {
    match text {
        Some(text) if text.chars().count() > NAME_MAX || text.chars().any(char::is_control) => {
            Err(SessionRefusal::Name(field))
        }
        text => Ok(text),
    }
}
