//! A phone rings others: the offer of a call, and nothing after it.
//!
//! Enough for a client to say that somebody calls; nobody can answer, and no media flows. Shapes: wacore
//! 0.7.0, src/stanza/call.rs.

use wacore_binary::Jid;

use crate::account::Account;
use crate::net::Net;
use crate::stanza::{now, tag};

/// Rings every device of `to`; a device that is away finds the offer in its queue, as a missed call.
pub(crate) fn offer(net: &Net, from: &Account, to: &Account, is_video: bool) -> String {
    let call_id = hex::encode_upper(rand::random::<[u8; 16]>());
    if to.has_blocked(from) {
        return call_id;
    }
    let caller = Jid::lid(from.lid.as_str());
    let audio = ["8000", "16000"].map(|rate| tag("audio").attr("enc", "opus").attr("rate", rate).build());
    let video = is_video.then(|| tag("video").attr("enc", "vp8").build());
    let mut offer = tag("offer").attr("call-id", call_id.as_str()).attr("call-creator", caller.clone());
    if !from.hides_from(to) {
        offer = offer.attr("caller_pn", Jid::pn(from.phone.as_str()));
    }
    let offer = offer.children(audio.into_iter().chain(video)).build();
    let name = from.state.lock().name.clone();
    let call = tag("call")
        .attr("from", caller)
        .attr("id", net.stanza_id())
        .attr("t", now())
        .attr("notify", name)
        .children([offer])
        .build();
    net.push_to_all(to, None, &call, net.journal.batch());
    call_id
}
