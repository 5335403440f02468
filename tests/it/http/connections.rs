//! Connections: slow clients are let go, their number is bounded, and those under way are served to their end.

use crate::support::{ServiceProcess, TestApp, eventually};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);
const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

async fn connected(base: &str) -> TcpStream {
    TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap()
}

/// The head of the next answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
        head.push(read.expect("an answer comes").unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A connection that has been served once, so the service has surely taken it.
async fn served(base: &str) -> TcpStream {
    let mut stream = connected(base).await;
    stream.write_all(LIVE).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200"));
    stream
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_or_sends_nothing_more_is_let_go() {
    let app = TestApp::with(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    let mut slow = connected(&app.base).await;
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        .await
        .unwrap();
    let idle = served(&app.base).await;
    for mut stream in [slow, idle] {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the service closes the connection");
    }
}

#[tokio::test]
async fn above_the_bound_clients_wait_for_a_free_connection() {
    let app = TestApp::with(&[("MAX_CONNECTIONS", "2")]).await;
    let (first, _second) = (served(&app.base).await, served(&app.base).await);
    let mut third = connected(&app.base).await;
    third.write_all(LIVE).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), third.read_u8()).await;
    assert!(early.is_err(), "two are open already");
    drop(first);
    assert!(head(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_takes_no_more_and_answers_what_is_under_way() {
    let app = TestApp::new().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let process = ServiceProcess::start(app.database().name(), &[("BIND_ADDR", address.clone())]);
    eventually("the process listens", || async {
        TcpStream::connect(&address).await.is_ok()
    })
    .await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let who = serde_json::json!({"email": "ann.lee@example.com"});
    let asked = http.post(format!("http://{address}/dev/token")).json(&who).send();
    let token: Value = asked.await.unwrap().json().await.unwrap();
    let (begin, end) = (
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhalf",
        "of it\r\n--b--\r\n",
    );
    let mut upload = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "POST /api/v1/attachments/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        token["access_token"].as_str().unwrap(),
        begin.len() + end.len(),
    );
    upload.write_all(request.as_bytes()).await.unwrap();
    // The handler reads the body, so the request is surely under way.
    assert!(head(&mut upload).await.starts_with("HTTP/1.1 100"));
    upload.write_all(begin.as_bytes()).await.unwrap();
    process.ask_to_stop();
    eventually("nobody is let in any more", || async {
        TcpStream::connect(&address).await.is_err()
    })
    .await;
    upload.write_all(end.as_bytes()).await.unwrap();
    assert!(head(&mut upload).await.starts_with("HTTP/1.1 200"));
    assert!(process.ended_well());
}
