//! A service with people and a scripted model, and short words for drafting.

use crate::support::{Behaviour, ModelServer, Reply, TestApp, TestClient};
use serde_json::{Value, json};
use workflow_ops::domain::id::WorkflowId;
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::workflow::Definition;
use workflow_ops::engine::definition::validate::{Surroundings, validate};
use workflow_ops::engine::dry_run::{Managers, dry_run};

/// The designer.
pub(super) const DANA: &str = "dana.wolf";
/// A designer by the administrators' role.
pub(super) const KEN: &str = "ken.ito";
/// Somebody without rights.
pub(super) const ANN: &str = "ann.lee";

pub(super) const DRAFT: &str = "/api/v1/genai/generate-workflow";
pub(super) const REFINE: &str = "/api/v1/genai/workflow-draft/refine";

/// A description that is long enough.
pub(super) const LAPTOP: &str = "Employees ask for a laptop, their manager approves, IT delivers it.";

/// A service and its model.
pub(super) struct Stage {
    pub(super) app: TestApp,
    pub(super) server: ModelServer,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same with these settings on top.
    pub(super) async fn with(settings: &[(&str, &str)]) -> Self {
        let server = ModelServer::start().await;
        let app = {
            let mut all = server.settings();
            all.retain(|(name, _)| !settings.iter().any(|(given, _)| given == name));
            all.extend(settings);
            TestApp::with(&all).await
        };
        app.grant_people_their_rights().await;
        Self { app, server }
    }

    pub(super) fn designer(&self) -> TestClient {
        self.app.person(DANA)
    }

    /// Asks for a draft of [`LAPTOP`] as the designer.
    pub(super) async fn draft(&self) -> Reply {
        self.draft_of(LAPTOP).await
    }

    pub(super) async fn draft_of(&self, description: &str) -> Reply {
        let body = json!({"prompt_text": description});
        self.designer().post(DRAFT, body).await
    }

    pub(super) async fn refine(&self, current: &Value, request: &str) -> Reply {
        let body = json!({"current_definition": current, "refinement_prompt": request});
        self.designer().post(REFINE, body).await
    }

    /// What was said to the model as `role`, one text for each request.
    pub(super) fn said_by(&self, role: &str) -> Vec<String> {
        let requests = self.server.requests();
        requests.iter().map(|request| request.said_by(role)).collect()
    }
}

/// A draft that a model made; not the plain one.
#[track_caller]
pub(super) fn made_by_model(reply: Reply) -> Value {
    let reply = reply.expect(200);
    assert_eq!(reply.body["ai_powered"], true, "{}", reply.text);
    assert_publishable(&reply.body);
    reply.body
}

/// The plain draft that stands in for the model's, and why.
#[track_caller]
pub(super) fn plain(reply: Reply) -> String {
    let reply = reply.expect(200);
    assert_eq!(reply.body["ai_powered"], false, "{}", reply.text);
    assert_eq!(
        reply.body["draft_definition"]["start_step_id"], "step_request",
        "{}",
        reply.text
    );
    assert_publishable(&reply.body);
    reply.body["ai_metadata"]["note"].as_str().unwrap().to_owned()
}

/// Checks a draft again by the rules of publishing and by playing it, whatever its answer says of itself.
#[track_caller]
pub(super) fn assert_publishable(body: &Value) {
    assert_eq!(body["validation"]["is_valid"], true, "{body}");
    let draft = body["draft_definition"].as_object().unwrap().clone();
    let definition = Definition(JsonObject::from(draft));
    let around = Surroundings::of(WorkflowId::derived("check"));
    assert_eq!(validate(&definition, &around).errors, [], "{body}");
    let played = dry_run(&definition, &around, Managers::KnownAndUnknown);
    assert_eq!(played.stuck, [], "{body}");
    assert!(played.runs > 0);
}

/// A good answer for [`LAPTOP`].
pub(super) fn answer() -> Value {
    json!({
        "steps": [
            {"step_id": "ask", "step_name": "Laptop request", "step_type": "FORM_STEP", "fields": [
                {"field_key": "model", "field_label": "Model", "field_type": "SELECT", "options": ["Light", "Standard"], "required": true}]},
            {"step_id": "ok", "step_name": "Manager approval", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER"},
            {"step_id": "deliver", "step_name": "Deliver", "step_type": "TASK_STEP", "instructions": "Hand it over."},
            {"step_id": "done", "step_name": "Tell", "step_type": "NOTIFY_STEP", "recipients": ["requester"], "is_terminal": true}],
        "transitions": [
            {"transition_id": "a", "from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM", "condition": null, "priority": 0},
            {"transition_id": "b", "from_step_id": "ok", "to_step_id": "deliver", "on_event": "APPROVE", "condition": null, "priority": 0},
            {"transition_id": "c", "from_step_id": "deliver", "to_step_id": "done", "on_event": "COMPLETE_TASK", "condition": null, "priority": 0}],
        "start_step_id": "ask",
        "assumptions": ["One laptop a request."],
    })
}

/// An answer whose fork has no join, which nothing but the model can repair.
pub(super) fn answer_without_a_join() -> Value {
    let mut answer = answer();
    let branches = json!([{"branch_id": "b", "branch_name": "B", "start_step_id": "deliver"}]);
    let fork =
        json!({"step_id": "split", "step_name": "Split", "step_type": "FORK_STEP", "branches": branches});
    answer["steps"].as_array_mut().unwrap().push(fork);
    answer["transitions"][1]["to_step_id"] = json!("split");
    answer
}

/// A model that always answers this.
pub(super) fn always(answer: &Value) -> Behaviour {
    Behaviour::Json(answer.clone())
}
