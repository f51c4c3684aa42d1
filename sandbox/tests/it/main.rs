//! The sandbox as clients see it, with whatsapp-rust as the client.

mod support;

mod access;
mod books;
mod changes;
mod control;
mod crash;
mod delivery;
mod faults;
mod groups;
mod health;
mod hidden;
mod kinds;
mod lookups;
mod measure;
mod media;
mod messages;
mod other_clients;
mod pairing;
mod people;
mod raw;
mod retries;
mod trust;
mod uploads;
