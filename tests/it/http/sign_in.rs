use crate::support::TestApp;
use crate::support::client_send as send;
use reqwest::Method;
use serde_json::json;

const ME: &str = "/api/v1/admin/my-access";

#[tokio::test]
async fn a_minted_token_signs_its_person_in() {
    let app = TestApp::new().await;
    let minted = app
        .anonymous()
        .post("/dev/token", json!({"email": "Ann.Lee@example.com"}))
        .await
        .expect(200);
    assert_eq!(minted.header("cache-control"), "no-store");
    let token = minted.body["access_token"].as_str().unwrap();
    let me = app.with_token(token).get(ME).await.expect(200);
    assert_eq!(me.body["email"], "ann.lee@example.com");
    let people = app.anonymous().get("/dev/people").await.expect(200);
    assert!(people.body.as_array().unwrap().len() >= 12);
    app.anonymous()
        .post("/dev/token", json!({"email": "nobody@example.com"}))
        .await
        .expect(404);
}

#[tokio::test]
async fn the_header_without_its_prefix_is_the_token_and_other_prefixes_are_refused() {
    let app = TestApp::new().await;
    let token = app.person("ann.lee").token().to_owned();
    let with = |value: String| {
        send(
            app.anonymous()
                .request(Method::GET, ME)
                .header("authorization", value),
        )
    };
    with(token.clone()).await.expect(200);
    with(format!("Bearer {token}")).await.expect(200);
    for wrong in [
        format!("bearer {token}"),
        format!("Basic {token}"),
        "Bearer".to_owned(),
        "Bearer x.y.z".to_owned(),
    ] {
        let reply = with(wrong.clone()).await.expect(401);
        assert_eq!(
            (reply.code(), reply.header("www-authenticate")),
            ("AUTHENTICATION_ERROR", "Bearer"),
            "{wrong}"
        );
    }
    app.anonymous().get(ME).await.expect(401);
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let app = TestApp::new().await;
    let ann = app.person("ann.lee");
    ann.get(ME).await.expect(200);
    app.clock.advance(12 * 3_600_000 + 59_000);
    ann.get(ME).await.expect(200);
    app.clock.advance(2_000);
    ann.get(ME).await.expect(401);
}

/// Settings of a service that is not in development and whose tenant is away.
const PRODUCTION: [(&str, &str); 8] = [
    ("ENVIRONMENT", "production"),
    ("AUTH_MODE", "entra_api"),
    ("AAD_TENANT_ID", "11111111-1111-1111-1111-111111111111"),
    ("AAD_CLIENT_ID", "22222222-2222-2222-2222-222222222222"),
    ("AAD_AUTHORITY", "http://127.0.0.1:9"),
    ("MAIL_TRANSPORT", "disabled"),
    ("FRONTEND_URL", "https://spa.example"),
    ("MAIL_FROM", "ops@example.com"),
];

#[tokio::test]
async fn outside_of_development_the_local_issuer_does_not_exist() {
    let development = TestApp::new().await;
    let token = development.person("ann.lee").token().to_owned();
    let app = TestApp::with(&PRODUCTION).await;
    app.anonymous().get("/dev/people").await.expect(404);
    app.anonymous()
        .post("/dev/token", json!({"email": "ann.lee@example.com"}))
        .await
        .expect(404);
    let document = app.anonymous().get("/api/openapi.json").await.expect(200);
    assert!(document.body["paths"]["/dev/token"].is_null());
    // The key is not the tenant's, and nobody can tell now whether it is a new one.
    let request = app
        .with_token(&token)
        .request(Method::GET, ME)
        .header("origin", "https://spa.example");
    let reply = send(request).await.expect(503);
    assert_eq!(reply.header("access-control-allow-origin"), "https://spa.example");
    assert!(!reply.header("retry-after").is_empty());
    app.with_token("a.b.c").get(ME).await.expect(401);
}

#[tokio::test]
async fn rights_given_by_another_process_are_seen_within_five_seconds() {
    let one = TestApp::with_people().await;
    let two = one.second_process(&[]).await;
    let ann = two.with_token(one.person("ann.lee").token());
    assert_eq!(ann.get(ME).await.expect(200).body["has_agent_access"], false);
    let grant = json!({"email": "ann.lee@example.com", "display_name": "Ann Lee", "has_agent_access": true});
    one.person("sven.berg")
        .post("/api/v1/admin/user-access", grant)
        .await
        .expect(200);
    one.clock.advance(5_000);
    assert_eq!(ann.get(ME).await.expect(200).body["has_agent_access"], true);
}
