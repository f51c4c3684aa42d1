//! What the outside of an envelope says of its content, as WhatsApp wants it.
//!
//! whatsapp-rust 0.7.0, src/send/mod.rs (`infer_stanza_metadata`); the rest is wacore's.

use wacore::proto_helpers::MessageExt as _;
use wacore::send::{media_type_from_message, should_hide_decrypt_fail_for_send, stanza_type_from_message};
use wacore::types::message::EditAttribute;
use wacore_binary::Node;
use waproto::whatsapp as wa;

use super::look;
use crate::stanza::tag;

pub(super) struct Look {
    /// `type` of the `<message>`.
    pub kind: &'static str,
    /// Its `edit`.
    pub edit: Option<EditAttribute>,
    /// A child of it.
    pub meta: Option<Node>,
    media_type: Option<&'static str>,
    is_failure_hidden: bool,
}

impl Look {
    pub(super) fn of(message: &wa::Message) -> Self {
        let edit = EditAttribute::infer_from_message(message);
        Self {
            kind: stanza_type_from_message(message),
            meta: meta(message),
            media_type: media_type_from_message(message),
            is_failure_hidden: should_hide_decrypt_fail_for_send(edit.as_ref(), message),
            edit,
        }
    }

    /// Completes an `<enc>`.
    pub(super) fn mark(&self, enc: &mut Node) {
        if let Some(media_type) = self.media_type {
            enc.attrs.insert("mediatype", media_type);
        }
        if self.is_failure_hidden {
            enc.attrs.insert("decrypt-fail", "hide");
        }
    }
}

fn meta(message: &wa::Message) -> Option<Node> {
    let poll = if look::poll(message).is_some() {
        Some("creation")
    } else {
        message.poll_update_message.as_option().and_then(|update| update.vote.as_option()).map(|_| "vote")
    };
    let is_view_once = message.is_view_once();
    let mut meta = tag("meta");
    if let Some(poll) = poll {
        meta = meta.attr("polltype", poll);
    }
    if is_view_once {
        meta = meta.attr("view_once", "true");
    }
    (poll.is_some() || is_view_once).then(|| meta.build())
}
