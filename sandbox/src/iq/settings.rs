//! Questions whose answer is the same for everyone: properties, privacy, ping.

use wacore_binary::Node;

use crate::stanza::tag;

const PRIVACY: [&str; 7] = ["last", "profile", "status", "online", "readreceipts", "groupadd", "calladd"];

/// An unknown question is answered with nothing, which no client minds.
pub(super) fn answer(namespace: &str, kind: &str, child: &str) -> Vec<Node> {
    match (namespace, kind, child) {
        ("abt" | "w", "get", "props") => vec![
            tag("props")
                .attr("protocol", "1")
                .attr("hash", "sandbox")
                .attr("refresh", "86400")
                .attr("refresh_id", "1")
                .build(),
        ],
        ("privacy", "get", "privacy") => vec![tag("privacy").children(PRIVACY.map(category)).build()],
        _ => Vec::new(),
    }
}

fn category(name: &'static str) -> Node {
    tag("category").attr("name", name).attr("value", "all").build()
}
