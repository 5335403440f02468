//! Raises tickets from the catalog: only published workflows, their newest version (HZ-12).

use super::TicketService;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{AttachmentId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::person::Actor;
use crate::domain::workflow::VersionRef;
use crate::services::execute::{CreateRequest, Executed, IdempotencyKey};

/// What a requester sends.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// The workflow.
    pub workflow_id: String,
    /// 1 to 500 characters.
    pub title: String,
    /// At most 5 000 characters.
    pub description: Option<String>,
    /// Values of the wizard's forms.
    pub initial_form_values: JsonObject,
    /// Files.
    pub attachment_ids: Vec<AttachmentId>,
    /// The wizard's forms in order.
    pub initial_form_step_ids: Vec<StepKey>,
    /// The fingerprint of the request.
    pub fingerprint: String,
}

impl TicketService {
    /// Raises a ticket.
    ///
    /// # Errors
    /// The workflow cannot be requested, the values break its rules, nobody can approve, or the database is unavailable.
    pub async fn raise(
        &self,
        actor: Actor,
        new: NewTicket,
        correlation_id: String,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Executed, ServiceError> {
        let unknown =
            || ServiceError::not_found(ErrorCode::WorkflowNotFound, "there is no such published workflow");
        let id = crate::domain::id::WorkflowId::try_from(new.workflow_id).map_err(|_| unknown())?;
        let number = self.requestable.of(&id).await?;
        let version = VersionRef {
            workflow_id: id,
            version_number: number.ok_or_else(unknown)?,
        };
        self.execute
            .create(CreateRequest {
                version,
                title: new.title,
                description: new.description,
                initial_form_values: new.initial_form_values,
                attachment_ids: new.attachment_ids,
                initial_form_step_ids: new.initial_form_step_ids,
                actor,
                correlation_id,
                idempotency,
                fingerprint: new.fingerprint,
            })
            .await
    }
}
