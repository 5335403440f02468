//! Whatever the model does, an answer comes, and nothing that was asked is left without one.

use super::stage::{ANN, Stage, look_up, tool_answers};
use crate::support::{Behaviour, client_send};
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

/// A service whose model has little time.
async fn hasty() -> Stage {
    Stage::with(&[("GENAI_TIMEOUT_SECONDS", "2")]).await
}

#[rstest]
#[case::hangs(Behaviour::Hang)]
#[case::fails(Behaviour::Status(500, "internal", None))]
#[case::is_overloaded(Behaviour::Status(429, "rate_limit", Some(60_000)))]
#[case::does_not_know_us(Behaviour::Status(401, "invalid_api_key", None))]
#[case::goes_away(Behaviour::Disconnect)]
#[case::says_nothing(Behaviour::Empty)]
#[case::says_blanks(Behaviour::Text(" \n ".to_owned()))]
#[case::is_no_model(Behaviour::Malformed)]
#[case::filters(Behaviour::ContentFilter)]
#[case::asks_for_tools_for_ever(look_up("get_my_tickets", json!({})))]
#[case::asks_for_unknown_tools_for_ever(look_up("drop_all", json!({"a": 1})))]
#[tokio::test(flavor = "multi_thread")]
async fn without_a_usable_answer_the_persons_own_data_answer(#[case] behaviour: Behaviour) {
    let stage = hasty().await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    stage.model.otherwise(behaviour);
    let reply = stage
        .ask(ANN, "What is the status of my tickets?")
        .await
        .expect(200);
    let response = reply.body["response"].as_str().unwrap();
    assert_eq!(reply.body["ai_powered"], false, "{response}");
    assert!(
        response.contains(&id) && response.contains("with Mark Stone"),
        "{response}"
    );
    assert!(!response.contains("secret words"), "{response}");
    assert_eq!(
        reply.body["citations"],
        json!([{"ticket_id": id, "title": "Laptop"}])
    );
    assert!(stage.model.requests().len() <= 7, "rounds are bounded");
    let history = stage.history(ANN, "requester").await;
    assert_eq!(history.len(), 2, "a question is kept with its answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_the_requests_reference() {
    let stage = hasty().await;
    stage.model.otherwise(Behaviour::Status(400, "bad", None));
    let request = stage.person(ANN).request(Method::POST, "/api/v1/ai-chat/chat");
    let request = request
        .header("x-correlation-id", "ref-4711")
        .json(&json!({"message": "Hello?", "persona": "requester"}));
    let reply = client_send(request).await.expect(200);
    assert!(
        reply.body["response"].as_str().unwrap().contains("ref-4711"),
        "{}",
        reply.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_passes_is_not_noticed() {
    let stage = Stage::new().await;
    stage.model.then(Behaviour::Status(429, "rate_limit", Some(10)));
    stage.model.then(Behaviour::Status(503, "overloaded", None));
    stage.model.then(Behaviour::Text("Here I am.".to_owned()));
    let reply = stage.ask(ANN, "Hello?").await.expect(200);
    assert_eq!(
        (&reply.body["response"], &reply.body["ai_powered"]),
        (&json!("Here I am."), &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_answer_is_shown_as_one() {
    let stage = Stage::new().await;
    stage.model.then(Behaviour::Truncated("It is a long".to_owned()));
    let reply = stage.ask(ANN, "Tell me all").await.expect(200);
    assert_eq!(reply.body["response"], "It is a long …");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_cut() {
    let stage = Stage::new().await;
    stage.model.then(Behaviour::Text("word ".repeat(20_000)));
    let reply = stage.ask(ANN, "Tell me all").await.expect(200);
    let length = reply.body["response"].as_str().unwrap().chars().count();
    assert!((10_000..13_000).contains(&length), "{length}");
    let history = stage.history(ANN, "requester").await;
    assert!(history[1]["content"].as_str().unwrap().len() <= 16 * 1024);
}

#[rstest]
#[case::unknown_tool("query_any_collection", json!({"collection": "admin_users"}), "there is no such tool")]
#[case::no_name("get my tickets", json!({}), "there is no such tool")]
#[case::no_object("get_ticket_details", json!("TKT-1"), "these arguments are not what the tool takes")]
#[case::missing("get_ticket_details", json!({}), "these arguments are not what the tool takes")]
#[case::operator("get_ticket_details", json!({"ticket_id": {"$ne": ""}}), "these arguments are not what the tool takes")]
#[case::unknown_argument("get_my_tickets", json!({"email": "ben.cole@example.com"}), "these arguments are not what the tool takes")]
#[case::unknown_status("get_my_tickets", json!({"status": "ANY"}), "these arguments are not what the tool takes")]
#[case::no_id("get_ticket_details", json!({"ticket_id": "../admin"}), "there is nothing with this id that the person may see")]
#[case::no_ticket("get_ticket_details", json!({"ticket_id": "TKT-000000000000"}), "there is nothing with this id that the person may see")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_call_is_told_to_the_model_which_then_answers(
    #[case] tool: &str,
    #[case] arguments: serde_json::Value,
    #[case] told: &str,
) {
    let stage = Stage::new().await;
    stage.model.then(look_up(tool, arguments));
    stage
        .model
        .then(Behaviour::Text("I could not look that up.".to_owned()));
    let reply = stage.ask(ANN, "Look").await.expect(200);
    assert_eq!(reply.body["response"], "I could not look that up.");
    assert_eq!(reply.body["citations"], json!([]));
    let request = stage.model.requests().pop().unwrap();
    assert_eq!(tool_answers(&request.body), [json!({"error": told}).to_string()]);
    // Providers refuse what their own protocol does not know, so it is never told again.
    let messages = request.body["messages"].as_array().unwrap();
    let call = &messages
        .iter()
        .rfind(|message| message["tool_calls"].is_array())
        .unwrap()["tool_calls"][0]["function"];
    assert!(!call["name"].as_str().unwrap().is_empty());
    let arguments: serde_json::Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments.is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_in_one_round_are_cut() {
    let stage = Stage::new().await;
    let calls = vec![("get_my_tickets".to_owned(), json!({})); 30];
    stage.model.then(Behaviour::ToolCalls(calls));
    stage.model.then(Behaviour::Text("Enough.".to_owned()));
    stage.ask(ANN, "Look a lot").await.expect(200);
    let request = stage.model.requests().pop().unwrap();
    assert_eq!(tool_answers(&request.body).len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_rate_questions_are_refused_and_views_come_without_the_model() {
    let stage = Stage::with(&[("GENAI_REQUESTS_PER_MINUTE", "1")]).await;
    stage.raise(ANN, "Laptop", json!({})).await;
    stage.ask(ANN, "One").await.expect(200);
    let refused = stage.ask(ANN, "Two").await.expect(429);
    assert_eq!(refused.code(), "RATE_LIMIT_EXCEEDED");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    let briefing = stage
        .person(ANN)
        .get("/api/v1/ai-chat/nova-pulse")
        .await
        .expect(200);
    assert_eq!(briefing.body["ai_powered"], false);
    assert_eq!(
        stage.history(ANN, "requester").await.len(),
        2,
        "what is refused is not kept"
    );
    assert_eq!(stage.model.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_used_up_the_days_tokens_is_answered_without_the_model() {
    let stage = Stage::with(&[("GENAI_TOKENS_PER_DAY", "1")]).await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    let reply = stage.ask(ANN, "Hello?").await.expect(200);
    assert_eq!(reply.body["ai_powered"], false);
    let response = reply.body["response"].as_str().unwrap();
    assert!(
        response.contains("used up for today") && response.contains(&id),
        "{response}"
    );
    let path = format!("/api/v1/ai-chat/explain-ticket/{id}");
    assert_eq!(
        stage.person(ANN).get(&path).await.expect(200).body["ai_powered"],
        false
    );
    assert!(stage.model.requests().is_empty());
}
