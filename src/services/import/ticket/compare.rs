//! Compares a ticket's documents with its aggregate, fact by fact: ids, states, people, times, texts and values.
//!
//! Nothing here knows the rules. A rule tells what it changed by this comparison when it is applied, and the verification
//! compares once more with what is stored: a fact that differs is explained only by a rule that said so.

use super::{LegacyTicket, id_of};
use crate::domain::import::RepairedField;
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::ticket::{Step, Ticket};
use crate::domain::time::Timestamp;
use crate::repositories::legacy::{Fields, LegacyCollection};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Longest value told in a report, in characters.
const TOLD: usize = 200;

/// One fact that differs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub(crate) subject: String,
    pub(crate) field: &'static str,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Difference {
    /// As a report tells it.
    pub(crate) fn to_field(&self) -> RepairedField {
        RepairedField {
            subject: self.subject.clone(),
            field: self.field.to_owned(),
            before: text_of(&self.before),
            after: text_of(&self.after),
        }
    }
}

type Facts = BTreeMap<String, Vec<(&'static str, Value)>>;

/// Every fact that differs; a subject that only one side has differs in `exists`.
pub(crate) fn differences(legacy: &LegacyTicket, ticket: &Ticket) -> Vec<Difference> {
    let before = facts_of_documents(legacy);
    let mut after = facts_of_aggregate(ticket);
    let mut found = Vec::new();
    for (subject, facts) in before {
        let Some(ours) = after.remove(&subject) else {
            found.push(existence(subject, true));
            continue;
        };
        for ((field, before), (_, after)) in facts.into_iter().zip(ours) {
            if before != after {
                found.push(Difference {
                    subject: subject.clone(),
                    field,
                    before,
                    after,
                });
            }
        }
    }
    // The reference forgets branches behind their join; ours are kept.
    let added = after.into_keys().filter(|subject| !subject.contains('/'));
    found.extend(added.map(|subject| existence(subject, false)));
    found
}

fn existence(subject: String, before: bool) -> Difference {
    Difference {
        subject,
        field: "exists",
        before: json!(before),
        after: json!(!before),
    }
}

/// A value in at most 200 characters.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shortened(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            shortened(&value.to_string())
        }
    }
}

/// Text in at most 200 characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(TOLD).collect()
}

// Both sides list the same facts in the same order.

fn facts_of_documents(legacy: &LegacyTicket) -> Facts {
    let mut facts = Facts::new();
    let ticket = legacy.fields();
    facts.insert(
        legacy.id().to_owned(),
        vec![
            ("status", word(ticket, "status")),
            ("title", word(ticket, "title")),
            ("description", word(ticket, "description")),
            ("workflow_id", word(ticket, "workflow_id")),
            ("workflow_version_id", word(ticket, "workflow_version_id")),
            ("requester", address(ticket, "requester")),
            ("manager_snapshot", address(ticket, "manager_snapshot")),
            ("form_values", ticket.json("form_values").to_value()),
            (
                "attachment_ids",
                json!(without_doubles(ticket.texts("attachment_ids"))),
            ),
            ("created_at", time(ticket, "created_at")),
            ("updated_at", time(ticket, "updated_at")),
            ("completed_at", time(ticket, "completed_at")),
            ("current_step_id", word(ticket, "current_step_id")),
            ("pending_end_step_id", word(ticket, "pending_end_step_id")),
            (
                "pending_change_request_id",
                word(ticket, "pending_change_request_id"),
            ),
            ("form_version", json!(ticket.whole("form_version").unwrap_or(1))),
            (
                "requester_notes",
                json!(ticket.objects("requester_notes").count()),
            ),
        ],
    );
    for step in legacy.all(LegacyCollection::TicketSteps) {
        facts.insert(
            id_of(step, "ticket_step_id").to_owned(),
            facts_of_step_document(step),
        );
    }
    for branch in ticket.objects("active_branches") {
        let fork = branch.text("parent_fork_step_id").unwrap_or_default();
        let subject = format!("{fork}/{}", branch.text("branch_id").unwrap_or_default());
        facts.insert(subject, vec![("state", word(branch, "state"))]);
    }
    records_of_documents(legacy, &mut facts);
    facts
}

fn facts_of_step_document(step: Fields<'_>) -> Vec<(&'static str, Value)> {
    let empty = bson::Document::new();
    let data = step.object("data").unwrap_or(Fields(&empty));
    vec![
        ("state", word(step, "state")),
        ("step_id", word(step, "step_id")),
        ("step_name", word(step, "step_name")),
        ("step_type", word(step, "step_type")),
        ("assigned_to", address(step, "assigned_to")),
        ("outcome", word(step, "outcome")),
        ("started_at", time(step, "started_at")),
        ("completed_at", time(step, "completed_at")),
        ("due_at", time(step, "due_at")),
        ("form_values", object(data, "form_values")),
        ("output_values", object(data, "output_values")),
        ("draft_values", object(data, "draft_values")),
        ("execution_notes", word(data, "execution_notes")),
        ("hold_reason", word(data, "hold_reason")),
        ("notes", json!(data.objects("notes").count())),
        (
            "parent_sub_workflow_step_id",
            word(step, "parent_sub_workflow_step_id"),
        ),
    ]
}

fn records_of_documents(legacy: &LegacyTicket, facts: &mut Facts) {
    for task in legacy.all(LegacyCollection::ApprovalTasks) {
        let own = vec![
            ("decision", word(task, "decision")),
            ("approver", address(task, "approver")),
            ("comment", word(task, "comment")),
            ("decided_at", time(task, "decided_at")),
            ("ticket_step_id", word(task, "ticket_step_id")),
        ];
        facts.insert(id_of(task, "approval_task_id").to_owned(), own);
    }
    for assignment in legacy.all(LegacyCollection::Assignments) {
        let own = vec![
            ("status", word(assignment, "status")),
            ("assigned_to", address(assignment, "assigned_to")),
            ("assigned_by", address(assignment, "assigned_by")),
            ("assigned_at", time(assignment, "assigned_at")),
            ("ended_at", time(assignment, "ended_at")),
        ];
        facts.insert(id_of(assignment, "assignment_id").to_owned(), own);
    }
    let requester = address(legacy.fields(), "requester");
    for info in legacy.all(LegacyCollection::InfoRequests) {
        let or = |told: Value, usual: Value| if told.is_null() { usual } else { told };
        let asked = or(address(info, "requested_from"), requester.clone());
        let role = or(word(info, "requested_from_step_type"), json!("REQUESTER"));
        let own = vec![
            ("status", word(info, "status")),
            ("requested_by", address(info, "requested_by")),
            ("requested_from", asked),
            ("requested_from_step_type", role),
            ("question_text", word(info, "question_text")),
            ("response_text", word(info, "response_text")),
            ("responded_at", time(info, "responded_at")),
        ];
        facts.insert(id_of(info, "info_request_id").to_owned(), own);
    }
    for handover in legacy.all(LegacyCollection::HandoverRequests) {
        let own = vec![
            ("status", word(handover, "status")),
            ("requested_by", address(handover, "requested_by")),
            ("new_assignee", address(handover, "new_assignee")),
            ("reason", word(handover, "reason")),
            ("decided_at", time(handover, "decided_at")),
        ];
        facts.insert(id_of(handover, "handover_request_id").to_owned(), own);
    }
    for sla in legacy.all(LegacyCollection::SlaAcknowledgments) {
        let own = vec![
            ("acknowledged_by", address(sla, "acknowledged_by")),
            ("acknowledged_at", time(sla, "acknowledged_at")),
            ("notes", word(sla, "notes")),
        ];
        facts.insert(id_of(sla, "acknowledgment_id").to_owned(), own);
    }
    for request in legacy.all(LegacyCollection::ChangeRequests) {
        let proposed = request.object("proposed_data");
        let proposed = proposed.map(|data| data.json("form_values")).unwrap_or_default();
        let original = request.object("original_data");
        let original = original.map(|data| data.json("form_values")).unwrap_or_default();
        let own = vec![
            ("status", word(request, "status")),
            ("requested_by", address(request, "requested_by")),
            ("assigned_to", address(request, "assigned_to")),
            ("reason", word(request, "reason")),
            ("proposed_data", proposed.to_value()),
            ("original_data", original.to_value()),
            ("field_changes", json!(request.objects("field_changes").count())),
            ("reviewed_at", time(request, "reviewed_at")),
        ];
        facts.insert(id_of(request, "change_request_id").to_owned(), own);
    }
}

fn facts_of_aggregate(ticket: &Ticket) -> Facts {
    let mut facts = Facts::new();
    facts.insert(
        ticket.id.to_string(),
        vec![
            ("status", json!(ticket.status)),
            ("title", json!(ticket.title)),
            ("description", json!(ticket.description)),
            ("workflow_id", json!(ticket.workflow.workflow_id)),
            ("workflow_version_id", json!(ticket.workflow.version_id)),
            ("requester", json!(ticket.requester.email)),
            ("manager_snapshot", email(ticket.manager.as_ref())),
            ("form_values", ticket.form_values.to_value()),
            ("attachment_ids", json!(ticket.attachment_ids)),
            ("created_at", wire(Some(ticket.created_at))),
            ("updated_at", wire(Some(ticket.updated_at))),
            ("completed_at", wire(ticket.completed_at)),
            ("current_step_id", json!(ticket.current_step_id)),
            ("pending_end_step_id", json!(ticket.pending_ends().next())),
            (
                "pending_change_request_id",
                json!(ticket.pending_change_request().map(|request| &request.id)),
            ),
            ("form_version", json!(ticket.form_version)),
            ("requester_notes", json!(ticket.requester_note_count)),
        ],
    );
    for step in &ticket.steps {
        facts.insert(step.id.to_string(), facts_of_step(ticket, step));
    }
    for fork in &ticket.forks {
        for branch in &fork.branches {
            let subject = format!("{}/{}", fork.fork_key, branch.key);
            facts.insert(subject, vec![("state", json!(branch.state))]);
        }
    }
    records_of_aggregate(ticket, &mut facts);
    facts
}

fn facts_of_step(ticket: &Ticket, step: &Step) -> Vec<(&'static str, Value)> {
    let work = step.task.as_ref();
    vec![
        ("state", json!(ticket.state_of(step))),
        ("step_id", json!(step.key)),
        ("step_name", json!(step.name)),
        ("step_type", json!(step.kind)),
        ("assigned_to", email(step.assignee.as_ref())),
        ("outcome", json!(step.outcome)),
        ("started_at", wire(step.started_at)),
        ("completed_at", wire(step.completed_at)),
        ("due_at", wire(step.due_at)),
        ("form_values", values(step.form_values.as_ref())),
        (
            "output_values",
            values(work.and_then(|work| work.output_values.as_ref())),
        ),
        (
            "draft_values",
            values(work.and_then(|work| work.draft_values.as_ref())),
        ),
        (
            "execution_notes",
            json!(work.and_then(|work| work.execution_notes.as_ref())),
        ),
        (
            "hold_reason",
            json!(
                step.hold
                    .as_ref()
                    .map(|hold| &hold.reason)
                    .filter(|reason| !reason.is_empty())
            ),
        ),
        ("notes", json!(step.note_count)),
        ("parent_sub_workflow_step_id", json!(step.container)),
    ]
}

fn records_of_aggregate(ticket: &Ticket, facts: &mut Facts) {
    for task in &ticket.approval_tasks {
        let own = vec![
            ("decision", json!(task.decision)),
            ("approver", json!(task.approver.email)),
            ("comment", json!(task.comment)),
            ("decided_at", wire(task.decided_at)),
            ("ticket_step_id", json!(task.ticket_step_id)),
        ];
        facts.insert(task.id.to_string(), own);
    }
    for assignment in &ticket.assignments {
        let own = vec![
            ("status", json!(assignment.status)),
            ("assigned_to", json!(assignment.assigned_to.email)),
            ("assigned_by", json!(assignment.assigned_by.email)),
            ("assigned_at", wire(Some(assignment.assigned_at))),
            ("ended_at", wire(assignment.ended_at)),
        ];
        facts.insert(assignment.id.to_string(), own);
    }
    for info in &ticket.info_requests {
        let own = vec![
            ("status", json!(info.status)),
            ("requested_by", json!(info.requested_by.email)),
            ("requested_from", json!(info.requested_from.email)),
            ("requested_from_step_type", json!(info.target_role)),
            ("question_text", filled(&info.question_text)),
            ("response_text", json!(info.response_text)),
            ("responded_at", wire(info.responded_at)),
        ];
        facts.insert(info.id.to_string(), own);
    }
    for handover in &ticket.handovers {
        let own = vec![
            ("status", json!(handover.status)),
            ("requested_by", json!(handover.requested_by.email)),
            ("new_assignee", email(handover.new_assignee.as_ref())),
            ("reason", filled(&handover.reason)),
            ("decided_at", wire(handover.decided_at)),
        ];
        facts.insert(handover.id.to_string(), own);
    }
    for sla in &ticket.sla_acknowledgements {
        let own = vec![
            ("acknowledged_by", json!(sla.acknowledged_by.email)),
            ("acknowledged_at", wire(Some(sla.acknowledged_at))),
            ("notes", json!(sla.notes)),
        ];
        facts.insert(sla.id.to_string(), own);
    }
    for request in &ticket.change_requests {
        let own = vec![
            ("status", json!(request.status)),
            ("requested_by", json!(request.requested_by.email)),
            ("assigned_to", json!(request.assigned_to.email)),
            ("reason", filled(&request.reason)),
            ("proposed_data", request.proposed_data.form_values.to_value()),
            ("original_data", request.original_data.form_values.to_value()),
            ("field_changes", json!(request.field_changes.len())),
            ("reviewed_at", wire(request.reviewed_at)),
        ];
        facts.insert(request.id.to_string(), own);
    }
}

fn word(fields: Fields<'_>, key: &str) -> Value {
    json!(fields.text(key))
}

fn time(fields: Fields<'_>, key: &str) -> Value {
    wire(fields.instant(key))
}

fn wire(at: Option<Timestamp>) -> Value {
    json!(at.map(Timestamp::to_wire))
}

fn address(fields: Fields<'_>, key: &str) -> Value {
    let person = fields.object(key);
    json!(person.and_then(|person| person.text("email")).map(str::trim))
}

fn email(person: Option<&Person>) -> Value {
    json!(person.map(|person| &person.email))
}

fn object(fields: Fields<'_>, key: &str) -> Value {
    fields
        .object(key)
        .map_or(Value::Null, |object| object.to_json().to_value())
}

fn values(object: Option<&JsonObject>) -> Value {
    object.map_or(Value::Null, JsonObject::to_value)
}

fn filled(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn without_doubles(texts: Vec<String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct
}
