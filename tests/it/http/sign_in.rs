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
