//! The people directory (contract http-workflows 5, D1 to D4).

use crate::commit::process::new_database;
use crate::support::{TestApp, mongo};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::error::{ErrorCode, ServiceError};
use workflow_ops::domain::person::{Email, Person};
use workflow_ops::repositories::user_access_repo::COLLECTION;
use workflow_ops::services::directory::Directory;

const DIRECTORY: &str = "/api/v1/directory";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_development_are_found() {
    let app = TestApp::new().await;
    let ann = app.person("ann.lee");
    let me = ann.get(&format!("{DIRECTORY}/me")).await.expect(200).body;
    assert_eq!(
        (&me["email"], &me["job_title"]),
        (&json!("ann.lee@example.com"), &Value::Null)
    );
    let manager = ann.get(&format!("{DIRECTORY}/me/manager")).await.expect(200).body;
    assert_eq!(manager["email"], "mark.stone@example.com");
    assert_eq!(manager.as_object().unwrap().len(), 3);
    let top = app
        .person("grace.park")
        .get(&format!("{DIRECTORY}/me/manager"))
        .await
        .expect(200);
    assert_eq!(top.text, "null");
    let found = ann
        .get(&format!("{DIRECTORY}/users/search?q=ZO%C3%8B"))
        .await
        .expect(200)
        .body;
    assert_eq!(found["items"][0]["email"], "zoe.quinn@example.com");
    ann.get(&format!("{DIRECTORY}/users/search?q=z"))
        .await
        .expect(400);
    let user = ann
        .get(&format!("{DIRECTORY}/users/Mark.Stone%40example.com"))
        .await
        .expect(200)
        .body;
    assert_eq!(user["department"], "Sales");
    assert_eq!(
        ann.get(&format!("{DIRECTORY}/users/no.body%40example.com"))
            .await
            .expect(404)
            .code(),
        "NOT_FOUND"
    );
    ann.get(&format!("{DIRECTORY}/users/nobody")).await.expect(400);
    app.anonymous().get(&format!("{DIRECTORY}/me")).await.expect(401);
}

/// A directory behind a Graph of the test, and the database of people known here.
async fn behind(graph: &MockServer) -> (Directory, mongodb::Database) {
    let token = json!({"access_token": "a-token", "expires_in": 3_600});
    Mock::given(method("POST"))
        .and(path("/tenant/oauth2/v2.0/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(graph)
        .await;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let base = format!("{}/v1.0", graph.uri());
    let settings = Settings::from_sources(Sources::of_pairs(&[
        ("MONGO_URI", "mongodb://127.0.0.1:1"),
        ("AUTH_MODE", "entra_api"),
        ("AAD_TENANT_ID", "tenant"),
        ("AAD_CLIENT_ID", "client"),
        ("AAD_CLIENT_SECRET", "secret"),
        ("AAD_AUTHORITY", &graph.uri()),
        ("GRAPH_BASE_URL", &base),
        ("MAIL_TRANSPORT", "disabled"),
    ]));
    let database = new_database(mongo::uri()).await;
    (Directory::new(&database, &settings.unwrap()).unwrap(), database)
}

fn email(text: &str) -> Email {
    Email::try_from(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graph_is_asked_once_and_its_gaps_are_bridged() {
    let graph = MockServer::start().await;
    let (directory, _) = behind(&graph).await;
    let ann = json!({"id": "1", "displayName": null, "mail": null, "userPrincipalName": "ann@a.example"});
    Mock::given(path("/v1.0/users/ann@a.example"))
        .and(header("authorization", "Bearer a-token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(ann))
        .expect(1)
        .mount(&graph)
        .await;
    let boss = json!({"id": "2", "displayName": "Boss", "mail": "boss@a.example"});
    Mock::given(path("/v1.0/users/1/manager"))
        .respond_with(ResponseTemplate::new(200).set_body_json(boss))
        .mount(&graph)
        .await;
    let found = json!({"value": [{"id": "3"}, {"id": "4", "mail": "zed@a.example", "displayName": "Zed"}]});
    Mock::given(path("/v1.0/users"))
        .and(query_param("$filter", "accountEnabled eq true"))
        .and(header("consistencylevel", "eventual"))
        .respond_with(ResponseTemplate::new(200).set_body_json(found))
        .expect(1)
        .mount(&graph)
        .await;
    for _ in 0..2 {
        let user = directory.user(&email("ann@a.example")).await.unwrap();
        assert_eq!(
            (user.aad_id.as_deref(), user.display_name.as_str()),
            (Some("1"), "ann@a.example")
        );
        let people = directory.search("ze\" OR \"x", 10).await.unwrap();
        assert_eq!(people.len(), 1, "entries without an address are left out");
    }
    let mut ann = Person::from_email(email("ann@a.example"));
    ann.aad_id = Some("1".to_owned());
    assert_eq!(directory.manager_of(&ann).await.unwrap().display_name, "Boss");
    let unknown = directory.user(&email("no.body@a.example")).await.unwrap_err();
    assert!(matches!(unknown, ServiceError::NotFound { .. }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_graph_is_down_people_known_here_answer_and_nobody_is_invented() {
    let graph = MockServer::start().await;
    let (directory, database) = behind(&graph).await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&graph)
        .await;
    let app = TestApp::with_people().await;
    let known: bson::Document = app
        .database()
        .collection(COLLECTION)
        .find_one(bson::doc! {"_id": "ivan.novak@example.com"})
        .await
        .unwrap()
        .unwrap();
    database.collection(COLLECTION).insert_one(known).await.unwrap();
    let ivan = directory.user(&email("ivan.novak@example.com")).await.unwrap();
    assert_eq!(ivan.display_name, "Ivan Novak");
    assert_eq!(directory.search("NOVAK", 5).await.unwrap().len(), 1);
    let unknown = directory.user(&email("no.body@a.example")).await.unwrap_err();
    assert!(
        matches!(
            unknown,
            ServiceError::External {
                code: ErrorCode::GraphApiError,
                ..
            }
        ),
        "{unknown}"
    );
    let nobody = Person::from_email(email("no.body@a.example"));
    assert_eq!(directory.manager_of(&nobody).await, None);
    assert_eq!(directory.record_of(&nobody.email).await, None);
}
