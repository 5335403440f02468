//! One way from a row of the outbox to a message: for sending, for administrators' views, for previews.

use crate::domain::error::ServiceError;
use crate::domain::notice::TemplateKey;
use crate::domain::time::Timestamp;
use crate::repositories::outbox_row::OutboxRow;
use crate::repositories::template_override_repo::{TemplateOverride, TemplateOverrideRepo};
use crate::services::templates::{Override, Payload, Rendered, TemplateError, Templates};
use std::sync::Arc;

/// Renders rows in the wording that is in force; cheap to clone.
#[derive(Debug, Clone)]
pub struct Composer {
    templates: Arc<Templates>,
    overrides: TemplateOverrideRepo,
}

/// Why a row could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The wording in force could not be read.
    #[error("the wording could not be read")]
    Database(#[from] mongodb::error::Error),
    /// The message itself cannot be rendered.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl From<ComposeError> for ServiceError {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Database(error) => error.into(),
            ComposeError::Template(error) => Self::Defect(error.into()),
        }
    }
}

impl Composer {
    /// A composer over these messages and wordings.
    pub fn new(templates: Arc<Templates>, overrides: TemplateOverrideRepo) -> Self {
        Self { templates, overrides }
    }

    /// The built-in messages.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The wordings.
    pub const fn overrides(&self) -> &TemplateOverrideRepo {
        &self.overrides
    }

    /// A row's message as it would be sent now.
    pub async fn render(&self, row: &OutboxRow, now: Timestamp) -> Result<Rendered, ComposeError> {
        let wording = self.wording(row.template_key, &row.payload).await?;
        Ok(self
            .templates
            .render(row.template_key, &row.payload, wording.as_ref(), now)?)
    }

    /// What a row's mail says: what was sent, or what would be sent now.
    pub async fn shown(&self, row: &OutboxRow, now: Timestamp) -> Result<(String, String), ComposeError> {
        if let Some(sent) = &row.rendered {
            return Ok((sent.subject.clone(), sent.body_html.clone()));
        }
        let rendered = self.render(row, now).await?;
        Ok((rendered.subject, rendered.html))
    }

    async fn wording(&self, key: TemplateKey, payload: &Payload) -> mongodb::error::Result<Option<Override>> {
        let workflow_id = payload.get("workflow_id").and_then(|id| id.as_str());
        let found = self.overrides.in_force(key, workflow_id).await?;
        Ok(found.map(|row: TemplateOverride| Override {
            subject: row.custom_subject,
            body: row.custom_body,
        }))
    }
}
