//! The sandbox as clients see it, with whatsapp-rust as the client.

mod support;

mod messages;
mod pairing;
