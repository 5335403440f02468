//! The wishes with which imaginary tickets are played.

use super::answers::{Answers, groups, workflows};
use crate::engine::facts::Definitions;
use serde_json::{Map, Value};

/// Most sets of wishes tried.
const MOST_SCENARIOS: usize = 64;

/// Wishes that make every condition true and false: none, each group of conditions as a whole, alone and on top of what
/// the groups before it want, and each single answer.
pub(super) fn scenarios(drawn: &Definitions, answers: &Answers) -> Vec<Map<String, Value>> {
    let mut all = vec![Map::new()];
    let mut add = |wishes: Map<String, Value>| {
        if all.len() < MOST_SCENARIOS && !all.contains(&wishes) {
            all.push(wishes);
        }
    };
    let mut together = Map::new();
    for group in workflows(drawn).flat_map(groups) {
        let alone = answers.that_fit(group);
        together.extend(alone.clone());
        add(alone);
        add(together.clone());
    }
    for (key, answer) in answers.each() {
        add(Map::from_iter([(key.to_owned(), answer.clone())]));
    }
    all
}
