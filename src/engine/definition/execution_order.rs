//! In which order the steps of a version are shown: as they are gone through (contract http-tickets 4.3).

use super::model::{CompiledWorkflow, StepKind};
use crate::domain::id::StepKey;
use std::collections::{HashMap, HashSet};

/// The place of each step: along the first edges from the start, branches before their join; then what is left.
pub(super) fn places(workflow: &CompiledWorkflow) -> HashMap<StepKey, usize> {
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    walk(workflow, &workflow.start, None, &mut seen, &mut order);
    for key in workflow.steps.keys() {
        if seen.insert(key.clone()) {
            order.push(key.clone());
        }
    }
    order
        .into_iter()
        .enumerate()
        .map(|(place, key)| (key, place))
        .collect()
}
/// Follows first edges from `from` up to `stop`; a fork lists its branches and goes on at its join.
fn walk(
    workflow: &CompiledWorkflow,
    from: &StepKey,
    stop: Option<&StepKey>,
    seen: &mut HashSet<StepKey>,
    order: &mut Vec<StepKey>,
) {
    let mut at = from.clone();
    loop {
        if Some(&at) == stop || !seen.insert(at.clone()) {
            return;
        }
        let Some(step) = workflow.step(&at) else { return };
        order.push(at.clone());
        if let StepKind::Fork(fork) = &step.kind {
            let join = workflow.join_of.get(&at);
            for branch in &fork.branches {
                walk(workflow, &branch.start, join, seen, order);
            }
            match join {
                Some(join) => at = join.clone(),
                None => return,
            }
            continue;
        }
        match workflow
            .edges_on(&at, step.step_type().completion_event())
            .first()
        {
            Some(edge) => at = edge.to.clone(),
            None => return,
        }
    }
}
