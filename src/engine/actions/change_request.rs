//! Change requests: proposed, reviewed, withdrawn; work pauses meanwhile (contract engine-actions 7, S20 to S24, A14).

use super::change_request_pause::{pause, resume};
use super::{Acted, change_request_data as data};
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AttachmentId, ChangeRequestId};
use crate::domain::json::JsonObject;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{
    ApprovalDecision, ChangeRequest, ChangeRequestStatus, FormVersion, FormVersionSource, Phase, Step,
    TicketStatus,
};
use crate::domain::workflow::StepType;
use crate::engine::decision::{Effect, Undecided};
use crate::engine::definition::StepKind;
use crate::engine::notices::Message;
use crate::engine::permission_guard::{self, TicketAction};
use crate::engine::responsibility;
use crate::engine::steps::task;
use crate::engine::turn::Turn;
use serde_json::{Value, json};

/// How long an identical proposal counts as the repeat of a pending one, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;

/// Proposes new form data; every live step pauses.
pub(super) fn create(
    turn: &mut Turn<'_>,
    proposed: &JsonObject,
    attachments: Option<&[AttachmentId]>,
    reason: &str,
) -> Result<Acted, Undecided> {
    permission_guard::check_ticket(&turn.ticket, turn.actor(), &TicketAction::CreateChangeRequest)?;
    if let Some(pending) = turn.ticket.pending_change_request() {
        let fresh = turn.now().since(pending.requested_at).num_milliseconds() <= REPEAT_MILLIS;
        let same = pending.reason == reason
            && proposed
                .iter()
                .all(|(key, value)| pending.proposed_data.form_values.get(key) == Some(value));
        if fresh && same {
            return Ok(Acted::AlreadyDone(Some(pending.id.to_string())));
        }
        return Err(
            Refusal::AlreadyExists("a change request is already pending on this ticket".to_owned()).into(),
        );
    }
    if turn.ticket.status != TicketStatus::InProgress {
        return Err(
            Refusal::invalid_state("form data can be changed only while the ticket is in progress").into(),
        );
    }
    let reviewer = reviewer(turn)?;
    let change = data::propose(turn, proposed, attachments)?;
    let added: Vec<AttachmentId> = change.added_files(&turn.ticket.attachment_ids);
    turn.link_attachments(&added, None, "change_request")?;
    let now = turn.now();
    let request = ChangeRequest {
        id: ChangeRequestId::derived(&turn.draw_seed()),
        status: ChangeRequestStatus::Pending,
        from_version: turn.ticket.form_version,
        to_version: None,
        original_data: data::current(&turn.ticket),
        proposed_data: change.proposed,
        field_changes: change.field_changes,
        attachment_changes: change.attachment_changes,
        requested_by: turn.actor().person.clone(),
        reason: reason.to_owned(),
        requested_at: now,
        assigned_to: reviewer,
        reviewed_by: None,
        reviewed_at: None,
        review_notes: None,
        updated_at: now,
    };
    turn.created = Some(request.id.to_string());
    turn.ticket.change_requests.push(request.clone());
    let details = json!({
        "change_request_id": request.id,
        "reason": reason,
        "field_changes_count": request.field_changes.len(),
        "attachment_changes_count": request.attachment_changes.len(),
        "assigned_to": request.assigned_to.email,
    });
    turn.audit(AuditEventType::ChangeRequestCreated, None, details);
    tell_created(turn, &request);
    pause(turn, &request)?;
    Ok(Acted::Applied)
}

/// The change request, if the actor may do this to it now.
fn allowed(
    turn: &Turn<'_>,
    id: &ChangeRequestId,
    action: fn(ChangeRequestId) -> TicketAction,
) -> Result<ChangeRequest, Refusal> {
    permission_guard::check_ticket(&turn.ticket, turn.actor(), &action(id.clone()))?;
    let request = turn.ticket.change_request(id);
    request.cloned().ok_or(Refusal::NotFound {
        what: "change request",
    })
}

/// Accepts a change request: the data is replaced, a form version is kept, work resumes.
pub(super) fn approve(
    turn: &mut Turn<'_>,
    id: &ChangeRequestId,
    notes: Option<&str>,
) -> Result<Acted, Undecided> {
    if is_repeat(turn, id, ChangeRequestStatus::Approved) {
        return Ok(Acted::AlreadyDone(None));
    }
    let request = allowed(turn, id, TicketAction::DecideChangeRequest)?;
    if request.from_version != turn.ticket.form_version {
        return Err(Refusal::invalid_state("the form data has changed since this request was made").into());
    }
    let to_version = request.from_version.saturating_add(1);
    keep_versions(turn, &request, to_version);
    turn.ticket.form_version = to_version;
    turn.ticket.form_values = request.proposed_data.form_values.clone();
    turn.ticket
        .attachment_ids
        .clone_from(&request.proposed_data.attachment_ids);
    settle(turn, id, ChangeRequestStatus::Approved, notes, Some(to_version));
    data::refresh_forms(turn)?;
    refresh_linked_tasks(turn)?;
    let details = json!({
        "change_request_id": id,
        "from_version": request.from_version,
        "to_version": to_version,
        "review_notes": notes,
        "field_changes_count": request.field_changes.len(),
        "attachment_changes_count": request.attachment_changes.len(),
    });
    turn.audit(AuditEventType::ChangeRequestApproved, None, details);
    let actor = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::ChangeRequestApproved,
        "Change accepted",
        format!(
            "{} accepted your change of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({
            "change_request_id": id,
            "approver_name": actor.display_name,
            "notes": notes,
            "field_changes_count": request.field_changes.len(),
            "new_version": to_version,
        }),
    )
    .by(&actor);
    turn.notify(&request.requested_by, &message);
    tell_workers_of_new_data(turn, &request, &actor);
    resume(turn, &request, "APPROVED")?;
    Ok(Acted::Applied)
}

/// Refuses a change request; the data stays, work resumes.
pub(super) fn reject(
    turn: &mut Turn<'_>,
    id: &ChangeRequestId,
    notes: Option<&str>,
) -> Result<Acted, Undecided> {
    if is_repeat(turn, id, ChangeRequestStatus::Rejected) {
        return Ok(Acted::AlreadyDone(None));
    }
    let request = allowed(turn, id, TicketAction::DecideChangeRequest)?;
    settle(turn, id, ChangeRequestStatus::Rejected, notes, None);
    let details = json!({"change_request_id": id, "review_notes": notes});
    turn.audit(AuditEventType::ChangeRequestRejected, None, details);
    let actor = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::ChangeRequestRejected,
        "Change refused",
        format!(
            "{} refused your change of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({"change_request_id": id, "rejector_name": actor.display_name, "notes": notes}),
    );
    turn.notify(&request.requested_by, &message.by(&actor));
    resume(turn, &request, "REJECTED")?;
    Ok(Acted::Applied)
}

/// Withdraws a change request; work resumes.
pub(super) fn cancel(turn: &mut Turn<'_>, id: &ChangeRequestId) -> Result<Acted, Undecided> {
    let withdrawn = turn.ticket.change_request(id).is_some_and(|request| {
        request.status == ChangeRequestStatus::Cancelled && request.requested_by.is_same(&turn.actor().person)
    });
    if withdrawn {
        return Ok(Acted::AlreadyDone(None));
    }
    let request = allowed(turn, id, TicketAction::CancelChangeRequest)?;
    settle(turn, id, ChangeRequestStatus::Cancelled, None, None);
    turn.audit(
        AuditEventType::ChangeRequestCancelled,
        None,
        json!({"change_request_id": id}),
    );
    let actor = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::ChangeRequestCancelled,
        "Change withdrawn",
        format!(
            "{} withdrew the change of \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({"change_request_id": id}),
    );
    turn.notify(&request.assigned_to, &message.by(&actor));
    resume(turn, &request, "CANCELLED")?;
    Ok(Acted::Applied)
}

fn is_repeat(turn: &Turn<'_>, id: &ChangeRequestId, status: ChangeRequestStatus) -> bool {
    turn.ticket.change_request(id).is_some_and(|request| {
        let own = request
            .reviewed_by
            .as_ref()
            .is_some_and(|by| by.is_same(&turn.actor().person));
        request.status == status && own
    })
}

/// Who really approved the earliest completed approval; never the requester, else the manager (S20, A14).
fn reviewer(turn: &Turn<'_>) -> Result<Person, Refusal> {
    let ticket = &turn.ticket;
    let completed = ticket
        .steps
        .iter()
        .filter(|s| s.kind == StepType::Approval && s.phase == Phase::Completed);
    let mut completed: Vec<&Step> = completed.collect();
    completed.sort_by_key(|step| step.completed_at);
    let Some(first) = completed.first() else {
        return Err(Refusal::invalid_state(
            "form data can be changed only after the first approval",
        ));
    };
    let vote = ticket
        .approval_tasks_of(&first.id)
        .find(|task| task.decision == ApprovalDecision::Approved);
    let approver = vote
        .map(|task| task.approver.clone())
        .or_else(|| responsibility::responsible_for(ticket, first));
    let is_other = |person: &Person| !person.is_same(&ticket.requester);
    let reviewer = approver
        .filter(is_other)
        .or_else(|| ticket.manager.clone().filter(is_other));
    reviewer.ok_or_else(|| Refusal::invalid_state("nobody but the requester could review this change"))
}

fn settle(
    turn: &mut Turn<'_>,
    id: &ChangeRequestId,
    status: ChangeRequestStatus,
    notes: Option<&str>,
    to_version: Option<i32>,
) {
    let (now, actor) = (turn.now(), turn.actor().person.clone());
    for request in turn
        .ticket
        .change_requests
        .iter_mut()
        .filter(|request| request.id == *id)
    {
        request.status = status;
        request.updated_at = now;
        request.to_version = to_version;
        if status != ChangeRequestStatus::Cancelled {
            request.reviewed_by = Some(actor.clone());
            request.reviewed_at = Some(now);
            request.review_notes = notes.map(str::to_owned);
        }
    }
}

fn keep_versions(turn: &mut Turn<'_>, request: &ChangeRequest, to_version: i32) {
    if request.from_version == 1 {
        let original = FormVersion {
            version: 1,
            data: request.original_data.clone(),
            created_at: turn.ticket.created_at,
            created_by: turn.ticket.requester.clone(),
            source: FormVersionSource::Original,
            change_request_id: None,
            approved_by: None,
            field_changes: Vec::new(),
            attachment_changes: Vec::new(),
        };
        turn.effect(Effect::FormVersion(Box::new(original)));
    }
    let next = FormVersion {
        version: to_version,
        data: request.proposed_data.clone(),
        created_at: turn.now(),
        created_by: request.requested_by.clone(),
        source: FormVersionSource::ChangeRequest,
        change_request_id: Some(request.id.clone()),
        approved_by: Some(turn.actor().person.clone()),
        field_changes: request.field_changes.clone(),
        attachment_changes: request.attachment_changes.clone(),
    };
    turn.effect(Effect::FormVersion(Box::new(next)));
}

/// Takes the rows of linked tasks again on which nobody has worked yet (S24).
fn refresh_linked_tasks(turn: &mut Turn<'_>) -> Result<(), Undecided> {
    let tasks = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && step.kind == StepType::Task);
    let tasks: Vec<Step> = tasks.cloned().collect();
    for step in tasks {
        let definition = turn.definition_of(&step)?;
        if let StepKind::Task(task) = &definition.kind
            && let Some(source) = &task.linked
        {
            task::refresh_linked_rows(turn, &step.id, source)?;
        }
    }
    Ok(())
}

fn tell_created(turn: &mut Turn<'_>, request: &ChangeRequest) {
    let counts = (request.field_changes.len(), request.attachment_changes.len());
    let changes: Vec<Value> = request
        .field_changes
        .iter()
        .take(50)
        .map(data::change_view)
        .collect();
    let requester = request.requested_by.clone();
    let pending = Message::new(
        TemplateKey::ChangeRequestPending,
        "Change to review",
        format!(
            "{} proposes a change of \"{}\".",
            requester.display_name, turn.ticket.title
        ),
        json!({
            "change_request_id": request.id,
            "reason": request.reason,
            "field_changes_count": counts.0,
            "attachment_changes_count": counts.1,
            "field_changes": changes,
        }),
    );
    turn.notify(&request.assigned_to, &pending.by(&requester));
    let submitted = Message::new(
        TemplateKey::ChangeRequestSubmitted,
        "Change proposed",
        format!(
            "Your change of \"{}\" is with {}.",
            turn.ticket.title, request.assigned_to.display_name
        ),
        json!({
            "change_request_id": request.id,
            "assigned_to_name": request.assigned_to.display_name,
            "reason": request.reason,
            "field_changes_count": counts.0,
            "attachment_changes_count": counts.1,
        }),
    );
    turn.notify(&requester, &submitted.by(&requester));
}

fn tell_workers_of_new_data(turn: &mut Turn<'_>, request: &ChangeRequest, actor: &Person) {
    let live = turn.ticket.steps.iter().filter(|step| step.is_live());
    let assignees: Vec<Person> = live.filter_map(|step| step.assignee.clone()).collect();
    let message = Message::new(
        TemplateKey::ChangeRequestApproved,
        "Form data updated",
        format!("The form data of \"{}\" has changed.", turn.ticket.title),
        json!({"change_request_id": request.id, "approver_name": actor.display_name}),
    );
    turn.notify_others(&assignees, &message.by(actor).in_app_only());
}
