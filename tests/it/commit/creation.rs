//! Creation: one insert, and every repeat meets the first one.

use super::oracle;
use super::process::{Process, database, new_database};
use super::stage::{ANN, MARK, actor, approve, create, create_request, key, publish, run, stage};
use crate::support::mongo;
use futures::future::join_all;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::time::{Clock, Timestamp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identical_create_within_a_minute_is_the_first_one_again() {
    let database = new_database(mongo::uri()).await;
    // 50 seconds into a minute, so that the repeat falls into the next one.
    let clock = Clock::fixed(Timestamp::from_millis(1_800_000_050_000));
    let app = Process::on(database, clock.clone());
    let version = publish(&app.database).await;
    let first = create(&app, &version, "one").await;
    assert_eq!(create(&app, &version, "one").await.ticket.id, first.ticket.id);
    clock.advance(30_000);
    let again = create(&app, &version, "one").await;
    assert_eq!(again.ticket.id, first.ticket.id);
    assert!(again.replayed);
    let mut as_another = create_request(&version, "one");
    as_another.actor = actor("ben.cole@example.com");
    assert_ne!(
        app.execute.create(as_another).await.unwrap().ticket.id,
        first.ticket.id
    );
    assert_ne!(create(&app, &version, "two").await.ticket.id, first.ticket.id);
    clock.advance(31_000);
    assert_ne!(create(&app, &version, "one").await.ticket.id, first.ticket.id);
    assert_eq!(oracle::check(&app).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_finds_the_first_create_and_the_ticket_as_it_is_now() {
    let (app, version) = stage().await;
    let mut wish = create_request(&version, "one");
    wish.idempotency = Some(key("create-1", "one"));
    let answers = join_all((0..16).map(|_| app.execute.create(wish.clone()))).await;
    let ids: std::collections::BTreeSet<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().ticket.id.clone())
        .collect();
    assert_eq!(ids.len(), 1, "sixteen at once are one ticket");
    let first = app.execute.create(wish.clone()).await.unwrap().ticket;
    run(&app, MARK, &first.id, approve(&first)).await.unwrap();
    let again = app.execute.create(wish.clone()).await.unwrap();
    assert_eq!((again.version, again.replayed), (2, true));
    wish.idempotency = Some(key("create-1", "another body"));
    let refused = app.execute.create(wish).await.unwrap_err();
    assert!(matches!(refused, ServiceError::IdempotencyKeyReused), "{refused}");
    assert_eq!(oracle::check(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_raised_at_the_same_moment_through_two_processes_are_each_stored_once() {
    let (one, version) = stage().await;
    let other = Process::on(database(mongo::uri(), one.database.name()).await, Clock::System);
    let raise = async |(app, n): (&Process, usize)| {
        let mut wish = create_request(&version, &format!("ticket {n}"));
        wish.idempotency = Some(key(&format!("create-{n}"), "body"));
        (n, app.execute.create(wish).await.unwrap().ticket.id.clone())
    };
    let asked = [&one, &other, &one, &other]
        .into_iter()
        .flat_map(|app| (0..24).map(move |n| (app, n)));
    let raised = join_all(asked.map(raise)).await;
    let tickets: std::collections::BTreeSet<_> = raised.iter().cloned().collect();
    assert_eq!((raised.len(), tickets.len()), (96, 24));
    assert_eq!(oracle::check(&one).await, 24);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_create_leaves_nothing() {
    let (app, version) = stage().await;
    let mut wish = create_request(&version, "one");
    wish.initial_form_values = super::stage::object(serde_json::json!({"amount": "many"}));
    let refused = app.execute.create(wish).await.unwrap_err();
    assert!(matches!(refused, ServiceError::Refused(_)), "{refused}");
    for collection in ["tickets", "notification_outbox", "audit_events"] {
        assert!(oracle::all(&app, collection).await.is_empty());
    }
    assert_eq!(actor(ANN).person.email.as_str(), ANN);
}
