//! The shape of a definition: keys that must be there, ids that must differ, references that must lead somewhere.

use super::{EmbeddedFact, Finding, Report, Surroundings};
use crate::domain::workflow::Definition;
use crate::engine::definition::compile::{filled, present};
use crate::engine::definition::model::{CompiledWorkflow, StepKind};
use indexmap::IndexSet;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Most steps of a definition, and most branches of its forks together: each branch has a step of its own.
const MAX_STEPS: usize = 500;

/// Why a definition is too large to be looked at: what is larger takes long, and can never be published.
pub fn too_large(definition: &Map<String, Value>) -> Option<Finding> {
    let steps = definition.get("steps")?.as_array()?;
    if steps.len() > MAX_STEPS {
        let message = format!("a workflow can have at most {MAX_STEPS} steps");
        return Some(Finding::new("TOO_MANY_STEPS", "steps", message));
    }
    let branches = |step: &Value| step.get("branches").and_then(Value::as_array).map_or(0, Vec::len);
    let many = steps.iter().map(branches).sum::<usize>() > MAX_STEPS;
    many.then(|| {
        let message = format!("the forks of a workflow can have at most {MAX_STEPS} branches together");
        Finding::new("TOO_MANY_BRANCHES", "steps", message)
    })
}

pub(super) fn check(definition: &Definition, report: &mut Report) {
    let steps = match definition.0.get("steps") {
        None | Some(Value::Null) => {
            report.error("MISSING_STEPS", "steps", "the definition has no steps");
            return;
        }
        Some(Value::Array(steps)) => steps,
        Some(_) => {
            report.error("SCHEMA_ERROR", "steps", "steps must be a list");
            return;
        }
    };
    if steps.is_empty() {
        report.error("EMPTY_STEPS", "steps", "the definition has no steps");
    }
    let mut ids = HashSet::new();
    for (index, step) in steps.iter().enumerate() {
        match step.as_object() {
            Some(step) => check_step(step, &format!("steps[{index}]"), &mut ids, report),
            None => report.error(
                "SCHEMA_ERROR",
                format!("steps[{index}]"),
                "a step must be an object",
            ),
        }
    }
    check_start(definition, &ids, report);
    check_transitions(definition, &ids, report);
    check_references(definition, &ids, report);
    if !definition
        .steps()
        .any(|step| step.get("is_terminal").and_then(Value::as_bool) == Some(true))
    {
        report.error(
            "NO_TERMINAL",
            "steps",
            "no step ends the workflow; mark one as terminal",
        );
    }
}

fn check_step(step: &Map<String, Value>, path: &str, ids: &mut HashSet<String>, report: &mut Report) {
    let Some(id) = filled(step, "step_id") else {
        report.error("MISSING_STEP_ID", format!("{path}.step_id"), "a step has no id");
        return;
    };
    let plain = id.len() <= 100 && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !plain {
        let message = "a step id can have at most 100 letters, digits, dots, hyphens and underscores";
        report.error("INVALID_STEP_ID", format!("{path}.step_id"), message);
    }
    if !ids.insert(id.to_owned()) {
        report.error(
            "DUPLICATE_STEP_ID",
            format!("{path}.step_id"),
            format!("the step id {id} is used twice"),
        );
    }
    match filled(step, "step_type") {
        None => report.error(
            "MISSING_STEP_TYPE",
            format!("{path}.step_type"),
            format!("the step {id} has no type"),
        ),
        Some("APPROVAL_STEP")
            if filled(step, "approver_resolution").is_none()
                && present(step, "parallel_approval").is_none() =>
        {
            let message = format!("the approval {id} does not say who approves");
            report.error("MISSING_APPROVER", format!("{path}.approver_resolution"), message);
        }
        Some(_) => {}
    }
}

fn check_start(definition: &Definition, ids: &HashSet<String>, report: &mut Report) {
    match definition.start_step_id() {
        None => report.error(
            "MISSING_START",
            "start_step_id",
            "the definition does not say where it starts",
        ),
        Some(start) if !ids.contains(start) => {
            report.error(
                "INVALID_START",
                "start_step_id",
                format!("the start step {start} does not exist"),
            );
        }
        Some(_) => {}
    }
}

fn check_transitions(definition: &Definition, ids: &HashSet<String>, report: &mut Report) {
    let mut transition_ids = HashSet::new();
    for (index, edge) in definition.transitions().enumerate() {
        let path = format!("transitions[{index}]");
        if let Some(id) = filled(edge, "transition_id")
            && !transition_ids.insert(id.to_owned())
        {
            let message = format!("the transition id {id} is used twice");
            report.error(
                "DUPLICATE_TRANSITION_ID",
                format!("{path}.transition_id"),
                message,
            );
        }
        for (key, kind) in [
            ("from_step_id", "INVALID_TRANSITION_FROM"),
            ("to_step_id", "INVALID_TRANSITION_TO"),
        ] {
            match filled(edge, key) {
                Some(id) if !ids.contains(id) => {
                    report.error(
                        kind,
                        format!("{path}.{key}"),
                        format!("the step {id} does not exist"),
                    );
                }
                Some(_) => {}
                None => report.error(
                    kind,
                    format!("{path}.{key}"),
                    "a transition must name both of its steps",
                ),
            }
        }
        if present(edge, "on_event").is_none() {
            report.error(
                "MISSING_EVENT",
                format!("{path}.on_event"),
                "a transition must say on which event it is taken",
            );
        }
    }
}

/// Forks, joins and their references, whatever the order of the steps.
fn check_references(definition: &Definition, ids: &HashSet<String>, report: &mut Report) {
    let forks: IndexSet<&str> = definition
        .steps()
        .filter(|step| filled(step, "step_type") == Some("FORK_STEP"))
        .filter_map(|step| filled(step, "step_id"))
        .collect();
    let mut joined = HashSet::new();
    for (index, step) in definition.steps().enumerate() {
        let path = format!("steps[{index}]");
        match filled(step, "step_type") {
            Some("FORK_STEP") => check_branches(step, &path, ids, report),
            Some("JOIN_STEP") => {
                let path = format!("{path}.source_fork_step_id");
                match filled(step, "source_fork_step_id") {
                    None => report.error(
                        "JOIN_NO_SOURCE",
                        path,
                        "the join does not say which fork it closes",
                    ),
                    Some(fork) if !forks.contains(fork) => {
                        report.error("JOIN_INVALID_SOURCE", path, format!("{fork} is not a fork"));
                    }
                    Some(fork) if !joined.insert(fork.to_owned()) => {
                        report.error(
                            "DUPLICATE_JOIN",
                            path,
                            format!("the fork {fork} is closed by two joins"),
                        );
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    for fork in forks.iter().filter(|fork| !joined.contains(**fork)) {
        report.error(
            "FORK_NO_JOIN",
            "steps",
            format!("the fork {fork} is closed by no join"),
        );
    }
}

fn check_branches(step: &Map<String, Value>, path: &str, ids: &HashSet<String>, report: &mut Report) {
    let branches = step
        .get("branches")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if branches.is_empty() {
        report.error(
            "FORK_NO_BRANCHES",
            format!("{path}.branches"),
            "the fork has no branches",
        );
    }
    let mut keys = HashSet::new();
    for (index, branch) in branches.iter().enumerate() {
        let path = format!("{path}.branches[{index}]");
        let Some(branch) = branch.as_object() else {
            continue;
        };
        match filled(branch, "start_step_id") {
            None => report.error(
                "BRANCH_NO_START",
                format!("{path}.start_step_id"),
                "the branch has no first step",
            ),
            Some(start) if !ids.contains(start) => {
                report.error(
                    "BRANCH_INVALID_START",
                    format!("{path}.start_step_id"),
                    format!("the step {start} does not exist"),
                );
            }
            Some(_) => {}
        }
        if let Some(key) = filled(branch, "branch_id")
            && !keys.insert(key.to_owned())
        {
            report.error(
                "DUPLICATE_BRANCH_ID",
                format!("{path}.branch_id"),
                format!("the branch id {key} is used twice"),
            );
        }
    }
}

/// Embedded references must lead to a version that embeds nothing itself.
pub(super) fn check_embedded(workflow: &CompiledWorkflow, around: &Surroundings, report: &mut Report) {
    for (index, step) in workflow.steps.values().enumerate() {
        let StepKind::SubWorkflow(embedded) = &step.kind else {
            continue;
        };
        let path = format!("steps[{index}].sub_workflow_id");
        if embedded.version.workflow_id.as_str().is_empty() {
            report.error(
                "SUB_WORKFLOW_NO_ID",
                path,
                "the step does not say which workflow it embeds",
            );
            continue;
        }
        if embedded.version.version_number < 1 {
            let path = format!("steps[{index}].sub_workflow_version");
            report.error(
                "SUB_WORKFLOW_NO_VERSION",
                path,
                "the step does not say which version it embeds",
            );
            continue;
        }
        if embedded.version.workflow_id == around.workflow_id {
            report.error("SELF_EMBEDDING", path, "a workflow cannot embed itself");
            continue;
        }
        match around.embedded.get(&embedded.version) {
            Some(EmbeddedFact::NoWorkflow) => {
                report.error(
                    "SUB_WORKFLOW_NOT_FOUND",
                    path,
                    "the embedded workflow does not exist",
                );
            }
            Some(EmbeddedFact::NoVersion) => {
                report.error(
                    "SUB_WORKFLOW_VERSION_NOT_FOUND",
                    path,
                    "the embedded version does not exist",
                );
            }
            Some(EmbeddedFact::Found(inner)) => {
                if inner
                    .steps
                    .values()
                    .any(|step| matches!(step.kind, StepKind::SubWorkflow(_)))
                {
                    let message = "the embedded workflow embeds another one; one level is allowed";
                    report.error("NESTED_SUB_WORKFLOW", path, message);
                } else if inner.steps.is_empty() {
                    report.error("SUB_WORKFLOW_EMPTY", path, "the embedded version has no steps");
                }
            }
            None => {}
        }
    }
}
