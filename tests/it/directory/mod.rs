//! The people directory (contract http-workflows 5, D1 to D4).

use crate::commit::process::new_database;
use crate::support::{TestApp, mongo};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use std::time::Duration;
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

/// A caller whom nobody knows.
fn nobody() -> Person {
    Person::from_email(email("no.body@a.example"))
}

/// A directory behind a Graph of the test, and the database of people known here.
async fn behind(graph: &MockServer) -> (Directory, mongodb::Database) {
    behind_in(graph, "entra_api", true).await
}

/// The same in a mode of sign-in, with the application's secret or without.
async fn behind_in(graph: &MockServer, mode: &str, has_secret: bool) -> (Directory, mongodb::Database) {
    let token = json!({"access_token": "a-token", "expires_in": 3_600});
    Mock::given(method("POST"))
        .and(path("/tenant/oauth2/v2.0/token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .mount(graph)
        .await;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (authority, base) = (graph.uri(), format!("{}/v1.0", graph.uri()));
    let mut pairs = vec![
        ("MONGO_URI", "mongodb://127.0.0.1:1"),
        ("AUTH_MODE", mode),
        ("AAD_TENANT_ID", "tenant"),
        ("AAD_CLIENT_ID", "client"),
        ("AAD_AUTHORITY", &authority),
        ("GRAPH_BASE_URL", &base),
        ("MAIL_TRANSPORT", "disabled"),
    ];
    if has_secret {
        pairs.push(("AAD_CLIENT_SECRET", "secret"));
    }
    let settings = Settings::from_sources(Sources::of_pairs(&pairs));
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
        let user = directory.user(&nobody(), &email("ann@a.example")).await.unwrap();
        assert_eq!(
            (user.aad_id.as_deref(), user.display_name.as_str()),
            (Some("1"), "ann@a.example")
        );
        let people = directory.search(&nobody(), "ze\" OR \"x", 10).await.unwrap();
        assert_eq!(people.len(), 1, "entries without an address are left out");
    }
    let mut ann = Person::from_email(email("ann@a.example"));
    ann.aad_id = Some("1".to_owned());
    assert_eq!(
        directory.manager_of(&ann, &ann).await.unwrap().display_name,
        "Boss"
    );
    let unknown = directory
        .user(&nobody(), &email("no.body@a.example"))
        .await
        .unwrap_err();
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
    let ivan = directory
        .user(&nobody(), &email("ivan.novak@example.com"))
        .await
        .unwrap();
    assert_eq!(ivan.display_name, "Ivan Novak");
    assert_eq!(directory.search(&nobody(), "NOVAK", 5).await.unwrap().len(), 1);
    let unknown = directory
        .user(&nobody(), &email("no.body@a.example"))
        .await
        .unwrap_err();
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
    let nobody = nobody();
    assert_eq!(directory.manager_of(&nobody, &nobody).await, None);
    assert_eq!(directory.record_of(&nobody, &nobody.email).await, None);
}

/// A caller with an object id.
fn caller(id: &str, address: &str) -> Person {
    let mut person = Person::from_email(email(address));
    person.aad_id = Some(id.to_owned());
    person
}

fn answer(id: &str, address: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"id": id, "displayName": id, "mail": address}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_graph_token_asks_in_the_callers_name_and_its_answers_are_the_callers() {
    let graph = MockServer::start().await;
    let (directory, _) = behind_in(&graph, "graph_introspection", false).await;
    let (ann, ben) = (caller("1", "ann@a.example"), caller("2", "ben@a.example"));
    let hour = Duration::from_hours(1);
    directory.lend(&ann, &"anns-token".into(), hour);
    directory.lend(&ben, &"bens-token".into(), hour);
    Mock::given(path("/v1.0/users/zed@a.example"))
        .and(header("authorization", "Bearer anns-token"))
        .respond_with(answer("9", "zed@a.example"))
        .expect(1)
        .mount(&graph)
        .await;
    Mock::given(path("/v1.0/users/zed@a.example"))
        .and(header("authorization", "Bearer bens-token"))
        .respond_with(ResponseTemplate::new(403))
        .expect(1)
        .mount(&graph)
        .await;
    Mock::given(path("/v1.0/me/manager"))
        .and(header("authorization", "Bearer anns-token"))
        .respond_with(answer("8", "boss@a.example"))
        .expect(1)
        .mount(&graph)
        .await;
    let zed = email("zed@a.example");
    for _ in 0..2 {
        assert_eq!(
            directory.user(&ann, &zed).await.unwrap().aad_id.as_deref(),
            Some("9")
        );
        let boss = directory.manager_of(&ann, &ann).await.unwrap();
        assert_eq!(boss.email.as_str(), "boss@a.example");
    }
    // What Graph refuses to one caller is not taken from what another was told.
    let refused = directory.user(&ben, &zed).await.unwrap_err();
    assert!(matches!(refused, ServiceError::External { .. }), "{refused}");
    // Without a token and a secret nobody can be asked; nothing is sent, nobody is invented.
    assert_eq!(directory.manager_of(&nobody(), &nobody()).await, None);
    directory.lend(&ann, &"anns-token".into(), Duration::ZERO);
    assert_eq!(directory.record_of(&ann, &email("new@a.example")).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_an_application_the_callers_tokens_are_never_passed_on() {
    let graph = MockServer::start().await;
    let (directory, _) = behind(&graph).await;
    let ann = caller("1", "ann@a.example");
    directory.lend(&ann, &"a-token-for-this-service".into(), Duration::from_hours(1));
    Mock::given(path("/v1.0/users/1/manager"))
        .and(header("authorization", "Bearer a-token"))
        .respond_with(answer("8", "boss@a.example"))
        .expect(1)
        .mount(&graph)
        .await;
    assert!(directory.manager_of(&ann, &ann).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graph_is_left_alone_for_as_long_as_it_asks() {
    let graph = MockServer::start().await;
    let (directory, _) = behind(&graph).await;
    Mock::given(path("/v1.0/users/soon@a.example"))
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "1"))
        .up_to_n_times(1)
        .mount(&graph)
        .await;
    Mock::given(path("/v1.0/users/soon@a.example"))
        .respond_with(answer("1", "soon@a.example"))
        .mount(&graph)
        .await;
    assert!(
        directory
            .record_of(&nobody(), &email("soon@a.example"))
            .await
            .is_some()
    );
    Mock::given(path("/v1.0/users/late@a.example"))
        .respond_with(ResponseTemplate::new(429).insert_header("retry-after", "60"))
        .expect(1)
        .mount(&graph)
        .await;
    Mock::given(path("/v1.0/users/other@a.example"))
        .respond_with(answer("2", "other@a.example"))
        .expect(0)
        .mount(&graph)
        .await;
    let busy = directory
        .user(&nobody(), &email("late@a.example"))
        .await
        .unwrap_err();
    assert!(matches!(busy, ServiceError::External { .. }), "{busy}");
    assert_eq!(
        directory.record_of(&nobody(), &email("other@a.example")).await,
        None
    );
    assert!(
        directory
            .search(&nobody(), "someone", 5)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_read_on_until_there_are_enough_and_fall_back_to_beginnings() {
    let graph = MockServer::start().await;
    let (directory, _) = behind(&graph).await;
    let person = |n: usize| json!({"id": n.to_string(), "mail": format!("p{n}@a.example")});
    let next = format!("{}/v1.0/users?page=2", graph.uri());
    let first = json!({"value": [person(1), {"id": "no address"}, person(2)], "@odata.nextLink": next});
    Mock::given(path("/v1.0/users"))
        .and(query_param("page", "2"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({
            "value": [person(3), person(4)], "@odata.nextLink": "https://elsewhere.example/v1.0/users"
        })))
        .expect(1)
        .with_priority(1)
        .mount(&graph)
        .await;
    let asked = "\"displayName:p\" OR \"mail:p\" OR \"userPrincipalName:p\"";
    Mock::given(path("/v1.0/users"))
        .and(query_param("$search", asked))
        .respond_with(ResponseTemplate::new(200).set_body_json(first))
        .expect(1)
        .mount(&graph)
        .await;
    let found = directory.search(&nobody(), "p", 10).await.unwrap();
    let ids: Vec<_> = found.iter().filter_map(|user| user.aad_id.as_deref()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"], "tokens go nowhere else for more");
    let refused = "\"displayName:o'x\" OR \"mail:o'x\" OR \"userPrincipalName:o'x\"";
    Mock::given(path("/v1.0/users"))
        .and(query_param("$search", refused))
        .respond_with(ResponseTemplate::new(400))
        .mount(&graph)
        .await;
    let beginnings = "accountEnabled eq true and (startswith(displayName,'o''x') or startswith(mail,'o''x') or \
         startswith(userPrincipalName,'o''x') or startswith(surname,'o''x'))";
    Mock::given(path("/v1.0/users"))
        .and(query_param("$filter", beginnings))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"value": [person(5)]})))
        .mount(&graph)
        .await;
    assert_eq!(directory.search(&nobody(), "o'x", 10).await.unwrap().len(), 1);
}
