//! Holds every answer that a test is given against the OpenAPI document: status, kind of content and body must be
//! what the document says of the operation.

use super::client::Reply;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

static DOCUMENT: LazyLock<Document> = LazyLock::new(Document::read);

struct Document {
    /// Segments of each documented path; a parameter is `None`.
    paths: Vec<(String, Vec<Option<String>>)>,
    json: Value,
    /// Of the schemas that were needed, by their text.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Fails the test when the document does not speak of such an answer. Routes that are not documented are passed over.
#[track_caller]
pub(super) fn assert_documents(method: &Method, path: &str, reply: &Reply) {
    if let Err(fault) = DOCUMENT.check(method, path, reply) {
        panic!(
            "the document does not tell the truth of {method} {path}: {fault}\n{} {}",
            reply.status, reply.text
        );
    }
}

impl Document {
    fn read() -> Self {
        let json = serde_json::to_value(workflow_ops::api::openapi::document()).unwrap();
        let paths = json["paths"].as_object().unwrap().keys().map(|path| {
            let segments = path
                .split('/')
                .map(|one| (!one.starts_with('{')).then(|| one.to_owned()));
            (path.clone(), segments.collect())
        });
        let paths = paths.collect();
        Self {
            paths,
            json,
            validators: Mutex::default(),
        }
    }

    fn check(&self, method: &Method, path: &str, reply: &Reply) -> Result<(), String> {
        let Some(operation) = self.operation(method, path) else {
            return Ok(());
        };
        let status = reply.status.as_u16().to_string();
        let answer = &self.json["paths"][operation][method.as_str().to_lowercase()]["responses"][&status];
        let Some(answer) = answer.as_object() else {
            return Err(format!("status {status} is not documented"));
        };
        let Some(content) = answer.get("content").and_then(Value::as_object) else {
            let is_empty = reply.text.is_empty();
            return is_empty
                .then_some(())
                .ok_or_else(|| "no body is documented".to_owned());
        };
        let kind = reply
            .header("content-type")
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let Some(documented) = documented_kind(content, kind) else {
            return Err(format!("the content type {kind:?} is not documented"));
        };
        if kind != "application/json" {
            return Ok(());
        }
        let validator = self.validator(&content[documented]["schema"]);
        let faults: Vec<_> = validator
            .iter_errors(&reply.body)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("\n"))
        }
    }

    /// The documented path that serves this one; fixed segments win over parameters.
    fn operation(&self, method: &Method, path: &str) -> Option<&str> {
        let path = path.split(['?', '#']).next()?;
        let segments: Vec<_> = path.split('/').collect();
        let matching = self.paths.iter().filter(|(name, pattern)| {
            let fits = pattern.len() == segments.len()
                && pattern.iter().zip(&segments).all(|(wanted, given)| match wanted {
                    Some(wanted) => wanted == given,
                    None => !given.is_empty(),
                });
            fits && self.json["paths"][name][method.as_str().to_lowercase()].is_object()
        });
        let of_most_words = matching.max_by_key(|(_, pattern)| pattern.iter().flatten().count());
        of_most_words.map(|(name, _)| name.as_str())
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut known = self.validators.lock().unwrap();
        let made = known.entry(schema.to_string()).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = json!({"schemas": self.json["components"]["schemas"]});
            Arc::new(jsonschema::validator_for(&schema).unwrap())
        });
        Arc::clone(made)
    }
}

/// The documented kind of content that covers `kind`.
fn documented_kind<'d>(content: &'d Map<String, Value>, kind: &str) -> Option<&'d str> {
    let known = content.keys().find(|known| known.split(';').next() == Some(kind));
    known
        .or_else(|| content.keys().find(|known| *known == "*/*"))
        .map(String::as_str)
}

#[test]
fn an_answer_that_the_document_does_not_know_is_noticed() {
    let reply = |status: u16, kind: &'static str, body: Value| Reply {
        status: reqwest::StatusCode::from_u16(status).unwrap(),
        headers: [(reqwest::header::CONTENT_TYPE, kind.parse().unwrap())]
            .into_iter()
            .collect(),
        text: body.to_string(),
        body,
    };
    let check = |answer: &Reply| DOCUMENT.check(&Method::GET, "/api/v1/change-requests/count?x=1", answer);
    let json = "application/json";
    assert_eq!(check(&reply(200, json, json!({"count": 1}))), Ok(()));
    for wrong in [
        reply(200, json, json!({"count": "one"})),
        reply(200, json, json!({})),
        reply(200, "text/html", json!("")),
        reply(418, json, json!({"count": 1})),
        reply(401, json, json!({"detail": "sign in"})),
    ] {
        assert!(check(&wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(
        DOCUMENT.operation(&Method::GET, "/api/v1/tickets/agent/tasks"),
        Some("/api/v1/tickets/agent/tasks")
    );
    assert_eq!(
        DOCUMENT.operation(&Method::GET, "/api/v1/tickets/TKT-1"),
        Some("/api/v1/tickets/{ticket_id}")
    );
}
