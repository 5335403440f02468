//! The one list of routes; it makes both the router and the OpenAPI document.
//!
//! Adding a family: write `pub fn router() -> OpenApiRouter<App>` in its module, and nest or merge it here.
//! Fixed segments win over parameters by themselves, and trailing slashes are gone before a route is sought.

use super::envelope::plain_error;
use super::{
    admin, assistant, attachments, change_requests, dev, directory, docs, genai, health, layer, lookups,
    metrics, notifications, openapi, tickets, workflows,
};
use crate::app::App;
use crate::domain::error::ErrorCode;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

/// Every documented route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(health::router())
        .nest("/api/v1", version_1())
}

/// The routes under `/api/v1`, family by family.
fn version_1() -> OpenApiRouter<App> {
    families()
        .into_iter()
        .fold(OpenApiRouter::new(), |all, (path, family)| all.nest(path, family))
}

/// Every family and where it is.
fn families() -> Vec<(&'static str, OpenApiRouter<App>)> {
    vec![
        ("/admin", admin::router()),
        ("/ai-chat", assistant::router()),
        ("/attachments", attachments::router()),
        ("/directory", directory::router()),
        ("/genai", genai::router()),
        ("/lookups", lookups::router()),
        ("/change-requests", change_requests::router()),
        ("/notifications", notifications::router()),
        ("/tickets", tickets::router()),
        ("/workflows", workflows::router()),
    ]
}

/// The whole service.
pub fn service(app: &App) -> Router {
    let mut documented = routes();
    if app.authenticator.dev_issuer().is_some() {
        documented = documented.nest("/dev", dev::router());
    }
    let (mut all, document) = documented.split_for_parts();
    if app.settings.server.docs {
        all = all.merge(docs::router(&openapi::finish(document)));
    }
    let all = all
        .merge(metrics::router())
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .with_state(app.clone());
    layer::around(all, app)
}

async fn unknown_route() -> Response {
    plain_error(StatusCode::NOT_FOUND, ErrorCode::NotFound, "Not Found")
}

async fn unknown_method() -> Response {
    plain_error(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::MethodNotAllowed,
        "Method Not Allowed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn no_two_families_call_different_shapes_by_one_name() {
        let mut shapes: BTreeMap<String, (String, &str)> = BTreeMap::new();
        for (path, family) in families() {
            let components = family.get_openapi().components.clone().unwrap_or_default();
            for (name, schema) in components.schemas {
                let shape = serde_json::to_string(&schema).unwrap();
                let (known, of) = shapes.entry(name.clone()).or_insert((shape.clone(), path));
                assert_eq!(
                    *known, shape,
                    "{name} of {path} and of {of}: one would replace the other in the document"
                );
            }
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = serde_json::to_value(openapi::document()).unwrap();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
