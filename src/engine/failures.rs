//! Failures: a rejection or a skip on its way outwards through the scopes, how it is recorded, and who is told.

use super::closing::Ending;
use super::notices::Message;
use super::turn::Turn;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::ticket::{BranchState, TicketStatus};
use crate::domain::workflow::{StepType, TransitionEvent};
use serde_json::{Value, json};

/// How a failing scope failed, and at which step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Rejected or skipped.
    pub(crate) kind: FailureKind,
    /// The step at which it began: the approval that was decided, or the fork whose join became impossible.
    pub(crate) step: TicketStepId,
    /// What was said.
    pub(crate) comment: Option<String>,
}

/// The two ways to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Somebody said no.
    Rejected,
    /// Somebody passed over it.
    Skipped,
}

impl FailureKind {
    /// How a step ends by it.
    pub(crate) const fn ending(self) -> Ending {
        match self {
            Self::Rejected => Ending::REJECTED,
            Self::Skipped => Ending::SKIPPED,
        }
    }

    /// The event on which a drawn edge leads on from it.
    pub(crate) const fn transition(self) -> TransitionEvent {
        match self {
            Self::Rejected => TransitionEvent::Reject,
            Self::Skipped => TransitionEvent::Skip,
        }
    }

    /// How a branch ends by it.
    pub(crate) const fn branch_state(self) -> BranchState {
        match self {
            Self::Rejected => BranchState::Rejected,
            Self::Skipped => BranchState::Skipped,
        }
    }

    /// How a ticket ends by it.
    pub(crate) const fn ticket_status(self) -> TicketStatus {
        match self {
            Self::Rejected => TicketStatus::Rejected,
            Self::Skipped => TicketStatus::Skipped,
        }
    }

    const fn audit_event(self) -> AuditEventType {
        match self {
            Self::Rejected => AuditEventType::Reject,
            Self::Skipped => AuditEventType::Skip,
        }
    }

    const fn template(self) -> TemplateKey {
        match self {
            Self::Rejected => TemplateKey::Rejected,
            Self::Skipped => TemplateKey::Skipped,
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
        }
    }
}

/// Whether nobody decided it: too few branches were left for a join to pass.
fn is_internal(turn: &Turn<'_>, failure: &Failure) -> bool {
    turn.ticket
        .step(&failure.step)
        .is_some_and(|step| step.kind == StepType::Fork)
}

/// Records the failure that ends the ticket; gives the message to its recipients.
pub(super) fn record_end(turn: &mut Turn<'_>, failure: &Failure) -> Message {
    let kind = failure.kind;
    let title = match kind {
        FailureKind::Rejected => "Request rejected",
        FailureKind::Skipped => "Request skipped",
    };
    if is_internal(turn, failure) {
        let rejected = kind == FailureKind::Rejected;
        let details = json!({"reason": failure.comment, "ticket_rejected": rejected});
        turn.audit(kind.audit_event(), None, details);
        let reason = failure.comment.as_deref().unwrap_or_default();
        let text = format!("\"{}\" was {}: {reason}.", turn.ticket.title, kind.verb());
        return Message::new(kind.template(), title, text, payload(turn, failure)).about(&failure.step);
    }
    turn.audit(
        kind.audit_event(),
        Some(&failure.step),
        json!({"comment": failure.comment}),
    );
    let actor = turn.actor().person.clone();
    let text = format!(
        "{} {} \"{}\".",
        actor.display_name,
        kind.verb(),
        turn.ticket.title
    );
    Message::new(kind.template(), title, text, payload(turn, failure))
        .about(&failure.step)
        .by(&actor)
}

/// Records a decision that ends only a step, because an edge was drawn for it, and tells the requester.
pub(super) fn tell_led_on(turn: &mut Turn<'_>, failure: &Failure) {
    turn.audit(
        failure.kind.audit_event(),
        Some(&failure.step),
        json!({"comment": failure.comment}),
    );
    let title = match failure.kind {
        FailureKind::Rejected => "Rejected",
        FailureKind::Skipped => "Skipped",
    };
    tell_requester(turn, failure, title, "a step", "the request goes on");
}

/// Records a decision that ends only a branch, and tells the requester (HZ-26). A skip is recorded as `STEP_SKIPPED`
/// with the branch it ended (contract engine-core 3.2).
pub(super) fn tell_branch_ended(turn: &mut Turn<'_>, failure: &Failure, branch: &Value) {
    let title = match failure.kind {
        FailureKind::Rejected => {
            let details = json!({"comment": failure.comment});
            turn.audit(AuditEventType::Reject, Some(&failure.step), details);
            "Branch rejected"
        }
        FailureKind::Skipped => {
            turn.audit(AuditEventType::StepSkipped, Some(&failure.step), branch.clone());
            "Branch skipped"
        }
    };
    tell_requester(turn, failure, title, "a part", "the other parts go on");
}

fn tell_requester(turn: &mut Turn<'_>, failure: &Failure, title: &'static str, what: &str, then: &str) {
    let actor = turn.actor().person.clone();
    let requester = turn.ticket.requester.clone();
    let text = format!(
        "{} {} {what} of \"{}\"; {then}.",
        actor.display_name,
        failure.kind.verb(),
        turn.ticket.title
    );
    let message = Message::new(failure.kind.template(), title, text, payload(turn, failure));
    turn.notify(&requester, &message.about(&failure.step).by(&actor));
}

fn payload(turn: &Turn<'_>, failure: &Failure) -> Value {
    json!({"approver_name": turn.actor().person.display_name, "reason": failure.comment})
}
