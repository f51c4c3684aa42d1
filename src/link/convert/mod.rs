//! Our content to and from WhatsApp's protobuf. Pure.

mod from_wire;
mod to_wire;

pub use from_wire::{Heard, Own, SealedVote, from_wire, named, timer};
pub use to_wire::to_wire;

#[cfg(test)]
mod tests;
