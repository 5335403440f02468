//! The relay: twice, late, side by side, and stopped between any two of its writes.

use super::oracle;
use super::stage::{IVAN, MARK, approve, assign, create, run, stage};
use crate::support::eventually;
use bson::doc;
use workflow_ops::app::App;
use workflow_ops::domain::tail::TailEntry;
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::repositories::ticket_repo::TicketRepo;
use workflow_ops::services::relay::StepLimit;

/// Collections that the relay writes to.
const TARGETS: [&str; 7] = [
    "user_access",
    "admin_audit",
    "audit_events",
    "ticket_commands",
    "work_history",
    "notification_outbox",
    "inapp_notifications",
];

/// A ticket whose manager approved and assigned an agent, and what these commands caused. The relay of the process
/// carries it on as well, side by side with the test.
async fn busy_ticket(
    app: &App,
    version: &workflow_ops::domain::workflow::VersionRef,
) -> (Ticket, Vec<TailEntry>) {
    let ticket = create(app, version, "one").await.ticket;
    let ticket = run(app, MARK, &ticket.id, approve(&ticket)).await.unwrap().ticket;
    let ticket = run(app, MARK, &ticket.id, assign(&ticket)).await.unwrap().ticket;
    let entries = recorded_entries(app, &ticket).await;
    ((*ticket).clone(), entries)
}

/// What the commands of a ticket caused, decided again from their record.
async fn recorded_entries(app: &App, ticket: &Ticket) -> Vec<TailEntry> {
    workflow_ops::services::replay::Replay::of(app)
        .entries(&ticket.id)
        .await
        .unwrap()
}

async fn counts(app: &App) -> Vec<usize> {
    let mut counts = Vec::new();
    for collection in TARGETS {
        counts.push(oracle::all(app, collection).await.len());
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_stops_between_any_two_writes_doubles_nothing() {
    let (app, version) = stage().await;
    let (ticket, entries) = busy_ticket(&app, &version).await;
    oracle::check(&app).await;
    let settled = counts(&app).await;
    let mut steps = 0;
    loop {
        let got_through = app
            .execute
            .relay()
            .carry_on(&entries, StepLimit::of(steps))
            .await
            .unwrap();
        assert_eq!(counts(&app).await, settled, "after {steps} writes");
        if got_through {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 6, "only {steps} writes were tried");
    assert_eq!(oracle::check(&app).await, 1);
    assert_eq!(
        TicketRepo::new(&app.database)
            .read(&ticket.id)
            .await
            .unwrap()
            .unwrap()
            .version,
        3
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_carried_on_step_by_step_arrive_complete_and_in_order() {
    let (app, version) = stage().await;
    let (_ticket, entries) = busy_ticket(&app, &version).await;
    oracle::check(&app).await;
    let settled = counts(&app).await;
    // As if nothing had been carried on yet: the rows vanish, the entries come again.
    for steps in 0.. {
        for collection in TARGETS {
            app.database
                .collection::<bson::Document>(collection)
                .delete_many(doc! {})
                .await
                .unwrap();
        }
        app.execute
            .relay()
            .carry_on(&entries, StepLimit::of(steps))
            .await
            .unwrap();
        let stopped = counts(&app).await;
        let notices = stopped[5] + stopped[6];
        let others_done = stopped[..5]
            .iter()
            .zip(&settled[..5])
            .all(|(now, then)| now == then);
        assert!(
            notices == 0 || others_done,
            "a notice is there before the rest, after {steps} writes"
        );
        app.execute
            .relay()
            .carry_on(&entries, StepLimit::NONE)
            .await
            .unwrap();
        assert_eq!(counts(&app).await, settled, "after a stop behind {steps} writes");
        if stopped == settled {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_repeat_brings_back_neither_a_revoked_persona_nor_a_dismissed_notice() {
    let (app, version) = stage().await;
    let (_ticket, entries) = busy_ticket(&app, &version).await;
    oracle::check(&app).await;
    let access = app.database.collection::<bson::Document>("user_access");
    let taken = doc! {"$set": {"agent": {"granted": false, "taken_by_admin": true}, "is_active": false}};
    assert_eq!(
        access
            .update_one(doc! {"_id": IVAN}, taken)
            .await
            .unwrap()
            .matched_count,
        1
    );
    let bell = app.database.collection::<bson::Document>("inapp_notifications");
    let dismissed = doc! {"$set": {"dismissed_at": bson::DateTime::now()}};
    let dismissed = bell.update_many(doc! {}, dismissed).await.unwrap().modified_count;
    assert!(dismissed > 0);
    let settled = counts(&app).await;
    let relay = app.execute.relay();
    let (one, two) = tokio::join!(
        relay.carry_on(&entries, StepLimit::NONE),
        relay.carry_on(&entries, StepLimit::NONE)
    );
    assert!(one.unwrap() && two.unwrap());
    let ivan = access.find_one(doc! {"_id": IVAN}).await.unwrap().unwrap();
    assert!(!ivan.get_document("agent").unwrap().get_bool("granted").unwrap());
    let visible = bell
        .count_documents(doc! {"dismissed_at": bson::Bson::Null})
        .await
        .unwrap();
    assert_eq!(visible, 0, "a dismissed notice came back");
    let now = counts(&app).await;
    assert_eq!(now[2..], settled[2..], "{TARGETS:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_cannot_be_read_is_set_aside_and_keeps_nothing_waiting() {
    let (app, version) = stage().await;
    let ticket = create(&app, &version, "one").await.ticket;
    app.execute.relay().drain().await.unwrap();
    let tickets = app.database.collection::<bson::Document>("tickets");
    let strange = doc! {"$push": {"tail": {"key": 7, "item": "strange"}}};
    tickets
        .update_one(doc! {"_id": ticket.id.as_str()}, strange)
        .await
        .unwrap();
    run(&app, MARK, &ticket.id, approve(&ticket)).await.unwrap();
    app.execute.relay().drain().await.unwrap();
    // What leaves a tail does not wait until a majority has seen it leave.
    eventually("the tail is empty", async || {
        app.execute.relay().health().await.unwrap().open == 0
    })
    .await;
    assert_eq!(app.execute.relay().health().await.unwrap().parked, 1);
}
