//! Durable wake-ups: "look at key K, not before T".
//!
//! Rows elsewhere are the truth; what is here only wakes. Losing all of it costs the time until the next
//! sweep of those rows, and nothing else. Each process has a queue of its own, because it alone holds the
//! sockets of its sessions; who knows that another process should look puts the wake-up into that one's.
//!
//! | file | what |
//! |---|---|
//! | `wakeups` | the front: wake, run, stop |
//! | `later` | what is not due yet: a sorted set on Redis, a table on SQLite; each key once, its earliest time |
//! | `promoter` | moves what is due from there to the queue, a bounded number at a time |
//! | `queue` | the queue that executes; the only file that names apalis |
//! | `worker` | keeps a worker at work on it, and takes back what the last one held |
//! | `server` | the way to Redis |
//! | `trouble` | says once when something fails, and once when it works again |
//!
//! apalis 1.0 does not hold what is due later itself: its Redis backend moves everything that is due in
//! one script, which fails for ever beyond 8,000, and it counts in whole seconds.

mod later;
mod promoter;
mod queue;
mod server;
mod trouble;
mod wakeups;
mod worker;

pub use wakeups::{KEY_MAX, Queue, Running, Wakeups};
