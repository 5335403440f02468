//! Plays a definition from start to end on imaginary tickets, for every branch: each condition true and false, each
//! approval given and refused. It decides with the engine itself, so what passes here moves in practice.
//!
//! What conditions look at is answered as the forms demand; everything else is left out, for the rules of forms are
//! checked by `definition::validate`. Directory and tables answer.

mod answers;
mod run;
mod scenarios;

use super::definition::CompiledWorkflow;
use super::definition::validate::{EmbeddedFact, Finding, Surroundings, compile_draft};
use super::facts::Definitions;
use crate::domain::id::StepKey;
use crate::domain::workflow::{Definition, TransitionEvent};
use answers::Answers;
use run::{Run, Stage};
use scenarios::scenarios;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most effort of all runs together, in steps of tickets that decisions looked at; what is left then stays untried.
const MOST_EFFORT: usize = 200_000;
/// Most places at which tickets stop that are told.
const MOST_STUCK: usize = 5;

/// What became of the imaginary tickets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Where one of them could not go on; the kind is `DRY_RUN_STUCK`.
    pub stuck: Vec<Finding>,
    /// How many were played.
    pub runs: usize,
    /// The steps that were entered.
    pub entered: BTreeSet<StepKey>,
}

/// Whether approvals by the requester's manager find one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managers {
    /// Every requester has one.
    Known,
    /// First they have, then they have none.
    KnownAndUnknown,
}

/// Plays `definition`; it should have passed `validate` before.
pub fn dry_run(definition: &Definition, around: &Surroundings, managers: Managers) -> DryRun {
    let drawn = as_drawn(definition, around);
    let answers = Answers::of(&drawn, run::policy().today);
    let stage = Stage {
        scenarios: scenarios(&drawn, &answers),
        played: relaxed(&drawn),
        drawn,
        answers,
    };
    let mut outcome = DryRun::default();
    let mut effort = 0;
    let with_manager: &[bool] = match managers {
        Managers::Known => &[true],
        Managers::KnownAndUnknown => &[true, false],
    };
    for has_manager in with_manager {
        for first in 0..stage.scenarios.len() {
            for refused in refusals(&stage.drawn.own) {
                if effort >= MOST_EFFORT || outcome.stuck.len() >= MOST_STUCK {
                    return outcome;
                }
                let mut run = Run::new(&stage, first, refused, *has_manager);
                let end = run.play();
                effort += run.effort;
                outcome.runs += 1;
                if let Some(ticket) = &run.ticket {
                    outcome
                        .entered
                        .extend(ticket.steps.iter().map(|step| step.key.clone()));
                }
                if let Err(finding) = end
                    && !outcome.stuck.iter().any(|known| known.path == finding.path)
                {
                    outcome.stuck.push(*finding);
                }
            }
        }
    }
    outcome
}

/// The definition and its embedded ones, with all the rules of their forms.
fn as_drawn(definition: &Definition, around: &Surroundings) -> Definitions {
    let embedded = around.embedded.iter().map(|(version, fact)| match fact {
        EmbeddedFact::Found(found) => (version.clone(), Some(Arc::clone(found))),
        EmbeddedFact::NoWorkflow | EmbeddedFact::NoVersion => (version.clone(), None),
    });
    Definitions {
        own: Arc::new(compile_draft(definition, &around.workflow_id)),
        embedded: embedded.collect(),
    }
}

/// The same without the rules of their forms.
fn relaxed(drawn: &Definitions) -> Definitions {
    let relaxed = |workflow: &Arc<CompiledWorkflow>| {
        let definition = without_rules(&workflow.definition);
        let mut compiled = compile_draft(&definition, &workflow.workflow_id);
        compiled.version_number = workflow.version_number;
        Arc::new(compiled)
    };
    let embedded = drawn.embedded.iter();
    Definitions {
        own: relaxed(&drawn.own),
        embedded: embedded
            .map(|(version, found)| (version.clone(), found.as_ref().map(relaxed)))
            .collect(),
    }
}

fn without_rules(definition: &Definition) -> Definition {
    let mut relaxed = definition.clone();
    let steps = relaxed.0.get_mut("steps").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten().filter_map(Value::as_object_mut) {
        step.insert("execution_notes_required".to_owned(), Value::Bool(false));
        step.remove("linked_repeating_source");
        for list in ["fields", "output_fields", "sections"] {
            let items = step.get_mut(list).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten().filter_map(Value::as_object_mut) {
                for rule in ["required", "validation", "conditional_requirements", "min_rows"] {
                    item.remove(rule);
                }
            }
        }
    }
    relaxed
}

/// The approvals that are refused in one run each, the first time they are asked; in the first run none is.
fn refusals(workflow: &CompiledWorkflow) -> Vec<Option<StepKey>> {
    let drawn = workflow
        .steps
        .keys()
        .filter(|key| !workflow.edges_on(key, TransitionEvent::Reject).is_empty());
    std::iter::once(None).chain(drawn.cloned().map(Some)).collect()
}

#[cfg(test)]
mod tests;
