//! Whether the conditions on a step's edges leave no case out, so that one of them can always be taken.
//!
//! A value counts only where it is certain to be there: a required field of a form that every way to the step leads
//! through. What a manager's skip of such a form would take away is refused when it is tried (`actions/manager_skip.rs`).

use super::graph::Graph;
use super::{EmbeddedFact, Surroundings};
use crate::domain::id::StepKey;
use crate::domain::workflow::StepType;
use crate::engine::condition_evaluator::{as_number, parse_instant};
use crate::engine::definition::model::{
    CompiledWorkflow, Condition, Edge, Field, FieldType, FormDefinition, Operator, StepDefinition,
};
use crate::engine::form_validator;
use serde_json::Value;
use std::collections::HashSet;

/// The edges of one step, and where it stands.
pub(super) struct Edges<'a> {
    pub(super) workflow: &'a CompiledWorkflow,
    pub(super) graph: &'a Graph,
    pub(super) around: &'a Surroundings,
    pub(super) step: &'a StepKey,
    pub(super) edges: &'a [Edge],
}

impl Edges<'_> {
    /// Whether single conditions on one field leave no value out: a comparison with its opposite, or every choice of a
    /// required selection.
    pub(super) fn cover_everything(&self) -> bool {
        let single: Vec<&Condition> = self
            .edges
            .iter()
            .filter_map(|edge| edge.condition.as_ref())
            .filter(|group| group.conditions.len() == 1)
            .filter_map(|group| group.conditions.first())
            .collect();
        let opposite = single.iter().any(|one| {
            single
                .iter()
                .any(|other| one.field == other.field && self.are_opposite(one, other))
        });
        opposite || single.iter().any(|one| self.name_every_choice(one, &single))
    }

    fn are_opposite(&self, one: &Condition, other: &Condition) -> bool {
        match (one.operator, other.operator) {
            (Operator::IsEmpty, Operator::IsNotEmpty) => true,
            (Operator::Equals, Operator::NotEquals)
            | (Operator::Contains, Operator::NotContains)
            | (Operator::In, Operator::NotIn) => one.value == other.value,
            // Nothing is neither above nor below, and nothing has an order with everything.
            (Operator::GreaterThan, Operator::LessThanOrEquals)
            | (Operator::LessThan, Operator::GreaterThanOrEquals) => {
                one.value == other.value
                    && self
                        .certain_fields(one)
                        .first()
                        .is_some_and(|field| match field.field_type {
                            FieldType::Number => as_number(&one.value).is_some(),
                            FieldType::Date => one.value.as_str().and_then(parse_instant).is_some(),
                            FieldType::Text
                            | FieldType::Textarea
                            | FieldType::Select
                            | FieldType::Multiselect
                            | FieldType::Checkbox
                            | FieldType::File
                            | FieldType::UserSelect
                            | FieldType::LookupUserSelect => false,
                        })
            }
            _ => false,
        }
    }

    fn name_every_choice(&self, one: &Condition, conditions: &[&Condition]) -> bool {
        let fields = self.certain_fields(one);
        let mut named = HashSet::new();
        for condition in conditions.iter().filter(|other| other.field == one.field) {
            match (condition.operator, &condition.value) {
                (Operator::Equals, Value::String(text)) => {
                    named.insert(text.clone());
                }
                (Operator::In, Value::String(text)) => {
                    named.extend(text.split(',').map(|part| part.trim().to_owned()));
                }
                (Operator::In, Value::Array(items)) => {
                    named.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {}
            }
        }
        let is_named_whole = |field: &&Field| {
            field.field_type == FieldType::Select
                && !field.options.is_empty()
                && field.options.iter().all(|option| named.contains(option))
        };
        !fields.is_empty() && fields.iter().all(is_named_whole)
    }

    /// The fields, all of one type, that may have given the value which a condition looks at and which is certain to be
    /// there when the step ends; none when it is not certain. Any form with a field of this name may overwrite the value of another.
    fn certain_fields(&self, condition: &Condition) -> Vec<&Field> {
        let Some(key) = condition.form_value_key() else {
            return Vec::new();
        };
        let is_certain = self
            .forms()
            .filter(|step| {
                step.form()
                    .is_some_and(|form| form.fields.iter().any(|field| field.key == key))
            })
            .any(|step| {
                step.key == *self.step || self.graph.leads_only_through(self.workflow, self.step, &step.key)
            });
        let forms = self.forms().filter_map(|step| step.form());
        let given: Vec<(&FormDefinition, &Field)> = forms
            .chain(self.embedded_forms())
            .flat_map(|form| form.fields.iter().map(move |field| (form, field)))
            .filter(|(_, field)| field.key == key)
            .collect();
        let of_one_type = given
            .windows(2)
            .all(|two| matches!(two, [(_, one), (_, other)] if one.field_type == other.field_type));
        if is_certain && of_one_type && given.iter().all(|(form, field)| is_always_given(form, field)) {
            given.into_iter().map(|(_, field)| field).collect()
        } else {
            Vec::new()
        }
    }

    fn forms(&self) -> impl Iterator<Item = &StepDefinition> {
        let steps = self.workflow.steps.values().map(std::convert::AsRef::as_ref);
        steps.filter(|step: &&StepDefinition| step.step_type() == StepType::Form)
    }

    fn embedded_forms(&self) -> impl Iterator<Item = &FormDefinition> {
        let found = self.around.embedded.values().filter_map(|fact| match fact {
            EmbeddedFact::Found(inner) => Some(inner),
            EmbeddedFact::NoWorkflow | EmbeddedFact::NoVersion => None,
        });
        let steps = found.flat_map(|inner| inner.steps.values());
        steps
            .filter(|step| step.step_type() == StepType::Form)
            .filter_map(|step| step.form())
    }
}

/// Whether the form is never accepted without a value of the field; a field of a repeating section has one per row only.
fn is_always_given(form: &FormDefinition, field: &Field) -> bool {
    let has_one_value = form_validator::repeating_section(form, field).is_none();
    field.required && field.conditional_requirements.is_empty() && has_one_value
}
