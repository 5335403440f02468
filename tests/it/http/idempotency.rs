use crate::support::{Reply, TestApp, TestClient, client_send as send};
use reqwest::Method;
use serde_json::{Value, json};

const ACCESS: &str = "/api/v1/admin/user-access";

async fn post(client: &TestClient, key: &str, body: &Value) -> Reply {
    let request = client
        .request(Method::POST, ACCESS)
        .header("Idempotency-Key", key)
        .json(body);
    send(request).await
}

fn grant(name: &str) -> Value {
    json!({"email": "zoe.quinn@example.com", "display_name": name, "has_agent_access": true})
}

#[tokio::test]
async fn the_same_key_and_body_replay_the_first_success() {
    let app = TestApp::with_people().await;
    let sven = app.person("sven.berg");
    let first = post(&sven, "key-1", &grant("Zoë")).await.expect(200);
    let again = post(&sven, "key-1", &grant("Zoë")).await.expect(200);
    assert_eq!(first.text, again.text);
    assert_eq!(again.header("idempotent-replayed"), "true");
    let audit = sven
        .get("/api/v1/admin/audit-log?action=UPDATE_USER_ACCESS&target_email=zoe")
        .await
        .expect(200);
    assert_eq!(audit.body["total"], 1, "it was carried out once");
    app.clock.advance(24 * 3_600_000 + 1);
    let later = post(&app.person("sven.berg"), "key-1", &grant("Zoë"))
        .await
        .expect(200);
    assert_eq!(
        later.header("idempotent-replayed"),
        "",
        "a key is honoured for a day"
    );
}

#[tokio::test]
async fn another_body_under_the_key_is_422_and_another_person_s_key_is_their_own() {
    let app = TestApp::with_people().await;
    let sven = app.person("sven.berg");
    post(&sven, "key-1", &grant("Zoë")).await.expect(200);
    assert_eq!(
        post(&sven, "key-1", &grant("Other")).await.expect(422).code(),
        "IDEMPOTENCY_KEY_REUSED"
    );
    let other = post(&app.person("admin.root"), "key-1", &grant("Other"))
        .await
        .expect(200);
    assert_eq!(other.header("idempotent-replayed"), "");
}

#[tokio::test]
async fn refusals_are_not_kept() {
    let app = TestApp::with_people().await;
    let sven = app.person("sven.berg");
    post(&sven, "key-1", &json!({"email": "x"})).await.expect(400);
    post(&sven, "key-1", &grant("Zoë")).await.expect(200);
    for unusable in ["a b", &"x".repeat(256)] {
        post(&sven, unusable, &grant("Zoë")).await.expect(400);
    }
}

#[tokio::test]
async fn requests_side_by_side_under_one_key_are_carried_out_once() {
    let app = TestApp::with_people().await;
    let sven = app.person("sven.berg");
    let body = grant("Zoë");
    let replies = futures::future::join_all((0..8).map(|_| post(&sven, "key-1", &body))).await;
    for reply in &replies {
        assert!(matches!(reply.status.as_u16(), 200 | 409), "{}", reply.text);
    }
    let audit = sven
        .get("/api/v1/admin/audit-log?action=UPDATE_USER_ACCESS&target_email=zoe")
        .await
        .expect(200);
    assert_eq!(audit.body["total"], 1);
}
