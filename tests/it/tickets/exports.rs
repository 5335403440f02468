//! Exports: what the lists show, as files; nothing that the caller may not see, and never a part that looks whole.

use super::stage::{ANN, CHLOE, IVAN, MARK, Stage};
use crate::support::TestClient;
use bson::doc;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

/// A CSV file as rows by the names of the header.
fn table(text: &str) -> Vec<Value> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let cells = header.iter().zip(record.iter());
        Value::Object(cells.map(|(key, cell)| (key.to_owned(), json!(cell))).collect())
    });
    rows.collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn titles(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["title"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_are_exported_as_their_list_shows_them() {
    let stage = Stage::new().await;
    for title in ["=HYPERLINK(\"http://a\")", "two, \"quoted\"\r\nlines", "three"] {
        stage.raise(ANN, title).await;
        stage.app.clock.advance(1_000);
    }
    let bens = stage.raise("ben.cole", "Ben's").await;
    let ann = stage.person(ANN);
    let csv = ann.get("/api/v1/tickets/export").await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"tickets-2026-01-05.csv\"; filename*=UTF-8''tickets-2026-01-05.csv"
    );
    assert_eq!(csv.header("cache-control"), "no-store");
    let rows = table(&csv.text);
    assert_eq!(
        titles(&rows),
        ["three", "two, \"quoted\"\r\nlines", "'=HYPERLINK(\"http://a\")"]
    );
    assert_eq!(rows[0]["requester_email"], "ann.lee@example.com");
    assert_eq!(rows[0]["form_values"], "{\"what\":\"A thing\"}");
    let jsonl = ann.get("/api/v1/tickets/export?format=jsonl").await.expect(200);
    assert_eq!(jsonl.header("content-type"), "application/x-ndjson");
    let objects = lines(&jsonl.text);
    assert_eq!(objects[2]["title"], "=HYPERLINK(\"http://a\")");
    assert_eq!(objects[0]["form_values"], json!({"what": "A thing"}));
    // The keys of both forms are the same.
    let keys: Vec<&String> = objects[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, rows[0].as_object().unwrap().keys().collect::<Vec<_>>());
    for (filter, count) in [
        ("q=QUOTED", 1),
        ("q=.*", 0),
        ("status=COMPLETED", 0),
        ("statuses=IN_PROGRESS,COMPLETED", 3),
        ("date_to=2026-01-04", 0),
        ("has_pending_cr=true", 0),
        ("mine=false", 3),
    ] {
        let found = ann
            .get(&format!("/api/v1/tickets/export?{filter}"))
            .await
            .expect(200);
        assert_eq!(table(&found.text).len(), count, "{filter}");
    }
    let export = |who: &str| {
        let person = stage.person(who);
        async move { person.get("/api/v1/tickets/export?mine=false").await.expect(200) }
    };
    assert_eq!(table(&export(MARK).await.text).len(), 4);
    assert_eq!(table(&export("admin.root").await.text).len(), 4);
    let nothing = export(CHLOE).await;
    assert!(nothing.text.starts_with("ticket_id,title,") && !nothing.text.contains(&bens.id));
    for wrong in ["format=xml", "status=NOPE", "date_from=yesterday"] {
        ann.get(&format!("/api/v1/tickets/export?{wrong}"))
            .await
            .expect(400);
    }
    stage
        .app
        .anonymous()
        .get("/api/v1/tickets/export")
        .await
        .expect(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tickets_history_is_exported_whole_wherever_its_rows_are() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "History").await;
    ticket.approve().await;
    stage.app.app.execute.relay().drain().await.unwrap();
    ticket.assign(IVAN).await;
    ticket.must(IVAN, "work", "complete", json!({})).await;
    let path = ticket.path("/audit/export?format=jsonl");
    let events = lines(&stage.person(ANN).get(&path).await.expect(200).text);
    let shown = ticket.detail().await["audit_events"].as_array().unwrap().clone();
    let ids = |events: &[Value]| -> Vec<String> {
        let ids = events
            .iter()
            .map(|event| event["audit_event_id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    let mut newest_first = ids(&events);
    newest_first.reverse();
    assert_eq!(newest_first, ids(&shown));
    assert_eq!(events.last().unwrap()["event_type"], "TICKET_COMPLETED");
    let csv = stage
        .person(MARK)
        .get(&ticket.path("/audit/export"))
        .await
        .expect(200);
    assert!(
        csv.header("content-disposition")
            .contains(&format!("{}-audit-2026-01-05.csv", ticket.id))
    );
    assert_eq!(ids(&table(&csv.text)), ids(&events));
    stage.person(CHLOE).get(&path).await.expect(403);
    let unknown = "/api/v1/tickets/TKT-000000000000/audit/export";
    stage.person(ANN).get(unknown).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_export_what_they_can_search() {
    let stage = Stage::new().await;
    stage.raise(ANN, "One").await.approve().await;
    stage.app.app.execute.relay().drain().await.unwrap();
    let (root, ann) = (stage.person("admin.root"), stage.person(ANN));
    let audit = "/api/v1/admin/ticket-audit/export?from_date=2026-01-05&to_date=2026-01-06";
    let found = table(&root.get(audit).await.expect(200).text);
    assert!(found.iter().any(|event| event["event_type"] == "CREATE_TICKET"));
    let only = lines(
        &root
            .get(&format!("{audit}&format=jsonl&event_type=APPROVE"))
            .await
            .expect(200)
            .text,
    );
    assert_eq!(only.len(), 1);
    // Of one step, whose ticket need not be named.
    let step = only[0]["ticket_step_id"].as_str().unwrap();
    let of_step = lines(
        &root
            .get(&format!("{audit}&format=jsonl&ticket_step_id={step}"))
            .await
            .expect(200)
            .text,
    );
    assert!(of_step.len() > 1 && of_step.len() < found.len());
    assert!(of_step.iter().all(|event| event["ticket_step_id"] == step));
    root.get("/api/v1/admin/ticket-audit/export").await.expect(400);
    ann.get(audit).await.expect(403);
    let log = "/api/v1/admin/audit-log/export";
    ann.get(log).await.expect(403);
    let events = table(&root.get(log).await.expect(200).text);
    assert!(!events.is_empty());
    let views = root
        .get("/api/v1/admin/audit-log?action=VIEW_AUDIT_LOG")
        .await
        .expect(200)
        .body;
    let hows: Vec<&Value> = views["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|view| &view["details"]["how"])
        .collect();
    assert!(hows.contains(&&json!("export")), "{views}");
}

/// Fills the shelf of Ann with copies of a ticket.
async fn copies(stage: &Stage, count: i32) {
    let original = stage.raise(ANN, "Copied").await;
    let tickets = stage.app.database().collection::<bson::Document>("tickets");
    let original = tickets
        .find_one(doc! {"_id": &original.id})
        .await
        .unwrap()
        .unwrap();
    let copies = (0..count).map(|n| {
        let mut copy = original.clone();
        let id = format!("TKT-{n:012x}");
        copy.insert("_id", &id);
        copy.get_document_mut("ticket").unwrap().insert("id", &id);
        copy
    });
    tickets.insert_many(copies).await.unwrap();
}

/// Begins an export and returns its body.
async fn begin(client: &TestClient, path: &str) -> reqwest::Response {
    client.request(Method::GET, path).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_shows_one_moment_whatever_happens_meanwhile() {
    let stage = Stage::new().await;
    copies(&stage, 4_000).await;
    let mut body = begin(&stage.person(ANN), "/api/v1/tickets/export?format=jsonl")
        .await
        .bytes_stream();
    let mut text = body.next().await.unwrap().unwrap().to_vec();
    // Tickets that wait for their turn move to the front, and further ones are raised.
    let tickets = stage.app.database().collection::<bson::Document>("tickets");
    let later = bson::DateTime::from_millis(1_800_000_000_000);
    let moved = doc! {"$set": {"work.updated_at": later, "ticket.title": "Moved"}};
    tickets.update_many(doc! {}, moved).await.unwrap();
    stage.raise(ANN, "Later").await;
    while let Some(chunk) = body.next().await {
        text.extend(chunk.unwrap());
    }
    let rows = lines(std::str::from_utf8(&text).unwrap());
    let ids: std::collections::HashSet<&str> = rows
        .iter()
        .map(|row| row["ticket_id"].as_str().unwrap())
        .collect();
    assert_eq!((rows.len(), ids.len()), (4_001, 4_001));
    assert!(titles(&rows).iter().all(|title| *title == "Copied"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_midway_is_no_complete_file() {
    let stage = Stage::new().await;
    copies(&stage, 2_000).await;
    // A row that cannot be read, far down the list: as if the database failed there.
    let tickets = stage.app.database().collection::<bson::Document>("tickets");
    let broken = doc! {"$set": {"ticket.form_values": 1}};
    tickets
        .update_one(doc! {"_id": "TKT-000000000001"}, broken)
        .await
        .unwrap();
    let answer = begin(&stage.person(ANN), "/api/v1/tickets/export").await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err(), "the body must not end regularly");
    stage.person(MARK).get("/api/v1/tickets/export").await.expect(200);
}
