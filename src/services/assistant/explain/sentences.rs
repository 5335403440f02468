//! The sentences of an explanation, made of the ticket's facts.

use super::super::brief::{self, TicketBrief, is_done_by_people, moment, person};
use super::ExplainedStep;
use crate::domain::ticket::{InfoRequestStatus, StepState, Ticket};
use crate::domain::workflow::StepType;

/// What there is to say of a step.
pub(super) const fn insight(kind: StepType, state: StepState) -> &'static str {
    match state {
        StepState::NotStarted => "Begins when the steps before it have ended.",
        StepState::Active => match kind {
            StepType::Form => "The requester has to fill this form in.",
            StepType::Task => "An agent works on this, or is to be assigned.",
            StepType::SubWorkflow => "The embedded workflow's own steps are under way.",
            StepType::Approval | StepType::Notify | StepType::Fork | StepType::Join => "Under way.",
        },
        StepState::WaitingForApproval => "An approver has to decide.",
        StepState::WaitingForRequester => "The requester has to answer a question first.",
        StepState::WaitingForAgent => "A question has to be answered first.",
        StepState::WaitingForBranches => "Goes on when enough branches have ended.",
        StepState::WaitingForCr => "Paused until the change request is decided.",
        StepState::OnHold => "Put on hold by the agent.",
        StepState::Completed => match kind {
            StepType::Approval => "Approved.",
            StepType::Form
            | StepType::Task
            | StepType::Notify
            | StepType::Fork
            | StepType::Join
            | StepType::SubWorkflow => "Done.",
        },
        StepState::Rejected => "Rejected.",
        StepState::Skipped => "Passed over.",
        StepState::Cancelled => "Not needed any more.",
    }
}

/// The value of a form field named priority, in capitals.
pub(super) fn priority(ticket: &Ticket) -> String {
    let named = ticket
        .form_values
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("priority"));
    let text = named
        .and_then(|(_, value)| value.as_str())
        .map(str::trim)
        .unwrap_or_default();
    let is_a_word = (1..=20).contains(&text.len())
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == ' ');
    if is_a_word {
        text.to_uppercase()
    } else {
        "NORMAL".to_owned()
    }
}

/// What the ticket is, and how it ended.
pub(super) fn summary(brief: &TicketBrief) -> String {
    let raised = format!(
        "{} raised this “{}” ticket on {}.",
        brief.requester,
        brief.workflow,
        brief::day(brief.created_at)
    );
    match brief.completed_at.filter(|_| brief.status.is_terminal()) {
        Some(at) => format!(
            "{raised} It was {} on {}.",
            brief::status(brief.status),
            brief::day(at)
        ),
        None => format!("{raised} It is {}.", brief::status(brief.status)),
    }
}

/// What happens now, and who has to act.
pub(super) fn current_state(brief: &TicketBrief) -> String {
    if brief.status.is_terminal() {
        return format!("The ticket has ended: {}.", brief::status(brief.status));
    }
    let Some(step) = brief.current() else {
        return "No step waits for people at the moment.".to_owned();
    };
    let who = if step.people.is_empty() {
        "nobody is assigned yet".to_owned()
    } else {
        format!("with {}", step.people.join(", "))
    };
    let more = match brief.open_steps.len() {
        0 | 1 => String::new(),
        several => format!(" {several} steps are open at the same time."),
    };
    format!("“{}” is {}, {who}.{more}", step.name, brief::state(step.state))
}

/// When to expect what.
pub(super) fn timeline(brief: &TicketBrief) -> Option<String> {
    if let Some(at) = brief.completed_at.filter(|_| brief.status.is_terminal()) {
        return Some(format!("Ended on {}.", moment(at)));
    }
    let due = brief
        .open_steps
        .iter()
        .filter_map(|step| Some((step.due_at?, step)))
        .min_by_key(|(due, _)| *due);
    let (due, step) = due?;
    let word = if step.is_overdue { "was due" } else { "is due" };
    Some(format!("“{}” {word} {}.", step.name, moment(due)))
}

/// Facts by name, the progress first.
pub(super) fn key_details(
    ticket: &Ticket,
    brief: &TicketBrief,
    steps: &[ExplainedStep],
) -> Vec<(String, String)> {
    let of_people: Vec<_> = steps.iter().filter(|step| is_done_by_people(step.kind)).collect();
    let ended = |step: &&&ExplainedStep| {
        matches!(
            step.state,
            StepState::Completed | StepState::Rejected | StepState::Skipped | StepState::Cancelled
        )
    };
    let mut details = vec![
        (
            "Progress".to_owned(),
            format!("{}/{}", of_people.iter().filter(ended).count(), of_people.len()),
        ),
        ("Raised".to_owned(), moment(brief.created_at)),
        ("Last change".to_owned(), moment(brief.updated_at)),
    ];
    if let Some(manager) = &ticket.manager {
        details.push(("Manager".to_owned(), person(manager)));
    }
    if let Some(since) = brief.current().and_then(|step| step.since) {
        details.push(("Current step since".to_owned(), moment(since)));
    }
    let open = ticket
        .info_requests
        .iter()
        .filter(|info| info.status == InfoRequestStatus::Open)
        .count();
    if open > 0 {
        details.push(("Open questions".to_owned(), open.to_string()));
    }
    if ticket.pending_change_request().is_some() {
        details.push(("Change request".to_owned(), "pending".to_owned()));
    }
    details
}

/// Who has to do what, one's own actions first.
pub(super) fn pending_actions(brief: &TicketBrief) -> Vec<String> {
    let own = brief
        .open_steps
        .iter()
        .filter(|step| !step.your_actions.is_empty())
        .map(|step| {
            let actions: Vec<_> = step
                .your_actions
                .iter()
                .map(|action| action.replace('_', " "))
                .collect();
            format!("You can act on “{}”: {}.", step.name, actions.join(", "))
        });
    let others = brief
        .open_steps
        .iter()
        .filter(|step| step.your_actions.is_empty())
        .map(|step| {
            if step.people.is_empty() {
                format!("“{}” waits to be assigned.", step.name)
            } else {
                format!("“{}” waits for {}.", step.name, step.people.join(", "))
            }
        });
    own.chain(others).collect()
}
