//! Files (contract http-workflows 6, A1 to A8): uploaded, used by tickets, seen by their people, swept when loose.

mod hostile;
mod memory;

use crate::support::{Reply, TestApp, TestClient, client_send};
use pretty_assertions::assert_eq;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

const FILES: &str = "/api/v1/attachments";
const PDF: &[u8] = b"%PDF-1.7 a file of tests";
const BOUNDARY: &str = "a-boundary-of-tests";

/// A part of a form: its name, the file's name, the claimed type, the bytes.
type Part<'a> = (&'a str, &'a str, &'a str, &'a [u8]);

/// The body of a form.
fn form_of(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, filename, mime, bytes) in parts {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\
             Content-Type: {mime}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

async fn send_form(client: &TestClient, path: &str, parts: &[Part<'_>]) -> Reply {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    client_send(
        client
            .request(Method::POST, path)
            .header(CONTENT_TYPE, kind)
            .body(form_of(parts)),
    )
    .await
}

async fn upload(client: &TestClient, query: &str, name: &str, bytes: &[u8]) -> Reply {
    let path = format!("{FILES}/upload{query}");
    send_form(client, &path, &[("file", name, "application/pdf", bytes)]).await
}

fn id_of(reply: &Reply) -> String {
    reply.body["attachment_id"].as_str().unwrap().to_owned()
}

/// A ticket of Ann's whose manager Mark has to approve, raised with these files.
async fn ticket_with(app: &TestApp, files: &[&str]) -> Reply {
    let workflow = workflow(app).await;
    let wish = json!({"workflow_id": workflow, "title": "With files", "initial_form_values": {"what": "x"},
        "initial_form_step_ids": ["ask"], "attachment_ids": files});
    app.person("ann.lee").post("/api/v1/tickets", wish).await
}

/// A workflow of one form and the manager's approval.
async fn workflow(app: &TestApp) -> String {
    let dana = app.person("dana.wolf");
    let created = dana
        .post("/api/v1/workflows", json!({"name": "Files"}))
        .await
        .expect(201);
    let workflow = created.body["workflow_id"].as_str().unwrap().to_owned();
    let text = json!({"field_key": "what", "field_label": "What", "field_type": "TEXT", "order": 0});
    let definition = json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "order": 0, "fields": [text]},
            {"step_id": "manager", "step_name": "Manager", "step_type": "APPROVAL_STEP", "order": 1, "is_terminal": true,
             "approver_resolution": "REQUESTER_MANAGER"},
        ],
        "transitions": [{"transition_id": "t1", "from_step_id": "ask", "to_step_id": "manager", "on_event": "SUBMIT_FORM"}],
    });
    dana.put(
        &format!("/api/v1/workflows/{workflow}/draft"),
        json!({"definition": definition}),
    )
    .await
    .expect(200);
    dana.post(&format!("/api/v1/workflows/{workflow}/publish"), json!({}))
        .await
        .expect(200);
    workflow
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_becomes_the_tickets_and_is_seen_by_its_people_only() {
    let app = TestApp::with_people().await;
    let (ann, mark, zoe) = (
        app.person("ann.lee"),
        app.person("mark.stone"),
        app.person("zoe.quinn"),
    );
    let uploaded = upload(&ann, "?context=form_field&field_label=Spec", "Ä spec.pdf", PDF)
        .await
        .expect(200);
    let id = id_of(&uploaded);
    assert_eq!(uploaded.body["size_bytes"], PDF.len());
    assert_eq!(uploaded.body["mime_type"], "application/pdf");
    mark.get(&format!("{FILES}/{id}/info")).await.expect(403);
    let stolen = json!({"description": "mine"});
    mark.patch(&format!("{FILES}/{id}"), stolen).await.expect(403);
    let ticket = ticket_with(&app, &[&id]).await.expect(201).body["ticket_id"]
        .as_str()
        .unwrap()
        .to_owned();
    app.app.execute.relay().drain().await.unwrap();
    for client in [&ann, &mark] {
        let file = client.get(&format!("{FILES}/{id}/download")).await.expect(200);
        assert_eq!(file.text.as_bytes(), PDF);
        assert_eq!(file.header("content-length"), PDF.len().to_string());
        assert_eq!(file.header("x-content-type-options"), "nosniff");
        assert_eq!(file.header("cache-control"), "private, no-store");
        assert!(
            file.header("content-disposition")
                .ends_with("filename*=UTF-8''%C3%84%20spec.pdf")
        );
    }
    let foreign = zoe.get(&format!("{FILES}/{id}")).await.expect(403);
    assert!(!foreign.text.contains("spec"), "{}", foreign.text);
    zoe.get(&format!("{FILES}/ticket/{ticket}")).await.expect(403);
    let listed = mark
        .get(&format!("{FILES}/ticket/{ticket}"))
        .await
        .expect(200)
        .body;
    assert_eq!(listed["total_count"], 1);
    assert_eq!(listed["grouped"]["form_field"][0]["field_label"], "Spec");
    let change = json!({"description": "the wish", "context": "approval_note", "step_name": "Manager"});
    let changed = ann.patch(&format!("{FILES}/{id}"), change).await.expect(200).body;
    assert_eq!(
        changed["fields_updated"],
        json!(["description", "context", "step_name"])
    );
    let listed = mark
        .get(&format!("{FILES}/ticket/{ticket}"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        listed["grouped"]["Manager::approval_note"][0]["description"],
        "the wish"
    );
    ann.patch(&format!("{FILES}/{id}"), json!({})).await.expect(400);
    mark.delete(&format!("{FILES}/{id}")).await.expect(403);
    ann.delete(&format!("{FILES}/{id}")).await.expect(200);
    ann.get(&format!("{FILES}/{id}/info")).await.expect(404);
    ann.get(&format!("{FILES}/ATT-000000000000/info"))
        .await
        .expect(404);
    let other = upload(&mark, "", "other.pdf", PDF).await.expect(200);
    assert_eq!(
        ticket_with(&app, &[&id_of(&other)]).await.expect(400).code(),
        "VALIDATION_ERROR"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_lie_are_empty_or_too_large_are_refused() {
    let app = TestApp::with(&[("ATTACHMENTS_MAX_MB", "1")]).await;
    let ann = app.person("ann.lee");
    let lying = upload(&ann, "", "a.pdf", b"MZ\x90\x00 a program")
        .await
        .expect(400);
    assert_eq!(lying.code(), "INVALID_MIME_TYPE");
    assert_eq!(lying.body["error"]["details"]["mime_type"], "application/pdf");
    upload(&ann, "", "a.pdf", b"").await.expect(400);
    let mut large = PDF.to_vec();
    large.resize((1 << 20) + 1, b' ');
    assert_eq!(
        upload(&ann, "", "a.pdf", &large).await.expect(413).code(),
        "ATTACHMENT_TOO_LARGE"
    );
    large.truncate(1 << 20);
    upload(&ann, "", "a.pdf", &large).await.expect(200);
    upload(&ann, "?context=nowhere", "a.pdf", PDF).await.expect(400);
    upload(&ann, "?ticket_id=../../x", "a.pdf", PDF).await.expect(404);
    send_form(
        &ann,
        &format!("{FILES}/upload"),
        &[("other", "a.pdf", "application/pdf", PDF)],
    )
    .await
    .expect(400);
    ann.post(&format!("{FILES}/upload"), json!({})).await.expect(400);
    app.anonymous()
        .post(&format!("{FILES}/upload"), json!({}))
        .await
        .expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_files_succeed_or_fail_each_for_itself() {
    let app = TestApp::new().await;
    let ann = app.person("ann.lee");
    let parts: [Part<'_>; 3] = [
        ("files", "a.pdf", "application/pdf", PDF),
        ("files", "b.exe", "application/octet-stream", b"MZ"),
        ("files", "c.csv", "application/vnd.ms-excel", b"a;b\n1;2\n"),
    ];
    let many = send_form(&ann, &format!("{FILES}/upload-multiple"), &parts)
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&many["total_uploaded"], &many["total_failed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(many["attachments"][1]["mime_type"], "text/csv");
    assert_eq!(many["errors"][0]["filename"], "b.exe");
    assert_eq!(many["errors"][0]["error"]["error"]["code"], "INVALID_MIME_TYPE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identical_upload_within_a_minute_is_the_first_one_again() {
    let app = TestApp::new().await;
    let ann = app.person("ann.lee");
    let first = id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200));
    assert_eq!(id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200)), first);
    assert_ne!(id_of(&upload(&ann, "", "b.pdf", PDF).await.expect(200)), first);
    assert_ne!(
        id_of(
            &upload(&app.person("ben.cole"), "", "a.pdf", PDF)
                .await
                .expect(200)
        ),
        first
    );
    app.clock.advance(50_000);
    assert_eq!(id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200)), first);
    app.clock.advance(61_000);
    assert_ne!(id_of(&upload(&ann, "", "a.pdf", PDF).await.expect(200)), first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loose_files_are_swept_after_a_day_and_used_ones_stay() {
    let app = TestApp::with_people().await;
    let ann = app.person("ann.lee");
    let loose = id_of(&upload(&ann, "", "loose.pdf", PDF).await.expect(200));
    let used = id_of(&upload(&ann, "", "used.pdf", PDF).await.expect(200));
    ticket_with(&app, &[&used]).await.expect(201);
    app.app.execute.relay().drain().await.unwrap();
    assert_eq!(app.app.attachments.sweep_loose_files().await.unwrap(), 0);
    app.clock.advance(25 * 3_600_000);
    assert_eq!(app.app.attachments.sweep_loose_files().await.unwrap(), 1);
    // Yesterday's token has expired.
    let ann = app.person("ann.lee");
    ann.get(&format!("{FILES}/{loose}/info")).await.expect(404);
    let kept: Value = ann.get(&format!("{FILES}/{used}/info")).await.expect(200).body;
    assert_eq!(kept["original_filename"], "used.pdf");
    ann.get(&format!("{FILES}/{used}/download")).await.expect(200);
    // Bytes of the machine's own day are younger than the fixed clock's: only those without a record go, and none is.
    assert_eq!(app.app.attachments.sweep_loose_bytes().await.unwrap(), 0);
}

/// An upload under an idempotency key, in a form with this boundary.
async fn upload_marked(client: &TestClient, key: &str, query: &str, boundary: &str, bytes: &[u8]) -> Reply {
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\
         Content-Type: application/pdf\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let request = client
        .request(Method::POST, &format!("{FILES}/upload{query}"))
        .header("Idempotency-Key", key)
        .header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
    client_send(request.body(body)).await
}

#[tokio::test]
async fn an_upload_under_an_idempotency_key_is_known_by_its_content_for_a_day() {
    let app = TestApp::with_people().await;
    let ann = app.person("ann.lee");
    let first = upload_marked(&ann, "key-1", "", "one", PDF).await.expect(200);
    app.clock.advance(23 * 3_600_000);
    let ann = app.person("ann.lee");
    let again = upload_marked(&ann, "key-1", "", "another", PDF).await.expect(200);
    assert_eq!(
        first.text, again.text,
        "browsers draw a new boundary for every attempt"
    );
    let other: Vec<u8> = PDF
        .iter()
        .map(|byte| if *byte == b'f' { b'F' } else { *byte })
        .collect();
    for refused in [
        upload_marked(&ann, "key-1", "", "one", &other).await,
        upload_marked(&ann, "key-1", "?context=form", "one", PDF).await,
    ] {
        assert_eq!(refused.expect(422).code(), "IDEMPOTENCY_KEY_REUSED");
    }
    let mark = upload_marked(&app.person("mark.stone"), "key-1", "", "one", &other).await;
    assert_ne!(id_of(&mark.expect(200)), id_of(&first), "a key is its person's");
    app.clock.advance(2 * 3_600_000);
    let later = upload_marked(&app.person("ann.lee"), "key-1", "", "one", &other).await;
    assert_ne!(id_of(&later.expect(200)), id_of(&first), "a day is over");
    upload_marked(&app.person("ann.lee"), "a b", "", "one", PDF)
        .await
        .expect(400);
}

#[tokio::test]
async fn uploads_side_by_side_under_one_key_are_one_file() {
    let app = TestApp::with_people().await;
    let ann = app.person("ann.lee");
    let uploads = (0..8).map(|_| upload_marked(&ann, "key-1", "", "one", PDF));
    let replies = futures::future::join_all(uploads).await;
    let ids: std::collections::BTreeSet<_> = replies
        .into_iter()
        .map(|reply| id_of(&reply.expect(200)))
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let stored = app.database().collection::<bson::Document>("attachments");
    assert_eq!(stored.count_documents(bson::doc! {}).await.unwrap(), 1);
}
