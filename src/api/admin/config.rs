//! `/admin/config` (contract http-admin-notifications 11).

use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, Caller, ClientAddress};
use crate::app::App;
use crate::repositories::system_config_repo::{ConfigChange, SLA_STEP_TYPES};
use crate::services::admin::By;
use crate::services::system_config::SystemConfig;
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_config, update_config))
}

/// The system configuration.
#[derive(Debug, Serialize, ToSchema)]
struct ConfigView {
    /// Due minutes by step type; they apply once an administrator has saved them.
    #[schema(example = json!({"FORM_STEP": 1440, "APPROVAL_STEP": 2880, "TASK_STEP": 4320}))]
    default_sla_minutes: BTreeMap<&'static str, i64>,
    /// The types of files that may be uploaded.
    allowed_mime_types: Vec<String>,
    /// The size limit of files, in mebibytes.
    max_attachment_size_mb: u64,
    /// How often a mail is tried.
    notification_retry_max: u32,
}

impl From<&SystemConfig> for ConfigView {
    fn from(config: &SystemConfig) -> Self {
        Self {
            default_sla_minutes: config.shown_sla_minutes().into_iter().collect(),
            allowed_mime_types: config.allowed_mime_types.clone(),
            max_attachment_size_mb: config.max_attachment_size_mb,
            notification_retry_max: config.notification_retry_max,
        }
    }
}

/// A type of files.
#[derive(ToSchema)]
#[schema(
    pattern = r"^[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}$",
    example = "application/pdf"
)]
#[expect(dead_code, reason = "describes texts in the OpenAPI document")]
struct MediaType(String);

/// Minutes for some of the types of steps that have due times.
fn due_minutes() -> Schema {
    let minutes = || {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(525_600))
    };
    let some = SLA_STEP_TYPES
        .iter()
        .fold(ObjectBuilder::new(), |object, (_, word)| {
            object.property(*word, minutes())
        });
    some.schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
        .into()
}

/// What changes; absent keys stay as they are.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[garde(allow_unvalidated)]
struct ConfigRequest {
    /// Due minutes by step type, 1 to 525600.
    #[schema(schema_with = due_minutes)]
    default_sla_minutes: Option<BTreeMap<String, i64>>,
    /// Types `type/subtype`, at least one.
    #[schema(value_type = Option<Vec<MediaType>>, min_items = 1, max_items = 100)]
    allowed_mime_types: Option<Vec<String>>,
    /// 1 to 100.
    #[schema(minimum = 1, maximum = 100)]
    max_attachment_size_mb: Option<i64>,
    /// 1 to 10.
    #[schema(minimum = 1, maximum = 10)]
    notification_retry_max: Option<i64>,
}

/// The system configuration.
#[utoipa::path(get, path = "/config", tag = "admin", operation_id = "get_system_config",
    responses((status = 200, body = ConfigView)))]
async fn get_config(State(app): State<App>, caller: Caller) -> ApiResult<Json<ConfigView>> {
    let config = app.admin.config.show(&caller).await?;
    Ok(Json(config.as_ref().into()))
}

/// Changes the system configuration; uploads, due dates and mail retries follow within five seconds.
#[utoipa::path(put, path = "/config", tag = "admin", operation_id = "update_system_config",
    request_body = ConfigRequest, responses((status = 200, body = ConfigView)))]
async fn update_config(
    State(app): State<App>,
    caller: Caller,
    ClientAddress(address): ClientAddress,
    ApiJson(request): ApiJson<ConfigRequest>,
) -> ApiResult<Json<ConfigView>> {
    let change = ConfigChange {
        default_sla_minutes: request.default_sla_minutes,
        allowed_mime_types: request.allowed_mime_types,
        max_attachment_size_mb: request.max_attachment_size_mb,
        notification_retry_max: request.notification_retry_max,
    };
    let by = By {
        actor: &caller,
        address,
    };
    let config = app.admin.config.change(by, change).await?;
    Ok(Json(config.as_ref().into()))
}
