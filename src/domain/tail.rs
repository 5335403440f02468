//! The tail of a ticket's document: what its newest commands caused and the relay has not carried on yet.
//!
//! Invariant: an entry's key is unique for ever and says where it comes from, `<ticket>:<seq>:<n>`: the ticket's
//! version after the command, and the entry's place within the command, 0 being the recorded command itself. Every
//! target of the relay uses the key to make its repeat harmless.

use super::audit::AuditEvent;
use super::effect::Effect;
use super::id::{AuditEventId, TicketId};
use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The stable key of a tail entry: `<ticket>:<seq>:<n>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StableKey {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The ticket's version after the command.
    pub seq: i64,
    /// The entry's place within the command.
    pub n: i64,
}

/// The text is not a stable key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the key of a tail entry")]
pub struct MalformedKey;

impl StableKey {
    /// The public id of the audit event with this key.
    pub fn audit_event_id(&self) -> AuditEventId {
        AuditEventId::derived(&self.to_string())
    }
}

impl fmt::Display for StableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.ticket_id, self.seq, self.n)
    }
}

impl TryFrom<&str> for StableKey {
    type Error = MalformedKey;

    fn try_from(text: &str) -> Result<Self, MalformedKey> {
        let mut parts = text.split(':');
        let (Some(ticket), Some(seq), Some(n), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MalformedKey);
        };
        Ok(Self {
            ticket_id: TicketId::try_from(ticket.to_owned()).map_err(|_| MalformedKey)?,
            seq: seq.parse().map_err(|_| MalformedKey)?,
            n: n.parse().map_err(|_| MalformedKey)?,
        })
    }
}

impl Serialize for StableKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StableKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::try_from(text.as_str()).map_err(serde::de::Error::custom)
    }
}

/// One entry of the tail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TailEntry {
    /// Its key.
    pub key: StableKey,
    /// When its command took effect.
    pub at: Timestamp,
    /// The correlation id of the request that caused it.
    pub correlation_id: String,
    /// What it is.
    pub item: TailItem,
}

/// What a tail entry is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TailItem {
    /// The command itself, with the facts it was decided on.
    Command(Box<RecordedCommand>),
    /// Something that happened.
    Audit(Box<AuditEvent>),
    /// Something that must follow.
    Effect(Box<Effect>),
}

/// A command as recorded, from which the ticket can be built again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedCommand {
    /// The key under which it was committed, see [`RecentKey::key`].
    pub key: String,
    /// The fingerprint of the request's body.
    pub fingerprint: String,
    /// The id of what it created.
    pub created: Option<String>,
    /// The command, as JSON text.
    pub command: String,
    /// The facts it was decided on, as JSON text.
    pub facts: String,
}

/// What a ticket remembers of one of its newest commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentKey {
    /// A hash of person, route and the client's idempotency key, or a key drawn on arrival.
    pub key: String,
    /// The fingerprint of the request's body.
    pub fingerprint: String,
    /// The id of what the command created.
    pub created: Option<String>,
    /// The ticket's version after the command.
    pub seq: i64,
    /// When it took effect.
    pub at: Timestamp,
    /// A word of the very write that committed it: the same command may be under way in another process as well, which
    /// decides it at another moment and commits it under the same key.
    #[serde(default)]
    pub attempt: String,
}

/// How many of its newest commands a ticket remembers.
pub const RECENT_KEYS: usize = 256;

/// How many entries a tail may hold before the next command waits for the relay.
pub const TAIL_ENTRIES: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = StableKey {
            ticket_id: TicketId::derived("t"),
            seq: 12,
            n: 3,
        };
        assert_eq!(StableKey::try_from(key.to_string().as_str()), Ok(key));
        for text in [
            "",
            "TKT-0123456789ab:1",
            "TKT-0123456789ab:1:x",
            "X:1:2",
            "TKT-0123456789ab:1:2:3",
        ] {
            assert!(StableKey::try_from(text).is_err(), "{text}");
        }
    }
}
