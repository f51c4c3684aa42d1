//! The rules of wapid, and its one store.
//!
//! Everything outside [`store`] and [`turns`] is pure: no I/O, no clock, no async. Time and randomness come in as
//! arguments, so a rule can be read, tested and trusted on its own.
//!
//! | module | what it decides |
//! |---|---|
//! | [`clock`] | what time it is, and how to wait for it |
//! | [`id`] | the names of things: tenants, sessions, messages, events |
//! | [`phone`] | what a caller may write in `to` |
//! | [`tenant`] | a customer account, its limits and its day |
//! | [`job`] | a bulk job, its states and what becomes of its recipients |
//! | [`pacing`] | when the next bulk message may leave |
//! | [`opt_out`] | who is not written to any more, and by which words they say so |
//! | [`key`] | what an API key looks like and how it is recognised |
//! | [`session`] | where one linked number stands, and what to do next |
//! | [`content`] | what a message says, both ways |
//! | [`media`] | what a file must be to travel as an image, a voice note and so on |
//! | [`message`] | the status of a message, which only moves forward |
//! | [`moment`] | a time as a caller writes it |
//! | [`nack`] | WhatsApp's refusals of a message, in our words |
//! | [`event`] | what happened, said once |
//! | [`endpoint`] | where a tenant's events go, which of them, and in what shape |
//! | [`delivery`] | when a delivery is tried again, and when an endpoint is left alone |
//! | [`signature`] | what a webhook request carries so that its receiver knows it is ours |
//! | [`people`] | how people are named, and what is heard of them |
//! | [`lookup`] | how often WhatsApp may be asked who is on it |
//! | [`recipient`] | a list of people to write to |
//! | [`template`] | a text with places for their fields |
//! | [`search`] | finding messages by what they say |
//! | [`seal`] | secrets at rest |
//! | [`crash`] | where a test lets the process die |
//! | [`turns`] | who may do something costly now |
//! | [`store`] | rows, on SQLite or Postgres |

pub mod clock;
pub mod content;
pub mod crash;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod id;
pub mod job;
pub mod key;
pub mod lookup;
pub mod media;
pub mod message;
pub mod moment;
pub mod nack;
pub mod opt_out;
pub mod pacing;
pub mod people;
pub mod phone;
pub mod private;
pub mod recipient;
pub mod seal;
pub mod search;
pub mod session;
pub mod signature;
pub mod store;
pub mod template;
pub mod tenant;
pub mod text;
pub mod turns;
pub mod wa_id;
