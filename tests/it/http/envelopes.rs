use crate::support::TestApp;
use crate::support::client_send as send;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn unknown_routes_and_methods_answer_with_the_envelope() {
    let app = TestApp::new().await;
    let reply = app.anonymous().get("/api/v1/nothing/here").await.expect(404);
    assert_eq!(reply.code(), "NOT_FOUND");
    assert_eq!(reply.body["detail"]["message"], "Not Found");
    let reply = app.anonymous().delete("/health").await.expect(405);
    assert_eq!(reply.code(), "METHOD_NOT_ALLOWED");
    assert!(reply.header("allow").contains("GET"));
}

#[tokio::test]
async fn both_spellings_of_a_path_answer_without_a_redirect() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    for path in [
        "/api/v1/admin/my-access",
        "/api/v1/admin/my-access/",
        "/health/",
        "/dev/people/",
    ] {
        root.get(path).await.expect(200);
    }
    let listed = root.get("/api/v1/admin/admins/?limit=1").await.expect(200);
    assert_eq!(listed.body["limit"], 1);
}

#[tokio::test]
async fn every_answer_carries_the_correlation_id() {
    let app = TestApp::new().await;
    for (path, status) in [
        ("/health", 200),
        ("/api/v1/nothing", 404),
        ("/api/v1/admin/access", 401),
    ] {
        let request = app
            .anonymous()
            .request(Method::GET, path)
            .header("X-Correlation-ID", "1700-abc");
        let reply = send(request).await.expect(status);
        assert_eq!(reply.header("x-correlation-id"), "1700-abc");
    }
    let reply = app.anonymous().get("/health").await;
    assert!(
        reply
            .header("x-correlation-id")
            .starts_with("COR-20260105093000-")
    );
}

#[tokio::test]
async fn errors_are_readable_across_origins() {
    let app = TestApp::with(&[("CORS_ORIGINS", "http://spa.example:3000")]).await;
    for path in ["/api/v1/admin/my-access", "/api/v1/nothing"] {
        let request = app
            .anonymous()
            .request(Method::GET, path)
            .header("origin", "http://spa.example:3000");
        let reply = send(request).await;
        assert!(reply.status.is_client_error());
        assert_eq!(
            reply.header("access-control-allow-origin"),
            "http://spa.example:3000"
        );
        assert_eq!(reply.header("access-control-allow-credentials"), "true");
        assert!(
            reply
                .header("access-control-expose-headers")
                .contains("x-correlation-id")
        );
    }
    let request = app
        .anonymous()
        .request(Method::GET, "/health")
        .header("origin", "http://evil.example");
    assert_eq!(send(request).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_preflight_is_answered_for_every_route() {
    let app = TestApp::with(&[("CORS_ORIGINS", "http://spa.example:3000")]).await;
    let request = app
        .anonymous()
        .request(
            Method::OPTIONS,
            "/api/v1/admin/user-access/ann.lee%40example.com/",
        )
        .header("origin", "http://spa.example:3000")
        .header("access-control-request-method", "PUT")
        .header(
            "access-control-request-headers",
            "authorization,content-type,x-correlation-id",
        );
    let reply = send(request).await.expect(200);
    assert!(reply.header("access-control-allow-methods").contains("PUT"));
    assert!(
        reply
            .header("access-control-allow-headers")
            .contains("x-correlation-id")
    );
    assert_eq!(reply.header("access-control-max-age"), "600");
    assert!(!reply.header("x-correlation-id").is_empty());
}

#[tokio::test]
async fn validation_lists_every_failing_field_and_never_the_input() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    let body = json!({"email": 5, "has_manager_access": "perhaps-secret"});
    let reply = root.post("/api/v1/admin/user-access", body).await.expect(400);
    assert_eq!(reply.code(), "VALIDATION_ERROR");
    let errors = reply.body["error"]["details"]["errors"]
        .as_array()
        .unwrap()
        .clone();
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error["loc"].clone(), error["type"].clone()))
        .collect();
    assert_eq!(
        found,
        [
            (json!(["body", "email"]), json!("string_type")),
            (json!(["body", "has_manager_access"]), json!("bool_parsing")),
            (json!(["body", "display_name"]), json!("missing")),
        ]
    );
    assert!(!reply.text.contains("perhaps-secret"));
    let reply = root
        .get("/api/v1/admin/user-access?skip=-1&limit=101&include_inactive=so")
        .await
        .expect(400);
    assert_eq!(
        reply.body["error"]["details"]["errors"].as_array().unwrap().len(),
        3
    );
}

#[tokio::test]
async fn bodies_of_every_wrong_form_are_refused_with_400_or_413() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    let path = "/api/v1/admin/user-access";
    let deep = "[".repeat(5_000);
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"email\": 1e999}",
        deep.as_str(),
        "\u{0}",
        "{\"email\":\"\\u0000\"}",
    ] {
        let request = root.request(Method::POST, path).body(body.to_owned());
        let reply = send(request).await.expect(400);
        assert_eq!(reply.code(), "VALIDATION_ERROR", "{body:?}");
    }
    let request = root.request(Method::POST, path).body(vec![b' '; 6 << 20]);
    assert_eq!(send(request).await.expect(413).code(), "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_flood_of_one_person_is_answered_429_with_a_time_to_wait() {
    let app = TestApp::with(&[("REQUESTS_PER_SECOND_PER_PERSON", "1")]).await;
    let ann = app.person("ann.lee");
    let mut last = ann.get("/api/v1/admin/my-access").await;
    for _ in 0..30 {
        last = ann.get("/api/v1/admin/my-access").await;
        if last.status == 429 {
            break;
        }
    }
    assert_eq!(last.code(), "RATE_LIMIT_EXCEEDED");
    assert!(!last.header("retry-after").is_empty());
    app.person("ben.cole")
        .get("/api/v1/admin/my-access")
        .await
        .expect(200);
}

#[tokio::test]
async fn browsers_are_told_not_to_guess_frame_or_leak() {
    let app = TestApp::new().await;
    let reply = app.anonymous().get("/api/v1/nothing").await;
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("x-frame-options"), "DENY");
    assert!(
        reply
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
}
