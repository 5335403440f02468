//! Every list is read from an index: the plans of all queries that the screens cause, on a filled database.

use super::stage::{ANN, IVAN, MARK, Stage};
use crate::support::TestApp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;

/// How many copies of each ticket the database is filled with.
const COPIES: i32 = 2_000;

/// Fills the collection with copies of the tickets that are there, under other ids and other people's names but some.
async fn fill(app: &TestApp) {
    let tickets = app.database().collection::<Document>("tickets");
    let originals: Vec<Document> = tickets.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    for (kind, original) in originals.iter().enumerate() {
        let mut copies = Vec::new();
        for copy in 0..COPIES {
            let mut ticket = original.clone();
            let id = format!("TKT-{kind:04x}{copy:08x}");
            ticket.insert("_id", &id);
            ticket.get_document_mut("ticket").unwrap().insert("id", &id);
            let work = ticket.get_document_mut("work").unwrap();
            if copy % 100 != 0 {
                for key in ["shelves", "queues"] {
                    let words = work.get_array_mut(key).unwrap();
                    for word in words.iter_mut() {
                        *word = Bson::String(format!("{}{}", word.as_str().unwrap(), copy % 500));
                    }
                }
            }
            copies.push(ticket);
        }
        tickets.insert_many(copies).await.unwrap();
    }
}

/// The stages of a plan, innermost last.
fn stages(plan: &Document, found: &mut Vec<String>) {
    if let Ok(stage) = plan.get_str("stage") {
        found.push(stage.to_owned());
    }
    for (_, value) in plan {
        match value {
            Bson::Document(inner) => stages(inner, found),
            Bson::Array(items) => items
                .iter()
                .filter_map(Bson::as_document)
                .for_each(|item| stages(item, found)),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_screen_scans_a_collection_or_sorts_in_the_database() {
    let stage = Stage::new().await;
    for title in ["one", "two", "three"] {
        let ticket = stage.raise(ANN, title).await;
        if title != "one" {
            ticket.approve().await;
        }
        if title == "three" {
            ticket.assign(IVAN).await;
        }
    }
    fill(&stage.app).await;
    let database = stage.app.database();
    database.run_command(doc! {"profile": 2}).await.unwrap();
    for path in [
        "/api/v1/tickets",
        "/api/v1/tickets?status=IN_PROGRESS&page_size=1",
        "/api/v1/tickets?statuses=IN_PROGRESS,COMPLETED",
        "/api/v1/tickets?mine=false",
        "/api/v1/tickets/manager/approvals",
        "/api/v1/tickets/manager/assignments",
        "/api/v1/tickets/manager/handovers",
        "/api/v1/tickets/manager/history",
        "/api/v1/tickets/manager/dashboard",
        "/api/v1/tickets/agent/tasks",
        "/api/v1/tickets/agent/dashboard",
        "/api/v1/tickets/agent/history",
        "/api/v1/tickets/agent/info-requests",
        "/api/v1/tickets/agent/pending-handovers",
        "/api/v1/tickets/my-info-requests",
        "/api/v1/change-requests/my-pending",
        "/api/v1/workflows/catalog",
        "/api/v1/notifications",
        "/api/v1/notifications/unread-count",
    ] {
        for who in [ANN, MARK, IVAN, "admin.root"] {
            let reply = stage.person(who).get(path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        }
    }
    database.run_command(doc! {"profile": 0}).await.unwrap();
    let profile = database.collection::<Document>("system.profile");
    let entries: Vec<Document> = profile
        .find(doc! {"op": {"$in": ["query", "command"]}, "ns": {"$not": {"$regex": "system.profile"}}})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!(
        entries.len() > 50,
        "the profile has only {} entries",
        entries.len()
    );
    for entry in entries {
        let Ok(plan) = entry.get_document("execStats") else {
            continue;
        };
        let mut found = Vec::new();
        stages(plan, &mut found);
        let command = entry
            .get_document("command")
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            !found.iter().any(|stage| stage == "COLLSCAN"),
            "a collection is scanned: {command}"
        );
        let sorted = found.iter().any(|stage| stage == "SORT");
        assert!(!sorted, "the database sorts in memory: {command}");
    }
}
