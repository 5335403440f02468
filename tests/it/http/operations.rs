//! Every operation of the OpenAPI document, so that none can be forgotten: who may call it, and that no input breaks it.

use crate::support::{Reply, TestApp, TestClient, client_send as send};
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// An operation of the document.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) is_public: bool,
    query: Vec<String>,
    required_query: Vec<String>,
    pub(super) body: Option<Value>,
}

pub(super) async fn operations(app: &TestApp) -> (Value, Vec<Operation>) {
    let document = app.anonymous().get("/api/openapi.json").await.expect(200).body;
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            all.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                is_public: operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.contains(&json!({}))),
                required_query: names(&parameters, true),
                query: names(&parameters, false),
                body: operation["requestBody"]["content"]
                    .as_object()
                    .and_then(|kinds| kinds.values().next())
                    .cloned(),
            });
        }
    }
    (document, all)
}

/// The names of the query parameters, all or only the required ones.
fn names(parameters: &[Value], only_required: bool) -> Vec<String> {
    let of_query = parameters.iter().filter(|one| one["in"] == "query");
    let wanted = of_query.filter(|one| !only_required || one["required"] == true);
    wanted
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

impl Operation {
    /// The path with `text` for every parameter.
    fn path_with(&self, text: &str) -> String {
        let all = self
            .parameters()
            .map(|name| (name.to_owned(), json!(encoded(text))));
        self.path_to(&all.collect())
    }

    /// The path with ids that exist, as far as `ids` has them.
    pub(super) fn path_to(&self, ids: &Map<String, Value>) -> String {
        let segments = self.path.split('/').map(|segment| {
            let name = segment.trim_matches(['{', '}']);
            match ids.get(name).and_then(Value::as_str) {
                Some(id) if name != segment => id.to_owned(),
                _ if name != segment => "x".to_owned(),
                _ => segment.to_owned(),
            }
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let required = self.required_query.iter().map(|name| format!("{name}=1"));
        let query = required.collect::<Vec<_>>().join("&");
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }

    fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path
            .split('/')
            .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }
}

/// Text as one segment of a path.
fn encoded(text: &str) -> String {
    let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    encoded.replace('+', "%20")
}

pub(super) async fn call(
    client: &TestClient,
    operation: &Operation,
    path: &str,
    body: Option<String>,
) -> Reply {
    let request = client.request(operation.method.clone(), path);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body),
        None => request,
    };
    send(request).await
}

#[tokio::test]
async fn every_operation_but_the_public_ones_wants_a_token() {
    let app = TestApp::new().await;
    let (_, operations) = operations(&app).await;
    let mut public: Vec<String> = Vec::new();
    for operation in operations {
        if operation.is_public {
            public.push(format!("{} {}", operation.method, operation.path));
            continue;
        }
        let reply = call(
            &app.anonymous(),
            &operation,
            &operation.path_with("x"),
            Some("{}".to_owned()),
        )
        .await;
        assert_eq!(
            reply.status, 401,
            "{} {}: {}",
            operation.method, operation.path, reply.text
        );
        assert_eq!(reply.code(), "AUTHENTICATION_ERROR");
    }
    // A new public operation is a decision; it is written down here.
    public.retain(|operation| !ALLOWED_PUBLIC.contains(&operation.as_str()));
    assert!(public.is_empty(), "{public:?}");
}

const ALLOWED_PUBLIC: [&str; 14] = [
    "GET /",
    "GET /health",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /dev/people",
    "POST /dev/token",
    "GET /dev/jwks",
    "GET /api/v1/admin/health",
    "GET /api/v1/admin/setup-status",
    "POST /api/v1/admin/bootstrap/login",
    "POST /api/v1/admin/bootstrap/logout",
    "POST /api/v1/admin/bootstrap/setup",
    "GET /api/v1/health",
];

#[tokio::test]
async fn administration_is_closed_to_everybody_else() {
    let app = TestApp::with_people().await;
    let (_, operations) = operations(&app).await;
    let own = ["/api/v1/admin/access", "/api/v1/admin/my-access"];
    for operation in operations {
        if operation.is_public
            || !operation.path.starts_with("/api/v1/admin/")
            || own.contains(&operation.path.as_str())
        {
            continue;
        }
        for person in ["ann.lee", "dana.wolf", "nina.patel", "ken.ito"] {
            let body = example(&operation);
            let reply = call(
                &app.person(person),
                &operation,
                &operation.path_with("x"),
                Some(body),
            )
            .await;
            // A body that is not valid may be refused before the right is looked at.
            assert!(
                matches!(reply.status.as_u16(), 400 | 403),
                "{person} {} {}: {}",
                operation.method,
                operation.path,
                reply.text
            );
            if operation.method == Method::GET || operation.method == Method::DELETE {
                assert_eq!(
                    reply.status, 403,
                    "{person} {} {}",
                    operation.method, operation.path
                );
            }
        }
    }
}

fn example(operation: &Operation) -> String {
    operation
        .body
        .as_ref()
        .map_or_else(String::new, |_| "{}".to_owned())
}

/// Texts that have broken services before.
const NASTY_TEXTS: [&str; 16] = [
    "",
    " ",
    "\u{0}",
    "a\u{0}b",
    "\r\nX: y",
    "../../etc/passwd",
    "$where",
    "{\"$ne\":null}",
    "%",
    "%00",
    "💥\u{202e}",
    "' OR 1=1 --",
    "-1",
    "99999999999999999999999999",
    "NaN",
    "<script>alert(1)</script>",
];

fn nasty_values() -> Vec<Value> {
    let mut values: Vec<Value> = NASTY_TEXTS.iter().map(|text| json!(text)).collect();
    values.extend([
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!([]),
        json!([null, {"$gt": ""}]),
        json!({}),
        json!({"$gt": "", "a.b": {"": 1}, "\u{0}": [[]]}),
        json!("x".repeat(100_000)),
        (0..60).fold(json!(1), |inner, _| json!([inner])),
    ]);
    values
}

/// A value that fits a schema, more or less.
pub(super) fn plausible(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > 6 {
        return json!(null);
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
        return plausible(document, target, depth + 1);
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[key].as_array() {
            return plausible(document, choices.last().unwrap_or(&Value::Null), depth + 1);
        }
    }
    if schema["pattern"].is_string() && schema["example"].is_string() {
        return schema["example"].clone();
    }
    if let Some(choice) = schema["enum"].as_array().and_then(|choices| choices.first()) {
        return choice.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let filled = properties
                .iter()
                .map(|(name, schema)| (name.clone(), plausible(document, schema, depth + 1)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
        Some("array") => json!([plausible(document, &schema["items"], depth + 1)]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("someone@example.com"),
    }
}

/// The bodies to try: hopeless ones, and plausible ones with one field spoilt.
fn bodies(document: &Value, operation: &Operation) -> Vec<Option<String>> {
    let Some(content) = &operation.body else {
        return vec![None, Some("{".to_owned()), Some("[]".to_owned())];
    };
    let mut all = vec![None];
    all.extend(["", "{", "nul", "\u{0}", "{\"a\":1e999}", "[[[["].map(|text| Some(text.to_owned())));
    all.extend(nasty_values().iter().map(|value| Some(value.to_string())));
    let whole = plausible(document, &content["schema"], 0);
    all.push(Some(whole.to_string()));
    for name in whole
        .as_object()
        .map(|map| map.keys().cloned().collect::<Vec<_>>())
        .unwrap_or_default()
    {
        for value in nasty_values() {
            let mut spoilt = whole.clone();
            spoilt[&name] = value;
            all.push(Some(spoilt.to_string()));
        }
    }
    all
}

/// The addresses to try: one parameter spoilt, the others as they are.
fn addresses(operation: &Operation, ids: &Map<String, Value>) -> Vec<String> {
    let plain = operation.path_to(ids);
    let mut all = vec![plain.clone()];
    let long = "x".repeat(5_000);
    for name in operation.parameters() {
        for text in NASTY_TEXTS
            .iter()
            .copied()
            .chain([long.as_str()])
            .filter(|text| !text.is_empty())
        {
            let mut spoilt = ids.clone();
            spoilt.insert(name.to_owned(), json!(encoded(text)));
            all.push(operation.path_to(&spoilt));
        }
    }
    let joint = if plain.contains('?') { '&' } else { '?' };
    for name in &operation.query {
        for text in NASTY_TEXTS {
            let value: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            all.push(format!("{plain}{joint}{name}={value}"));
        }
        all.push(format!("{plain}{joint}{name}=1&{name}=2&{name}[$ne]=3"));
    }
    all
}

/// Ids that exist, by the name of their path parameter.
pub(super) async fn known_ids(app: &TestApp) -> Map<String, Value> {
    let root = app.person("admin.root");
    let workflows = root.get("/api/v1/workflows").await.expect(200).body;
    let mut ids = Map::new();
    ids.insert(
        "workflow_id".to_owned(),
        workflows["items"][0]["workflow_id"].clone(),
    );
    for requester in ["ann.lee", "ben.cole", "zoe.quinn"] {
        let tickets = app
            .person(requester)
            .get("/api/v1/tickets")
            .await
            .expect(200)
            .body;
        let Some(ticket) = tickets["items"].as_array().and_then(|items| items.first()) else {
            continue;
        };
        let path = format!("/api/v1/tickets/{}", ticket["ticket_id"].as_str().unwrap());
        let detail = app.person(requester).get(&path).await.expect(200).body;
        ids.insert("ticket_id".to_owned(), ticket["ticket_id"].clone());
        ids.insert(
            "ticket_step_id".to_owned(),
            detail["steps"][0]["ticket_step_id"].clone(),
        );
        ids.insert("step_id".to_owned(), detail["steps"][0]["step_id"].clone());
    }
    ids.insert("email".to_owned(), json!("nobody@example.com"));
    ids.insert("version_number".to_owned(), json!("1"));
    ids
}

#[tokio::test]
async fn who_has_no_part_in_a_ticket_neither_reads_nor_changes_it() {
    let app = TestApp::new().await;
    workflow_ops::services::seed::seed(&app.app, |_| ())
        .await
        .unwrap();
    let (document, operations) = operations(&app).await;
    let ids = known_ids(&app).await;
    let ticket = format!("/api/v1/tickets/{}", ids["ticket_id"].as_str().unwrap());
    let owner = owner_of(&app, &ticket).await;
    let before = owner.get(&ticket).await.expect(200).body;
    let mut strangers = Vec::new();
    for name in ["tom.becker", "ken.ito", "chloe.martin", "zoe.quinn", "grace.park"] {
        if app.person(name).get(&ticket).await.status == 403 {
            strangers.push(app.person(name));
        }
    }
    assert!(
        strangers.len() >= 2,
        "a persona or a designer's role alone opens nothing"
    );
    for operation in operations.iter().filter(|one| one.path.contains("{ticket_id}")) {
        // Administrators' own views are closed to strangers by their role.
        let body = operation
            .body
            .as_ref()
            .map(|content| plausible(&document, &content["schema"], 0).to_string());
        for stranger in &strangers {
            let reply = call(stranger, operation, &operation.path_to(&ids), body.clone()).await;
            let what = format!(
                "{} {}: {} {}",
                operation.method, operation.path, reply.status, reply.text
            );
            match operation.method {
                Method::GET => assert_eq!(reply.status, 403, "{what}"),
                _ => assert!(matches!(reply.status.as_u16(), 400 | 403 | 404), "{what}"),
            }
            let title = before["ticket"]["title"].as_str().unwrap();
            assert!(!reply.text.contains(title), "{what}");
        }
    }
    assert_eq!(owner.get(&ticket).await.expect(200).body, before);
}

/// The requester among the people who raise tickets in the seed.
async fn owner_of(app: &TestApp, ticket: &str) -> TestClient {
    for requester in ["ann.lee", "ben.cole", "zoe.quinn"] {
        let person = app.person(requester);
        if person.get(ticket).await.status == 200 {
            return person;
        }
    }
    panic!("nobody owns {ticket}");
}

#[tokio::test]
async fn no_input_of_any_operation_makes_the_service_fail() {
    let app = TestApp::new().await;
    workflow_ops::services::seed::seed(&app.app, |_| ())
        .await
        .unwrap();
    let (document, operations) = operations(&app).await;
    let client = app.person("admin.root");
    let ids = known_ids(&app).await;
    assert!(ids["ticket_step_id"].is_string(), "{ids:?}");
    let mut attempts = Vec::new();
    for operation in operations {
        let plain = operation.path_to(&ids);
        attempts.extend(
            addresses(&operation, &ids)
                .into_iter()
                .map(|address| (operation.clone(), address, None)),
        );
        let bodies = bodies(&document, &operation);
        attempts.extend(
            bodies
                .into_iter()
                .map(|body| (operation.clone(), plain.clone(), body)),
        );
    }
    let tried = attempts.len();
    let failures: Vec<String> = futures::stream::iter(attempts)
        .map(|(operation, address, body)| {
            let client = client.clone();
            async move {
                let reply = call(&client, &operation, &address, body.clone()).await;
                // Health says 503 when it means it; nothing here does.
                (reply.status.as_u16() >= 500).then(|| {
                    let shown: String = body.unwrap_or_default().chars().take(300).collect();
                    format!(
                        "{} {address} {shown:?}: {} {}",
                        operation.method, reply.status, reply.text
                    )
                })
            }
        })
        .buffer_unordered(8)
        .filter_map(async |failure| failure)
        .collect()
        .await;
    assert!(
        failures.is_empty(),
        "{} of {tried}:\n{}",
        failures.len(),
        failures[..failures.len().min(20)].join("\n")
    );
    assert!(tried > 1_000, "{tried}");
}
