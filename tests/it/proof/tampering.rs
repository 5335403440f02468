//! The oracle finds what is wrong: each thing that a defect could do to a database is done to one at rest, and found.

use super::oracle::look;
use crate::commit::oracle::check;
use crate::commit::process::Process;
use crate::commit::stage::{IVAN, MARK, approve, assign, complete, create, note, request, stage};
use bson::{Bson, Document, doc};
use mongodb::Collection;
use std::sync::Arc;
use workflow_ops::domain::ticket::Ticket;

/// A database at rest with one ticket that went to its end, in which nothing is wrong.
struct Rest {
    app: Process,
    ticket: Arc<Ticket>,
}

impl Rest {
    async fn new() -> Self {
        let (app, version) = stage().await;
        let raised = create(&app, &version, "Laptop").await.ticket;
        for (who, command) in [
            (MARK, note(&raised, "hurry")),
            (MARK, approve(&raised)),
            (MARK, assign(&raised)),
            (IVAN, complete(&raised)),
        ] {
            app.execute.run(request(who, &raised.id, command)).await.unwrap();
        }
        check(&app).await;
        Self { app, ticket: raised }
    }

    fn rows(&self, collection: &str) -> Collection<Document> {
        self.app.database.collection(collection)
    }

    /// A row of the ticket.
    async fn a_row(&self, collection: &str) -> Document {
        let of_ticket =
            doc! {"_id": {"$gte": format!("{}:", self.ticket.id), "$lt": format!("{};", self.ticket.id)}};
        self.rows(collection).find_one(of_ticket).await.unwrap().unwrap()
    }

    async fn change_ticket(&self, change: Document) {
        let id = self.ticket.id.as_str();
        self.rows("tickets")
            .update_one(doc! {"_id": id}, change)
            .await
            .unwrap();
    }

    #[track_caller]
    fn found(violations: &[String], what: &str) {
        assert!(
            violations.iter().any(|line| line.contains(what)),
            "{what} is not among {violations:#?}"
        );
    }

    async fn must_find(&self, what: &str) {
        let violations = look(&self.app).await.violations;
        Self::found(&violations, what);
    }
}

#[tokio::test]
async fn a_row_that_is_lost_in_any_collection_is_found() {
    let rest = Rest::new().await;
    for collection in [
        "audit_events",
        "ticket_notes",
        "work_history",
        "notification_outbox",
        "inapp_notifications",
    ] {
        let row = rest.a_row(collection).await;
        let id = doc! {"_id": row.get_str("_id").unwrap()};
        rest.rows(collection).delete_one(id).await.unwrap();
        rest.must_find(&format!("is lost: it is not in {collection}"))
            .await;
        rest.rows(collection).insert_one(row).await.unwrap();
    }
    assert!(look(&rest.app).await.violations.is_empty());
}

#[tokio::test]
async fn a_row_that_is_there_twice_is_found() {
    let rest = Rest::new().await;
    for collection in ["audit_events", "ticket_notes", "notification_outbox"] {
        for key in [
            format!("{}:2:99", rest.ticket.id),
            "TKT-ffffffffffff:1:1".to_owned(),
        ] {
            let mut row = rest.a_row(collection).await;
            row.insert("_id", &key);
            row.insert("n", 99_i64);
            rest.rows(collection).insert_one(&row).await.unwrap();
            rest.must_find(collection).await;
            rest.rows(collection)
                .delete_one(doc! {"_id": &key})
                .await
                .unwrap();
        }
    }
    assert!(look(&rest.app).await.violations.is_empty());
}

#[tokio::test]
async fn a_note_with_other_words_is_found() {
    let rest = Rest::new().await;
    let row = rest.a_row("ticket_notes").await;
    let change = doc! {"$set": {"body.content": "slow down"}};
    let id = doc! {"_id": row.get_str("_id").unwrap()};
    rest.rows("ticket_notes").update_one(id, change).await.unwrap();
    rest.must_find("of ticket_notes is another").await;
}

#[tokio::test]
async fn a_command_that_is_lost_or_was_carried_out_twice_is_found() {
    let rest = Rest::new().await;
    let commands = rest.rows("ticket_commands");
    let last = format!("{}:5:0", rest.ticket.id);
    let row = commands.find_one(doc! {"_id": &last}).await.unwrap().unwrap();
    commands.delete_one(doc! {"_id": &last}).await.unwrap();
    rest.must_find("was made by commands").await;
    commands.insert_one(&row).await.unwrap();
    let earlier = commands
        .find_one(doc! {"_id": format!("{}:4:0", rest.ticket.id)})
        .await
        .unwrap()
        .unwrap();
    let key = earlier.get_document("body").unwrap().get_str("key").unwrap();
    let change = doc! {"$set": {"body.key": key}};
    commands.update_one(doc! {"_id": &last}, change).await.unwrap();
    rest.must_find("a command was carried out twice").await;
}

#[tokio::test]
async fn an_aggregate_or_work_index_that_does_not_follow_from_the_commands_is_found() {
    let rest = Rest::new().await;
    rest.change_ticket(doc! {"$set": {"ticket.title": "Desk"}}).await;
    rest.must_find("is not the fold of its commands: the aggregate differs")
        .await;
    rest.change_ticket(doc! {"$set": {"ticket.title": "Laptop", "work.has_pending_cr": true}})
        .await;
    rest.must_find("the work index differs").await;
    rest.change_ticket(doc! {"$set": {"work.has_pending_cr": false}, "$inc": {"version": 1_i64}})
        .await;
    rest.must_find("version").await;
}

#[tokio::test]
async fn a_doubled_step_and_a_stranded_ticket_are_found() {
    let rest = Rest::new().await;
    let id = rest.ticket.id.as_str();
    let stored = rest
        .rows("tickets")
        .find_one(doc! {"_id": id})
        .await
        .unwrap()
        .unwrap();
    let steps = stored.get_document("ticket").unwrap().get_array("steps").unwrap();
    rest.change_ticket(doc! {"$push": {"ticket.steps": steps[0].clone()}})
        .await;
    rest.must_find("the step").await;
    let stranded =
        doc! {"$set": {"ticket.steps": Bson::Array(steps.clone()), "ticket.status": "IN_PROGRESS"}};
    rest.change_ticket(stranded).await;
    rest.must_find("is live and nobody can act on it").await;
}

#[tokio::test]
async fn a_tail_that_is_left_and_a_persona_that_was_not_given_are_found() {
    let rest = Rest::new().await;
    rest.rows("user_access").delete_many(doc! {}).await.unwrap();
    rest.must_find("was not given the persona").await;
    let entry = doc! {"key": format!("{}:5:9", rest.ticket.id), "at": bson::DateTime::now()};
    rest.change_ticket(doc! {"$push": {"tail": entry}}).await;
    rest.must_find("1 tails are open").await;
}

/// `scripts/prove-oracle` builds the program with one of these at a time; a change that moves one of their places
/// moves it here too.
#[test]
fn every_deliberate_fault_has_its_place_in_the_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read(root.join("tests/it/proof/deliberate_faults.json")).unwrap();
    let faults: Vec<serde_json::Value> = serde_json::from_slice(&list).unwrap();
    assert!(faults.len() >= 10);
    for fault in faults {
        let word = |field: &str| fault[field].as_str().unwrap();
        let code = std::fs::read_to_string(root.join(word("file"))).unwrap();
        assert_eq!(code.matches(word("old")).count(), 1, "{}", word("name"));
        assert_ne!(word("old"), word("new"));
    }
}
