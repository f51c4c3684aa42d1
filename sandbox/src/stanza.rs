//! Small words for reading and writing stanzas.
//!
//! Every JID goes on the wire as a JID token, also `from="s.whatsapp.net"`: whatsmeow silently
//! drops a stanza whose addresses are strings (research/sandbox-protocol.md, section 2).

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use crate::encode::encode;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent, Server};

/// Seconds since 1970, the time of every stanza. The sandbox waits for nothing by this clock.
pub(crate) fn now() -> u64 {
    now_ms() / 1000
}

/// Milliseconds since 1970, by which restrictions end.
#[expect(clippy::disallowed_methods, reason = "the sandbox knows nothing of the gateway and its clock")]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The address of the network itself.
pub(crate) fn server() -> Jid {
    Jid::new("", Server::Pn)
}

pub(crate) fn tag(name: &'static str) -> NodeBuilder {
    NodeBuilder::new(name)
}

/// `<name>content</name>`
pub(crate) fn leaf(name: &'static str, content: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(name).bytes(content).build()
}

pub(crate) fn decode(encoded: &[u8]) -> Option<Node> {
    let body = wacore_binary::util::unpack(encoded).ok()?;
    Some(wacore_binary::marshal::unmarshal_ref(&body).ok()?.to_owned())
}

/// Reading a stanza: absent and malformed look the same, because the answer is the same.
pub(crate) trait Read {
    fn text(&self, name: &str) -> Option<Cow<'_, str>>;
    fn jid(&self, name: &str) -> Option<Jid>;
    fn nodes(&self) -> &[Node];
    fn content(&self) -> &[u8];
    /// The content of a child, empty when there is none.
    fn content_of(&self, child: &str) -> &[u8];
}

impl Read for Node {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.attrs.get(name).map(|value| value.as_str())
    }

    fn jid(&self, name: &str) -> Option<Jid> {
        self.attrs.get(name).and_then(|value| value.to_jid())
    }

    fn nodes(&self) -> &[Node] {
        self.children().unwrap_or_default()
    }

    fn content(&self) -> &[u8] {
        match &self.content {
            Some(NodeContent::Bytes(bytes)) => bytes,
            Some(NodeContent::String(text)) => text.as_bytes(),
            _ => &[],
        }
    }

    fn content_of(&self, child: &str) -> &[u8] {
        self.get_optional_child(child).map_or(&[], Read::content)
    }
}

/// A big-endian number of up to four bytes: key ids have three, registration ids four.
pub(crate) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

pub(crate) fn three_bytes(number: u32) -> Vec<u8> {
    number.to_be_bytes()[1..].to_vec()
}

/// A public key, with or without Signal's leading type byte.
pub(crate) fn key(bytes: &[u8]) -> Option<[u8; 32]> {
    match bytes {
        [5, rest @ ..] if rest.len() == 32 => rest.try_into().ok(),
        _ => bytes.try_into().ok(),
    }
}
