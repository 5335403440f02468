//! Opaque JSON that people and designers write: form values, drafts, output values, definitions.
//!
//! MongoDB keeps such an object as one string of JSON text. So key order, keys with dots, dollar signs or NUL and
//! deep nesting all come back as they were, and none of them can make a write fail.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// An ordered JSON object whose content this service does not interpret; stored as JSON text. A clone is another handle
/// to the same object until one of them is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonObject(Arc<Map<String, Value>>);

impl JsonObject {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// The object as a JSON value.
    pub fn to_value(&self) -> Value {
        Value::Object(Map::clone(&self.0))
    }

    /// The object's entries.
    pub fn into_map(self) -> Map<String, Value> {
        Arc::unwrap_or_clone(self.0)
    }

    /// Writes it as an object, as answers show it, and not as the text that is stored.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize_entries<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }

    /// The length of the object's JSON text in bytes.
    pub fn text_len(&self) -> usize {
        serde_json::to_string(&*self.0).map_or(usize::MAX, |text| text.len())
    }
}

impl From<Map<String, Value>> for JsonObject {
    fn from(map: Map<String, Value>) -> Self {
        Self(Arc::new(map))
    }
}

impl FromIterator<(String, Value)> for JsonObject {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().collect()))
    }
}

impl Deref for JsonObject {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for JsonObject {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&*self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = JsonObject;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the JSON text of an object")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<JsonObject, E> {
                serde_json::from_str::<Map<_, _>>(text)
                    .map(JsonObject::from)
                    .map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_clone_that_is_changed_leaves_the_first_as_it_was() {
        let first = JsonObject::from_iter([("a".to_owned(), json!(1))]);
        let mut second = first.clone();
        second.insert("a".to_owned(), json!(2));
        assert_eq!(
            (first.get("a"), second.get("a")),
            (Some(&json!(1)), Some(&json!(2)))
        );
    }

    #[test]
    fn keys_that_bson_refuses_survive_storage() {
        let Value::Object(map) = json!({"$set": {"a.b": 1}, "nul\u{0}key": [1, 2.5, null], "z": 0, "a": 0})
        else {
            unreachable!()
        };
        let object = JsonObject::from(map);
        let stored = bson::serialize_to_bson(&object).unwrap();
        let back: JsonObject = bson::deserialize_from_bson(stored).unwrap();
        assert_eq!(back, object);
        assert_eq!(back.keys().collect::<Vec<_>>(), ["$set", "nul\u{0}key", "z", "a"]);
    }
}
