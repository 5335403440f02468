//! Adds the edges that designers leave out: from the last step of each branch to the join of its fork (contract
//! http-workflows 2.6). Only edges of success are walked, so a `REJECT` edge is never followed.
//!
//! Broken drafts are completed too. Of several steps with one id the first counts, whatever its type, and so does the first join of a
//! fork. Then an edge is only ever added where nothing led on before, behind the end of a walk, and no
//! other walk changes by it: what was completed once stays as it is.

use crate::domain::workflow::{Definition, StepType, TransitionEvent};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// The definition with the missing edges.
pub(super) fn add_join_edges(mut definition: Definition) -> Definition {
    let missing = Drawing::of(&definition).missing_edges();
    if let Some(transitions) = definition.0.get_mut("transitions").and_then(Value::as_array_mut) {
        transitions.extend(missing);
    }
    definition
}

/// A definition as the walk sees it.
struct Drawing<'a> {
    steps: HashMap<&'a str, &'a Map<String, Value>>,
    /// The join that waits for each fork, in the order of the joins.
    join_of: IndexMap<&'a str, &'a str>,
    /// Where the edges of a step lead, by source and event.
    next: HashMap<(&'a str, &'a str), Vec<&'a str>>,
}

impl<'a> Drawing<'a> {
    fn of(definition: &'a Definition) -> Self {
        let mut drawing = Self {
            steps: HashMap::new(),
            join_of: IndexMap::new(),
            next: HashMap::new(),
        };
        for step in definition.steps() {
            let Some(id) = word(step, "step_id").filter(|id| !drawing.steps.contains_key(id)) else {
                continue;
            };
            drawing.steps.insert(id, step);
            if let Some(fork) = word(step, "source_fork_step_id").filter(|_| is(step, StepType::Join)) {
                drawing.join_of.entry(fork).or_insert(id);
            }
        }
        for edge in definition.transitions() {
            let ends = (word(edge, "from_step_id"), word(edge, "on_event"));
            if let ((Some(from), Some(event)), Some(to)) = (ends, word(edge, "to_step_id")) {
                drawing.next.entry((from, event)).or_default().push(to);
            }
        }
        drawing
    }

    fn missing_edges(&self) -> Vec<Value> {
        let mut missing = Vec::new();
        for (fork, join) in &self.join_of {
            let Some(fork) = self.steps.get(fork).filter(|step| is(step, StepType::Fork)) else {
                continue;
            };
            let branches = fork.get("branches").and_then(Value::as_array);
            let branches = branches.into_iter().flatten().filter_map(Value::as_object);
            let mut walked = HashSet::new();
            for start in branches.filter_map(|branch| word(branch, "start_step_id")) {
                missing.extend(self.missing_edge(start, join, &mut walked));
            }
        }
        missing
    }

    /// Walks a branch along its first edge of success; the edge that its last step lacks, if it lacks one. What another
    /// branch of the fork has `walked` before is not walked again.
    fn missing_edge(&self, start: &'a str, join: &str, walked: &mut HashSet<&'a str>) -> Option<Value> {
        let mut at = start;
        loop {
            let mut step = *self.steps.get(at)?;
            if is(step, StepType::Join) || !walked.insert(at) {
                return None;
            }
            if is(step, StepType::Fork) {
                // The walk goes on behind the inner fork's own join.
                at = self.join_of.get(at)?;
                step = self.steps.get(at)?;
            }
            let event = TransitionEvent::completing(word(step, "step_type")?).as_str();
            let next = self.next.get(&(at, event)).map_or(&[][..], Vec::as_slice);
            if at == join || next.contains(&join) {
                return None;
            }
            match next.first() {
                Some(next) => at = next,
                None if step.get("is_terminal").and_then(Value::as_bool) == Some(true) => return None,
                None => return Some(edge(at, join, event)),
            }
        }
    }
}

fn edge(from: &str, to: &str, event: &str) -> Value {
    json!({
        "transition_id": format!("t_auto_{from}_to_join"),
        "from_step_id": from,
        "to_step_id": to,
        "on_event": event,
        "trigger_event": null,
        "condition": null,
        "priority": 0,
    })
}

fn is(step: &Map<String, Value>, step_type: StepType) -> bool {
    word(step, "step_type") == Some(step_type.as_str())
}

fn word<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::definition::validate::normalise;
    use crate::engine::testing::{approval, definition, fork, form, join, object, step, task};
    use proptest::prelude::*;

    fn saved(draft: &Value) -> Definition {
        normalise(&object(draft.clone()))
    }

    /// The edges that were added: source, event and target of each.
    fn added(draft: &Value) -> Vec<[String; 3]> {
        let drawn = draft["transitions"].as_array().unwrap().len();
        let words = ["from_step_id", "on_event", "to_step_id"];
        let saved = saved(draft);
        let added = saved.transitions().skip(drawn);
        added
            .map(|edge| words.map(|key| word(edge, key).unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn the_last_step_of_each_branch_leads_to_the_join() {
        let draft = definition(
            vec![
                fork("split", "FAIL_ALL", &["ask", "inner", "drawn"]),
                form("ask"),
                approval("ok", "carl"),
                task("sorry"),
                fork("inner", "FAIL_ALL", &["left"]),
                task("left"),
                join("inner_meet", "inner", "ALL"),
                task("drawn"),
                join("meet", "split", "ALL"),
            ],
            &[
                ("ask", "SUBMIT_FORM", "ok"),
                ("ok", "REJECT", "sorry"),
                ("drawn", "COMPLETE_TASK", "meet"),
            ],
        );
        assert_eq!(
            added(&draft),
            [
                ["left", "COMPLETE_TASK", "inner_meet"],
                ["ok", "APPROVE", "meet"],
                ["inner_meet", "COMPLETE_TASK", "meet"],
            ]
        );
    }

    /// Found by the fuzz target `definition`: a walk for the second join of a fork went on along the edge drawn for the
    /// first one, to a doubled step, and drew one more edge when the draft was saved again.
    #[test]
    fn of_doubled_steps_and_joins_the_first_counts() {
        let draft = definition(
            vec![
                fork("split", "FAIL_ALL", &["inner"]),
                fork("inner", "FAIL_ALL", &[]),
                step("meet", "JOIN_S.TEP", json!({})),
                join("meet", "split", "ALL"),
                join("inner_meet", "inner", "ALL"),
                join("other", "split", "ALL"),
                join("another", "split", "ALL"),
            ],
            &[],
        );
        assert_eq!(added(&draft), [["inner_meet", "COMPLETE_TASK", "other"]]);
        let once = saved(&draft);
        assert_eq!(normalise(&once.0), once);
    }

    /// Drafts that nobody has checked: five names for ten steps, forks and joins of anything, edges to anywhere.
    fn draft() -> impl Strategy<Value = Value> {
        const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
        let name = || prop::sample::select(&NAMES[..]);
        let kind = prop::sample::select(&["FORK_STEP", "JOIN_STEP", "TASK_STEP", "FORM_STEP", "none"][..]);
        let starts = prop::collection::vec(name(), 0..4);
        let steps =
            (name(), kind, starts, name(), any::<bool>()).prop_map(|(id, kind, starts, source, ends)| {
                let starts = starts.into_iter().map(|start| json!({"start_step_id": start}));
                json!({"step_id": id, "step_type": kind, "branches": starts.collect::<Vec<_>>(),
                   "source_fork_step_id": source, "is_terminal": ends})
            });
        let event = prop::sample::select(&["COMPLETE_TASK", "SUBMIT_FORM", "REJECT"][..]);
        let edges = (name(), event, name())
            .prop_map(|(from, event, to)| json!({"from_step_id": from, "on_event": event, "to_step_id": to}));
        (
            prop::collection::vec(steps, 0..10),
            prop::collection::vec(edges, 0..6),
        )
            .prop_map(|(steps, transitions)| json!({"steps": steps, "transitions": transitions}))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_draft_that_is_saved_again_stays_as_it_is(draft in draft()) {
            let once = saved(&draft);
            prop_assert_eq!(&normalise(&once.0), &once);
            let added = added(&draft);
            let distinct: HashSet<&[String; 3]> = added.iter().collect();
            prop_assert_eq!(distinct.len(), added.len());
        }
    }
}
