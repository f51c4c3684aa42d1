//! Where the media host is, and a pass to it.
//!
//! Shape: wacore 0.7.0, src/iq/mediaconn.rs.

use wacore_binary::Node;

use crate::account::DeviceRef;
use crate::limits;
use crate::media::PASS_SECONDS;
use crate::net::Net;
use crate::stanza::tag;

/// How long a client may go without asking again, in seconds. WhatsApp says five minutes.
const SECONDS: u64 = 300;

pub(super) fn connection(net: &Net, device: &DeviceRef) -> Node {
    let account = &device.account;
    let host = tag("host")
        .attr("hostname", net.media.host())
        .attr("type", "primary")
        // Baileys reads it; it says nothing of it to the application.
        .attr("maxContentLengthBytes", limits::BLOB_BYTES)
        .children([tag("upload").build(), tag("download").build()])
        .build();
    tag("media_conn")
        .attr("auth", net.media.pass(&account.book, &account.phone))
        .attr("ttl", SECONDS)
        .attr("auth_ttl", PASS_SECONDS)
        .attr("max_buckets", "12")
        .children([host])
        .build()
}
