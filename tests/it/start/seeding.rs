use crate::support::TestApp;
use bson::{Document, doc};
use std::collections::BTreeSet;
use workflow_ops::services::seed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeding_shows_every_kind_of_step_and_state_and_repeated_changes_nothing() {
    let app = TestApp::new().await;
    let mut told = Vec::new();
    seed::seed(&app.app, |seeded| told.push(seeded.what))
        .await
        .unwrap();
    let counts = async || {
        app.app.execute.relay().drain().await.unwrap();
        let mut counts = Vec::new();
        for name in [
            "tickets",
            "workflows",
            "workflow_versions",
            "user_access",
            "admin_users",
            "audit_events",
        ] {
            let rows = app.database().collection::<Document>(name);
            counts.push((name, rows.count_documents(doc! {}).await.unwrap()));
        }
        counts
    };
    let first = counts().await;
    let mut again = Vec::new();
    seed::seed(&app.app, |seeded| again.push(seeded.what))
        .await
        .unwrap();
    assert_eq!(counts().await, first);
    assert_eq!(again.len(), told.len());

    let people = app.anonymous().get("/dev/people").await.expect(200).body;
    let people = people.as_array().unwrap();
    assert!(people.len() >= 12, "{}", people.len());
    assert!(
        people
            .iter()
            .filter(|person| person["manager_email"].is_string())
            .count()
            >= 10
    );
    let admin = app.person("admin.root");
    let catalog = admin.get("/api/v1/workflows/catalog").await.expect(200).body;
    assert!(catalog["total"].as_u64().unwrap() >= 3, "{catalog}");
    let mut kinds = BTreeSet::new();
    for workflow in catalog["items"].as_array().unwrap() {
        let path = format!("/api/v1/workflows/{}", workflow["workflow_id"].as_str().unwrap());
        let shown = admin.get(&path).await.expect(200).body;
        let steps = shown["definition"]["steps"].as_array().unwrap().clone();
        kinds.extend(
            steps
                .iter()
                .map(|step| step["step_type"].as_str().unwrap().to_owned()),
        );
    }
    for kind in ["FORM_STEP", "APPROVAL_STEP", "TASK_STEP", "NOTIFY_STEP"] {
        assert!(kinds.contains(kind), "no {kind} in {kinds:?}");
    }
    let tickets = admin
        .get("/api/v1/tickets?mine=false&page_size=100")
        .await
        .expect(200)
        .body;
    let tickets = tickets["items"].as_array().unwrap();
    assert!(tickets.len() >= 10, "{}", tickets.len());
    let states: BTreeSet<_> = tickets
        .iter()
        .map(|ticket| ticket["status"].as_str().unwrap())
        .collect();
    assert!(states.len() >= 4, "{states:?}");
}
