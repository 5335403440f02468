//! Health: whether the process lives and whether it can serve (contract http-admin 17).

use super::envelope::ApiError;
use super::extract::Caller;
use crate::app::App;
use crate::repositories::mongo;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// What this service is.
#[derive(Debug, Serialize, ToSchema)]
struct About {
    /// The product's name.
    name: &'static str,
    /// The program's version.
    version: &'static str,
    /// Where the documentation is, when it is served.
    docs: Option<&'static str>,
}

/// The state of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    /// It works.
    Healthy,
    /// Something works less well.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// The state of the service for load balancers and operators.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// The state of the whole.
    status: Condition,
    /// The program's version.
    version: &'static str,
    /// Where it runs; for signed-in callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'static str>,
    /// The state of the database.
    mongo: DatabaseHealth,
}

/// The state of the database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseHealth {
    /// Whether it answers.
    pub(crate) status: Condition,
    /// `ok` or `failed`.
    pub(crate) connection: &'static str,
    /// Its name; for signed-in callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<String>,
}

impl DatabaseHealth {
    /// Asks the database.
    pub(crate) async fn of(app: &App) -> Self {
        if mongo::is_healthy(&app.database).await {
            Self {
                status: Condition::Healthy,
                connection: "ok",
                database: None,
            }
        } else {
            Self {
                status: Condition::Unhealthy,
                connection: "failed",
                database: None,
            }
        }
    }
}

/// What this service is.
#[utoipa::path(get, path = "/", tag = "health", operation_id = "get_about", security(()), responses((status = 200, body = About)))]
async fn root(State(app): State<App>) -> Json<About> {
    let docs = app.settings.server.docs.then_some("/api/docs");
    Json(About {
        name: "workflow-ops",
        version: env!("CARGO_PKG_VERSION"),
        docs,
    })
}

/// The state of the service; 503 when the database does not answer. Strangers see statuses only.
#[utoipa::path(get, path = "/health", tag = "health", operation_id = "get_health", security((), ("bearer" = [])),
    responses((status = 200, body = Health), (status = 503, body = Health)))]
async fn health(State(app): State<App>, caller: Result<Caller, ApiError>) -> (StatusCode, Json<Health>) {
    let mut mongo = DatabaseHealth::of(&app).await;
    let is_known = caller.is_ok();
    mongo.database = is_known.then(|| app.database.name().to_owned());
    let (code, status) = match mongo.status {
        Condition::Healthy => (StatusCode::OK, Condition::Healthy),
        Condition::Degraded | Condition::Unhealthy => (StatusCode::SERVICE_UNAVAILABLE, Condition::Degraded),
    };
    let environment = is_known.then(|| app.settings.environment.as_str());
    (
        code,
        Json(Health {
            status,
            version: env!("CARGO_PKG_VERSION"),
            environment,
            mongo,
        }),
    )
}

/// Whether the process lives.
#[utoipa::path(get, path = "/health/live", tag = "health", operation_id = "get_liveness", security(()), responses((status = 200)))]
async fn live() -> StatusCode {
    StatusCode::OK
}

/// Whether the process can serve; 503 when the database does not answer.
#[utoipa::path(get, path = "/health/ready", tag = "health", operation_id = "get_readiness", security(()),
    responses((status = 200), (status = 503)))]
async fn ready(State(app): State<App>) -> StatusCode {
    match DatabaseHealth::of(&app).await.status {
        Condition::Healthy => StatusCode::OK,
        Condition::Degraded | Condition::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
    }
}
