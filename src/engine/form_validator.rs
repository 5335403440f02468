//! Whether submitted values keep the rules of a form (contract engine-core 5.3 with its targets).
//!
//! All messages are collected. Types are strict (HZ-49), options must be members, dates are compared in the business
//! time zone (HZ-48), conditions see the values of other forms (HZ-11), keys outside of the form are refused (HZ-10).

use super::condition_evaluator::{self, is_empty, parse_number};
use super::definition::{
    DateRules, Field, FieldType, FormDefinition, Logic, RequirementCondition, RequirementRule, Section,
};
use crate::domain::id::{AttachmentId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::person::Email;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::limits;
use chrono::NaiveDate;
use serde_json::{Map, Value};

/// What the rules of a form look at besides the values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The step that the form belongs to.
    pub(crate) own_step: &'a StepKey,
    /// Values of the ticket's other forms.
    pub(crate) other_values: &'a Map<String, Value>,
    /// Today in the business time zone.
    pub(crate) today: NaiveDate,
}

/// A file named in a form, and the field it was given in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedFile {
    /// The file.
    pub(crate) id: AttachmentId,
    /// The field's key.
    pub(crate) field_key: String,
}

/// Checks the size of one submission's values (design 3, size).
pub(crate) fn check_size(values: &JsonObject) -> Result<(), Refusal> {
    if values.text_len() > limits::SUBMISSION_BYTES {
        return Err(Refusal::invalid("the values are larger than 256 KiB"));
    }
    Ok(())
}

/// Every rule that the values break; empty when they are right.
pub(crate) fn validate(
    form: &FormDefinition,
    values: &Map<String, Value>,
    around: Surroundings<'_>,
) -> Vec<String> {
    let mut messages = Vec::new();
    for section in form.sections.iter().filter(|section| section.is_repeating) {
        validate_rows(form, section, values, around, &mut messages);
    }
    for field in &form.fields {
        if repeating_section(form, field).is_none() {
            let scope = Values {
                row: None,
                values,
                around,
            };
            validate_field(field, values.get(&field.key), scope, "", &mut messages);
        }
    }
    messages
}

/// Whether a field outside of repeating sections takes a value beside the other `values` of its form.
pub(crate) fn takes(
    field: &Field,
    value: &Value,
    values: &Map<String, Value>,
    around: Surroundings<'_>,
) -> bool {
    let scope = Values {
        row: None,
        values,
        around,
    };
    let mut messages = Vec::new();
    validate_field(field, Some(value), scope, "", &mut messages);
    messages.is_empty()
}

/// The keys of `values` that do not belong to the form.
pub(crate) fn foreign_keys<'a>(form: &FormDefinition, values: &'a Map<String, Value>) -> Vec<&'a str> {
    let own = |key: &str| {
        form.fields.iter().any(|field| field.key == key)
            || form.sections.iter().any(|s| s.values_key() == key)
    };
    values
        .keys()
        .map(String::as_str)
        .filter(|key| !own(key))
        .collect()
}

/// The files named in FILE fields, rows included, in order, no doubles.
pub(crate) fn files(form: &FormDefinition, values: &Map<String, Value>) -> Vec<NamedFile> {
    let mut files: Vec<NamedFile> = Vec::new();
    for field in form
        .fields
        .iter()
        .filter(|field| field.field_type == FieldType::File)
    {
        let given: Vec<&Value> = match repeating_section(form, field) {
            Some(section) => rows(section, values)
                .iter()
                .filter_map(|row| row.get(&field.key))
                .collect(),
            None => values.get(&field.key).into_iter().collect(),
        };
        for id in given.into_iter().flat_map(file_ids) {
            if !files.iter().any(|known| known.id == id) {
                files.push(NamedFile {
                    id,
                    field_key: field.key.clone(),
                });
            }
        }
    }
    files
}

fn file_ids(value: &Value) -> Vec<AttachmentId> {
    let texts: Vec<&str> = match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    texts
        .into_iter()
        .filter_map(|text| AttachmentId::try_from(text.to_owned()).ok())
        .collect()
}

/// The repeating section that a field is in: it has a value per row, and none of its own.
pub(crate) fn repeating_section<'a>(form: &'a FormDefinition, field: &Field) -> Option<&'a Section> {
    let id = field.section_id.as_ref()?;
    form.sections
        .iter()
        .find(|section| section.is_repeating && section.id == *id)
}

fn rows<'a>(section: &Section, values: &'a Map<String, Value>) -> &'a [Value] {
    values
        .get(&section.values_key())
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn validate_rows(
    form: &FormDefinition,
    section: &Section,
    values: &Map<String, Value>,
    around: Surroundings<'_>,
    messages: &mut Vec<String>,
) {
    if values
        .get(&section.values_key())
        .is_some_and(|rows| !rows.is_array() && !rows.is_null())
    {
        messages.push(format!("{} must be a list of rows", section.title));
        return;
    }
    let rows = rows(section, values);
    if rows.len() < section.min_rows {
        messages.push(format!(
            "{} needs at least {} rows",
            section.title, section.min_rows
        ));
    }
    let fields: Vec<_> = form
        .fields
        .iter()
        .filter(|field| field.section_id.as_deref() == Some(section.id.as_str()))
        .collect();
    for (index, row) in rows.iter().enumerate() {
        let number = index + 1;
        let Some(row) = row.as_object() else {
            messages.push(format!("{} (row {number}) must be an object", section.title));
            continue;
        };
        if let Some(key) = row
            .keys()
            .find(|key| fields.iter().all(|field| field.key != **key))
        {
            messages.push(format!("{} (row {number}) has no field {key}", section.title));
        }
        let scope = Values {
            row: Some(row),
            values,
            around,
        };
        for field in &fields {
            let place = format!(" (row {number})");
            validate_field(field, row.get(&field.key), scope, &place, messages);
        }
    }
}

/// Where a rule finds the values it names: the row, then this submission, then the ticket's other forms; a rule that
/// names another form finds that form's value first (HZ-11).
#[derive(Debug, Clone, Copy)]
struct Values<'a> {
    row: Option<&'a Map<String, Value>>,
    values: &'a Map<String, Value>,
    around: Surroundings<'a>,
}

impl<'a> Values<'a> {
    fn get(self, condition: &RequirementCondition) -> Option<&'a Value> {
        let key = condition.field_key.as_str();
        let elsewhere = || self.around.other_values.get(key);
        let names_another_form = condition
            .step_id
            .as_ref()
            .is_some_and(|step| step != self.around.own_step);
        if names_another_form {
            return elsewhere().or_else(|| self.values.get(key));
        }
        self.row
            .and_then(|row| row.get(key))
            .or_else(|| self.values.get(key))
            .or_else(elsewhere)
    }
}

fn validate_field(
    field: &Field,
    value: Option<&Value>,
    scope: Values<'_>,
    place: &str,
    messages: &mut Vec<String>,
) {
    let rule = field
        .conditional_requirements
        .iter()
        .find(|rule| rule_holds(rule, scope));
    let required = rule.and_then(|rule| rule.then_required).unwrap_or(field.required);
    let value = value.unwrap_or(&Value::Null);
    let name = format!("{}{place}", field.label);
    let unchecked = field.field_type == FieldType::Checkbox && *value == Value::Bool(false);
    if is_empty(value) || unchecked {
        if required {
            messages.push(format!("{name} is required"));
        }
        return;
    }
    let dates = rule.and_then(|rule| rule.then_dates).unwrap_or(field.rules.dates);
    if let Err(message) = check_value(field, value, dates, scope.around.today) {
        messages.push(format!("{name} {message}"));
    }
}

fn rule_holds(rule: &RequirementRule, scope: Values<'_>) -> bool {
    let holds = |condition: &RequirementCondition| {
        let Some(operator) = condition.operator else {
            return false;
        };
        condition_evaluator::compare(scope.get(condition), operator, &condition.value)
    };
    match rule.logic {
        Logic::All => rule.when.iter().all(holds),
        Logic::Any => rule.when.iter().any(holds),
    }
}

fn check_value(field: &Field, value: &Value, dates: DateRules, today: NaiveDate) -> Result<(), String> {
    match field.field_type {
        FieldType::Text | FieldType::Textarea => check_text(field, value),
        FieldType::Number => check_number(field, value),
        FieldType::Date => check_date(value, dates, today),
        FieldType::Select => check_option(field, value),
        FieldType::Multiselect => {
            let items = value.as_array().ok_or("must be a list of choices")?;
            items.iter().try_for_each(|item| check_option(field, item))
        }
        FieldType::Checkbox => value
            .as_bool()
            .map(|_| ())
            .ok_or_else(|| "must be true or false".to_owned()),
        FieldType::File => check_files(value),
        FieldType::UserSelect | FieldType::LookupUserSelect => check_person(value),
    }
}

fn check_text(field: &Field, value: &Value) -> Result<(), String> {
    let text = value.as_str().ok_or("must be text")?;
    let length = text.chars().count();
    let rules = &field.rules;
    if rules.min_length > 0 && length < rules.min_length {
        return Err(format!("must have at least {} characters", rules.min_length));
    }
    if rules.max_length > 0 && length > rules.max_length {
        return Err(format!("must have at most {} characters", rules.max_length));
    }
    if rules
        .pattern
        .as_ref()
        .is_some_and(|pattern| !pattern.is_match(text))
    {
        return Err("does not have the required form".to_owned());
    }
    Ok(())
}

fn check_number(field: &Field, value: &Value) -> Result<(), String> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse_number(text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let number = number
        .filter(|number| number.is_finite())
        .ok_or("must be a number")?;
    if field.rules.min_value.is_some_and(|least| number < least) {
        return Err(format!(
            "must be at least {}",
            field.rules.min_value.unwrap_or_default()
        ));
    }
    if field.rules.max_value.is_some_and(|most| number > most) {
        return Err(format!(
            "must be at most {}",
            field.rules.max_value.unwrap_or_default()
        ));
    }
    Ok(())
}

fn check_date(value: &Value, dates: DateRules, today: NaiveDate) -> Result<(), String> {
    let text = value.as_str().ok_or("must be a date like 2026-01-31")?;
    let day = text.split('T').next().unwrap_or(text);
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d")
        .map_err(|_| "must be a date like 2026-01-31".to_owned())?;
    let (allowed, message) = match date.cmp(&today) {
        std::cmp::Ordering::Less => (dates.past, "must not lie in the past"),
        std::cmp::Ordering::Equal => (dates.today, "must not be today"),
        std::cmp::Ordering::Greater => (dates.future, "must not lie in the future"),
    };
    if allowed { Ok(()) } else { Err(message.to_owned()) }
}

fn check_option(field: &Field, value: &Value) -> Result<(), String> {
    let text = value.as_str().ok_or("must be one of the choices")?;
    if field.options.is_empty() || field.options.iter().any(|option| option == text) {
        Ok(())
    } else {
        Err("must be one of the choices".to_owned())
    }
}

fn check_files(value: &Value) -> Result<(), String> {
    let named = match value {
        Value::String(_) => 1,
        Value::Array(items) => items.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => 0,
    };
    let known = file_ids(value).len();
    if named > 0 && known == named {
        Ok(())
    } else {
        Err("must be a list of uploaded files".to_owned())
    }
}

/// An address, or an object that holds one.
fn check_person(value: &Value) -> Result<(), String> {
    let address = match value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(map) => map.get("email").and_then(Value::as_str),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    let valid = address.is_some_and(|text| Email::try_from(text).is_ok());
    if valid {
        Ok(())
    } else {
        Err("must be a person".to_owned())
    }
}
