//! Tickets on the wire (contract http-tickets 2.6); every field is rendered, null when unset.

use super::person::UserSnapshot;
use super::wire_time::{wire_time, wire_time_option};
use crate::api::schema::words;
use crate::domain::json::JsonObject;
use crate::domain::ticket::{Branch, ForkActivation, FormVersion, NoteKind, TicketStatus};
use crate::repositories::note_repo::NoteRow;
use crate::services::tickets::OpenedTicket;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A ticket.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TicketView {
    /// The ticket's id.
    ticket_id: String,
    /// The workflow.
    workflow_id: String,
    /// The published version it follows to its end.
    workflow_version_id: String,
    /// That version's number.
    workflow_version: i32,
    /// The workflow's name in that version.
    workflow_name: String,
    /// What the requester called it.
    title: String,
    /// What the requester wrote about it.
    description: Option<String>,
    /// Where it stands.
    #[schema(schema_with = words::<TicketStatus>)]
    status: TicketStatus,
    /// The step of the workflow where it is; the first of several.
    current_step_id: Option<String>,
    /// The step of the workflow it began with.
    workflow_start_step_id: String,
    requester: UserSnapshot,
    /// The requester's manager when it was raised.
    manager_snapshot: Option<UserSnapshot>,
    /// Values of all submitted forms, by field.
    #[serde(serialize_with = "JsonObject::serialize_entries")]
    #[schema(value_type = Object)]
    form_values: JsonObject,
    /// Its files.
    attachment_ids: Vec<String>,
    /// When it was raised.
    created_at: String,
    /// When it last changed.
    updated_at: String,
    /// When it was over.
    completed_at: Option<String>,
    /// When it is late.
    due_at: Option<String>,
    /// How many commands it has taken; send it as `If-Match`.
    version: i64,
    /// The branches of its forks, over or not.
    active_branches: Vec<BranchView>,
    /// Where each open branch is; empty outside of forks.
    current_step_ids: Vec<String>,
    /// Whether it has gone on past a join that did not wait for every branch.
    join_proceeded: bool,
    /// An end step that waits for late branches only.
    pending_end_step_id: Option<String>,
    /// The requester's newest messages.
    requester_notes: Vec<RequesterNoteView>,
    /// The number of the form data that counts.
    form_version: i32,
    /// All versions of the form data; on pages that ask for them.
    #[schema(value_type = Option<Vec<Object>>)]
    form_versions: Option<Vec<Value>>,
    /// The change request that pauses it.
    pending_change_request_id: Option<String>,
}

/// A branch of a fork.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BranchView {
    /// The branch in the workflow.
    branch_id: String,
    /// Its name.
    branch_name: String,
    /// The fork it comes from.
    parent_fork_step_id: String,
    /// Where it stands.
    #[schema(schema_with = words::<crate::domain::ticket::BranchState>)]
    state: crate::domain::ticket::BranchState,
    /// The step of the workflow where it is.
    current_step_id: Option<String>,
    /// When the fork was reached.
    started_at: String,
    /// When it was over.
    completed_at: Option<String>,
    /// What it came to; absent until it is over.
    outcome: Option<String>,
    /// The colour it is drawn in.
    color: Option<String>,
}

/// A message of the requester.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequesterNoteView {
    /// The message's id.
    note_id: String,
    /// The message.
    content: String,
    actor: UserSnapshot,
    /// When it was written.
    created_at: String,
    /// Files that came with it.
    attachment_ids: Vec<String>,
}

impl From<&OpenedTicket> for TicketView {
    fn from(opened: &OpenedTicket) -> Self {
        let ticket = &opened.ticket;
        let live = ticket.forks.iter().flat_map(|fork| &fork.branches);
        Self {
            ticket_id: ticket.id.to_string(),
            workflow_id: ticket.workflow.workflow_id.to_string(),
            workflow_version_id: ticket.workflow.version_id.to_string(),
            workflow_version: ticket.workflow.version_number,
            workflow_name: ticket.workflow.name.clone(),
            title: ticket.title.clone(),
            description: ticket.description.clone(),
            status: ticket.status,
            current_step_id: ticket.current_step_id.as_ref().map(ToString::to_string),
            workflow_start_step_id: ticket.workflow.start_step_id.to_string(),
            requester: (&ticket.requester).into(),
            manager_snapshot: ticket.manager.as_ref().map(Into::into),
            form_values: ticket.form_values.clone(),
            attachment_ids: ticket.attachment_ids.iter().map(ToString::to_string).collect(),
            created_at: wire_time(ticket.created_at),
            updated_at: wire_time(ticket.updated_at),
            completed_at: wire_time_option(ticket.completed_at),
            due_at: ticket_due(opened),
            version: ticket.version,
            active_branches: ticket
                .forks
                .iter()
                .flat_map(|fork| branches(opened, fork))
                .collect(),
            current_step_ids: live
                .filter_map(|branch| branch.current_step_id.as_ref())
                .map(ToString::to_string)
                .collect(),
            join_proceeded: ticket
                .forks
                .iter()
                .any(|fork| fork.progress == crate::domain::ticket::JoinProgress::Passed),
            pending_end_step_id: ticket.pending_ends().next().map(ToString::to_string),
            requester_notes: opened.notes.iter().filter_map(requester_note).collect(),
            form_version: ticket.form_version,
            form_versions: (!opened.form_versions.is_empty())
                .then(|| opened.form_versions.iter().map(form_version).collect()),
            pending_change_request_id: ticket
                .pending_change_request()
                .map(|request| request.id.to_string()),
        }
    }
}

/// The earliest due time of a live step.
fn ticket_due(opened: &OpenedTicket) -> Option<String> {
    let live = opened.ticket.steps.iter().filter(|step| step.is_live());
    wire_time_option(live.filter_map(|step| step.due_at).min())
}

fn branches(opened: &OpenedTicket, fork: &ForkActivation) -> Vec<BranchView> {
    let step = opened.ticket.step(&fork.fork);
    let drawn = step
        .and_then(|step| opened.workflow_of(step))
        .map_or(&[][..], |workflow| workflow.branches_of(&fork.fork_key));
    let view = |branch: &Branch| BranchView {
        branch_id: branch.key.to_string(),
        branch_name: branch.name.clone(),
        parent_fork_step_id: fork.fork_key.to_string(),
        state: branch.state,
        current_step_id: branch.current_step_id.as_ref().map(ToString::to_string),
        started_at: wire_time(branch.started_at),
        completed_at: wire_time_option(branch.completed_at),
        outcome: branch.state.is_ended().then(|| word(&branch.state)),
        color: drawn
            .iter()
            .find(|drawn| drawn.key == branch.key)
            .and_then(|drawn| drawn.color.clone()),
    };
    fork.branches.iter().map(view).collect()
}

/// The word by which a state is written.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

fn requester_note(row: &NoteRow) -> Option<RequesterNoteView> {
    let NoteKind::Requester(id) = &row.body.kind else {
        return None;
    };
    Some(RequesterNoteView {
        note_id: id.to_string(),
        content: row.body.content.clone(),
        actor: (&row.body.author).into(),
        created_at: wire_time(row.body.at),
        attachment_ids: row.body.attachment_ids.iter().map(ToString::to_string).collect(),
    })
}

/// A version of the form data (contract engine-actions 7.2).
pub(crate) fn form_version(version: &FormVersion) -> Value {
    let mut view = json!({
        "version": version.version,
        "form_values": version.data.form_values.to_value(),
        "attachment_ids": version.data.attachment_ids,
        "created_at": wire_time(version.created_at),
        "created_by": UserSnapshot::from(&version.created_by),
        "source": version.source,
    });
    if let (Some(id), Some(map)) = (&version.change_request_id, view.as_object_mut()) {
        map.insert("change_request_id".to_owned(), json!(id));
        map.insert(
            "approved_by".to_owned(),
            json!(version.approved_by.as_ref().map(UserSnapshot::from)),
        );
        let changes: Vec<_> = version
            .field_changes
            .iter()
            .map(super::change_request::FieldChangeView::from)
            .collect();
        map.insert("field_changes".to_owned(), json!(changes));
        map.insert("attachment_changes".to_owned(), json!(version.attachment_changes));
    }
    view
}
