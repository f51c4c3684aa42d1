//! The words that a client's protocol has numbers for, by the dictionary that it names in its first bytes.
//!
//! Ours is the third, that of wacore-binary. Baileys up to 6.7.18 and 6.17.16, which npm calls its latest, has the second,
//! in which other words have these numbers; `second.txt` has them in order: those of one byte, then four times 256. What
//! such a client writes is rewritten with its words spelled out, and so is what it reads: a word that is spelled out needs
//! no dictionary. An address stays one.

use std::sync::LazyLock;

use bytes::Bytes;
use wacore_binary::node::{NodeContent, NodeValue};
use wacore_binary::{Jid, Node, Server, token};

use crate::limits;
use crate::stanza;

/// What a stanza may become when its words are spelled out.
const SPELLED_BYTES: usize = 4 * limits::FRAME_BYTES;
/// How deep nodes may lie in nodes.
const DEPTH: usize = 64;
/// Words that have a number of one byte.
const SINGLES: usize = 236;

static SECOND: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("second.txt").lines().collect());

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dictionary {
    Second,
    Third,
}

impl Dictionary {
    /// `None` is one that nobody here knows.
    pub(crate) fn of(version: u8) -> Option<Self> {
        match version {
            2 => Some(Self::Second),
            token::DICT_VERSION => Some(Self::Third),
            _ => None,
        }
    }

    /// A stanza that a client wrote.
    pub(crate) fn read(self, encoded: &[u8]) -> Option<Node> {
        match self {
            Self::Third => stanza::decode(encoded),
            Self::Second => {
                let body = wacore_binary::util::unpack(encoded).ok()?;
                let mut reader = Reader { rest: &body, out: vec![0] };
                reader.node(DEPTH)?;
                reader.rest.is_empty().then_some(())?;
                stanza::decode(&reader.out)
            }
        }
    }

    /// A stanza of ours as this client reads it.
    pub(crate) fn write(self, encoded: Bytes) -> Bytes {
        match self {
            Self::Third => encoded,
            Self::Second => stanza::decode(&encoded).map_or(encoded, |node| spell_out(&node)),
        }
    }
}

/// Rewrites a stanza of the second dictionary without any.
struct Reader<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// Passes so many bytes on as they are.
    fn copy(&mut self, count: usize) -> Option<()> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.out.extend_from_slice(taken);
        self.rest = rest;
        (self.out.len() <= SPELLED_BYTES).then_some(())
    }

    fn list(&mut self) -> Option<usize> {
        let head = *self.rest.first()?;
        match head {
            token::LIST_EMPTY => self.copy(1).map(|()| 0),
            token::LIST_8 => {
                let count = *self.rest.get(1)?;
                self.copy(2).map(|()| usize::from(count))
            }
            token::LIST_16 => {
                let count = u16::from_be_bytes(self.rest.get(1..3)?.try_into().ok()?);
                self.copy(3).map(|()| usize::from(count))
            }
            _ => None,
        }
    }

    fn node(&mut self, depth: usize) -> Option<()> {
        let size = self.list().filter(|size| *size > 0 && depth > 0)?;
        // The tag, then names and values.
        for _ in 0..1 + (size - 1) / 2 * 2 {
            self.text()?;
        }
        if size % 2 == 1 {
            return Some(());
        }
        match *self.rest.first()? {
            token::LIST_EMPTY | token::LIST_8 | token::LIST_16 => {
                let count = self.list()?;
                (0..count).try_for_each(|_| self.node(depth - 1))
            }
            _ => self.text(),
        }
    }

    fn text(&mut self) -> Option<()> {
        let head = *self.rest.first()?;
        match head {
            token::LIST_EMPTY => self.copy(1),
            token::DICTIONARY_0..=token::DICTIONARY_3 => {
                self.byte()?;
                let number = usize::from(self.byte()?);
                self.spell(SINGLES + 256 * usize::from(head - token::DICTIONARY_0) + number)
            }
            token::JID_PAIR => {
                self.copy(1)?;
                self.text()?;
                self.text()
            }
            token::AD_JID => {
                self.copy(3)?;
                self.text()
            }
            token::NIBBLE_8 | token::HEX_8 => {
                let length = usize::from(*self.rest.get(1)? & 127);
                self.copy(2 + length)
            }
            token::BINARY_8 => {
                let length = usize::from(*self.rest.get(1)?);
                self.copy(2 + length)
            }
            token::BINARY_20 => {
                let [high, middle, low] = *self.rest.get(1..4)? else { return None };
                let length = usize::from(high & 15) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.copy(4 + length)
            }
            token::BINARY_32 => {
                let length = u32::from_be_bytes(self.rest.get(1..5)?.try_into().ok()?);
                self.copy(5_usize.checked_add(length as usize)?)
            }
            number if usize::from(number) < SINGLES => {
                self.byte()?;
                self.spell(usize::from(number))
            }
            _ => None,
        }
    }

    fn spell(&mut self, number: usize) -> Option<()> {
        write_word(&mut self.out, SECOND.get(number)?.as_bytes());
        (self.out.len() <= SPELLED_BYTES).then_some(())
    }
}

/// A stanza without any dictionary's words.
pub(crate) fn spell_out(node: &Node) -> Bytes {
    let mut out = vec![0];
    write_node(&mut out, node);
    Bytes::from(out)
}

fn write_node(out: &mut Vec<u8>, node: &Node) {
    write_list(out, 1 + 2 * node.attrs.len() + usize::from(node.content.is_some()));
    write_word(out, node.tag.as_bytes());
    for (name, value) in &node.attrs {
        write_word(out, name.as_bytes());
        match value {
            NodeValue::String(text) => write_word(out, text.as_bytes()),
            NodeValue::Jid(jid) => write_jid(out, jid),
        }
    }
    match &node.content {
        None => {}
        Some(NodeContent::String(text)) => write_word(out, text.as_bytes()),
        Some(NodeContent::Bytes(bytes)) => write_word(out, bytes),
        Some(NodeContent::Nodes(nodes)) => {
            write_list(out, nodes.len());
            nodes.iter().for_each(|node| write_node(out, node));
        }
    }
}

fn write_list(out: &mut Vec<u8>, count: usize) {
    match (count, u8::try_from(count)) {
        (0, _) => out.push(token::LIST_EMPTY),
        (_, Ok(count)) => out.extend([token::LIST_8, count]),
        _ => {
            // No stanza was encoded with more.
            let count = u16::try_from(count).unwrap_or(u16::MAX);
            out.push(token::LIST_16);
            out.extend(count.to_be_bytes());
        }
    }
}

fn write_jid(out: &mut Vec<u8>, jid: &Jid) {
    let domain = match jid.server {
        Server::Pn => Some(0),
        Server::Lid => Some(1),
        Server::Hosted => Some(128),
        Server::HostedLid => Some(129),
        _ => None,
    };
    let device = u8::try_from(jid.device).ok().filter(|device| *device > 0);
    if let (Some(domain), Some(device)) = (domain, device) {
        out.extend([token::AD_JID, domain, device]);
        write_word(out, jid.user.as_bytes());
        return;
    }
    out.push(token::JID_PAIR);
    if jid.user.is_empty() {
        out.push(token::LIST_EMPTY);
    } else {
        write_word(out, jid.user.as_bytes());
    }
    write_word(out, jid.server.as_str().as_bytes());
}

fn write_word(out: &mut Vec<u8>, word: &[u8]) {
    // A frame has less than 2^32 bytes.
    let length = u32::try_from(word.len()).unwrap_or(u32::MAX).to_be_bytes();
    match word.len() {
        0..256 => out.extend([token::BINARY_8, length[3]]),
        256..0x10_0000 => out.extend([token::BINARY_20, length[1], length[2], length[3]]),
        _ => {
            out.push(token::BINARY_32);
            out.extend(length);
        }
    }
    out.extend_from_slice(word);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stanza::{Read as _, leaf, tag};

    #[test]
    fn every_number_of_the_second_dictionary_has_its_word() {
        assert_eq!(SECOND.len(), SINGLES + 4 * 256);
        for (number, word) in
            [(3, "s.whatsapp.net"), (19, "g.us"), (30, "iq"), (SINGLES, "media-for1-1.cdn.whatsapp.net")]
        {
            assert_eq!(SECOND[number], word);
        }
    }

    /// `<iq id="ask.1" to="s.whatsapp.net" type="get" xmlns="w:p"><ping/></iq>` as Baileys 6.17.16 encodes it.
    #[test]
    fn what_a_client_of_the_second_dictionary_wrote_is_read() {
        let written = hex::decode("00f80a1e08fc0561736b2e310e030431195ff801f80150").expect("hex");
        let read = Dictionary::Second.read(&written).expect("a stanza");
        assert_eq!(
            (&*read.tag, read.text("id").as_deref(), read.text("type").as_deref()),
            ("iq", Some("ask.1"), Some("get"))
        );
        assert_eq!(read.text("xmlns").as_deref(), Some("w:p"));
        assert_eq!(read.nodes().iter().map(|node| &*node.tag).collect::<Vec<_>>(), ["ping"]);
        assert_ne!(Dictionary::Third.read(&written).map(|node| node.tag.to_string()), Some("iq".to_owned()));
    }

    #[test]
    fn a_stanza_says_the_same_in_both_dictionaries() {
        let long = "x".repeat(70_000);
        let node = tag("message")
            .attr("from", Jid::pn_device("15550000001", 7))
            .attr("participant", Jid::lid("100000000000001"))
            .attr("to", stanza::server())
            .attr("notify", "ana@home")
            .children([leaf("enc", long.as_bytes()), tag("empty").build(), leaf("none", Vec::new())])
            .build();
        let ours = stanza::encode(&node);
        let theirs = Dictionary::Second.write(ours.clone());
        assert_eq!(Dictionary::Second.read(&theirs), Dictionary::Third.read(&ours));
        assert_eq!(Dictionary::Third.write(ours.clone()), ours);
    }

    #[test]
    fn what_is_no_stanza_is_none() {
        let deep = [vec![0], [token::LIST_8, 2, 30, token::LIST_8, 1].repeat(100_000)].concat();
        let bad: [&[u8]; 10] = [
            &[],
            &[0],
            &[0, token::LIST_EMPTY],
            &[0, token::LIST_8, 3, 30, 8],
            &[0, token::LIST_8, 1, 240],
            &[0, token::LIST_8, 1, token::BINARY_32, 255, 255, 255, 255],
            &[0, token::LIST_8, 1, token::BINARY_20, 255],
            &[0, token::LIST_8, 1, 30, 30],
            &[0, token::LIST_16, 255, 255, 30],
            &deep,
        ];
        for bytes in bad {
            assert!(Dictionary::Second.read(bytes).is_none());
        }
    }
}
