//! Approvals: every one ends up with somebody who can be found.

use super::{Notes, Rules, filled, keep_word};
use serde_json::{Map, Value, json};

/// Corrects who approves. Addresses that nobody named are taken out, an approval without anybody left goes to the
/// requester's manager, and the designer stands in where a manager or an assignee may be missing.
pub(super) fn approval(step: &mut Map<String, Value>, name: &str, rules: Rules<'_>, notes: &mut Notes) {
    addresses(step, name, rules, notes);
    parallel(step, name, rules, notes);
    let resolution = filled(step, "approver_resolution")
        .map(str::to_uppercase)
        .unwrap_or_default();
    let resolution = match resolution.as_str() {
        "SPECIFIC_EMAIL" if filled(step, "specific_approver_email").is_some() => "SPECIFIC_EMAIL",
        "SPOC_EMAIL" if filled(step, "spoc_email").is_some() => "SPOC_EMAIL",
        "STEP_ASSIGNEE" if filled(step, "step_assignee_step_id").is_some() => "STEP_ASSIGNEE",
        "CONDITIONAL" if conditional(step, name, rules, notes) => "CONDITIONAL",
        "FROM_LOOKUP" if is_known_lookup(step, rules) => "FROM_LOOKUP",
        "" | "REQUESTER_MANAGER" => "REQUESTER_MANAGER",
        _ => {
            notes.add(format!(
                "{name}: nobody that was named approves it, so the requester's manager does."
            ));
            "REQUESTER_MANAGER"
        }
    };
    step.insert("approver_resolution".to_owned(), json!(resolution));
    if resolution != "FROM_LOOKUP" {
        step.retain(|key, _| !key.starts_with("lookup_"));
    }
    let may_be_missing = matches!(
        resolution,
        "REQUESTER_MANAGER" | "STEP_ASSIGNEE" | "FROM_LOOKUP" | "CONDITIONAL"
    );
    let is_parallel = step.contains_key("parallel_approval");
    let has_fallback = filled(step, "spoc_email").is_some();
    if may_be_missing && !is_parallel && !has_fallback {
        step.insert("spoc_email".to_owned(), json!(rules.contact.as_str()));
        notes.add(format!(
            "{name}: {} stands in when no approver is found.",
            rules.contact
        ));
    }
}

/// Takes out addresses that nobody named, with the names and ids beside them.
fn addresses(step: &mut Map<String, Value>, name: &str, rules: Rules<'_>, notes: &mut Notes) {
    for key in [
        "specific_approver_email",
        "spoc_email",
        "primary_approver_email",
        "conditional_fallback_approver",
    ] {
        let is_unknown = step.get(key).is_some_and(|value| !is_known(value, rules));
        if is_unknown {
            step.remove(key);
            notes.add(format!("{name}: an address that nobody named was left out."));
        }
    }
    if filled(step, "specific_approver_email").is_none() {
        step.retain(|key, _| !key.starts_with("specific_approver_"));
    }
}

fn is_known(value: &Value, rules: Rules<'_>) -> bool {
    value
        .as_str()
        .is_some_and(|address| rules.known.has_email(address))
}

fn parallel(step: &mut Map<String, Value>, name: &str, rules: Rules<'_>, notes: &mut Notes) {
    if !step.contains_key("parallel_approval") && !step.contains_key("parallel_approvers") {
        return;
    }
    let given = step
        .get("parallel_approvers")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut kept: Vec<Value> = Vec::new();
    for address in &given {
        if !is_known(address, rules) {
            notes.add(format!("{name}: an address that nobody named was left out."));
        } else if !kept.contains(address) {
            kept.push(address.clone());
        }
    }
    if kept.is_empty() && filled(step, "specific_approver_email").is_none() {
        step.retain(|key, _| !key.starts_with("parallel_"));
        return;
    }
    step.insert("parallel_approvers".to_owned(), Value::Array(kept.clone()));
    keep_word(
        step,
        "parallel_approval",
        &["ALL", "ANY", "MAJORITY"],
        "ALL",
        notes,
    );
    for key in ["required_approvals", "approval_percentage"] {
        if step.get(key).is_some_and(|value| !value.is_u64()) {
            step.remove(key);
        }
    }
    let is_approver = step
        .get("primary_approver_email")
        .is_none_or(|primary| kept.contains(primary) || step.get("specific_approver_email") == Some(primary));
    if !is_approver {
        step.remove("primary_approver_email");
    }
}

/// Keeps the rules that can be read and name somebody known; whether any is left.
fn conditional(step: &mut Map<String, Value>, name: &str, rules: Rules<'_>, notes: &mut Notes) -> bool {
    let given = step
        .get("conditional_approver_rules")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut kept = Vec::new();
    for rule in given.iter().filter_map(Value::as_object) {
        let field = filled(rule, "field_key").or_else(|| filled(rule, "field"));
        let field = field.map(|field| field.trim().trim_start_matches("form_values."));
        let is_named = rule
            .get("approver_email")
            .is_some_and(|address| is_known(address, rules));
        let (Some(field), true) = (field, is_named) else {
            notes.add(format!(
                "{name}: a rule without a field or a named approver was left out."
            ));
            continue;
        };
        let mut rule = rule.clone();
        let word = operator(filled(&rule, "operator").unwrap_or("EQUALS"));
        rule.remove("field");
        rule.insert("field_key".to_owned(), json!(field));
        rule.insert("operator".to_owned(), json!(word));
        rule.entry("value").or_insert(Value::Null);
        kept.push(Value::Object(rule));
    }
    let has_rules = !kept.is_empty();
    step.insert("conditional_approver_rules".to_owned(), Value::Array(kept));
    if !has_rules {
        step.remove("conditional_approver_rules");
    }
    has_rules
}

fn is_known_lookup(step: &Map<String, Value>, rules: Rules<'_>) -> bool {
    filled(step, "lookup_id").is_some_and(|id| rules.known.has_lookup(id))
        && filled(step, "lookup_source_field_key").is_some()
}

/// The operator by its word or sign; a word that is none stays, for the checks to name it.
pub(super) fn operator(given: &str) -> String {
    let word = given.trim().to_uppercase().replace([' ', '-'], "_");
    let known = match word.as_str() {
        "=" | "==" | "EQ" | "EQUAL" | "IS" => "EQUALS",
        "!=" | "<>" | "NE" | "NOT_EQUAL" | "IS_NOT" => "NOT_EQUALS",
        ">" | "GT" => "GREATER_THAN",
        "<" | "LT" => "LESS_THAN",
        ">=" | "GTE" | "GREATER_THAN_OR_EQUAL" | "GREATER_OR_EQUAL" => "GREATER_THAN_OR_EQUALS",
        "<=" | "LTE" | "LESS_THAN_OR_EQUAL" | "LESS_OR_EQUAL" => "LESS_THAN_OR_EQUALS",
        "EMPTY" => "IS_EMPTY",
        "NOT_EMPTY" => "IS_NOT_EMPTY",
        _ => return word,
    };
    known.to_owned()
}
