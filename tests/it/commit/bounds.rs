//! Bounds: a full tail waits for the relay, a ticket that would grow too large keeps only the guilty command out.

use super::oracle;
use super::process::Process;
use super::stage::{MARK, create, note, run, stage};
use bson::{Document, doc};
use futures::future::join_all;
use mongodb::Collection;
use workflow_ops::app::App;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::refusal::Refusal;
use workflow_ops::domain::ticket::limits;

fn tickets(app: &App) -> Collection<Document> {
    app.database.collection("tickets")
}

async fn document(app: &App, id: &TicketId) -> Document {
    tickets(app)
        .find_one(doc! {"_id": id.as_str()})
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_on_a_ticket_with_a_full_tail_waits_for_the_relay() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    app.execute.relay().drain().await.unwrap();
    // Entries of the creation's shape under keys of their own, as if the relay had been away for long.
    let event = oracle::all(&app, "audit_events").await.remove(0);
    let entry = |n: i64| {
        doc! {
            "key": format!("{}:1:{n}", ticket.id),
            "at": event.get_datetime("at").unwrap(),
            "correlation_id": "away",
            "item": {"audit": event.get_document("body").unwrap()},
        }
    };
    let entries: Vec<Document> = (1_000..2_200).map(entry).collect();
    let full = doc! {"$push": {"tail": {"$each": entries}}};
    tickets(&app)
        .update_one(doc! {"_id": ticket.id.as_str()}, full)
        .await
        .unwrap();
    assert_eq!(
        run(&app, MARK, &ticket.id, note(&ticket, "after all"))
            .await
            .unwrap()
            .version,
        2
    );
    app.execute.relay().drain().await.unwrap();
    // They follow from no command, so they go before the oracle looks.
    let events = app.database.collection::<Document>("audit_events");
    let carried_on = events.delete_many(doc! {"correlation_id": "away"}).await.unwrap();
    assert_eq!(carried_on.deleted_count, 1_200);
    oracle::check(&app).await;
}

/// Makes a ticket's description so long that only `room` bytes are left for a commit.
async fn leave_room(app: &App, id: &TicketId, room: usize) {
    let aggregate = document(app, id).await.get_document("ticket").unwrap().clone();
    let size = bson::serialize_to_vec(&aggregate).unwrap().len();
    let description = "x".repeat(limits::DOCUMENT_BYTES - size - room);
    let set = doc! {"$set": {"ticket.description": description}};
    tickets(app)
        .update_one(doc! {"_id": id.as_str()}, set)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_would_become_too_large_refuses_and_stays_as_it_is() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    app.execute.relay().drain().await.unwrap();
    leave_room(&app, &ticket.id, 100).await;
    let before = document(&app, &ticket.id).await;
    let other = Process::on(app.database.clone(), workflow_ops::domain::time::Clock::System);
    let notes = (0..8).map(|n| {
        let (ticket, other) = (ticket.clone(), &other);
        async move { run(other, MARK, &ticket.id, note(&ticket, &format!("note {n}"))).await }
    });
    for answer in join_all(notes).await {
        let refused = answer.unwrap_err();
        assert!(
            matches!(refused, ServiceError::Refused(Refusal::TicketTooLarge)),
            "{refused}"
        );
    }
    assert_eq!(document(&app, &ticket.id).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_that_is_too_large_only_the_guilty_command_fails() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    app.execute.relay().drain().await.unwrap();
    leave_room(&app, &ticket.id, 20_000).await;
    let other = Process::on(app.database.clone(), workflow_ops::domain::time::Clock::System);
    let notes = (0..9).map(|n| {
        let text = if n == 4 {
            "x".repeat(5_000 * 4)
        } else {
            format!("note {n}")
        };
        let (ticket, other) = (ticket.clone(), &other);
        async move { run(other, MARK, &ticket.id, note(&ticket, &text)).await }
    });
    for (n, answer) in join_all(notes).await.into_iter().enumerate() {
        if n == 4 {
            let refused = answer.unwrap_err();
            assert!(
                matches!(refused, ServiceError::Refused(Refusal::TicketTooLarge)),
                "{refused}"
            );
        } else {
            answer.unwrap();
        }
    }
    assert_eq!(document(&app, &ticket.id).await.get_i64("version").unwrap(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_the_server_refuses_is_answered_and_changes_nothing() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    app.execute.relay().drain().await.unwrap();
    // A rule of the collection that no note can keep: code 121, like every refusal of the very write.
    let rule = doc! {"collMod": "tickets", "validator": {"version": {"$lte": 1}}};
    app.database.run_command(rule).await.unwrap();
    let before = document(&app, &ticket.id).await;
    let notes = (0..3).map(|n| {
        let (ticket, app) = (ticket.clone(), &app);
        async move { run(app, MARK, &ticket.id, note(&ticket, &format!("note {n}"))).await }
    });
    for answer in join_all(notes).await {
        let refused = answer.unwrap_err();
        assert!(matches!(refused, ServiceError::Defect(_)), "{refused}");
    }
    assert_eq!(document(&app, &ticket.id).await, before);
    app.database
        .run_command(doc! {"collMod": "tickets", "validator": {}})
        .await
        .unwrap();
    run(&app, MARK, &ticket.id, note(&ticket, "again")).await.unwrap();
    oracle::check(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooded_mailbox_sends_the_surplus_away_and_loses_nothing_it_took() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    let texts: Vec<String> = (0..3_000).map(|n| format!("note {n}")).collect();
    let notes = texts
        .iter()
        .map(|text| run(&app, MARK, &ticket.id, note(&ticket, text)));
    let answers = join_all(notes).await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        let ServiceError::Unavailable { retry_after, .. } = refused else {
            panic!("{refused}");
        };
        assert!(!retry_after.is_zero());
    }
    assert!((1_024..3_000).contains(&taken), "{taken} of 3000 were taken");
    let stored = document(&app, &ticket.id).await;
    assert_eq!(
        stored.get_i64("version").unwrap(),
        i64::try_from(taken).unwrap() + 1
    );
    oracle::check(&app).await;
    let again = run(&app, MARK, &ticket.id, note(&ticket, "afterwards")).await;
    again.unwrap();
}
