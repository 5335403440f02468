//! A service with people, a published workflow and a model, and short words for what people ask.

use crate::support::{Behaviour, ModelServer, Reply, TestApp, TestClient};
use serde_json::{Value, json};
use std::sync::Arc;

/// The requester.
pub(super) const ANN: &str = "ann.lee";
/// Another requester with the same manager.
pub(super) const BEN: &str = "ben.cole";
/// Their manager.
pub(super) const MARK: &str = "mark.stone";
/// An agent.
pub(super) const IVAN: &str = "ivan.novak";
/// An administrator.
pub(super) const ROOT: &str = "admin.root";

/// A service with a workflow: form, approval by the manager, task, end.
pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) model: ModelServer,
    workflow: String,
}

impl Stage {
    /// With a model.
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With a model and these settings.
    pub(super) async fn with(settings: &[(&str, &str)]) -> Self {
        let model = ModelServer::start().await;
        let mut all = model.settings();
        all.retain(|(name, _)| !settings.iter().any(|(given, _)| given == name));
        all.extend(settings);
        let app = TestApp::with(&all).await;
        Self::on(app, model).await
    }

    /// Without a model.
    pub(super) async fn without_model() -> Self {
        Self::on(TestApp::new().await, ModelServer::start().await).await
    }

    async fn on(app: TestApp, model: ModelServer) -> Self {
        app.grant_people_their_rights().await;
        let field =
            |key: &str| json!({"field_key": key, "field_label": key, "field_type": "TEXT", "order": 0});
        let definition = json!({
            "start_step_id": "ask",
            "steps": [
                {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field("what"), field("priority")]},
                {"step_id": "ok", "step_name": "Approve", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER"},
                {"step_id": "work", "step_name": "Deliver", "step_type": "TASK_STEP", "execution_notes_required": false, "sla": {"due_minutes": 60}},
                {"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true},
            ],
            "transitions": [
                {"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"},
                {"from_step_id": "ok", "to_step_id": "work", "on_event": "APPROVE"},
                {"from_step_id": "work", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
            ],
        });
        let designer = app.person("dana.wolf");
        let words = json!({"name": "Laptop request", "description": "A laptop for work"});
        let created = designer.post("/api/v1/workflows", words).await.expect(201);
        let workflow = created.body["workflow_id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/workflows/{workflow}");
        let draft = json!({"definition": definition});
        designer.put(&format!("{path}/draft"), draft).await.expect(200);
        designer
            .post_nothing(&format!("{path}/publish"))
            .await
            .expect(200);
        Self { app, model, workflow }
    }

    pub(super) fn person(&self, name: &str) -> TestClient {
        self.app.person(name)
    }

    /// Raises a ticket; answers its id.
    pub(super) async fn raise(&self, who: &str, title: &str, values: Value) -> String {
        let body = json!({
            "workflow_id": self.workflow, "title": title, "initial_form_values": values,
            "initial_form_step_ids": ["ask"],
        });
        let reply = self.person(who).post("/api/v1/tickets", body).await.expect(201);
        reply.body["ticket_id"].as_str().unwrap().to_owned()
    }

    /// Acts on a step of a ticket.
    pub(super) async fn act(&self, who: &str, ticket: &str, key: &str, action: &str, body: Value) -> Reply {
        let path = format!("/api/v1/tickets/{ticket}");
        let detail = self.person(ROOT).get(&path).await.expect(200).body;
        let steps = detail["steps"].as_array().unwrap();
        let step = steps.iter().rfind(|step| step["step_id"] == key).unwrap();
        let path = format!(
            "{path}/steps/{}/{action}",
            step["ticket_step_id"].as_str().unwrap()
        );
        self.person(who).post(&path, body).await
    }

    /// Brings a ticket to the agent.
    pub(super) async fn approve_and_assign(&self, ticket: &str) {
        self.act(MARK, ticket, "ok", "approve", json!({}))
            .await
            .expect(200);
        let agent = json!({"agent_email": format!("{IVAN}@example.com")});
        self.act(MARK, ticket, "work", "assign", agent).await.expect(200);
    }

    /// Asks as a requester.
    pub(super) async fn ask(&self, who: &str, message: &str) -> Reply {
        self.ask_as(who, "requester", message).await
    }

    pub(super) async fn ask_as(&self, who: &str, persona: &str, message: &str) -> Reply {
        let body = json!({"message": message, "persona": persona});
        self.person(who).post("/api/v1/ai-chat/chat", body).await
    }

    /// The messages of a conversation.
    pub(super) async fn history(&self, who: &str, persona: &str) -> Vec<Value> {
        let path = format!("/api/v1/ai-chat/history/{persona}");
        let reply = self.person(who).get(&path).await.expect(200);
        assert_eq!(reply.body["persona"], persona);
        reply.body["messages"].as_array().unwrap().clone()
    }

    /// Everything that the model was told so far.
    pub(super) fn told(&self) -> String {
        let requests = self.model.requests();
        let bodies: Vec<_> = requests.iter().map(|request| request.body.to_string()).collect();
        bodies.join("\n")
    }
}

/// Asks for one tool.
pub(super) fn look_up(tool: &str, arguments: Value) -> Behaviour {
    Behaviour::ToolCalls(vec![(tool.to_owned(), arguments)])
}

/// Asks for these tools and then says everything that they answered.
pub(super) fn looks_up_and_tells_all(calls: Vec<(&'static str, Value)>) -> Behaviour {
    Behaviour::By(Arc::new(move |request| {
        let answers = tool_answers(request);
        if answers.is_empty() {
            let calls = calls
                .iter()
                .map(|(tool, arguments)| ((*tool).to_owned(), arguments.clone()));
            return Behaviour::ToolCalls(calls.collect());
        }
        Behaviour::Text(answers.join("\n"))
    }))
}

/// What tools have answered in a request.
pub(super) fn tool_answers(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().unwrap();
    let answers = messages.iter().filter(|message| message["role"] == "tool");
    answers
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

/// The ids of the tickets that an answer cites.
pub(super) fn cited(answer: &Value) -> Vec<&str> {
    let citations = answer["citations"].as_array().unwrap();
    citations
        .iter()
        .map(|cite| cite["ticket_id"].as_str().unwrap())
        .collect()
}
