//! The client's events as [`Signal`]s.
//!
//! Which event means what was observed with whatsapp-rust 0.7.0 against the sandbox, and read in its
//! `client/lifecycle.rs` and `client/node_io.rs`. What is not listed is not news to a session.

use wacore::types::events::{ConnectFailureReason, Event, EventHandler, EventInterest, EventKind};
use wacore::types::message::MessageSource;
use wacore::types::presence::ReceiptType;
use wacore_binary::{Jid, JidExt as _};
use wapid_core::message::{ReceiptSender, Status};
use wapid_core::session::{Account, End, Rest};

use super::acks::Acks;
use super::{Answer, Signal};

/// Turns events into signals on the client's own dispatch path: cheap, and never blocks.
pub struct Ear<F> {
    pub acks: Acks,
    pub tell: F,
}

impl<F: Fn(Signal) + Send + Sync> EventHandler for Ear<F> {
    fn handle_event(&self, event: std::sync::Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) if ack.class.as_deref() == Some("message") => {
                let answer = match &ack.error {
                    Some(code) => Answer::Nack { code: code.clone() },
                    None => Answer::Taken { at_ms: ack.timestamp.map(|t| t.timestamp_millis()) },
                };
                self.acks.answer(&ack.id, answer);
            }
            event => {
                if let Some(signal) = signal_of(event) {
                    // Who has a message's receipt needs no ack: the message was taken.
                    if let Signal::Receipt { wa_ids, at_ms, .. } = &signal {
                        let taken = Answer::Taken { at_ms: Some(*at_ms) };
                        wa_ids.iter().for_each(|id| self.acks.answer(id, taken.clone()));
                    }
                    // What was in flight on another connection will not be answered on this one.
                    // (A server restart by 515 raises no `Disconnected`, only the next `Connected`.)
                    if matches!(signal, Signal::Up | Signal::Down | Signal::Over(_) | Signal::Gone { .. }) {
                        self.acks.lose_all();
                    }
                    (self.tell)(signal);
                }
            }
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::PairingQrCode,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairingCode,
            EventKind::PairingCodeError,
            EventKind::PairPasskeyRequest,
            EventKind::PairSuccess,
            EventKind::PairError,
            EventKind::Connected,
            EventKind::Disconnected,
            EventKind::LoggedOut,
            EventKind::StreamReplaced,
            EventKind::TemporaryBan,
            EventKind::ClientOutdated,
            EventKind::ConnectFailure,
            EventKind::Receipt,
            EventKind::ServerAck,
        ])
    }
}

fn sender_of(source: &MessageSource) -> ReceiptSender {
    let names = [Some(&source.sender), source.sender_alt.as_ref()];
    let find = |is: fn(&Jid) -> bool| {
        names.into_iter().flatten().find(|jid| is(jid)).map(|jid| jid.user_base().to_string())
    };
    ReceiptSender {
        // The client says so of messages alone.
        group: source.chat.is_group().then(|| source.chat.to_non_ad().to_string()),
        phone: find(|jid| jid.is_pn()),
        lid: find(|jid| jid.is_lid()),
    }
}

fn signal_of(event: &Event) -> Option<Signal> {
    let ms = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    Some(match event {
        Event::PairingQrCode(qr) => Signal::Qr { secret: qr.code.clone(), lives_ms: ms(qr.timeout) },
        Event::PairingCode(code) => Signal::Code { secret: code.code.clone(), lives_ms: ms(code.timeout) },
        Event::PairingCodeError(refusal) => Signal::CodeRefused(refusal.error.clone()),
        Event::PairPasskeyRequest(request) => Signal::Passkey(request.request_options_json.clone()),
        Event::PairSuccess(paired) => Signal::Linked(Account {
            phone: paired.id.user.to_string(),
            jid: paired.id.to_string(),
            lid: (!paired.lid.user.is_empty()).then(|| paired.lid.user.to_string()),
        }),
        Event::PairError(_) => Signal::Over(End::PairingFailed),
        // With a pairing code outstanding the client keeps the socket: the code decides.
        Event::PairingQrCodesExhausted(spent) if spent.disconnected => Signal::Over(End::QrExpired),
        Event::Connected(_) => Signal::Up,
        Event::Disconnected(_) => Signal::Down,
        Event::LoggedOut(out) if matches!(out.reason, ConnectFailureReason::AccountLocked) => {
            Signal::Over(End::AccountBlocked)
        }
        Event::LoggedOut(_) => Signal::Over(End::LoggedOut),
        Event::StreamReplaced(_) => Signal::Over(End::Replaced),
        Event::ClientOutdated(_) => Signal::Over(End::ClientOutdated),
        Event::TemporaryBan(ban) => {
            Signal::Gone { why: Rest::Banned, lasts_ms: Some(ban.expire.num_milliseconds()) }
        }
        Event::ConnectFailure(_) => Signal::Gone { why: Rest::Refused, lasts_ms: None },
        Event::Receipt(receipt) if !receipt.source.is_from_me => Signal::Receipt {
            by: sender_of(&receipt.source),
            wa_ids: receipt.message_ids.iter().map(ToString::to_string).collect(),
            // In a group each member's device tells for itself, and the first one counts.
            // A phone that is not in use answers `inactive`; the message has reached it all the same.
            status: match receipt.r#type {
                ReceiptType::Delivered | ReceiptType::Inactive => Status::Delivered,
                ReceiptType::Read => Status::Read,
                ReceiptType::Played => Status::Played,
                _ => return None,
            },
            at_ms: receipt.timestamp.timestamp_millis(),
        },
        _ => return None,
    })
}
