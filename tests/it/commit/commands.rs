//! Commands on one ticket: decided once, in order, each with its own answer.

use super::oracle;
use super::stage::{ANN, IVAN, MARK, ZOE, approve, assign, complete, create, key, note, request, run, stage};
use futures::future::join_all;
use std::collections::BTreeSet;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::refusal::Refusal;
use workflow_ops::domain::ticket::TicketStatus;
use workflow_ops::engine::Command;
use workflow_ops::repositories::audit_repo::AuditRepo;
use workflow_ops::repositories::ticket_repo::TicketRepo;
use workflow_ops::services::execute::ExpectedVersion;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_goes_from_creation_to_completion() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let ticket = run(&app, MARK, &ticket.id, approve(&ticket))
        .await
        .unwrap()
        .ticket;
    let ticket = run(&app, MARK, &ticket.id, assign(&ticket)).await.unwrap().ticket;
    let done = run(&app, IVAN, &ticket.id, complete(&ticket)).await.unwrap();
    assert_eq!(done.ticket.status, TicketStatus::Completed);
    assert_eq!(done.version, 4);
    assert!(!done.events.is_empty());
    let audit = AuditRepo::new(&app.database);
    let before = audit
        .newest(&ticket.id, |_| true, bson::doc! {}, 100)
        .await
        .unwrap();
    assert_eq!(oracle::check(&app).await, 1);
    let after = audit
        .newest(&ticket.id, |_| true, bson::doc! {}, 100)
        .await
        .unwrap();
    assert_eq!(
        before, after,
        "events read from the tail and from the collection are the same"
    );
    let kinds: BTreeSet<i64> = after.iter().map(|row| row.seq).collect();
    assert_eq!(kinds, BTreeSet::from([1, 2, 3, 4]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_approvals_at_once_all_succeed_and_decide_once() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let approvals = (0..32).map(|_| run(&app, MARK, &ticket.id, approve(&ticket)));
    let answers = join_all(approvals).await;
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap().version, 2);
    }
    let deciding = answers
        .iter()
        .filter(|answer| !answer.as_ref().unwrap().events.is_empty());
    assert_eq!(
        deciding.count(),
        1,
        "one of them decides, the others find it decided"
    );
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_changes_nothing() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    oracle::check(&app).await;
    let before = oracle::all(&app, "tickets").await;
    let mails = oracle::all(&app, "notification_outbox").await;
    let refused = run(&app, ZOE, &ticket.id, approve(&ticket)).await.unwrap_err();
    assert!(
        matches!(refused, ServiceError::Refused(Refusal::PermissionDenied(_))),
        "{refused}"
    );
    let refused = run(&app, IVAN, &ticket.id, complete(&ticket)).await.unwrap_err();
    assert!(matches!(refused, ServiceError::Refused(_)), "{refused}");
    let unknown = TicketId::random();
    let refused = run(&app, ANN, &unknown, Command::Cancel { reason: None })
        .await
        .unwrap_err();
    assert!(
        matches!(refused, ServiceError::Refused(Refusal::TicketNotFound)),
        "{refused}"
    );
    assert_eq!(oracle::all(&app, "tickets").await, before);
    assert_eq!(oracle::all(&app, "notification_outbox").await, mails);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_expects_another_version_is_told_so() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    run(&app, MARK, &ticket.id, note(&ticket, "first")).await.unwrap();
    let mut stale = request(MARK, &ticket.id, approve(&ticket));
    stale.expected = Some(ExpectedVersion::IfMatch(1));
    let refused = app.execute.run(stale.clone()).await.unwrap_err();
    assert!(
        matches!(refused, ServiceError::PreconditionFailed { current_version: 2 }),
        "{refused}"
    );
    stale.expected = Some(ExpectedVersion::Body(1));
    let refused = app.execute.run(stale.clone()).await.unwrap_err();
    let conflict = Refusal::ConcurrencyConflict {
        expected: 1,
        current: 2,
    };
    assert!(matches!(refused, ServiceError::Refused(refusal) if refusal == conflict));
    stale.expected = Some(ExpectedVersion::IfMatch(2));
    assert_eq!(app.execute.run(stale.clone()).await.unwrap().version, 3);
    // The same decision again has had its effect, whatever version the repeat expects.
    assert_eq!(app.execute.run(stale).await.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_replays_the_first_success() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let mut first = request(MARK, &ticket.id, note(&ticket, "hello"));
    first.idempotency = Some(key("k1", "hello"));
    let done = app.execute.run(first.clone()).await.unwrap();
    assert!(!done.replayed);
    let again = app.execute.run(first.clone()).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.created, again.version), (done.created, done.version));
    let mut other_body = first.clone();
    other_body.idempotency = Some(key("k1", "another body"));
    let refused = app.execute.run(other_body).await.unwrap_err();
    assert!(matches!(refused, ServiceError::IdempotencyKeyReused), "{refused}");
    let mut other_person = request(
        ANN,
        &ticket.id,
        Command::AddRequesterNote {
            content: "hello".to_owned(),
            attachment_ids: Vec::new(),
        },
    );
    other_person.idempotency = Some(key("k1", "hello"));
    assert!(
        !app.execute.run(other_person).await.unwrap().replayed,
        "keys are per person"
    );
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_older_than_the_last_256_commands_is_still_honoured() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let mut first = request(MARK, &ticket.id, note(&ticket, "the first"));
    first.idempotency = Some(key("old", "the first"));
    app.execute.run(first.clone()).await.unwrap();
    for round in 0..3 {
        let notes = (0..100).map(|n| {
            let text = format!("note {round} {n}");
            let ticket = ticket.clone();
            let app = &app;
            async move { run(app, MARK, &ticket.id, note(&ticket, &text)).await.unwrap() }
        });
        join_all(notes).await;
    }
    assert!(app.execute.run(first).await.unwrap().replayed);
    let stored = TicketRepo::new(&app.database)
        .load(&ticket.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.version, 302);
    assert_eq!(stored.recent_keys.len(), 256);
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_leaves_either_all_or_nothing() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    for n in 0..50 {
        let text = format!("note {n}");
        let sent = run(&app, MARK, &ticket.id, note(&ticket, &text));
        // Dropped at another moment each time: before, while or after it is committed.
        let _ = tokio::time::timeout(std::time::Duration::from_micros(n * 150), sent).await;
    }
    run(&app, MARK, &ticket.id, note(&ticket, "last")).await.unwrap();
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_replay_of_a_database_finds_the_one_ticket_that_was_tampered_with() {
    let (app, version) = stage().await;
    let first = create(&app, &version, "one").await.ticket;
    run(&app, MARK, &first.id, approve(&first)).await.unwrap();
    let second = create(&app, &version, "two").await.ticket;
    let replay = workflow_ops::services::replay::Replay::of(&app);
    let report = replay.all(|_| {}).await.unwrap();
    assert_eq!((report.tickets, report.commands), (2, 3));
    assert_eq!(report.different, []);
    let tickets = app.database.collection::<bson::Document>("tickets");
    let tampered = bson::doc! {"$set": {"ticket.title": "another title"}};
    tickets
        .update_one(bson::doc! {"_id": second.id.as_str()}, tampered)
        .await
        .unwrap();
    let report = replay.all(|_| {}).await.unwrap();
    assert_eq!(report.different.len(), 1);
    assert_eq!(report.different[0].ticket_id, second.id);
    assert_eq!(
        report.different[0].difference.as_deref(),
        Some("the aggregate differs")
    );
}
