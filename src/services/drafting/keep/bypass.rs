//! No refinement opens a way around an approval that every ticket had to pass, unless the request speaks of it.

use super::super::lenient_json::{filled, objects};
use super::request::Request;
use super::{id_of, name};
use crate::engine::definition::validate::Finding;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The approvals that could not be passed by in `current` and can be in `refined`.
pub(in super::super) fn bypassed(
    current: &Map<String, Value>,
    refined: &Map<String, Value>,
    request: &Request,
) -> Vec<Finding> {
    let approvals =
        objects(current, "steps").filter(|step| filled(step, "step_type") == Some("APPROVAL_STEP"));
    approvals
        .filter(|step| {
            let liberty = request.liberty(step);
            let is_spoken_of = liberty.may_go || liberty.may_reconnect || liberty.may_convert;
            !is_spoken_of && !ends_without(current, id_of(step)) && ends_without(refined, id_of(step))
        })
        .map(|step| Finding {
            kind: "APPROVAL_BYPASSED",
            message: format!("every ticket passed the approval {} and still must", name(step)),
            path: Some("transitions".to_owned()),
            details: Map::from_iter([("step_id".to_owned(), id_of(step).into())]),
        })
        .collect()
}

/// Whether some way leads from the start to an end without the step `without`.
fn ends_without(definition: &Map<String, Value>, without: &str) -> bool {
    let mut open: Vec<&str> = filled(definition, "start_step_id").into_iter().collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(id) = open.pop() {
        if id == without || !seen.insert(id) {
            continue;
        }
        let next: Vec<&str> = following(definition, id).collect();
        if next.is_empty() {
            return true;
        }
        open.extend(next);
    }
    false
}

fn following<'a>(definition: &'a Map<String, Value>, id: &'a str) -> impl Iterator<Item = &'a str> {
    let edges = objects(definition, "transitions")
        .filter(move |edge| filled(edge, "from_step_id") == Some(id))
        .filter_map(|edge| filled(edge, "to_step_id"));
    let step = objects(definition, "steps").find(move |step| id_of(step) == id);
    let branches = step.into_iter().flat_map(|step| objects(step, "branches"));
    edges.chain(branches.filter_map(|branch| filled(branch, "start_step_id")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_way_around_an_approval_is_found() {
        let current = json!({
            "start_step_id": "ask",
            "steps": [
                {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP"},
                {"step_id": "ok", "step_name": "Board", "step_type": "APPROVAL_STEP"},
                {"step_id": "end", "step_name": "Tell", "step_type": "NOTIFY_STEP", "is_terminal": true}],
            "transitions": [
                {"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"},
                {"from_step_id": "ok", "to_step_id": "end", "on_event": "APPROVE"}]});
        let mut refined = current.clone();
        let around = json!({"from_step_id": "ask", "to_step_id": "end", "on_event": "SUBMIT_FORM"});
        refined["transitions"].as_array_mut().unwrap().push(around);
        let (current, refined) = (current.as_object().unwrap(), refined.as_object().unwrap());
        let found = |text: &str| bypassed(current, refined, &Request::of(text, current)).len();
        assert_eq!(found("Add a task that orders the visa"), 1);
        assert_eq!(found("Skip the board if the cost is low"), 0);
        let request = Request::of("Add a task", current);
        assert_eq!(bypassed(current, current, &request), []);
    }
}
