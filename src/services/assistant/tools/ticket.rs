//! What there is to know of one ticket.

use super::super::brief::{StepBrief, name, person};
use super::super::plain_text::clipped;
use super::{Found, Toolbox, as_json};
use crate::domain::error::ServiceError;
use crate::domain::id::TicketStepId;
use crate::domain::ticket::{ChangeRequest, NoteKind, Ticket};
use crate::domain::time::Timestamp;
use serde_json::{Value, json};

/// Newest notes, events, questions or files of a ticket.
const NEWEST: usize = 30;
/// Longest text of a note, a question or a value, in characters.
const LONGEST_TEXT: usize = 600;
/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1_500;
/// Most fields that a change request is shown with.
const MOST_CHANGES: usize = 20;

impl Toolbox<'_> {
    pub(super) async fn ticket_details(&self, id: &str) -> Result<Found, ServiceError> {
        let detail = self.services.tickets.detail(self.actor, id).await?;
        let ticket = &detail.opened.ticket;
        let mut found = self.about(ticket)?;
        let description = ticket.description.as_deref().unwrap_or_default();
        found.head.insert(
            "description".to_owned(),
            json!(clipped(description, LONGEST_DESCRIPTION)),
        );
        found
            .head
            .insert("manager".to_owned(), json!(ticket.manager.as_ref().map(person)));
        let steps = detail.opened.steps_in_order();
        let steps: Vec<Value> = steps
            .into_iter()
            .map(|step| as_json(&StepBrief::of(ticket, step, self.actor, self.now)))
            .collect();
        Ok(found.with_rows(steps))
    }

    pub(super) async fn ticket_form_data(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let values: Vec<Value> = ticket
            .form_values
            .iter()
            .map(|(key, value)| field(key, value))
            .collect();
        Ok(self.about(&ticket)?.with_rows(values))
    }

    pub(super) async fn ticket_notes(&self, id: &str) -> Result<Found, ServiceError> {
        let detail = self.services.tickets.detail(self.actor, id).await?;
        let opened = &detail.opened;
        let notes: Vec<Value> = opened
            .notes
            .iter()
            .rev()
            .take(NEWEST)
            .map(|row| {
                let step = match &row.body.kind {
                    NoteKind::Step(step) => step_name(&opened.ticket, step),
                    NoteKind::Requester(_) => None,
                };
                json!({"author": person(&row.body.author), "at": row.body.at.to_wire(), "step": step,
                       "text": clipped(&row.body.content, LONGEST_TEXT)})
            })
            .collect();
        Ok(self.about(&opened.ticket)?.with_rows(notes))
    }

    pub(super) async fn ticket_timeline(&self, id: &str) -> Result<Found, ServiceError> {
        let detail = self.services.tickets.detail(self.actor, id).await?;
        let ticket = &detail.opened.ticket;
        let events: Vec<Value> = detail
            .events
            .iter()
            .take(NEWEST)
            .map(|row| {
                let step = row.body.ticket_step_id.as_ref().and_then(|id| step_name(ticket, id));
                json!({"at": row.body.at.to_wire(), "event": row.body.event_type, "by": person(&row.body.actor), "step": step})
            })
            .collect();
        Ok(self.about(ticket)?.with_rows(events))
    }

    pub(super) async fn ticket_approvals(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let votes: Vec<Value> = ticket
            .approval_tasks
            .iter()
            .rev()
            .map(|task| {
                json!({"step": step_name(&ticket, &task.ticket_step_id), "approver": person(&task.approver),
                       "decision": task.decision, "decided_at": task.decided_at.map(Timestamp::to_wire),
                       "comment": text(task.comment.as_deref())})
            })
            .collect();
        Ok(self.about(&ticket)?.with_rows(votes))
    }

    pub(super) async fn ticket_questions(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let questions: Vec<Value> = ticket
            .info_requests
            .iter()
            .rev()
            .take(NEWEST)
            .map(|info| {
                json!({"step": step_name(&ticket, &info.ticket_step_id), "asked_by": person(&info.requested_by),
                       "asked": person(&info.requested_from), "status": info.status, "at": info.requested_at.to_wire(),
                       "question": clipped(&info.question_text, LONGEST_TEXT),
                       "answer": text(info.response_text.as_deref())})
            })
            .collect();
        Ok(self.about(&ticket)?.with_rows(questions))
    }

    pub(super) async fn ticket_files(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let files = self.services.attachments.of_ticket(self.actor, id).await?;
        let files: Vec<Value> = files
            .iter()
            .take(NEWEST)
            .map(|file| {
                json!({"name": name(&file.original_filename), "type": file.mime_type, "bytes": file.size_bytes,
                       "uploaded_by": person(&file.uploaded_by), "uploaded_at": file.uploaded_at.to_wire()})
            })
            .collect();
        Ok(self.about(&ticket)?.with_rows(files))
    }

    pub(super) async fn ticket_versions(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let versions = self.services.change_requests.versions(self.actor, id).await?;
        let versions: Vec<Value> = versions
            .iter()
            .rev()
            .map(|version| {
                json!({"version": version.version, "created_at": version.created_at.to_wire(),
                       "created_by": person(&version.created_by), "source": version.source,
                       "changed_fields": version.field_changes.iter().take(MOST_CHANGES)
                           .map(|change| name(&change.field_label)).collect::<Vec<_>>()})
            })
            .collect();
        Ok(self.about(&ticket)?.with_rows(versions))
    }

    pub(super) async fn change_requests(&self, id: &str) -> Result<Found, ServiceError> {
        let ticket = self.services.tickets.visible(self.actor, id).await?.ticket;
        let requests: Vec<Value> = ticket.change_requests.iter().rev().map(change_request).collect();
        Ok(self.about(&ticket)?.with_rows(requests))
    }

    pub(super) async fn change_request(&self, id: &str) -> Result<Found, ServiceError> {
        let item = self.services.change_requests.get(self.actor, id).await?;
        let mut found = self.about(&item.ticket)?;
        found
            .head
            .insert("change_request".to_owned(), change_request(&item.request));
        let changes = item
            .request
            .field_changes
            .iter()
            .take(MOST_CHANGES)
            .map(|change| {
                json!({"field": name(&change.field_label), "old": value_text(change.old_value.get("value")),
                   "new": value_text(change.new_value.get("value"))})
            });
        let changes: Vec<Value> = changes.collect();
        Ok(found.with_rows(changes))
    }

    /// A finding about one ticket, if it may be shown.
    fn about(&self, ticket: &Ticket) -> Result<Found, ServiceError> {
        let brief = self
            .show(ticket)
            .ok_or_else(|| ServiceError::forbidden("this ticket is not yours to see"))?;
        let mut found = Found::of(as_json(&brief));
        found.tickets.push(brief);
        Ok(found)
    }
}

/// A change request without the values that it changes.
pub(super) fn change_request(request: &ChangeRequest) -> Value {
    json!({"change_request_id": request.id, "status": request.status, "reason": clipped(&request.reason, LONGEST_TEXT),
           "requested_by": person(&request.requested_by), "requested_at": request.requested_at.to_wire(),
           "reviewer": person(&request.assigned_to), "reviewed_at": request.reviewed_at.map(Timestamp::to_wire),
           "changed_fields": request.field_changes.len()})
}

fn step_name(ticket: &Ticket, id: &TicketStepId) -> Option<String> {
    ticket.step(id).map(|step| name(&step.name))
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(|text| clipped(text, LONGEST_TEXT))
}

fn field(key: &str, value: &Value) -> Value {
    json!({"field": name(key), "value": value_text(Some(value))})
}

/// A value as short text, whatever it is.
fn value_text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            value.to_string()
        }
    };
    Some(clipped(&text, LONGEST_TEXT))
}
