//! No call of the model holds anything else up.

use super::stage::{ANN, BEN, IVAN, MARK, Stage};
use crate::support::{Behaviour, TestClient, eventually};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn asks(client: &TestClient, message: String, answered: &Arc<AtomicUsize>) -> tokio::task::JoinHandle<()> {
    let (client, answered) = (client.clone(), Arc::clone(answered));
    tokio::spawn(async move {
        let body = json!({"message": message, "persona": "requester"});
        let reply = client.post("/api/v1/ai-chat/chat", body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        answered.fetch_add(1, Ordering::SeqCst);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn while_fifty_calls_hang_tickets_go_their_way() {
    let stage = Stage::with(&[("GENAI_MAX_CONCURRENT_CALLS", "50")]).await;
    stage.model.otherwise(Behaviour::Hang);
    let answered = Arc::new(AtomicUsize::new(0));
    let people = [ANN, BEN, MARK, IVAN].map(|who| stage.person(who));
    let asking: Vec<_> = (0..50)
        .map(|at| asks(&people[at % people.len()], format!("Question {at}"), &answered))
        .collect();
    stage.model.wait_for_open(50).await;
    let id = stage.raise(ANN, "Laptop", json!({"what": "X1"})).await;
    stage.approve_and_assign(&id).await;
    stage
        .act(IVAN, &id, "work", "complete", json!({}))
        .await
        .expect(200);
    let ticket = stage
        .person(ANN)
        .get(&format!("/api/v1/tickets/{id}"))
        .await
        .expect(200);
    assert_eq!(ticket.body["ticket"]["status"], "COMPLETED");
    assert_eq!(
        (stage.model.open_requests(), answered.load(Ordering::SeqCst)),
        (50, 0),
        "all of that happened while every call still hung"
    );
    asking.iter().for_each(tokio::task::JoinHandle::abort);
    stage.model.wait_for_open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_those_who_wait_for_one_are_bounded_and_the_rest_is_answered_at_once() {
    let stage = Stage::with(&[("GENAI_MAX_CONCURRENT_CALLS", "2")]).await;
    stage.model.otherwise(Behaviour::Hang);
    let answered = Arc::new(AtomicUsize::new(0));
    let ann = stage.person(ANN);
    let asking: Vec<_> = (0..30)
        .map(|at| asks(&ann, format!("Question {at}"), &answered))
        .collect();
    // Two calls and eight that wait for their turn; twenty are answered from Ann's own data.
    eventually("twenty answers without the model", || {
        let answered = answered.load(Ordering::SeqCst);
        async move { answered == 20 }
    })
    .await;
    assert_eq!(stage.model.open_requests(), 2);
    asking.iter().for_each(tokio::task::JoinHandle::abort);
    stage.model.wait_for_open(0).await;
}
