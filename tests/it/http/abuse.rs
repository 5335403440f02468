//! Requests that want more than they say: bodies that come slowly or packed, and objects where texts are wanted.

use crate::support::{TestApp, client_send as send};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let app = TestApp::with(&[("REQUEST_TIMEOUT_SECONDS", "1")]).await;
    let address = app.base.trim_start_matches("http://");
    let token = app.person("ann.lee").token().to_owned();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/v1/tickets HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"title\":"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = connection.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(30), read)
        .await
        .expect("the service ends the connection")
        .unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("REQUEST_TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn nobody_without_a_token_has_a_body_read() {
    let app = TestApp::new().await;
    let address = app.base.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /api/v1/tickets HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5000000\r\n\r\n{";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = connection.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(30), read)
        .await
        .expect("the answer does not wait for the body")
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn a_packed_body_is_refused_and_not_unpacked() {
    let app = TestApp::with_people().await;
    // A million blanks in an object, in a thousand bytes.
    let bomb = include_bytes!("../../../src/clients/testing/bomb.json.gz").as_slice();
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let request = app
            .person("admin.root")
            .request(Method::POST, "/api/v1/admin/user-access")
            .header("content-type", "application/json")
            .header("content-encoding", coding)
            .body(bomb);
        let reply = send(request).await.expect(400);
        assert_eq!(
            reply.body["error"]["details"]["errors"][0]["type"], "json_invalid",
            "{coding}"
        );
    }
}

#[tokio::test]
async fn an_operator_of_the_database_is_no_text_and_finds_nothing() {
    let app = TestApp::with_people().await;
    let root = app.person("admin.root");
    for operator in [json!({"$gt": ""}), json!({"$ne": null}), json!(["$where"])] {
        let grant = json!({"email": operator, "display_name": "Ann", "has_agent_access": true});
        let reply = root.post("/api/v1/admin/user-access", grant).await.expect(400);
        assert_eq!(
            reply.body["error"]["details"]["errors"][0]["loc"],
            json!(["body", "email"])
        );
        let login = json!({"username": operator, "password": operator});
        app.anonymous()
            .post("/api/v1/admin/bootstrap/login", login)
            .await
            .expect(400);
    }
    for text in [".*", "$ne", "a|b", "^", "{\"$gt\":\"\"}"] {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let found = root
            .get(&format!("/api/v1/admin/audit-log?target_email={query}"))
            .await
            .expect(200);
        assert_eq!(found.body["total"], 0, "{text}");
        let found = root
            .get(&format!("/api/v1/tickets?q={query}&mine=false"))
            .await
            .expect(200);
        assert_eq!(found.body["total"], 0, "{text}");
    }
}
