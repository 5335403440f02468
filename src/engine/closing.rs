//! Closes everything that belongs to a step when the step ends: its question, votes, assignment, handover, hold, waiting
//! end and timers (contract engine-core HZ-15 and HZ-16, engine-actions S2, S5, S6, S11, S15).

use super::notices::Message;
use super::turn::Turn;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{
    ApprovalDecision, AssignmentStatus, HandoverStatus, InfoRequestStatus, Outcome, Phase, TimerKind,
};
use serde_json::json;

/// How a step ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The phase it ends in.
    pub(crate) phase: Phase,
    /// The outcome on the wire.
    pub(crate) outcome: Option<Outcome>,
}

impl Ending {
    /// Done, with no outcome of its own (forms, tasks, forks, joins, notifications).
    pub(crate) const DONE: Self = Self {
        phase: Phase::Completed,
        outcome: None,
    };
    /// Approved.
    pub(crate) const APPROVED: Self = Self {
        phase: Phase::Completed,
        outcome: Some(Outcome::Approved),
    };
    /// An embedded run that ended well.
    pub(crate) const COMPLETED: Self = Self {
        phase: Phase::Completed,
        outcome: Some(Outcome::Completed),
    };
    /// Rejected.
    pub(crate) const REJECTED: Self = Self {
        phase: Phase::Rejected,
        outcome: Some(Outcome::Rejected),
    };
    /// Skipped.
    pub(crate) const SKIPPED: Self = Self {
        phase: Phase::Skipped,
        outcome: Some(Outcome::Skipped),
    };
    /// Ended from outside.
    pub(crate) const CANCELLED: Self = Self {
        phase: Phase::Cancelled,
        outcome: Some(Outcome::Cancelled),
    };
}

/// Ends a step and everything that belongs to it; a step that has ended already is left alone.
pub(crate) fn end_step(turn: &mut Turn<'_>, id: &TicketStepId, ending: Ending) -> Result<(), Refusal> {
    if turn.step(id)?.phase.is_ended() {
        return Ok(());
    }
    withdraw_question(turn, id);
    cancel_votes(turn, id);
    end_assignment(turn, id);
    cancel_handover(turn, id);
    let now = turn.now();
    let step = turn.change_step(id)?;
    step.phase = ending.phase;
    step.outcome = ending.outcome;
    step.completed_at = Some(now);
    step.paused_at = None;
    if let Some(hold) = step.hold.as_mut().filter(|hold| hold.resumed_at.is_none()) {
        hold.resumed_at = Some(now);
    }
    if let Some(run) = &mut step.embedded {
        run.pending_end = None;
    }
    turn.ticket.timers.retain(|timer| match &timer.kind {
        TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => step != id,
        TimerKind::JoinTimeout { .. } => true,
    });
    Ok(())
}

/// Withdraws the question that is open on a step, and tells the person who was asked.
pub(crate) fn withdraw_question(turn: &mut Turn<'_>, id: &TicketStepId) {
    let now = turn.now();
    let open = turn
        .ticket
        .info_requests
        .iter_mut()
        .find(|info| info.ticket_step_id == *id && info.status == InfoRequestStatus::Open);
    let Some(info) = open else { return };
    info.status = InfoRequestStatus::Cancelled;
    info.responded_at = Some(now);
    let (asked, request) = (info.requested_from.clone(), info.id.clone());
    turn.audit(
        AuditEventType::InfoRequestWithdrawn,
        Some(id),
        json!({"info_request_id": request}),
    );
    let message = Message::new(
        TemplateKey::InfoRequested,
        "Question withdrawn",
        format!(
            "A question on \"{}\" no longer needs an answer.",
            turn.ticket.title
        ),
        json!({}),
    );
    turn.notify_others([&asked], &message.about(id).in_app_only());
}

fn cancel_votes(turn: &mut Turn<'_>, id: &TicketStepId) {
    let now = turn.now();
    for task in &mut turn.ticket.approval_tasks {
        if task.ticket_step_id == *id && task.decision == ApprovalDecision::Pending {
            task.decision = ApprovalDecision::Cancelled;
            task.decided_at = Some(now);
            task.updated_at = Some(now);
        }
    }
}

fn end_assignment(turn: &mut Turn<'_>, id: &TicketStepId) {
    let now = turn.now();
    for assignment in &mut turn.ticket.assignments {
        if assignment.ticket_step_id == *id && assignment.status == AssignmentStatus::Active {
            assignment.status = AssignmentStatus::Completed;
            assignment.ended_at = Some(now);
        }
    }
}

/// Cancels the handover that is pending on a step.
pub(crate) fn cancel_handover(turn: &mut Turn<'_>, id: &TicketStepId) {
    let now = turn.now();
    for handover in &mut turn.ticket.handovers {
        if handover.ticket_step_id == *id && handover.status == HandoverStatus::Pending {
            handover.status = HandoverStatus::Cancelled;
            handover.decided_at = Some(now);
        }
    }
}
