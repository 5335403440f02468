//! Every way in which a model fails while it drafts: there is always an answer to work with, or a clear error.

use super::stage::{DANA, DRAFT, LAPTOP, Stage, always, answer, made_by_model, plain};
use crate::support::Behaviour;
use serde_json::json;

#[tokio::test]
async fn answers_that_are_no_definition_are_asked_for_again() {
    let wrong = [
        Behaviour::Text("{\"steps\": [".to_owned()),
        Behaviour::Text("I cannot do that.".to_owned()),
        Behaviour::Json(json!({"mood": "good"})),
        Behaviour::Json(json!({"steps": []})),
        Behaviour::Json(json!({"steps": "four of them"})),
        Behaviour::Truncated(answer().to_string()[..300].to_owned()),
        Behaviour::ToolCalls(vec![("delete_everything".to_owned(), json!({}))]),
    ];
    let stage = Stage::new().await;
    for (number, behaviour) in wrong.into_iter().enumerate() {
        stage.server.then(behaviour).then(always(&answer()));
        let body = made_by_model(stage.draft().await);
        assert_eq!(body["ai_metadata"]["attempts"], 2, "case {number}");
        let repair = stage.said_by("user").pop().unwrap();
        assert!(repair.contains("NOT_JSON"), "case {number}: {repair}");
        assert_eq!(repair.contains("was cut"), number == 5, "case {number}: {repair}");
    }
}

#[tokio::test]
async fn a_model_that_never_answers_with_a_definition_leaves_the_plain_draft() {
    let stage = Stage::new().await;
    stage
        .server
        .otherwise(Behaviour::Text("Ask me something else.".to_owned()));
    let note = plain(stage.draft().await);
    assert!(note.contains("could not be used"), "{note}");
    assert_eq!(stage.server.requests().len(), 3);
}

#[tokio::test]
async fn a_provider_that_is_busy_for_a_moment_is_asked_again() {
    let stage = Stage::new().await;
    stage
        .server
        .then(Behaviour::Status(429, "rate_limit_exceeded", Some(5)))
        .then(Behaviour::Status(500, "server_error", None))
        .then(always(&answer()));
    let body = made_by_model(stage.draft().await);
    assert_eq!(body["ai_metadata"]["attempts"], 1, "retries are no repairs");
    assert_eq!(stage.server.requests().len(), 3);
}

#[tokio::test]
async fn a_provider_that_keeps_failing_leaves_the_plain_draft() {
    let failures = [
        (Behaviour::Status(500, "server_error", None), 4),
        (Behaviour::Status(429, "rate_limit_exceeded", Some(60_000)), 1),
        (Behaviour::Status(401, "invalid_api_key", None), 1),
        (Behaviour::Status(404, "DeploymentNotFound", None), 1),
        (Behaviour::Disconnect, 4),
        (Behaviour::Malformed, 1),
        (Behaviour::Empty, 1),
        (Behaviour::Endless(3 * 1024 * 1024), 1),
    ];
    let stage = Stage::new().await;
    for (number, (behaviour, requests)) in failures.into_iter().enumerate() {
        let asked = stage.server.requests().len();
        stage.server.otherwise(behaviour);
        let reply = stage.draft().await;
        assert!(
            !reply.text.contains("secret words"),
            "case {number}: {}",
            reply.text
        );
        let note = plain(reply);
        assert!(note.contains("gave no answer"), "case {number}: {note}");
        assert_eq!(stage.server.requests().len() - asked, requests, "case {number}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_leaves_the_plain_draft() {
    // A port that was free a moment ago and is closed again.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let stage = Stage::with(&[("OPENAI_BASE_URL", &base)]).await;
    let note = plain(stage.draft().await);
    assert!(note.contains("gave no answer"), "{note}");
}

#[tokio::test]
async fn a_model_that_hangs_is_given_up_at_the_end_of_the_configured_budget() {
    let stage = Stage::with(&[("GENAI_TIMEOUT_SECONDS", "1")]).await;
    stage.server.otherwise(Behaviour::Hang);
    let note = plain(stage.draft().await);
    assert!(note.contains("gave no answer"), "{note}");
    stage.server.wait_for_open(0).await;
    let refused = stage
        .refine(&answer(), "Add a task for the visa")
        .await
        .expect(502);
    assert_eq!(refused.code(), "OPENAI_ERROR");
}

#[tokio::test]
async fn a_repair_that_hangs_does_not_lose_the_draft_that_is_there() {
    let stage = Stage::with(&[("GENAI_TIMEOUT_SECONDS", "2")]).await;
    let mut broken = answer();
    broken["transitions"][2]["to_step_id"] = json!("archive");
    stage.server.then(always(&broken)).otherwise(Behaviour::Hang);
    let body = made_by_model(stage.draft().await);
    assert_eq!(body["ai_metadata"]["attempts"], 1);
    assert_eq!(body["draft_definition"]["steps"][0]["step_id"], "ask");
}

#[tokio::test]
async fn the_configured_budget_cannot_be_longer_than_clients_wait() {
    let settings = |seconds: &str| {
        let pairs = [("GENAI_TIMEOUT_SECONDS", seconds)];
        workflow_ops::config::Settings::from_sources(workflow_ops::config::Sources::of_pairs(&pairs))
    };
    let longest = settings("23").unwrap().genai.timeout;
    assert!(settings("24").is_err());
    let default = settings("").unwrap().genai.timeout;
    assert!(
        default <= longest,
        "what is left of 25 s is for the checks and the database"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_call_of_the_model_back() {
    let stage = Stage::new().await;
    stage.server.otherwise(Behaviour::Hang);
    let designer = stage.app.person(DANA);
    let asking = tokio::spawn(async move { designer.post(DRAFT, json!({"prompt_text": LAPTOP})).await });
    stage.server.wait_for_open(1).await;
    asking.abort();
    stage.server.wait_for_open(0).await;
    assert_eq!(
        stage.server.requests().len(),
        1,
        "nobody asks again for somebody who left"
    );
}

#[tokio::test]
async fn a_text_that_the_content_filter_refuses_is_named_as_such() {
    let stage = Stage::new().await;
    stage.server.otherwise(Behaviour::ContentFilter);
    let refused = stage.draft().await.expect(400);
    assert_eq!(refused.code(), "VALIDATION_ERROR");
    assert!(refused.text.contains("rephrase"), "{}", refused.text);
    assert!(!refused.text.contains("secret words"), "{}", refused.text);
}
