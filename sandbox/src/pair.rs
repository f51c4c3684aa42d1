//! Linking a device by QR code, and the end of every linking.
//!
//! whatsapp-rust 0.7.0, src/pair.rs: the network offers six refs, the client shows them one after
//! the other (the first for 60 seconds, the others for 20) with its keys and a secret; the phone
//! signs the keys, the device counter-signs and the stream restarts. Refs live as long as their
//! connection.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use tracing::{debug, info};
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use crate::account::{Account, Device, DeviceRecord, DeviceRef};
use crate::conn::Conn;
use crate::error::SandboxError;
use crate::limits;
use crate::net::Net;
use crate::phone::keys::Bundle;
use crate::route::devices;
use crate::stanza::{self, Read as _, leaf, now, server, tag};

const REFS: usize = 6;

/// whatsapp-rust 0.7.0 answers `pair-success` and only then notes that a disconnect is expected
/// (`handle_pair_success`). A restart in between costs it a reconnect and its first key upload, and
/// it says nothing by which the end of that moment could be known.
const SETTLE_BEFORE_RESTART: Duration = Duration::from_millis(100);

/// A connection that may become a device.
pub(crate) struct Pairing {
    refs: Vec<String>,
    /// The keys a client registers with; one that pinned our key uploads them later.
    bundle: Option<Bundle>,
    platform: String,
    awaiting: Option<Awaiting>,
}

impl Pairing {
    /// Its codes are no longer valid.
    pub(crate) fn withdraw(&self, net: &Net) {
        let mut shown = net.refs.lock();
        for text in &self.refs {
            shown.remove(text);
        }
    }
}

/// `pair-success` was sent and the device must counter-sign.
struct Awaiting {
    iq: String,
    device: DeviceRef,
    key_index: u32,
}

/// What a phone reads from a QR code.
struct Scanned<'a> {
    text: &'a str,
    noise_key: [u8; 32],
    identity: [u8; 32],
    adv_secret: Vec<u8>,
}

pub(crate) fn offer(net: &Net, conn: &Arc<Conn>, payload: &wa::ClientPayload) {
    let refs: Vec<String> =
        (0..REFS).map(|_| format!("2@{}", BASE64.encode(rand::random::<[u8; 36]>()))).collect();
    let offer = tag("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", net.stanza_id())
        .attr("xmlns", "md")
        .children([tag("pair-device").children(refs.iter().map(|text| leaf("ref", text.as_bytes()))).build()])
        .build();
    {
        let mut shown = net.refs.lock();
        for text in &refs {
            shown.insert(text.clone(), Arc::clone(conn));
        }
    }
    let registration = payload.device_pairing_data.as_option();
    *conn.pairing.lock() = Some(Pairing {
        refs,
        bundle: registration.and_then(registered_bundle),
        platform: registration.map_or_else(|| "unknown".to_owned(), platform),
        awaiting: None,
    });
    conn.send(&offer);
}

fn registered_bundle(data: &wa::client_payload::DevicePairingRegistrationData) -> Option<Bundle> {
    Some(Bundle {
        registration: stanza::number(data.e_regid.as_deref()?),
        identity: stanza::key(data.e_ident.as_deref()?)?,
        signed_id: stanza::number(data.e_skey_id.as_deref()?),
        signed: stanza::key(data.e_skey_val.as_deref()?)?,
        signature: data.e_skey_sig.clone()?,
    })
}

fn platform(data: &wa::client_payload::DevicePairingRegistrationData) -> String {
    use buffa::Message as _;
    data.device_props
        .as_deref()
        .and_then(|props| wa::DeviceProps::decode_from_slice(props).ok())
        .and_then(|props| props.os)
        .map_or_else(|| "unknown".to_owned(), |os| os.chars().take(limits::NAME_BYTES).collect())
}

/// The phone scans what the client shows.
pub(crate) fn scan(net: &Arc<Net>, phone: &Arc<Account>, qr: &str) -> Result<(), SandboxError> {
    let scanned = parse(qr).ok_or(SandboxError::QrNotValid)?;
    let conn = net.refs.lock().get(scanned.text).cloned().ok_or(SandboxError::QrNotValid)?;
    let is_same_book = conn.book.as_ref().is_none_or(|book| *book == phone.book);
    if conn.noise_key != scanned.noise_key || !is_same_book {
        return Err(SandboxError::QrNotValid);
    }
    if phone.state.lock().faults.asks_passkey() {
        conn.send(&passkey_request(net));
        return Ok(());
    }
    link(net, &conn, phone, &scanned.adv_secret, &scanned.identity)
}

fn parse(qr: &str) -> Option<Scanned<'_>> {
    // The newer form is a link with the old one as its fragment.
    let body = qr.trim().rsplit_once('#').map_or(qr.trim(), |(_, body)| body);
    let mut fields = body.split(',');
    let text = fields.next()?;
    let mut bytes = || BASE64.decode(fields.next()?).ok();
    Some(Scanned {
        text,
        noise_key: stanza::key(&bytes()?)?,
        identity: stanza::key(&bytes()?)?,
        adv_secret: bytes()?,
    })
}

/// Tells the client that it is a device of this phone now, if it counter-signs.
pub(crate) fn link(
    net: &Arc<Net>,
    conn: &Arc<Conn>,
    phone: &Arc<Account>,
    adv_secret: &[u8],
    identity: &[u8; 32],
) -> Result<(), SandboxError> {
    let mut pairing = conn.pairing.lock();
    let pairing =
        pairing.as_mut().filter(|pairing| pairing.awaiting.is_none()).ok_or(SandboxError::QrNotValid)?;
    let id = {
        let mut state = phone.state.lock();
        if state.devices.len() >= limits::DEVICES_PER_PHONE {
            return Err(SandboxError::LimitReached("the devices of this phone".into()));
        }
        let id = state.next_device;
        state.next_device =
            id.checked_add(1).ok_or_else(|| SandboxError::LimitReached("device numbers".into()))?;
        let mut batch = net.journal.batch();
        phone.save(&state, &mut batch);
        net.journal.append(batch);
        id
    };
    let key_index = u32::from(id);
    let iq = net.stanza_id();
    let success = tag("iq")
        .attr("from", server())
        .attr("type", "set")
        .attr("id", iq.as_str())
        .attr("t", now())
        .attr("xmlns", "md")
        .children([tag("pair-success")
            .children([
                leaf("device-identity", phone.keys().sign_device(adv_secret, identity, key_index)),
                tag("biz").attr("name", "").build(),
                tag("platform").attr("name", "android").build(),
                tag("device")
                    .attr("jid", Jid::pn_device(phone.phone.as_str(), id))
                    .attr("lid", Jid::lid_device(phone.lid.as_str(), id))
                    .build(),
            ])
            .build()])
        .build();
    pairing.awaiting = Some(Awaiting {
        iq,
        device: DeviceRef { account: Arc::clone(phone), id, noise_key: conn.noise_key },
        key_index,
    });
    conn.send(&success);
    Ok(())
}

/// The client's answer to one of our IQs: the only one that matters is the counter-signature.
pub(crate) fn answered(net: &Arc<Net>, conn: &Arc<Conn>, node: &Node) {
    let mut guard = conn.pairing.lock();
    let Some(pairing) = guard.as_mut() else {
        return;
    };
    let is_ours = |awaiting: &mut Awaiting| node.text("id").is_some_and(|id| id == awaiting.iq);
    let Some(awaiting) = pairing.awaiting.take_if(is_ours) else {
        return;
    };
    let signed = node
        .get_optional_child("pair-device-sign")
        .map(|sign| sign.content_of("device-identity").to_vec())
        .filter(|signed| !signed.is_empty());
    let Some(signed_identity) = signed else {
        debug!("A client refused to be linked");
        return;
    };
    // The codes of this connection are used up: it is a device now.
    let Some(pairing) = guard.take() else { return };
    drop(guard);
    pairing.withdraw(net);
    let record = DeviceRecord {
        key_index: awaiting.key_index,
        noise_key: conn.noise_key,
        platform: pairing.platform,
        signed_identity,
        bundle: pairing.bundle,
        taken: 0,
        is_welcomed: false,
    };
    add_device(net, &awaiting.device, Device::new(record));
    restart_soon(net, conn);
}

fn add_device(net: &Arc<Net>, added: &DeviceRef, device: Device) {
    let DeviceRef { account, id, .. } = added;
    let key_index = device.key_index;
    // A key that was linked before (a client that kept its keys) leaves its older device.
    if let Some(older) = net.device_by_key(&device.noise_key) {
        devices::remove(net, &older);
    }
    net.index_device(device.noise_key, added.clone());
    {
        let mut state = account.state.lock();
        let mut batch = net.journal.batch();
        account.save_device(*id, &device, &mut batch);
        account.begin_app_state(&mut state, &mut batch);
        state.devices.insert(*id, device);
        net.journal.append(batch);
    }
    info!(device.id = id, "Linked a device");
    devices::announce_added(net, account, *id, key_index);
}

fn restart_soon(net: &Arc<Net>, conn: &Arc<Conn>) {
    let (net, conn) = (Arc::clone(net), Arc::clone(conn));
    tokio::spawn(async move {
        tokio::time::sleep(SETTLE_BEFORE_RESTART).await;
        net.journal.settled().await;
        conn.end(&tag("stream:error").attr("code", "515").build());
    });
}

/// whatsapp-rust 0.7.0, src/passkey/flow.rs: the options are those of `navigator.credentials.get`.
/// Nobody answers the assertion here, so the client stays where a person would have to act.
fn passkey_request(net: &Net) -> Node {
    let challenge = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let options = format!(
        r#"{{"challenge":"{challenge}","timeout":60000,"rpId":"web.whatsapp.com","allowCredentials":[],"userVerification":"preferred"}}"#
    );
    tag("notification")
        .attr("from", server())
        .attr("type", "passkey_prologue_request")
        .attr("id", net.stanza_id())
        .attr("t", now())
        .children([leaf("passkey_request_options", options)])
        .build()
}
