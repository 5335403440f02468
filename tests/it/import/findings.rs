//! What an import has to tell, as administrators read it over HTTP.

use super::scenario::Scenario;
use super::stage::Legacy;
use crate::support::{START, TestApp};
use pretty_assertions::assert_eq;
use serde_json::Value;
use workflow_ops::domain::time::Clock;
use workflow_ops::services::import::Mode;

const PATH: &str = "/api/v1/admin/import-findings";

async fn found(app: &TestApp, query: &str) -> Value {
    let path = format!("{PATH}?{query}");
    app.person("admin.root").get(&path).await.expect(200).body
}

fn all<'a>(page: &'a Value, key: &str) -> Vec<&'a str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item[key].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_super_administrator_lists_what_an_import_could_not_repair() {
    let app = TestApp::new().await;
    let legacy = Legacy::with(70, 82, START).await;
    let report = legacy
        .import(app.database(), Mode::Write, &Clock::fixed(START))
        .await;
    let helpless = found(&app, "rule=needs_administrator").await;
    let expected = legacy.generated.one(Scenario::NeedsAdministrator);
    assert!(all(&helpless, "subject").contains(&expected), "{helpless}");
    assert!(
        all(&helpless, "rule")
            .iter()
            .all(|rule| *rule == "needs_administrator")
    );

    let open = found(&app, "to_look_at=true&limit=100").await;
    assert_eq!(open["total"].as_u64(), Some(report.to_look_at));
    assert!(
        open["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["to_look_at"] == true)
    );
    let ids = all(&open, "finding_id");
    assert!(ids.is_sorted(), "{ids:?}");
    let (first, second) = (
        found(&app, "to_look_at=true&limit=3").await,
        found(&app, "to_look_at=true&skip=3&limit=3").await,
    );
    let paged = [all(&first, "finding_id"), all(&second, "finding_id")].concat();
    assert_eq!(paged, ids[..6]);

    let left = found(&app, "collection=ticket_steps").await;
    assert_eq!(all(&left, "subject"), ["STEP-00000000dead"]);
    let document = left["items"][0]["document"].as_str().unwrap();
    assert!(document.contains("TKT-00000000dead"), "{document}");
    let one = found(
        &app,
        "subject=STEP-00000000dead&rule=ticket_is_missing&rule=unreadable",
    )
    .await;
    assert_eq!(one["items"], left["items"]);
    assert_eq!(found(&app, "subject=nothing").await["total"], 0);
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_super_administrators_see_what_an_import_has_to_tell() {
    let app = TestApp::with_people().await;
    for person in ["ann.lee", "dana.wolf", "ken.ito", "sven.berg"] {
        app.person(person).get(PATH).await.expect(403);
    }
    let root = app.person("admin.root");
    assert_eq!(root.get(PATH).await.expect(200).body["total"], 0);
    let refused = root.get(&format!("{PATH}?rule=teleported&limit=0")).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
}
