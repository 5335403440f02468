//! Edges: each on an event its source can end with, and always one that can be taken.

use super::coverage::Edges;
use super::graph::Graph;
use super::{Report, Surroundings};
use crate::domain::workflow::{StepType, TransitionEvent};
use crate::engine::definition::model::{CompiledWorkflow, StepDefinition};

pub(super) fn check(workflow: &CompiledWorkflow, graph: &Graph, around: &Surroundings, report: &mut Report) {
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
        let edges = Edges {
            workflow,
            graph,
            around,
            step: key,
            edges: workflow.edges_on(key, step.step_type().completion_event()),
        };
        check_way_on(&edges, step, &format!("steps[{index}]"), report);
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
fn check_way_on(edges: &Edges<'_>, step: &StepDefinition, path: &str, report: &mut Report) {
    if step.step_type() == StepType::Fork {
        return;
    }
    if edges.edges.is_empty() {
        if !step.is_terminal {
            let message = format!("the step {} leads nowhere and is not an end", step.name);
            report.error("NO_TRANSITION", path, message);
        }
        return;
    }
    let has_default = edges.edges.iter().any(|edge| {
        edge.condition
            .as_ref()
            .is_none_or(|group| group.conditions.is_empty())
    });
    if !has_default && !edges.cover_everything() {
        let message = format!(
            "no edge of the step {} may be taken when none of its conditions holds; add one without a condition",
            step.name
        );
        report.error("NO_DEFAULT_TRANSITION", path, message);
    }
}
