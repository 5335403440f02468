//! Workflows over HTTP: drafted, checked, published as immutable versions, listed, renamed, archived and removed.

use crate::support::{TestApp, TestClient};
use crate::tickets::stage::Stage;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/workflows";

async fn created(designer: &TestClient, body: Value) -> String {
    let reply = designer.post(PATH, body).await.expect(201);
    reply.body["workflow_id"].as_str().unwrap().to_owned()
}

async fn save(designer: &TestClient, id: &str, definition: &Value) -> Value {
    let body = json!({"definition": definition, "change_summary": "Why"});
    let path = format!("{PATH}/{id}/draft");
    designer.put(&path, body).await.expect(200).body
}

async fn publish(designer: &TestClient, id: &str) -> Value {
    let path = format!("{PATH}/{id}/publish");
    designer.post_nothing(&path).await.expect(200).body
}

/// A published workflow of this name.
async fn published(designer: &TestClient, about: Value) -> String {
    let id = created(designer, about).await;
    save(designer, &id, &Stage::usual()).await;
    publish(designer, &id).await;
    id
}

#[tokio::test]
async fn a_draft_is_kept_as_it_was_drawn_and_checked_but_not_refused_for_its_errors() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let id = created(&dana, json!({"name": "Laptop", "tags": ["hw"]})).await;
    let empty = dana
        .post_nothing(&format!("{PATH}/{id}/validate"))
        .await
        .expect(200);
    assert_eq!(empty.body["errors"][0]["type"], "NO_DEFINITION");
    assert_eq!(
        dana.post_nothing(&format!("{PATH}/{id}/publish"))
            .await
            .expect(400)
            .code(),
        "WORKFLOW_VALIDATION_ERROR"
    );

    let mut drawn = Stage::usual();
    // What nobody here knows stays: keys of other programs, nulls, and their order.
    drawn["steps"][0]["z_last"] = json!({"b": [1, null, {"deep": true}], "a": ""});
    drawn["steps"][0]["fields"][0]["validation"] = json!(null);
    let saved = save(&dana, &id, &drawn).await;
    assert_eq!(saved["validation"]["is_valid"], true, "{saved}");
    let shown = dana.get(&format!("{PATH}/{id}")).await.expect(200).body;
    assert_eq!(shown["definition"]["steps"], drawn["steps"]);
    assert_eq!(
        serde_json::to_string(&shown["definition"]["steps"]).unwrap(),
        serde_json::to_string(&drawn["steps"]).unwrap()
    );
    assert_eq!(
        shown["definition"]["transitions"][0]["priority"], 0,
        "an edge has all its keys"
    );
    assert_eq!(
        (&shown["status"], &shown["published_version"]),
        (&json!("DRAFT"), &json!(null))
    );

    // Errors do not stop a save; what cannot be read at all is refused, and the draft stays.
    let mut broken = drawn.clone();
    broken["steps"][3]["is_terminal"] = json!(false);
    broken["start_step_id"] = json!("nowhere");
    let saved = save(&dana, &id, &broken).await;
    let kinds: Vec<_> = saved["validation"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["type"])
        .collect();
    assert!(
        kinds.contains(&&json!("INVALID_START")) && kinds.contains(&&json!("NO_TERMINAL")),
        "{kinds:?}"
    );
    let refused = dana
        .post_nothing(&format!("{PATH}/{id}/publish"))
        .await
        .expect(400);
    assert!(
        refused.body["error"]["details"]["errors"]
            .as_array()
            .unwrap()
            .len()
            >= 2
    );
    for unreadable in [
        json!({"steps": "none"}),
        json!({"steps": [1], "transitions": []}),
        json!({"steps": [], "transitions": [{"from_step_id": "a", "to_step_id": null}]}),
        json!({"steps": vec![json!({}); 501], "transitions": []}),
        json!({"steps": [{"branches": vec![json!({}); 501]}], "transitions": []}),
    ] {
        let body = json!({"definition": unreadable});
        let refused = dana.put(&format!("{PATH}/{id}/draft"), body).await.expect(400);
        assert_eq!(refused.code(), "WORKFLOW_VALIDATION_ERROR", "{}", refused.text);
    }
    let shown = dana.get(&format!("{PATH}/{id}")).await.expect(200).body;
    assert_eq!(shown["definition"]["start_step_id"], "nowhere");
}

#[tokio::test]
async fn versions_are_numbered_and_never_change_and_a_repeated_publish_is_the_same_version() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let id = created(&dana, json!({"name": "Laptop"})).await;
    save(&dana, &id, &Stage::usual()).await;
    let first = publish(&dana, &id).await;
    assert_eq!(first["version"], 1);
    assert_eq!(publish(&dana, &id).await, first, "nothing has changed");

    let mut next = Stage::usual();
    next["steps"][0]["step_name"] = json!("Ask again");
    save(&dana, &id, &next).await;
    let before = dana
        .get(&format!("{PATH}/{id}/initial-forms"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        before["initial_forms"][0]["step_name"], "Ask",
        "a draft is not in force"
    );
    assert_eq!(publish(&dana, &id).await["version"], 2);
    let words = json!({"name": "Notebook", "description": ""});
    let renamed = dana.patch(&format!("{PATH}/{id}/metadata"), words).await;
    assert_eq!(renamed.expect(200).body["name"], "Notebook");

    let listed = dana.get(&format!("{PATH}/{id}/versions")).await.expect(200).body;
    let numbers: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["version_number"])
        .collect();
    assert_eq!(numbers, [2, 1]);
    let old = dana
        .get(&format!("{PATH}/{id}/versions/1"))
        .await
        .expect(200)
        .body;
    assert_eq!(old["workflow_version_id"], first["workflow_version_id"]);
    assert_eq!(
        (&old["name"], &old["change_summary"]),
        (&json!("Laptop"), &json!("Why"))
    );
    assert_eq!(old["definition"]["steps"][0]["step_name"], "Ask");
    dana.get(&format!("{PATH}/{id}/versions/3")).await.expect(404);
    dana.get(&format!("{PATH}/{id}/versions/x")).await.expect(400);
    let shown = dana.get(&format!("{PATH}/{id}")).await.expect(200).body;
    assert_eq!(
        (&shown["current_version"], &shown["published_version"]),
        (&json!(2), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_publications_at_once_through_two_processes_each_has_its_own_number() {
    let app = TestApp::with_people().await;
    let second = app.second_process(&[]).await;
    let people = [app.person("dana.wolf"), second.person("dana.wolf")];
    let id = created(&people[0], json!({"name": "Race"})).await;
    let mut versions = Vec::new();
    for round in 0..4 {
        let mut drawn = Stage::usual();
        drawn["steps"][0]["step_name"] = json!(format!("Round {round}"));
        save(&people[0], &id, &drawn).await;
        let path = format!("{PATH}/{id}/publish");
        let at_once = (0..8).map(|n| people[n % 2].post_nothing(&path));
        for reply in futures::future::join_all(at_once).await {
            versions.push(reply.expect(200).body["version"].clone());
        }
    }
    // Each round is one version, whoever published it.
    let expected: Vec<_> = (1..=4).flat_map(|round| vec![json!(round); 8]).collect();
    assert_eq!(versions, expected);

    // Publications between which the draft changes: numbers are given once each, without a gap.
    let race = async |person: &TestClient, word: &str| {
        let mut numbers = Vec::new();
        for round in 0..5 {
            let mut drawn = Stage::usual();
            drawn["steps"][0]["step_name"] = json!(format!("{word} {round}"));
            save(person, &id, &drawn).await;
            let reply = person.post_nothing(&format!("{PATH}/{id}/publish")).await;
            assert!(matches!(reply.status.as_u16(), 200 | 409), "{}", reply.text);
            numbers.extend(reply.body["version"].as_i64());
        }
        numbers
    };
    let (one, two) = tokio::join!(race(&people[0], "one"), race(&people[1], "two"));
    let highest = one.iter().chain(&two).max().copied().unwrap();
    let listed = people[0]
        .get(&format!("{PATH}/{id}/versions?page_size=100"))
        .await
        .expect(200)
        .body;
    let numbers: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version_number"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=highest).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn the_catalog_shows_what_is_published_by_name_and_finds_text_literally() {
    let app = TestApp::with_people().await;
    let (dana, ann) = (app.person("dana.wolf"), app.person("ann.lee"));
    let zebra = json!({"name": "zebra (IT)", "category": "IT", "tags": ["a", "b"], "description": "Stripes"});
    let zebra = published(&dana, zebra).await;
    published(&dana, json!({"name": "Apple", "category": "HR", "tags": ["b"]})).await;
    created(&dana, json!({"name": "Only a draft"})).await;
    let names = async |query: &str| {
        let page = ann.get(&format!("{PATH}/catalog{query}")).await.expect(200).body;
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.iter().all(|item| item["definition"].is_null()));
        assert_eq!(page["total"], items.len());
        items
            .iter()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["Apple", "zebra (IT)"]);
    assert_eq!(names("?q=(").await, ["zebra (IT)"]);
    assert_eq!(names("?q=stripes").await, ["zebra (IT)"]);
    assert_eq!(names("?q=.*").await, [] as [&str; 0]);
    assert_eq!(names("?category=HR").await, ["Apple"]);
    assert_eq!(names("?tags=b,a").await, ["zebra (IT)"]);

    // Archived, a workflow is hidden but keeps its versions; unarchived it is back.
    let archived = dana
        .post_nothing(&format!("{PATH}/{zebra}/archive"))
        .await
        .expect(200);
    assert_eq!(archived.body["status"], "ARCHIVED");
    assert_eq!(names("").await, ["Apple"]);
    dana.get(&format!("{PATH}/{zebra}/versions/1")).await.expect(200);
    let listed = dana
        .get(&format!("{PATH}?status=ARCHIVED"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&listed["total"], &listed["items"][0]["workflow_id"]),
        (&json!(1), &json!(zebra))
    );
    let back = dana
        .post_nothing(&format!("{PATH}/{zebra}/unarchive"))
        .await
        .expect(200);
    assert_eq!(back.body["status"], "PUBLISHED");
    assert_eq!(names("").await, ["Apple", "zebra (IT)"]);
}

#[tokio::test]
async fn what_was_published_is_archived_and_what_never_was_is_removed() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let kept = published(&dana, json!({"name": "Kept"})).await;
    let gone = created(&dana, json!({"name": "Gone"})).await;
    for id in [&kept, &gone] {
        dana.delete(&format!("{PATH}/{id}")).await.expect(204);
    }
    assert_eq!(
        dana.get(&format!("{PATH}/{kept}")).await.expect(200).body["status"],
        "ARCHIVED"
    );
    let unknown = dana.get(&format!("{PATH}/{gone}")).await.expect(404);
    assert_eq!(unknown.code(), "WORKFLOW_NOT_FOUND");
    dana.delete(&format!("{PATH}/{gone}")).await.expect(404);
    let listed = dana.get(PATH).await.expect(200).body;
    assert_eq!(listed["total"], 1);
}

#[tokio::test]
async fn published_workflows_without_embedded_ones_can_be_embedded() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let inner = published(&dana, json!({"name": "Inner", "category": "HR"})).await;
    let mut outer = Stage::usual();
    outer["steps"][2] = json!({"step_id": "work", "step_name": "Inner", "step_type": "SUB_WORKFLOW_STEP",
        "sub_workflow_id": inner, "sub_workflow_version": 1, "sub_workflow_name": "Inner"});
    let id = created(&dana, json!({"name": "Outer"})).await;
    let saved = save(&dana, &id, &outer).await;
    assert_eq!(saved["validation"]["is_valid"], true, "{saved}");
    publish(&dana, &id).await;
    let found = dana
        .get(&format!("{PATH}/published-for-embedding"))
        .await
        .expect(200)
        .body;
    assert_eq!(found["total"], 1);
    let item = &found["items"][0];
    assert_eq!(
        (
            &item["workflow_id"],
            &item["current_version"],
            &item["step_count"]
        ),
        (&json!(inner), &json!(1), &json!(4))
    );
    assert_eq!(item["step_counts"]["FORM_STEP"], 1);
    assert_eq!(item["published_by"], "Dana Wolf");
    let path = format!("{PATH}/published-for-embedding?exclude_workflow_id={inner}");
    assert_eq!(dana.get(&path).await.expect(200).body["total"], 0);
    // Of versions that do not exist, or embed something themselves, none can be embedded.
    for (workflow, version, fault) in [
        (inner.as_str(), 2, "SUB_WORKFLOW_VERSION_NOT_FOUND"),
        ("WF-000000000000", 1, "SUB_WORKFLOW_NOT_FOUND"),
        (id.as_str(), 1, "NESTED_SUB_WORKFLOW"),
    ] {
        outer["steps"][2]["sub_workflow_id"] = json!(workflow);
        outer["steps"][2]["sub_workflow_version"] = json!(version);
        let other = created(&dana, json!({"name": format!("Outer {fault}")})).await;
        let saved = save(&dana, &other, &outer).await;
        let errors = saved["validation"]["errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|error| error["type"] == fault),
            "{fault}: {saved}"
        );
    }
}

#[tokio::test]
async fn the_wizard_gets_the_forms_up_to_the_first_choice() {
    let app = TestApp::with_people().await;
    let dana = app.person("dana.wolf");
    let mut definition = Stage::usual();
    let second = json!({"step_id": "more", "step_name": "More", "step_type": "FORM_STEP", "fields": []});
    definition["steps"].as_array_mut().unwrap().push(second);
    definition["transitions"][0]["to_step_id"] = json!("more");
    let on = json!({"from_step_id": "more", "to_step_id": "ok", "on_event": "SUBMIT_FORM"});
    definition["transitions"].as_array_mut().unwrap().push(on);
    let id = created(&dana, json!({"name": "Two forms"})).await;
    let ann = app.person("ann.lee");
    let forms = format!("{PATH}/{id}/initial-forms");
    assert_eq!(ann.get(&forms).await.expect(400).code(), "VALIDATION_ERROR");
    save(&dana, &id, &definition).await;
    publish(&dana, &id).await;
    let chain = ann.get(&forms).await.expect(200).body;
    assert_eq!(
        (&chain["total_form_count"], &chain["first_non_form_step_id"]),
        (&json!(2), &json!("ok"))
    );
    assert_eq!(
        chain["initial_forms"][0]["fields"],
        definition["steps"][0]["fields"]
    );
    let later = format!("{PATH}/{id}/versions/1/consecutive-forms/more");
    let later = ann.get(&later).await.expect(200).body;
    assert_eq!(
        (&later["total_form_count"], &later["next_non_form_step_id"]),
        (&json!(1), &json!("ok"))
    );
    let none = ann
        .get(&format!("{PATH}/{id}/versions/1/consecutive-forms/ok"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&none["total_form_count"], &none["next_non_form_step_id"]),
        (&json!(0), &json!("ok"))
    );
    ann.get(&format!("{PATH}/{id}/versions/7/consecutive-forms/ask"))
        .await
        .expect(400);

    // Which way leads on is known only when the first form is submitted.
    let other = json!({"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM", "priority": 1,
        "condition": {"logic": "AND", "conditions": [{"field": "form_values.what", "operator": "EQUALS", "value": "x"}]}});
    definition["transitions"].as_array_mut().unwrap().push(other);
    save(&dana, &id, &definition).await;
    publish(&dana, &id).await;
    let chain = ann.get(&forms).await.expect(200).body;
    assert_eq!(chain["first_non_form_step_id"], json!(null));
    assert_eq!(chain["total_form_count"], 1);
}
