//! Instants on the wire: out always `YYYY-MM-DDTHH:MM:SS.mmmZ`, in every form of contract http-tickets 1.6.

use crate::domain::time::Timestamp;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The message of a text that is no instant.
pub(crate) const NOT_AN_INSTANT: &str = "Input should be a date or a date with time";

/// One millisecond before the end of a day, counted from its start.
const LAST_OF_DAY: i64 = 86_400_000 - 1;

/// The instant as answers show it.
pub fn wire_time(at: Timestamp) -> String {
    at.to_wire()
}

/// The instant as answers show it, if there is one.
pub fn wire_time_option(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_wire)
}

/// An instant that a request names: a date, a date with time and perhaps an offset (none means UTC), or Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestInstant {
    at: Timestamp,
    is_whole_day: bool,
}

impl RequestInstant {
    /// The instant as a lower bound: a date means its start.
    pub const fn from(self) -> Timestamp {
        self.at
    }

    /// The instant as an inclusive upper bound: a date means its end (contract http-admin-notifications 1).
    pub const fn until(self) -> Timestamp {
        if self.is_whole_day {
            self.at.plus_millis(LAST_OF_DAY)
        } else {
            self.at
        }
    }

    /// Reads `text`; `None` when it is no instant between the years 1 and 9999.
    pub fn parse(text: &str) -> Option<Self> {
        // A plus sign that was not percent-encoded arrives as a blank.
        let text = text.trim();
        if text.len() > 40 {
            return None;
        }
        let moment = |millis: i64| Self {
            at: Timestamp::from_millis(millis),
            is_whole_day: false,
        };
        let read = if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let start = date.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
            Self {
                is_whole_day: true,
                ..moment(start)
            }
        } else if let Ok(seconds) = text.parse::<i64>() {
            moment(seconds.checked_mul(1_000)?)
        } else {
            moment(date_time_millis(text)?)
        };
        let year_1 = -62_135_596_800_000;
        let year_10000 = 253_402_300_800_000;
        (year_1..year_10000).contains(&read.at.millis()).then_some(read)
    }
}

fn date_time_millis(text: &str) -> Option<i64> {
    let signed = match text.rsplit_once(' ') {
        Some((front, offset)) if front.contains('T') => format!("{front}+{offset}"),
        _ => text.replacen(' ', "T", 1),
    };
    if let Ok(at) = DateTime::parse_from_rfc3339(&signed) {
        return Some(at.timestamp_millis());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&signed, format).ok())?;
    Some(naive.and_utc().timestamp_millis())
}

impl<'de> Deserialize<'de> for RequestInstant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(NOT_AN_INSTANT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_form_is_read() {
        for (text, wire) in [
            ("2026-01-02", "2026-01-02T00:00:00.000Z"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"),
            ("2026-01-02T03:04:05 02:00", "2026-01-02T01:04:05.000Z"),
            ("2026-01-02 03:04:05", "2026-01-02T03:04:05.000Z"),
            ("1767605400", "2026-01-05T09:30:00.000Z"),
        ] {
            let read = RequestInstant::parse(text).map(|read| wire_time(read.from()));
            assert_eq!(read.as_deref(), Some(wire), "{text}");
        }
    }

    #[test]
    fn a_date_as_an_upper_bound_is_the_end_of_its_day() {
        let read = RequestInstant::parse("2026-01-02").unwrap();
        assert_eq!(wire_time(read.until()), "2026-01-02T23:59:59.999Z");
    }

    #[test]
    fn nonsense_is_no_instant() {
        for text in [
            "",
            "tomorrow",
            "2026-13-01",
            "9223372036854775807",
            "2026-01-02T25:00:00",
            "é é",
        ] {
            assert_eq!(RequestInstant::parse(text), None, "{text:?}");
        }
    }
}
