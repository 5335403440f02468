//! The ticket's own document.

use super::LegacyTicket;
use super::draft::Draft;
use crate::domain::id::{AttachmentId, StepKey, TicketId, WorkflowId, WorkflowVersionId};
use crate::domain::import::RepairRule;
use crate::domain::person::{Email, Person};
use crate::domain::ticket::{Ticket, TicketStatus};
use crate::domain::time::Timestamp;
use crate::domain::workflow::PinnedWorkflow;
use crate::engine::Definitions;

/// A ticket with nothing but its id and what it is pinned to.
pub(super) fn blank(legacy: &LegacyTicket, definitions: &Definitions) -> Ticket {
    let fields = legacy.fields();
    let own = &definitions.own;
    let created_at = fields
        .instant("created_at")
        .or_else(|| fields.instant("updated_at"))
        .unwrap_or(Timestamp::from_millis(0));
    let pinned = PinnedWorkflow {
        workflow_id: WorkflowId::from_stored(own.workflow_id.as_str()),
        version_id: WorkflowVersionId::from_stored(own.version_id.as_str()),
        version_number: own.version_number,
        name: fields.owned("workflow_name").unwrap_or_else(|| own.name.clone()),
        start_step_id: fields
            .text("workflow_start_step_id")
            .map_or_else(|| own.start.clone(), StepKey::from),
    };
    let id = TicketId::from_stored(legacy.id());
    let title = fields.owned("title").unwrap_or_else(|| "Untitled".to_owned());
    let requester = Person::from_email(Email::from_stored("unknown@unknown.invalid"));
    Ticket {
        version: fields.whole("version").unwrap_or(1).max(1),
        description: fields.owned("description"),
        status: fields.word("status").unwrap_or(TicketStatus::InProgress),
        updated_at: fields.instant("updated_at").unwrap_or(created_at).max(created_at),
        completed_at: fields.instant("completed_at"),
        current_step_id: fields.text("current_step_id").map(StepKey::from),
        ..Ticket::new(id, pinned, title, requester, created_at)
    }
}

/// People, values and files.
pub(super) fn read(draft: &mut Draft<'_>) {
    let fields = draft.legacy.fields();
    let id = draft.legacy.id();
    if fields.text("workflow_version_id") != Some(draft.ticket.workflow.version_id.as_str()) {
        draft.touch(RepairRule::VersionIsMissing, id);
    }
    draft.ticket.requester = draft.somebody(fields, "requester", id);
    draft.ticket.manager = draft.person(fields, "manager_snapshot", id);
    draft.ticket.form_values = fields.json("form_values");
    draft.ticket.attachment_ids = distinct(fields.texts("attachment_ids"));
    let version = fields.whole("form_version").unwrap_or(1).max(1);
    draft.ticket.form_version = i32::try_from(version).unwrap_or(1);
    let notes = fields.objects("requester_notes").count();
    draft.ticket.requester_note_count = u32::try_from(notes).unwrap_or(u32::MAX);
    if draft.ticket.status.is_terminal() && draft.ticket.completed_at.is_none() {
        draft.ticket.completed_at = Some(draft.ticket.updated_at);
        draft.touch(RepairRule::StepOutlivedTicket, id);
    }
}

/// Ids of files in their order, no doubles.
pub(super) fn distinct(ids: Vec<String>) -> Vec<AttachmentId> {
    let mut distinct: Vec<AttachmentId> = Vec::with_capacity(ids.len());
    for id in ids {
        let id = AttachmentId::from_stored(id);
        if !distinct.contains(&id) {
            distinct.push(id);
        }
    }
    distinct
}
