//! Change requests: proposals to change form data after the first approval (contract engine-actions 7).

use crate::domain::id::{AttachmentId, ChangeRequestId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a change request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum ChangeRequestStatus {
    Pending,
    Approved,
    Rejected,
    Cancelled,
}

/// Form values with their files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FormData {
    /// Flat values by field key.
    pub form_values: JsonObject,
    /// The files.
    pub attachment_ids: Vec<AttachmentId>,
}

/// One field's difference; values are wrapped as `{"value": ...}` objects so that any JSON can be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The name of the form's step.
    pub form_name: String,
    /// The template step of the form.
    pub step_id: StepKey,
    /// The field; for a cell of a repeating section `<section_id>[<row>].<field_key>`.
    pub field_key: String,
    /// The field's label, with the row number for a repeating section.
    pub field_label: String,
    /// `{"value": old}`; an absent key means that there was no value.
    pub old_value: JsonObject,
    /// `{"value": new}`; an absent key means that there is no value any more.
    pub new_value: JsonObject,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum AttachmentAction {
    Added,
    Removed,
}

/// One file's difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentChange {
    /// The file.
    pub attachment_id: AttachmentId,
    /// Its name, empty when the file is unknown.
    pub filename: String,
    /// What happened to it.
    pub action: AttachmentAction,
}

/// One proposal to change form data; a ticket has at most one pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRequest {
    /// The id.
    pub id: ChangeRequestId,
    /// Where it stands.
    pub status: ChangeRequestStatus,
    /// The form version it starts from.
    pub from_version: i32,
    /// The form version it made.
    pub to_version: Option<i32>,
    /// The data when it was made.
    pub original_data: FormData,
    /// The data proposed.
    pub proposed_data: FormData,
    /// The fields that differ, in definition order.
    pub field_changes: Vec<FieldChange>,
    /// The files that differ.
    pub attachment_changes: Vec<AttachmentChange>,
    /// The requester.
    pub requested_by: Person,
    /// Why.
    pub reason: String,
    /// When.
    pub requested_at: Timestamp,
    /// The reviewer.
    pub assigned_to: Person,
    /// Who decided.
    pub reviewed_by: Option<Person>,
    /// When it was decided.
    pub reviewed_at: Option<Timestamp>,
    /// What the reviewer said.
    pub review_notes: Option<String>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Where a version of the form data came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum FormVersionSource {
    Original,
    ChangeRequest,
}

/// One version of a ticket's form data; kept in the `form_versions` collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormVersion {
    /// From 1.
    pub version: i32,
    /// The data.
    pub data: FormData,
    /// When it came to be.
    pub created_at: Timestamp,
    /// Who proposed it.
    pub created_by: Person,
    /// Where it came from.
    pub source: FormVersionSource,
    /// The change request that made it.
    pub change_request_id: Option<ChangeRequestId>,
    /// Who approved it.
    pub approved_by: Option<Person>,
    /// The fields it changed.
    pub field_changes: Vec<FieldChange>,
    /// The files it changed.
    pub attachment_changes: Vec<AttachmentChange>,
}
