//! What travels from one device to others.

pub(crate) mod call;
pub(crate) mod chatstate;
pub(crate) mod devices;
mod group;
pub(crate) mod message;
pub(crate) mod presence;
pub(crate) mod profile;
pub(crate) mod receipt;
