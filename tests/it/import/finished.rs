//! Imported finished tickets over HTTP: they read as before in detail, lists and audit, but for what the repairs in their
//! own audit trail tell, word for word.

use super::http::{detail, imported};
use super::scenario::Scenario;
use super::stage::Legacy;
use crate::support::TestClient;
use bson::{Bson, Document, doc};
use chrono::DateTime;
use futures::TryStreamExt;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use workflow_ops::domain::time::Timestamp;

/// Finished as people meant it, and finished with something left open or half written.
const FINISHED: [Scenario; 12] = [
    Scenario::Completed,
    Scenario::CompletedThroughBranches,
    Scenario::CompletedAfterChange,
    Scenario::Rejected,
    Scenario::Skipped,
    Scenario::Cancelled,
    Scenario::RejectedBesideQuestion,
    Scenario::CancelledWhileHeld,
    Scenario::VoteOutlivedStep,
    Scenario::ChangeOutlivedTicket,
    Scenario::RevivedTicket,
    Scenario::ChangeRequestHalfApplied,
];

/// What there is to read, by document and field, both named as in the reference's database.
type Facts = BTreeMap<(String, &'static str), Value>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_finished_tickets_read_as_before_but_for_what_their_repairs_tell() {
    let (app, legacy) = imported(32).await;
    let (ann, root) = (app.person("ann.lee"), app.person("admin.root"));
    let listed = ann.get("/api/v1/tickets?page_size=100").await.expect(200).body;
    let tickets = legacy.database.collection::<Document>("tickets");
    let ended = doc! {"completed_at": {"$ne": Bson::Null}};
    let ended: Vec<Document> = tickets.find(ended).await.unwrap().try_collect().await.unwrap();
    let mut explained = BTreeSet::new();
    for before in &ended {
        let id = before.get_str("ticket_id").unwrap();
        let page = detail(&ann, id).await.expect(200).body;
        let told = audit(&root, &legacy, id).await;
        let mut read = facts_of_page(&page);
        for (of, before) in stored_facts(&legacy, before).await {
            let after = read
                .remove(&of)
                .unwrap_or_else(|| panic!("{of:?} is gone from {page}"));
            if before == after {
                continue;
            }
            let change = (of.0.clone(), of.1.to_owned(), text_of(&before), text_of(&after));
            assert!(told.contains(&change), "{id}: {change:?} is not in {told:#?}");
            explained.insert(id);
        }
        let of_others: Vec<_> = read.keys().collect();
        assert_eq!(of_others, Vec::<&(String, &str)>::new(), "{id}");
        in_lists(&listed, &page, id);
        changes(&ann, &legacy, id, &told).await;
    }
    let ids: BTreeSet<&str> = ended
        .iter()
        .map(|ticket| ticket.get_str("ticket_id").unwrap())
        .collect();
    for scenario in FINISHED {
        assert!(ids.contains(legacy.generated.one(scenario)), "{scenario:?}");
    }
    for scenario in [
        Scenario::RejectedBesideQuestion,
        Scenario::CancelledWhileHeld,
        Scenario::ChangeOutlivedTicket,
        Scenario::RevivedTicket,
    ] {
        let id = legacy.generated.one(scenario);
        assert!(explained.contains(id), "nothing of {scenario:?} was repaired");
    }
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_finished_work_is_in_peoples_histories() {
    let (app, legacy) = imported(33).await;
    for (person, list, scenario) in [
        ("ivan.novak", "agent", Scenario::Completed),
        ("mark.stone", "manager", Scenario::Rejected),
    ] {
        let path = format!("/api/v1/tickets/{list}/history?page_size=100");
        let history = app.person(person).get(&path).await.expect(200).body;
        let id = legacy.generated.one(scenario);
        let items = history["items"].as_array().unwrap();
        assert!(
            items.iter().any(|item| item["ticket"]["ticket_id"] == id),
            "{id} is not in {items:?}"
        );
    }
    legacy.drop().await;
}

/// The list has the ticket as its page shows it.
fn in_lists(listed: &Value, page: &Value, id: &str) {
    let rows = listed["items"].as_array().unwrap();
    let row = rows.iter().find(|row| row["ticket_id"] == id);
    let row = row.unwrap_or_else(|| panic!("{id} is not listed"));
    for key in [
        "title",
        "status",
        "workflow_name",
        "current_step_id",
        "requester",
        "created_at",
        "updated_at",
        "completed_at",
    ] {
        assert_eq!(row[key], page["ticket"][key], "{id} {key}");
    }
}

/// What the repairs of a ticket tell: document, field, before, after. Every event of before is there as it was, and of
/// others only repairs.
async fn audit(root: &TestClient, legacy: &Legacy, id: &str) -> BTreeSet<(String, String, String, String)> {
    let path = format!("/api/v1/admin/ticket-audit?ticket_id={id}&limit=100");
    let found = root.get(&path).await.expect(200).body;
    let mut events: BTreeMap<&str, &Value> = BTreeMap::new();
    for item in found["items"].as_array().unwrap() {
        events.insert(item["audit_event_id"].as_str().unwrap(), item);
    }
    for before in documents(legacy, "audit_events", id).await {
        let own = before.get_str("audit_event_id").unwrap();
        let ours = events
            .remove(own)
            .unwrap_or_else(|| panic!("{own} of {id} is not in {found}"));
        assert_eq!(ours["timestamp"], at(&before, "timestamp"), "{own}");
        assert_eq!(ours["details"], json_at(&before, "details"), "{own}");
        assert_eq!(ours["actor"]["email"], address(&before, "actor"), "{own}");
        for key in ["event_type", "ticket_step_id", "correlation_id"] {
            assert_eq!(ours[key], word(&before, key), "{own} {key}");
        }
    }
    let mut told = BTreeSet::new();
    for repair in events.into_values() {
        assert_eq!(repair["event_type"], "IMPORT_REPAIR", "{repair}");
        for change in repair["details"]["changes"].as_array().unwrap() {
            let word = |key: &str| change[key].as_str().unwrap().to_owned();
            told.insert((word("subject"), word("field"), word("before"), word("after")));
        }
    }
    told
}

/// The change requests of a ticket read as before, too.
async fn changes(
    ann: &TestClient,
    legacy: &Legacy,
    id: &str,
    told: &BTreeSet<(String, String, String, String)>,
) {
    let path = format!("/api/v1/change-requests/tickets/{id}/history");
    let answer = ann.get(&path).await.expect(200).body;
    let text = answer.to_string();
    for before in documents(legacy, "change_requests", id).await {
        let own = before.get_str("change_request_id").unwrap();
        let found = find(&answer, own).unwrap_or_else(|| panic!("{own} is not in {text}"));
        assert_eq!(found["reason"], word(&before, "reason"), "{own}");
        assert_eq!(found["requested_at"], at(&before, "requested_at"), "{own}");
        let values = |data: &Document| json_at(data, "form_values");
        for key in ["proposed_data", "original_data"] {
            let before = before.get_document(key).unwrap();
            assert_eq!(found[key]["form_values"], values(before), "{own} {key}");
        }
        for (key, before) in [
            ("status", word(&before, "status")),
            ("reviewed_at", at(&before, "reviewed_at")),
        ] {
            let change = (
                own.to_owned(),
                key.to_owned(),
                text_of(&before),
                text_of(&found[key]),
            );
            assert!(before == found[key] || told.contains(&change), "{change:?}");
        }
    }
}

/// The change request of this id, wherever an answer has it.
fn find<'a>(answer: &'a Value, id: &str) -> Option<&'a Value> {
    if answer["change_request_id"] == id {
        return Some(answer);
    }
    match answer {
        Value::Array(items) => items.iter().find_map(|item| find(item, id)),
        Value::Object(map) => map.values().find_map(|item| find(item, id)),
        _ => None,
    }
}

/// What the reference has of a ticket.
async fn stored_facts(legacy: &Legacy, ticket: &Document) -> Facts {
    let id = ticket.get_str("ticket_id").unwrap();
    let mut facts = Facts::new();
    let count = |of: &Document, key: &str| json!(of.get_array(key).map_or(0, Vec::len));
    let mut add = |of: &str, named: Vec<(&'static str, Value)>| {
        facts.extend(
            named
                .into_iter()
                .map(|(field, value)| ((of.to_owned(), field), value)),
        );
    };
    let words = |of: &Document, keys: &[&'static str]| {
        let keys = keys.iter();
        keys.map(|key| (*key, word(of, key))).collect::<Vec<_>>()
    };
    let times = |of: &Document, keys: &[&'static str]| {
        let keys = keys.iter();
        keys.map(|key| (*key, at(of, key))).collect::<Vec<_>>()
    };
    add(id, words(ticket, &TICKET_WORDS));
    add(id, times(ticket, &TICKET_TIMES));
    add(
        id,
        vec![
            ("requester", address(ticket, "requester")),
            ("manager_snapshot", address(ticket, "manager_snapshot")),
            ("form_values", json_at(ticket, "form_values")),
            ("attachment_ids", json_at(ticket, "attachment_ids")),
            ("form_version", json_at(ticket, "form_version")),
            ("requester_notes", count(ticket, "requester_notes")),
        ],
    );
    for step in documents(legacy, "ticket_steps", id).await {
        let own = step.get_str("ticket_step_id").unwrap();
        let data = step.get_document("data").unwrap();
        add(own, words(&step, &STEP_WORDS));
        add(own, times(&step, &STEP_TIMES));
        add(own, words(data, &STEP_DATA_WORDS));
        add(
            own,
            vec![
                ("assigned_to", address(&step, "assigned_to")),
                ("output_values", json_at(data, "output_values")),
                ("notes", count(data, "notes")),
            ],
        );
    }
    for info in documents(legacy, "info_requests", id).await {
        let own = info.get_str("info_request_id").unwrap();
        add(own, words(&info, &QUESTION_WORDS));
        add(own, times(&info, &QUESTION_TIMES));
        add(own, vec![("requested_by", address(&info, "requested_by"))]);
        add(own, vec![("requested_from", address(&info, "requested_from"))]);
    }
    facts
}

/// What a person reads on a ticket's page.
fn facts_of_page(page: &Value) -> Facts {
    let mut facts = Facts::new();
    let count = |of: &Value| json!(of.as_array().map_or(0, Vec::len));
    let mut add = |of: &Value, field: &'static str, value: Value| {
        facts.insert((of.as_str().unwrap().to_owned(), field), value);
    };
    let ticket = &page["ticket"];
    let id = &ticket["ticket_id"];
    for key in TICKET_WORDS.into_iter().chain(TICKET_TIMES) {
        add(id, key, ticket[key].clone());
    }
    for key in ["form_values", "attachment_ids", "form_version"] {
        add(id, key, ticket[key].clone());
    }
    for key in ["requester", "manager_snapshot"] {
        add(id, key, ticket[key]["email"].clone());
    }
    add(id, "requester_notes", count(&ticket["requester_notes"]));
    for step in page["steps"].as_array().unwrap() {
        let (own, data) = (&step["ticket_step_id"], &step["data"]);
        for key in STEP_WORDS.into_iter().chain(STEP_TIMES) {
            add(own, key, step[key].clone());
        }
        for key in STEP_DATA_WORDS.into_iter().chain(["output_values"]) {
            add(own, key, data[key].clone());
        }
        add(own, "assigned_to", step["assigned_to"]["email"].clone());
        add(own, "notes", count(&data["notes"]));
    }
    for info in page["info_requests"].as_array().unwrap() {
        let own = &info["info_request_id"];
        for key in QUESTION_WORDS.into_iter().chain(QUESTION_TIMES) {
            add(own, key, info[key].clone());
        }
        for key in ["requested_by", "requested_from"] {
            add(own, key, info[key]["email"].clone());
        }
    }
    facts
}

const TICKET_WORDS: [&str; 9] = [
    "title",
    "description",
    "status",
    "workflow_id",
    "workflow_name",
    "workflow_version_id",
    "current_step_id",
    "pending_end_step_id",
    "pending_change_request_id",
];
const TICKET_TIMES: [&str; 3] = ["created_at", "updated_at", "completed_at"];
const STEP_WORDS: [&str; 6] = [
    "step_id",
    "step_name",
    "step_type",
    "state",
    "outcome",
    "parent_sub_workflow_step_id",
];
const STEP_TIMES: [&str; 3] = ["started_at", "completed_at", "due_at"];
const STEP_DATA_WORDS: [&str; 2] = ["execution_notes", "hold_reason"];
/// An answer is left out: where there is none a withdrawn question shows why.
const QUESTION_WORDS: [&str; 3] = ["status", "question_text", "requested_from_step_type"];
const QUESTION_TIMES: [&str; 2] = ["requested_at", "responded_at"];

async fn documents(legacy: &Legacy, collection: &str, ticket: &str) -> Vec<Document> {
    let rows = legacy.database.collection::<Document>(collection);
    let found = rows.find(doc! {"ticket_id": ticket}).await.unwrap();
    found.try_collect().await.unwrap()
}

fn word(of: &Document, key: &str) -> Value {
    json!(of.get_str(key).ok())
}

fn address(of: &Document, key: &str) -> Value {
    json!(
        of.get_document(key)
            .ok()
            .and_then(|person| person.get_str("email").ok())
    )
}

fn json_at(of: &Document, key: &str) -> Value {
    let value = of.get(key).cloned().unwrap_or(Bson::Null);
    bson::deserialize_from_bson(value).unwrap()
}

/// An instant, which the reference stores in two forms, in ours.
fn at(of: &Document, key: &str) -> Value {
    match of.get(key) {
        Some(Bson::DateTime(at)) => json!(Timestamp::from(*at).to_wire()),
        Some(Bson::String(text)) => {
            let at = DateTime::parse_from_rfc3339(text).unwrap();
            json!(Timestamp::from_millis(at.timestamp_millis()).to_wire())
        }
        _ => Value::Null,
    }
}

/// As repairs tell a value.
fn text_of(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        _ => value.to_string(),
    };
    text.chars().take(200).collect()
}
