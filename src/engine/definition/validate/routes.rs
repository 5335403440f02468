//! Edges: each on an event its source can end with, and always one that can be taken.

use super::Report;
use crate::domain::id::StepKey;
use crate::domain::workflow::{StepType, TransitionEvent};
use crate::engine::definition::model::{
    CompiledWorkflow, Condition, Edge, Field, FieldType, Operator, StepDefinition,
};
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn check(workflow: &CompiledWorkflow, report: &mut Report) {
    for ((from, event), edges) in &workflow.edges {
        let Some(step) = workflow.step(from) else { continue };
        if !is_legal(step.step_type(), *event) {
            let message = format!("the step {} never ends with {}", step.name, event.as_str());
            report.error("ILLEGAL_EVENT", "transitions", message);
        }
        let unconditional = edges.iter().filter(|edge| edge.condition.is_none()).count();
        if unconditional > 1 {
            let message = format!(
                "the step {} has several edges without a condition; the first one wins",
                step.name
            );
            report.warning("AMBIGUOUS_TRANSITION", "transitions", message);
        }
    }
    for (index, (key, step)) in workflow.steps.iter().enumerate() {
        check_way_on(workflow, key, step, &format!("steps[{index}]"), report);
    }
}

/// The events a step of this type can end with and edges can be drawn for.
const fn is_legal(kind: StepType, event: TransitionEvent) -> bool {
    match kind {
        StepType::Form => matches!(event, TransitionEvent::SubmitForm | TransitionEvent::SkipStep),
        StepType::Approval => {
            matches!(
                event,
                TransitionEvent::Approve | TransitionEvent::Reject | TransitionEvent::Skip
            )
        }
        StepType::Task => matches!(event, TransitionEvent::CompleteTask | TransitionEvent::SkipStep),
        StepType::SubWorkflow => {
            matches!(
                event,
                TransitionEvent::CompleteTask | TransitionEvent::Reject | TransitionEvent::Skip
            )
        }
        StepType::Notify | StepType::Fork | StepType::Join => matches!(event, TransitionEvent::CompleteTask),
    }
}

/// A step that ends must lead on, or be an end.
fn check_way_on(
    workflow: &CompiledWorkflow,
    key: &StepKey,
    step: &StepDefinition,
    path: &str,
    report: &mut Report,
) {
    if step.step_type() == StepType::Fork {
        return;
    }
    let edges = workflow.edges_on(key, step.step_type().completion_event());
    if edges.is_empty() {
        if !step.is_terminal {
            let message = format!("the step {} leads nowhere and is not an end", step.name);
            report.error("NO_TRANSITION", path, message);
        }
        return;
    }
    let has_default = edges.iter().any(|edge| {
        edge.condition
            .as_ref()
            .is_none_or(|group| group.conditions.is_empty())
    });
    if !has_default && !covers_everything(workflow, edges) {
        let message = format!(
            "no edge of the step {} may be taken when none of its conditions holds; add one without a condition",
            step.name
        );
        report.error("NO_DEFAULT_TRANSITION", path, message);
    }
}

/// Whether single conditions on one field leave no value out: a comparison with its opposite, or every choice of a
/// required selection.
fn covers_everything(workflow: &CompiledWorkflow, edges: &[Edge]) -> bool {
    let single: Vec<&Condition> = edges
        .iter()
        .filter_map(|edge| edge.condition.as_ref())
        .filter(|group| group.conditions.len() == 1)
        .filter_map(|group| group.conditions.first())
        .collect();
    let opposite = single.iter().any(|one| {
        single.iter().any(|other| {
            one.field == other.field
                && one.value == other.value
                && is_opposite(workflow, &one.field, one.operator, other.operator)
        })
    });
    opposite
        || single
            .iter()
            .any(|one| names_every_choice(workflow, &one.field, &single))
}

fn is_opposite(workflow: &CompiledWorkflow, path: &str, one: Operator, other: Operator) -> bool {
    match (one, other) {
        (Operator::Equals, Operator::NotEquals)
        | (Operator::Contains, Operator::NotContains)
        | (Operator::In, Operator::NotIn)
        | (Operator::IsEmpty, Operator::IsNotEmpty) => true,
        // A missing number is neither above nor below, so the field must be required.
        (Operator::GreaterThan, Operator::LessThanOrEquals)
        | (Operator::LessThan, Operator::GreaterThanOrEquals) => required_field(workflow, path)
            .is_some_and(|field| matches!(field.field_type, FieldType::Number | FieldType::Date)),
        _ => false,
    }
}

fn names_every_choice(workflow: &CompiledWorkflow, path: &str, conditions: &[&Condition]) -> bool {
    let Some(field) = required_field(workflow, path).filter(|field| field.field_type == FieldType::Select)
    else {
        return false;
    };
    let mut named = HashSet::new();
    for condition in conditions.iter().filter(|condition| condition.field == path) {
        match (condition.operator, &condition.value) {
            (Operator::Equals, Value::String(text)) => {
                named.insert(text.clone());
            }
            (Operator::In, Value::String(text)) => {
                named.extend(text.split(',').map(|part| part.trim().to_owned()));
            }
            _ => {}
        }
    }
    !field.options.is_empty() && field.options.iter().all(|option| named.contains(option))
}

fn required_field<'a>(workflow: &'a CompiledWorkflow, path: &str) -> Option<&'a Field> {
    let key = path.strip_prefix("form_values.")?;
    let forms = workflow
        .steps
        .values()
        .filter(|step| step.step_type() == StepType::Form);
    let mut fields = forms.filter_map(|step| step.form()).flat_map(|form| &form.fields);
    fields.find(|field| field.key == key && field.required && field.conditional_requirements.is_empty())
}
