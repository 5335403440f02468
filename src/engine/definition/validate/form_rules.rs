//! Forms: keys that must differ, choices that must be there, rules that can be kept.

use super::Report;
use crate::domain::id::StepKey;
use crate::engine::definition::model::{CompiledWorkflow, Field, FieldType, FormDefinition, StepKind};
use std::collections::HashSet;

pub(super) fn check(workflow: &CompiledWorkflow, report: &mut Report) {
    for (index, step) in workflow.steps.values().enumerate() {
        let path = format!("steps[{index}]");
        if let Some(form) = step.form() {
            check_form(workflow, form, &path, report);
        }
        if let StepKind::Task(task) = &step.kind
            && let Some(linked) = &task.linked
        {
            let source = workflow.step(&linked.source_step_id).and_then(|step| step.form());
            let section = source.and_then(|form| {
                form.sections
                    .iter()
                    .find(|section| section.is_repeating && section.id == linked.source_section_id)
            });
            // The source of a task in an embedded workflow may be a form around it.
            if source.is_some() && section.is_none() {
                let path = format!("{path}.linked_repeating_source");
                report.error(
                    "LINKED_SOURCE_UNKNOWN",
                    path,
                    "the linked section does not exist or does not repeat",
                );
            }
        }
    }
}

fn check_form(workflow: &CompiledWorkflow, form: &FormDefinition, path: &str, report: &mut Report) {
    let mut sections = HashSet::new();
    for section in &form.sections {
        if !sections.insert(section.id.as_str()) {
            let message = format!("the section id {} is used twice", section.id);
            report.error("DUPLICATE_SECTION_ID", format!("{path}.sections"), message);
        }
    }
    let mut keys = HashSet::new();
    for (index, field) in form.fields.iter().enumerate() {
        let path = format!("{path}.fields[{index}]");
        if !keys.insert(field.key.as_str()) {
            let message = format!("the field key {} is used twice in this form", field.key);
            report.error("DUPLICATE_FIELD_KEY", format!("{path}.field_key"), message);
        }
        if field.key.starts_with("__") || field.key.contains('\0') {
            let message = format!("the field key {} is reserved", field.key);
            report.error("RESERVED_FIELD_KEY", format!("{path}.field_key"), message);
        }
        check_field(workflow, field, &path, report);
    }
}

fn check_field(workflow: &CompiledWorkflow, field: &Field, path: &str, report: &mut Report) {
    let chooses = matches!(field.field_type, FieldType::Select | FieldType::Multiselect);
    if chooses && field.options.is_empty() {
        report.error(
            "MISSING_OPTIONS",
            format!("{path}.options"),
            format!("{} has no choices", field.label),
        );
    }
    let rules = &field.rules;
    let path_of_rules = format!("{path}.validation");
    if rules.max_length > 0 && rules.min_length > rules.max_length {
        report.error(
            "INVALID_RANGE",
            path_of_rules.clone(),
            format!("{}: min_length is above max_length", field.label),
        );
    }
    if let (Some(least), Some(most)) = (rules.min_value, rules.max_value)
        && least > most
    {
        report.error(
            "INVALID_RANGE",
            path_of_rules.clone(),
            format!("{}: min_value is above max_value", field.label),
        );
    }
    if !rules.dates.past && !rules.dates.today && !rules.dates.future {
        report.error(
            "ALL_DATES_BLOCKED",
            path_of_rules.clone(),
            format!("{} allows no date at all", field.label),
        );
    }
    if field.field_type == FieldType::LookupUserSelect {
        check_lookup_source(workflow, field, &path_of_rules, report);
    }
}

fn check_lookup_source(workflow: &CompiledWorkflow, field: &Field, path: &str, report: &mut Report) {
    let has_field = |form: &StepKey, key: &str| {
        let form = workflow.step(form).and_then(|step| step.form());
        form.is_some_and(|form| form.fields.iter().any(|field| field.key == key))
    };
    match (&field.rules.lookup_step_id, &field.rules.lookup_field_key) {
        (Some(form), Some(key)) if has_field(form, key) => {}
        (Some(_), Some(_)) => {
            report.error(
                "LOOKUP_SOURCE_UNKNOWN",
                path,
                format!("{}: the field that supplies its key does not exist", field.label),
            );
        }
        _ => report.error(
            "LOOKUP_SOURCE_MISSING",
            path,
            format!("{} does not say which field supplies its key", field.label),
        ),
    }
}
