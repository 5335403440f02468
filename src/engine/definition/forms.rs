//! Reads forms: fields, sections and their rules (contract http-workflows 3.5).

use super::compile::{Findings, filled, present, read_logic, text};
use super::model::{
    DateRules, Field, FieldRules, FieldType, FormDefinition, Operator, RequirementCondition, RequirementRule,
    Section,
};
use super::steps::{flag, objects};
use crate::domain::id::StepKey;
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Largest compiled form of a pattern, in bytes, so that no definition takes the memory.
const PATTERN_BYTES: usize = 256 * 1024;

/// Reads the form whose fields are under `fields_key`.
pub(super) fn read(
    raw: &Map<String, Value>,
    fields_key: &str,
    path: &str,
    findings: &mut Findings,
) -> FormDefinition {
    let mut form = FormDefinition::default();
    for (section_path, section) in objects(raw, "sections", path, findings) {
        let Some(id) = filled(section, "section_id") else {
            findings.add(section_path, "a section needs a section_id");
            continue;
        };
        form.sections.push(Section {
            id: id.to_owned(),
            title: text(section, "section_title").unwrap_or(id).to_owned(),
            is_repeating: flag(section, "is_repeating").unwrap_or(false),
            min_rows: count(section, "min_rows"),
        });
    }
    for (field_path, field) in objects(raw, fields_key, path, findings) {
        form.fields.extend(read_field(field, &field_path, findings));
    }
    form
}

/// The choices as they are written: a value is compared with them as it is sent.
fn options(raw: &Map<String, Value>) -> Vec<String> {
    let list = raw.get("options").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str)
        .filter(|text| !text.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

fn count(raw: &Map<String, Value>, key: &str) -> usize {
    let number = present(raw, key).and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn read_field(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> Option<Field> {
    let Some(key) = filled(raw, "field_key") else {
        findings.add(format!("{path}.field_key"), "a field needs a field_key");
        return None;
    };
    let Some(field_type) = text(raw, "field_type").and_then(FieldType::from_word) else {
        findings.add(format!("{path}.field_type"), "unknown field type");
        return None;
    };
    let empty = Map::new();
    let validation = present(raw, "validation")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let conditional_requirements = objects(raw, "conditional_requirements", path, findings);
    Some(Field {
        key: key.to_owned(),
        label: filled(raw, "field_label").unwrap_or(key).to_owned(),
        field_type,
        required: flag(raw, "required").unwrap_or(false),
        options: options(raw),
        section_id: filled(raw, "section_id").map(str::to_owned),
        rules: read_rules(validation, &format!("{path}.validation"), findings),
        conditional_requirements: conditional_requirements
            .iter()
            .filter_map(|(_, rule)| read_requirement(rule))
            .collect(),
    })
}

impl FieldType {
    /// The type of an upper-case word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "TEXT" => Self::Text,
            "TEXTAREA" => Self::Textarea,
            "NUMBER" => Self::Number,
            "DATE" => Self::Date,
            "SELECT" => Self::Select,
            "MULTISELECT" => Self::Multiselect,
            "CHECKBOX" => Self::Checkbox,
            "FILE" => Self::File,
            "USER_SELECT" => Self::UserSelect,
            "LOOKUP_USER_SELECT" => Self::LookupUserSelect,
            _ => return None,
        })
    }
}

fn read_rules(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> FieldRules {
    let number = |key: &str| present(raw, key).and_then(Value::as_f64);
    FieldRules {
        min_length: count(raw, "min_length"),
        max_length: count(raw, "max_length"),
        min_value: number("min_value"),
        max_value: number("max_value"),
        pattern: text(raw, "regex_pattern")
            .filter(|pattern| !pattern.is_empty())
            .and_then(|pattern| {
                let compiled = whole_value_pattern(pattern);
                if compiled.is_none() {
                    findings.add(
                        format!("{path}.regex_pattern"),
                        "this pattern cannot be used; look-around and back-references are not supported",
                    );
                }
                compiled
            }),
        dates: read_dates(raw).unwrap_or_default(),
        lookup_step_id: filled(raw, "lookup_step_id").map(StepKey::from),
        lookup_field_key: filled(raw, "lookup_field_key").map(str::to_owned),
    }
}

/// A pattern that the whole value must match (HZ-47), in an engine whose time is linear in the text.
fn whole_value_pattern(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build()
        .ok()
}

/// Only an explicit `false` forbids.
fn read_dates(raw: &Map<String, Value>) -> Option<DateRules> {
    let rules = present(raw, "date_validation")?.as_object()?;
    let allowed = |key: &str| flag(rules, key).unwrap_or(true);
    Some(DateRules {
        past: allowed("allow_past_dates"),
        today: allowed("allow_today"),
        future: allowed("allow_future_dates"),
    })
}

fn read_requirement(raw: &Map<String, Value>) -> Option<RequirementRule> {
    let when = present(raw, "when")?.as_object()?;
    let mut conditions = vec![read_requirement_condition(when)?];
    let further = when
        .get("conditions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    conditions.extend(
        further
            .filter_map(Value::as_object)
            .filter_map(read_requirement_condition),
    );
    let empty = Map::new();
    let then = present(raw, "then").and_then(Value::as_object).unwrap_or(&empty);
    Some(RequirementRule {
        logic: read_logic(text(when, "logic")),
        when: conditions,
        then_required: flag(then, "required"),
        then_dates: read_dates(then),
    })
}

fn read_requirement_condition(raw: &Map<String, Value>) -> Option<RequirementCondition> {
    let operator = match text(raw, "operator")? {
        "equals" => Some(Operator::Equals),
        "not_equals" => Some(Operator::NotEquals),
        "in" => Some(Operator::In),
        "not_in" => Some(Operator::NotIn),
        "is_empty" => Some(Operator::IsEmpty),
        "is_not_empty" => Some(Operator::IsNotEmpty),
        _ => None,
    };
    Some(RequirementCondition {
        field_key: filled(raw, "field_key")?.to_owned(),
        step_id: filled(raw, "step_id").map(StepKey::from),
        operator,
        value: raw.get("value").cloned().unwrap_or(Value::Null),
    })
}
