//! The bounds that the document names are those that the service keeps: one step outside is refused and named, the last
//! value inside is not.

use super::operations::{Operation, call, known_ids, operations, plausible};
use crate::support::{Reply, TestApp};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// The schema behind references and beside null.
fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#'));
        return resolved(document, target.unwrap());
    }
    let mut choices = schema["oneOf"].as_array().into_iter().flatten();
    let real = choices.rfind(|one| one["type"] != "null");
    real.map_or(schema, |real| resolved(document, real))
}

/// Values at the bounds of a schema, and whether they are inside.
fn at_the_bounds(document: &Value, schema: &Value) -> Vec<(Value, bool)> {
    let mut values = Vec::new();
    let text = |length: u64| json!("x".repeat(usize::try_from(length).unwrap()));
    let is_free = ["pattern", "format", "enum"]
        .iter()
        .all(|key| schema[key].is_null());
    if schema["enum"].is_array() {
        values.push((json!("NO_SUCH_WORD"), false));
    }
    if let Some(longest) = schema["maxLength"].as_u64() {
        values.push((text(longest + 1), false));
        values.extend(is_free.then(|| (text(longest), true)));
    }
    if let Some(shortest) = schema["minLength"].as_u64().filter(|shortest| *shortest > 0) {
        values.push((text(shortest - 1), false));
        values.extend(is_free.then(|| (text(shortest), true)));
    }
    for (key, step) in [("maximum", 1), ("minimum", -1)] {
        if let Some(bound) = schema[key].as_i64() {
            values.push((json!(bound + step), false));
            values.push((json!(bound), true));
        }
    }
    let item = plausible(document, &schema["items"], 0);
    if let Some(most) = schema["maxItems"].as_u64() {
        let many = vec![item.clone(); usize::try_from(most + 1).unwrap()];
        values.push((json!(many[1..]), true));
        values.push((json!(many), false));
    }
    if schema["minItems"].as_u64().is_some_and(|fewest| fewest > 0) {
        values.push((json!([]), false));
        values.push((json!([item]), true));
    }
    values
}

/// Whether the answer refuses this field.
fn refuses(reply: &Reply, place: &str, field: &str) -> bool {
    let errors = reply.body["error"]["details"]["errors"].as_array();
    let mut errors = errors.into_iter().flatten();
    errors.any(|error| error["loc"][0] == place && error["loc"][1] == field)
}

#[tokio::test]
async fn what_the_document_bounds_the_service_bounds() {
    let app = TestApp::new().await;
    workflow_ops::services::seed::seed(&app.app, |_| ())
        .await
        .unwrap();
    let (document, operations) = operations(&app).await;
    let ids = known_ids(&app).await;
    let root = app.person("admin.root");
    let mut tried = 0;
    let mut faults = Vec::new();
    for operation in &operations {
        let kind = operation.body.as_ref().filter(|_| is_json(&document, operation));
        let Some(schema) = kind.map(|content| resolved(&document, &content["schema"])) else {
            continue;
        };
        let whole = plausible(&document, schema, 0);
        for (field, schema) in schema["properties"].as_object().unwrap_or(&Map::new()) {
            for (value, is_inside) in at_the_bounds(&document, resolved(&document, schema)) {
                let mut body = whole.clone();
                body[field] = value;
                let path = operation.path_to(&ids);
                let reply = call(&root, operation, &path, Some(body.to_string())).await;
                if reply.status == StatusCode::UNAUTHORIZED {
                    // Setting up needs a token of its own; without one nobody is told what a body must be.
                    assert_eq!(operation.path, "/api/v1/admin/bootstrap/setup");
                    continue;
                }
                tried += 1;
                if refuses(&reply, "body", field) == is_inside {
                    let shown: String = body[field].to_string().chars().take(80).collect();
                    faults.push(format!(
                        "{} {} {field}={shown} inside: {is_inside}, {} {}",
                        operation.method, operation.path, reply.status, reply.text
                    ));
                }
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
    assert!(tried > 100, "{tried}");
}

fn is_json(document: &Value, operation: &Operation) -> bool {
    let method = operation.method.as_str().to_lowercase();
    document["paths"][&operation.path][method]["requestBody"]["content"]["application/json"].is_object()
}

#[tokio::test]
async fn what_the_document_bounds_in_queries_the_service_bounds() {
    let app = TestApp::with_people().await;
    let document = app.anonymous().get("/api/openapi.json").await.expect(200).body;
    let root = app.person("admin.root");
    let mut tried = 0;
    let mut faults = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        for parameter in parameters.filter(|one| one["in"] == "query" && !path.contains('{')) {
            let name = parameter["name"].as_str().unwrap();
            for (value, is_inside) in at_the_bounds(&document, resolved(&document, &parameter["schema"])) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                if value.is_array() {
                    continue;
                }
                let reply = root.get(&format!("{path}?{name}={text}")).await;
                tried += 1;
                if refuses(&reply, "query", name) == is_inside {
                    faults.push(format!(
                        "{path}?{name}={text} inside: {is_inside}, {}",
                        reply.text
                    ));
                }
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
    assert!(tried > 60, "{tried}");
}
