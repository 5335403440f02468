//! Values for a form: `{"form": {"fields": .., "sections": ..}, "values": .., "other_values": ..}`.

use super::{object_at, object_in, stored};
use crate::domain::id::{StepKey, WorkflowId};
use crate::domain::workflow::Definition;
use crate::engine::condition_evaluator::is_empty;
use crate::engine::definition::validate::{Surroundings as Around, compile_draft, validate as publishable};
use crate::engine::definition::{Field, FieldType, FormDefinition, StepKind};
use crate::engine::form_validator::{Surroundings, check_size, files, foreign_keys, validate};
use crate::engine::testing::{object, policy};
use serde_json::{Map, Value, json};

pub(super) fn try_out(data: &[u8]) -> Vec<String> {
    let Some(input) = object_in(data) else {
        return vec!["no object".to_owned()];
    };
    let Some(form) = form(object_at(&input, "form")) else {
        return vec!["no form".to_owned()];
    };
    let (values, other_values) = (object_at(&input, "values"), object_at(&input, "other_values"));
    let own_step = StepKey::from("ask");
    let around = Surroundings {
        own_step: &own_step,
        other_values: &other_values,
        today: policy().today,
    };
    let messages = validate(&form, &values, around);
    assert_eq!(
        messages,
        validate(&form, &stored(&values), around),
        "the verdict changes when the values are stored"
    );
    check_foreign_key(&form, &values, around, &messages);
    let named = files(&form, &values);
    let _ = check_size(&values.clone().into());
    if !messages.is_empty() {
        return vec!["refused".to_owned()];
    }
    check_accepted(&form, &values);
    let mut came_to = vec!["accepted".to_owned()];
    if !named.is_empty() {
        came_to.push("accepted with files".to_owned());
    }
    came_to
}

/// The form as a step of a workflow that has nothing else; its checks must not panic either.
fn form(mut step: Map<String, Value>) -> Option<FormDefinition> {
    step.insert("step_id".to_owned(), json!("ask"));
    step.insert("step_type".to_owned(), json!("FORM_STEP"));
    let definition = Definition(object(json!({"steps": [step], "transitions": []})));
    let id = WorkflowId::derived("form");
    let _ = publishable(&definition, &Around::of(id.clone()));
    let workflow = compile_draft(&definition, &id);
    match &workflow.step(&StepKey::from("ask"))?.kind {
        StepKind::Form(form) => Some(form.clone()),
        StepKind::Approval(_)
        | StepKind::Task(_)
        | StepKind::Notify(_)
        | StepKind::Fork(_)
        | StepKind::Join(_)
        | StepKind::SubWorkflow(_) => None,
    }
}

/// A key that is not the form's is named as such, and changes nothing else.
fn check_foreign_key(
    form: &FormDefinition,
    values: &Map<String, Value>,
    around: Surroundings<'_>,
    messages: &[String],
) {
    let key = "a key that no form has";
    let referred_to = |field: &Field| {
        let mut conditions = field.conditional_requirements.iter().flat_map(|rule| &rule.when);
        conditions.any(|condition| condition.field_key == key)
    };
    if form
        .fields
        .iter()
        .any(|field| field.key == key || referred_to(field))
    {
        return;
    }
    let mut more = values.clone();
    more.insert(key.to_owned(), json!(1));
    assert!(foreign_keys(form, &more).contains(&key));
    assert_eq!(validate(form, &more, around), messages);
}

/// Says a second time, in other words, what accepted values are.
fn check_accepted(form: &FormDefinition, values: &Map<String, Value>) {
    let repeating = |field: &Field| {
        let mut sections = form.sections.iter().filter(|section| section.is_repeating);
        sections.any(|section| field.section_id.as_deref() == Some(&section.id))
    };
    for field in form.fields.iter().filter(|field| !repeating(field)) {
        let value = values.get(&field.key).unwrap_or(&Value::Null);
        let unconditional = field.conditional_requirements.is_empty();
        if is_empty(value) {
            assert!(!(field.required && unconditional), "{} is missing", field.key);
            continue;
        }
        let rules = &field.rules;
        match field.field_type {
            FieldType::Number => {
                let number = value.as_f64();
                let number = number.or_else(|| value.as_str()?.trim().parse().ok()).unwrap();
                assert!(number.is_finite());
                assert!(rules.min_value.is_none_or(|least| number >= least));
                assert!(rules.max_value.is_none_or(|most| number <= most));
            }
            FieldType::Text | FieldType::Textarea => {
                let length = value.as_str().unwrap().chars().count();
                assert!(length >= rules.min_length && (rules.max_length == 0 || length <= rules.max_length));
            }
            FieldType::Select => {
                let chosen = value.as_str().unwrap();
                assert!(form_offers(field, chosen));
            }
            FieldType::Multiselect => {
                let mut chosen = value.as_array().unwrap().iter();
                assert!(chosen.all(|one| form_offers(field, one.as_str().unwrap())));
            }
            FieldType::Checkbox => assert!(value.is_boolean()),
            FieldType::Date => assert!(value.as_str().unwrap().len() >= "1-1-1".len()),
            FieldType::File => assert!(!files(form, values).is_empty()),
            FieldType::UserSelect | FieldType::LookupUserSelect => {
                assert!(value.is_string() || value["email"].is_string());
            }
        }
    }
    for section in form.sections.iter().filter(|section| section.is_repeating) {
        let rows = values.get(&section.values_key()).and_then(Value::as_array);
        let rows = rows.map_or(&[][..], Vec::as_slice);
        assert!(rows.len() >= section.min_rows && rows.iter().all(Value::is_object));
    }
}

fn form_offers(field: &Field, chosen: &str) -> bool {
    field.options.is_empty() || field.options.iter().any(|option| option == chosen)
}
