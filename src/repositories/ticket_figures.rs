//! Figures over all tickets, from one covering index: no ticket is read (design 3).

use super::indexes::IndexSpec;
use super::ticket_filter::{ALL_STATUS, hint};
use super::ticket_repo;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use mongodb::error::Result;

/// The numbers of a ticket that are summed up.
const NUMBERS: [&str; 18] = [
    "approvals_pending",
    "approvals_approved",
    "approvals_rejected",
    "handovers",
    "handovers_pending",
    "handovers_approved",
    "handovers_rejected",
    "assignments",
    "assignments_active",
    "questions_open",
    "questions_answered",
    "tasks",
    "tasks_open",
    "tasks_done",
    "tasks_orphaned",
    "forms",
    "forms_open",
    "forms_done",
];

/// The index of everybody's tickets by status, the last changed first: lists take the front of it, figures all of it.
/// Two indexes would be two keys for each command to move.
pub fn indexes() -> Vec<IndexSpec> {
    let mut keys = doc! {
        "work.status": 1, "work.updated_at": -1, "_id": -1, "work.workflow_id": 1, "work.has_pending_cr": 1,
        "work.figures.due_at": 1,
    };
    for number in NUMBERS {
        keys.insert(format!("work.figures.{number}"), 1);
    }
    vec![IndexSpec::new(ticket_repo::COLLECTION, ALL_STATUS, keys)]
}

/// The stages that sum up all tickets by status.
///
/// Per status: `count`, `overdue`, `approaching` (due within an hour), `idle_3`, `idle_7`, `idle_14` (not changed for
/// more than so many days), and the sum of every number.
pub fn pipeline(now: Timestamp) -> Vec<Document> {
    let due_at = "$work.figures.due_at";
    let idle = |days: i64| {
        let since = now.plus_minutes(-days * 24 * 60);
        doc! {"$sum": {"$cond": [{"$lt": ["$work.updated_at", since]}, 1, 0]}}
    };
    let due_within = |from: Bson, to: Timestamp| {
        doc! {"$sum": {"$cond": [{"$and": [{"$gt": [due_at, from]}, {"$lte": [due_at, to]}]}, 1, 0]}}
    };
    let mut group = doc! {
        "_id": "$work.status",
        "count": {"$sum": 1},
        "overdue": due_within(Bson::Null, now),
        "approaching": due_within(now.into(), now.plus_minutes(60)),
        "idle_3": idle(3),
        "idle_7": idle(7),
        "idle_14": idle(14),
    };
    for number in NUMBERS {
        group.insert(number, doc! {"$sum": format!("$work.figures.{number}")});
    }
    vec![
        doc! {"$match": {"work.status": {"$gt": Bson::MinKey}}},
        doc! {"$group": group},
    ]
}

/// The sums by status.
pub async fn by_status(database: &Database, now: Timestamp) -> Result<Vec<Document>> {
    database
        .collection::<Document>(ticket_repo::COLLECTION)
        .aggregate(pipeline(now))
        .hint(hint(ALL_STATUS))
        .await?
        .try_collect()
        .await
}
