//! A client that writes its own stanzas: what other people's clients send, byte for byte, without those clients.
//!
//! It verifies no certificates (XX) and handles nothing by itself.

use std::net::SocketAddr;

use buffa::{Message as _, MessageField};
use bytes::BytesMut;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::NOISE_PATTERN_XX;
use wacore_binary::{Jid, Node, Server};
use wacore_libsignal::protocol::KeyPair;
use wacore_noise::framing::{self, FrameDecoder};
use wacore_noise::{NoiseCipher, NoiseHandshake};
use wapid_sandbox::Sandbox;
use waproto::whatsapp as wa;
use waproto::whatsapp::handshake_message::{ClientFinish, ClientHello};

use crate::support::{DEADLINE, linked};

/// What whatsmeow and Baileys begin with.
pub const HEADER: [u8; 4] = *b"WA\x06\x03";

pub struct Raw {
    socket: WebSocketStream<TcpStream>,
    decoder: FrameDecoder,
    ciphers: Option<(NoiseCipher, NoiseCipher)>,
    sent: u32,
    received: u32,
    asked: u32,
}

/// What came of the socket.
#[derive(Debug)]
pub enum Heard {
    Stanza(Node),
    Closed(Option<CloseFrame>),
}

/// The keys and the place of a device that somebody else linked.
pub struct Device {
    noise: KeyPair,
    payload: wa::ClientPayload,
}

/// Links a device of `phone`, whose client then leaves its place to a raw one.
pub async fn device(sandbox: &Sandbox, phone: &str) -> Device {
    let client = linked(sandbox, phone).await;
    let snapshot = client.client.persistence_manager().get_device_snapshot();
    let own = snapshot.pn.clone().expect("a linked device has an address");
    let payload = wa::ClientPayload {
        username: own.user.parse().ok(),
        device: Some(u32::from(own.device)),
        ..Default::default()
    };
    let noise = snapshot.noise_key.clone();
    client.stop().await;
    Device { noise, payload }
}

impl Device {
    /// One that is not linked yet.
    pub fn new() -> Self {
        Self {
            noise: KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>()),
            payload: wa::ClientPayload::default(),
        }
    }

    pub async fn connect(&self, address: SocketAddr) -> Raw {
        let mut raw = Raw::open(address, HEADER).await;
        raw.shake_hands(HEADER, self).await;
        raw
    }

    /// Online, with everything that waited for it taken.
    pub async fn online(&self, address: SocketAddr) -> Raw {
        let mut raw = self.connect(address).await;
        raw.stanza("success").await;
        raw.ask("set", "passive", NodeBuilder::new("active").build()).await;
        raw
    }
}

impl Raw {
    /// A socket with nothing said on it but the first bytes.
    pub async fn open(address: SocketAddr, header: [u8; 4]) -> Self {
        let stream = TcpStream::connect(address).await.expect("connects");
        let url = format!("ws://{address}/ws/chat");
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a WebSocket");
        socket.send(Message::Binary(header.to_vec().into())).await.expect("writes");
        Self { socket, decoder: FrameDecoder::new(), ciphers: None, sent: 0, received: 0, asked: 0 }
    }

    pub async fn shake_hands(&mut self, header: [u8; 4], device: &Device) {
        let own = KeyPair::generate(&mut rand::make_rng::<rand::rngs::StdRng>());
        let key = |pair: &KeyPair| -> Vec<u8> { pair.public_key.public_key_bytes().to_vec() };
        let mut noise = NoiseHandshake::new(NOISE_PATTERN_XX, &header).expect("a pattern");
        noise.authenticate(&key(&own));
        let hello = ClientHello { ephemeral: Some(key(&own)), ..Default::default() };
        self.write_message(wa::HandshakeMessage {
            client_hello: MessageField::some(hello),
            ..Default::default()
        })
        .await;
        let answer = self.frame().await.expect("a ServerHello");
        let answer = wa::HandshakeMessage::decode_from_slice(&answer).expect("a handshake message");
        let answer = answer.server_hello.into_option().expect("a ServerHello");
        let theirs = answer.ephemeral.expect("a key");
        noise.authenticate(&theirs);
        noise.mix_shared_secret(own.private_key.serialize(), &theirs).expect("a secret");
        let server = noise.decrypt(&answer.r#static.expect("a key")).expect("the server's key");
        noise.mix_shared_secret(own.private_key.serialize(), &server).expect("a secret");
        noise.decrypt(&answer.payload.expect("a chain")).expect("the chain");
        let sealed_key = noise.encrypt(&key(&device.noise)).expect("sealed");
        noise.mix_shared_secret(device.noise.private_key.serialize(), &theirs).expect("a secret");
        let sealed_payload = noise.encrypt(&device.payload.encode_to_vec()).expect("sealed");
        let finish =
            ClientFinish { r#static: Some(sealed_key), payload: Some(sealed_payload), ..Default::default() };
        self.write_message(wa::HandshakeMessage {
            client_finish: MessageField::some(finish),
            ..Default::default()
        })
        .await;
        self.ciphers = Some(noise.finish().expect("the keys"));
    }

    async fn write_message(&mut self, message: wa::HandshakeMessage) {
        self.write(&message.encode_to_vec()).await;
    }

    async fn write(&mut self, payload: &[u8]) {
        let frame = framing::encode_frame(payload, None).expect("a frame");
        self.socket.send(Message::Binary(frame.into())).await.expect("writes");
    }

    pub async fn send(&mut self, node: &Node) {
        self.send_bytes(&wacore_binary::marshal(node).expect("encodes")).await;
    }

    /// A stanza as some client encoded it.
    pub async fn send_bytes(&mut self, plain: &[u8]) {
        let (send, _) = self.ciphers.as_ref().expect("hands were shaken");
        let sealed = send.encrypt_with_counter(self.sent, plain).expect("sealed");
        self.sent += 1;
        self.write(&sealed).await;
    }

    /// The next frame as it came, or how the socket was closed.
    async fn frame(&mut self) -> Result<BytesMut, Option<CloseFrame>> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Ok(frame);
            }
            let next =
                tokio::time::timeout(DEADLINE, self.socket.next()).await.expect("something comes in time");
            match next {
                Some(Ok(Message::Binary(bytes))) => self.decoder.feed(&bytes),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The bytes of the next stanza, as they were sealed.
    pub async fn bytes(&mut self) -> Result<BytesMut, Option<CloseFrame>> {
        let mut frame = self.frame().await?;
        let (_, receive) = self.ciphers.as_ref().expect("hands were shaken");
        receive.decrypt_in_place_with_counter(self.received, &mut frame).expect("it is for us");
        self.received += 1;
        Ok(frame)
    }

    pub async fn hear(&mut self) -> Heard {
        match self.bytes().await {
            Ok(bytes) => Heard::Stanza(decode(&bytes)),
            Err(frame) => Heard::Closed(frame),
        }
    }

    /// The next stanza with this tag; others are passed over.
    pub async fn stanza(&mut self, name: &str) -> Node {
        loop {
            match self.hear().await {
                Heard::Stanza(node) if node.tag == name => return node,
                Heard::Stanza(_) => {}
                Heard::Closed(frame) => panic!("closed before <{name}>: {frame:?}"),
            }
        }
    }

    /// Asks the server and returns its answer.
    pub async fn ask(&mut self, kind: &'static str, namespace: &'static str, question: Node) -> Node {
        self.asked += 1;
        let id = format!("ask.{}", self.asked);
        let iq = NodeBuilder::new("iq")
            .attr("id", id.as_str())
            .attr("type", kind)
            .attr("xmlns", namespace)
            .attr("to", Jid::new("", Server::Pn))
            .children([question])
            .build();
        self.send(&iq).await;
        loop {
            let answer = self.stanza("iq").await;
            if attribute(&answer, "id") == id {
                return answer;
            }
        }
    }

    /// Closes as a client does that was told to go, and waits for the other side.
    pub async fn close(mut self) {
        self.socket.close(None).await.expect("closes");
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

pub fn decode(bytes: &[u8]) -> Node {
    let body = wacore_binary::util::unpack(bytes).expect("unpacks");
    wacore_binary::marshal::unmarshal_ref(&body).expect("a stanza").to_owned()
}

/// The text of an attribute, empty when there is none.
pub fn attribute(node: &Node, name: &str) -> String {
    node.attrs.get(name).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

/// The content of a node as a text.
pub fn content(node: &Node) -> String {
    match &node.content {
        Some(wacore_binary::NodeContent::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(wacore_binary::NodeContent::String(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// Every node with this tag below a node.
pub fn all<'a>(node: &'a Node, name: &str) -> Vec<&'a Node> {
    let children = node.children().unwrap_or_default();
    children
        .iter()
        .flat_map(|child| {
            let own = (child.tag == name).then_some(child);
            own.into_iter().chain(all(child, name))
        })
        .collect()
}
