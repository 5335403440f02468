//! What the ticket routes take (contract http-tickets 4 to 7).

use crate::api::schema::{AskedPerson, FileId, OptionalAddress};
use crate::domain::error::{FieldError, ServiceError};
use crate::domain::id::{AttachmentId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::person::Email;
use crate::engine::command::{InfoTarget, NamedPerson};
use crate::services::tickets::NewTicket;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A new ticket.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct CreateTicket {
    /// The workflow.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(example = "WF-11aa22bb33cc", min_length = 1, max_length = 100)]
    workflow_id: String,
    /// The title.
    #[garde(length(chars, min = 1, max = 500))]
    #[schema(min_length = 1, max_length = 500)]
    title: String,
    /// More about it.
    #[garde(length(chars, max = 5000))]
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// Values of the wizard's forms.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Object)]
    initial_form_values: Map<String, Value>,
    /// Files.
    #[garde(length(max = 500))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 500)]
    attachment_ids: Vec<String>,
    /// The forms that were filled in, in order.
    #[garde(length(max = 500))]
    #[serde(default)]
    #[schema(max_items = 500)]
    initial_form_step_ids: Option<Vec<String>>,
}

impl CreateTicket {
    pub(super) fn into_new(self, fingerprint: String) -> Result<NewTicket, ServiceError> {
        let steps = self.initial_form_step_ids.unwrap_or_default();
        Ok(NewTicket {
            workflow_id: self.workflow_id,
            title: self.title,
            description: self.description,
            initial_form_values: JsonObject::from(self.initial_form_values),
            attachment_ids: attachments(&self.attachment_ids)?,
            initial_form_step_ids: steps.into_iter().map(StepKey).collect(),
            fingerprint,
        })
    }
}

/// The ids of files; text that is none is a fault of the field.
pub(super) fn attachments(ids: &[String]) -> Result<Vec<AttachmentId>, ServiceError> {
    let parsed = ids.iter().map(|id| AttachmentId::try_from(id.clone()));
    parsed.collect::<Result<_, _>>().map_err(|_| {
        ServiceError::invalid_field("attachment_ids", "Input should be a list of attachment ids")
    })
}

/// An address in a body.
pub(super) fn address(field: &str, text: &str) -> Result<Email, ServiceError> {
    Email::try_from(text).map_err(|_| {
        ServiceError::InvalidInput(vec![FieldError {
            location: vec!["body".to_owned(), field.to_owned()],
            kind: "value_error",
            message: "Input should be a valid e-mail address".to_owned(),
        }])
    })
}

/// A submitted form.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct SubmitForm {
    /// Values by field key.
    #[garde(skip)]
    #[schema(value_type = Object)]
    pub(super) form_values: Map<String, Value>,
    /// Files.
    #[garde(length(max = 500))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 500)]
    pub(super) attachment_ids: Vec<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// A decision.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct Decide {
    /// Why.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub(super) comment: Option<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// A skip: with `reason` by the manager or an administrator, else by the approver.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct SkipStep {
    /// Why, as the approver.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    pub(super) comment: Option<String>,
    /// Why, as the manager or an administrator.
    #[garde(length(chars, min = 1, max = 1000))]
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) reason: Option<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// A completed task.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct CompleteTask {
    /// What was done.
    #[garde(length(chars, max = 5000))]
    #[schema(max_length = 5000)]
    pub(super) execution_notes: Option<String>,
    /// Values by field key, or the rows of a linked task.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(super) output_values: Map<String, Value>,
    /// Files.
    #[garde(length(max = 500))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 500)]
    pub(super) attachment_ids: Vec<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// A draft of a task's output.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[schema(as = SaveTaskDraft)]
pub(super) struct SaveDraft {
    /// Anything; it is kept as it is.
    #[garde(skip)]
    #[schema(value_type = Object)]
    pub(super) draft_values: Map<String, Value>,
    /// What was done so far.
    #[garde(length(chars, max = 5000))]
    #[schema(max_length = 5000)]
    pub(super) execution_notes: Option<String>,
}

/// An agent to assign.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct AssignAgent {
    /// The address.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(format = Email, min_length = 3, max_length = 254)]
    agent_email: String,
    /// The object id.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    agent_aad_id: Option<String>,
    /// The name.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    agent_display_name: Option<String>,
    /// Why the agent changes.
    #[garde(length(chars, max = 1000))]
    #[schema(max_length = 1000)]
    pub(super) reason: Option<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

impl AssignAgent {
    pub(super) fn agent(&self) -> Result<NamedPerson, ServiceError> {
        Ok(NamedPerson {
            email: address("agent_email", &self.agent_email)?,
            aad_id: self.agent_aad_id.clone(),
            display_name: self.agent_display_name.clone(),
        })
    }
}

/// An approver to pass an approval on to.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct ReassignApproval {
    /// The address.
    #[garde(length(chars, min = 5, max = 255))]
    #[schema(format = Email, min_length = 5, max_length = 254)]
    new_approver_email: String,
    /// The object id.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    new_approver_aad_id: Option<String>,
    /// The name.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    new_approver_display_name: Option<String>,
    /// Why.
    #[garde(length(chars, max = 1000))]
    #[schema(max_length = 1000)]
    pub(super) reason: Option<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

impl ReassignApproval {
    pub(super) fn approver(&self) -> Result<NamedPerson, ServiceError> {
        Ok(NamedPerson {
            email: address("new_approver_email", &self.new_approver_email)?,
            aad_id: self.new_approver_aad_id.clone(),
            display_name: self.new_approver_display_name.clone(),
        })
    }
}

/// A question.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct RequestInfo {
    /// The question.
    #[garde(length(chars, min = 1, max = 5000))]
    #[schema(min_length = 1, max_length = 5000)]
    pub(super) question_text: String,
    /// Whom: an address, or `address::step name`; the requester when absent.
    #[garde(length(chars, max = 600))]
    #[schema(value_type = Option<AskedPerson>)]
    requested_from_email: Option<String>,
    /// A subject.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    pub(super) subject: Option<String>,
    /// Files.
    #[garde(length(max = 100))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 100)]
    pub(super) attachment_ids: Vec<String>,
}

impl RequestInfo {
    pub(super) fn target(&self) -> Result<Option<InfoTarget>, ServiceError> {
        let Some(text) = self
            .requested_from_email
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        let (email, step_name) = match text.split_once("::") {
            Some((email, step)) => (email, Some(step.to_owned()).filter(|step| !step.is_empty())),
            None => (text, None),
        };
        Ok(Some(InfoTarget {
            email: address("requested_from_email", email)?,
            step_name,
        }))
    }
}

/// An answer.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct RespondInfo {
    /// The answer.
    #[garde(length(chars, min = 1, max = 5000))]
    #[schema(min_length = 1, max_length = 5000)]
    pub(super) response_text: String,
    /// Files.
    #[garde(length(max = 100))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 100)]
    pub(super) attachment_ids: Vec<String>,
}

/// A reason that must be given.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct Hold {
    /// Why.
    #[garde(length(chars, min = 1, max = 1000))]
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) reason: String,
}

/// A reason that may be given.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct Cancel {
    /// Why.
    #[garde(length(chars, max = 1000))]
    #[schema(max_length = 1000)]
    pub(super) reason: Option<String>,
    /// The ticket's version that the caller has seen; `If-Match` says the same.
    #[garde(skip)]
    pub(super) expected_version: Option<i64>,
}

/// The wish to hand a task over.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct RequestHandover {
    /// Why.
    #[garde(length(chars, min = 1, max = 1000))]
    #[schema(min_length = 1, max_length = 1000)]
    pub(super) reason: String,
    /// Whom the agent suggests.
    #[garde(length(chars, max = 254))]
    #[schema(value_type = Option<OptionalAddress>)]
    suggested_agent_email: Option<String>,
}

impl RequestHandover {
    pub(super) fn suggested(&self) -> Result<Option<Email>, ServiceError> {
        let given = self
            .suggested_agent_email
            .as_deref()
            .filter(|text| !text.trim().is_empty());
        given
            .map(|text| address("suggested_agent_email", text))
            .transpose()
    }
}

/// A decision on a handover.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct DecideHandover {
    /// The handover.
    #[garde(length(chars, min = 1, max = 100))]
    #[schema(min_length = 1, max_length = 100)]
    pub(super) handover_request_id: String,
    /// Whether the task is handed over.
    #[garde(skip)]
    pub(super) approved: bool,
    /// Who gets the task.
    #[garde(length(chars, max = 254))]
    #[schema(value_type = Option<OptionalAddress>)]
    new_agent_email: Option<String>,
    /// The object id.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    new_agent_aad_id: Option<String>,
    /// The name.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    new_agent_display_name: Option<String>,
    /// What the decider says.
    #[garde(length(chars, max = 1000))]
    #[schema(max_length = 1000)]
    pub(super) comment: Option<String>,
}

impl DecideHandover {
    pub(super) fn new_agent(&self) -> Result<Option<NamedPerson>, ServiceError> {
        let Some(text) = self
            .new_agent_email
            .as_deref()
            .filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        Ok(Some(NamedPerson {
            email: address("new_agent_email", text)?,
            aad_id: self.new_agent_aad_id.clone(),
            display_name: self.new_agent_display_name.clone(),
        }))
    }
}

/// A note.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct AddNote {
    /// The text.
    #[garde(length(chars, min = 1, max = 5000))]
    #[schema(min_length = 1, max_length = 5000)]
    pub(super) content: String,
    /// Files.
    #[garde(length(max = 100))]
    #[serde(default)]
    #[schema(value_type = Vec<FileId>, max_items = 100)]
    pub(super) attachment_ids: Vec<String>,
}

/// An acknowledgement that a step is overdue.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
pub(super) struct AcknowledgeSla {
    /// What is said.
    #[garde(length(chars, max = 1000))]
    #[schema(max_length = 1000)]
    pub(super) notes: Option<String>,
}
