//! Compiles a stored definition: opaque JSON in, typed views, edge lists and branch membership out.
//!
//! Compilation is total: what it cannot read becomes a finding and the nearest harmless reading, so that a stored
//! document can never make the engine fail. Publishing refuses definitions with findings.

use super::branch_membership;
use super::execution_order;
use super::model::{
    CompiledWorkflow, Condition, ConditionGroup, Edge, Logic, Operator, StepDefinition, StepKind,
};
use super::steps;
use crate::domain::id::StepKey;
use crate::domain::workflow::{TransitionEvent, WorkflowVersion};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Something in a definition that cannot be read as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFinding {
    /// Where, for example `steps[2].fields[0].field_type`.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// Collects findings while reading.
#[derive(Debug, Default)]
pub(super) struct Findings(pub Vec<SchemaFinding>);

impl Findings {
    /// Adds a finding.
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SchemaFinding {
            path: path.into(),
            message: message.into(),
        });
    }
}

/// Compiles a version, with everything in it that could not be read as meant.
pub fn compile(version: &WorkflowVersion) -> (CompiledWorkflow, Vec<SchemaFinding>) {
    let mut findings = Findings::default();
    let steps = read_steps(version, &mut findings);
    let edges = read_edges(version, &mut findings);
    let start = version.definition.start_step_id().map(StepKey::from);
    let start = start
        .or_else(|| steps.keys().next().cloned())
        .unwrap_or_else(|| StepKey::from(""));
    let join_of = joins(&steps);
    let branch_of = branch_membership::label(&steps, &edges, &join_of);
    let weight = version
        .definition
        .0
        .text_len()
        .saturating_mul(4)
        .saturating_add(1_024);
    let mut compiled = CompiledWorkflow {
        workflow_id: version.workflow_id.clone(),
        version_id: version.id.clone(),
        version_number: version.version_number,
        name: version.name.clone(),
        category: version.category.clone(),
        start,
        steps,
        edges,
        join_of,
        branch_of,
        place_of: HashMap::new(),
        definition: version.definition.clone(),
        weight,
    };
    compiled.place_of = execution_order::places(&compiled);
    (compiled, findings.0)
}

fn read_steps(version: &WorkflowVersion, findings: &mut Findings) -> IndexMap<StepKey, Arc<StepDefinition>> {
    let mut steps = IndexMap::new();
    for (index, raw) in version.definition.steps().enumerate() {
        if let Some(step) = steps::read(raw, &format!("steps[{index}]"), findings) {
            steps.entry(step.key.clone()).or_insert_with(|| Arc::new(step));
        }
    }
    steps
}

fn read_edges(
    version: &WorkflowVersion,
    findings: &mut Findings,
) -> IndexMap<(StepKey, TransitionEvent), Vec<Edge>> {
    let mut edges: IndexMap<(StepKey, TransitionEvent), Vec<Edge>> = IndexMap::new();
    for (index, raw) in version.definition.transitions().enumerate() {
        let path = format!("transitions[{index}]");
        let (Some(from), Some(to)) = (text(raw, "from_step_id"), text(raw, "to_step_id")) else {
            findings.add(path, "a transition needs from_step_id and to_step_id");
            continue;
        };
        let Some(event) = read_event(raw, &path, findings) else {
            continue;
        };
        let condition = match present(raw, "condition") {
            Some(value) => read_group(value, &format!("{path}.condition"), findings),
            None => None,
        };
        let priority = present(raw, "priority").and_then(Value::as_i64).unwrap_or(0);
        let edge = Edge {
            to: StepKey::from(to),
            condition,
            priority,
        };
        edges.entry((StepKey::from(from), event)).or_default().push(edge);
    }
    edges
}

fn read_event(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> Option<TransitionEvent> {
    let value = present(raw, "on_event")?;
    let event = serde_json::from_value(value.clone()).ok();
    if event.is_none() {
        findings.add(format!("{path}.on_event"), "unknown event");
    }
    event
}

fn read_group(value: &Value, path: &str, findings: &mut Findings) -> Option<ConditionGroup> {
    let Some(map) = value.as_object() else {
        findings.add(path, "a condition must be an object with logic and conditions");
        return None;
    };
    for key in map
        .keys()
        .filter(|key| !matches!(key.as_str(), "logic" | "conditions"))
    {
        findings.add(format!("{path}.{key}"), "unknown key of a condition group");
    }
    let list = present(map, "conditions").and_then(Value::as_array);
    let conditions = list.into_iter().flatten().enumerate();
    let conditions = conditions
        .filter_map(|(index, one)| read_condition(one, &format!("{path}.conditions[{index}]"), findings));
    Some(ConditionGroup {
        conditions: conditions.collect(),
        logic: read_logic(text(map, "logic")),
    })
}

/// `OR` in any case means any; everything else, absent included, means all.
pub(super) fn read_logic(word: Option<&str>) -> Logic {
    if word.is_some_and(|word| word.eq_ignore_ascii_case("or")) {
        Logic::Any
    } else {
        Logic::All
    }
}

/// An unreadable condition never holds, so that it cannot open an edge by accident.
fn read_condition(value: &Value, path: &str, findings: &mut Findings) -> Option<Condition> {
    let never = Some(Condition {
        field: String::new(),
        operator: Operator::IsNotEmpty,
        value: Value::Null,
    });
    let Some(map) = value.as_object() else {
        findings.add(path, "a condition must be an object");
        return never;
    };
    for key in map
        .keys()
        .filter(|key| !matches!(key.as_str(), "field" | "operator" | "value"))
    {
        findings.add(format!("{path}.{key}"), "unknown key of a condition");
    }
    let Some(field) = text(map, "field").filter(|field| !field.is_empty()) else {
        findings.add(format!("{path}.field"), "a condition needs a field");
        return never;
    };
    let Some(operator) = text(map, "operator").and_then(Operator::from_word) else {
        findings.add(format!("{path}.operator"), "unknown operator");
        return never;
    };
    let Some(operand) = map.get("value") else {
        findings.add(
            format!("{path}.value"),
            "a condition needs a value, null included",
        );
        return never;
    };
    Some(Condition {
        field: field.to_owned(),
        operator,
        value: operand.clone(),
    })
}

impl Operator {
    /// The operator of an upper-case word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "EQUALS" => Self::Equals,
            "NOT_EQUALS" => Self::NotEquals,
            "GREATER_THAN" => Self::GreaterThan,
            "LESS_THAN" => Self::LessThan,
            "GREATER_THAN_OR_EQUALS" => Self::GreaterThanOrEquals,
            "LESS_THAN_OR_EQUALS" => Self::LessThanOrEquals,
            "CONTAINS" => Self::Contains,
            "NOT_CONTAINS" => Self::NotContains,
            "IN" => Self::In,
            "NOT_IN" => Self::NotIn,
            "IS_EMPTY" => Self::IsEmpty,
            "IS_NOT_EMPTY" => Self::IsNotEmpty,
            _ => return None,
        })
    }
}

fn joins(steps: &IndexMap<StepKey, Arc<StepDefinition>>) -> HashMap<StepKey, StepKey> {
    let mut joins = HashMap::new();
    for (key, step) in steps {
        if let StepKind::Join(join) = &step.kind {
            joins.entry(join.fork.clone()).or_insert_with(|| key.clone());
        }
    }
    joins
}

/// The value under `key`, when it is there and not null.
pub(super) fn present<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

/// The text under `key`, when it is there and text.
pub(super) fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key).and_then(Value::as_str)
}

/// The text under `key`, when it is there and not blank.
pub(super) fn filled<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    text(map, key).map(str::trim).filter(|text| !text.is_empty())
}
