//! One connection: frames in, stanzas handled one after the other, stanzas out.
//!
//! Reading and writing share one task. Because a connection handles its stanzas in order and a
//! phone decrypts while its sender's stanza is handled, a phone sees each sender device in order.
//! A stanza goes out only when the records it depends on are committed (see `journal.rs`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tracing::{debug, info};
use wacore::net::{DisconnectReason, TransportEvent};
use wacore_binary::Node;
use wacore_noise::{NoiseCipher, framing};

use crate::account::{DeviceRef, NoiseKey};
use crate::dictionary::{self, Dictionary};
use crate::fault::Handshake;
use crate::journal::Seq;
use crate::limits;
use crate::net::Net;
use crate::noise::{self, Hello, Refused, Secured};
use crate::outbox::Class;
use crate::pair::Pairing;
use crate::stanza::{self, Read as _, tag};
use crate::{iq, login, route};

/// The most that is written in one go.
const WRITE_BYTES: usize = 32 * 1024;
/// WebSocket's code for a client that speaks another protocol.
const PROTOCOL_ERROR: u16 = 1002;

/// The two ends of a transport, whatever it is made of.
pub(crate) struct Wire {
    pub incoming: Receiver<Bytes>,
    pub outgoing: Sender<TransportEvent>,
}

pub(crate) struct Conn {
    /// The phone book the transport came with.
    pub book: Option<String>,
    pub noise_key: NoiseKey,
    /// Set by a login, once.
    pub device: OnceLock<DeviceRef>,
    pub pairing: Mutex<Option<Pairing>>,
    /// Whether the device asked for its stanzas; until then they wait in its outbox.
    pub is_ready: AtomicBool,
    /// Whether the device said that its owner is online.
    pub is_available: AtomicBool,
    is_stalled: AtomicBool,
    out: Sender<Out>,
}

enum Out {
    Stanza(Seq, Bytes),
    /// Nothing more is said, and the client shall hear what was said last.
    End,
    Close,
}

/// How a connection's writer came to its end.
#[derive(PartialEq, Eq)]
enum Ended {
    /// A last word was written.
    Said,
    Cut,
}

impl Conn {
    /// Sends what depends on no record.
    pub(crate) fn send(&self, node: &Node) {
        self.send_after(0, stanza::encode(node));
    }

    /// Sends once the journal committed `seq`.
    pub(crate) fn send_after(&self, seq: Seq, body: Bytes) {
        if self.out.len() >= limits::UNSENT_STANZAS {
            debug!("A client stopped reading; closing its connection");
            self.close();
        } else {
            // Closed means that the client is gone: the outbox keeps what must not be lost.
            let _ = self.out.try_send(Out::Stanza(seq, body));
        }
    }

    /// Says a last word and leaves it to the client to close. One that does not is closed after a while.
    ///
    /// whatsmeow forgets what it has read and not yet handled when its socket closes: a restart that it was just told of
    /// would never be.
    pub(crate) fn end(&self, last: &Node) {
        self.send(last);
        let _ = self.out.try_send(Out::End);
        self.out.close();
    }

    /// Ends the connection at once, after what was sent before.
    pub(crate) fn close(&self) {
        let _ = self.out.try_send(Out::Close);
        self.out.close();
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.out.is_closed()
    }

    /// Whether it counts as online, which also lets it see others.
    pub(crate) fn shows_itself(&self) -> bool {
        self.is_open() && self.is_ready.load(Ordering::Relaxed) && self.is_available.load(Ordering::Relaxed)
    }

    pub(crate) fn stall(&self) {
        self.is_stalled.store(true, Ordering::Relaxed);
    }

    fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(net: Arc<Net>, wire: Wire, book: Option<String>) {
    let Wire { incoming, outgoing } = wire;
    let mut frames = Frames { incoming, decoder: framing::FrameDecoder::new() };
    let secured = tokio::time::timeout(limits::HANDSHAKE, handshake(&net, &mut frames, &outgoing)).await;
    let reason = match secured {
        Ok(Ok(Some((secured, dictionary)))) => {
            run(&net, secured, dictionary, frames, &outgoing, book).await;
            DisconnectReason::StreamEnded
        }
        Ok(Ok(None)) => DisconnectReason::StreamEnded,
        Ok(Err(refused)) => {
            info!("Refused a client's connection: {refused}");
            DisconnectReason::ServerClose { code: Some(PROTOCOL_ERROR), reason: refused.to_string() }
        }
        Err(_) => {
            debug!("A client did not finish its handshake");
            DisconnectReason::StreamEnded
        }
    };
    // Waited for: it is the client's only word about what is wrong. A client that is gone has dropped its end.
    let told = outgoing.send(TransportEvent::Disconnected(reason));
    let _ = tokio::time::timeout(limits::LAST_WORD, told).await;
    outgoing.close();
}

async fn handshake(
    net: &Net,
    frames: &mut Frames,
    outgoing: &Sender<TransportEvent>,
) -> Result<Option<(Secured, Dictionary)>, Refused> {
    let Some(header) = frames.header().await? else {
        return Ok(None);
    };
    let Some(hello) = frames.next().await else {
        return Ok(None);
    };
    let answer = |frame: Vec<u8>| async move {
        let frame = framing::encode_frame(&frame, None).map_err(|_| Refused::Malformed)?;
        // A client that is gone shows in the next read.
        let _ = outgoing.send(TransportEvent::DataReceived(frame.into())).await;
        Ok(())
    };
    let secured = match noise::read_hello(&net.keys, header, &hello)? {
        Hello::Known { client_key, noise, ephemeral, payload } => {
            if !is_welcome(net, client_key, frames).await {
                return Ok(None);
            }
            let (frame, secured) = noise::answer_known(&net.keys, noise, client_key, ephemeral, &payload)?;
            answer(frame).await?;
            secured
        }
        Hello::Unknown { ephemeral } => {
            let (frame, answered) = noise::answer_unknown(&net.keys, header, ephemeral)?;
            answer(frame).await?;
            let Some(finish) = frames.next().await else {
                return Ok(None);
            };
            let secured = answered.finish(&finish)?;
            if !is_welcome(net, secured.client_key, frames).await {
                return Ok(None);
            }
            tokio::time::sleep(limits::KEY_SWITCH).await;
            secured
        }
    };
    let [.., version] = header;
    let Some(dictionary) = Dictionary::of(version) else {
        answer(seal_refusal(&secured, version)?).await?;
        frames.discard_for(limits::LAST_WORD).await;
        return Err(Refused::Dictionary(version));
    };
    Ok(Some((secured, dictionary)))
}

/// What a client hears whose dictionary nobody here knows. It is spelled out, for our words are not its words.
fn seal_refusal(secured: &Secured, version: u8) -> Result<Vec<u8>, Refused> {
    let unsupported = tag("unsupported-dictionary").attr("version", version.to_string()).build();
    let error = tag("stream:error")
        .attr("code", "405")
        .attr("text", Refused::Dictionary(version).to_string())
        .children([unsupported])
        .build();
    let sealed = secured.send.encrypt_with_counter(0, &dictionary::spell_out(&error));
    sealed.map_err(|_| Refused::Unauthentic)
}

/// Applies the handshake faults of the device that is connecting.
async fn is_welcome(net: &Net, client_key: NoiseKey, frames: &mut Frames) -> bool {
    let fault =
        net.device_by_key(&client_key).and_then(|device| device.account.state.lock().faults.handshake);
    match fault {
        None => true,
        Some(Handshake::Refuse) => false,
        Some(Handshake::Stall) => {
            frames.discard().await;
            false
        }
    }
}

async fn run(
    net: &Arc<Net>,
    secured: Secured,
    dictionary: Dictionary,
    mut frames: Frames,
    outgoing: &Sender<TransportEvent>,
    book: Option<String>,
) {
    let Secured { receive, send, client_key, payload } = secured;
    let (out, unsent) = async_channel::unbounded();
    let conn = Arc::new(Conn {
        book,
        noise_key: client_key,
        device: OnceLock::new(),
        pairing: Mutex::new(None),
        is_ready: AtomicBool::new(false),
        is_available: AtomicBool::new(false),
        is_stalled: AtomicBool::new(false),
        out,
    });
    login::open(net, &conn, &payload);
    drop(payload);
    let ended = tokio::select! {
        ended = write(net, &conn, (send, dictionary), unsent, outgoing) => ended,
        () = read(net, &conn, (receive, dictionary), &mut frames) => Ended::Cut,
    };
    conn.out.close();
    // Whoever was told to go is gone for everybody else, whenever the socket closes.
    login::closed(net, &conn);
    if ended == Ended::Said {
        frames.discard_for(limits::LAST_WORD).await;
    }
}

async fn read(
    net: &Arc<Net>,
    conn: &Arc<Conn>,
    (cipher, dictionary): (NoiseCipher, Dictionary),
    frames: &mut Frames,
) {
    let mut counter = 0;
    while let Some(mut frame) = frames.next().await {
        if conn.is_stalled() {
            // The bytes are taken, as a kernel would take them, and nothing comes of them.
            continue;
        }
        if cipher.decrypt_in_place_with_counter(counter, &mut frame).is_err() {
            return;
        }
        counter += 1;
        let Some(node) = dictionary.read(&frame) else {
            return;
        };
        drop(frame);
        handle(net, conn, node).await;
        net.journal.room().await;
    }
}

async fn handle(net: &Arc<Net>, conn: &Arc<Conn>, node: Node) {
    let device = conn.device.get();
    match (&*node.tag, device) {
        ("iq", _) => iq::handle(net, conn, &node).await,
        ("message", Some(device)) => route::message::handle(net, conn, device, &node).await,
        ("receipt", Some(device)) => route::receipt::handle(net, conn, device, &node).await,
        ("ack", Some(device)) => {
            if let Some(class) = node.text("class").and_then(|class| Class::of(&class)) {
                net.acknowledge(device, class, &node.text("id").unwrap_or_default());
            }
        }
        ("presence", Some(device)) => route::presence::handle(net, conn, device, &node),
        ("chatstate", Some(device)) => route::chatstate::handle(net, device, &node),
        // `ib` needs no answer.
        _ => {}
    }
}

async fn write(
    net: &Net,
    conn: &Conn,
    (cipher, dictionary): (NoiseCipher, Dictionary),
    unsent: Receiver<Out>,
    outgoing: &Sender<TransportEvent>,
) -> Ended {
    let mut counter = 0;
    let mut buffer = BytesMut::new();
    let mut next = unsent.recv().await.ok();
    while let Some(Out::Stanza(seq, body)) = next {
        net.journal.committed(seq).await;
        if conn.is_stalled() {
            return std::future::pending().await;
        }
        let sealed = cipher
            .encrypt_with_counter(counter, &dictionary.write(body))
            .map_err(anyhow::Error::from)
            .and_then(|sealed| framing::append_frame_into(&sealed, None, &mut buffer));
        counter += 1;
        if sealed.is_err() {
            return Ended::Cut;
        }
        // What is ready now leaves in the same write.
        next = unsent.try_recv().ok();
        let is_full = buffer.len() >= WRITE_BYTES;
        let must_wait = matches!(&next, Some(Out::Stanza(seq, _)) if !net.journal.has_committed(*seq));
        if is_full || must_wait || !matches!(next, Some(Out::Stanza(..))) {
            let bytes = std::mem::take(&mut buffer).freeze();
            if outgoing.send(TransportEvent::DataReceived(bytes)).await.is_err() {
                return Ended::Cut;
            }
        }
        if next.is_none() {
            next = unsent.recv().await.ok();
        }
    }
    if conn.is_stalled() {
        std::future::pending::<()>().await;
    }
    if matches!(next, Some(Out::End)) { Ended::Said } else { Ended::Cut }
}

struct Frames {
    incoming: Receiver<Bytes>,
    decoder: framing::FrameDecoder,
}

impl Frames {
    async fn header(&mut self) -> Result<Option<[u8; 4]>, Refused> {
        let mut head = BytesMut::new();
        loop {
            if let Some(header) = noise::take_header(&mut head)? {
                self.decoder.feed(&head);
                return Ok(Some(header));
            }
            if head.len() > limits::FRAME_BYTES {
                return Err(Refused::Header);
            }
            match self.incoming.recv().await {
                Ok(bytes) => head.extend_from_slice(&bytes),
                Err(_) => return Ok(None),
            }
        }
    }

    /// The next frame; `None` when the client is gone or announces more than it may.
    async fn next(&mut self) -> Option<BytesMut> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Some(frame);
            }
            if self.decoder.buffered_len() > limits::FRAME_BYTES {
                return None;
            }
            self.decoder.feed(&self.incoming.recv().await.ok()?);
        }
    }

    /// Takes bytes until the client gives up.
    async fn discard(&mut self) {
        while self.incoming.recv().await.is_ok() {}
    }

    /// The same, until the time is up.
    async fn discard_for(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, self.discard()).await;
    }
}
