//! Whether the ticket lives, and what ends with it when it does not.

use super::super::draft::Draft;
use crate::domain::import::RepairRule;
use crate::domain::ticket::{
    BranchState, ChangeRequestStatus, InfoRequestStatus, JoinProgress, Outcome, Phase, Step, TicketStatus,
};
use crate::domain::time::Timestamp;
use crate::repositories::legacy::LegacyCollection;

/// A ticket with an end that is live was revived; the last event that ends tickets says how it had ended.
pub(super) fn restore_the_end(draft: &mut Draft<'_>) {
    if draft.ticket.status.is_terminal() || draft.ticket.completed_at.is_none() {
        return;
    }
    let mut ends: Vec<(Timestamp, TicketStatus)> = Vec::new();
    for event in draft.legacy.all(LegacyCollection::AuditEvents) {
        let status = match event.text("event_type") {
            Some("CANCEL_TICKET") => TicketStatus::Cancelled,
            Some("TICKET_COMPLETED") => TicketStatus::Completed,
            Some("REJECT") => TicketStatus::Rejected,
            Some("SKIP") => TicketStatus::Skipped,
            _ => continue,
        };
        ends.extend(event.instant("timestamp").map(|at| (at, status)));
    }
    let told = ends
        .into_iter()
        .max_by_key(|(at, _)| *at)
        .map(|(_, status)| status);
    let has = |phase: Phase| draft.ticket.steps.iter().any(|step| step.phase == phase);
    let status = told.unwrap_or(if has(Phase::Rejected) {
        TicketStatus::Rejected
    } else if has(Phase::Skipped) {
        TicketStatus::Skipped
    } else {
        TicketStatus::Completed
    });
    draft.ticket.status = status;
    let id = draft.ticket.id.to_string();
    draft.touch(RepairRule::RevivedTicket, id);
}

/// `CREATE_TICKET` is the last thing a creation records; without it and without open work the creation had failed.
pub(super) fn cancel_an_orphan(draft: &mut Draft<'_>) {
    if draft.ticket.status.is_terminal() {
        return;
    }
    let mut events = draft.legacy.all(LegacyCollection::AuditEvents);
    let was_created = events.any(|event| event.text("event_type") == Some("CREATE_TICKET"));
    let has_open_work = draft.ticket.steps.iter().any(Step::is_live);
    if was_created || has_open_work {
        return;
    }
    draft.ticket.status = TicketStatus::Cancelled;
    draft.ticket.completed_at = Some(draft.ticket.created_at);
    let id = draft.ticket.id.to_string();
    draft.touch(RepairRule::OrphanOfFailedCreation, id);
}

/// Everything open ends with the ticket: as skipped what was live when it was cancelled, else as cancelled.
pub(super) fn end_with_the_ticket(draft: &mut Draft<'_>) {
    let ended_at = draft.ended_at();
    let was_cancelled = draft.ticket.status == TicketStatus::Cancelled;
    let mut touched: Vec<(RepairRule, String)> = Vec::new();
    for step in &mut draft.ticket.steps {
        let (phase, outcome) = match step.phase {
            Phase::Live if was_cancelled => (Phase::Skipped, Outcome::Skipped),
            Phase::Live | Phase::NotStarted => (Phase::Cancelled, Outcome::Cancelled),
            Phase::Completed | Phase::Rejected | Phase::Skipped | Phase::Cancelled => continue,
        };
        step.phase = phase;
        step.outcome = Some(outcome);
        step.completed_at = Some(ended_at.max(step.started_at.unwrap_or(ended_at)));
        touched.push((RepairRule::StepOutlivedTicket, step.id.to_string()));
    }
    for step in &mut draft.ticket.steps {
        if let Some(hold) = step.hold.as_mut().filter(|hold| hold.resumed_at.is_none()) {
            hold.resumed_at = step.completed_at;
        }
    }
    for request in &mut draft.ticket.change_requests {
        if request.status == ChangeRequestStatus::Pending {
            request.status = ChangeRequestStatus::Cancelled;
            request.reviewed_at = Some(ended_at);
            touched.push((RepairRule::ChangeRequestOutlivedTicket, request.id.to_string()));
        }
    }
    if draft.legacy.fields().text("pending_change_request_id").is_some() {
        touched.push((
            RepairRule::ChangeRequestOutlivedTicket,
            draft.ticket.id.to_string(),
        ));
    }
    for fork in &mut draft.ticket.forks {
        if fork.progress == JoinProgress::Waiting {
            fork.progress = JoinProgress::Impossible;
        }
        let key = fork.fork_key.clone();
        for branch in fork.branches.iter_mut().filter(|branch| !branch.state.is_ended()) {
            branch.end(BranchState::Cancelled, ended_at.max(branch.started_at));
            touched.push((RepairRule::BranchOutlivedTicket, format!("{key}/{}", branch.key)));
        }
    }
    for info in &mut draft.ticket.info_requests {
        if info.status == InfoRequestStatus::Open {
            info.status = InfoRequestStatus::Cancelled;
            info.responded_at = Some(ended_at.max(info.requested_at));
            touched.push((RepairRule::QuestionOutlivedStep, info.id.to_string()));
        }
    }
    if draft.ticket.drop_pending_ends() {
        touched.push((RepairRule::StepOutlivedTicket, draft.ticket.id.to_string()));
    }
    for (rule, subject) in touched {
        draft.touch(rule, subject);
    }
}
