//! Values of forms that make the conditions of a workflow true and false.

use crate::engine::condition_evaluator;
use crate::engine::definition::{ApproverSource, CompiledWorkflow, Condition, ConditionGroup, StepKind};
use serde_json::{Map, Value, json};

/// Most sets of values tried.
const MOST_SCENARIOS: usize = 64;

/// Values of forms that make every condition of the workflow true and false.
pub(super) fn scenarios(workflow: &CompiledWorkflow) -> Vec<Map<String, Value>> {
    let mut all = vec![Map::new()];
    let edges = workflow.edges.values().flatten();
    let groups: Vec<&ConditionGroup> = edges.filter_map(|edge| edge.condition.as_ref()).collect();
    let rules = workflow.steps.values().flat_map(|step| match &step.kind {
        StepKind::Approval(approval) => match &approval.approvers {
            ApproverSource::Conditional { rules, .. } => rules.as_slice(),
            ApproverSource::Parallel { .. }
            | ApproverSource::RequesterManager
            | ApproverSource::Specific(_)
            | ApproverSource::Spoc
            | ApproverSource::StepAssignee(_)
            | ApproverSource::Lookup { .. }
            | ApproverSource::Incomplete(_) => &[],
        },
        StepKind::Form(_)
        | StepKind::Task(_)
        | StepKind::Notify(_)
        | StepKind::Fork(_)
        | StepKind::Join(_)
        | StepKind::SubWorkflow(_) => &[],
    });
    let single: Vec<&Condition> = rules.map(|rule| &rule.condition).collect();
    let mut add = |values: Map<String, Value>| {
        if all.len() < MOST_SCENARIOS && !all.contains(&values) {
            all.push(values);
        }
    };
    // Each group as a whole, alone and on top of what the groups before it want.
    let mut together = Map::new();
    for group in &groups {
        let mut alone = Map::new();
        for condition in &group.conditions {
            set(&mut alone, condition, true);
            set(&mut together, condition, true);
        }
        add(alone);
        add(together.clone());
    }
    for condition in groups.iter().flat_map(|group| &group.conditions).chain(single) {
        for wanted in [true, false] {
            let mut values = Map::new();
            set(&mut values, condition, wanted);
            add(values);
        }
    }
    all
}

/// Gives the field of a condition a value for which it is `wanted`.
fn set(values: &mut Map<String, Value>, condition: &Condition, wanted: bool) {
    let path = condition
        .field
        .strip_prefix("ticket.")
        .unwrap_or(&condition.field);
    let Some(key) = path.strip_prefix("form_values.").filter(|key| !key.contains('.')) else {
        return;
    };
    let fits = witnesses(&condition.value).into_iter().find(|value| {
        condition_evaluator::compare(Some(value), condition.operator, &condition.value) == wanted
    });
    if let Some(value) = fits {
        values.insert(key.to_owned(), value);
    }
}

/// Values around an operand, one of which makes almost any comparison true and one false.
fn witnesses(operand: &Value) -> Vec<Value> {
    let mut found = vec![
        operand.clone(),
        Value::Null,
        json!("another"),
        json!(""),
        json!([operand]),
    ];
    let number = operand
        .as_f64()
        .or_else(|| operand.as_str().and_then(|text| text.trim().parse().ok()));
    if let Some(number) = number {
        found.extend([json!(number + 1.0), json!(number - 1.0)]);
    }
    if let Some(text) = operand.as_str() {
        found.extend(text.split(',').map(|part| json!(part.trim())));
        found.extend([json!("1000-01-01"), json!("9000-01-01")]);
    }
    if let Some(items) = operand.as_array() {
        found.extend(items.iter().cloned());
    }
    found.extend([json!(true), json!(false), json!(0)]);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::definition::Operator;

    #[test]
    fn a_comparison_has_a_witness_on_either_side() {
        for (operator, operand) in [
            (Operator::Equals, json!("x")),
            (Operator::NotEquals, json!(3)),
            (Operator::GreaterThan, json!(3)),
            (Operator::LessThanOrEquals, json!("2026-05-01")),
            (Operator::In, json!("a, b")),
            (Operator::NotIn, json!(["a", "b"])),
            (Operator::Contains, json!("x")),
            (Operator::IsEmpty, json!(null)),
            (Operator::IsNotEmpty, json!(null)),
        ] {
            for wanted in [true, false] {
                let found = witnesses(&operand)
                    .iter()
                    .any(|value| condition_evaluator::compare(Some(value), operator, &operand) == wanted);
                assert!(found, "{operator:?} {operand} {wanted}");
            }
        }
    }
}
