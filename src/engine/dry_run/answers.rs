//! What people answer on imaginary tickets in the fields that conditions look at: only what a form takes, something
//! wherever it insists, and one answer for each way in which the conditions on a field can come out together.

use crate::domain::id::StepKey;
use crate::domain::json::JsonObject;
use crate::engine::condition_evaluator;
use crate::engine::definition::{
    ApproverSource, CompiledWorkflow, Condition, ConditionGroup, Field, FieldType, FormDefinition, StepKind,
};
use crate::engine::facts::Definitions;
use crate::engine::form_validator::{self, Surroundings};
use chrono::NaiveDate;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

/// The answers by field.
pub(super) struct Answers {
    questions: IndexMap<String, Question>,
    today: NaiveDate,
}

/// A field that conditions look at.
struct Question {
    /// Answers that differ in which of the conditions hold; null when the field may be left empty.
    answers: Vec<Value>,
    /// No form has such a field; its value is there from the start or never.
    is_in_no_form: bool,
}

impl Answers {
    /// The answers to what the forms of a workflow and of those embedded in it ask, their rules as they are drawn.
    pub(super) fn of(drawn: &Definitions, today: NaiveDate) -> Self {
        let mut asked: IndexMap<&str, Vec<&Condition>> = IndexMap::new();
        for condition in workflows(drawn).flat_map(conditions) {
            if let Some(key) = condition.form_value_key() {
                asked.entry(key).or_default().push(condition);
            }
        }
        let questions = asked.into_iter().map(|(key, conditions)| {
            let fields: Vec<(&StepKey, &Field)> = workflows(drawn)
                .flat_map(|workflow| workflow.steps.values())
                .filter_map(|step| Some((&step.key, step.form()?)))
                .flat_map(|(step, form)| plain_fields(form).map(move |field| (step, field)))
                .filter(|(_, field)| field.key == key)
                .collect();
            let question = Question {
                answers: distinct(&conditions, &fields, today),
                is_in_no_form: fields.is_empty(),
            };
            (key.to_owned(), question)
        });
        Self {
            questions: questions.collect(),
            today,
        }
    }

    /// The answers with which most of a group's conditions hold.
    pub(super) fn that_fit(&self, group: &ConditionGroup) -> Map<String, Value> {
        let mut fitting = Map::new();
        for key in group.conditions.iter().filter_map(Condition::form_value_key) {
            let own = |condition: &&Condition| condition.form_value_key() == Some(key);
            let held = |answer: &&Value| {
                let own = group.conditions.iter().filter(own);
                own.filter(|condition| holds(condition, answer)).count()
            };
            // Of several the first.
            if let Some(best) = self.answers_to(key).iter().rev().max_by_key(held) {
                fitting.insert(key.to_owned(), best.clone());
            }
        }
        fitting
    }

    fn answers_to(&self, key: &str) -> &[Value] {
        let question = self.questions.get(key);
        question.map_or(&[], |question| &question.answers)
    }

    /// Every single answer.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &Value)> {
        let questions = self.questions.iter();
        questions
            .flat_map(|(key, question)| question.answers.iter().map(move |answer| (key.as_str(), answer)))
    }

    /// The wishes that no form asks for.
    pub(super) fn unasked(&self, wishes: &Map<String, Value>) -> Map<String, Value> {
        let unasked = |key: &str| {
            self.questions
                .get(key)
                .is_some_and(|question| question.is_in_no_form)
        };
        let wishes = wishes.iter().filter(|(key, _)| unasked(key));
        wishes.map(|(key, wish)| (key.clone(), wish.clone())).collect()
    }

    /// How a person with these wishes fills in the form of a step on a ticket with these values.
    pub(super) fn fill_in(
        &self,
        form: &FormDefinition,
        own_step: &StepKey,
        wishes: &Map<String, Value>,
        other_values: &Map<String, Value>,
    ) -> JsonObject {
        let around = Surroundings {
            own_step,
            other_values,
            today: self.today,
        };
        let mut values = Map::new();
        for field in plain_fields(form) {
            let answers = self.answers_to(&field.key);
            let mut answers = wishes.get(&field.key).into_iter().chain(answers);
            if let Some(answer) = answers.find(|answer| form_validator::takes(field, answer, &values, around))
            {
                values.insert(field.key.clone(), answer.clone());
            }
        }
        JsonObject::from(values)
    }
}

/// The workflow and those embedded in it.
pub(super) fn workflows(drawn: &Definitions) -> impl Iterator<Item = &CompiledWorkflow> {
    let embedded = drawn.embedded.values().flatten();
    std::iter::once(&drawn.own).chain(embedded).map(AsRef::as_ref)
}

/// The conditions of a workflow's edges, as they are joined.
pub(super) fn groups(workflow: &CompiledWorkflow) -> impl Iterator<Item = &ConditionGroup> {
    let edges = workflow.edges.values().flatten();
    edges.filter_map(|edge| edge.condition.as_ref())
}

/// The conditions of a workflow's edges and of its approvers.
fn conditions(workflow: &CompiledWorkflow) -> impl Iterator<Item = &Condition> {
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
    let edges = groups(workflow).flat_map(|group| &group.conditions);
    edges.chain(rules.map(|rule| &rule.condition))
}

fn holds(condition: &Condition, answer: &Value) -> bool {
    condition_evaluator::compare(Some(answer), condition.operator, &condition.value)
}

/// The fields outside of repeating sections: a condition finds no others.
fn plain_fields(form: &FormDefinition) -> impl Iterator<Item = &Field> {
    let fields = form.fields.iter();
    fields.filter(move |field| form_validator::repeating_section(form, field).is_none())
}

/// One answer for each way in which conditions on a field can come out; each is taken by one of the fields, if any.
fn distinct(conditions: &[&Condition], fields: &[(&StepKey, &Field)], today: NaiveDate) -> Vec<Value> {
    let nothing = Map::new();
    let is_taken = |answer: &Value| {
        let taken = |(own_step, field): &(&StepKey, &Field)| {
            let around = Surroundings {
                own_step,
                other_values: &nothing,
                today,
            };
            form_validator::takes(field, answer, &nothing, around)
        };
        fields.is_empty() || fields.iter().any(taken)
    };
    let around_operands = conditions
        .iter()
        .flat_map(|condition| witnesses(&condition.value));
    let suggested = fields.iter().flat_map(|(_, field)| suggested(field, today));
    let mut outcomes: Vec<Vec<bool>> = Vec::new();
    let mut answers = Vec::new();
    for answer in std::iter::once(Value::Null)
        .chain(around_operands)
        .chain(suggested)
    {
        if !is_taken(&answer) {
            continue;
        }
        let outcome = conditions
            .iter()
            .map(|condition| holds(condition, &answer))
            .collect();
        if !outcomes.contains(&outcome) {
            outcomes.push(outcome);
            answers.push(answer);
        }
    }
    answers
}

/// What a field has to offer by itself.
fn suggested(field: &Field, today: NaiveDate) -> Vec<Value> {
    match field.field_type {
        FieldType::Select => field.options.iter().map(|option| json!(option)).collect(),
        FieldType::Multiselect => field.options.iter().map(|option| json!([option])).collect(),
        FieldType::Number => {
            let bounds = [field.rules.min_value, field.rules.max_value];
            bounds.into_iter().flatten().map(Value::from).collect()
        }
        FieldType::Date => vec![json!("1000-01-01"), json!(today.to_string()), json!("9000-01-01")],
        FieldType::UserSelect | FieldType::LookupUserSelect => vec![json!("somebody@dry-run.invalid")],
        FieldType::Text | FieldType::Textarea | FieldType::Checkbox | FieldType::File => Vec::new(),
    }
}

/// Values around an operand, one of which makes almost any comparison true and one false.
fn witnesses(operand: &Value) -> Vec<Value> {
    let mut found = vec![operand.clone(), json!("another"), json!(""), json!([operand])];
    let number = operand
        .as_f64()
        .or_else(|| operand.as_str().and_then(|text| text.trim().parse().ok()));
    if let Some(number) = number {
        // A field of text takes numbers as text.
        let around = [number + 1.0, number - 1.0, number];
        found.extend(around.iter().map(|number| json!(number)));
        found.extend(around.iter().map(|number| json!(number.to_string())));
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
            let condition = Condition {
                field: "form_values.it".to_owned(),
                operator,
                value: operand,
            };
            let answers = distinct(&[&condition], &[], NaiveDate::MIN);
            let outcomes: Vec<bool> = answers.iter().map(|answer| holds(&condition, answer)).collect();
            assert!(
                outcomes.contains(&true) && outcomes.contains(&false),
                "{operator:?} {answers:?}"
            );
        }
    }
}
