//! The server's half of the Noise handshake: XX for a client that verifies our chain, IK for one
//! that pinned our static key (research/sandbox-protocol.md, section 3, option A).
//!
//! wacore-noise 0.7.0 has the client's half only, but its `NoiseHandshake` takes no side: the
//! responder mixes the same values in the same order and swaps the two ciphers at the end. The
//! prologue is the four-byte `WA` header; the optional edge-routing preamble (`ED`) is not in it.

use buffa::{Message as _, MessageField};
use bytes::BytesMut;
use wacore_binary::consts::{NOISE_PATTERN_IK, NOISE_PATTERN_XX, WA_MAGIC_VALUE};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::{NoiseCipher, NoiseHandshake};
use waproto::whatsapp as wa;
use waproto::whatsapp::handshake_message::{ClientHello, ServerHello};

use crate::keys::{self, ServerKeys};
use crate::stanza;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("not a WhatsApp connection")]
    Header,
    #[error("this client speaks version {0} of the protocol, this sandbox {ours}: update it", ours = WA_MAGIC_VALUE)]
    Version(u8),
    #[error(
        "this client reads dictionary {0}, this sandbox writes 2 and 3: use a version that reads one of them"
    )]
    Dictionary(u8),
    #[error("the handshake is malformed")]
    Malformed,
    #[error("the handshake does not authenticate")]
    Unauthentic,
}

/// What a finished handshake leaves.
pub(crate) struct Secured {
    pub receive: NoiseCipher,
    pub send: NoiseCipher,
    pub client_key: [u8; 32],
    pub payload: wa::ClientPayload,
}

/// The client's first message and what it told us already.
pub(crate) enum Hello {
    /// IK: the client is known before anything is answered.
    Known { client_key: [u8; 32], noise: NoiseHandshake, ephemeral: [u8; 32], payload: Vec<u8> },
    /// XX: the client names itself in its second message.
    Unknown { ephemeral: [u8; 32] },
}

/// XX after our answer, waiting for the client to finish.
pub(crate) struct Answered {
    noise: NoiseHandshake,
    ephemeral: KeyPair,
}

/// Takes the `ED` preamble and the `WA` header off the front of a connection's first bytes.
/// `None` asks for more bytes.
pub(crate) fn take_header(head: &mut BytesMut) -> Result<Option<[u8; 4]>, Refused> {
    if head.starts_with(b"ED") {
        if head.len() < 7 {
            return Ok(None);
        }
        let routing = 7 + stanza::number(&head[4..7]) as usize;
        if head.len() < routing {
            return Ok(None);
        }
        let _ = head.split_to(routing);
    }
    if head.len() < 4 {
        return Ok(None);
    }
    if !head.starts_with(b"WA") {
        return Err(Refused::Header);
    }
    if head[2] != WA_MAGIC_VALUE {
        return Err(Refused::Version(head[2]));
    }
    let header = head.split_to(4);
    Ok(Some(header[..].try_into().expect("four bytes were split off")))
}

pub(crate) fn read_hello(keys: &ServerKeys, header: [u8; 4], frame: &[u8]) -> Result<Hello, Refused> {
    let ClientHello { ephemeral, r#static, payload, .. } = wa::HandshakeMessage::decode_from_slice(frame)
        .ok()
        .and_then(|message| message.client_hello.into_option())
        .ok_or(Refused::Malformed)?;
    let ephemeral = ephemeral.as_deref().and_then(stanza::key).ok_or(Refused::Malformed)?;
    let (Some(sealed_static), Some(sealed_payload)) = (r#static, payload) else {
        return Ok(Hello::Unknown { ephemeral });
    };
    let known = || -> wacore_noise::HandshakeResult<Hello> {
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_IK, &header)?;
        noise.authenticate(&keys.static_key());
        noise.authenticate(&ephemeral);
        noise.mix_shared_secret(keys.static_private(), &ephemeral)?;
        let client_key = stanza::key(&noise.decrypt(&sealed_static)?).unwrap_or_default();
        noise.mix_shared_secret(keys.static_private(), &client_key)?;
        let payload = noise.decrypt(&sealed_payload)?;
        Ok(Hello::Known { client_key, noise, ephemeral, payload })
    };
    known().map_err(|_| Refused::Unauthentic)
}

/// IK ends with our answer: the frame to send, and the connection.
pub(crate) fn answer_known(
    keys: &ServerKeys,
    mut noise: NoiseHandshake,
    client_key: [u8; 32],
    client_ephemeral: [u8; 32],
    payload: &[u8],
) -> Result<(Vec<u8>, Secured), Refused> {
    let payload = wa::ClientPayload::decode_from_slice(payload).map_err(|_| Refused::Malformed)?;
    let ephemeral = KeyPair::generate(&mut keys::rng());
    let answer = || -> wacore_noise::HandshakeResult<_> {
        noise.authenticate(&keys::public(&ephemeral));
        noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_ephemeral)?;
        noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_key)?;
        let chain = noise.encrypt(keys.chain())?;
        let frame = server_hello(&ephemeral, None, chain);
        let (receive, send) = noise.finish()?;
        Ok((frame, Secured { receive, send, client_key, payload }))
    };
    answer().map_err(|_| Refused::Unauthentic)
}

pub(crate) fn answer_unknown(
    keys: &ServerKeys,
    header: [u8; 4],
    client_ephemeral: [u8; 32],
) -> Result<(Vec<u8>, Answered), Refused> {
    let ephemeral = KeyPair::generate(&mut keys::rng());
    let answer = || -> wacore_noise::HandshakeResult<_> {
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_XX, &header)?;
        noise.authenticate(&client_ephemeral);
        noise.authenticate(&keys::public(&ephemeral));
        noise.mix_shared_secret(ephemeral.private_key.serialize(), &client_ephemeral)?;
        let sealed_static = noise.encrypt(&keys.static_key())?;
        noise.mix_shared_secret(keys.static_private(), &client_ephemeral)?;
        let chain = noise.encrypt(keys.chain())?;
        Ok((server_hello(&ephemeral, Some(sealed_static), chain), noise))
    };
    let (frame, noise) = answer().map_err(|_| Refused::Unauthentic)?;
    Ok((frame, Answered { noise, ephemeral }))
}

impl Answered {
    pub(crate) fn finish(mut self, frame: &[u8]) -> Result<Secured, Refused> {
        let finish = wa::HandshakeMessage::decode_from_slice(frame)
            .ok()
            .and_then(|message| message.client_finish.into_option())
            .ok_or(Refused::Malformed)?;
        let opened = || -> wacore_noise::HandshakeResult<_> {
            let client_key = self.noise.decrypt(&finish.r#static.unwrap_or_default())?;
            let client_key = stanza::key(&client_key).unwrap_or_default();
            self.noise.mix_shared_secret(self.ephemeral.private_key.serialize(), &client_key)?;
            let payload = self.noise.decrypt(&finish.payload.unwrap_or_default())?;
            let (receive, send) = self.noise.finish()?;
            Ok((receive, send, client_key, payload))
        };
        let (receive, send, client_key, payload) = opened().map_err(|_| Refused::Unauthentic)?;
        let payload = wa::ClientPayload::decode_from_slice(&payload[..]).map_err(|_| Refused::Malformed)?;
        Ok(Secured { receive, send, client_key, payload })
    }
}

fn server_hello(ephemeral: &KeyPair, sealed_static: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    wa::HandshakeMessage {
        server_hello: MessageField::some(ServerHello {
            ephemeral: Some(keys::public(ephemeral).to_vec()),
            r#static: sealed_static,
            payload: Some(payload),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
}
