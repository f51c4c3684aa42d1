//! Pictures and about texts: what a device sets for its own account and asks of others.
//!
//! Shapes: wacore 0.7.0, src/iq/contacts.rs and src/iq/profile.rs.

use std::sync::Arc;

use wacore_binary::Node;

use super::{Answer, BAD_REQUEST, NOT_FOUND, Refusal};
use crate::account::DeviceRef;
use crate::limits;
use crate::net::Net;
use crate::picture::{self, Picture, Size};
use crate::route::profile;
use crate::stanza::{Read as _, tag};

const NOT_ACCEPTABLE: Refusal = Refusal("406", "not-acceptable");
const FORBIDDEN: Refusal = Refusal("403", "forbidden");

pub(super) fn picture(net: &Net, asker: &DeviceRef, iq: &Node, question: Option<&Node>) -> Answer {
    let target = iq.jid("target").ok_or(BAD_REQUEST)?;
    let owner = net.resolve(&asker.account.book, &target).ok_or(NOT_FOUND)?;
    let kind = question.and_then(|question| question.text("type"));
    let (size, kind) = match kind.as_deref() {
        Some("preview") => (Size::Preview, "preview"),
        _ => (Size::Full, "image"),
    };
    let state = owner.state.lock();
    if state.person.profile.blocked.contains_key(&asker.account.phone) {
        return Err(NOT_FOUND);
    }
    let id = state.person.picture.as_ref().map(|picture| picture.id).ok_or(NOT_FOUND)?;
    let path = picture::path(&owner.book, &owner.phone, id, size);
    Ok(vec![
        tag("picture")
            .attr("id", id.to_string())
            .attr("type", kind)
            .attr("url", picture::url(&owner.book, &owner.phone, id, size))
            .attr("direct_path", format!("/{path}"))
            .build(),
    ])
}

/// Without a picture in it, the question removes the one there is.
pub(super) async fn set_picture(net: &Arc<Net>, device: &DeviceRef, iq: &Node) -> Answer {
    let own = &device.account;
    if let Some(target) = iq.jid("target")
        && net.resolve(&own.book, &target).is_none_or(|target| !Arc::ptr_eq(&target, own))
    {
        return Err(FORBIDDEN);
    }
    let Some(bytes) = iq.get_optional_child("picture").map(|picture| picture.content().to_vec()) else {
        profile::set_picture(net, own, None, Some(device.id));
        return Ok(Vec::new());
    };
    let id = profile::next_picture_id(own);
    let made = tokio::task::spawn_blocking(move || Picture::new(id, bytes)).await;
    let Ok(Ok(picture)) = made else { return Err(NOT_ACCEPTABLE) };
    profile::set_picture(net, own, Some(picture), Some(device.id));
    Ok(vec![tag("picture").attr("id", id.to_string()).build()])
}

pub(super) fn set_about(net: &Net, device: &DeviceRef, status: Option<&Node>) -> Answer {
    let about = std::str::from_utf8(status.ok_or(BAD_REQUEST)?.content()).map_err(|_| BAD_REQUEST)?;
    set_about_text(net, device, about)?;
    Ok(Vec::new())
}

pub(super) fn set_about_text(net: &Net, device: &DeviceRef, about: &str) -> Result<(), Refusal> {
    if about.len() > limits::ABOUT_BYTES {
        return Err(NOT_ACCEPTABLE);
    }
    profile::set_about(net, &device.account, about, Some(device.id));
    Ok(())
}
