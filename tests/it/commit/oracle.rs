//! What must hold of a database at rest: every command recorded once, every entry where it belongs once, no tail left.

use crate::support::eventually;
use bson::{Document, doc};
use futures::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};
use workflow_ops::app::App;
use workflow_ops::domain::id::TicketId;
use workflow_ops::services::replay::Replay;

/// Carries on what is left and checks every ticket of the database; returns how many there are.
pub(crate) async fn check(app: &App) -> usize {
    // What a killed process had sent may still take effect after its death, behind the first drain.
    eventually("every tail is empty", || async {
        app.execute.relay().drain().await.unwrap();
        app.execute.relay().health().await.unwrap().open == 0
    })
    .await;
    let tickets: Vec<Document> = all(app, "tickets").await;
    for ticket in &tickets {
        assert!(
            ticket.get_array("tail").unwrap().is_empty(),
            "a tail is not empty"
        );
    }
    let health = app.execute.relay().health().await.unwrap();
    assert_eq!((health.parked, health.open), (0, 0));
    check_rows(app, &tickets).await;
    for ticket in &tickets {
        let id = TicketId::from_stored(ticket.get_str("_id").unwrap());
        let report = Replay::of(app).ticket(&id).await.unwrap();
        assert_eq!(
            report.difference, None,
            "{id} differs from the fold of its commands"
        );
    }
    tickets.len()
}

/// Every command of every ticket is recorded once, and what it caused is where the record says, once.
async fn check_rows(app: &App, tickets: &[Document]) {
    let mut versions: BTreeMap<String, i64> = BTreeMap::new();
    for ticket in tickets {
        versions.insert(
            ticket.get_str("_id").unwrap().to_owned(),
            ticket.get_i64("version").unwrap(),
        );
    }
    let mut recorded: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for row in all(app, "ticket_commands").await {
        let ticket = row.get_str("ticket_id").unwrap().to_owned();
        let seq = row.get_i64("seq").unwrap();
        assert!(
            recorded.entry(ticket).or_default().insert(seq),
            "a command is recorded twice"
        );
    }
    for (ticket, version) in &versions {
        let expected: BTreeSet<i64> = (1..=*version).collect();
        assert_eq!(recorded.get(ticket), Some(&expected), "commands of {ticket}");
    }
    for collection in ["audit_events", "notification_outbox", "inapp_notifications"] {
        let mut seen = BTreeSet::new();
        for row in all(app, collection).await {
            let key = row.get_str("_id").unwrap().to_owned();
            let ticket = row.get_str("ticket_id").unwrap();
            let seq: i64 = key.split(':').nth(1).unwrap().parse().unwrap();
            assert!(
                seq <= versions[ticket],
                "{collection} {key} belongs to no committed command"
            );
            assert!(seen.insert(key), "a row of {collection} is there twice");
        }
    }
}

/// Every document of a collection.
pub(crate) async fn all(app: &App, collection: &str) -> Vec<Document> {
    app.database
        .collection::<Document>(collection)
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}
