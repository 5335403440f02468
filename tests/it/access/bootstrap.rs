use crate::support::Reply;
use crate::support::TestApp;
use crate::support::client_send as send;
use reqwest::Method;
use serde_json::json;

pub(super) const SETTINGS: [(&str, &str); 2] = [
    ("BOOTSTRAP_USERNAME", "setup"),
    ("BOOTSTRAP_PASSWORD", "correct horse battery"),
];

async fn login(app: &TestApp, password: &str) -> Reply {
    let body = json!({"username": "setup", "password": password});
    app.anonymous().post("/api/v1/admin/bootstrap/login", body).await
}

pub(super) async fn setup(app: &TestApp, token: &str, email: &str) -> Reply {
    let body = json!({"email": email, "display_name": "First"});
    let request = app
        .anonymous()
        .request(Method::POST, "/api/v1/admin/bootstrap/setup");
    send(request.header("X-Bootstrap-Token", token).json(&body)).await
}

pub(super) async fn token(app: &TestApp) -> String {
    let reply = login(app, "correct horse battery").await.expect(200);
    assert_eq!(reply.body["expires_in_minutes"], 15);
    reply.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_first_super_admin_is_named_once() {
    let app = TestApp::with(&SETTINGS).await;
    let status = app
        .anonymous()
        .get("/api/v1/admin/setup-status")
        .await
        .expect(200);
    assert_eq!(
        status.body,
        json!({"super_admin_exists": false, "requires_setup": true})
    );
    let refused = login(&app, "wrong password é").await.expect(200);
    assert_eq!(
        (&refused.body["success"], &refused.body["token"]),
        (&json!(false), &json!(null))
    );
    let (first, second) = (token(&app).await, token(&app).await);
    assert_eq!(first.len(), 43);
    setup(&app, &first, "not an address").await.expect(400);
    let done = setup(&app, &first, "ann.lee@example.com").await.expect(200);
    assert_eq!(done.body["admin"]["role"], "SUPER_ADMIN");
    assert_eq!(done.body["admin"]["granted_by"], "SYSTEM_SETUP");
    setup(&app, &second, "ben.cole@example.com").await.expect(401);
    setup(&app, &first, "ben.cole@example.com").await.expect(401);
    let status = app
        .anonymous()
        .get("/api/v1/admin/setup-status")
        .await
        .expect(200);
    assert_eq!(
        status.body,
        json!({"super_admin_exists": true, "requires_setup": false})
    );
    assert_eq!(
        login(&app, "correct horse battery").await.expect(200).body["success"],
        false
    );
    let access = app
        .person("ann.lee")
        .get("/api/v1/admin/access")
        .await
        .expect(200);
    assert_eq!(access.body["is_super_admin"], true);
    let row = app
        .person("ann.lee")
        .get("/api/v1/admin/admins")
        .await
        .expect(200);
    assert_eq!(
        row.body["items"][0]["display_name"], "Ann Lee",
        "filled in at the first sign-in"
    );
    assert!(row.body["items"][0]["aad_id"].is_string());
}

#[tokio::test]
async fn of_several_set_ups_at_once_one_wins() {
    let app = TestApp::with(&SETTINGS).await;
    let tokens = [
        token(&app).await,
        token(&app).await,
        token(&app).await,
        token(&app).await,
    ];
    let setups = tokens.iter().enumerate().map(|(number, token)| {
        let email = format!("person{number}@example.com");
        let app = &app;
        async move { setup(app, token, &email).await.status.as_u16() }
    });
    let statuses = futures::future::join_all(setups).await;
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert!(
        statuses
            .iter()
            .all(|status| matches!(status, 200 | 400 | 401 | 409)),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn a_token_ends_after_fifteen_minutes_or_by_log_out() {
    let app = TestApp::with(&SETTINGS).await;
    let (one, two) = (token(&app).await, token(&app).await);
    let logout = |token: String| {
        let request = app
            .anonymous()
            .request(Method::POST, "/api/v1/admin/bootstrap/logout");
        send(request.header("X-Bootstrap-Token", token))
    };
    logout(one.clone()).await.expect(200);
    logout(one).await.expect(401);
    app.clock.advance(15 * 60_000);
    setup(&app, &two, "ann.lee@example.com").await.expect(401);
}

#[tokio::test]
async fn guessing_is_slowed_down_for_all_processes_together() {
    let app = TestApp::with(&SETTINGS).await;
    let other = app.second_process(&SETTINGS).await;
    for number in 0..5 {
        let process = if number % 2 == 0 { &app } else { &other };
        login(process, "wrong").await.expect(200);
    }
    let refused = login(&other, "correct horse battery").await.expect(429);
    assert!(!refused.header("retry-after").is_empty());
    app.clock.advance(16 * 60_000);
    assert_eq!(
        login(&app, "correct horse battery").await.expect(200).body["success"],
        true
    );
}

#[tokio::test]
async fn a_configured_set_up_key_must_come_with_the_set_up() {
    let mut settings = SETTINGS.to_vec();
    settings.push(("ADMIN_SETUP_KEY", "a further secret"));
    let app = TestApp::with(&settings).await;
    let token = token(&app).await;
    setup(&app, &token, "ann.lee@example.com").await.expect(403);
    for (key, status) in [("not this one", 403), ("a further secret", 200)] {
        let body = json!({"email": "ann.lee@example.com", "display_name": "Ann", "setup_key": key});
        let request = app
            .anonymous()
            .request(Method::POST, "/api/v1/admin/bootstrap/setup");
        send(request.header("X-Bootstrap-Token", &token).json(&body))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn without_credentials_in_the_settings_nobody_gets_in() {
    let app = TestApp::new().await;
    assert_eq!(login(&app, "").await.expect(200).body["success"], false);
    let missing = app
        .anonymous()
        .post("/api/v1/admin/bootstrap/login", json!({"username": "a"}))
        .await
        .expect(400);
    assert_eq!(missing.code(), "VALIDATION_ERROR");
}
