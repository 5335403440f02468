use super::wire::{Weather, Wire};
use super::{Row, after, said};
use crate::support::{Behaviour, ModelServer, Reply, TestApp};
use serde_json::{Value, json};
use std::time::Instant;

async fn draft(app: &TestApp) -> Reply {
    let wish = json!({"prompt_text": "A laptop is ordered, the manager approves, IT hands it over."});
    app.person("dana.wolf")
        .post("/api/v1/genai/workflow-draft", wish)
        .await
}

fn definition() -> Value {
    let field = json!({"field_key": "model", "field_label": "Model", "field_type": "TEXT", "required": true, "order": 0});
    json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field]},
            {"step_id": "ok", "step_name": "Approve", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER",
             "spoc_email": "dana.wolf@example.com"},
            {"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true,
             "notification_template": "TICKET_COMPLETED", "recipients": ["requester"]},
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "ok", "to_step_id": "done", "on_event": "APPROVE"},
        ],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_model_fails_designers_get_a_plain_draft_that_can_be_published() {
    let faults = [
        (400, "down", Weather::Broken, Behaviour::Json(definition())),
        (
            410,
            "failing: every answer 500",
            Weather::Fair,
            Behaviour::Status(500, "server_error", None),
        ),
        (
            420,
            "slow: answers nothing (with `GENAI_TIMEOUT_SECONDS=3`)",
            Weather::Silent,
            Behaviour::Json(definition()),
        ),
        (
            430,
            "lying: answers that are no completion",
            Weather::Fair,
            Behaviour::Malformed,
        ),
        (
            440,
            "lying: text that is no definition",
            Weather::Fair,
            Behaviour::Text("As a language model I have drawn nothing.".to_owned()),
        ),
    ];
    for (order, fault, weather, behaviour) in faults {
        let model = ModelServer::start().await;
        let wire = Wire::to(model.origin.trim_start_matches("http://")).await;
        let base = format!("http://{}/v1", wire.address());
        let mut settings = model.settings();
        settings.retain(|(name, _)| *name != "OPENAI_BASE_URL");
        settings.extend([("OPENAI_BASE_URL", base.as_str()), ("GENAI_TIMEOUT_SECONDS", "3")]);
        let app = TestApp::with(&settings).await;
        app.grant_people_their_rights().await;
        model.otherwise(behaviour);
        wire.turn(weather);
        let begun = Instant::now();
        let plain = draft(&app).await.expect(200);
        let took = after(begun);
        assert_eq!(plain.body["ai_powered"], false, "{fault}");
        assert_eq!(plain.body["validation"]["is_valid"], true, "{fault}");
        wire.turn(Weather::Fair);
        model.otherwise(Behaviour::Json(definition()));
        let drafted = draft(&app).await.expect(200);
        assert_eq!(drafted.body["ai_powered"], true, "{fault}: {}", drafted.text);
        let ann = app
            .person("ann.lee")
            .get("/api/v1/workflows/catalog")
            .await
            .expect(200);
        assert_eq!(ann.status, 200);
        Row {
            order,
            dependency: "Language model",
            fault,
            answer: format!(
                "{} {took}: a plain draft that can be published, marked as not the model's",
                said(&plain)
            ),
            recovery: "the next draft is the model's".to_owned(),
        }
        .keep();
    }
}
