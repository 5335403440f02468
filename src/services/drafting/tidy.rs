//! Brings an answer of the model into the form of a definition (contract http-workflows 7.3): words, ids and shapes that
//! can be read in one way only are corrected, references that nobody named are taken out. Each correction is told.

mod approval;
mod fields;

use super::known::Known;
use crate::domain::person::Email;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text of a step that is shown as a name, in characters.
const NAME: usize = 200;
/// Most corrections that are told.
const MOST_NOTES: usize = 50;

/// What was corrected, for people.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    pub(super) fn add(&mut self, note: impl Into<String>) {
        let note = note.into();
        if self.0.len() < MOST_NOTES && !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0
    }
}

/// What the corrections go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    /// What a draft may refer to.
    pub(super) known: &'a Known,
    /// Who approves when nobody else can be found: the designer.
    pub(super) contact: &'a Email,
}

/// The answer as a definition: `steps`, `transitions`, `start_step_id`.
pub(super) fn tidy(answer: &Map<String, Value>, rules: Rules<'_>, notes: &mut Notes) -> Map<String, Value> {
    let answer = unwrapped(answer);
    let mut ids = Ids::default();
    let raw_steps = answer.get("steps").and_then(Value::as_array);
    let mut steps: Vec<Map<String, Value>> = Vec::new();
    for raw in raw_steps.into_iter().flatten() {
        match raw.as_object() {
            Some(raw) => steps.push(step(raw, &mut ids, rules, notes)),
            None => notes.add("Something among the steps that is no step was left out."),
        }
    }
    for (order, step) in steps.iter_mut().enumerate() {
        step.insert("order".to_owned(), json!(order));
        ids.rename_references(step);
    }
    fields::distinct_keys(&mut steps, notes);
    let start = start(answer, &steps, &ids, notes);
    let transitions = transitions(answer, &steps, &ids, notes);
    let mut definition = Map::new();
    let steps = steps.into_iter().map(Value::Object).collect();
    definition.insert("steps".to_owned(), Value::Array(steps));
    definition.insert("transitions".to_owned(), Value::Array(transitions));
    definition.insert("start_step_id".to_owned(), start);
    definition
}

/// The object that has the steps: the answer, or the only wrapper models like to put around it.
fn unwrapped(answer: &Map<String, Value>) -> &Map<String, Value> {
    if answer.contains_key("steps") {
        return answer;
    }
    let inner = [
        "definition",
        "draft_definition",
        "workflow",
        "workflow_definition",
    ]
    .iter()
    .find_map(|key| answer.get(*key).and_then(Value::as_object));
    inner.unwrap_or(answer)
}

/// The ids of steps as the answer wrote them and as they are now.
#[derive(Debug, Default)]
struct Ids {
    renamed: BTreeMap<String, String>,
    used: BTreeSet<String>,
}

impl Ids {
    /// A free id with the characters that ids may have; the first step with an id keeps it.
    fn take(&mut self, raw: Option<&str>, notes: &mut Notes) -> String {
        let given = raw.unwrap_or_default();
        let plain: String = given
            .trim()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "_.-".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .take(90)
            .collect();
        let plain = if plain.is_empty() {
            format!("step_{}", self.used.len() + 1)
        } else {
            plain
        };
        let mut id = plain.clone();
        let mut number = 2;
        while !self.used.insert(id.clone()) {
            id = format!("{plain}_{number}");
            number += 1;
        }
        if id != given {
            notes.add(format!("A step was given the id {id}."));
            self.renamed.entry(given.to_owned()).or_insert_with(|| id.clone());
        }
        id
    }

    fn now(&self, id: &str) -> String {
        if self.used.contains(id) {
            return id.to_owned();
        }
        self.renamed.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    fn rename_references(&self, step: &mut Map<String, Value>) {
        for key in [
            "step_assignee_step_id",
            "source_fork_step_id",
            "parent_fork_step_id",
            "lookup_source_step_id",
        ] {
            if let Some(Value::String(id)) = step.get_mut(key) {
                *id = self.now(id);
            }
        }
        let branches = step.get_mut("branches").and_then(Value::as_array_mut);
        for branch in branches.into_iter().flatten() {
            if let Some(Value::String(id)) = branch.get_mut("start_step_id") {
                *id = self.now(id);
            }
        }
    }
}

fn step(raw: &Map<String, Value>, ids: &mut Ids, rules: Rules<'_>, notes: &mut Notes) -> Map<String, Value> {
    let mut step = without_nulls(raw);
    let id = ids.take(
        raw.get("step_id")
            .or_else(|| raw.get("id"))
            .and_then(Value::as_str),
        notes,
    );
    let name = ["step_name", "name", "title"]
        .iter()
        .find_map(|key| filled(raw, key))
        .map_or_else(|| format!("Step {}", ids.used.len()), |name| clipped(name, NAME));
    step.insert("step_id".to_owned(), json!(id));
    step.insert("step_name".to_owned(), json!(name));
    let kind = step_type(raw, &name, notes);
    step.insert("step_type".to_owned(), json!(kind));
    for key in ["id", "name", "type"] {
        step.remove(key);
    }
    keep_flag(&mut step, "is_terminal");
    keep_flag(&mut step, "is_start");
    sla(&mut step, &name, notes);
    match kind {
        "FORM_STEP" => fields::form(&mut step, "fields", notes),
        "APPROVAL_STEP" => approval::approval(&mut step, &name, rules, notes),
        "TASK_STEP" => task(&mut step, notes),
        "NOTIFY_STEP" => notify(&mut step, &name, rules.known, notes),
        "FORK_STEP" => fork(&mut step, notes),
        "JOIN_STEP" => keep_word(&mut step, "join_mode", &["ALL", "ANY", "MAJORITY"], "ALL", notes),
        "SUB_WORKFLOW_STEP" => sub_workflow(&mut step, &name, rules.known, notes),
        _ => {}
    }
    step
}

/// The type by its word in any spelling; the contract's seven words.
fn step_type(raw: &Map<String, Value>, name: &str, notes: &mut Notes) -> &'static str {
    const WORDS: [(&str, &str); 10] = [
        ("FORM", "FORM_STEP"),
        ("APPROVAL", "APPROVAL_STEP"),
        ("TASK", "TASK_STEP"),
        ("NOTIFY", "NOTIFY_STEP"),
        ("NOTIFICATION", "NOTIFY_STEP"),
        ("END", "NOTIFY_STEP"),
        ("FORK", "FORK_STEP"),
        ("PARALLEL", "FORK_STEP"),
        ("JOIN", "JOIN_STEP"),
        ("SUB_WORKFLOW", "SUB_WORKFLOW_STEP"),
    ];
    let given = filled(raw, "step_type")
        .or_else(|| filled(raw, "type"))
        .unwrap_or_default();
    let word = given.trim().to_uppercase().replace([' ', '-'], "_");
    let bare = word.strip_suffix("_STEP").unwrap_or(&word);
    let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == bare) else {
        notes.add(format!(
            "{name}: a type of step that does not exist became a task."
        ));
        return "TASK_STEP";
    };
    kind
}

fn task(step: &mut Map<String, Value>, notes: &mut Notes) {
    for list in ["fields", "output_fields"] {
        if step.contains_key(list) {
            fields::form(step, list, notes);
        }
    }
    if step
        .get("execution_notes_required")
        .is_some_and(|value| !value.is_boolean())
    {
        step.remove("execution_notes_required");
    }
}

fn notify(step: &mut Map<String, Value>, name: &str, known: &Known, notes: &mut Notes) {
    const TEMPLATES: [&str; 4] = [
        "TICKET_COMPLETED",
        "TICKET_CREATED",
        "APPROVAL_PENDING",
        "TASK_ASSIGNED",
    ];
    const TOKENS: [&str; 3] = ["requester", "assigned_agent", "approvers"];
    let template = filled(step, "notification_template").map(str::to_uppercase);
    step.remove("notification_template");
    if let Some(template) = template.filter(|word| TEMPLATES.contains(&word.as_str())) {
        step.insert("notification_template".to_owned(), json!(template));
    }
    let given = step
        .get("recipients")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut kept: Vec<String> = Vec::new();
    for recipient in given.iter().filter_map(Value::as_str).map(str::trim) {
        let token = TOKENS.iter().find(|token| token.eq_ignore_ascii_case(recipient));
        match token {
            Some(token) => kept.push((*token).to_owned()),
            None if known.has_email(recipient) => kept.push(recipient.to_owned()),
            None => notes.add(format!("{name}: a recipient that nobody named was left out.")),
        }
    }
    if kept.is_empty() {
        kept.push("requester".to_owned());
    }
    kept.dedup();
    step.insert("recipients".to_owned(), json!(kept));
}

fn fork(step: &mut Map<String, Value>, notes: &mut Notes) {
    let policies = ["FAIL_ALL", "CONTINUE_OTHERS", "CANCEL_OTHERS"];
    keep_word(step, "failure_policy", &policies, "FAIL_ALL", notes);
    let given = step
        .get("branches")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let mut used = BTreeSet::new();
    let branches = given
        .iter()
        .filter_map(Value::as_object)
        .enumerate()
        .map(|(index, raw)| {
            let mut branch = without_nulls(raw);
            let mut id = filled(raw, "branch_id").unwrap_or_default().to_owned();
            if id.is_empty() || !used.insert(id.clone()) {
                id = format!("branch_{}", index + 1);
                used.insert(id.clone());
            }
            let name = filled(raw, "branch_name").or_else(|| filled(raw, "name"));
            let name = name.map_or_else(|| format!("Branch {}", index + 1), |name| clipped(name, NAME));
            branch.insert("branch_id".to_owned(), json!(id));
            branch.insert("branch_name".to_owned(), json!(name));
            Value::Object(branch)
        });
    let branches: Vec<Value> = branches.collect();
    step.insert("branches".to_owned(), Value::Array(branches));
}

/// An embedded workflow that the author did not name becomes a task that says so.
fn sub_workflow(step: &mut Map<String, Value>, name: &str, known: &Known, notes: &mut Notes) {
    let id = filled(step, "sub_workflow_id").unwrap_or_default();
    let version = step
        .get("sub_workflow_version")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if known.has_workflow(id, version) {
        return;
    }
    notes.add(format!(
        "{name}: an embedded workflow that nobody named became a task."
    ));
    step.retain(|key, _| !key.starts_with("sub_workflow"));
    step.insert("step_type".to_owned(), json!("TASK_STEP"));
    step.insert("execution_notes_required".to_owned(), json!(false));
    step.entry("instructions")
        .or_insert_with(|| json!("Choose the workflow to embed here, or carry this out by hand."));
}

fn sla(step: &mut Map<String, Value>, name: &str, notes: &mut Notes) {
    let Some(sla) = step.get("sla") else { return };
    let minutes = sla
        .get("due_minutes")
        .and_then(Value::as_f64)
        .filter(|minutes| *minutes >= 1.0);
    let is_right = sla.get("due_minutes").is_some_and(Value::is_u64);
    match minutes {
        Some(_) if is_right && sla.is_object() => {}
        Some(minutes) if minutes <= 5_256_000.0 => {
            notes.add(format!("{name}: the time allowed was rounded to minutes."));
            step.insert("sla".to_owned(), json!({"due_minutes": whole(minutes)}));
        }
        _ => {
            notes.add(format!(
                "{name}: a time allowed that cannot be read was left out."
            ));
            step.remove("sla");
        }
    }
}

/// A number that was checked to be in range, without its fraction.
fn whole(number: f64) -> i64 {
    format!("{number:.0}").parse().unwrap_or(1)
}

fn start(answer: &Map<String, Value>, steps: &[Map<String, Value>], ids: &Ids, notes: &mut Notes) -> Value {
    let named = filled(answer, "start_step_id").map(|id| ids.now(id));
    let exists = |id: &String| steps.iter().any(|step| filled(step, "step_id") == Some(id));
    if let Some(id) = named.filter(exists) {
        return json!(id);
    }
    let marked = steps
        .iter()
        .find(|step| step.get("is_start") == Some(&Value::Bool(true)));
    let first = marked.or_else(|| steps.first());
    match first.and_then(|step| filled(step, "step_id")) {
        Some(id) => {
            notes.add(format!("The start was set to {id}."));
            json!(id)
        }
        None => Value::Null,
    }
}

fn transitions(
    answer: &Map<String, Value>,
    steps: &[Map<String, Value>],
    ids: &Ids,
    notes: &mut Notes,
) -> Vec<Value> {
    let raw = answer.get("transitions").and_then(Value::as_array);
    let mut used = BTreeSet::new();
    let mut edges = Vec::new();
    for edge in raw.into_iter().flatten().filter_map(Value::as_object) {
        let end = |keys: [&str; 3]| {
            keys.iter()
                .find_map(|key| filled(edge, key))
                .map(|id| ids.now(id))
        };
        let from = end(["from_step_id", "from", "source"]).unwrap_or_default();
        let to = end(["to_step_id", "to", "target"]).unwrap_or_default();
        let event = ["on_event", "event", "trigger_event"]
            .iter()
            .find_map(|key| filled(edge, key));
        let event = event.map_or_else(
            || completion(steps, &from).to_owned(),
            |event| event.trim().to_uppercase().replace([' ', '-'], "_"),
        );
        let mut id = filled(edge, "transition_id").unwrap_or_default().to_owned();
        if id.is_empty() || used.contains(&id) {
            id = (1..=used.len() + 1)
                .map(|n| format!("t_{n}"))
                .find(|id| !used.contains(id))
                .unwrap_or_default();
        }
        used.insert(id.clone());
        let priority = edge.get("priority").and_then(Value::as_i64).unwrap_or(0);
        let condition = condition(edge.get("condition").unwrap_or(&Value::Null), notes);
        edges.push(
            json!({"transition_id": id, "from_step_id": from, "to_step_id": to, "on_event": event,
                          "trigger_event": null, "condition": condition, "priority": priority}),
        );
    }
    edges
}

/// The event with which a step usually ends.
pub(super) fn completion(steps: &[Map<String, Value>], id: &str) -> &'static str {
    let kind = steps.iter().find(|step| filled(step, "step_id") == Some(id));
    match kind.and_then(|step| filled(step, "step_type")) {
        Some("FORM_STEP") => "SUBMIT_FORM",
        Some("APPROVAL_STEP") => "APPROVE",
        _ => "COMPLETE_TASK",
    }
}

/// A group; a bare condition becomes a group of one, an empty one none.
fn condition(raw: &Value, notes: &mut Notes) -> Value {
    let Some(map) = raw.as_object() else {
        return Value::Null;
    };
    let list: Vec<Map<String, Value>> = match map.get("conditions").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(Value::as_object).cloned().collect(),
        None if map.contains_key("operator") => vec![map.clone()],
        None => Vec::new(),
    };
    if list.is_empty() {
        return Value::Null;
    }
    let logic = filled(map, "logic").unwrap_or("AND").to_uppercase();
    let logic = if logic == "OR" { "OR" } else { "AND" };
    let conditions: Vec<Value> = list.iter().map(|one| single_condition(one, notes)).collect();
    json!({"logic": logic, "conditions": conditions})
}

fn single_condition(raw: &Map<String, Value>, notes: &mut Notes) -> Value {
    let field = filled(raw, "field")
        .or_else(|| filled(raw, "field_key"))
        .unwrap_or_default()
        .trim();
    let has_root = ["form_values.", "ticket.", "current_step."]
        .iter()
        .any(|root| field.starts_with(root));
    let field = if has_root || field.is_empty() {
        field.to_owned()
    } else {
        format!("form_values.{field}")
    };
    let operator = approval::operator(filled(raw, "operator").unwrap_or_default());
    if !raw.contains_key("value") {
        notes.add("A condition without a value compares with nothing.");
    }
    json!({"field": field, "operator": operator, "value": raw.get("value").cloned().unwrap_or(Value::Null)})
}

/// A map without keys whose value is null: absent and null mean the same, and the studio wants absent.
fn without_nulls(raw: &Map<String, Value>) -> Map<String, Value> {
    raw.iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn keep_flag(map: &mut Map<String, Value>, key: &str) {
    if map.get(key).is_some_and(|value| !value.is_boolean()) {
        map.remove(key);
    }
}

fn keep_word(map: &mut Map<String, Value>, key: &str, words: &[&str], default: &str, notes: &mut Notes) {
    let given = map.get(key).and_then(Value::as_str).map(str::to_uppercase);
    let known = given
        .as_deref()
        .and_then(|given| words.iter().find(|word| **word == given));
    if given.is_some() && known.is_none() {
        notes.add(format!("An unknown {key} became {default}."));
    }
    map.insert(key.to_owned(), json!(known.copied().unwrap_or(default)));
}

/// The text under a key, when it is there and not blank.
pub(super) fn filled<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)
        .and_then(Value::as_str)
        .filter(|text| !text.trim().is_empty())
}

/// A text for people: one line, no control characters, not longer than `most` characters.
pub(super) fn clipped(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(most).collect::<String>().trim().to_owned()
}
