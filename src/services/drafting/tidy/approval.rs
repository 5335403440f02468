//! Approvals: every one ends up with somebody who can be found.

use super::super::lenient_json::{NAME, filled, first_filled, line, list, number, objects, word};
use super::super::notes::Notes;
use super::step::{copy_flag, copy_line, copy_word};
use super::{Rules, fields};
use serde_json::{Map, Value, json};

/// The ways in which an approver is found (contract http-workflows 3.4).
const RESOLUTIONS: [&str; 6] = [
    "REQUESTER_MANAGER",
    "SPECIFIC_EMAIL",
    "SPOC_EMAIL",
    "CONDITIONAL",
    "STEP_ASSIGNEE",
    "FROM_LOOKUP",
];

/// Corrects who approves. Addresses that nobody named are left out, an approval without anybody left goes to the
/// requester's manager, and the designer stands in where a manager or an assignee may be missing. Object ids are never
/// taken over: they decide who may approve, and a model cannot know them.
pub(super) fn approval(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    rules: Rules<'_>,
    notes: &mut Notes,
) {
    copy_flag(raw, step, "allow_reassign");
    addresses(raw, step, name, rules, notes);
    parallel(raw, step, name, rules, notes);
    let given = filled(raw, "approver_resolution").map(word).unwrap_or_default();
    if step.contains_key("parallel_approvers") {
        // Several approvers are asked whatever the resolution says.
        let resolution = RESOLUTIONS.iter().find(|known| **known == given);
        let resolution = resolution.copied().unwrap_or("SPECIFIC_EMAIL");
        step.insert("approver_resolution".to_owned(), json!(resolution));
        return;
    }
    let has_specific = filled(step, "specific_approver_email").is_some();
    let resolution = match given.as_str() {
        "SPOC_EMAIL" if filled(step, "spoc_email").is_some() => "SPOC_EMAIL",
        "STEP_ASSIGNEE" if filled(raw, "step_assignee_step_id").is_some() => {
            copy_line(raw, step, "step_assignee_step_id");
            "STEP_ASSIGNEE"
        }
        "CONDITIONAL" if conditional(raw, step, name, rules, notes) => "CONDITIONAL",
        "FROM_LOOKUP" if lookup(raw, step, rules) => "FROM_LOOKUP",
        "REQUESTER_MANAGER" => "REQUESTER_MANAGER",
        _ if has_specific => "SPECIFIC_EMAIL",
        _ => {
            if !given.is_empty() {
                notes.add(format!(
                    "{name}: nobody that was named approves it, so the requester's manager does."
                ));
            }
            "REQUESTER_MANAGER"
        }
    };
    step.insert("approver_resolution".to_owned(), json!(resolution));
    if !matches!(resolution, "SPECIFIC_EMAIL" | "SPOC_EMAIL") {
        stand_in(step, name, rules, notes);
    }
}

/// The designer approves when nobody else can be found.
fn stand_in(step: &mut Map<String, Value>, name: &str, rules: Rules<'_>, notes: &mut Notes) {
    if filled(step, "spoc_email").is_none() {
        step.insert("spoc_email".to_owned(), json!(rules.contact.as_str()));
        notes.add(format!(
            "{name}: {} stands in when no approver is found.",
            rules.contact
        ));
    }
}

/// Makes the requester's manager the approver.
pub(in super::super) fn by_manager(
    step: &mut Map<String, Value>,
    name: &str,
    rules: Rules<'_>,
    notes: &mut Notes,
) {
    for key in [
        "step_assignee_step_id",
        "conditional_approver_rules",
        "conditional_fallback_approver",
    ] {
        step.remove(key);
    }
    step.insert("approver_resolution".to_owned(), json!("REQUESTER_MANAGER"));
    notes.add(format!("{name}: the requester's manager approves it."));
    stand_in(step, name, rules, notes);
}

/// Approvals by the assignee of a step that does not exist or has none go to the requester's manager.
pub(super) fn assignees_exist(steps: &mut [Map<String, Value>], rules: Rules<'_>, notes: &mut Notes) {
    let assigned: Vec<String> = steps
        .iter()
        .filter(|step| {
            matches!(
                filled(step, "step_type"),
                Some("TASK_STEP" | "APPROVAL_STEP" | "FORM_STEP")
            )
        })
        .filter_map(|step| filled(step, "step_id").map(str::to_owned))
        .collect();
    for step in steps {
        let is_known = |id: &str| assigned.iter().any(|known| known == id);
        let source = filled(step, "step_assignee_step_id");
        if source.is_some_and(|source| !is_known(source)) {
            let name = filled(step, "step_name").unwrap_or_default().to_owned();
            by_manager(step, &name, rules, notes);
        }
    }
}

/// Takes over the addresses that somebody named.
fn addresses(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    rules: Rules<'_>,
    notes: &mut Notes,
) {
    let sources: [(&str, &[&str]); 3] = [
        (
            "specific_approver_email",
            &["specific_approver_email", "approver_email", "approver"],
        ),
        ("spoc_email", &["spoc_email"]),
        (
            "conditional_fallback_approver",
            &["conditional_fallback_approver"],
        ),
    ];
    for (key, sources) in sources {
        match first_filled(raw, sources).map(str::trim) {
            Some(address) if rules.known.has_email(address) => {
                step.insert(key.to_owned(), json!(address));
            }
            Some(address) if address.contains('@') => {
                notes.add(format!("{name}: an address that nobody named was left out."));
            }
            Some(_) | None => {}
        }
    }
}

fn parallel(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    rules: Rules<'_>,
    notes: &mut Notes,
) {
    let mut kept: Vec<String> = Vec::new();
    for approver in list(raw, "parallel_approvers") {
        let address = approver
            .as_str()
            .or_else(|| approver.get("email").and_then(Value::as_str));
        let address = address.unwrap_or_default().trim();
        if !rules.known.has_email(address) {
            notes.add(format!("{name}: an address that nobody named was left out."));
        } else if !kept.iter().any(|known| known.eq_ignore_ascii_case(address)) {
            kept.push(address.to_owned());
        }
    }
    if kept.is_empty() {
        return;
    }
    copy_word(raw, step, "parallel_approval", &["ALL", "ANY", "MAJORITY"], notes);
    for key in ["required_approvals", "approval_percentage"] {
        if let Some(count) = raw.get(key).and_then(number).and_then(|n| n.as_u64()) {
            step.insert(key.to_owned(), json!(count));
        }
    }
    copy_flag(raw, step, "veto");
    let primary = filled(raw, "primary_approver_email").map(str::trim);
    if let Some(primary) = primary.filter(|primary| kept.iter().any(|one| one == primary)) {
        step.insert("primary_approver_email".to_owned(), json!(primary));
    }
    step.insert("parallel_approvers".to_owned(), json!(kept));
}

/// Takes over the rules that have a field and a named approver; whether there are any.
fn conditional(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    rules: Rules<'_>,
    notes: &mut Notes,
) -> bool {
    let mut kept = Vec::new();
    for rule in objects(raw, "conditional_approver_rules") {
        let field = first_filled(rule, &["field_key", "field"]);
        let field = field.map(|field| fields::slug(field.trim().trim_start_matches("form_values.")));
        let address = filled(rule, "approver_email").map(str::trim);
        let (Some(field), Some(address)) = (field, address.filter(|one| rules.known.has_email(one))) else {
            notes.add(format!(
                "{name}: a rule without a field or a named approver was left out."
            ));
            continue;
        };
        kept.push(json!({
            "field_key": field,
            "operator": operator(filled(rule, "operator").unwrap_or("EQUALS")),
            "value": rule.get("value").cloned().unwrap_or(Value::Null),
            "approver_email": address,
        }));
    }
    let has_rules = !kept.is_empty();
    if has_rules {
        step.insert("conditional_approver_rules".to_owned(), Value::Array(kept));
    }
    has_rules
}

/// Takes over a lookup in a table that the author named; whether it is one.
fn lookup(raw: &Map<String, Value>, step: &mut Map<String, Value>, rules: Rules<'_>) -> bool {
    let table = filled(raw, "lookup_id").filter(|id| rules.known.has_lookup(id));
    let (Some(table), Some(field)) = (table, filled(raw, "lookup_source_field_key")) else {
        return false;
    };
    step.insert("lookup_id".to_owned(), json!(table));
    step.insert("lookup_source_field_key".to_owned(), json!(line(field, NAME)));
    copy_line(raw, step, "lookup_source_step_id");
    true
}

/// The operator by its word or sign; a word that is none stays, for the checks to name it.
pub(super) fn operator(given: &str) -> String {
    let word = word(given);
    let known = match word.as_str() {
        "=" | "==" | "===" | "EQ" | "EQUAL" | "IS" => "EQUALS",
        "!=" | "!==" | "<>" | "NE" | "NOT_EQUAL" | "IS_NOT" => "NOT_EQUALS",
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
