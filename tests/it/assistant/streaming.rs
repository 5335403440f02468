//! Answers as server-sent events.

use super::stage::{ANN, Stage, look_up};
use crate::support::{Behaviour, Reply, client_send};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

fn request(stage: &Stage, persona: &str, message: &str) -> RequestBuilder {
    let request = stage.person(ANN).request(Method::POST, "/api/v1/ai-chat/chat");
    request
        .header("accept", "text/event-stream")
        .json(&json!({"message": message, "persona": persona}))
}

/// The events of a stream: names with data.
fn events(reply: &Reply) -> Vec<(String, Value)> {
    assert_eq!(
        reply.header("content-type"),
        "text/event-stream",
        "{}",
        reply.text
    );
    assert_eq!(reply.header("cache-control"), "no-store");
    let blocks = reply.text.split("\n\n").filter(|block| block.contains("event: "));
    blocks
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            (
                field("event: ").to_owned(),
                serde_json::from_str(field("data: ")).unwrap(),
            )
        })
        .collect()
}

/// The text that a reader has in the end.
fn read(events: &[(String, Value)]) -> String {
    let mut text = String::new();
    for (name, data) in events {
        match name.as_str() {
            "delta" => text.push_str(data["text"].as_str().unwrap()),
            "restart" => text.clear(),
            _ => {}
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_comes_as_events_and_ends_with_the_whole() {
    let stage = Stage::new().await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    stage.model.then(look_up("get_my_tickets", json!({})));
    stage.model.then(Behaviour::Text(format!(
        "Your ticket {id} is with Mark, who has yet to decide."
    )));
    let reply = client_send(request(&stage, "requester", "Where is it?"))
        .await
        .expect(200);
    let events = events(&reply);
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        (names[0], names[names.len() - 1]),
        ("lookup", "done"),
        "{names:?}"
    );
    assert!(
        names.iter().filter(|name| **name == "delta").count() > 1,
        "{names:?}"
    );
    assert_eq!(events[0].1, json!({"tool": "get_my_tickets"}));
    let done = &events.last().unwrap().1;
    assert_eq!(done["response"], read(&events));
    assert_eq!(
        (&done["ai_powered"], &done["citations"][0]["ticket_id"]),
        (&json!(true), &json!(id))
    );
    assert_eq!(stage.history(ANN, "requester").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_stream_holds_what_the_whole_must_not() {
    let stage = Stage::new().await;
    let text = "Look ![x](https://evil.example/steal?all) and TKT-eeeeeeeeeeee <img src=x> end.";
    stage.model.then(Behaviour::Text(text.to_owned()));
    let reply = client_send(request(&stage, "requester", "Go")).await.expect(200);
    let events = events(&reply);
    assert_eq!(
        read(&events),
        "Look (link removed) and an unknown ticket < img src=x> end."
    );
    assert!(
        !reply.text.contains("evil") && !reply.text.contains("TKT-e"),
        "{}",
        reply.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_begins_again_from_the_persons_own_data() {
    let stage = Stage::with(&[("GENAI_TIMEOUT_SECONDS", "2")]).await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    for behaviour in [
        Behaviour::Disconnect,
        Behaviour::Hang,
        Behaviour::Status(500, "internal", None),
    ] {
        stage.model.otherwise(behaviour.clone());
        let reply = client_send(request(&stage, "requester", "Where is it?"))
            .await
            .expect(200);
        let events = events(&reply);
        let done = &events.last().unwrap().1;
        assert_eq!(
            (&events.last().unwrap().0, &done["ai_powered"]),
            (&"done".to_owned(), &json!(false))
        );
        assert_eq!(done["response"], read(&events));
        assert!(done["response"].as_str().unwrap().contains(&id), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_the_stream_holds_the_answer_all_the_same() {
    let stage = Stage::without_model().await;
    let reply = client_send(request(&stage, "requester", "Hello?"))
        .await
        .expect(200);
    let events = events(&reply);
    assert_eq!(events.last().unwrap().1["response"], read(&events));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_before_the_first_event_is_an_ordinary_error() {
    let stage = Stage::with(&[("GENAI_REQUESTS_PER_MINUTE", "1")]).await;
    let refused = client_send(request(&stage, "admin", "Hello?")).await.expect(403);
    assert_eq!(refused.code(), "PERMISSION_DENIED");
    client_send(request(&stage, "requester", "One")).await.expect(200);
    let refused = client_send(request(&stage, "requester", "Two")).await.expect(429);
    assert_eq!(refused.code(), "RATE_LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_the_work() {
    let stage = Stage::new().await;
    stage.model.otherwise(Behaviour::Hang);
    for accept in ["text/event-stream", "application/json"] {
        let request = request(&stage, "requester", accept).header("accept", accept);
        let asking = tokio::spawn(async move { request.send().await });
        stage.model.wait_for_open(1).await;
        asking.abort();
        stage.model.wait_for_open(0).await;
    }
    assert!(
        stage.history(ANN, "requester").await.is_empty(),
        "an answer that nobody got is not kept"
    );
}
