//! What people do to tickets: each deed as a request, and the audit event it leaves exactly once.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The audit event that the timer of an overdue step leaves once.
pub(super) const TIMER_MARK: &str = "SLA_ESCALATION";

/// One thing a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Deed {
    Raise,
    Approve,
    Assign,
    Complete,
    Note,
    Message,
    Ask,
    Answer,
    Draft,
    Hold,
    Resume,
    AskForHandover,
    HandOver,
    Propose,
    AcceptProposal,
    Cancel,
}

/// What a deed needs to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Details {
    /// The ticket.
    pub(super) ticket: String,
    /// The step instance.
    pub(super) step: String,
    /// What is written; no other deed writes the same.
    pub(super) text: String,
    /// The address of whom it concerns.
    pub(super) person: String,
    /// The handover or proposal that is decided.
    pub(super) subject: String,
}

/// A deed as it is sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method and path pattern, as the service names the route.
    pub(super) route: String,
    /// The path.
    pub(super) path: String,
    /// The body.
    pub(super) body: Value,
}

impl Deed {
    /// The request for everything but raising a ticket.
    pub(super) fn request(self, details: &Details) -> Request {
        let text = &details.text;
        let (action, body) = match self {
            Self::Raise => unreachable!("a ticket is raised by Request::raise"),
            Self::Approve => ("approve", json!({"comment": text})),
            Self::Assign => ("assign", json!({"agent_email": details.person})),
            Self::Complete => ("complete", json!({"execution_notes": text, "output_values": {}})),
            Self::Note => ("add-note", json!({"content": text})),
            Self::Ask => ("request-info", json!({"question_text": text})),
            Self::Answer => ("respond-info", json!({"response_text": text})),
            Self::Draft => ("save-draft", json!({"draft_values": {"text": text}})),
            Self::Hold => ("hold", json!({"reason": text})),
            Self::Resume => ("resume", Value::Null),
            Self::AskForHandover => ("request-handover", json!({"reason": text})),
            Self::HandOver => (
                "decide-handover",
                json!({"handover_request_id": details.subject, "approved": true, "new_agent_email": details.person}),
            ),
            Self::Message => {
                return Request::on_ticket("add-requester-note", details, json!({"content": text}));
            }
            Self::Cancel => return Request::on_ticket("cancel", details, json!({"reason": text})),
            Self::Propose => {
                let body = json!({"ticket_id": details.ticket, "proposed_form_values": {"what": text}, "reason": text});
                return Request::to(
                    "/api/v1/change-requests",
                    "/api/v1/change-requests".to_owned(),
                    body,
                );
            }
            Self::AcceptProposal => {
                let path = format!("/api/v1/change-requests/{}/approve", details.subject);
                let body = json!({"action": "APPROVE", "notes": text});
                return Request::to("/api/v1/change-requests/{change_request_id}/approve", path, body);
            }
        };
        let route = format!("/api/v1/tickets/{{ticket_id}}/steps/{{ticket_step_id}}/{action}");
        let path = format!(
            "/api/v1/tickets/{}/steps/{}/{action}",
            details.ticket, details.step
        );
        Request::to(&route, path, body)
    }

    /// The audit event that the deed leaves once.
    pub(super) const fn mark(self) -> Option<&'static str> {
        Some(match self {
            Self::Raise => "CREATE_TICKET",
            Self::Approve => "APPROVE",
            Self::Assign => "ASSIGN_AGENT",
            Self::Complete => "COMPLETE_TASK",
            Self::Note => "NOTE_ADDED",
            Self::Message => "REQUESTER_NOTE_ADDED",
            Self::Ask => "REQUEST_INFO",
            Self::Answer => "RESPOND_INFO",
            Self::Draft => return None,
            Self::Hold => "PUT_ON_HOLD",
            Self::Resume => "RESUMED",
            Self::AskForHandover => "HANDOVER_REQUESTED",
            Self::HandOver => "HANDOVER_APPROVED",
            Self::Propose => "CHANGE_REQUEST_CREATED",
            Self::AcceptProposal => "CHANGE_REQUEST_APPROVED",
            Self::Cancel => "CANCEL_TICKET",
        })
    }

    /// Whether the ticket's page shows the text itself, for good.
    pub(super) const fn shows_text(self) -> bool {
        matches!(self, Self::Note | Self::Message | Self::Ask | Self::Answer)
    }
}

impl Request {
    /// Raising a ticket that takes this course.
    pub(super) fn raise(workflow: &str, title: &str, course: &str) -> Self {
        let body = json!({
            "workflow_id": workflow, "title": title, "initial_form_values": {"what": title, "course": course},
            "initial_form_step_ids": ["ask"],
        });
        Self::to("/api/v1/tickets", "/api/v1/tickets".to_owned(), body)
    }

    fn on_ticket(action: &str, details: &Details, body: Value) -> Self {
        let route = format!("/api/v1/tickets/{{ticket_id}}/{action}");
        Self::to(
            &route,
            format!("/api/v1/tickets/{}/{action}", details.ticket),
            body,
        )
    }

    fn to(route: &str, path: String, body: Value) -> Self {
        Self {
            route: format!("POST {route}"),
            path,
            body,
        }
    }
}
