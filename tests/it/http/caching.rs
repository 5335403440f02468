use crate::support::TestApp;
use crate::support::client_send as send;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn confidential_answers_are_not_kept() {
    let app = TestApp::with_people().await;
    let reply = app
        .person("admin.root")
        .get("/api/v1/admin/admins")
        .await
        .expect(200);
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("etag"), "");
    let reply = app.anonymous().get("/api/v1/admin/access").await.expect(401);
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_read_that_is_unchanged_is_answered_304() {
    let app = TestApp::new().await;
    let first = app.anonymous().get("/").await.expect(200);
    let tag = first.header("etag").to_owned();
    assert!(!tag.is_empty());
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let vary = first
        .headers
        .get_all("vary")
        .iter()
        .map(|value| value.to_str().unwrap().to_lowercase());
    let vary = vary.collect::<Vec<_>>().join(",");
    assert!(
        vary.contains("authorization") && vary.contains("origin"),
        "{vary}"
    );
    let again = app
        .anonymous()
        .request(Method::GET, "/")
        .header("if-none-match", &tag);
    let reply = send(again).await.expect(304);
    assert_eq!((reply.text.as_str(), reply.header("etag")), ("", tag.as_str()));
    let other = app
        .anonymous()
        .request(Method::GET, "/")
        .header("if-none-match", "\"other\"");
    send(other).await.expect(200);
}

#[tokio::test]
async fn large_json_is_compressed_on_request() {
    let app = TestApp::new().await;
    // The usual client unpacks silently; this one shows what came over the wire.
    let plain = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
    let request = plain
        .get(format!("{}/api/openapi.json", app.base))
        .header("accept-encoding", "gzip");
    assert_eq!(
        request.send().await.unwrap().headers()["content-encoding"],
        "gzip"
    );
}

#[tokio::test]
async fn a_change_based_on_an_old_version_is_refused_with_the_current_one() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let created = dana
        .post("/api/v1/workflows", json!({"name": "Versions"}))
        .await
        .expect(201);
    let path = format!(
        "/api/v1/workflows/{}",
        created.body["workflow_id"].as_str().unwrap()
    );
    let read = dana.get(&path).await.expect(200);
    let tag = read.header("etag").to_owned();
    assert_eq!(read.header("cache-control"), "private, no-cache");
    let rename = |name: &str, tag: &str| {
        let request = dana
            .request(Method::PATCH, &format!("{path}/metadata"))
            .header("if-match", tag);
        send(request.json(&json!({"name": name})))
    };
    rename("First", &tag).await.expect(200);
    let refused = rename("Second", &tag).await.expect(412);
    assert_eq!(refused.code(), "PRECONDITION_FAILED");
    let current = refused.header("etag").to_owned();
    assert_eq!(current, dana.get(&path).await.expect(200).header("etag"));
    rename("Second", "\"no version of ours\"").await.expect(412);
    rename("Second", &current).await.expect(200);
    let known = dana.request(Method::GET, &path).header("if-none-match", &current);
    send(known).await.expect(200);
    let now = dana.get(&path).await.header("etag").to_owned();
    send(dana.request(Method::GET, &path).header("if-none-match", now))
        .await
        .expect(304);
}
