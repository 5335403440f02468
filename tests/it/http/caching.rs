use crate::support::TestApp;
use crate::support::client_send as send;
use reqwest::Method;

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
