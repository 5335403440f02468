//! Where a finished step leads: conditional edges that hold beat unconditional ones, then higher priority, then
//! definition order (contract engine-core 4.2, target).

use super::condition_evaluator::{self, Context};
use super::definition::{CompiledWorkflow, Edge};
use crate::domain::id::StepKey;
use crate::domain::refusal::Refusal;
use crate::domain::workflow::TransitionEvent;

/// Where a finished step leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To this step.
    To(StepKey),
    /// Nowhere: the scope (workflow, branch or embedded run) ends here.
    End,
}

/// The route on `event`.
///
/// # Errors
/// [`Refusal::TransitionNotFound`] when edges are drawn and none holds, or none is drawn and the step is not terminal.
pub fn resolve(
    workflow: &CompiledWorkflow,
    step: &StepKey,
    event: TransitionEvent,
    context: Context<'_>,
) -> Result<Route, Refusal> {
    let candidates = workflow.edges_on(step, event);
    if candidates.is_empty()
        && workflow
            .step(step)
            .is_some_and(|definition| definition.is_terminal)
    {
        return Ok(Route::End);
    }
    let valid = candidates.iter().filter(|edge| edge_holds(edge, context));
    match best(valid) {
        Some(edge) => Ok(Route::To(edge.to.clone())),
        None => Err(Refusal::TransitionNotFound {
            step_id: step.clone(),
            event: event.as_str(),
            candidates: candidates.len(),
        }),
    }
}

/// The route on an event that only has one when the designer drew it (`REJECT`, `SKIP`, `SKIP_STEP`).
pub fn resolve_drawn(
    workflow: &CompiledWorkflow,
    step: &StepKey,
    event: TransitionEvent,
    context: Context<'_>,
) -> Option<StepKey> {
    let valid = workflow
        .edges_on(step, event)
        .iter()
        .filter(|edge| edge_holds(edge, context));
    best(valid).map(|edge| edge.to.clone())
}

fn edge_holds(edge: &Edge, context: Context<'_>) -> bool {
    edge.condition
        .as_ref()
        .is_none_or(|group| condition_evaluator::holds(group, context))
}

/// The first of the best edges; `max_by_key` would take the last.
fn best<'a>(edges: impl Iterator<Item = &'a Edge>) -> Option<&'a Edge> {
    let rank = |edge: &Edge| (edge.condition.is_some(), edge.priority);
    edges.fold(None, |best: Option<&Edge>, edge| match best {
        Some(known) if rank(known) >= rank(edge) => Some(known),
        _ => Some(edge),
    })
}
