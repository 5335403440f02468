use super::wire::{Weather, Wire};
use super::{Row, after, said};
use crate::support::{Reply, TestApp, client_send};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

const PDF: &[u8] = b"%PDF-1.7 a file of tests";

/// An object store that speaks as much S3 as whole objects need.
#[derive(Debug, Default)]
struct Bucket {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// It says that it has stored what it throws away.
    forgets: AtomicBool,
}

impl Bucket {
    async fn serve(self: &Arc<Self>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(answer).with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn answer(State(bucket): State<Arc<Bucket>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let key = uri.path().to_owned();
    let mut objects = bucket.objects.lock().unwrap();
    if method == Method::PUT {
        if !bucket.forgets.load(Ordering::SeqCst) {
            objects.insert(key, body);
        }
        return [(header::ETAG, "\"a-tag\"")].into_response();
    }
    if method == Method::DELETE {
        objects.remove(&key);
        return StatusCode::NO_CONTENT.into_response();
    }
    match objects.get(&key) {
        Some(object) => {
            let head = [
                (header::ETAG, "\"a-tag\""),
                (header::LAST_MODIFIED, "Mon, 05 Jan 2026 09:30:00 GMT"),
            ];
            (head, object.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn upload(app: &TestApp, name: &str) -> Reply {
    let file = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}.pdf\"\r\nContent-Type: \
         application/pdf\r\n\r\n{}\r\n--b--\r\n",
        String::from_utf8_lossy(PDF)
    );
    let request = app
        .person("ann.lee")
        .request(reqwest::Method::POST, "/api/v1/attachments/upload");
    let kind = "multipart/form-data; boundary=b";
    client_send(request.header(reqwest::header::CONTENT_TYPE, kind).body(file)).await
}

async fn download(app: &TestApp, id: &str) -> Reply {
    app.person("ann.lee")
        .get(&format!("/api/v1/attachments/{id}/download"))
        .await
}

async fn behind(wire: &Wire) -> TestApp {
    let endpoint = format!("http://{}", wire.address());
    TestApp::with(&[
        ("ATTACHMENTS_URL", "s3://files/of-tests"),
        ("AWS_ENDPOINT", &endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "local"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("REQUEST_TIMEOUT_SECONDS", "5"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_object_store_fails_uploads_and_downloads_say_so_and_nothing_else_suffers() {
    let faults = [
        (500, "down", Weather::Broken),
        (
            510,
            "slow: answers nothing (with `REQUEST_TIMEOUT_SECONDS=5`)",
            Weather::Silent,
        ),
        (520, "lying: answers that are no HTTP", Weather::Garbled),
    ];
    for (order, fault, weather) in faults {
        let bucket = Arc::new(Bucket::default());
        let wire = Wire::to(&bucket.serve().await).await;
        let app = behind(&wire).await;
        let id = upload(&app, "before").await.expect(200).body["attachment_id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(download(&app, &id).await.expect(200).text.as_bytes(), PDF);
        wire.turn(weather);
        let begun = Instant::now();
        let lost = upload(&app, "meanwhile").await.expect(502);
        let took = after(begun);
        let gone = download(&app, &id).await;
        assert!(matches!(gone.status.as_u16(), 502 | 503), "{}", gone.text);
        app.person("ann.lee").get("/api/v1/tickets").await.expect(200);
        wire.turn(Weather::Fair);
        download(&app, &id).await.expect(200);
        upload(&app, "meanwhile").await.expect(200);
        Row {
            order,
            dependency: "Object store",
            fault,
            answer: format!(
                "uploads {} {took}, downloads {}; everything else works",
                said(&lost),
                said(&gone)
            ),
            recovery: "the next upload and download succeed; nothing of the refused one is recorded"
                .to_owned(),
        }
        .keep();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_the_object_store_has_lost_are_said_to_be_gone() {
    let bucket = Arc::new(Bucket::default());
    let wire = Wire::to(&bucket.serve().await).await;
    let app = behind(&wire).await;
    bucket.forgets.store(true, Ordering::SeqCst);
    let id = upload(&app, "forgotten").await.expect(200).body["attachment_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = download(&app, &id).await.expect(404);
    Row {
        order: 530,
        dependency: "Object store",
        fault: "lying: says it has stored what it throws away",
        answer: format!(
            "the upload 200; downloads {}, and the log says which file is gone",
            said(&gone)
        ),
        recovery: "none: what a store confirms and loses is a matter of its operator".to_owned(),
    }
    .keep();
}
