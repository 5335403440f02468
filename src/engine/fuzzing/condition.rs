//! A condition of an edge and what it looks at: `{"condition": .., "ticket": .., "form_values": .., "current_step": ..}`.

use super::{object_at, object_in, stored};
use crate::domain::id::{StepKey, WorkflowId};
use crate::domain::workflow::{Definition, TransitionEvent};
use crate::engine::condition_evaluator::{Context, condition_holds, holds};
use crate::engine::definition::validate::compile_draft;
use crate::engine::definition::{CompiledWorkflow, Condition, ConditionGroup, Logic, Operator};
use crate::engine::testing::{end, object, task};
use crate::engine::transition_resolver::{Route, resolve};
use serde_json::{Map, Value, json};

pub(super) fn try_out(data: &[u8]) -> Vec<String> {
    let Some(input) = object_in(data) else {
        return vec!["no object".to_owned()];
    };
    let workflow = choice(input.get("condition"));
    let edges = workflow.edges_on(&StepKey::from("work"), TransitionEvent::CompleteTask);
    let Some(group) = edges.iter().find_map(|edge| edge.condition.as_ref()) else {
        return vec!["no condition".to_owned()];
    };
    let maps = ["ticket", "form_values", "current_step"].map(|key| object_at(&input, key));
    let held = check_laws(group, context(&maps));
    let back = maps.each_ref().map(stored);
    assert_eq!(
        held,
        holds(group, context(&back)),
        "it holds before the values are stored and not afterwards, or the other way round"
    );
    check_route(&workflow, context(&maps), held);
    vec![if held { "holds" } else { "does not hold" }.to_owned()]
}

/// A task that leads to `yes` when the condition holds, and to `no`.
fn choice(condition: Option<&Value>) -> CompiledWorkflow {
    let edge = |to: &str, condition: Option<&Value>| json!({"from_step_id": "work", "to_step_id": to, "on_event": "COMPLETE_TASK", "condition": condition});
    let drawn = json!({
        "steps": [task("work"), end("yes"), end("no")],
        "transitions": [edge("no", None), edge("yes", condition)],
        "start_step_id": "work",
    });
    compile_draft(&Definition(object(drawn)), &WorkflowId::derived("choice"))
}

fn context([ticket, form_values, current_step]: &[Map<String, Value>; 3]) -> Context<'_> {
    Context {
        ticket,
        form_values,
        current_step,
    }
}

/// Whether the group holds; it does as its conditions say, and each says the opposite of its opposite.
fn check_laws(group: &ConditionGroup, context: Context<'_>) -> bool {
    let held = holds(group, context);
    let mut each = group.conditions.iter().map(|one| condition_holds(one, context));
    let expected = match group.logic {
        Logic::All => each.all(|held| held),
        Logic::Any => group.conditions.is_empty() || each.any(|held| held),
    };
    assert_eq!(held, expected, "a group does not hold as its conditions do");
    for condition in &group.conditions {
        let with = |operator: Operator| {
            let other = Condition {
                operator,
                ..condition.clone()
            };
            condition_holds(&other, context)
        };
        for (one, opposite) in [
            (Operator::Equals, Operator::NotEquals),
            (Operator::Contains, Operator::NotContains),
            (Operator::In, Operator::NotIn),
            (Operator::IsEmpty, Operator::IsNotEmpty),
        ] {
            assert_ne!(
                with(one),
                with(opposite),
                "{one:?} and {opposite:?} of {condition:?}"
            );
        }
        let (less, more) = (with(Operator::LessThan), with(Operator::GreaterThan));
        let (at_most, at_least) = (
            with(Operator::LessThanOrEquals),
            with(Operator::GreaterThanOrEquals),
        );
        assert!(!less || !at_least, "{condition:?}");
        assert!(!more || !at_most, "{condition:?}");
        assert!(at_most || !less, "{condition:?}");
        assert!(at_least || !more, "{condition:?}");
        assert_eq!(
            less || more || (at_most && at_least),
            at_most || at_least,
            "{condition:?}"
        );
    }
    held
}

/// The ticket goes where the condition says.
fn check_route(workflow: &CompiledWorkflow, context: Context<'_>, held: bool) {
    let route = resolve(
        workflow,
        &StepKey::from("work"),
        TransitionEvent::CompleteTask,
        context,
    );
    let expected = if held { "yes" } else { "no" };
    assert_eq!(route, Ok(Route::To(StepKey::from(expected))));
}
