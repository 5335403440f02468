//! Conversations with the assistant that came from the reference.

use super::beside::ASKED;
use super::stage::Legacy;
use crate::support::{START, TestApp};
use bson::{Document, doc};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use workflow_ops::domain::import::RepairRule;
use workflow_ops::domain::time::Clock;
use workflow_ops::services::import::Mode;

const HISTORY: &str = "/api/v1/ai-chat/history";

async fn said(app: &TestApp, person: &str, place: &str) -> Vec<(String, String)> {
    let path = format!("{HISTORY}/{place}");
    let page = app.person(person).get(&path).await.expect(200).body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = page["messages"].as_array().unwrap().iter();
    messages
        .map(|message| (text(&message["role"]), text(&message["content"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_come_over_to_their_person_without_unanswered_questions_or_links() {
    let app = TestApp::new().await;
    let legacy = Legacy::with(1, 81, START).await;
    let clock = Clock::fixed(START);
    let report = legacy.import(app.database(), Mode::Write, &clock).await;
    assert!(report.is_clean(), "{}", report.to_text());
    let ann = said(&app, "ann.lee", "requester").await;
    let words: Vec<(&str, &str)> = ann
        .iter()
        .map(|(role, text)| (role.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        words[..3],
        [
            ("user", ASKED),
            ("assistant", "It is."),
            ("user", "When does it come?"),
        ]
    );
    assert_eq!(words.len(), 4);
    assert!(
        words[3].1.starts_with("Soon") && !words[3].1.contains("tracker.example"),
        "{words:?}"
    );
    let ivan = said(&app, "ivan.novak", "agent").await;
    assert_eq!(ivan.len(), 2, "{ivan:?}");
    assert!(said(&app, "maria.lopez", "requester").await.is_empty());

    let kept = app.database().collection::<Document>("ai_conversations");
    assert_eq!(kept.count_documents(doc! {}).await.unwrap(), 2);
    let repairs = report.repairs();
    for rule in [
        RepairRule::ConversationTwice,
        RepairRule::ConversationCleaned,
        RepairRule::ConversationExpired,
    ] {
        assert_eq!(repairs.get(rule.as_str()), Some(&1), "{rule:?}");
    }
    let mut findings = app
        .database()
        .collection::<Document>("import_findings")
        .find(doc! {"collection": "ai_conversations"})
        .await
        .unwrap();
    let mut told = 0;
    while findings.advance().await.unwrap() {
        let text = findings.deserialize_current().unwrap().to_string();
        assert!(!text.contains("stapler") && !text.contains("Hello"), "{text}");
        told += 1;
    }
    assert_eq!(told, 3);

    let again = legacy.import(app.database(), Mode::Write, &clock).await;
    assert_eq!(again.to_text(), report.to_text());
    let cleared = app
        .person("ann.lee")
        .post("/api/v1/ai-chat/clear-history/requester", json!({}))
        .await
        .expect(200);
    assert_eq!(cleared.body["success"], true);
    assert!(said(&app, "ann.lee", "requester").await.is_empty());
    legacy.drop().await;
}
