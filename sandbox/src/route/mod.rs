//! What travels from one device to others.

pub(crate) mod devices;
pub(crate) mod message;
pub(crate) mod receipt;
