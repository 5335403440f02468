use crate::support::{START, TestApp, eventually};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::services::notifications::mail_health;

const STATS: &str = "/api/v1/admin/notifications/stats";
const DASHBOARD: &str = "/api/v1/admin/notifications/dashboard";
/// One more than are counted for every question.
const MANY: i32 = 10_001;

/// Puts `count` mails into the outbox that were enqueued and are due at `at`, the first of them `first`.
async fn insert_mails(app: &TestApp, first: i32, count: i32, status: &str, at: Timestamp) {
    let mails = (first..first + count).map(|number| {
        doc! {
            "_id": number, "notification_id": format!("NTF-{number:012}"), "status": status, "template_key": "APPROVED",
            "retry_count": 0, "created_at": at, "due_at": at, "failed_at": at, "last_error": "smtp 550",
        }
    });
    let outbox = app.database().collection::<Document>("notification_outbox");
    outbox.insert_many(mails).await.unwrap();
}

#[tokio::test]
async fn figures_of_many_mails_are_kept_and_taken_anew_while_ranges_are_counted_at_once() {
    let app = TestApp::with_people().await;
    let admin = app.person("sven.berg");
    insert_mails(&app, 0, MANY, "SENT", START).await;
    let kept = admin.get(STATS).await.expect(200).body;
    assert_eq!((&kept["sent"], &kept["total"]), (&MANY.into(), &MANY.into()));
    let day_later = START.plus_minutes(24 * 60);
    insert_mails(&app, MANY, 2, "FAILED", day_later).await;
    assert_eq!(admin.get(STATS).await.expect(200).body, kept, "a moment later");
    let day = format!("{DASHBOARD}?from_date=2026-01-06");
    let day = admin.get(&day).await.expect(200).body;
    assert_eq!(
        (&day["status_counts"]["failed"], &day["status_counts"]["total"]),
        (&2.into(), &2.into())
    );
    assert_eq!(day["failure_rate"], 100.0);
    assert_eq!(
        (&day["last_24_hours"]["total"], &day["generated_at"]),
        (&MANY.into(), &kept["generated_at"]),
        "what is not of the range is of the kept figures"
    );
    app.clock.advance(24 * 60 * 60 * 1_000);
    let admin = app.person("sven.berg");
    eventually("the figures are taken anew", async || {
        admin.get(STATS).await.expect(200).body["failed"] == 2
    })
    .await;
    let all = admin.get(DASHBOARD).await.expect(200).body;
    assert_eq!(all["status_counts"]["total"], MANY + 2);
    assert_eq!(
        (
            &all["common_errors"][0]["error"],
            &all["common_errors"][0]["count"]
        ),
        (&"smtp 550".into(), &2.into())
    );
    assert_eq!(all["generated_at"], "2026-01-06T09:30:00.000Z");
}

#[tokio::test]
async fn health_and_what_is_being_sent_are_counted_up_to_a_bound_from_keys_alone() {
    let app = TestApp::with_people().await;
    insert_mails(&app, 0, MANY, "PENDING", START).await;
    insert_mails(&app, MANY, 1, "FAILED", START).await;
    let outbox = app.database().collection::<Document>("notification_outbox");
    let leased = doc! {"$set": {"locked_by": "somebody", "locked_until": START.plus_minutes(1)}};
    outbox.update_one(doc! {"_id": 7}, leased).await.unwrap();
    let ended = doc! {"$set": {"locked_by": "somebody", "locked_until": START.plus_minutes(-1)}};
    outbox.update_one(doc! {"_id": 8}, ended).await.unwrap();
    let database = app.database();
    let profile = doc! {"create": "system.profile", "capped": true, "size": 16_i64 << 20};
    database.run_command(profile).await.unwrap();
    database.run_command(doc! {"profile": 2}).await.unwrap();
    let parts = &app.app.notifications;
    let health = mail_health::look(&parts.outbox, &parts.drain, START)
        .await
        .unwrap();
    let in_flight = parts.outbox.in_flight(START).await.unwrap();
    database.run_command(doc! {"profile": 0}).await.unwrap();
    assert_eq!((health.waiting, health.recent_failures), (10_000, 1));
    assert_eq!(health.oldest_due_at, Some(START));
    assert_eq!(in_flight, 1);
    let read = doc! {"ns": outbox.namespace().to_string(), "op": {"$in": ["query", "command"]}};
    let entries = database.collection::<Document>("system.profile");
    let entries: Vec<Document> = entries.find(read).await.unwrap().try_collect().await.unwrap();
    assert_eq!(entries.len(), 5, "{entries:?}");
    for entry in entries {
        let number = |key: &str| entry.get(key).and_then(Bson::as_i32).unwrap_or_default();
        assert!(number("keysExamined") <= MANY, "{entry}");
        assert!(number("docsExamined") <= 1, "{entry}");
    }
}

#[tokio::test]
async fn mails_of_a_range_are_counted_up_to_a_bound() {
    let app = TestApp::new().await;
    insert_mails(&app, 0, 5, "SENT", START).await;
    insert_mails(&app, 5, 5, "SENT", START.plus_minutes(1)).await;
    let outbox = &app.app.notifications.outbox;
    let count = async |from, to, limit| outbox.count_range(from, to, limit).await.unwrap();
    assert_eq!(count(None, Some(START), 100).await, 5);
    assert_eq!(count(Some(START), None, 100).await, 10);
    assert_eq!(count(Some(START), None, 7).await, 7);
    assert_eq!(count(None, None, 100).await, 10);
}
