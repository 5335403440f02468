//! The ids of steps as the answer wrote them and as they are now.

use super::super::lenient_json::filled;
use super::super::notes::Notes;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Longest id taken over, in characters; a number may follow it.
const LONGEST: usize = 90;

/// Which ids are used, and what became of those that could not stay.
#[derive(Debug, Default)]
pub(super) struct Ids {
    renamed: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Ids {
    /// A free id with the characters that ids may have; the first step with an id keeps it.
    pub(super) fn take(&mut self, raw: Option<&str>, notes: &mut Notes) -> String {
        let given = raw.unwrap_or_default();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let plain = given.trim().chars().map(|c| if allowed(c) { c } else { '_' });
        let mut plain: String = plain.take(LONGEST).collect();
        if plain.is_empty() {
            plain = format!("step_{}", self.used.len() + 1);
        }
        let mut id = plain.clone();
        let mut number = 2;
        while !self.used.insert(id.clone()) {
            id = format!("{plain}_{number}");
            number += 1;
        }
        if id != given {
            notes.add(format!("A step was given the id {id}."));
            self.renamed.entry(given.to_owned()).or_insert_with(|| id.clone());
        }
        id
    }

    /// How many steps have an id.
    pub(super) fn count(&self) -> usize {
        self.used.len()
    }

    /// The id that a reference means now.
    pub(super) fn now(&self, id: &str) -> String {
        if self.used.contains(id) {
            return id.to_owned();
        }
        self.renamed.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// Corrects the references from a step to others.
    pub(super) fn rename_references(&self, step: &mut Map<String, Value>) {
        self.rename(
            step,
            &[
                "step_assignee_step_id",
                "source_fork_step_id",
                "parent_fork_step_id",
                "lookup_source_step_id",
            ],
        );
        if let Some(linked) = step
            .get_mut("linked_repeating_source")
            .and_then(Value::as_object_mut)
        {
            self.rename(linked, &["source_step_id"]);
        }
        let branches = step.get_mut("branches").and_then(Value::as_array_mut);
        for branch in branches.into_iter().flatten().filter_map(Value::as_object_mut) {
            self.rename(branch, &["start_step_id"]);
        }
        let fields = step.get_mut("fields").and_then(Value::as_array_mut);
        for field in fields.into_iter().flatten() {
            if let Some(rules) = field.get_mut("validation").and_then(Value::as_object_mut) {
                self.rename(rules, &["lookup_step_id"]);
            }
        }
    }

    fn rename(&self, map: &mut Map<String, Value>, keys: &[&str]) {
        for key in keys {
            if let Some(id) = filled(map, key).map(|id| self.now(id)) {
                map.insert((*key).to_owned(), Value::String(id));
            }
        }
    }
}
