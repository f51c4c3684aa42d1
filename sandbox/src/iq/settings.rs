//! Questions whose answer is the same for everyone: properties, privacy, ping.

use wacore_binary::Node;

use super::{Answer, NOT_FOUND};
use crate::stanza::tag;

const PRIVACY: [&str; 7] = ["last", "profile", "status", "online", "readreceipts", "groupadd", "calladd"];

/// An unknown question is answered with nothing, which no client minds.
pub(super) fn answer(namespace: &str, kind: &str, child: &str) -> Answer {
    match (namespace, kind, child) {
        ("abt" | "w", "get", "props") => Ok(vec![
            tag("props")
                .attr("protocol", "1")
                .attr("hash", "sandbox")
                .attr("refresh", "86400")
                .attr("refresh_id", "1")
                .build(),
        ]),
        ("privacy", "get", "privacy") => Ok(vec![tag("privacy").children(PRIVACY.map(category)).build()]),
        // Nobody is in a group yet.
        ("w:g2", "get", "participating") => Ok(vec![tag("groups").build()]),
        ("w:g2", ..) => Err(NOT_FOUND),
        _ => Ok(Vec::new()),
    }
}

fn category(name: &'static str) -> Node {
    tag("category").attr("name", name).attr("value", "all").build()
}
