//! A step: its type, the keys that steps of this type have, each in its shape.

use super::super::known::Known;
use super::super::lenient_json::{
    NAME, filled, first_filled, flag, line, lines, list, number, objects, word,
};
use super::super::notes::Notes;
use super::ids::Ids;
use super::{Rules, approval, fields};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The longest time that may be allowed, ten years in minutes.
const LONGEST_MINUTES: f64 = 5_256_000.0;

pub(super) fn step(
    raw: &Map<String, Value>,
    ids: &mut Ids,
    rules: Rules<'_>,
    notes: &mut Notes,
) -> Map<String, Value> {
    let id = ids.take(first_filled(raw, &["step_id", "id"]), notes);
    let name = first_filled(raw, &["step_name", "name", "title"])
        .map_or_else(|| format!("Step {}", ids.count()), |name| line(name, NAME));
    let kind = step_type(raw, &name, notes);
    let mut step = Map::new();
    step.insert("step_id".to_owned(), json!(id));
    step.insert("step_name".to_owned(), json!(name));
    step.insert("step_type".to_owned(), json!(kind));
    copy_text(raw, &mut step, "description");
    for key in ["is_start", "is_terminal"] {
        copy_flag(raw, &mut step, key);
    }
    for key in ["branch_id", "parent_fork_step_id"] {
        copy_line(raw, &mut step, key);
    }
    sla(raw, &mut step, &name, notes);
    match kind {
        "FORM_STEP" => fields::form(raw, &mut step, "fields", notes),
        "APPROVAL_STEP" => approval::approval(raw, &mut step, &name, rules, notes),
        "TASK_STEP" => task(raw, &mut step, notes),
        "NOTIFY_STEP" => notify(raw, &mut step, &name, rules.known, notes),
        "FORK_STEP" => fork(raw, &mut step, notes),
        "JOIN_STEP" => join(raw, &mut step, notes),
        _ => sub_workflow(raw, &mut step, &name, rules.known, notes),
    }
    step
}

/// The type by its word in any spelling; the contract's seven words.
fn step_type(raw: &Map<String, Value>, name: &str, notes: &mut Notes) -> &'static str {
    const WORDS: [(&str, &str); 15] = [
        ("FORM", "FORM_STEP"),
        ("APPROVAL", "APPROVAL_STEP"),
        ("REVIEW", "APPROVAL_STEP"),
        ("TASK", "TASK_STEP"),
        ("NOTIFY", "NOTIFY_STEP"),
        ("NOTIFICATION", "NOTIFY_STEP"),
        ("EMAIL", "NOTIFY_STEP"),
        ("END", "NOTIFY_STEP"),
        ("FORK", "FORK_STEP"),
        ("PARALLEL", "FORK_STEP"),
        ("JOIN", "JOIN_STEP"),
        ("MERGE", "JOIN_STEP"),
        ("SUB_WORKFLOW", "SUB_WORKFLOW_STEP"),
        ("SUBWORKFLOW", "SUB_WORKFLOW_STEP"),
        ("SUBPROCESS", "SUB_WORKFLOW_STEP"),
    ];
    let given = word(first_filled(raw, &["step_type", "type"]).unwrap_or_default());
    let bare = given.strip_suffix("_STEP").unwrap_or(&given);
    let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == bare) else {
        notes.add(format!(
            "{name}: a type of step that does not exist became a task."
        ));
        return "TASK_STEP";
    };
    kind
}

pub(super) fn copy_line(raw: &Map<String, Value>, into: &mut Map<String, Value>, key: &str) {
    if let Some(text) = filled(raw, key) {
        into.insert(key.to_owned(), json!(line(text, NAME)));
    }
}

pub(super) fn copy_text(raw: &Map<String, Value>, into: &mut Map<String, Value>, key: &str) {
    if let Some(text) = filled(raw, key) {
        into.insert(key.to_owned(), json!(lines(text)));
    }
}

pub(super) fn copy_flag(raw: &Map<String, Value>, into: &mut Map<String, Value>, key: &str) {
    if let Some(flag) = raw.get(key).and_then(flag) {
        into.insert(key.to_owned(), json!(flag));
    }
}

/// Copies one of `words`; another one becomes the first of them.
pub(super) fn copy_word(
    raw: &Map<String, Value>,
    into: &mut Map<String, Value>,
    key: &str,
    words: &[&str],
    notes: &mut Notes,
) {
    let given = filled(raw, key).map(word);
    let known = words.iter().find(|word| given.as_deref() == Some(**word));
    let default = words.first().copied().unwrap_or_default();
    if given.is_some() && known.is_none() {
        notes.add(format!("An unknown {key} became {default}."));
    }
    into.insert(key.to_owned(), json!(known.copied().unwrap_or(default)));
}

fn task(raw: &Map<String, Value>, step: &mut Map<String, Value>, notes: &mut Notes) {
    copy_text(raw, step, "instructions");
    copy_flag(raw, step, "execution_notes_required");
    for list in ["fields", "output_fields"] {
        if raw.get(list).is_some_and(Value::is_array) {
            fields::form(raw, step, list, notes);
        }
    }
    let linked = raw.get("linked_repeating_source").and_then(Value::as_object);
    if let Some(linked) = linked {
        let mut source = Map::new();
        copy_line(linked, &mut source, "source_step_id");
        copy_line(linked, &mut source, "source_section_id");
        let keys = list(linked, "context_field_keys")
            .iter()
            .filter_map(Value::as_str);
        let keys: Vec<String> = keys.map(fields::slug).collect();
        source.insert("context_field_keys".to_owned(), json!(keys));
        step.insert("linked_repeating_source".to_owned(), Value::Object(source));
    }
}

fn notify(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    known: &Known,
    notes: &mut Notes,
) {
    const TEMPLATES: [&str; 4] = [
        "TICKET_COMPLETED",
        "TICKET_CREATED",
        "APPROVAL_PENDING",
        "TASK_ASSIGNED",
    ];
    const TOKENS: [&str; 3] = ["requester", "assigned_agent", "approvers"];
    copy_flag(raw, step, "auto_advance");
    let template = filled(raw, "notification_template").map(word);
    if let Some(template) = template.filter(|word| TEMPLATES.contains(&word.as_str())) {
        step.insert("notification_template".to_owned(), json!(template));
    }
    let one = filled(raw, "recipients");
    let given = list(raw, "recipients").iter().filter_map(Value::as_str);
    let mut kept: Vec<String> = Vec::new();
    for recipient in given.chain(one).map(str::trim) {
        let token = TOKENS.iter().find(|token| token.eq_ignore_ascii_case(recipient));
        let recipient = match token {
            Some(token) => (*token).to_owned(),
            None if known.has_email(recipient) => recipient.to_owned(),
            None => {
                notes.add(format!("{name}: a recipient that nobody named was left out."));
                continue;
            }
        };
        if !kept.contains(&recipient) {
            kept.push(recipient);
        }
    }
    if kept.is_empty() {
        kept.push("requester".to_owned());
    }
    step.insert("recipients".to_owned(), json!(kept));
}

fn fork(raw: &Map<String, Value>, step: &mut Map<String, Value>, notes: &mut Notes) {
    let policies = ["FAIL_ALL", "CONTINUE_OTHERS", "CANCEL_OTHERS"];
    copy_word(raw, step, "failure_policy", &policies, notes);
    let mut used = BTreeSet::new();
    let mut branches: Vec<Value> = Vec::new();
    for (index, raw) in list(raw, "branches").iter().enumerate() {
        // Some models name the first step of a branch and nothing else.
        let start = raw
            .as_str()
            .map(|start| Map::from_iter([("start_step_id".to_owned(), json!(start))]));
        let Some(raw) = raw.as_object().cloned().or(start) else {
            notes.add("Something among the branches that is no branch was left out.");
            continue;
        };
        let mut branch = Map::new();
        let mut id = filled(&raw, "branch_id").map_or_else(String::new, |id| line(id, NAME));
        if id.is_empty() || !used.insert(id.clone()) {
            id = format!("branch_{}", index + 1);
            used.insert(id.clone());
        }
        let name = first_filled(&raw, &["branch_name", "name"]);
        let name = name.map_or_else(|| format!("Branch {}", index + 1), |name| line(name, NAME));
        branch.insert("branch_id".to_owned(), json!(id));
        branch.insert("branch_name".to_owned(), json!(name));
        for key in ["description", "assigned_team", "start_step_id", "color"] {
            copy_line(&raw, &mut branch, key);
        }
        branches.push(Value::Object(branch));
    }
    step.insert("branches".to_owned(), Value::Array(branches));
}

fn join(raw: &Map<String, Value>, step: &mut Map<String, Value>, notes: &mut Notes) {
    copy_line(raw, step, "source_fork_step_id");
    copy_word(raw, step, "join_mode", &["ALL", "ANY", "MAJORITY"], notes);
    if let Some(minutes) = raw
        .get("timeout_minutes")
        .and_then(number)
        .and_then(|n| n.as_u64())
    {
        step.insert("timeout_minutes".to_owned(), json!(minutes));
    }
}

/// An embedded workflow that the author did not name becomes a task that says so.
fn sub_workflow(
    raw: &Map<String, Value>,
    step: &mut Map<String, Value>,
    name: &str,
    known: &Known,
    notes: &mut Notes,
) {
    let id = filled(raw, "sub_workflow_id").unwrap_or_default();
    let version = raw.get("sub_workflow_version").and_then(number);
    let version = version.and_then(|version| version.as_i64()).unwrap_or(0);
    if known.has_workflow(id, version) {
        step.insert("sub_workflow_id".to_owned(), json!(id));
        step.insert("sub_workflow_version".to_owned(), json!(version));
        copy_line(raw, step, "sub_workflow_name");
        copy_line(raw, step, "sub_workflow_category");
        return;
    }
    notes.add(format!(
        "{name}: an embedded workflow that nobody named became a task."
    ));
    step.insert("step_type".to_owned(), json!("TASK_STEP"));
    step.insert("execution_notes_required".to_owned(), json!(false));
    let instructions = filled(raw, "instructions").map_or_else(
        || "Choose the workflow to embed here, or carry this out by hand.".to_owned(),
        lines,
    );
    step.insert("instructions".to_owned(), json!(instructions));
}

fn sla(raw: &Map<String, Value>, step: &mut Map<String, Value>, name: &str, notes: &mut Notes) {
    let Some(given) = raw.get("sla").filter(|sla| !sla.is_null()) else {
        return;
    };
    // Some models give the minutes alone.
    let minutes = number(given.get("due_minutes").unwrap_or(given)).and_then(|minutes| minutes.as_f64());
    let Some(minutes) = minutes.filter(|minutes| (1.0..=LONGEST_MINUTES).contains(minutes)) else {
        notes.add(format!(
            "{name}: a time allowed that cannot be read was left out."
        ));
        return;
    };
    let mut sla = Map::from_iter([("due_minutes".to_owned(), json!(whole(minutes)))]);
    if let Some(given) = given.as_object() {
        for (key, minutes) in [
            ("reminders", "minutes_before_due"),
            ("escalations", "minutes_after_due"),
        ] {
            let rules: Vec<Value> = objects(given, key)
                .filter_map(|rule| sla_rule(rule, minutes))
                .collect();
            if !rules.is_empty() {
                sla.insert(key.to_owned(), Value::Array(rules));
            }
        }
    }
    step.insert("sla".to_owned(), Value::Object(sla));
}

/// A reminder or escalation to people by their part; addresses are for the designer to add.
fn sla_rule(raw: &Map<String, Value>, key: &str) -> Option<Value> {
    let minutes = raw.get(key).and_then(number)?.as_f64()?;
    let is_sound = (0.0..=LONGEST_MINUTES).contains(&minutes);
    let recipients: Vec<&str> = list(raw, "recipients")
        .iter()
        .filter_map(Value::as_str)
        .filter(|recipient| !recipient.contains('@'))
        .collect();
    is_sound.then(|| json!({key: whole(minutes), "recipients": recipients}))
}

/// A number that was checked to be in range, without its fraction.
fn whole(number: f64) -> i64 {
    format!("{number:.0}").parse().unwrap_or(1)
}
