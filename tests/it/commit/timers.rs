//! Timers: each fires once, whichever process sees it, and a ticket in trouble keeps no other waiting.

use super::oracle;
use super::process::{Process, new_database};
use super::stage::{create, publish};
use crate::support::mongo;
use bson::doc;
use workflow_ops::domain::audit::AuditEventType;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::repositories::audit_repo::AuditRepo;
use workflow_ops::repositories::ticket_repo::TicketRepo;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const MINUTE: i64 = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_timer_fires_once_though_two_processes_see_it() {
    let clock = Clock::fixed(START);
    let one = Process::on(new_database(mongo::uri()).await, clock.clone());
    let two = Process::on(one.database.clone(), clock.clone());
    let version = publish(&one.database).await;
    let ticket = create(&one, &version, "one").await.ticket;
    assert_eq!(one.timers.fire_due().await.unwrap(), 0, "nothing is due yet");
    clock.advance(31 * MINUTE);
    let (first, second) = tokio::join!(one.timers.fire_due(), two.timers.fire_due());
    assert!(first.unwrap() + second.unwrap() >= 1);
    clock.advance(40 * MINUTE);
    let (first, second) = tokio::join!(one.timers.fire_due(), two.timers.fire_due());
    assert!(first.unwrap() + second.unwrap() >= 1);
    assert_eq!(one.timers.fire_due().await.unwrap(), 0);
    let events = AuditRepo::new(&one.database)
        .newest(&ticket.id, |_| true, doc! {}, 100)
        .await
        .unwrap();
    let count = |kind| events.iter().filter(|row| row.body.event_type == kind).count();
    assert_eq!(
        (
            count(AuditEventType::SlaReminder),
            count(AuditEventType::SlaEscalation)
        ),
        (1, 1)
    );
    oracle::check(&one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_whose_timers_fail_is_tried_again_later_and_keeps_none_waiting() {
    let clock = Clock::fixed(START);
    let app = Process::on(new_database(mongo::uri()).await, clock.clone());
    let version = publish(&app.database).await;
    let broken = create(&app, &version, "broken").await.ticket;
    let sound = create(&app, &version, "sound").await.ticket;
    let tickets = app.database.collection::<bson::Document>("tickets");
    let id = doc! {"_id": broken.id.as_str()};
    let gone = doc! {"$set": {"ticket.workflow.version_number": 99}};
    tickets.update_one(id.clone(), gone).await.unwrap();
    clock.advance(31 * MINUTE);
    assert_eq!(
        app.timers.fire_due().await.unwrap(),
        1,
        "the sound ticket's timer fires"
    );
    assert_eq!(app.timers.in_trouble().await.unwrap(), 1);
    assert_eq!(
        app.timers.fire_due().await.unwrap(),
        0,
        "the other waits for its retry time"
    );
    let repaired = doc! {"$set": {"ticket.workflow.version_number": 1}};
    tickets.update_one(id, repaired).await.unwrap();
    assert_eq!(app.timers.fire_due().await.unwrap(), 0);
    clock.advance(2 * MINUTE);
    assert_eq!(app.timers.fire_due().await.unwrap(), 1);
    assert_eq!(app.timers.in_trouble().await.unwrap(), 0);
    let repo = TicketRepo::new(&app.database);
    for id in [&broken.id, &sound.id] {
        assert_eq!(repo.read(id).await.unwrap().unwrap().version, 2);
    }
    oracle::check(&app).await;
}
