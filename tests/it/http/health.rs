use crate::support::TestApp;
use serde_json::json;

#[tokio::test]
async fn strangers_learn_nothing_but_statuses() {
    let app = TestApp::with_people().await;
    let database = app.database().name();
    let health = app.anonymous().get("/health").await.expect(200);
    assert_eq!(
        health.body,
        json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION"), "mongo": {"status": "healthy", "connection": "ok"}})
    );
    let known = app.person("ann.lee").get("/health").await.expect(200).body;
    assert_eq!(known["environment"], "development");
    assert_eq!(known["mongo"]["database"], database);
    let admin = app
        .person("ann.lee")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(
        admin["email"]["last_send"],
        json!(null),
        "there, though nothing was sent"
    );
    assert!(admin["email"].as_object().unwrap().contains_key("last_send"));
}
