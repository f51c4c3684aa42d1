//! What travels from one device to others.

pub(crate) mod devices;
mod group;
pub(crate) mod message;
pub(crate) mod receipt;
