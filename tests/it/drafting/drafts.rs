//! Drafts from descriptions: what is asked, what is answered, what is repaired, and that it can be used.

use super::stage::{
    ANN, DANA, DRAFT, KEN, LAPTOP, REFINE, Stage, always, answer, answer_without_a_join, made_by_model, plain,
};
use crate::support::{Behaviour, TestApp};
use serde_json::{Value, json};

#[tokio::test]
async fn a_draft_says_what_the_studio_reads() {
    let stage = Stage::new().await;
    stage.server.then(always(&answer()));
    let body = made_by_model(stage.draft().await);
    assert_eq!(body["draft_definition"]["steps"].as_array().unwrap().len(), 4);
    assert_eq!(body["draft_definition"]["start_step_id"], "ask");
    assert_eq!(body["validation"]["errors"], json!([]));
    assert_eq!(
        body["ai_metadata"],
        json!({"model": "test-model", "prompt_tokens": 11, "completion_tokens": 22, "attempts": 1})
    );
    assert_eq!(body["assumptions"], json!(["One laptop a request."]));
    // Requesters without a manager are thought of, and that is told.
    assert_eq!(
        body["draft_definition"]["steps"][1]["spoc_email"],
        "dana.wolf@example.com"
    );
    assert_eq!(
        body["repairs"],
        json!(["Manager approval: dana.wolf@example.com stands in when no approver is found."])
    );
}

#[tokio::test]
async fn the_request_asks_for_json_by_schema_and_keeps_words_of_people_in_the_data() {
    let stage = Stage::new().await;
    stage.server.otherwise(always(&answer()));
    let body = json!({
        "prompt_text": LAPTOP,
        "constraints": {"most_steps": 5},
        "examples": [
            {"description": "first example", "definition": {"steps": []}},
            {"description": "second example", "definition": {"steps": []}},
            {"description": "third example", "definition": {"steps": []}}],
    });
    made_by_model(stage.designer().post(DRAFT, body).await);
    let request = &stage.server.requests()[0];
    let format = &request.body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["name"], "workflow_definition");
    assert!(format["json_schema"]["schema"]["properties"]["steps"].is_object());
    assert_eq!(request.body["max_completion_tokens"], 8_000);
    assert_eq!(request.body.get("tools"), None);
    let roles: Vec<&str> = request.body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user"]);
    let data: Value = serde_json::from_str(&request.said_by("user")).unwrap();
    assert_eq!(data["description"], LAPTOP);
    assert_eq!(data["constraints"]["most_steps"], 5);
    assert_eq!(
        data["examples"].as_array().unwrap().len(),
        2,
        "the first two are used"
    );
    let instructions = request.said_by("system");
    assert!(instructions.contains("JSON") && !instructions.contains("laptop"));
}

#[tokio::test]
async fn both_paths_are_the_same_operation() {
    let stage = Stage::new().await;
    stage.server.otherwise(always(&answer()));
    let body = json!({"prompt_text": LAPTOP});
    let one = stage.designer().post(DRAFT, body.clone()).await.expect(200);
    let other = stage
        .designer()
        .post("/api/v1/genai/workflow-draft", body)
        .await
        .expect(200);
    assert_eq!(one.body, other.body);
}

#[tokio::test]
async fn a_server_without_structured_output_is_asked_for_plain_json() {
    let stage = Stage::new().await;
    stage
        .server
        .then(Behaviour::UnknownParameter("response_format"))
        .otherwise(always(&answer()));
    made_by_model(stage.draft().await);
    made_by_model(stage.draft().await);
    let formats: Vec<Value> = stage
        .server
        .requests()
        .iter()
        .map(|request| request.body["response_format"]["type"].clone())
        .collect();
    assert_eq!(
        formats,
        ["json_schema", "json_object", "json_object"],
        "what was learned is remembered"
    );
}

#[tokio::test]
async fn azure_is_asked_in_its_own_way() {
    let server = crate::support::ModelServer::start().await;
    server.otherwise(always(&answer()));
    let app = TestApp::with(&[
        ("AZURE_OPENAI_ENDPOINT", &server.origin),
        ("AZURE_OPENAI_API_KEY", "azure-key"),
        ("AZURE_OPENAI_DEPLOYMENT", "drafts"),
        ("AZURE_OPENAI_API_VERSION", "2024-10-21"),
    ])
    .await;
    app.grant_people_their_rights().await;
    let reply = app.person(DANA).post(DRAFT, json!({"prompt_text": LAPTOP})).await;
    assert_eq!(made_by_model(reply)["ai_metadata"]["model"], "drafts");
    let request = &server.requests()[0];
    assert_eq!(request.path, "/openai/deployments/drafts/chat/completions");
    assert_eq!(request.query, "api-version=2024-10-21");
    assert_eq!(request.headers["api-key"], "azure-key");
}

#[tokio::test]
async fn the_model_repairs_by_findings_that_name_places_in_what_it_is_shown() {
    let stage = Stage::new().await;
    stage
        .server
        .then(always(&answer_without_a_join()))
        .then(always(&answer()));
    let body = made_by_model(stage.draft().await);
    assert_eq!(body["ai_metadata"]["attempts"], 2);
    assert_eq!(body["ai_metadata"]["prompt_tokens"], 22, "all attempts count");
    let repair = &stage.server.requests()[1].body["messages"];
    let shown: Value = serde_json::from_str(repair[2]["content"].as_str().unwrap()).unwrap();
    assert_eq!(repair[2]["role"], "assistant");
    assert_eq!(shown["steps"][4]["step_id"], "split");
    let findings: Value = serde_json::from_str(repair[3]["content"].as_str().unwrap()).unwrap();
    assert_eq!(findings["errors"][0]["type"], "FORK_NO_JOIN");
    assert_eq!(findings["errors"][0]["path"], "steps");
}

#[tokio::test]
async fn the_model_is_asked_for_repairs_twice_and_no_more() {
    let stage = Stage::new().await;
    stage.server.otherwise(always(&answer_without_a_join()));
    let note = plain(stage.draft().await);
    assert!(note.contains("could not be used"), "{note}");
    let requests = stage.server.requests();
    assert_eq!(requests.len(), 3);
    // Each repair has the question, the last answer and what is wrong with it: it does not grow.
    let lengths: Vec<usize> = requests
        .iter()
        .map(|request| request.body["messages"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [2, 4, 4]);
}

#[tokio::test]
async fn what_one_rule_can_mend_needs_no_model_once_its_repairs_have_failed() {
    let stage = Stage::new().await;
    let mut broken = answer();
    broken["transitions"][2]["to_step_id"] = json!("archive");
    stage.server.otherwise(always(&broken));
    let body = made_by_model(stage.draft().await);
    assert_eq!(body["ai_metadata"]["attempts"], 3);
    let repairs = body["repairs"].to_string();
    assert!(repairs.contains("led nowhere"), "{repairs}");
    assert!(repairs.contains("ends after deliver"), "{repairs}");
}

#[tokio::test]
async fn without_a_model_the_plain_draft_is_published_and_takes_tickets() {
    let app = TestApp::with_people().await;
    let designer = app.person(DANA);
    let reply = designer.post(DRAFT, json!({"prompt_text": LAPTOP})).await;
    let draft = reply.body["draft_definition"].clone();
    let note = plain(reply);
    assert!(note.contains("No language model is configured"), "{note}");
    let workflow = published(&app, &draft).await;
    let values = json!({"title": "Laptop", "description": "A light one", "priority": "High"});
    let ticket = json!({"workflow_id": workflow, "title": "Laptop", "initial_form_values": values,
                        "initial_form_step_ids": ["step_request"]});
    let raised = app.person(ANN).post("/api/v1/tickets", ticket).await.expect(201);
    let path = format!("/api/v1/tickets/{}", raised.body["ticket_id"].as_str().unwrap());
    let detail = app.person(ANN).get(&path).await.expect(200);
    assert_eq!(detail.body["ticket"]["status"], "IN_PROGRESS", "{}", detail.text);
    assert_eq!(
        detail.body["ticket"]["current_step_id"], "step_approval",
        "{}",
        detail.text
    );
}

/// Creates a workflow with this definition and publishes it.
pub(super) async fn published(app: &TestApp, definition: &Value) -> String {
    let designer = app.person(DANA);
    let name = format!("Draft {}", workflow_ops::domain::id::random_key());
    let created = designer
        .post("/api/v1/workflows", json!({"name": name}))
        .await
        .expect(201);
    let workflow = created.body["workflow_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/workflows/{workflow}");
    let saved = designer
        .put(&format!("{path}/draft"), json!({"definition": definition}))
        .await
        .expect(200);
    assert_eq!(saved.body["validation"]["is_valid"], true, "{}", saved.text);
    let stored = designer.get(&path).await.expect(200);
    assert_eq!(
        &stored.body["definition"], definition,
        "a draft is stored as it was shown"
    );
    designer
        .post_nothing(&format!("{path}/publish"))
        .await
        .expect(200);
    workflow
}

#[tokio::test]
async fn suggestions_and_advice_need_no_model() {
    let stage = Stage::new().await;
    let designer = stage.designer();
    let body = json!({"context": {"any": 1}, "current_steps": [{"step_type": "FORM_STEP"}, {"step_type": "FORK_STEP"}]});
    let suggested = designer
        .post("/api/v1/genai/suggest-steps", body)
        .await
        .expect(200);
    let types: Vec<&str> = suggested.body["suggestions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "APPROVAL_STEP",
            "TASK_STEP",
            "JOIN_STEP",
            "SUB_WORKFLOW_STEP",
            "NOTIFY_STEP"
        ]
    );
    let nothing = designer
        .post("/api/v1/genai/suggest-steps", json!({}))
        .await
        .expect(200);
    assert_eq!(nothing.body["suggestions"].as_array().unwrap().len(), 6);
    let advise = async |description: Value| {
        let body = json!({"description": description});
        designer
            .post("/api/v1/genai/validate-description", body)
            .await
            .expect(200)
            .body
    };
    let short = advise(json!("too short")).await;
    assert_eq!(short["is_valid"], false);
    assert_eq!(short["suggestions"].as_array().unwrap().len(), 4);
    let long = advise(json!("x".repeat(5_001))).await;
    assert_eq!(long["suggestions"].as_array().unwrap().len(), 2);
    assert_eq!(advise(json!(LAPTOP)).await["is_valid"], true);
    assert_eq!(advise(Value::Null).await["is_valid"], false);
    assert!(stage.server.requests().is_empty());
}

#[tokio::test]
async fn only_designers_draft() {
    let stage = Stage::new().await;
    stage.server.otherwise(always(&answer()));
    let calls = [
        (DRAFT, json!({"prompt_text": LAPTOP})),
        ("/api/v1/genai/workflow-draft", json!({"prompt_text": LAPTOP})),
        (
            REFINE,
            json!({"current_definition": answer(), "refinement_prompt": "Add a step"}),
        ),
        ("/api/v1/genai/suggest-steps", json!({"current_steps": []})),
        (
            "/api/v1/genai/validate-description",
            json!({"description": LAPTOP}),
        ),
    ];
    for (path, body) in calls {
        for who in [ANN, "mark.stone", "ivan.novak"] {
            let refused = stage.app.person(who).post(path, body.clone()).await.expect(403);
            assert_eq!(refused.code(), "PERMISSION_DENIED", "{path}");
        }
        stage.app.anonymous().post(path, body.clone()).await.expect(401);
        assert!(stage.server.requests().is_empty(), "{path} asks nothing for them");
    }
    for who in [DANA, KEN, "admin.root"] {
        let reply = stage
            .app
            .person(who)
            .post(DRAFT, json!({"prompt_text": LAPTOP}))
            .await;
        made_by_model(reply);
    }
}

#[tokio::test]
async fn a_wish_that_is_out_of_bounds_is_refused_before_the_model_is_asked() {
    let stage = Stage::new().await;
    let big = "x".repeat(200_000);
    let drafts = [
        (json!({"prompt_text": "too short"}), "prompt_text"),
        (json!({"prompt_text": "é".repeat(5_001)}), "prompt_text"),
        (json!({}), "prompt_text"),
        (json!({"prompt_text": LAPTOP, "constraints": [1]}), "constraints"),
        (
            json!({"prompt_text": LAPTOP, "constraints": {"a": big}}),
            "constraints",
        ),
        (
            json!({"prompt_text": LAPTOP, "examples": [{"description": "d", "definition": {"a": big}}]}),
            "examples",
        ),
    ];
    for (body, field) in drafts {
        let refused = stage.designer().post(DRAFT, body).await.expect(400);
        assert_eq!(refused.code(), "VALIDATION_ERROR");
        assert!(refused.text.contains(field), "{}", refused.text);
    }
    let refinements = [
        (
            json!({"current_definition": {}, "refinement_prompt": "four"}),
            "refinement_prompt",
        ),
        (
            json!({"current_definition": [], "refinement_prompt": "Add a step"}),
            "current_definition",
        ),
        (
            json!({"current_definition": {"steps": [big]}, "refinement_prompt": "Add a step"}),
            "current_definition",
        ),
    ];
    for (body, field) in refinements {
        let refused = stage.designer().post(REFINE, body).await.expect(400);
        assert!(refused.text.contains(field), "{}", refused.text);
    }
    assert!(stage.server.requests().is_empty());
}
