//! Wordings of mails (contract http-admin-notifications 12).

use super::By;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::AdminAuditRepo;
use crate::repositories::template_override_repo::{TemplateOverride, TemplateOverrideRepo, Wording};
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use crate::services::access::require_admin;
use crate::services::notifications::compose::Composer;
use crate::services::templates::{
    MAX_BODY_BYTES, MAX_SUBJECT_CHARS, Payload, Rendered, sanitized_body, sanitized_subject,
};
use mongodb::Database;
use serde_json::json;

/// The audit log's word for all changes of wordings.
const UPDATE: &str = "UPDATE_EMAIL_TEMPLATE";
/// How much of a subject lists show, in characters.
const PREVIEW_CHARS: usize = 100;

/// Administers wordings; cheap to clone.
#[derive(Debug, Clone)]
pub struct TemplateAdmin {
    composer: Composer,
    database: Database,
    audit: AdminAuditRepo,
    clock: Clock,
}

/// A message as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTemplate {
    /// The message.
    pub key: TemplateKey,
    /// The start of its built-in subject, placeholders in place.
    pub subject_preview: String,
    /// Whether a wording for all workflows is in force.
    pub has_override: bool,
}

/// A wording as an administrator sends it.
#[derive(Debug, Clone)]
pub struct NewWording {
    /// The message.
    pub template_key: String,
    /// The workflow, or all.
    pub workflow_id: Option<String>,
    /// The subject; built-in when absent or blank.
    pub subject: Option<String>,
    /// The body; built-in when absent or blank.
    pub body: Option<String>,
}

impl TemplateAdmin {
    /// Administers the wordings of these messages.
    pub fn new(database: &Database, composer: Composer, clock: Clock) -> Self {
        Self {
            composer,
            database: database.clone(),
            audit: AdminAuditRepo::new(database),
            clock,
        }
    }

    /// Every message, and every wording in force.
    pub async fn list(
        &self,
        actor: &Actor,
    ) -> Result<(Vec<ListedTemplate>, Vec<TemplateOverride>), ServiceError> {
        require_admin(actor)?;
        let overrides = self.repo().active().await?;
        let mut listed = Vec::new();
        for key in TemplateKey::ALL {
            let skeleton = self.composer.templates().skeleton(key).map_err(defect)?;
            let is_for_all = |row: &&TemplateOverride| row.template_key == key && row.workflow_id.is_none();
            listed.push(ListedTemplate {
                key,
                subject_preview: skeleton.subject.chars().take(PREVIEW_CHARS).collect(),
                has_override: overrides.iter().any(|row| is_for_all(&row)),
            });
        }
        Ok((listed, overrides))
    }

    /// The built-in message: with its placeholders for an empty payload, else with example values under the payload.
    pub fn preview(&self, actor: &Actor, key: &str, payload: &Payload) -> Result<Rendered, ServiceError> {
        require_admin(actor)?;
        let key = known(key)?;
        let templates = self.composer.templates();
        let rendered = if payload.is_empty() {
            templates.skeleton(key)
        } else {
            templates.preview(key, payload, self.clock.now())
        };
        rendered.map_err(defect)
    }

    /// Saves a wording, sanitised.
    pub async fn save(&self, by: By<'_>, new: NewWording) -> Result<TemplateOverride, ServiceError> {
        require_admin(by.actor)?;
        let wording = checked(new)?;
        settled(|| self.try_save(by, &wording)).await
    }

    /// Takes a wording out of force.
    pub async fn revert(&self, by: By<'_>, template_id: &str) -> Result<(), ServiceError> {
        require_admin(by.actor)?;
        if settled(|| self.try_revert(by, template_id)).await? {
            return Ok(());
        }
        let text = "there is no such template in force";
        Err(ServiceError::not_found(ErrorCode::NotFound, text))
    }

    async fn try_save(&self, by: By<'_>, wording: &Wording) -> Result<TemplateOverride, TransactionFault> {
        let (who, now) = (by.actor.person.email.as_str(), self.clock.now());
        let mut transaction = Transaction::begin(&self.database).await?;
        let saved = self
            .repo()
            .save_in(transaction.session(), wording, who, now)
            .await;
        let saved = saved.map_err(TransactionFault::of_insert)?;
        let details = json!({"template_key": wording.template_key, "workflow_id": wording.workflow_id});
        let event = by.event(UPDATE, details, now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(saved.ok_or_else(|| ServiceError::defect("an upsert returned nothing"))?)
    }

    async fn try_revert(&self, by: By<'_>, template_id: &str) -> Result<bool, TransactionFault> {
        let (who, now) = (by.actor.person.email.as_str(), self.clock.now());
        let mut transaction = Transaction::begin(&self.database).await?;
        let session = transaction.session();
        let Some(reverted) = self.repo().revert_in(session, template_id, who, now).await? else {
            transaction.abort().await;
            return Ok(false);
        };
        let details = json!({
            "template_key": reverted.template_key, "workflow_id": reverted.workflow_id, "action": "reverted",
        });
        let event = by.event(UPDATE, details, now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(true)
    }

    fn repo(&self) -> &TemplateOverrideRepo {
        self.composer.overrides()
    }
}

fn checked(new: NewWording) -> Result<Wording, ServiceError> {
    let template_key = known(&new.template_key)?;
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let subject = given(new.subject);
    let body = given(new.body);
    if subject.is_none() && body.is_none() {
        return Err(ServiceError::invalid_field(
            "custom_subject",
            "give a subject, a body or both",
        ));
    }
    if subject
        .as_ref()
        .is_some_and(|text| text.chars().count() > MAX_SUBJECT_CHARS)
    {
        let text = format!("a subject has at most {MAX_SUBJECT_CHARS} characters");
        return Err(ServiceError::invalid_field("custom_subject", text));
    }
    if body.as_ref().is_some_and(|text| text.len() > MAX_BODY_BYTES) {
        let text = format!("a body has at most {MAX_BODY_BYTES} bytes");
        return Err(ServiceError::invalid_field("custom_body", text));
    }
    Ok(Wording {
        template_key,
        workflow_id: given(new.workflow_id),
        custom_subject: subject.map(|text| sanitized_subject(&text)),
        custom_body: body.map(|text| sanitized_body(&text)),
    })
}

fn known(key: &str) -> Result<TemplateKey, ServiceError> {
    TemplateKey::from_word(key)
        .ok_or_else(|| ServiceError::invalid_field("template_key", "there is no such template"))
}

fn defect(error: crate::services::templates::TemplateError) -> ServiceError {
    ServiceError::Defect(error.into())
}
