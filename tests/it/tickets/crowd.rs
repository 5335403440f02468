//! A filled database: tens of thousands of tickets in every situation, made from a few real ones, and hundreds of people.
//!
//! Copies go through the aggregate and its derivation, so their indexes hold what commits would have stored.

use super::stage::{ANN, IVAN, JULIA, MARK, Stage, Ticket};
use crate::support::{START, client_send};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use reqwest::Method;
use serde_json::json;
use workflow_ops::domain::ticket::Ticket as Aggregate;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::engine::work_index;

/// Rounds of copies; each copies every situation once.
const ROUNDS: i64 = 2_300;
/// Other people.
const PEOPLE: i64 = 500;
/// Mark stays the manager of every so many rounds, and so has decided on some 2 000 tickets.
const MARKS: i64 = 8;
/// Ann stays the requester of every so many rounds.
const ANNS: i64 = 50;
/// Ivan keeps the tasks of the first rounds: with four open ones in each that makes 300.
const IVANS: i64 = 75;
/// Documents of one insertion.
const BATCH: usize = 1_000;

/// Fills the database of `stage`.
pub(super) async fn fill(stage: &Stage) {
    situations(stage).await;
    stage.app.app.execute.relay().drain().await.unwrap();
    let originals = all(stage, "tickets").await;
    let count = i64::try_from(originals.len()).unwrap();
    let mut copies = Vec::new();
    for round in 0..ROUNDS {
        for (kind, original) in (0_i64..).zip(&originals) {
            let id = format!("TKT-{kind:04x}{round:08x}");
            copies.push(copy_of_ticket(stage, original, &id, round, round * count + kind).await);
        }
        if copies.len() >= BATCH {
            insert(stage, "tickets", std::mem::take(&mut copies)).await;
        }
    }
    insert(stage, "tickets", copies).await;
    for collection in [
        "audit_events",
        "work_history",
        "inapp_notifications",
        "notification_outbox",
    ] {
        copy_rows(stage, collection, 20_000).await;
    }
    for (collection, copies) in [("admin_audit", 5_000), ("workflows", 300), ("attachments", 300)] {
        copy_rows(stage, collection, copies).await;
    }
}

/// One ticket in each situation, eight of them, by Ann, Mark and Ivan.
async fn situations(stage: &Stage) {
    let with_file = stage.raise(ANN, "to approve").await;
    upload(stage, &with_file.id).await;
    stage.raise(ANN, "to assign").await.approve().await;
    let rejected = stage.raise(ANN, "rejected").await;
    rejected
        .must(MARK, "ok", "reject", json!({"comment": "no"}))
        .await;
    let held = at_work(stage, "held").await;
    held.must(IVAN, "work", "hold", json!({"reason": "waiting"}))
        .await;
    let asked = at_work(stage, "asked").await;
    asked
        .must(IVAN, "work", "request-info", json!({"question_text": "which?"}))
        .await;
    let handed = at_work(stage, "handed over").await;
    handed
        .must(IVAN, "work", "request-handover", json!({"reason": "leave"}))
        .await;
    handed
        .must(IVAN, "work", "add-note", json!({"content": "a note"}))
        .await;
    let changed = at_work(stage, "changed").await;
    let change =
        json!({"ticket_id": changed.id, "proposed_form_values": {"what": "other"}, "reason": "typo"});
    stage
        .person(ANN)
        .post("/api/v1/change-requests", change)
        .await
        .expect(200);
    let done = at_work(stage, "done").await;
    done.must(IVAN, "work", "complete", json!({})).await;
    // Somebody asks Ivan, so that an agent has a question.
    let questioned = stage.raise(ANN, "questioned").await;
    questioned.approve().await;
    questioned.assign(JULIA).await;
    let question = json!({"question_text": "how?", "requested_from_email": "mark.stone@example.com"});
    questioned.must(JULIA, "work", "request-info", question).await;
}

/// Uploads a file to a ticket.
async fn upload(stage: &Stage, ticket: &str) {
    let path = format!("/api/v1/attachments/upload?ticket_id={ticket}");
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
                Content-Type: text/plain\r\n\r\nhello\r\n--b--\r\n";
    let request = stage
        .person(ANN)
        .request(Method::POST, &path)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    client_send(request).await.expect(200);
}

async fn at_work<'a>(stage: &'a Stage, title: &str) -> Ticket<'a> {
    let ticket = stage.raise(ANN, title).await;
    ticket.approve().await;
    ticket.assign(IVAN).await;
    ticket
}

async fn all(stage: &Stage, collection: &str) -> Vec<Document> {
    let rows = stage.app.database().collection::<Document>(collection);
    rows.find(doc! {}).await.unwrap().try_collect().await.unwrap()
}

async fn insert(stage: &Stage, collection: &str, rows: Vec<Document>) {
    if !rows.is_empty() {
        let collection = stage.app.database().collection::<Document>(collection);
        collection.insert_many(rows).ordered(false).await.unwrap();
    }
}

/// A copy of a ticket under another id, at another time, of other people.
async fn copy_of_ticket(stage: &Stage, original: &Document, id: &str, round: i64, age: i64) -> Document {
    let mut copy = original.clone();
    let words = words(original.get_str("_id").unwrap(), id, round);
    rename(&mut copy, &words);
    copy.insert("tail", Bson::Array(Vec::new()));
    let changed = START.plus_minutes(-age);
    let ticket = copy.get_document_mut("ticket").unwrap();
    ticket.insert("created_at", changed.plus_minutes(-60));
    ticket.insert("updated_at", changed);
    let aggregate: Aggregate = bson::deserialize_from_document(ticket.clone()).unwrap();
    let definitions = stage.app.app.facts.definitions_of(&aggregate).await.unwrap();
    let work = work_index::derive(&aggregate, &definitions);
    copy.insert("work", bson::serialize_to_bson(&work).unwrap());
    copy
}

/// Copies the rows of another collection in turn until there are so many, each on another ticket of other people.
async fn copy_rows(stage: &Stage, collection: &str, count: i64) {
    let originals = all(stage, collection).await;
    assert!(!originals.is_empty(), "nothing to copy in {collection}");
    let mut copies = Vec::new();
    for n in 0..count {
        let original = &originals[usize::try_from(n).unwrap() % originals.len()];
        let round = n / i64::try_from(originals.len()).unwrap();
        let mut copy = original.clone();
        let old = copy.get_str("_id").unwrap().to_owned();
        let ticket = old.split(':').next().unwrap().to_owned();
        // A row about a ticket is found by its key, other rows by an id of their own.
        if ticket.starts_with("TKT-") {
            rename(&mut copy, &words(&ticket, &format!("TKT-{n:012x}"), round));
        } else {
            let prefix = old.split('-').next().unwrap().to_owned();
            rename(&mut copy, &words(&old, &format!("{prefix}-{n:012x}"), round));
        }
        for field in ["at", "created_at", "timestamp", "uploaded_at", "updated_at"] {
            if matches!(copy.get(field), Some(Bson::DateTime(_))) {
                copy.insert(field, earlier(n));
            }
        }
        if let Ok(body) = copy.get_document_mut("body") {
            body.insert("at", earlier(n));
        }
        copies.push(copy);
        if copies.len() >= BATCH {
            insert(stage, collection, std::mem::take(&mut copies)).await;
        }
    }
    insert(stage, collection, copies).await;
}

fn earlier(n: i64) -> Timestamp {
    START.plus_minutes(-n)
}

/// What is called what in a copy: the ticket, and the people unless it is their turn to stay.
fn words(old_id: &str, new_id: &str, round: i64) -> Vec<(String, String)> {
    let mut words = vec![(old_id.to_owned(), new_id.to_owned())];
    let people = [
        (ANN, "832a2b1e-8261-516c-b66e-aa1fff912e45", round % ANNS == 0, 1),
        (
            MARK,
            "811cdba9-6f79-5afc-af96-0d1ee407cb95",
            round % MARKS == 0,
            7,
        ),
        (IVAN, "a8ffa63b-1708-5279-9887-6b172c910ef3", round < IVANS, 11),
    ];
    for (name, aad_id, stays, step) in people {
        if !stays {
            let other = (round * step) % PEOPLE;
            words.push((name.to_owned(), format!("person.{other}")));
            words.push((aad_id.to_owned(), format!("00000000-0000-4000-8000-{other:012x}")));
        }
    }
    words
}

/// Replaces the words in every text of a document.
fn rename(document: &mut Document, words: &[(String, String)]) {
    for (_, value) in document.iter_mut() {
        rename_value(value, words);
    }
}

fn rename_value(value: &mut Bson, words: &[(String, String)]) {
    match value {
        Bson::String(text) => {
            for (old, new) in words {
                if text.contains(old.as_str()) {
                    *text = text.replace(old.as_str(), new);
                }
            }
        }
        Bson::Document(inner) => rename(inner, words),
        Bson::Array(items) => items.iter_mut().for_each(|item| rename_value(item, words)),
        _ => {}
    }
}
