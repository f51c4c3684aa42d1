//! Stanzas as bytes: what goes on the wire as an address, and what as a text.
//!
//! wacore-binary 0.7.0 writes every short text with an `@` in it as a JID. A push name such as `ana@home` would reach
//! whatsmeow as an address where it expects a word, and it drops such a stanza; a JID inside the user or the server of
//! another ends its process (`readJIDPair` takes a word for granted). So addresses are written here as one pair of two
//! words, whatever the node holds, and words stay words.

use bytes::Bytes;
use wacore_binary::encoder::{ByteWriter, EncodeNode, Encoder};
use wacore_binary::node::{NodeContent, NodeValue};
use wacore_binary::{Jid, Node, Result};

/// Attributes that hold what people wrote. It may look like an address and is none.
const WORDS: [&str; 3] = ["notify", "subject", "text"];

pub(crate) fn encode(node: &Node) -> Bytes {
    let mut bytes = Vec::new();
    let written = Encoder::new_vec(&mut bytes).and_then(|mut encoder| encoder.write_node(&Written(node)));
    written.expect("a node in memory always encodes");
    Bytes::from(bytes)
}

struct Written<'a>(&'a Node);

impl EncodeNode for Written<'_> {
    fn tag(&self) -> &str {
        &self.0.tag
    }

    fn attrs_len(&self) -> usize {
        self.0.attrs.len()
    }

    fn has_content(&self) -> bool {
        self.0.content.is_some()
    }

    fn encode_attrs<W: ByteWriter>(&self, encoder: &mut Encoder<'_, W>) -> Result<()> {
        for (name, value) in &self.0.attrs {
            encoder.write_string(name)?;
            match value {
                NodeValue::Jid(jid) => write_jid(encoder, jid)?,
                NodeValue::String(text) => match address(name, text) {
                    Some(jid) => write_jid(encoder, &jid)?,
                    None => write_text(encoder, text)?,
                },
            }
        }
        Ok(())
    }

    fn encode_content<W: ByteWriter>(&self, encoder: &mut Encoder<'_, W>) -> Result<()> {
        match &self.0.content {
            None => Ok(()),
            Some(NodeContent::String(text)) => write_text(encoder, text),
            Some(NodeContent::Bytes(bytes)) => encoder.write_bytes_with_len(bytes),
            Some(NodeContent::Nodes(nodes)) => {
                encoder.write_list_start(nodes.len())?;
                nodes.iter().try_for_each(|node| encoder.write_node(&Written(node)))
            }
        }
    }
}

/// The address that an attribute holds as a text, as those do that are copied from another stanza.
fn address(name: &str, text: &str) -> Option<Jid> {
    if WORDS.contains(&name) || !text.contains('@') {
        return None;
    }
    let jid: Jid = text.parse().ok()?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!jid.user.is_empty() && jid.user.bytes().all(is_word)).then_some(jid)
}

fn write_jid<W: ByteWriter>(encoder: &mut Encoder<'_, W>, jid: &Jid) -> Result<()> {
    match jid.user.split_once('@') {
        None => encoder.write_jid_owned(jid),
        Some((user, _)) => encoder.write_jid_owned(&Jid { user: user.into(), ..jid.clone() }),
    }
}

fn write_text<W: ByteWriter>(encoder: &mut Encoder<'_, W>, text: &str) -> Result<()> {
    if text.contains('@') {
        encoder.write_bytes_with_len(text.as_bytes())
    } else {
        encoder.write_string(text)
    }
}

#[cfg(test)]
mod tests {
    use wacore_binary::{Jid, token};

    use super::*;
    use crate::stanza::{self, Read as _, tag};

    /// How often a byte that begins an address stands right behind another.
    fn nested(bytes: &[u8]) -> usize {
        let begins = |byte: u8| byte == token::JID_PAIR || byte == token::AD_JID;
        bytes.windows(2).filter(|pair| begins(pair[0]) && begins(pair[1])).count()
    }

    #[test]
    fn what_people_wrote_is_never_an_address() {
        for text in ["ana@home", "15550000001@s.whatsapp.net", "a@b@c", "@", "Sales @ 5 pm", "1:2@lid"] {
            for name in WORDS {
                let node = tag("message").attr(name, text).build();
                let read = stanza::decode(&encode(&node)).expect("a stanza");
                assert!(
                    matches!(read.attrs.get(name), Some(NodeValue::String(read)) if *read == *text),
                    "{name}={text} became {read:?}"
                );
            }
        }
    }

    #[test]
    fn the_user_of_an_address_is_never_an_address() {
        let twice = Jid::pn("15550000002@c.us");
        let bytes = encode(&tag("user").attr("jid", twice).build());
        let read = stanza::decode(&bytes).expect("a stanza");
        assert_eq!(read.text("jid").as_deref(), Some("15550000002@s.whatsapp.net"));
        for text in ["a@b@s.whatsapp.net", "1@2@3@lid", "x@y@z"] {
            let bytes = encode(&tag("receipt").attr("recipient", text).build());
            assert_eq!(nested(&bytes), 0, "{text}");
            assert!(stanza::decode(&bytes).is_some(), "{text}");
        }
    }

    #[test]
    fn an_address_that_was_copied_as_a_text_goes_out_as_an_address() {
        for text in
            ["15550000002@s.whatsapp.net", "100000000000002:3@lid", "120363000000000001@g.us", "1-2@g.us"]
        {
            let read = stanza::decode(&encode(&tag("receipt").attr("participant", text).build()));
            let read = read.expect("a stanza");
            assert!(matches!(read.attrs.get("participant"), Some(NodeValue::Jid(_))), "{text}: {read:?}");
        }
    }
}
