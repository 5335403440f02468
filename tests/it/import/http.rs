//! Imported live tickets over HTTP are driven to an end.

use super::scenario::Scenario;
use super::stage::Legacy;
use crate::support::{Reply, START, TestApp, TestClient};
use serde_json::json;
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

/// An application with the tickets of a generated database.
pub(super) async fn imported(seed: u64) -> (TestApp, Legacy) {
    let app = TestApp::new().await;
    let legacy = Legacy::with(70, seed, START).await;
    let report = legacy
        .import(app.database(), Mode::Write, &Clock::fixed(START))
        .await;
    assert!(report.is_clean(), "{}", report.to_text());
    (app, legacy)
}

/// A ticket's page.
pub(super) async fn detail(client: &TestClient, id: &str) -> Reply {
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
