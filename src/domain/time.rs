//! Instants and the clock.
//!
//! An instant is UTC with millisecond precision, exactly what a BSON date holds, so what is decided is what is
//! stored. Nothing but [`Clock`] reads the machine's time.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// An instant in UTC, in whole milliseconds; stored as a BSON date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `millis` milliseconds after 1970-01-01T00:00:00Z.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds after 1970-01-01T00:00:00Z.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The instant as a date and time in UTC; instants no calendar can hold become the epoch.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    /// The instant as BSON keeps it.
    pub const fn to_bson(self) -> bson::DateTime {
        bson::DateTime::from_millis(self.0)
    }

    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, the only form instants have on the wire (contract http-tickets 2.2).
    pub fn to_wire(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// The instant `minutes` later, earlier for a negative number; saturating.
    #[must_use]
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes.saturating_mul(60_000)))
    }

    /// The instant `millis` milliseconds later, earlier for a negative number; saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was, negative when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::milliseconds(self.0.saturating_sub(earlier.0))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl From<bson::DateTime> for Timestamp {
    fn from(at: bson::DateTime) -> Self {
        Self(at.timestamp_millis())
    }
}

impl From<Timestamp> for bson::Bson {
    fn from(at: Timestamp) -> Self {
        Self::DateTime(at.to_bson())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_wire())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bson().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return bson::DateTime::deserialize(deserializer).map(Self::from);
        }
        // The driver's own type goes through the extended JSON form of a date, with three allocations on the way.
        let found = bson::RawBsonRef::deserialize(deserializer)?;
        let date = found.as_datetime().map(Self::from);
        date.ok_or_else(|| D::Error::custom(format!("expected a date, found {:?}", found.element_type())))
    }
}

/// Where the time comes from: the machine, or a hand that tests move.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved; clones share it.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at`.
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.millis())))
    }

    /// The current instant.
    #[expect(
        clippy::disallowed_methods,
        reason = "the clock is the one place that reads the machine's time"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from(Utc::now()),
            Self::Fixed(hand) => Timestamp::from_millis(hand.load(Ordering::SeqCst)),
        }
    }

    /// Moves a fixed clock forward by `millis`; the machine's clock is left alone.
    pub fn advance(&self, millis: i64) {
        if let Self::Fixed(hand) = self {
            hand.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn an_instant_has_milliseconds_and_a_zone_on_the_wire() {
        assert_eq!(
            Timestamp::from_millis(1_767_605_400_123).to_wire(),
            "2026-01-05T09:30:00.123Z"
        );
        assert_eq!(Timestamp::from_millis(0).to_wire(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn an_instant_survives_bson() {
        let at = Timestamp::from_millis(1_767_605_400_123);
        let stored = bson::serialize_to_bson(&at).unwrap();
        assert_eq!(stored, bson::Bson::DateTime(at.to_bson()));
        assert_eq!(bson::deserialize_from_bson::<Timestamp>(stored).unwrap(), at);
        let document = bson::serialize_to_vec(&bson::doc! {"at": at}).unwrap();
        let back: BTreeMap<String, Timestamp> = bson::deserialize_from_slice(&document).unwrap();
        assert_eq!(back["at"], at);
        let other = bson::serialize_to_vec(&bson::doc! {"at": "yesterday"}).unwrap();
        assert!(bson::deserialize_from_slice::<BTreeMap<String, Timestamp>>(&other).is_err());
    }

    #[test]
    fn an_instant_survives_the_text_of_recorded_facts() {
        let at = Timestamp::from_millis(1_767_605_400_123);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), at);
    }
}
