//! Votes, assignments, questions, handovers and acknowledgements, as they were stored.

use super::draft::Draft;
use super::head::distinct;
use super::id_of;
use crate::domain::id::{
    ApprovalTaskId, AssignmentId, HandoverId, InfoRequestId, SlaAcknowledgementId, TicketStepId,
};
use crate::domain::ticket::{
    ApprovalDecision, ApprovalTask, Assignment, AssignmentStatus, Handover, HandoverStatus, InfoRequest,
    InfoRequestStatus, SlaAcknowledgement, TargetRole,
};
use crate::domain::time::Timestamp;
use crate::repositories::legacy::{Fields, LegacyCollection};

/// Reads all of them, each list by time.
pub(super) fn read(draft: &mut Draft<'_>) {
    let legacy = draft.legacy;
    for fields in legacy.all(LegacyCollection::ApprovalTasks) {
        let vote = vote(draft, fields);
        draft.ticket.approval_tasks.push(vote);
    }
    for fields in legacy.all(LegacyCollection::Assignments) {
        let assignment = assignment(draft, fields);
        draft.ticket.assignments.push(assignment);
    }
    for fields in legacy.all(LegacyCollection::InfoRequests) {
        let question = question(draft, fields);
        draft.ticket.info_requests.push(question);
    }
    for fields in legacy.all(LegacyCollection::HandoverRequests) {
        let handover = handover(draft, fields);
        draft.ticket.handovers.push(handover);
    }
    for fields in legacy.all(LegacyCollection::SlaAcknowledgments) {
        let acknowledgement = acknowledgement(draft, fields);
        draft.ticket.sla_acknowledgements.push(acknowledgement);
    }
    let ticket = &mut draft.ticket;
    ticket.approval_tasks.sort_by_key(|task| task.created_at);
    ticket
        .assignments
        .sort_by_key(|assignment| assignment.assigned_at);
    ticket.info_requests.sort_by_key(|info| info.requested_at);
    ticket.handovers.sort_by_key(|handover| handover.requested_at);
    ticket.sla_acknowledgements.sort_by_key(|sla| sla.acknowledged_at);
}

fn step_of(fields: Fields<'_>) -> TicketStepId {
    TicketStepId::from_stored(fields.text("ticket_step_id").unwrap_or_default())
}

fn at(draft: &Draft<'_>, fields: Fields<'_>, key: &str) -> Timestamp {
    fields.instant(key).unwrap_or(draft.ticket.created_at)
}

fn vote(draft: &mut Draft<'_>, fields: Fields<'_>) -> ApprovalTask {
    let id = id_of(fields, "approval_task_id");
    ApprovalTask {
        id: ApprovalTaskId::from_stored(id),
        ticket_step_id: step_of(fields),
        approver: draft.somebody(fields, "approver", id),
        decision: fields.word("decision").unwrap_or(ApprovalDecision::Pending),
        comment: fields.owned("comment"),
        decided_at: fields.instant("decided_at"),
        created_at: at(draft, fields, "created_at"),
        updated_at: fields.instant("updated_at"),
    }
}

fn assignment(draft: &mut Draft<'_>, fields: Fields<'_>) -> Assignment {
    let id = id_of(fields, "assignment_id");
    Assignment {
        id: AssignmentId::from_stored(id),
        ticket_step_id: step_of(fields),
        assigned_to: draft.somebody(fields, "assigned_to", id),
        assigned_by: draft.somebody(fields, "assigned_by", id),
        status: fields.word("status").unwrap_or(AssignmentStatus::Reassigned),
        reason: fields.owned("reason"),
        assigned_at: at(draft, fields, "assigned_at"),
        ended_at: fields.instant("ended_at"),
    }
}

/// A question to nobody in particular is one to the requester, and so is an old one without a role (http-tickets 2.8).
fn question(draft: &mut Draft<'_>, fields: Fields<'_>) -> InfoRequest {
    let id = id_of(fields, "info_request_id");
    let asked = draft.person(fields, "requested_from", id);
    InfoRequest {
        id: InfoRequestId::from_stored(id),
        ticket_step_id: step_of(fields),
        requested_by: draft.somebody(fields, "requested_by", id),
        requested_from: asked.unwrap_or_else(|| draft.ticket.requester.clone()),
        target_role: fields
            .word("requested_from_step_type")
            .unwrap_or(TargetRole::Requester),
        subject: fields.owned("subject"),
        question_text: fields.owned("question_text").unwrap_or_default(),
        request_attachment_ids: distinct(fields.texts("request_attachment_ids")),
        status: fields.word("status").unwrap_or(InfoRequestStatus::Closed),
        response_text: fields.owned("response_text"),
        response_attachment_ids: distinct(fields.texts("response_attachment_ids")),
        responded_by: draft.person(fields, "responded_by", id),
        requested_at: at(draft, fields, "requested_at"),
        responded_at: fields.instant("responded_at"),
    }
}

fn handover(draft: &mut Draft<'_>, fields: Fields<'_>) -> Handover {
    let id = id_of(fields, "handover_request_id");
    Handover {
        id: HandoverId::from_stored(id),
        ticket_step_id: step_of(fields),
        requested_by: draft.somebody(fields, "requested_by", id),
        requested_to: draft.person(fields, "requested_to", id),
        reason: fields.owned("reason").unwrap_or_default(),
        status: fields.word("status").unwrap_or(HandoverStatus::Cancelled),
        decided_by: draft.person(fields, "decided_by", id),
        decision_comment: fields.owned("decision_comment"),
        new_assignee: draft.person(fields, "new_assignee", id),
        requested_at: at(draft, fields, "requested_at"),
        decided_at: fields.instant("decided_at"),
    }
}

fn acknowledgement(draft: &mut Draft<'_>, fields: Fields<'_>) -> SlaAcknowledgement {
    let id = id_of(fields, "acknowledgment_id");
    SlaAcknowledgement {
        id: SlaAcknowledgementId::from_stored(id),
        ticket_step_id: step_of(fields),
        acknowledged_by: draft.somebody(fields, "acknowledged_by", id),
        acknowledged_at: at(draft, fields, "acknowledged_at"),
        notes: fields.owned("notes"),
    }
}
