//! What waits for one device until that device acknowledges it.
//!
//! A stanza stays here while it is on the wire: a connection that breaks before the acknowledgement
//! gets it again, which is how WhatsApp delivers at least once. Stanzas are kept encoded, as the
//! wire and the journal want them.

use std::collections::VecDeque;

use bytes::Bytes;
use wacore_binary::Node;

use crate::limits;
use crate::stanza::Read;

/// What an acknowledgement must name beside the id: a message and a receipt about it share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Message,
    Receipt,
    Notification,
    Call,
}

impl Class {
    pub(crate) fn of(tag: &str) -> Option<Self> {
        match tag {
            "message" => Some(Self::Message),
            "receipt" => Some(Self::Receipt),
            "notification" => Some(Self::Notification),
            "call" => Some(Self::Call),
            _ => None,
        }
    }
}

pub(crate) struct Entry {
    pub place: u64,
    pub class: Class,
    pub body: Bytes,
    id: Box<str>,
}

#[derive(Default)]
pub(crate) struct Outbox {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Outbox {
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= limits::QUEUED_STANZAS
    }

    /// The place is what the journal orders by.
    pub(crate) fn push(&mut self, node: &Node, body: Bytes) -> Option<u64> {
        let place = self.next;
        self.restore(place, node, body)?;
        Some(place)
    }

    pub(crate) fn restore(&mut self, place: u64, node: &Node, body: Bytes) -> Option<()> {
        let class = Class::of(&node.tag)?;
        let id = node.text("id").unwrap_or_default().into();
        self.entries.push_back(Entry { place, class, body, id });
        self.next = place + 1;
        Some(())
    }

    /// Removes the oldest entry with this id and class. Clients acknowledge nearly in order, so
    /// the search is short.
    pub(crate) fn acknowledge(&mut self, class: Class, id: &str) -> Option<u64> {
        let index = self.entries.iter().position(|entry| entry.class == class && &*entry.id == id)?;
        let entry = self.entries.remove(index)?;
        if self.entries.is_empty() {
            // A burst must not keep its memory for the life of an idle device.
            self.entries = VecDeque::new();
        }
        Some(entry.place)
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(crate) fn count(&self, class: Class) -> u64 {
        self.entries.iter().filter(|entry| entry.class == class).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::{encode, tag};

    #[test]
    fn a_receipt_is_not_acknowledged_by_the_message_it_is_about() {
        let mut outbox = Outbox::default();
        for name in ["receipt", "message"] {
            let node = tag(name).attr("id", "A").build();
            outbox.push(&node, encode(&node));
        }
        assert_eq!(outbox.acknowledge(Class::Message, "A"), Some(1));
        assert_eq!(outbox.acknowledge(Class::Message, "A"), None);
        assert_eq!(outbox.acknowledge(Class::Receipt, "A"), Some(0));
        assert_eq!(outbox.entries().len(), 0);
    }
}
