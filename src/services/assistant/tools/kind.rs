//! The tools that there are, who has them, and what they take. All of them read; none can change anything.

use crate::clients::language_model::ToolSpec;
use crate::domain::conversation::Persona;
use crate::domain::ticket::TicketStatus;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    MyTickets,
    TicketStatistics,
    SearchTickets,
    TicketDetails,
    TicketFormData,
    TicketNotes,
    TicketTimeline,
    TicketApprovals,
    TicketQuestions,
    TicketFiles,
    TicketVersions,
    ChangeRequests,
    ChangeRequest,
    Catalog,
    Notifications,
    Questions,
    DailySummary,
    MyTasks,
    AgentFigures,
    CompletedTasks,
    PendingApprovals,
    Decisions,
    UnassignedTasks,
    Handovers,
    Reviews,
    TeamFigures,
    Workflows,
    Workflow,
    SystemFigures,
}

/// What a tool takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Ticket,
    ChangeRequest,
    Workflow,
    Limit,
    StatusAndLimit,
    Search,
    Catalog,
    Unread,
}

/// Rows of a list when the model names no number.
pub(super) const USUAL_ROWS: i64 = 15;
/// Most rows of a list.
pub(super) const MOST_ROWS: i64 = 50;

/// The arguments of any tool, as the model gives them. An argument that no tool has is refused, so that a wish for
/// somebody else's list is not mistaken for one's own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    pub(super) ticket_id: Option<String>,
    pub(super) change_request_id: Option<String>,
    pub(super) workflow_id: Option<String>,
    pub(super) text: Option<String>,
    pub(super) category: Option<String>,
    pub(super) status: Option<TicketStatus>,
    pub(super) unread_only: Option<bool>,
    limit: Option<i64>,
}

impl Arguments {
    /// The arguments in the JSON text that the model wrote; no text means none.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::default());
        }
        // Serde would take a list for the fields in their order.
        let named: Map<String, Value> = serde_json::from_str(text).ok()?;
        serde_json::from_value(Value::Object(named)).ok()
    }

    /// How many rows are wanted, within bounds.
    pub(super) fn rows(&self) -> i64 {
        self.limit.unwrap_or(USUAL_ROWS).clamp(1, MOST_ROWS)
    }
}

/// A tool with what the model is told of it.
#[derive(Debug)]
pub(in crate::services::assistant) struct Described {
    pub(super) tool: Tool,
    pub(in crate::services::assistant) name: &'static str,
    description: &'static str,
    takes: Takes,
}

impl Described {
    const fn new(tool: Tool, takes: Takes, name: &'static str, description: &'static str) -> Self {
        Self {
            tool,
            name,
            description,
            takes,
        }
    }

    /// What the model is told of it.
    pub(super) fn spec(&self) -> ToolSpec {
        ToolSpec {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            parameters: self.takes.schema(),
        }
    }
}

/// The tools of a persona.
pub(super) fn tools_of(persona: Persona) -> impl Iterator<Item = &'static Described> {
    let own: Vec<&'static [Described]> = match persona {
        Persona::Requester => Vec::new(),
        Persona::Agent => vec![&AGENT],
        Persona::Manager => vec![&MANAGER],
        Persona::Designer => vec![&DESIGNER],
        Persona::Admin => vec![&AGENT, &MANAGER, &DESIGNER, &ADMIN],
    };
    EVERYBODY.iter().chain(own.into_iter().flatten())
}

/// The tool of a persona with this name.
pub(in crate::services::assistant) fn tool_named(name: &str, persona: Persona) -> Option<&'static Described> {
    tools_of(persona).find(|described| described.name == name)
}

/// Everybody's tools.
static EVERYBODY: [Described; 17] = [
    Described::new(
        Tool::MyTickets,
        Takes::StatusAndLimit,
        "get_my_tickets",
        "Tickets the person raised, last changed first.",
    ),
    Described::new(
        Tool::TicketStatistics,
        Takes::Nothing,
        "get_ticket_statistics",
        "How many of the person's own tickets have each status.",
    ),
    Described::new(
        Tool::SearchTickets,
        Takes::Search,
        "search_tickets",
        "Tickets the person may see, by literal text in title, id, description or workflow.",
    ),
    Described::new(
        Tool::TicketDetails,
        Takes::Ticket,
        "get_ticket_details",
        "One ticket: status, dates, and every step with its state and people.",
    ),
    Described::new(
        Tool::TicketFormData,
        Takes::Ticket,
        "get_ticket_form_data",
        "The values of a ticket's forms.",
    ),
    Described::new(
        Tool::TicketNotes,
        Takes::Ticket,
        "get_ticket_notes",
        "The newest notes on a ticket.",
    ),
    Described::new(
        Tool::TicketTimeline,
        Takes::Ticket,
        "get_ticket_timeline",
        "What happened to a ticket, newest first.",
    ),
    Described::new(
        Tool::TicketApprovals,
        Takes::Ticket,
        "get_ticket_approvals",
        "Who has approved, rejected or has yet to decide on a ticket.",
    ),
    Described::new(
        Tool::TicketQuestions,
        Takes::Ticket,
        "get_ticket_info_requests",
        "Questions asked on a ticket, with their answers.",
    ),
    Described::new(
        Tool::TicketFiles,
        Takes::Ticket,
        "get_attachments",
        "The names of a ticket's files; their contents cannot be read.",
    ),
    Described::new(
        Tool::TicketVersions,
        Takes::Ticket,
        "get_ticket_versions",
        "The versions of a ticket's form data.",
    ),
    Described::new(
        Tool::ChangeRequests,
        Takes::Ticket,
        "get_change_request_history",
        "The change requests of a ticket.",
    ),
    Described::new(
        Tool::ChangeRequest,
        Takes::ChangeRequest,
        "get_change_request_details",
        "One change request with what it changes.",
    ),
    Described::new(
        Tool::Catalog,
        Takes::Catalog,
        "get_available_workflows",
        "Workflows that tickets can be raised with.",
    ),
    Described::new(
        Tool::Notifications,
        Takes::Unread,
        "get_notifications",
        "The person's newest notifications.",
    ),
    Described::new(
        Tool::Questions,
        Takes::Nothing,
        "get_pending_info_requests",
        "Open questions that wait for the person's answer.",
    ),
    Described::new(
        Tool::DailySummary,
        Takes::Nothing,
        "get_daily_summary",
        "The person's own figures: tickets, tasks, approvals, questions.",
    ),
];

/// What agents have in addition.
static AGENT: [Described; 3] = [
    Described::new(
        Tool::MyTasks,
        Takes::Limit,
        "get_my_tasks",
        "Open tasks assigned to the person, those due first at first.",
    ),
    Described::new(
        Tool::AgentFigures,
        Takes::Nothing,
        "get_agent_statistics",
        "How many of the person's tasks are active, on hold, overdue.",
    ),
    Described::new(
        Tool::CompletedTasks,
        Takes::Limit,
        "get_agent_task_history",
        "Tasks the person completed, newest first.",
    ),
];

/// What managers have in addition.
static MANAGER: [Described; 6] = [
    Described::new(
        Tool::PendingApprovals,
        Takes::Limit,
        "get_pending_approvals",
        "Approvals that wait for the person's decision, oldest first.",
    ),
    Described::new(
        Tool::Decisions,
        Takes::Limit,
        "get_approval_history",
        "Approvals the person decided, newest first.",
    ),
    Described::new(
        Tool::UnassignedTasks,
        Takes::Limit,
        "get_unassigned_tasks",
        "Tasks that the person may assign to an agent.",
    ),
    Described::new(
        Tool::Handovers,
        Takes::Limit,
        "get_pending_handovers",
        "Handovers that wait for the person's decision.",
    ),
    Described::new(
        Tool::Reviews,
        Takes::Limit,
        "get_my_pending_change_requests",
        "Change requests that wait for the person's review.",
    ),
    Described::new(
        Tool::TeamFigures,
        Takes::Nothing,
        "get_team_statistics",
        "Figures over the tickets the person manages: status, workload, overdue steps.",
    ),
];

/// What designers have in addition.
static DESIGNER: [Described; 2] = [
    Described::new(
        Tool::Workflows,
        Takes::Limit,
        "get_all_workflows",
        "All workflows with their status, last changed first.",
    ),
    Described::new(
        Tool::Workflow,
        Takes::Workflow,
        "get_workflow_details",
        "One workflow with its steps.",
    ),
];

/// What only administrators have.
static ADMIN: [Described; 1] = [Described::new(
    Tool::SystemFigures,
    Takes::Nothing,
    "get_system_overview",
    "Figures over all tickets: status, approvals, overdue, stuck, mail.",
)];

impl Takes {
    fn schema(self) -> Value {
        let text = |what: &str| json!({"type": "string", "description": what});
        let limit = json!({"type": "integer", "minimum": 1, "maximum": MOST_ROWS});
        let status = json!({"type": "string", "enum": [
            "IN_PROGRESS", "WAITING_FOR_REQUESTER", "WAITING_FOR_AGENT", "WAITING_FOR_CR", "COMPLETED", "REJECTED",
            "SKIPPED", "CANCELLED",
        ]});
        let (properties, required) = match self {
            Self::Nothing => (json!({}), json!([])),
            Self::Ticket => (
                json!({"ticket_id": text("TKT- and twelve digits")}),
                json!(["ticket_id"]),
            ),
            Self::ChangeRequest => (
                json!({"change_request_id": text("CR- and twelve digits")}),
                json!(["change_request_id"]),
            ),
            Self::Workflow => (
                json!({"workflow_id": text("WF- and twelve digits")}),
                json!(["workflow_id"]),
            ),
            Self::Limit => (json!({"limit": limit}), json!([])),
            Self::StatusAndLimit => (json!({"status": status, "limit": limit}), json!([])),
            Self::Search => (
                json!({"text": text("what to look for"), "status": status, "limit": limit}),
                json!([]),
            ),
            Self::Catalog => (
                json!({"text": text("part of name or description"), "category": text("exactly this"), "limit": limit}),
                json!([]),
            ),
            Self::Unread => (
                json!({"unread_only": {"type": "boolean"}, "limit": limit}),
                json!([]),
            ),
        };
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_tool_has_a_name_of_its_own_and_administrators_have_them_all() {
        let names: BTreeSet<_> = tools_of(Persona::Admin).map(|described| described.name).collect();
        assert_eq!(names.len(), tools_of(Persona::Admin).count());
        for persona in [
            Persona::Requester,
            Persona::Agent,
            Persona::Manager,
            Persona::Designer,
        ] {
            for described in tools_of(persona) {
                assert!(names.contains(described.name));
                assert_eq!(
                    tool_named(described.name, persona).map(|found| found.tool),
                    Some(described.tool)
                );
            }
        }
        assert!(tool_named("get_team_statistics", Persona::Agent).is_none());
    }

    #[test]
    fn numbers_of_the_model_are_bounded_and_unknown_arguments_refused() {
        let rows = |text: &str| Arguments::read(text).map(|arguments| arguments.rows());
        assert_eq!(rows(""), Some(USUAL_ROWS));
        assert_eq!(rows("{\"limit\": 1000000}"), Some(MOST_ROWS));
        assert_eq!(rows("{\"limit\": -5}"), Some(1));
        for wrong in [
            "{",
            "[]",
            "null",
            "{\"limit\": {\"$gt\": 0}}",
            "{\"requester_email\": \"a@b.example\"}",
        ] {
            assert_eq!(rows(wrong), None, "{wrong}");
        }
    }
}
