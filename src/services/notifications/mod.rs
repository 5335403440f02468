//! Mail and the bell: what becomes of a notice once the relay has stored it.

pub mod breaker;
pub mod compose;
pub mod outbox_drain;
pub mod transport;
