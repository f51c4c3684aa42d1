//! Trouble on request, aimed at the linked devices of one phone.
//!
//! Which stanza makes which event in a client is whatsapp-rust 0.7.0, src/client/node_io.rs,
//! `handle_stream_error` and `handle_connect_failure`. Faults live in memory: a restarted sandbox
//! has none.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A fault and its parameters; those that a kind does not use are ignored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    pub kind: FaultKind,
    /// Where a numbered fault strikes. By default where WhatsApp would send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How often. Messages: once. Logins: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// How late, for `slow_ack` and `slow_media`; how long, for `reachout_timelock` and
    /// `new_chat_capped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The reason of a temporary ban.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The length of a temporary ban in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The connection ends without a word.
    Drop,
    /// The socket stays open and nothing moves on it any more; new connections work.
    Stall,
    #[serde(rename = "401")]
    Unauthorized,
    #[serde(rename = "403")]
    Forbidden,
    #[serde(rename = "429")]
    TooMany,
    #[serde(rename = "500")]
    Internal,
    #[serde(rename = "503")]
    Unavailable,
    #[serde(rename = "515")]
    Restart,
    /// As if the same device had connected elsewhere.
    Replaced,
    /// The stream ends and logins are answered 402.
    TemporaryBan,
    /// The stream ends and logins are answered 405.
    ClientOutdated,
    /// The next messages are refused with 463.
    #[serde(rename = "nack_463")]
    Nack463,
    /// For a while messages to those who never wrote to this account are refused with 463.
    ReachoutTimelock,
    /// The same with 475: the quota of new chats is used up.
    NewChatCapped,
    /// The next questions whether numbers are on WhatsApp are answered 429.
    LookupRefused,
    /// The next messages are delivered and never acknowledged.
    NeverAck,
    /// The next messages to these devices arrive twice.
    DuplicateDelivery,
    /// The next messages to these devices cannot be decrypted.
    CorruptDelivery,
    /// Acknowledgements of messages come late.
    SlowAck,
    /// New connections get no answer to their first frame.
    HandshakeStall,
    /// New connections are closed after their first frame.
    RefuseHandshake,
    /// The next scan asks for a passkey instead of linking.
    Passkey,
    /// The phone loses its Signal sessions and sender keys, and must ask for messages again.
    LoseSessions,
    /// The media host answers the next downloads of these devices 404.
    MediaMissing,
    /// The media host answers the next requests of these devices 401: their pass is over.
    MediaUnauthorized,
    /// The next downloads of these devices end in the middle.
    TruncatedMedia,
    /// Downloads of these devices begin late.
    SlowMedia,
    /// All media that this phone shows are gone from the host (410), for everybody, until a phone that
    /// holds them puts them there again.
    MediaExpired,
    /// The phone loses the bytes of all its media.
    LoseMedia,
    /// The phone's privacy settings keep others from adding it to groups, until cleared.
    GroupPrivacy,
    Clear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Now, on the open stream, as `<stream:error code=…/>`.
    Stream,
    /// The stream ends and the next logins get `<failure reason=…/>`.
    Login,
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind, phase: None, count: None, ms: None, code: None, expire: None }
    }
}

/// What a fault does at once to the open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    Nothing,
    Close,
    Stall,
    Replace,
    StreamError(u16),
    LoseSessions,
    ExpireMedia,
    LoseMedia,
}

/// The faults waiting for something to happen.
#[derive(Debug, Default)]
pub(crate) struct Active {
    login: Option<Refusal>,
    pub handshake: Option<Handshake>,
    timelock: Option<Restriction>,
    new_chat_cap: Option<Restriction>,
    nacks: u32,
    refused_lookups: u32,
    never_acks: u32,
    duplicates: u32,
    corruptions: u32,
    passkeys: u32,
    /// Others may not add this phone to groups.
    pub is_private: bool,
    pub slow_ack: Option<Duration>,
    hidden_media: u32,
    refused_passes: u32,
    truncated_media: u32,
    pub slow_media: Option<Duration>,
}

/// What WhatsApp holds against an account for a while, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restriction {
    pub since_ms: u64,
    pub until_ms: u64,
}

/// How long a restriction lasts when nobody says.
const RESTRICTION_MS: u64 = 3_600_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    Stall,
    Refuse,
}

/// `<failure reason=… code=… expire=…/>` for the next logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub reason: u16,
    pub ban: Option<Ban>,
    left: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ban {
    pub code: u32,
    pub expire: u64,
}

impl Active {
    pub(crate) fn apply(&mut self, fault: &Fault, now_ms: u64) -> Strike {
        let times = fault.count.unwrap_or(1);
        let restriction = Restriction {
            since_ms: now_ms,
            until_ms: now_ms.saturating_add(fault.ms.unwrap_or(RESTRICTION_MS)),
        };
        match fault.kind {
            FaultKind::Drop => return Strike::Close,
            FaultKind::Stall => return Strike::Stall,
            FaultKind::Replaced => return Strike::Replace,
            FaultKind::LoseSessions => return Strike::LoseSessions,
            FaultKind::MediaExpired => return Strike::ExpireMedia,
            FaultKind::LoseMedia => return Strike::LoseMedia,
            FaultKind::Unauthorized => return self.numbered(401, Phase::Stream, fault),
            FaultKind::Forbidden => return self.numbered(403, Phase::Login, fault),
            FaultKind::TooMany => return self.numbered(429, Phase::Stream, fault),
            FaultKind::Internal => return self.numbered(500, Phase::Stream, fault),
            FaultKind::Unavailable => return self.numbered(503, Phase::Stream, fault),
            FaultKind::Restart => return self.numbered(515, Phase::Stream, fault),
            FaultKind::TemporaryBan => {
                let ban = Ban { code: fault.code.unwrap_or(101), expire: fault.expire.unwrap_or(3600) };
                self.login = Some(Refusal { reason: 402, ban: Some(ban), left: fault.count });
                return Strike::Close;
            }
            FaultKind::ClientOutdated => {
                self.login = Some(Refusal { reason: 405, ban: None, left: fault.count });
                return Strike::Close;
            }
            FaultKind::Nack463 => self.nacks = times,
            FaultKind::ReachoutTimelock => self.timelock = Some(restriction),
            FaultKind::NewChatCapped => self.new_chat_cap = Some(restriction),
            FaultKind::LookupRefused => self.refused_lookups = times,
            FaultKind::NeverAck => self.never_acks = times,
            FaultKind::DuplicateDelivery => self.duplicates = times,
            FaultKind::CorruptDelivery => self.corruptions = times,
            FaultKind::Passkey => self.passkeys = times,
            FaultKind::GroupPrivacy => self.is_private = true,
            FaultKind::SlowAck => self.slow_ack = Some(Duration::from_millis(fault.ms.unwrap_or(1000))),
            FaultKind::MediaMissing => self.hidden_media = times,
            FaultKind::MediaUnauthorized => self.refused_passes = times,
            FaultKind::TruncatedMedia => self.truncated_media = times,
            FaultKind::SlowMedia => self.slow_media = Some(Duration::from_millis(fault.ms.unwrap_or(1000))),
            FaultKind::HandshakeStall => {
                self.handshake = Some(Handshake::Stall);
                return Strike::Close;
            }
            FaultKind::RefuseHandshake => {
                self.handshake = Some(Handshake::Refuse);
                return Strike::Close;
            }
            FaultKind::Clear => *self = Self::default(),
        }
        Strike::Nothing
    }

    fn numbered(&mut self, reason: u16, usual: Phase, fault: &Fault) -> Strike {
        match fault.phase.unwrap_or(usual) {
            Phase::Stream => Strike::StreamError(reason),
            Phase::Login => {
                self.login = Some(Refusal { reason, ban: None, left: fault.count });
                Strike::Close
            }
        }
    }

    /// The refusal this login gets, if any; counts it.
    pub(crate) fn refuse_login(&mut self) -> Option<Refusal> {
        let refusal = self.login?;
        match refusal.left {
            Some(0) => self.login = None,
            Some(left) => self.login = Some(Refusal { left: Some(left - 1), ..refusal }),
            None => {}
        }
        self.login.map(|_| refusal)
    }

    pub(crate) fn nacks_message(&mut self) -> bool {
        strike(&mut self.nacks)
    }

    pub(crate) fn timelock(&self, now_ms: u64) -> Option<Restriction> {
        self.timelock.filter(|restriction| now_ms < restriction.until_ms)
    }

    pub(crate) fn new_chat_cap(&self, now_ms: u64) -> Option<Restriction> {
        self.new_chat_cap.filter(|restriction| now_ms < restriction.until_ms)
    }

    pub(crate) fn refuses_lookup(&mut self) -> bool {
        strike(&mut self.refused_lookups)
    }

    pub(crate) fn swallows_ack(&mut self) -> bool {
        strike(&mut self.never_acks)
    }

    pub(crate) fn duplicates_delivery(&mut self) -> bool {
        strike(&mut self.duplicates)
    }

    pub(crate) fn corrupts_delivery(&mut self) -> bool {
        strike(&mut self.corruptions)
    }

    pub(crate) fn asks_passkey(&mut self) -> bool {
        strike(&mut self.passkeys)
    }

    pub(crate) fn hides_medium(&mut self) -> bool {
        strike(&mut self.hidden_media)
    }

    pub(crate) fn refuses_pass(&mut self) -> bool {
        strike(&mut self.refused_passes)
    }

    pub(crate) fn truncates_medium(&mut self) -> bool {
        strike(&mut self.truncated_media)
    }
}

fn strike(left: &mut u32) -> bool {
    let strikes = *left > 0;
    *left = left.saturating_sub(1);
    strikes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_ban_ends_after_its_count() {
        let mut active = Active::default();
        let ban = Fault { count: Some(2), ..FaultKind::TemporaryBan.into() };
        assert_eq!(active.apply(&ban, 0), Strike::Close);
        assert_eq!(active.refuse_login().map(|refusal| refusal.reason), Some(402));
        assert!(active.refuse_login().is_some());
        assert!(active.refuse_login().is_none());
    }

    #[test]
    fn an_uncounted_ban_lasts_until_cleared() {
        let mut active = Active::default();
        active.apply(&FaultKind::TemporaryBan.into(), 0);
        assert!((0..10).all(|_| active.refuse_login().is_some()));
        active.apply(&FaultKind::Clear.into(), 0);
        assert!(active.refuse_login().is_none());
    }

    #[test]
    fn a_restriction_ends_at_its_time_or_when_it_is_cleared() {
        let mut active = Active::default();
        let lock = Fault { ms: Some(50), ..FaultKind::ReachoutTimelock.into() };
        active.apply(&lock, 1_000);
        assert_eq!(active.timelock(1_049).map(|lock| lock.until_ms), Some(1_050));
        assert_eq!((active.timelock(1_050), active.new_chat_cap(1_000)), (None, None));
        active.apply(&FaultKind::NewChatCapped.into(), 1_000);
        assert!(active.new_chat_cap(1_000 + RESTRICTION_MS - 1).is_some());
        active.apply(&FaultKind::Clear.into(), 1_001);
        assert_eq!(active.new_chat_cap(1_001), None);
    }

    #[test]
    fn kinds_have_the_names_of_the_control_surface() {
        for name in [
            "drop",
            "401",
            "515",
            "temporary_ban",
            "nack_463",
            "reachout_timelock",
            "new_chat_capped",
            "handshake_stall",
            "media_expired",
            "clear",
        ] {
            let fault: Fault = serde_json::from_value(serde_json::json!({ "kind": name })).expect(name);
            assert_eq!(serde_json::to_value(fault.kind).expect("a name"), name);
        }
    }
}
