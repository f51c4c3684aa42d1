//! What the ledger is asked, and what it answers. Below everything else here: it knows none of the phases.

use crate::clock::At;
use crate::content::Content;
use crate::delivery::{Standing, Turn};
use crate::endpoint::Reason;
use crate::event::NewEvent;
use crate::id::{EndpointId, EventId, MediaId, MessageKey, SessionId, SessionKey, TenantId};
use crate::job::{self, JobId, State};
use crate::key::Mode;
use crate::message::{ReceiptSender, Status};
use crate::nack::Nack;
use crate::opt_out::Wish;
use crate::pacing::Draw;
use crate::people::News;
use crate::phone::{Phone, Recipient};
use crate::store::error::StoreError;
use crate::store::groups::GroupName;
use crate::store::media::NewReceived;
use crate::store::tx::Value;
use crate::wa_id::WaId;

/// The code of a message that our side could not send.
pub const SEND_FAILED: &str = "SEND_FAILED";

/// Whose message it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    pub tenant: TenantId,
    pub mode: Mode,
    pub session: SessionKey,
    pub session_id: SessionId,
}

/// A message that somebody wants sent.
#[derive(Debug, Clone)]
pub struct Intent {
    pub owner: Owner,
    pub to: Recipient,
    /// The number as somebody wrote it, which may not be that of the account that it leads to.
    pub asked: Option<Phone>,
    /// The account's LID, its digits, where WhatsApp named it.
    pub lid: Option<String>,
    pub content: Content,
    /// Chosen before sending, kept for ever: a resend after a crash carries the same.
    pub wa_id: String,
    /// Of the session's lease.
    pub epoch: i64,
    pub idempotency: Option<Idempotency>,
    /// The recipient of a bulk job that it is for.
    pub job: Option<JobPart>,
}

#[derive(Debug, Clone)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of route and canonical body.
    pub fingerprint: [u8; 32],
    pub expires_at: At,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Committed as `sending`; transmit it now.
    New { key: MessageKey, created_at: At },
    /// The same idempotency key was used for the same request; this is its message.
    Repeat { key: MessageKey },
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Daily sent message limit reached")]
    LimitReached { limit: i64, used: i64 },
    #[error("the Idempotency-Key was used for a different request")]
    KeyReused,
    /// Gone, being removed, or another tenant's.
    #[error("there is no such session")]
    NoSession,
    /// The job does not run, or its recipient does not wait any more or has opted out.
    #[error("the job's recipient is not to be sent to now")]
    NotReleased,
    /// And the tenant wants that to count for every message.
    #[error("the recipient has opted out")]
    OptedOut,
    /// The intent's epoch is older than the session's lease.
    #[error("another process runs this session now")]
    LeaseLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end of an attempt to transmit.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub owner: Owner,
    pub key: MessageKey,
    /// Of the session's lease; a result from an older epoch than the row's is dropped.
    pub epoch: i64,
    pub outcome: Outcome,
    pub at: At,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// WhatsApp's server took it at this time.
    Sent,
    /// Not sent, for good. The reserved quota is given back.
    Failed { code: String, error: String },
    /// The same, because WhatsApp did not take it.
    Refused(Nack),
}

/// A receipt from a recipient (or our own phone).
#[derive(Debug, Clone)]
pub struct ReceiptNews {
    pub owner: Owner,
    pub by: ReceiptSender,
    pub wa_ids: Vec<String>,
    /// Delivered, Read or Played.
    pub status: Status,
    pub at: At,
}

/// A message that arrived, or that the owner sent from the phone.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub owner: Owner,
    pub wa_id: WaId,
    /// JID of the chat.
    pub chat: String,
    /// JID of who wrote it.
    pub sender: String,
    /// The other party's number, where WhatsApp or our mapping knows it.
    pub phone: Option<Phone>,
    pub lid: Option<String>,
    pub sender_name: Option<String>,
    /// Sent by the owner from the phone or another device: logged as `out`, no quota.
    pub from_me: bool,
    pub is_group: bool,
    pub content: Content,
    /// Of a medium: what is known of its file, which is fetched later.
    pub file: Option<NewReceived>,
    pub sent_at: At,
}

/// What was heard of people, in order.
#[derive(Debug)]
pub(in crate::store) struct Heard {
    pub owner: Owner,
    pub news: Vec<News>,
}

/// What became of what arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// Which of them were new.
    pub new: Vec<bool>,
    /// Answers of ours were written with them, as messages without a verdict.
    pub answered: bool,
}

/// What an owner wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Pause,
    Resume,
    Cancel,
}

/// What became of that wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Done,
    AlreadySo,
    /// It is over.
    TooLate(State),
    NotFound,
}

/// A job as its owner names it.
#[derive(Debug, Clone)]
pub(in crate::store) struct JobName {
    pub tenant: TenantId,
    pub mode: Mode,
    pub id: JobId,
}

/// A wish to change a job.
#[derive(Debug)]
pub(in crate::store) struct ChangeJob {
    pub job: JobName,
    pub change: Change,
}

/// A wish to try the failed recipients of a job again; one step of it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Retry {
    pub job: JobName,
    /// Also those whose message may have arrived?
    pub unknown_too: bool,
    pub is_first: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// So many wait again, and so many were left out because their message may have arrived.
    Queued {
        count: i64,
        unknown: i64,
    },
    TooLate(State),
    NotFound,
}

/// A message whose outcome is not known: sent again under the same id.
#[derive(Debug, Clone)]
pub struct Unsettled {
    pub key: MessageKey,
    pub wa_id: String,
    pub to: Recipient,
    pub content: Content,
    pub created_at: At,
    /// The bulk job and the row of its list that it is for.
    pub job: Option<(JobId, i64)>,
}

/// A message's part in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPart {
    pub job: JobId,
    pub seq: i64,
    /// Of the pause after it.
    pub draw: Draw,
}

/// A recipient whom no message is made for.
#[derive(Debug, Clone)]
pub struct Dismissal {
    pub job: JobId,
    pub seq: i64,
    /// `Failed` or `Skipped`.
    pub outcome: job::Outcome,
    pub code: &'static str,
    pub error: String,
    pub at: At,
}

/// What a session heard of its groups.
#[derive(Debug, Clone)]
pub struct GroupNews {
    pub session: SessionKey,
    pub names: Vec<GroupName>,
    /// Without a `subject` they get the one that is known.
    pub events: Vec<NewEvent>,
}

/// What an owner says of a number through the API.
#[derive(Debug, Clone)]
pub(in crate::store) struct OptOutWish {
    pub tenant: TenantId,
    pub mode: Mode,
    pub phone: Phone,
    pub wish: Wish,
}

/// A file that waited, and how that ended.
#[derive(Debug)]
pub(in crate::store) struct FileNews {
    pub tenant: TenantId,
    pub mode: Mode,
    pub id: MediaId,
    pub end: FileEnd,
}

#[derive(Debug)]
pub(in crate::store) enum FileEnd {
    /// Its blob is written; what the row says from here on, in the order of [`KEEP`].
    Kept { parts: Vec<Value>, sha256: [u8; 32], size: i64, room: i64 },
    /// One more try failed: `failed` or `gone` for good, or `waiting` for another or to be asked for.
    Failed { state: &'static str, at: Option<At>, error: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum FileDone {
    Written,
    NoRoom,
    NotWanted,
}

/// What happened when a delivery was tried.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub tenant: TenantId,
    pub mode: Mode,
    pub endpoint: EndpointId,
    pub pos: i64,
    pub event: EventId,
    /// Since it was queued, with this one.
    pub attempts: i64,
    /// In all, with this one.
    pub tried: i64,
    /// Is it an event `endpoint.*`?
    pub is_of_endpoint: bool,
    /// Did somebody ask for it again?
    pub is_replay: bool,
    pub at: At,
    pub duration_ms: i64,
    pub status: Option<i64>,
    /// The class of what went wrong.
    pub error: Option<&'static str>,
    /// The beginning of what was answered, without NUL.
    pub answer: Option<String>,
    pub next: Next,
    /// How the endpoint does from here on, where that changed.
    pub standing: Option<Standing>,
    pub turn: Turn,
    pub disables: Option<Reason>,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Delivered,
    Again(At),
    /// Given up.
    Failed,
}

/// What an owner says of an endpoint.
#[derive(Debug, Clone)]
pub(in crate::store) struct Switch {
    pub tenant: TenantId,
    pub mode: Mode,
    pub endpoint: EndpointId,
    pub is_on: bool,
}
