//! Every operation of the document x every kind of caller x own, foreign and unknown objects, as one table that a person
//! can read. The table is made from the document, so that a new operation is in it by itself.

use super::operations::{Operation, call, operations};
use crate::support::{Reply, TestApp, TestClient};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Who calls: a name in the table, and the person of `config/people.json`, if any.
const CALLERS: [(&str, Option<&str>); 7] = [
    ("anonymous", None),
    ("outsider", Some("zoe.quinn")),
    ("designer", Some("dana.wolf")),
    ("admin", Some("admin.root")),
    ("agent", Some("ivan.novak")),
    ("manager", Some("mark.stone")),
    ("requester", Some("ann.lee")),
];

/// What stands in every text of foreign objects, and must not stand in an answer to anybody else.
const MARK: &str = "zebra-7f3a";

/// Whose objects a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// Requester, manager, agent and designer of the table have their part in it.
    Own,
    /// Others have.
    Foreign,
    /// Nobody has: there is no such thing.
    Unknown,
    /// A ticket of the caller, with a step or handover of a foreign one.
    Mixed,
}

/// In which state a ticket has to be for an operation to have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scene {
    Form,
    Approval,
    Unassigned,
    Task,
    Question,
    OnHold,
    Handover,
    Change,
}

/// The people around a ticket.
struct Cast {
    requester: &'static str,
    manager: &'static str,
    agent: &'static str,
    designer: &'static str,
    word: &'static str,
}

const OWN: Cast = Cast {
    requester: "ann.lee",
    manager: "mark.stone",
    agent: "ivan.novak",
    designer: "dana.wolf",
    word: "common",
};
const FOREIGN: Cast = Cast {
    requester: "chloe.martin",
    manager: "maria.lopez",
    agent: "julia.rossi",
    designer: "ken.ito",
    word: MARK,
};

/// Ids by the name of their path parameter.
type Ids = Map<String, Value>;

/// The service with its objects, made when they are asked for.
struct World {
    app: TestApp,
    flow: String,
    made: BTreeMap<(Whose, String), Ids>,
    count: usize,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::with_people().await;
        let mut world = Self {
            app,
            flow: String::new(),
            made: BTreeMap::new(),
            count: 0,
        };
        world.flow = world.workflow(&OWN, true).await;
        world
    }

    /// Ids for the path of `operation`.
    async fn ids(&mut self, operation: &Operation, whose: Whose) -> Ids {
        match whose {
            Whose::Unknown => unknown_ids(),
            Whose::Mixed => {
                let mut ids = Box::pin(self.ids(operation, Whose::Own)).await;
                let foreign = Box::pin(self.ids(operation, Whose::Foreign)).await;
                for name in ["ticket_step_id", "handover_request_id"] {
                    if let Some(id) = foreign.get(name) {
                        ids.insert(name.to_owned(), id.clone());
                    }
                }
                ids
            }
            Whose::Own | Whose::Foreign => {
                let kind = kind_of(operation);
                let key = (whose, kind.clone());
                if !self.made.contains_key(&key) {
                    let cast = if whose == Whose::Own { &OWN } else { &FOREIGN };
                    let ids = self.make(&kind, cast).await;
                    self.made.insert(key.clone(), ids);
                }
                self.made[&key].clone()
            }
        }
    }

    /// Makes new objects the next time, because these were changed.
    fn forget(&mut self, operation: &Operation) {
        let kind = kind_of(operation);
        self.made.retain(|(_, made), _| *made != kind);
    }

    async fn make(&mut self, kind: &str, cast: &Cast) -> Ids {
        self.count += 1;
        match kind {
            "workflow" => self.workflow_ids(cast).await,
            "bell" => self.bell(cast).await,
            "mail" => self.mail(cast).await,
            "file" => self.file(cast).await,
            "wording" => self.wording().await,
            "person" => ids_of(&[("email", "tom.becker@example.com")]),
            "persona" => ids_of(&[("persona", "manager")]),
            scene => self.ticket(scene_of(scene), cast).await,
        }
    }

    fn person(&self, name: &str) -> TestClient {
        self.app.person(name)
    }

    async fn workflow(&mut self, cast: &Cast, is_published: bool) -> String {
        self.count += 1;
        let designer = self.person(cast.designer);
        let name = format!("{} {}", cast.word, self.count);
        let created = designer.post("/api/v1/workflows", json!({"name": name})).await;
        let id = text(&created.expect(201).body["workflow_id"]);
        let path = format!("/api/v1/workflows/{id}");
        designer
            .put(&format!("{path}/draft"), json!({"definition": definition()}))
            .await
            .expect(200);
        if is_published {
            designer
                .post_nothing(&format!("{path}/publish"))
                .await
                .expect(200);
        }
        id
    }

    async fn workflow_ids(&mut self, cast: &Cast) -> Ids {
        let workflow = self.workflow(cast, true).await;
        let designer = self.person(cast.designer);
        let tables = format!("/api/v1/lookups/{workflow}");
        let body = json!({"name": cast.word, "source_step_id": "ask", "source_field_key": "what"});
        let table = text(&designer.post(&tables, body).await.expect(201).body["lookup_id"]);
        let user = json!({"email": "ivan.novak@example.com", "display_name": cast.word, "is_primary": true});
        let entries = json!({"entries": [{"key": "1", "users": [user]}]});
        let stored = designer
            .put(&format!("{tables}/{table}/entries"), entries)
            .await
            .expect(200);
        let entry = text(&stored.body["entries"][0]["entry_id"]);
        ids_of(&[
            ("workflow_id", &workflow),
            ("lookup_id", &table),
            ("entry_id", &entry),
            ("version_number", "1"),
            ("step_id", "ask"),
        ])
    }

    async fn ticket(&mut self, scene: Scene, cast: &Cast) -> Ids {
        let requester = self.person(cast.requester);
        let mut wish = json!({"workflow_id": self.flow, "title": format!("{} {}", cast.word, self.count)});
        if scene != Scene::Form {
            wish["initial_form_values"] = json!({"what": cast.word});
            wish["initial_form_step_ids"] = json!(["ask"]);
        }
        let ticket = text(&requester.post("/api/v1/tickets", wish).await.expect(201).body["ticket_id"]);
        let root = format!("/api/v1/tickets/{ticket}");
        let mut ids = ids_of(&[("ticket_id", &ticket)]);
        let key = match scene {
            Scene::Form => "ask",
            Scene::Approval => "ok",
            Scene::Unassigned
            | Scene::Task
            | Scene::Question
            | Scene::OnHold
            | Scene::Handover
            | Scene::Change => "work",
        };
        if key == "work" {
            let approve = act(&requester, &root, "ok", "approve").await;
            self.person(cast.manager)
                .post(&approve, json!({}))
                .await
                .expect(200);
        }
        if key == "work" && scene != Scene::Unassigned {
            let assign = act(&requester, &root, "work", "assign").await;
            let agent = json!({"agent_email": address(cast.agent)});
            self.person(cast.manager).post(&assign, agent).await.expect(200);
        }
        let agent = self.person(cast.agent);
        let step = act(&requester, &root, key, "").await;
        match scene {
            Scene::Form | Scene::Approval | Scene::Unassigned | Scene::Task => {}
            Scene::Question => {
                let question =
                    json!({"question_text": cast.word, "requested_from_email": address(cast.requester)});
                agent
                    .post(&format!("{step}request-info"), question)
                    .await
                    .expect(200);
            }
            Scene::OnHold => {
                let hold = json!({"reason": cast.word});
                agent.post(&format!("{step}hold"), hold).await.expect(200);
            }
            Scene::Handover => {
                let wish = json!({"reason": cast.word});
                agent
                    .post(&format!("{step}request-handover"), wish)
                    .await
                    .expect(200);
                let open = agent
                    .get("/api/v1/tickets/agent/pending-handovers")
                    .await
                    .expect(200)
                    .body;
                let all = open["items"].as_array().expect("a list");
                let opened = all.iter().find(|one| one.to_string().contains(&ticket));
                let handover = opened.and_then(|one| find(one, "handover_request_id"));
                ids.insert(
                    "handover_request_id".to_owned(),
                    handover.expect("a handover is open"),
                );
            }
            Scene::Change => {
                let change = json!({"ticket_id": ticket, "proposed_form_values": {"what": format!("{} new", cast.word)}, "reason": cast.word});
                let made = requester
                    .post("/api/v1/change-requests", change)
                    .await
                    .expect(200);
                let id = find(&made.body, "change_request_id").expect("a change request is open");
                ids.insert("change_request_id".to_owned(), id);
            }
        }
        ids.insert(
            "ticket_step_id".to_owned(),
            json!(step.trim_end_matches('/').rsplit('/').next()),
        );
        ids
    }

    /// A bell entry of somebody: the manager's, whom every new ticket asks.
    async fn bell(&mut self, cast: &Cast) -> Ids {
        self.ticket(Scene::Approval, cast).await;
        let manager = self.person(cast.manager);
        let items = manager.get("/api/v1/notifications").await.expect(200).body;
        let id = find(&items, "notification_id").expect("the manager is told");
        ids_of(&[("notification_id", id.as_str().unwrap_or_default())])
    }

    /// A row of the outbox; only administrators see them, whoever they are for.
    async fn mail(&mut self, cast: &Cast) -> Ids {
        let mut ids = self.ticket(Scene::Approval, cast).await;
        let path = format!(
            "/api/v1/admin/notifications/ticket/{}",
            ids["ticket_id"].as_str().unwrap()
        );
        let root = self.person("admin.root");
        let find_row = async || find(&root.get(&path).await.expect(200).body, "notification_id");
        crate::support::eventually("the relay brings the mail", async || find_row().await.is_some()).await;
        let id = find_row().await.expect("it stays");
        ids.insert("notification_id".to_owned(), id);
        ids
    }

    async fn file(&mut self, cast: &Cast) -> Ids {
        let mut ids = self.ticket(Scene::Task, cast).await;
        let query = format!("?ticket_id={}", ids["ticket_id"].as_str().unwrap());
        let requester = self.person(cast.requester);
        let sent = upload(
            &requester,
            &format!("/api/v1/attachments/upload{query}"),
            "file",
            cast.word,
        )
        .await;
        let id = find(&sent.expect(200).body, "attachment_id").expect("the file is stored");
        ids.insert("attachment_id".to_owned(), id);
        ids
    }

    async fn wording(&mut self) -> Ids {
        let root = self.person("admin.root");
        let body = json!({"template_key": "TICKET_CREATED", "custom_subject": "Hello"});
        let stored = root
            .put("/api/v1/admin/email-templates", body)
            .await
            .expect(200)
            .body;
        let id = find(&stored, "template_id").expect("the wording has an id");
        ids_of(&[("template_id", id.as_str().unwrap_or_default())])
    }
}

fn definition() -> Value {
    let field = json!({"field_key": "what", "field_label": "What", "field_type": "TEXT", "required": true, "order": 0});
    json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field]},
            {"step_id": "ok", "step_name": "Approve", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER"},
            {"step_id": "work", "step_name": "Work", "step_type": "TASK_STEP", "execution_notes_required": false, "sla": {"due_minutes": 60}},
            {"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true},
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "ok", "to_step_id": "work", "on_event": "APPROVE"},
            {"from_step_id": "work", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
        ],
    })
}

/// Which objects an operation's path names.
fn kind_of(operation: &Operation) -> String {
    let path = operation.path.as_str();
    let scene = match path.rsplit('/').next().unwrap_or_default() {
        "submit-form" => Scene::Form,
        "approve" | "reject" | "skip" | "reassign-approval" if path.contains("/steps/") => Scene::Approval,
        "assign" => Scene::Unassigned,
        "respond-info" => Scene::Question,
        "resume" => Scene::OnHold,
        "decide-handover" | "{handover_request_id}" => Scene::Handover,
        _ if path.contains("{change_request_id}") => Scene::Change,
        _ => Scene::Task,
    };
    let kind = match () {
        () if path.contains("/admin/notifications/") => "mail",
        () if path.contains("{notification_id}") => "bell",
        () if path.contains("{attachment_id}") => "file",
        () if path.contains("{template_id}") => "wording",
        () if path.contains("{email}") => "person",
        () if path.contains("{persona}") => "persona",
        () if path.contains("{workflow_id}") => "workflow",
        () => return format!("{scene:?}"),
    };
    kind.to_owned()
}

fn scene_of(name: &str) -> Scene {
    let all = [
        Scene::Form,
        Scene::Approval,
        Scene::Unassigned,
        Scene::Task,
        Scene::Question,
        Scene::OnHold,
        Scene::Handover,
        Scene::Change,
    ];
    all.into_iter()
        .find(|scene| format!("{scene:?}") == name)
        .expect("a scene of this name")
}

fn ids_of(pairs: &[(&str, &str)]) -> Ids {
    pairs
        .iter()
        .map(|(name, id)| ((*name).to_owned(), json!(id)))
        .collect()
}

fn unknown_ids() -> Ids {
    ids_of(&[
        ("ticket_id", "TKT-000000000000"),
        ("ticket_step_id", "STEP-000000000000"),
        ("handover_request_id", "HND-000000000000"),
        ("change_request_id", "CR-000000000000"),
        ("notification_id", "NTF-000000000000"),
        ("attachment_id", "ATT-000000000000"),
        ("template_id", "ETM-000000000000"),
        ("email", "nobody@example.com"),
        ("workflow_id", "WF-000000000000"),
        ("lookup_id", "LKP-000000000000"),
        ("entry_id", "LKPE-000000000000"),
        ("version_number", "77"),
        ("step_id", "nowhere"),
    ])
}

/// The path of an action on the newest step with this key, as the requester sees it.
async fn act(requester: &TestClient, root: &str, key: &str, action: &str) -> String {
    let detail = requester.get(root).await.expect(200).body;
    let steps = detail["steps"].as_array().expect("a ticket has steps");
    let step = steps.iter().rfind(|step| step["step_id"] == key);
    let id = text(&step.expect("the step was entered")["ticket_step_id"]);
    format!("{root}/steps/{id}/{action}")
}

fn text(value: &Value) -> String {
    value.as_str().expect("an id").to_owned()
}

fn address(name: &str) -> String {
    format!("{name}@example.com")
}

/// The first value under this name, wherever it stands.
fn find(value: &Value, name: &str) -> Option<Value> {
    match value {
        Value::Object(map) => map
            .get(name)
            .filter(|found| found.is_string())
            .cloned()
            .or_else(|| map.values().find_map(|inner| find(inner, name))),
        Value::Array(list) => list.iter().find_map(|inner| find(inner, name)),
        _ => None,
    }
}

async fn upload(client: &TestClient, path: &str, part: &str, words: &str) -> Reply {
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{words}.txt\"\r\n\
         Content-Type: text/plain\r\n\r\n{words}\r\n--edge--\r\n"
    );
    let request = client.request(Method::POST, path);
    crate::support::client_send(
        request
            .header("content-type", "multipart/form-data; boundary=edge")
            .body(body),
    )
    .await
}

/// A body with which the operation has its effect for whoever may call it.
fn body_of(operation: &Operation, ids: &Ids) -> Option<Value> {
    let path = operation.path.trim_start_matches("/api/v1");
    let person = json!({"email": "tom.becker@example.com", "display_name": "Tom Becker"});
    let body = match (operation.method.as_str(), path) {
        ("POST", "/admin/bootstrap/login") => json!({"username": "x", "password": "x"}),
        ("POST", "/admin/bootstrap/setup" | "/admin/designers" | "/admin/admins") => person,
        ("POST", "/admin/user-access") => {
            json!({"email": "tom.becker@example.com", "display_name": "Tom Becker", "has_agent_access": true})
        }
        ("PUT", "/admin/user-access/{email}") => json!({"has_agent_access": true}),
        ("POST", "/admin/notifications/bulk-retry") => json!({"notification_ids": ["NTF-000000000000"]}),
        ("PUT", "/admin/email-templates") => {
            json!({"template_key": "TICKET_CREATED", "custom_subject": "Hello"})
        }
        ("POST", "/admin/email-templates/preview") => json!({"template_key": "TICKET_CREATED"}),
        ("PUT", "/admin/config") => json!({"notification_retry_max": 5}),
        ("PATCH", "/attachments/{attachment_id}") => json!({"description": "seen"}),
        ("POST", "/genai/workflow-draft" | "/genai/generate-workflow") => {
            json!({"prompt_text": "Employees ask for laptops and their manager approves."})
        }
        ("POST", "/genai/workflow-draft/refine") => {
            json!({"current_definition": definition(), "refinement_prompt": "Rename the form."})
        }
        ("POST", "/genai/suggest-steps") => json!({"current_steps": []}),
        ("POST", "/genai/validate-description") => json!({"description": "Employees ask for laptops."}),
        ("POST", "/lookups/{workflow_id}") => json!({"name": "Another table"}),
        ("PATCH", "/lookups/{workflow_id}/{lookup_id}") => json!({"description": "new"}),
        ("PUT", "/lookups/{workflow_id}/{lookup_id}/entries") => json!({"entries": [{"key": "2"}]}),
        ("POST", "/lookups/{workflow_id}/{lookup_id}/entries") => json!({"key": "3"}),
        ("PATCH", "/lookups/{workflow_id}/{lookup_id}/entries/{entry_id}") => json!({"display_label": "One"}),
        ("PUT", "/lookups/{workflow_id}/{lookup_id}/entries/{entry_id}/users") => json!({"users": []}),
        ("POST", "/change-requests") => {
            json!({"ticket_id": ids.get("ticket_id"), "proposed_form_values": {"what": "else"}, "reason": "typo"})
        }
        ("POST", "/change-requests/{change_request_id}/approve") => json!({"action": "approve"}),
        ("POST", "/change-requests/{change_request_id}/reject") => json!({"action": "reject", "notes": "no"}),
        ("POST", "/tickets") => json!({"workflow_id": ids.get("workflow_id"), "title": "A wish"}),
        ("POST", "/workflows") => json!({"name": "One more"}),
        ("PUT", "/workflows/{workflow_id}/draft") => json!({"definition": definition()}),
        ("PATCH", "/workflows/{workflow_id}/metadata") => json!({"category": "IT"}),
        _ => return ticket_body(path, ids),
    };
    Some(body)
}

fn ticket_body(path: &str, ids: &Ids) -> Option<Value> {
    let action = path
        .strip_prefix("/tickets/{ticket_id}/")?
        .trim_start_matches("steps/{ticket_step_id}/");
    let body = match action {
        "cancel" => json!({"reason": "not needed"}),
        "skip" => json!({"comment": "not needed"}),
        "add-requester-note" | "add-note" => json!({"content": "a note"}),
        "submit-form" => json!({"form_values": {"what": "A thing"}}),
        "approve" | "complete" => json!({}),
        "reject" => json!({"comment": "no"}),
        "save-draft" => json!({"draft_values": {}}),
        "assign" | "reassign" => json!({"agent_email": "nina.patel@example.com", "reason": "free"}),
        "reassign-approval" => json!({"new_approver_email": "grace.park@example.com", "reason": "away"}),
        "request-info" => json!({"question_text": "Which?", "requested_from_email": "ann.lee@example.com"}),
        "respond-info" => json!({"response_text": "This."}),
        "hold" | "request-handover" => json!({"reason": "waiting"}),
        "decide-handover" => {
            let handover = ids.get("handover_request_id");
            json!({"handover_request_id": handover, "approved": true, "new_agent_email": "nina.patel@example.com"})
        }
        "acknowledge-sla" => json!({"notes": "seen"}),
        _ => return None,
    };
    Some(body)
}

/// Whose objects are worth asking for: an operation without an object has only one row.
fn rows_of(operation: &Operation) -> Vec<Whose> {
    let path = operation.path.as_str();
    if path == "/api/v1/change-requests" && operation.method == Method::POST {
        return vec![Whose::Own, Whose::Foreign, Whose::Unknown];
    }
    if !path.contains('{') {
        return vec![Whose::Own];
    }
    let mut rows = vec![Whose::Own, Whose::Foreign, Whose::Unknown];
    match kind_of(operation).as_str() {
        // One company's administrators: nothing of theirs is foreign to each other. What one says in a persona is one's own.
        "wording" | "person" | "persona" => rows.retain(|row| *row != Whose::Foreign),
        _ if path.contains("{ticket_step_id}") => rows.push(Whose::Mixed),
        _ => {}
    }
    rows
}

/// The address with the query that the operation needs for a meaningful answer.
fn address_of(operation: &Operation, ids: &Ids) -> String {
    let path = operation.path_to(ids);
    let bare = path.split('?').next().unwrap_or_default();
    match operation.path.trim_start_matches("/api/v1") {
        "/admin/ticket-audit" => format!("{bare}?correlation_id=none"),
        "/directory/users/search" => format!("{bare}?q=nina"),
        _ => path,
    }
}

async fn answer(client: &TestClient, operation: &Operation, ids: &Ids) -> Reply {
    let path = address_of(operation, ids);
    if operation.path.ends_with("/upload") {
        return upload(client, &path, "file", "mine").await;
    }
    if operation.path.ends_with("/upload-multiple") {
        return upload(client, &path, "files", "mine").await;
    }
    let body = body_of(operation, ids).map(|body| body.to_string());
    call(client, operation, &path, body).await
}

/// What holds for every cell, whatever the reviewed table says.
fn check(operation: &Operation, whose: Whose, caller: &str, reply: &Reply) {
    let what = format!(
        "{} {} {whose:?} {caller}: {} {}",
        operation.method, operation.path, reply.status, reply.text
    );
    assert!(
        reply.status.as_u16() < 500 || operation.path == "/health/ready",
        "{what}"
    );
    if caller == "anonymous" && !operation.is_public {
        assert_eq!(reply.status, 401, "{what}");
    }
    let is_shared =
        matches!(kind_of(operation).as_str(), "workflow" | "mail") || !operation.path.contains('{');
    if whose == Whose::Foreign && !reply.status.is_success() {
        assert!(!reply.text.contains(MARK), "{what}");
    }
    if whose == Whose::Foreign && !is_shared && caller != "admin" {
        assert!(matches!(reply.status.as_u16(), 400 | 401 | 403 | 404), "{what}");
    }
    if matches!(whose, Whose::Unknown | Whose::Mixed) && operation.method != Method::GET {
        assert!(
            !reply.status.is_success() || kind_of(operation) == "person",
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_answered_what_on_whose_objects() {
    let mut world = World::new().await;
    let (_, operations) = operations(&world.app).await;
    let mut table = String::from("own, foreign, unknown, mixed: whose objects the path names\n\n");
    let names: Vec<&str> = CALLERS.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(table, "{:<92} {}", "", names.join(" "));
    for operation in operations {
        for whose in rows_of(&operation) {
            let label = format!(
                "{} {}",
                operation.method,
                operation.path.trim_start_matches("/api/v1")
            );
            let row = if operation.path.contains('{') || rows_of(&operation).len() > 1 {
                format!("{whose:?}").to_lowercase()
            } else {
                String::new()
            };
            let mut line = format!("{label:<83} {row:<8}");
            for (caller, person) in CALLERS {
                let client = person.map_or_else(|| world.app.anonymous(), |name| world.person(name));
                let mut ids = world.ids(&operation, whose).await;
                ids.entry("workflow_id").or_insert_with(|| json!(world.flow));
                let reply = answer(&client, &operation, &ids).await;
                check(&operation, whose, caller, &reply);
                let _ = write!(line, " {:<width$}", reply.status.as_u16(), width = caller.len());
                if operation.method != Method::GET && reply.status.is_success() {
                    world.forget(&operation);
                }
            }
            let _ = writeln!(table, "{}", line.trim_end());
        }
    }
    insta::assert_snapshot!("who_is_answered_what", table);
}
