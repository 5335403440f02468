//! A model's JSON answer, read field by field: each text is cleaned and cut, and what has another form is not there.

use super::plain_text::line;
use crate::clients::language_model::ChatRequest;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::services::model::{ModelCallError, ModelSession};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A JSON object that the model wrote.
#[derive(Debug, Clone)]
pub(super) struct Words {
    answer: Map<String, Value>,
    /// The tickets that it was told of and may name.
    known: BTreeSet<TicketId>,
}

/// Asks for a JSON object; none when there is no model or it has no usable answer, so that the facts speak alone.
///
/// # Errors
/// Our own database is unavailable.
pub(super) async fn ask(
    session: Option<&ModelSession>,
    request: &ChatRequest,
    known: BTreeSet<TicketId>,
) -> Result<Option<Words>, ServiceError> {
    let Some(session) = session else {
        return Ok(None);
    };
    match session.chat(request).await {
        Ok(reply) => Ok(reply.json_object().map(|answer| Words { answer, known })),
        Err(ModelCallError::Model(error)) => {
            tracing::warn!(%error, "an answer was made without the language model");
            Ok(None)
        }
        // The person's share for today is used up.
        Err(ModelCallError::Refused(ServiceError::RateLimited { .. })) => Ok(None),
        Err(ModelCallError::Refused(error)) => Err(error),
    }
}

impl Words {
    /// A text on one line; none when it is missing, empty or no text.
    pub(super) fn text(&self, key: &str, longest: usize) -> Option<String> {
        let text = self.answer.get(key)?.as_str()?;
        Some(self.line(text, longest)).filter(|text| !text.is_empty())
    }

    /// The texts of a list.
    pub(super) fn list(&self, key: &str, most: usize, longest: usize) -> Vec<String> {
        let items = self
            .answer
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let texts = items
            .filter_map(Value::as_str)
            .map(|text| self.line(text, longest));
        texts.filter(|text| !text.is_empty()).take(most).collect()
    }

    /// Texts by name; numbers are taken as texts.
    pub(super) fn pairs(&self, key: &str, most: usize, longest: usize) -> Vec<(String, String)> {
        let entries = self
            .answer
            .get(key)
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        let pairs = entries.filter_map(|(key, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((self.line(key, longest), self.line(&text, longest)))
        });
        pairs
            .filter(|(key, value)| !key.is_empty() && !value.is_empty())
            .take(most)
            .collect()
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &str) -> impl Iterator<Item = Self> + '_ {
        let items = self
            .answer
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let objects = items.filter_map(|item| item.as_object().cloned());
        objects.map(|answer| Self {
            answer,
            known: self.known.clone(),
        })
    }

    fn line(&self, text: &str, longest: usize) -> String {
        line(text, longest, self.known.clone())
    }

    /// A whole number from 0 to `most`, taken from any number.
    pub(super) fn score(&self, key: &str, most: u8) -> Option<u8> {
        let number = self
            .answer
            .get(key)?
            .as_f64()?
            .round()
            .clamp(0.0, f64::from(most));
        (0..=most).find(|score| f64::from(*score) >= number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(answer: &Value) -> Words {
        Words {
            answer: answer.as_object().cloned().unwrap(),
            known: BTreeSet::new(),
        }
    }

    #[test]
    fn what_has_another_form_is_not_there() {
        let words = words(
            &json!({"a": 1, "b": "", "c": [1, "x", {"d": 1}], "e": {"f": "g", "h": [1], "i": 2}, "j": "k"}),
        );
        assert_eq!(words.text("a", 10), None);
        assert_eq!(words.text("b", 10), None);
        assert_eq!(words.text("missing", 10), None);
        assert_eq!(words.list("c", 5, 10), ["x"]);
        assert_eq!(words.list("j", 5, 10), Vec::<String>::new());
        assert_eq!(words.objects("c").count(), 1);
        let pairs = words.pairs("e", 5, 10);
        assert_eq!(
            pairs,
            [("f".to_owned(), "g".to_owned()), ("i".to_owned(), "2".to_owned())]
        );
    }

    #[test]
    fn scores_are_clamped() {
        let words = words(&json!({"a": 150, "b": -3, "c": 49.6, "d": "70", "e": 1e300}));
        let scores = ["a", "b", "c", "d", "e"].map(|key| words.score(key, 100));
        assert_eq!(scores, [Some(100), Some(0), Some(50), None, Some(100)]);
    }
}
