//! Uploaded files: what is recorded of one beside its bytes (contract http-workflows 6.1).

use super::id::{AttachmentId, TicketId};
use super::person::Person;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where in the application a file was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum FileContext {
    Ticket,
    Form,
    FormField,
    InfoRequest,
    RequesterNote,
    ApprovalNote,
    TaskNote,
}

impl FileContext {
    /// The word in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Form => "form",
            Self::FormField => "form_field",
            Self::InfoRequest => "info_request",
            Self::RequesterNote => "requester_note",
            Self::ApprovalNote => "approval_note",
            Self::TaskNote => "task_note",
        }
    }
}

/// The record of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// The id.
    #[serde(rename = "_id")]
    pub id: AttachmentId,
    /// The ticket it belongs to; absent until a command uses it, unless it was uploaded to a ticket.
    pub ticket_id: Option<TicketId>,
    /// The step it was given on.
    pub ticket_step_id: Option<String>,
    /// The name of that step.
    pub step_name: Option<String>,
    /// The label of the field it was given in.
    pub field_label: Option<String>,
    /// What the uploader says of it.
    pub description: Option<String>,
    /// Where it was given.
    pub context: FileContext,
    /// The name it had on the uploader's machine, cleaned, at most 255 bytes.
    pub original_filename: String,
    /// Its type, as checked against its bytes.
    pub mime_type: String,
    /// Its length.
    pub size_bytes: i64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// Where its bytes are in the object store; no part of it comes from the uploader.
    pub storage_key: String,
    /// Who uploaded it.
    pub uploaded_by: Person,
    /// When.
    pub uploaded_at: Timestamp,
    /// By what an automatic repeat of the upload is recognised: who uploaded which bytes under which name where.
    pub natural_key: String,
    /// By what a repeat under the client's idempotency key is recognised, if it sent one.
    #[serde(default)]
    pub upload_key: Option<String>,
    /// Since when its bytes are known to be missing: an import did not find them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
}

impl StoredFile {
    /// By what a repeat is recognised.
    pub fn repeat_key(&self) -> &str {
        self.upload_key.as_deref().unwrap_or(&self.natural_key)
    }
}
