//! Imported tickets over HTTP: live ones are driven to an end, finished ones read as before.

use super::scenario::Scenario;
use super::stage::Legacy;
use crate::support::{Reply, START, TestApp, TestClient};
use bson::{Bson, Document, doc};
use serde_json::{Value, json};
use workflow_ops::domain::time::Clock;
use workflow_ops::services::import::Mode;
use workflow_ops::services::replay::Replay;

/// The people with a part in generated tickets.
const PEOPLE: [&str; 8] = [
    "ann.lee",
    "mark.stone",
    "maria.lopez",
    "nina.patel",
    "ivan.novak",
    "julia.rossi",
    "tom.becker",
    "admin.root",
];

async fn imported(seed: u64) -> (TestApp, Legacy) {
    let app = TestApp::new().await;
    let legacy = Legacy::with(70, seed, START).await;
    let report = legacy
        .import(app.database(), Mode::Write, &Clock::fixed(START))
        .await;
    assert!(report.is_clean(), "{}", report.to_text());
    (app, legacy)
}

async fn detail(client: &TestClient, id: &str) -> Reply {
    client.get(&format!("/api/v1/tickets/{id}")).await
}

/// Does one thing that brings the ticket on; says what.
async fn bring_on(app: &TestApp, id: &str) -> Option<String> {
    for name in PEOPLE {
        let client = app.person(name);
        let page = detail(&client, id).await;
        if page.status != 200 {
            continue;
        }
        if let Some(change) = page.body["ticket"]["pending_change_request_id"].as_str() {
            let path = format!("/api/v1/change-requests/{change}/reject");
            let said = client
                .post(&path, json!({"action": "REJECT", "notes": "no"}))
                .await;
            if said.status == 200 {
                return Some(format!("{name} rejects the change"));
            }
        }
        for step in page.body["steps"].as_array().unwrap() {
            if step["state"] == "ON_HOLD" {
                let path = format!(
                    "/api/v1/tickets/{id}/steps/{}/resume",
                    step["ticket_step_id"].as_str().unwrap()
                );
                if client.post(&path, json!({})).await.status == 200 {
                    return Some(format!("{name} resumes"));
                }
            }
        }
        for task in page.body["actionable_tasks"].as_array().unwrap() {
            let step = task["ticket_step_id"].as_str().unwrap();
            let may = |action: &str| {
                task["available_actions"]
                    .as_array()
                    .unwrap()
                    .contains(&json!(action))
            };
            let (word, body) = if may("respond_info") {
                ("respond-info", json!({"response_text": "this one"}))
            } else if may("approve") {
                ("approve", json!({"comment": "fine"}))
            } else if may("complete_task") {
                ("complete", json!({"output_values": {}}))
            } else if may("submit_form") {
                ("submit-form", json!({"form_values": {"item": "a", "amount": 3}}))
            } else if may("assign") {
                ("assign", json!({"agent_email": "ivan.novak@example.com"}))
            } else {
                continue;
            };
            let said = client
                .post(&format!("/api/v1/tickets/{id}/steps/{step}/{word}"), body)
                .await;
            assert_eq!(said.status, 200, "{name} {word} {id}: {}", said.text);
            return Some(format!("{name} {word}"));
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_live_tickets_of_every_state_are_driven_to_an_end() {
    let (app, legacy) = imported(31).await;
    let ann = app.person("ann.lee");
    let mut driven = 0;
    for (scenario, ids) in &legacy.generated.tickets {
        let id = &ids[0];
        if matches!(
            scenario,
            Scenario::NeedsAdministrator | Scenario::VersionIsMissing
        ) {
            // Its definition leads nowhere: whoever raised it can still take it back.
            let said = ann
                .post(
                    &format!("/api/v1/tickets/{id}/cancel"),
                    json!({"reason": "dead end"}),
                )
                .await;
            assert_eq!(said.status, 200, "{scenario:?}: {}", said.text);
        }
        let mut done = Vec::new();
        loop {
            let page = detail(&ann, id).await.expect(200);
            let status = page.body["ticket"]["status"].as_str().unwrap().to_owned();
            if ["COMPLETED", "REJECTED", "SKIPPED", "CANCELLED"].contains(&status.as_str()) {
                break;
            }
            match bring_on(&app, id).await {
                Some(what) if done.len() < 40 => done.push(what),
                _ => panic!(
                    "{scenario:?} {id} stands still in {status} after {done:?}: {}",
                    page.text
                ),
            }
        }
        driven += usize::from(!done.is_empty());
    }
    assert!(driven > 25, "{driven}");
    app.app.execute.relay().sweep().await.unwrap();
    let replayed = Replay::of(&app.app).all(|_| {}).await.unwrap();
    assert_eq!(replayed.different, Vec::new());
    legacy.drop().await;
}

/// The reference's answer to a read, in our form of times.
fn wire(at: &Bson) -> Value {
    match at {
        Bson::DateTime(at) => json!(workflow_ops::domain::time::Timestamp::from(*at).to_wire()),
        _ => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imported_finished_tickets_read_as_before_in_detail_lists_and_audit() {
    let (app, legacy) = imported(32).await;
    let ann = app.person("ann.lee");
    let ended = [
        Scenario::Completed,
        Scenario::CompletedThroughBranches,
        Scenario::CompletedAfterChange,
        Scenario::Rejected,
        Scenario::Skipped,
        Scenario::Cancelled,
    ];
    let tickets = legacy.database.collection::<Document>("tickets");
    for scenario in ended {
        let id = legacy.generated.one(scenario);
        let before = tickets.find_one(doc! {"_id": id}).await.unwrap().unwrap();
        let page = detail(&ann, id).await.expect(200).body;
        let ticket = &page["ticket"];
        for key in [
            "title",
            "description",
            "status",
            "workflow_name",
            "workflow_version_id",
            "current_step_id",
        ] {
            assert_eq!(
                ticket[key].as_str(),
                before.get_str(key).ok(),
                "{scenario:?} {key}"
            );
        }
        for key in ["created_at", "updated_at", "completed_at"] {
            assert_eq!(ticket[key], wire(before.get(key).unwrap()), "{scenario:?} {key}");
        }
        let values: Value = bson::deserialize_from_bson(before.get("form_values").unwrap().clone()).unwrap();
        assert_eq!(ticket["form_values"], values, "{scenario:?}");
        assert_eq!(ticket["requester"]["email"], "ann.lee@example.com");
        read_steps(&legacy, &page, id).await;
        read_audit(&app, &legacy, id).await;
    }
    let listed = ann
        .get("/api/v1/tickets?status=COMPLETED&page_size=100")
        .await
        .expect(200)
        .body;
    let completed = tickets
        .count_documents(doc! {"status": "COMPLETED"})
        .await
        .unwrap();
    assert!(listed["total"].as_u64().unwrap() >= completed);
    let ids: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["ticket_id"].as_str())
        .collect();
    assert!(ids.contains(&legacy.generated.one(Scenario::Completed)));
    let history = app
        .person("ivan.novak")
        .get("/api/v1/tickets/agent/history")
        .await
        .expect(200)
        .body;
    assert!(
        history["items"].as_array().is_some_and(|items| !items.is_empty()),
        "{history}"
    );
    let decided = app
        .person("mark.stone")
        .get("/api/v1/tickets/manager/history")
        .await
        .expect(200)
        .body;
    assert!(
        decided["items"].as_array().is_some_and(|items| !items.is_empty()),
        "{decided}"
    );
    legacy.drop().await;
}

async fn read_steps(legacy: &Legacy, page: &Value, id: &str) {
    let steps = legacy.database.collection::<Document>("ticket_steps");
    for step in page["steps"].as_array().unwrap() {
        let own = step["ticket_step_id"].as_str().unwrap();
        let before = steps.find_one(doc! {"_id": own}).await.unwrap().unwrap();
        for key in ["step_id", "step_name", "step_type"] {
            assert_eq!(step[key].as_str(), before.get_str(key).ok(), "{id} {own} {key}");
        }
        if before.get_str("state").ok() != Some("NOT_STARTED") {
            assert_eq!(step["state"].as_str(), before.get_str("state").ok(), "{id} {own}");
            assert_eq!(
                step["completed_at"],
                wire(before.get("completed_at").unwrap()),
                "{id} {own}"
            );
        }
        let notes = before
            .get_document("data")
            .unwrap()
            .get_array("notes")
            .map_or(0, Vec::len);
        assert_eq!(
            step["data"]["notes"].as_array().map_or(0, Vec::len),
            notes,
            "{id} {own}"
        );
    }
}

async fn read_audit(app: &TestApp, legacy: &Legacy, id: &str) {
    let path = format!("/api/v1/admin/ticket-audit?ticket_id={id}&limit=100");
    let found = app.person("admin.root").get(&path).await.expect(200).body;
    let items = found["items"].as_array().unwrap_or_else(|| panic!("{found}"));
    let events = legacy.database.collection::<Document>("audit_events");
    let mut cursor = events.find(doc! {"ticket_id": id}).await.unwrap();
    while cursor.advance().await.unwrap() {
        let before = cursor.deserialize_current().unwrap();
        let own = before.get_str("audit_event_id").unwrap();
        let ours = items.iter().find(|item| item["audit_event_id"] == own);
        let ours = ours.unwrap_or_else(|| panic!("{own} of {id} is not in {found}"));
        assert_eq!(ours["event_type"].as_str(), before.get_str("event_type").ok());
    }
}
