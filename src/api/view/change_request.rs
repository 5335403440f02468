//! Change requests on the wire (contract engine-actions 7.2).

use super::person::UserSnapshot;
use super::wire_time::{wire_time, wire_time_option};
use crate::api::schema::words;
use crate::domain::ticket::{
    AttachmentChange, ChangeRequest, ChangeRequestStatus, FieldChange, FormData, Ticket,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A change request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeRequestView {
    /// The change request's id.
    change_request_id: String,
    /// The ticket it would change.
    ticket_id: String,
    /// The ticket's workflow.
    workflow_id: String,
    /// Where it stands.
    #[schema(schema_with = words::<ChangeRequestStatus>)]
    status: ChangeRequestStatus,
    /// The number of the form data it starts from.
    from_version: i32,
    /// The number it made; absent until it is approved.
    to_version: Option<i32>,
    original_data: FormDataView,
    proposed_data: FormDataView,
    /// What would change, field by field.
    field_changes: Vec<FieldChangeView>,
    /// Files that would come or go.
    attachment_changes: Vec<AttachmentChangeView>,
    requested_by: UserSnapshot,
    /// Why it is asked for.
    reason: String,
    /// When it was asked for.
    requested_at: String,
    assigned_to: UserSnapshot,
    /// Who decided.
    reviewed_by: Option<UserSnapshot>,
    /// When it was decided.
    reviewed_at: Option<String>,
    /// What was said with the decision.
    review_notes: Option<String>,
    /// When it was asked for.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

/// Form data.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FormDataView {
    /// Values by field.
    #[schema(value_type = Object)]
    form_values: Value,
    /// Files.
    attachment_ids: Vec<String>,
}

/// One field's difference.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldChangeView {
    /// The form's name.
    form_name: String,
    /// The form's step of the workflow.
    step_id: String,
    /// That step's name.
    step_name: String,
    /// The field.
    field_key: String,
    /// How the form names the field.
    field_label: String,
    /// The value that counts now.
    #[schema(value_type = Value)]
    old_value: Option<Value>,
    /// The value that is asked for.
    #[schema(value_type = Value)]
    new_value: Option<Value>,
}

/// One file's difference.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttachmentChangeView {
    /// The file.
    attachment_id: String,
    /// Its name.
    filename: String,
    /// Whether the file would come or go.
    #[schema(schema_with = words::<crate::domain::ticket::AttachmentAction>)]
    action: crate::domain::ticket::AttachmentAction,
}

impl From<&FieldChange> for FieldChangeView {
    fn from(change: &FieldChange) -> Self {
        Self {
            form_name: change.form_name.clone(),
            step_id: change.step_id.to_string(),
            step_name: change.form_name.clone(),
            field_key: change.field_key.clone(),
            field_label: change.field_label.clone(),
            old_value: change.old_value.get("value").cloned(),
            new_value: change.new_value.get("value").cloned(),
        }
    }
}

impl From<&AttachmentChange> for AttachmentChangeView {
    fn from(change: &AttachmentChange) -> Self {
        Self {
            attachment_id: change.attachment_id.to_string(),
            filename: change.filename.clone(),
            action: change.action,
        }
    }
}

impl From<&FormData> for FormDataView {
    fn from(data: &FormData) -> Self {
        Self {
            form_values: data.form_values.to_value(),
            attachment_ids: data.attachment_ids.iter().map(ToString::to_string).collect(),
        }
    }
}

impl ChangeRequestView {
    /// A change request of a ticket.
    pub fn of(ticket: &Ticket, request: &ChangeRequest) -> Self {
        Self {
            change_request_id: request.id.to_string(),
            ticket_id: ticket.id.to_string(),
            workflow_id: ticket.workflow.workflow_id.to_string(),
            status: request.status,
            from_version: request.from_version,
            to_version: request.to_version,
            original_data: (&request.original_data).into(),
            proposed_data: (&request.proposed_data).into(),
            field_changes: request.field_changes.iter().map(Into::into).collect(),
            attachment_changes: request.attachment_changes.iter().map(Into::into).collect(),
            requested_by: (&request.requested_by).into(),
            reason: request.reason.clone(),
            requested_at: wire_time(request.requested_at),
            assigned_to: (&request.assigned_to).into(),
            reviewed_by: request.reviewed_by.as_ref().map(Into::into),
            reviewed_at: wire_time_option(request.reviewed_at),
            review_notes: request.review_notes.clone(),
            created_at: wire_time(request.requested_at),
            updated_at: wire_time(request.updated_at),
        }
    }
}

/// What lists show of a pending change request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PendingChangeView {
    /// The change request's id.
    change_request_id: String,
    requested_by: UserSnapshot,
    /// When it was asked for.
    requested_at: String,
    assigned_to: UserSnapshot,
    /// Why it is asked for.
    reason: String,
}

impl From<&ChangeRequest> for PendingChangeView {
    fn from(request: &ChangeRequest) -> Self {
        Self {
            change_request_id: request.id.to_string(),
            requested_by: (&request.requested_by).into(),
            requested_at: wire_time(request.requested_at),
            assigned_to: (&request.assigned_to).into(),
            reason: request.reason.clone(),
        }
    }
}
