//! A published workflow and short words for what people do with it.

use crate::faults::wire::Wire;
use crate::support::TestApp;
use crate::support::{Reply, TestClient};
use serde_json::{Value, json};

/// The requester.
pub(crate) const ANN: &str = "ann.lee";
/// The requester's manager.
pub(crate) const MARK: &str = "mark.stone";
/// An agent.
pub(crate) const IVAN: &str = "ivan.novak";
/// Another agent.
pub(crate) const JULIA: &str = "julia.rossi";
/// Somebody without a part in anything.
pub(crate) const CHLOE: &str = "chloe.martin";

/// A service with people and one published workflow: form, approval by the manager, task, end.
pub(crate) struct Stage {
    pub(crate) app: TestApp,
    pub(crate) workflow: String,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::of(Self::usual()).await
    }

    /// Form, approval by the manager, task, end.
    pub(crate) fn usual() -> Value {
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

    /// A service with people and this workflow; it starts with the form `ask`, whose field is `what`.
    pub(crate) async fn of(definition: Value) -> Self {
        Self::on(TestApp::with_people().await, definition).await
    }

    /// The usual one on a service whose database is at the other end of a line.
    pub(crate) async fn behind(line: &Wire, settings: &[(&str, &str)]) -> Self {
        let uri = line.uri();
        let mut all = vec![("MONGO_URI", uri.as_str())];
        all.extend(settings);
        let app = TestApp::with(&all).await;
        app.grant_people_their_rights().await;
        Self::on(app, Self::usual()).await
    }

    /// The same on a service that has its people already.
    pub(crate) async fn on(app: TestApp, definition: Value) -> Self {
        let workflow = Self::publish(&app.person("dana.wolf"), &definition).await;
        Self { app, workflow }
    }

    /// Publishes a workflow; returns its id.
    pub(crate) async fn publish(designer: &TestClient, definition: &Value) -> String {
        let created = designer
            .post("/api/v1/workflows", json!({"name": "Request"}))
            .await;
        let workflow = created.body["workflow_id"].as_str().unwrap().to_owned();
        let saved = designer
            .put(
                &format!("/api/v1/workflows/{workflow}/draft"),
                json!({"definition": definition}),
            )
            .await;
        assert_eq!(saved.body["validation"]["is_valid"], true, "{}", saved.text);
        let published = designer
            .post_nothing(&format!("/api/v1/workflows/{workflow}/publish"))
            .await;
        assert_eq!(published.status, 200, "{}", published.text);
        workflow
    }

    pub(crate) fn person(&self, name: &str) -> TestClient {
        self.app.person(name)
    }

    /// Raises a ticket as `who` through the wizard.
    pub(crate) async fn raise(&self, who: &str, title: &str) -> Ticket<'_> {
        self.raise_as(who, self.wizard(title)).await
    }

    /// Raises a ticket as `who` by this wish.
    pub(crate) async fn raise_as(&self, who: &str, wish: Value) -> Ticket<'_> {
        let reply = self.person(who).post("/api/v1/tickets", wish).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        Ticket {
            stage: self,
            id: reply.body["ticket_id"].as_str().unwrap().to_owned(),
            requester: who.to_owned(),
        }
    }

    pub(crate) fn wizard(&self, title: &str) -> Value {
        json!({
            "workflow_id": self.workflow,
            "title": title,
            "initial_form_values": {"what": "A thing"},
            "initial_form_step_ids": ["ask"],
        })
    }
}

/// A ticket under test.
pub(crate) struct Ticket<'a> {
    stage: &'a Stage,
    pub(crate) id: String,
    requester: String,
}

impl Ticket<'_> {
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/v1/tickets/{}{rest}", self.id)
    }

    pub(crate) async fn detail(&self) -> Value {
        let reply = self.stage.person(&self.requester).get(&self.path("")).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }

    pub(crate) async fn step(&self, key: &str) -> Value {
        let detail = self.detail().await;
        let steps = detail["steps"].as_array().unwrap();
        steps.iter().rfind(|step| step["step_id"] == key).unwrap().clone()
    }

    pub(crate) async fn step_path(&self, key: &str, action: &str) -> String {
        let step = self.step(key).await;
        self.path(&format!(
            "/steps/{}/{action}",
            step["ticket_step_id"].as_str().unwrap()
        ))
    }

    /// Sends an action on a step.
    pub(crate) async fn act(&self, who: &str, key: &str, action: &str, body: Value) -> Reply {
        let path = self.step_path(key, action).await;
        self.stage.person(who).post(&path, body).await
    }

    /// Sends an action on a step that must succeed.
    pub(crate) async fn must(&self, who: &str, key: &str, action: &str, body: Value) -> Value {
        let reply = self.act(who, key, action, body).await;
        assert_eq!(reply.status, 200, "{who} {action}: {}", reply.text);
        reply.body
    }

    pub(crate) async fn approve(&self) {
        self.must(MARK, "ok", "approve", json!({})).await;
    }

    pub(crate) async fn assign(&self, agent: &str) {
        self.must(
            MARK,
            "work",
            "assign",
            json!({"agent_email": format!("{agent}@example.com")}),
        )
        .await;
    }
}
