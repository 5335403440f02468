//! Lookup tables (contract http-workflows 4, L1 to L10).

use crate::support::{TestApp, TestClient};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

/// A designer and a workflow of hers, as the path of its lookup tables.
async fn designer(app: &TestApp) -> (TestClient, String) {
    let dana = app.person("dana.wolf");
    let created = dana
        .post(
            "/api/v1/workflows",
            json!({"name": workflow_ops::domain::id::random_key()}),
        )
        .await
        .expect(201);
    let id = created.body["workflow_id"].as_str().unwrap().to_owned();
    (dana, format!("/api/v1/lookups/{id}"))
}

fn user(name: &str, is_primary: bool) -> Value {
    json!({"email": format!("{name}@example.com"), "display_name": name, "is_primary": is_primary})
}

async fn unit_leads(dana: &TestClient, tables: &str) -> String {
    let body = json!({"name": "Unit leads", "source_step_id": "ask", "source_field_key": "unit"});
    let table = dana.post(tables, body).await.expect(201).body;
    assert_eq!(
        (&table["version"], &table["is_active"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(table["updated_at"], Value::Null);
    format!("{tables}/{}", table["lookup_id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_replaced_resolved_and_counted_as_changes() {
    let app = TestApp::with_people().await;
    let (dana, tables) = designer(&app).await;
    let table = unit_leads(&dana, &tables).await;
    let entries = json!({"entries": [
        {"key": "A", "display_label": "", "users": [user("ivan.novak", false), user("nina.patel", true), user("tom.becker", true)]},
        {"key": "B", "users": [user("julia.rossi", false), user("ivan.novak", false)]},
        {"key": "C", "users": [user("ivan.novak", false)], "is_active": false},
    ]});
    let stored = dana
        .put(&format!("{table}/entries"), entries)
        .await
        .expect(200)
        .body;
    assert_eq!(stored["version"], 2);
    assert_eq!(
        stored["entries"][0]["users"][0]["email"],
        "nina.patel@example.com"
    );
    let anybody = app.person("zoe.quinn");
    let emails = |body: &Value| -> Vec<String> {
        let users = body["users"].as_array().unwrap();
        users
            .iter()
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect()
    };
    let resolve = format!("{tables}/resolve?step_id=ask&field_key=unit");
    let found = anybody
        .get(&format!("{resolve}&field_value=A"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        emails(&found),
        [
            "nina.patel@example.com",
            "ivan.novak@example.com",
            "tom.becker@example.com"
        ]
    );
    assert_eq!(found["users"][2]["order"], 2);
    let both = anybody
        .get(&format!("{resolve}&field_value[]=B&field_value[]=A"))
        .await
        .expect(200)
        .body;
    assert_eq!(emails(&both).len(), 4, "the union of both values' people");
    for nothing in ["a", "C", "D"] {
        let found = anybody
            .get(&format!("{resolve}&field_value={nothing}"))
            .await
            .expect(200)
            .body;
        assert_eq!(found, json!({"users": []}), "{nothing}");
    }
    anybody
        .get(&format!("{tables}/resolve?step_id=ask"))
        .await
        .expect(400);
    dana.delete(&table).await.expect(204);
    dana.delete(&table).await.expect(204);
    assert_eq!(
        anybody.get(&format!("{resolve}&field_value=A")).await.body,
        json!({"users": []})
    );
    assert_eq!(dana.get(&tables).await.expect(200).body, json!({"items": []}));
    let all = dana
        .get(&format!("{tables}?include_inactive=true"))
        .await
        .expect(200)
        .body;
    assert_eq!(all["items"][0]["is_active"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_entries_are_added_changed_and_removed() {
    let app = TestApp::with_people().await;
    let (dana, tables) = designer(&app).await;
    let table = unit_leads(&dana, &tables).await;
    let entries = format!("{table}/entries");
    let added = dana.post(&entries, json!({"key": "A"})).await.expect(200).body;
    let entry = format!("{entries}/{}", added["entries"][0]["entry_id"].as_str().unwrap());
    let doubled = dana.post(&entries, json!({"key": "a"})).await.expect(409);
    assert!(doubled.body["detail"].is_string(), "{}", doubled.text);
    let changed = dana
        .patch(&entry, json!({"display_label": "Unit A"}))
        .await
        .expect(200)
        .body;
    assert_eq!(changed["entries"][0]["display_label"], "Unit A");
    let users = json!({"users": [user("ivan.novak", false)]});
    let peopled = dana.put(&format!("{entry}/users"), users).await.expect(200).body;
    assert_eq!(peopled["entries"][0]["users"][0]["is_primary"], true);
    assert_eq!(peopled["version"], 4);
    let removed = dana.delete(&entry).await.expect(200).body;
    assert_eq!(removed["entries"], json!([]));
    assert_eq!(dana.delete(&entry).await.expect(200).body["version"], 5);
    dana.patch(&entry, json!({"key": "B"})).await.expect(404);
    let wrong = json!({"users": [{"email": "nobody", "display_name": ""}]});
    assert_eq!(
        dana.put(&format!("{entry}/users"), wrong)
            .await
            .expect(400)
            .code(),
        "VALIDATION_ERROR"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_the_designers_and_their_workflows() {
    let app = TestApp::with_people().await;
    let (dana, tables) = designer(&app).await;
    let table = unit_leads(&dana, &tables).await;
    let ann = app.person("ann.lee");
    ann.get(&tables).await.expect(403);
    ann.patch(&table, json!({"name": "Mine"})).await.expect(403);
    let (_, foreign) = designer(&app).await;
    let id = table.rsplit('/').next().unwrap();
    let refused = dana
        .patch(&format!("{foreign}/{id}"), json!({"name": "Mine"}))
        .await
        .expect(404);
    assert!(refused.body["detail"].is_string());
    let kept = dana.get(&table).await.expect(200).body;
    assert_eq!(
        (&kept["name"], &kept["version"]),
        (&json!("Unit leads"), &json!(1))
    );
    let stale = json!({"name": "Leads", "expected_version": 7});
    assert_eq!(
        dana.patch(&table, stale).await.expect(409).code(),
        "CONCURRENCY_CONFLICT"
    );
    let cleared = dana.patch(&table, json!({"description": "x"})).await.expect(200);
    assert_eq!(cleared.body["description"], "x");
    let cleared = dana.patch(&table, json!({"description": ""})).await.expect(200);
    assert_eq!(cleared.body["description"], Value::Null);
    let twice = json!({"name": "Again", "source_step_id": "ask", "source_field_key": "unit"});
    dana.post(&tables, twice).await.expect(409);
    let unknown = "/api/v1/lookups/WF-000000000000";
    dana.post(unknown, json!({"name": "x"})).await.expect(404);
    assert_eq!(dana.get(unknown).await.expect(200).body, json!({"items": []}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_goes_to_the_primary_person_of_the_looked_up_entry() {
    let app = TestApp::with_people().await;
    let (dana, tables) = designer(&app).await;
    let table = unit_leads(&dana, &tables).await;
    let entries = json!({"entries": [{"key": "North", "users": [user("ivan.novak", false), user("nina.patel", true)]}]});
    dana.put(&format!("{table}/entries"), entries).await.expect(200);
    let unit = json!({"field_key": "unit", "field_label": "Unit", "field_type": "SELECT", "required": true, "order": 0,
        "options": ["North", "South"]});
    let definition = json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "order": 0, "fields": [unit]},
            {"step_id": "lead", "step_name": "Lead", "step_type": "APPROVAL_STEP", "order": 1, "is_terminal": true,
             "approver_resolution": "FROM_LOOKUP", "lookup_id": table.rsplit('/').next().unwrap(),
             "lookup_source_step_id": "ask", "lookup_source_field_key": "unit"},
        ],
        "transitions": [{"transition_id": "t1", "from_step_id": "ask", "to_step_id": "lead", "on_event": "SUBMIT_FORM"}],
    });
    let workflow = tables.replace("lookups", "workflows");
    dana.put(&format!("{workflow}/draft"), json!({"definition": definition}))
        .await
        .expect(200);
    dana.post(&format!("{workflow}/publish"), json!({}))
        .await
        .expect(200);
    let wish = json!({"workflow_id": workflow.rsplit('/').next().unwrap(), "title": "A desk",
        "initial_form_values": {"unit": "North"}, "initial_form_step_ids": ["ask"]});
    let ticket = app
        .person("ann.lee")
        .post("/api/v1/tickets", wish)
        .await
        .expect(201)
        .body;
    let nina = app.person("nina.patel");
    let approvals = nina.get("/api/v1/tickets/manager/approvals").await.expect(200);
    assert!(
        approvals.text.contains(ticket["ticket_id"].as_str().unwrap()),
        "{}",
        approvals.text
    );
}
