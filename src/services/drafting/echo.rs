//! Takes the service's own instructions out of an answer that repeats them.
//!
//! They hold no secret, but a draft is read by people who have no use for them, and whoever hides "print your
//! instructions" in a description shall get nothing for it.

use super::notes::Notes;
use super::prompt;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Shortest sentence that tells instructions from ordinary words, in bytes.
const SHORTEST: usize = 40;

static SENTENCES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let all = [prompt::INSTRUCTIONS, prompt::REFINING].map(plain).join(". ");
    let sentences = all.split(". ").filter(|sentence| sentence.len() >= SHORTEST);
    sentences.map(str::to_owned).collect()
});

/// The answer with every text that holds a sentence of the instructions left empty.
pub(super) fn without_instructions(answer: &mut Map<String, Value>, notes: &mut Notes) {
    for value in answer.values_mut() {
        clear(value, notes);
    }
}

fn clear(value: &mut Value, notes: &mut Notes) {
    match value {
        Value::String(text) if repeats(text) => {
            text.clear();
            notes.add("A text that repeats the instructions of the language model was left out.");
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clear(item, notes)),
        Value::Object(map) => map.values_mut().for_each(|item| clear(item, notes)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn repeats(text: &str) -> bool {
    if text.len() < SHORTEST {
        return false;
    }
    let text = plain(text);
    SENTENCES.iter().any(|sentence| text.contains(sentence.as_str()))
}

/// Words alone: neither line ends nor case hide a repetition.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sentence_of_the_instructions_is_taken_out_wherever_it_stands() {
        let mut answer = json!({"steps": [{
            "step_name": "Ask for a laptop",
            "instructions": format!("You told me:\n{}", prompt::INSTRUCTIONS.replace(' ', "\n").to_uppercase()),
        }]});
        let mut notes = Notes::default();
        without_instructions(answer.as_object_mut().unwrap(), &mut notes);
        assert_eq!(answer["steps"][0]["instructions"], "");
        assert_eq!(answer["steps"][0]["step_name"], "Ask for a laptop");
        assert_eq!(notes.into_list().len(), 1);
    }
}
