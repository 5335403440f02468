//! Lenient reading of the reference's documents: every instant may be a BSON date or text, every number any number, and
//! absent, null and empty mean the same (contract http-tickets 3).

use crate::domain::json::JsonObject;
use crate::domain::time::Timestamp;
use bson::{Bson, Document};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value};

/// The fields of one document; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a Document);

impl<'a> Fields<'a> {
    /// The value of a field that is there and not null.
    pub fn value(self, key: &str) -> Option<&'a Bson> {
        self.0
            .get(key)
            .filter(|value| !matches!(value, Bson::Null | Bson::Undefined))
    }

    /// Text that is not empty.
    pub fn text(self, key: &str) -> Option<&'a str> {
        self.value(key)
            .and_then(Bson::as_str)
            .filter(|text| !text.is_empty())
    }

    /// The same, owned.
    pub fn owned(self, key: &str) -> Option<String> {
        self.text(key).map(ToOwned::to_owned)
    }

    /// A whole number, however it is stored.
    pub fn whole(self, key: &str) -> Option<i64> {
        whole(self.value(key)?)
    }

    /// A truth value.
    pub fn flag(self, key: &str) -> Option<bool> {
        self.value(key).and_then(Bson::as_bool)
    }

    /// An instant.
    pub fn instant(self, key: &str) -> Option<Timestamp> {
        instant(self.value(key)?)
    }

    /// An embedded document.
    pub fn object(self, key: &str) -> Option<Fields<'a>> {
        self.value(key).and_then(Bson::as_document).map(Fields)
    }

    /// The elements of a list; none when it is no list.
    pub fn list(self, key: &str) -> &'a [Bson] {
        self.value(key)
            .and_then(Bson::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// The documents of a list.
    pub fn objects(self, key: &str) -> impl Iterator<Item = Fields<'a>> {
        self.list(key).iter().filter_map(Bson::as_document).map(Fields)
    }

    /// The texts of a list.
    pub fn texts(self, key: &str) -> Vec<String> {
        let texts = self.list(key).iter().filter_map(Bson::as_str);
        texts
            .filter(|text| !text.is_empty())
            .map(ToOwned::to_owned)
            .collect()
    }

    /// An embedded document as opaque JSON; empty when it is none.
    pub fn json(self, key: &str) -> JsonObject {
        self.object(key).map_or_else(JsonObject::new, Fields::to_json)
    }

    /// All of it as opaque JSON.
    pub fn to_json(self) -> JsonObject {
        JsonObject::from(object_of(self.0))
    }

    /// The word of an enum that is written as text.
    pub fn word<T: serde::de::DeserializeOwned>(self, key: &str) -> Option<T> {
        serde_json::from_value(Value::from(self.text(key)?)).ok()
    }
}

/// A whole number, however it is stored.
pub fn whole(value: &Bson) -> Option<i64> {
    if let Bson::Double(number) = value {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be whole and within range"
        )]
        return (number.fract() == 0.0 && number.abs() < 9e15).then_some(*number as i64);
    }
    value
        .as_i64()
        .or_else(|| value.as_i32().map(i64::from))
        .or_else(|| value.as_str()?.trim().parse().ok())
}

/// An instant as a date, or as text with or without fraction and zone; without one it is UTC.
pub fn instant(value: &Bson) -> Option<Timestamp> {
    if let Bson::DateTime(at) = value {
        return Some(Timestamp::from(*at));
    }
    let text = value.as_str()?.trim();
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Some(Timestamp::from_millis(zoned.timestamp_millis()));
    }
    let plain = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .or_else(|| {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(date.and_time(NaiveTime::MIN))
        })?;
    Some(Timestamp::from_millis(plain.and_utc().timestamp_millis()))
}

/// A stored value as JSON: dates as on the wire, object ids as their digits.
pub fn json_of(value: &Bson) -> Value {
    if let Bson::String(text) = value {
        return Value::from(text.as_str());
    }
    if let Bson::Document(inner) = value {
        return Value::Object(object_of(inner));
    }
    if let Bson::Array(list) = value {
        return Value::Array(list.iter().map(json_of).collect());
    }
    if let Bson::DateTime(at) = value {
        return Value::from(Timestamp::from(*at).to_wire());
    }
    if let Bson::Int32(number) = value {
        return Value::from(*number);
    }
    if let Bson::Int64(number) = value {
        return Value::from(*number);
    }
    if let Bson::Double(number) = value {
        return serde_json::Number::from_f64(*number).map_or(Value::Null, Value::Number);
    }
    if let Bson::Boolean(truth) = value {
        return Value::from(*truth);
    }
    if let Bson::ObjectId(id) = value {
        return Value::from(id.to_hex());
    }
    if matches!(value, Bson::Null | Bson::Undefined) {
        return Value::Null;
    }
    Value::from(value.to_string())
}

fn object_of(document: &Document) -> Map<String, Value> {
    document
        .iter()
        .map(|(key, value)| (key.clone(), json_of(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    #[test]
    fn an_instant_is_read_however_the_reference_wrote_it() {
        let at = Timestamp::from_millis(1_767_605_400_123);
        let written = [
            Bson::DateTime(at.to_bson()),
            Bson::from("2026-01-05T09:30:00.123456Z"),
            Bson::from("2026-01-05T09:30:00.123000"),
            Bson::from("2026-01-05T10:30:00.123456+01:00"),
            Bson::from("2026-01-05 09:30:00.123"),
        ];
        for value in written {
            assert_eq!(instant(&value), Some(at), "{value}");
        }
        assert_eq!(
            instant(&Bson::from("2026-01-05T09:30:00")),
            Some(Timestamp::from_millis(1_767_605_400_000))
        );
        assert_eq!(instant(&Bson::from("soon")), None);
    }

    #[test]
    fn numbers_and_nothing_are_read_leniently() {
        let document = doc! {"a": 3_i32, "b": 3_i64, "c": 3.0, "d": "3", "e": 3.5, "f": Bson::Null, "g": ""};
        let fields = Fields(&document);
        for key in ["a", "b", "c", "d"] {
            assert_eq!(fields.whole(key), Some(3), "{key}");
        }
        assert_eq!(fields.whole("e"), None);
        assert_eq!((fields.value("f"), fields.text("g")), (None, None));
    }

    #[test]
    fn values_keep_their_kind_and_order_in_json() {
        let document = doc! {"z": 5_i32, "a": [1.5, true, Bson::Null], "at": Timestamp::from_millis(0)};
        let text = serde_json::to_string(&*Fields(&document).to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"z":5,"a":[1.5,true,null],"at":"1970-01-01T00:00:00.000Z"}"#
        );
    }
}
