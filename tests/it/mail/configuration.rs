//! Each key of the system configuration does what it says as soon as it is changed over HTTP; how often mail is tried
//! is in `faults`.

use crate::commit::stage::{MARK, approve, create, publish, run, step};
use crate::support::{Reply, TestApp, client_send};
use crate::tickets::stage::{ANN, Stage};
use bson::{Document, doc};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

async fn change(app: &TestApp, change: Value) {
    let root = app.person("admin.root");
    root.put("/api/v1/admin/config", change).await.expect(200);
}

async fn upload(app: &TestApp, bytes: &[u8]) -> Reply {
    let mut form = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
        Content-Type: text/plain\r\n\r\n"
        .to_vec();
    form.extend_from_slice(bytes);
    form.extend_from_slice(b"\r\n--b--\r\n");
    let ann = app.person("ann.lee");
    let request = ann.request(Method::POST, "/api/v1/attachments/upload");
    let kind = "multipart/form-data; boundary=b";
    client_send(request.header(CONTENT_TYPE, kind).body(form)).await
}

#[tokio::test]
async fn the_largest_file_is_what_administrators_say() {
    let app = TestApp::with_people().await;
    let file = vec![b'x'; 3 << 19];
    upload(&app, &file).await.expect(200);
    change(&app, json!({"max_attachment_size_mb": 1})).await;
    assert_eq!(
        upload(&app, &file).await.expect(413).code(),
        "ATTACHMENT_TOO_LARGE"
    );
}

#[tokio::test]
async fn the_types_of_files_are_what_administrators_say() {
    let app = TestApp::with_people().await;
    upload(&app, b"a note").await.expect(200);
    change(&app, json!({"allowed_mime_types": ["application/pdf"]})).await;
    let refused = upload(&app, b"another note").await;
    assert!(refused.status.is_client_error(), "{}", refused.text);
    assert_eq!(refused.code(), "INVALID_MIME_TYPE");
}

#[tokio::test]
async fn steps_without_their_own_due_time_get_the_one_that_administrators_saved() {
    let app = TestApp::with_people().await;
    let version = publish(app.database()).await;
    let due = async |title: &str| {
        let ticket = create(&app.app, &version, title).await.ticket;
        let approved = run(&app.app, MARK, &ticket.id, approve(&ticket)).await.unwrap();
        let task = step(&approved.ticket, "deliver");
        approved.ticket.step(&task).unwrap().due_at
    };
    assert_eq!(due("Before").await, None);
    change(&app, json!({"default_sla_minutes": {"TASK_STEP": 30}})).await;
    assert_eq!(due("After").await, Some(app.clock.now().plus_minutes(30)));
}

#[tokio::test]
async fn a_workflow_may_name_addresses_of_the_configured_domains_and_no_others() {
    let mut definition = Stage::usual();
    let steps = definition["steps"].as_array_mut().unwrap();
    steps.retain(|step| step["step_id"] == "ask" || step["step_id"] == "done");
    steps[1]["recipients"] = json!(["desk@partner.example", "eve@elsewhere.example", "requester"]);
    definition["transitions"] =
        json!([{"from_step_id": "ask", "to_step_id": "done", "on_event": "SUBMIT_FORM"}]);
    let stage = Stage::of(definition).await;
    let configured = [("MAIL_RECIPIENT_DOMAINS", "other.example, Partner.Example")];
    let second = stage.app.second_process(&configured).await;
    let rows = stage.app.database().collection::<Document>("notification_outbox");
    for (process, title, outsiders) in [
        (&stage.app, "Before", vec![]),
        (&second, "After", vec!["desk@partner.example"]),
    ] {
        let wish = stage.wizard(title);
        let raised = process
            .person(ANN)
            .post("/api/v1/tickets", wish)
            .await
            .expect(201);
        let ticket = raised.body["ticket_id"].as_str().unwrap();
        process.app.execute.relay().drain().await.unwrap();
        let told = rows
            .distinct("recipients", doc! {"ticket_id": ticket})
            .await
            .unwrap();
        let mut told: Vec<_> = told.iter().filter_map(bson::Bson::as_str).collect();
        told.retain(|address| !address.ends_with("@example.com"));
        assert_eq!(told, outsiders, "{title}");
    }
}
