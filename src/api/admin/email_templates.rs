//! `/admin/email-templates` (contract http-admin-notifications 12).

use super::Done;
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath, Caller, ClientAddress};
use crate::api::schema::words;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::app::App;
use crate::domain::notice::TemplateKey;
use crate::repositories::template_override_repo::TemplateOverride;
use crate::services::admin::By;
use crate::services::admin::templates::{ListedTemplate, NewWording};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_email_templates, save_email_template))
        .routes(routes!(preview_email_template))
        .routes(routes!(revert_email_template))
}

/// Every message, and the wordings in force.
#[derive(Debug, Serialize, ToSchema)]
struct EmailTemplates {
    /// The 26 messages in their fixed order.
    templates: Vec<EmailTemplateView>,
    /// The wordings in force, by key.
    overrides: Vec<OverrideView>,
}

/// A message as it is listed.
#[derive(Debug, Serialize, ToSchema)]
struct EmailTemplateView {
    /// The message.
    #[schema(example = "APPROVED")]
    key: &'static str,
    /// The key in words.
    #[schema(example = "Approved")]
    name: String,
    /// The start of the built-in subject.
    subject_preview: String,
    /// Whether a wording for all workflows is in force.
    has_override: bool,
}

/// An administrator's wording.
#[derive(Debug, Serialize, ToSchema)]
struct OverrideView {
    /// The wording's id.
    template_id: String,
    /// The template it stands in for.
    template_key: &'static str,
    /// The workflow it is for; all when absent.
    workflow_id: Option<String>,
    /// The subject, if it has one of its own.
    custom_subject: Option<String>,
    /// The HTML, if it has one of its own.
    custom_body: Option<String>,
    /// Whether it is used.
    is_active: bool,
    /// When it came to be.
    created_at: String,
    /// Who wrote it.
    created_by: String,
    /// When it last changed.
    updated_at: Option<String>,
    /// Who last changed it.
    updated_by: Option<String>,
}

impl From<ListedTemplate> for EmailTemplateView {
    fn from(listed: ListedTemplate) -> Self {
        Self {
            key: listed.key.as_str(),
            name: listed.key.title(),
            subject_preview: listed.subject_preview,
            has_override: listed.has_override,
        }
    }
}

impl From<TemplateOverride> for OverrideView {
    fn from(row: TemplateOverride) -> Self {
        Self {
            template_id: row.template_id.to_string(),
            template_key: row.template_key.as_str(),
            workflow_id: row.workflow_id,
            custom_subject: row.custom_subject,
            custom_body: row.custom_body,
            is_active: row.is_active,
            created_at: wire_time(row.created_at),
            created_by: row.created_by,
            updated_at: wire_time_option(row.updated_at),
            updated_by: row.updated_by,
        }
    }
}

/// Which message to show.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct PreviewRequest {
    /// The message.
    #[schema(schema_with = words::<TemplateKey>)]
    template_key: String,
    /// Values over the example ones; when empty the message keeps its `{{placeholders}}`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    payload: Option<Map<String, Value>>,
}

/// A message as shown.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewView {
    template_key: String,
    subject: String,
    /// HTML with inline styles.
    body: String,
}

/// A wording to save.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct WordingRequest {
    /// The message.
    #[schema(schema_with = words::<TemplateKey>)]
    template_key: String,
    /// The workflow; all when absent.
    #[garde(length(chars, max = 100))]
    #[schema(max_length = 100)]
    workflow_id: Option<String>,
    /// At most 200 characters; the built-in subject when absent.
    #[schema(max_length = 200)]
    custom_subject: Option<String>,
    /// At most 256 KiB of HTML, sanitised; the built-in body when absent.
    #[schema(max_length = 262_144)]
    custom_body: Option<String>,
}

/// A saved wording.
#[derive(Debug, Serialize, ToSchema)]
struct SavedWording {
    message: &'static str,
    template: OverrideView,
}

/// Every message, and the wordings in force.
#[utoipa::path(get, path = "/email-templates", tag = "admin", operation_id = "list_email_templates",
    responses((status = 200, body = EmailTemplates)))]
async fn list_email_templates(State(app): State<App>, caller: Caller) -> ApiResult<Json<EmailTemplates>> {
    let (templates, overrides) = app.admin.templates.list(&caller).await?;
    Ok(Json(EmailTemplates {
        templates: templates.into_iter().map(Into::into).collect(),
        overrides: overrides.into_iter().map(Into::into).collect(),
    }))
}

/// Shows a built-in message.
#[utoipa::path(post, path = "/email-templates/preview", tag = "admin", operation_id = "preview_email_template",
    request_body = PreviewRequest, responses((status = 200, body = PreviewView)))]
async fn preview_email_template(
    State(app): State<App>,
    caller: Caller,
    ApiJson(request): ApiJson<PreviewRequest>,
) -> ApiResult<Json<PreviewView>> {
    let payload = request.payload.unwrap_or_default();
    let shown = app
        .admin
        .templates
        .preview(&caller, &request.template_key, &payload)?;
    Ok(Json(PreviewView {
        template_key: request.template_key,
        subject: shown.subject,
        body: shown.html,
    }))
}

/// Saves a wording of a message, for one workflow or all.
#[utoipa::path(put, path = "/email-templates", tag = "admin", operation_id = "save_email_template",
    request_body = WordingRequest, responses((status = 200, body = SavedWording)))]
async fn save_email_template(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiJson(request): ApiJson<WordingRequest>,
) -> ApiResult<Json<SavedWording>> {
    let by = By {
        actor: &caller,
        address,
    };
    let wording = NewWording {
        template_key: request.template_key,
        workflow_id: request.workflow_id,
        subject: request.custom_subject,
        body: request.custom_body,
    };
    let saved = app.admin.templates.save(by, wording).await?;
    Ok(Json(SavedWording {
        message: "The template was saved.",
        template: saved.into(),
    }))
}

/// Takes a wording out of force; the built-in message is used again.
#[utoipa::path(delete, path = "/email-templates/{template_id}", tag = "admin", operation_id = "revert_email_template",
    params(("template_id" = String, Path)), responses((status = 200, body = Done)))]
async fn revert_email_template(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiPath(template_id): ApiPath<String>,
) -> ApiResult<Json<Done>> {
    let by = By {
        actor: &caller,
        address,
    };
    app.admin.templates.revert(by, &template_id).await?;
    Ok(Json(Done {
        message: "The template was reverted to its default.".to_owned(),
    }))
}
