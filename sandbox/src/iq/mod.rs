//! Questions of a client and their answers: which file answers which namespace.
//!
//! An unknown question gets an empty result: that was enough for every client tried
//! (research/sandbox-protocol.md, section 2), and an unanswered one would hold a client for a
//! minute.

mod appstate;
pub(crate) mod blocklist;
mod groups;
mod keys;
mod media;
mod mex;
mod profile;
mod settings;
mod usync;

use std::sync::Arc;

use wacore_binary::{Jid, Node};

use crate::account::DeviceRef;
use crate::conn::Conn;
use crate::net::{Net, device_removed};
use crate::phone::welcome;
use crate::route::devices;
use crate::stanza::{Read as _, now, server, tag};
use crate::{code, pair};

/// A refusal: WhatsApp's code and its text.
pub(super) struct Refusal(&'static str, &'static str);

pub(super) const NOT_FOUND: Refusal = Refusal("404", "item-not-found");
pub(super) const BAD_REQUEST: Refusal = Refusal("400", "bad-request");
pub(super) const TOO_MANY: Refusal = Refusal("429", "rate-overlimit");

pub(super) type Answer = Result<Vec<Node>, Refusal>;

pub(crate) async fn handle(net: &Arc<Net>, conn: &Arc<Conn>, iq: &Node) {
    let kind = iq.text("type").unwrap_or_default();
    if kind == "result" || kind == "error" {
        pair::answered(net, conn, iq);
        return;
    }
    match conn.device.get() {
        Some(device) => of_device(net, conn, device, iq, &kind).await,
        None => of_stranger(net, conn, iq),
    }
}

/// Before it is linked a client may only ping and ask for a code.
fn of_stranger(net: &Arc<Net>, conn: &Arc<Conn>, iq: &Node) {
    let Some(request) = iq.get_optional_child("link_code_companion_reg") else {
        respond(conn, iq, Ok(Vec::new()));
        return;
    };
    if request.text("stage").is_some_and(|stage| stage == "companion_hello") {
        let hello = code::hello(net, conn, request);
        respond(conn, iq, hello.map(|hello| vec![hello]).ok_or(BAD_REQUEST));
    } else {
        // The companion learns of a wrong code by nothing happening, as from WhatsApp.
        let finished = code::finish(net, conn, request);
        respond(conn, iq, Ok(Vec::new()));
        if let Some(finished) = finished {
            finished.link(net, conn);
        }
    }
}

async fn of_device(net: &Arc<Net>, conn: &Arc<Conn>, device: &DeviceRef, iq: &Node, kind: &str) {
    let namespace = iq.text("xmlns").unwrap_or_default();
    let child = iq.nodes().first();
    let name = child.map_or("", |child| &*child.tag);
    let answer = match (&*namespace, kind, name) {
        ("encrypt", "get", "count") => Ok(keys::count(device)),
        ("encrypt", "get", "digest") => keys::digest(device),
        ("encrypt", "get", "key") => Ok(keys::bundles(net, device, child.map_or(&[], |child| child.nodes()))),
        ("encrypt", "set", "rotate") => keys::rotate(net, device, iq),
        ("encrypt", "set", _) => keys::upload(net, device, iq),
        ("w:mex", "get", "query") => Ok(vec![mex::answer(net, device, child)]),
        ("blocklist", "get", _) => Ok(blocklist::list(net, device)),
        ("blocklist", "set", "item") => blocklist::update(net, device, child),
        ("status", "set", "status") => profile::set_about(net, device, child),
        ("w:profile:picture", "get", _) => profile::picture(net, device, iq, child),
        ("w:profile:picture", "set", _) => profile::set_picture(net, device, iq).await,
        ("usync", ..) => usync::answer(net, device, child),
        ("w:m", _, "media_conn") => Ok(vec![media::connection(net, device)]),
        ("w:sync:app:state", ..) => Ok(appstate::sync(net, device, child.map_or(&[], |child| child.nodes()))),
        ("w:g2", ..) => groups::answer(net, device, iq, kind, child),
        ("md", "set", "remove-companion-device") => {
            respond(conn, iq, Ok(Vec::new()));
            conn.end(&device_removed());
            devices::remove(net, device);
            return;
        }
        _ => Ok(settings::answer(&namespace, kind, name)),
    };
    let is_upload = &*namespace == "encrypt" && kind == "set" && answer.is_ok();
    respond_after(net, conn, iq, answer);
    if &*namespace == "passive" && name == "active" {
        net.flush(conn, device);
    }
    if is_upload {
        welcome::greet(net, device).await;
    }
}

fn respond(conn: &Conn, iq: &Node, answer: Answer) {
    conn.send(&response(iq, answer));
}

/// An answer that says something was kept must not outrun the record of it.
fn respond_after(net: &Net, conn: &Conn, iq: &Node, answer: Answer) {
    let seq = net.journal.append(net.journal.batch());
    conn.send_after(seq, crate::stanza::encode(&response(iq, answer)));
}

fn response(iq: &Node, answer: Answer) -> Node {
    let from: Jid = iq.jid("to").unwrap_or_else(server);
    let response = tag("iq").attr("from", from).attr("id", iq.text("id").unwrap_or_default().into_owned());
    match answer {
        Ok(children) if children.is_empty() => response.attr("type", "result").attr("t", now()).build(),
        Ok(children) => response.attr("type", "result").attr("t", now()).children(children).build(),
        Err(Refusal(code, text)) => response
            .attr("type", "error")
            .children([tag("error").attr("code", code).attr("text", text).build()])
            .build(),
    }
}
