//! The beginning and the end of a connection: who it is, and whether it may stay.
//!
//! A client that is not registered shows it by pairing data (XX) or by the placeholder user `0`
//! (IK, research/sandbox-protocol.md section 3); it is offered codes. Everyone else is found by
//! their Noise key, which no two devices share.

use std::sync::Arc;

use tracing::debug;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use crate::account::DeviceRef;
use crate::conn::Conn;
use crate::fault::Refusal;
use crate::net::Net;
use crate::pair;
use crate::route::presence;
use crate::stanza::{now, tag};

pub(crate) fn open(net: &Arc<Net>, conn: &Arc<Conn>, payload: &wa::ClientPayload) {
    let user = payload.username.unwrap_or_default();
    if payload.device_pairing_data.is_set() || user == 0 {
        pair::offer(net, conn, payload);
        return;
    }
    let device = net.device_by_key(&conn.noise_key).filter(|device| {
        device.account.phone == user.to_string() && u32::from(device.id) == payload.device.unwrap_or_default()
    });
    match device {
        Some(device) => attach(conn, device),
        None => refuse(conn, &failure(401, None)),
    }
}

fn attach(conn: &Arc<Conn>, device: DeviceRef) {
    let mut state = device.account.state.lock();
    if let Some(refusal) = state.faults.refuse_login() {
        refuse(conn, &failure(refusal.reason, Some(refusal)));
        return;
    }
    let Some(entry) = state.devices.get_mut(&device.id) else {
        refuse(conn, &failure(401, None));
        return;
    };
    if let Some(older) = entry.connection.replace(Arc::clone(conn)) {
        older.end(&replaced());
    }
    drop(state);
    conn.send(
        &tag("success")
            .attr("t", now())
            .attr("lid", Jid::lid_device(device.account.lid.as_str(), device.id))
            .attr("props", "27")
            .attr("companion_enc_static", "")
            .attr("abprops", "0")
            .attr("location", "frc")
            .attr("creation", now())
            .build(),
    );
    debug!(device.id = device.id, "A linked device connected");
    // Nobody else sets it: a connection logs in once, here.
    let _ = conn.device.set(device);
}

pub(crate) fn closed(net: &Net, conn: &Arc<Conn>) {
    if let Some(device) = conn.device.get() {
        presence::change(&device.account, |state| {
            if let Some(entry) = state.devices.get_mut(&device.id)
                && entry.connection.as_ref().is_some_and(|current| Arc::ptr_eq(current, conn))
            {
                entry.connection = None;
            }
        });
    }
    if let Some(pairing) = conn.pairing.lock().take() {
        pairing.withdraw(net);
    }
}

fn refuse(conn: &Conn, failure: &Node) {
    conn.end(failure);
}

/// wacore 0.7.0, src/stanza/connect_failure.rs: `expire` is a duration in seconds.
fn failure(reason: u16, refusal: Option<Refusal>) -> Node {
    let mut failure = tag("failure").attr("reason", reason.to_string()).attr("location", "frc");
    if let Some(ban) = refusal.and_then(|refusal| refusal.ban) {
        failure = failure.attr("code", ban.code.to_string()).attr("expire", ban.expire.to_string());
    }
    failure.build()
}

/// What the older of two connections of one device hears.
pub(crate) fn replaced() -> Node {
    tag("stream:error").children([tag("conflict").attr("type", "replaced").build()]).build()
}
