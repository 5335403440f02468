//! The production client against a real server: requests as the protocol wants them, every way an answer can fail.

use crate::support::{Behaviour, ModelServer};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use workflow_ops::clients::language_model::{
    Budget, ChatEvent, ChatMessage, ChatRequest, LanguageModel, ModelError, ReplyFormat, ToolCall, ToolSpec,
};
use workflow_ops::config::{Settings, Sources};

/// Long enough for a loaded machine, short enough to end a test that hangs.
const AMPLE: Duration = Duration::from_secs(20);

fn client_with(pairs: &[(&str, &str)]) -> LanguageModel {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let settings = Settings::from_sources(Sources::of_pairs(pairs)).unwrap().genai;
    LanguageModel::new(&settings, settings.model.as_ref().unwrap()).unwrap()
}

fn client(server: &ModelServer) -> LanguageModel {
    client_with(&server.settings())
}

fn question() -> ChatRequest {
    let system = ChatMessage::System("Answer briefly, as JSON.".to_owned());
    ChatRequest::text(vec![system, ChatMessage::User("How are you?".to_owned())], 100)
}

fn asking_for_json() -> ChatRequest {
    ChatRequest {
        format: ReplyFormat::Json {
            name: "mood",
            schema: json!({"type": "object", "properties": {"mood": {"type": "string"}}}),
        },
        ..question()
    }
}

async fn failure_of(behaviour: Behaviour) -> ModelError {
    let server = ModelServer::start().await;
    server.otherwise(behaviour);
    client(&server)
        .chat(&question(), Budget::start(AMPLE))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_request_has_the_form_of_the_protocol_and_the_key_in_its_header() {
    let server = ModelServer::start().await;
    server.then(Behaviour::Text("Fine.".to_owned()));
    let reply = client(&server)
        .chat(&question(), Budget::start(AMPLE))
        .await
        .unwrap();
    assert_eq!(reply.text, "Fine.");
    assert_eq!((reply.usage.prompt, reply.usage.completion), (11, 22));
    let request = &server.requests()[0];
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.headers["authorization"], "Bearer test-key");
    assert_eq!(request.body["model"], "test-model");
    assert_eq!(request.body["stream"], false);
    assert_eq!(request.body["max_completion_tokens"], 100);
    assert_eq!(
        request.body["messages"],
        json!([
            {"role": "system", "content": "Answer briefly, as JSON."},
            {"role": "user", "content": "How are you?"},
        ])
    );
}

#[tokio::test]
async fn azure_is_asked_by_deployment_version_and_its_own_key_header() {
    let server = ModelServer::start().await;
    let model = client_with(&[
        ("AZURE_OPENAI_ENDPOINT", &server.origin),
        ("AZURE_OPENAI_API_KEY", "azure-key"),
        ("AZURE_OPENAI_DEPLOYMENT", "drafts"),
        ("AZURE_OPENAI_API_VERSION", "2024-10-21"),
    ]);
    model.chat(&question(), Budget::start(AMPLE)).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.path, "/openai/deployments/drafts/chat/completions");
    assert_eq!(request.query, "api-version=2024-10-21");
    assert_eq!(request.headers["api-key"], "azure-key");
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn structured_output_falls_back_to_plain_json_where_a_server_has_none() {
    let server = ModelServer::start().await;
    server
        .then(Behaviour::UnknownParameter("response_format"))
        .then(Behaviour::UnknownParameter("max_completion_tokens"))
        .then(Behaviour::Json(json!({"mood": "good"})))
        .then(Behaviour::Json(json!({"mood": "better"})));
    let model = client(&server);
    for mood in ["good", "better"] {
        let reply = model
            .chat(&asking_for_json(), Budget::start(AMPLE))
            .await
            .unwrap();
        assert_eq!(reply.json_object().unwrap()["mood"], mood);
    }
    let formats: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.body["response_format"]["type"].clone())
        .collect();
    assert_eq!(
        formats,
        ["json_schema", "json_object", "json_object", "json_object"]
    );
    let last = server.requests().pop().unwrap().body;
    assert_eq!(last["max_tokens"], 100, "what was learned is remembered");
}

#[tokio::test]
async fn tools_are_offered_and_their_calls_read_streamed_or_not() {
    let server = ModelServer::start().await;
    let calls = vec![
        ("look_up".to_owned(), json!({"id": "TKT-1"})),
        ("count".to_owned(), json!({})),
    ];
    server.otherwise(Behaviour::ToolCalls(calls));
    let request = ChatRequest {
        tools: vec![ToolSpec {
            name: "look_up".to_owned(),
            description: "Looks a ticket up".to_owned(),
            parameters: json!({"type": "object"}),
        }],
        messages: vec![
            ChatMessage::User("Which?".to_owned()),
            ChatMessage::Assistant {
                text: String::new(),
                tool_calls: vec![ToolCall {
                    id: "c0".to_owned(),
                    name: "look_up".to_owned(),
                    arguments: "{}".to_owned(),
                }],
            },
            ChatMessage::Tool {
                call_id: "c0".to_owned(),
                content: "none".to_owned(),
            },
        ],
        ..question()
    };
    let model = client(&server);
    let whole = model.chat(&request, Budget::start(AMPLE)).await.unwrap();
    let mut stream = model.stream(&request, Budget::start(AMPLE)).await.unwrap();
    let Some(Ok(ChatEvent::Done(streamed))) = stream.next().await else {
        panic!("a stream of calls has one event");
    };
    assert_eq!(whole.tool_calls, streamed.tool_calls);
    assert_eq!(whole.tool_calls[0].name, "look_up");
    assert_eq!(whole.tool_calls[0].arguments, r#"{"id":"TKT-1"}"#);
    let sent = &server.requests()[0].body;
    assert_eq!(sent["tools"][0]["function"]["name"], "look_up");
    assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], "c0");
    assert_eq!(sent["messages"][2]["tool_call_id"], "c0");
}

#[tokio::test]
async fn a_stream_brings_the_text_in_parts_and_then_the_whole() {
    let server = ModelServer::start().await;
    server.then(Behaviour::Text("One, two, three.".to_owned()));
    let mut stream = client(&server)
        .stream(&question(), Budget::start(AMPLE))
        .await
        .unwrap();
    let (mut parts, mut whole) = (Vec::new(), None);
    while let Some(event) = stream.next().await {
        match event.unwrap() {
            ChatEvent::Text(text) => parts.push(text),
            ChatEvent::Done(reply) => whole = Some(reply),
        }
    }
    assert!(parts.len() > 2, "{parts:?}");
    assert_eq!(parts.concat(), "One, two, three.");
    let whole = whole.unwrap();
    assert_eq!(whole.text, "One, two, three.");
    assert_eq!(whole.usage.total(), 33);
}

#[tokio::test]
async fn refusals_and_faults_that_pass_are_tried_again() {
    let server = ModelServer::start().await;
    server
        .then(Behaviour::Status(429, "rate_limit_exceeded", Some(5)))
        .then(Behaviour::Status(503, "overloaded", None))
        .then(Behaviour::Disconnect)
        .then(Behaviour::Text("At last.".to_owned()));
    let reply = client(&server)
        .chat(&question(), Budget::start(AMPLE))
        .await
        .unwrap();
    assert_eq!(reply.text, "At last.");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_pause_longer_than_the_budget_is_not_waited_for() {
    let server = ModelServer::start().await;
    server.otherwise(Behaviour::Status(429, "rate_limit_exceeded", Some(60_000)));
    let error = client(&server)
        .chat(&question(), Budget::start(AMPLE))
        .await
        .unwrap_err();
    let pause = Some(Duration::from_mins(1));
    assert_eq!(error, ModelError::RateLimited { retry_after: pause });
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn every_other_failure_has_its_own_error_without_the_providers_words() {
    let cases = [
        (
            Behaviour::Status(401, "invalid_api_key", None),
            ModelError::Rejected {
                status: 401,
                code: Some("invalid_api_key".to_owned()),
            },
        ),
        (Behaviour::ContentFilter, ModelError::ContentFiltered),
        (
            Behaviour::Malformed,
            ModelError::Malformed("it is not a chat completion"),
        ),
        (Behaviour::Empty, ModelError::Malformed("it is empty")),
        (Behaviour::Endless(3 * 1024 * 1024), ModelError::TooLarge),
    ];
    for (behaviour, wanted) in cases {
        let error = failure_of(behaviour).await;
        assert_eq!(error, wanted);
        assert!(!error.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn a_persistent_fault_ends_after_a_few_tries() {
    let error = failure_of(Behaviour::Status(500, "server_error", None)).await;
    assert_eq!(error, ModelError::Failing { status: 500 });
}

#[tokio::test]
async fn an_answer_that_was_cut_says_so() {
    let server = ModelServer::start().await;
    server.then(Behaviour::Truncated("{\"mood\": \"go".to_owned()));
    let reply = client(&server)
        .chat(&asking_for_json(), Budget::start(AMPLE))
        .await
        .unwrap();
    assert!(reply.is_truncated);
    assert_eq!(reply.json_object(), None);
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_after_the_text_that_came() {
    let server = ModelServer::start().await;
    server.then(Behaviour::Disconnect);
    let mut stream = client(&server)
        .stream(&question(), Budget::start(AMPLE))
        .await
        .unwrap();
    let half = ChatEvent::Text("Half".to_owned());
    assert_eq!(stream.next().await, Some(Ok(half)));
    assert_eq!(stream.next().await, Some(Err(ModelError::Unreachable)));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_hanging_model_is_given_up_at_the_end_of_the_budget() {
    let server = ModelServer::start().await;
    server.otherwise(Behaviour::Hang);
    let budget = Budget::start(Duration::from_millis(300));
    let error = client(&server).chat(&question(), budget).await.unwrap_err();
    assert_eq!(error, ModelError::TimedOut);
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn whoever_goes_away_takes_the_request_to_the_model_back() {
    let server = ModelServer::start().await;
    server.otherwise(Behaviour::Hang);
    let model = client(&server);
    let asking = tokio::spawn(async move { model.chat(&question(), Budget::start(AMPLE)).await });
    server.wait_for_open(1).await;
    asking.abort();
    server.wait_for_open(0).await;
}

#[tokio::test]
async fn calls_beyond_the_bound_wait_and_those_beyond_the_waiting_room_are_refused() {
    let server = ModelServer::start().await;
    server.otherwise(Behaviour::Hang);
    let mut settings = server.settings();
    settings.push(("GENAI_MAX_CONCURRENT_CALLS", "2"));
    let model = Arc::new(client_with(&settings));
    // Two run, eight wait, the rest is refused at once.
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..15 {
        let model = Arc::clone(&model);
        all.spawn(async move { model.chat(&question(), Budget::start(AMPLE)).await });
    }
    for _ in 0..5 {
        let refused = all.join_next().await.unwrap().unwrap();
        assert_eq!(refused, Err(ModelError::Busy));
    }
    server.wait_for_open(2).await;
    assert_eq!(server.requests().len(), 2);
    all.abort_all();
    server.wait_for_open(0).await;
    server.otherwise(Behaviour::Text("free".to_owned()));
    let reply = model.chat(&question(), Budget::start(AMPLE)).await.unwrap();
    assert_eq!(reply.text, "free", "who was given up keeps no turn and no place");
}

#[tokio::test]
async fn the_wait_for_a_turn_is_part_of_the_budget() {
    let server = ModelServer::start().await;
    server.otherwise(Behaviour::Hang);
    let mut settings = server.settings();
    settings.push(("GENAI_MAX_CONCURRENT_CALLS", "1"));
    let model = client_with(&settings);
    let first = model.clone();
    let running = tokio::spawn(async move { first.chat(&question(), Budget::start(AMPLE)).await });
    server.wait_for_open(1).await;
    let error = model
        .chat(&question(), Budget::start(Duration::from_millis(200)))
        .await
        .unwrap_err();
    assert_eq!(error, ModelError::TimedOut);
    running.abort();
}
