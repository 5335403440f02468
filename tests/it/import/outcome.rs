//! What an import makes of a database with every step type and every inconsistency of the hazard lists.

use super::beside::SHARED_FILE;
use super::scenario::Scenario;
use super::stage::{Legacy, dump, open, settings, target};
use crate::support::START;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use pretty_assertions::assert_eq;
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::import::RepairRule;
use workflow_ops::domain::ticket::{Phase, Ticket};
use workflow_ops::domain::time::Clock;
use workflow_ops::domain::workflow::StepType;
use workflow_ops::services::import::Mode;

const SEED: u64 = 20_260_105;

async fn ticket(database: &Database, id: &str) -> Ticket {
    #[derive(serde::Deserialize)]
    struct Row {
        ticket: Ticket,
    }
    let tickets = database.collection::<Row>("tickets");
    tickets.find_one(doc! {"_id": id}).await.unwrap().unwrap().ticket
}

/// The rules that the audit trail of a ticket names, tail included.
async fn rules_told(database: &Database, id: &str) -> Vec<String> {
    let events = database.collection::<Document>("audit_events");
    let told: Vec<Document> = events
        .find(doc! {"ticket_id": id, "body.event_type": "IMPORT_REPAIR"})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut texts: Vec<String> = told
        .iter()
        .map(|event| {
            event
                .get_document("body")
                .unwrap()
                .get_str("details")
                .unwrap()
                .to_owned()
        })
        .collect();
    let stored = database
        .collection::<Document>("tickets")
        .find_one(doc! {"_id": id})
        .await
        .unwrap()
        .unwrap();
    for entry in stored.get_array("tail").unwrap() {
        texts.push(entry.to_string());
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_document_comes_over_and_every_difference_is_explained_by_a_named_repair() {
    let legacy = Legacy::with(300, SEED, START).await;
    let clock = Clock::fixed(START);
    let target = target().await;
    let report = legacy.import(&target, Mode::Write, &clock).await;
    let verified = report.verified.as_ref().unwrap();
    assert_eq!(verified.unexplained, 0, "seed {SEED}\n{}", report.to_text());
    assert!(
        verified.explained > 100 && verified.compared > 4_000,
        "{}",
        report.to_text()
    );
    let repairs = report.repairs();
    let without_example: Vec<&str> = RepairRule::ALL
        .iter()
        .map(|rule| rule.as_str())
        .filter(|rule| !repairs.contains_key(*rule))
        .collect();
    assert_eq!(without_example, [] as [&str; 0], "{}", report.to_text());
    for scenario in Scenario::all() {
        let id = legacy.generated.one(scenario);
        let told = rules_told(&target, id).await;
        if let Some(rule) = scenario.repaired_by() {
            let names = |text: &String| text.contains(rule.as_str());
            assert!(
                told.iter().any(names),
                "{scenario:?} {id}: {rule:?} is not in {told:#?}"
            );
        }
    }
    target.drop().await.unwrap();
    legacy.drop().await;
}

/// Which of several tickets is imported first depends on the moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_version_is_made_of_the_ticket_that_was_created_first() {
    let legacy = Legacy::with(60, SEED + 7, START).await;
    let tickets = legacy.database.collection::<Document>("tickets");
    for scenario in [Scenario::AtApproval, Scenario::AtTask, Scenario::Completed] {
        let pinned = doc! {"$set": {"workflow_version_id": "WFV-0000000000ff", "workflow_version": 9}};
        let id = doc! {"_id": legacy.generated.one(scenario)};
        tickets.update_one(id, pinned).await.unwrap();
    }
    let target = target().await;
    let report = legacy.import(&target, Mode::Write, &Clock::fixed(START)).await;
    assert!(report.is_clean(), "{}", report.to_text());
    let first = tickets
        .find_one(doc! {"workflow_version_id": "WFV-0000000000ff"})
        .sort(doc! {"created_at": 1})
        .await
        .unwrap()
        .unwrap();
    let made = target
        .collection::<Document>("workflow_versions")
        .find_one(doc! {"_id": "WFV-0000000000ff"})
        .await
        .unwrap()
        .unwrap();
    assert_eq!(made.get("published_at"), first.get("created_at"));
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_import_changes_nothing() {
    let legacy = Legacy::with(120, SEED + 1, START).await;
    let clock = Clock::fixed(START);
    let target = target().await;
    let first = legacy.import(&target, Mode::Write, &clock).await;
    assert!(first.inserted > 0);
    let before = dump(&target).await;
    clock.advance(3_600_000);
    let second = legacy.import(&target, Mode::Write, &clock).await;
    assert_eq!(dump(&target).await, before);
    assert_eq!(second.inserted, 0);
    assert_eq!(second.to_text(), first.to_text());
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_writes_nothing_and_gives_the_same_report() {
    let legacy = Legacy::with(120, SEED + 2, START).await;
    let clock = Clock::fixed(START);
    let untouched = open(&format!("i{}", &random_key()[..16])).await;
    let dry = legacy.import(&untouched, Mode::DryRun, &clock).await;
    assert!(untouched.list_collection_names().await.unwrap().is_empty());
    let target = target().await;
    let wet = legacy.import(&target, Mode::Write, &clock).await;
    assert_eq!(dry.to_text(), wet.to_text());
    assert_eq!(dry.to_json(), wet.to_json());
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_import_no_live_ticket_is_without_somebody_who_can_act() {
    let legacy = Legacy::with(200, SEED + 3, START).await;
    let target = target().await;
    let report = legacy.import(&target, Mode::Write, &Clock::fixed(START)).await;
    let helpless: Vec<&str> = report
        .listed
        .values()
        .filter(|finding| finding.rule == RepairRule::NeedsAdministrator)
        .map(|finding| finding.subject.as_str())
        .collect();
    for id in legacy.generated.tickets.values().flatten() {
        let ticket = ticket(&target, id).await;
        if !ticket.is_live() || helpless.contains(&id.as_str()) {
            continue;
        }
        let acts = ticket.steps.iter().any(|step| {
            step.phase == Phase::Live
                && match step.kind {
                    StepType::Form | StepType::Task => true,
                    StepType::Approval => ticket
                        .approval_tasks_of(&step.id)
                        .any(|task| task.decision == workflow_ops::domain::ticket::ApprovalDecision::Pending),
                    StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => false,
                }
        });
        assert!(acts, "{id} {:?}", ticket.status);
    }
    assert!(helpless.contains(&legacy.generated.one(Scenario::NeedsAdministrator)));
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_that_no_repair_explains_is_reported() {
    let legacy = Legacy::with(60, SEED + 4, START).await;
    let clock = Clock::fixed(START);
    let target = target().await;
    assert!(legacy.import(&target, Mode::Write, &clock).await.is_clean());
    let completed = legacy.generated.one(Scenario::Completed);
    let set = |collection: &str, filter: Document, set: Document| {
        let collection = legacy.database.collection::<Document>(collection);
        async move { collection.update_one(filter, doc! {"$set": set}).await.unwrap() }
    };
    set(
        "tickets",
        doc! {"_id": completed},
        doc! {"form_values.amount": -1},
    )
    .await;
    set(
        "notification_outbox",
        doc! {"_id": "NTF-000000000001"},
        doc! {"status": "FAILED"},
    )
    .await;
    let tampered = doc! {"$set": {"ticket.title": "Tampered"}};
    let approval = legacy.generated.one(Scenario::AtApproval);
    let tickets = target.collection::<Document>("tickets");
    tickets
        .update_one(doc! {"_id": approval}, tampered)
        .await
        .unwrap();
    let report = legacy.import(&target, Mode::Write, &clock).await;
    let verified = report.verified.unwrap();
    let found: Vec<(&str, &str)> = verified
        .differences
        .iter()
        .map(|difference| (difference.subject.as_str(), difference.field.as_str()))
        .collect();
    assert!(found.contains(&(completed, "form_values")), "{found:?}");
    assert!(found.contains(&(approval, "replay")), "{found:?}");
    assert!(found.contains(&("NTF-000000000001", "status")), "{found:?}");
    assert_eq!(found.len(), 3);
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_refuses_a_database_that_a_service_runs_on() {
    let legacy = Legacy::with(1, SEED + 5, START).await;
    let target = target().await;
    let lease = doc! {"_id": "statistics", "owner": "p", "expires_at": START.plus_minutes(-1)};
    target
        .collection::<Document>("scheduler_leases")
        .insert_one(lease)
        .await
        .unwrap();
    let settings = settings(legacy.folder.path());
    let refused = legacy
        .importer(&target, Mode::Write, &Clock::fixed(START), &settings)
        .await;
    let text = refused.unwrap_err().to_string();
    assert!(
        text.contains("a service is running") && text.contains("--alongside"),
        "{text}"
    );
    target.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_over_with_their_bytes_and_missing_ones_are_marked() {
    let legacy = Legacy::with(300, SEED + 6, START).await;
    let target = target().await;
    legacy.import(&target, Mode::Write, &Clock::fixed(START)).await;
    let files = target.collection::<Document>("attachments");
    let file = |id: String| {
        let files = files.clone();
        async move { files.find_one(doc! {"_id": id}).await.unwrap().unwrap() }
    };
    let found = file("ATT-000000000001".to_owned()).await;
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(found.get_str("sha256").unwrap(), hello);
    assert!(!found.contains_key("missing_since"));
    for id in ["ATT-000000000002", "ATT-000000000003"] {
        assert!(file(id.to_owned()).await.contains_key("missing_since"), "{id}");
    }
    let owner = &legacy.generated.tickets[&Scenario::SharedLooseFile];
    assert!(owner.len() > 1);
    let shared = file(SHARED_FILE.to_owned()).await;
    assert_eq!(
        shared.get_str("ticket_id").ok(),
        owner.iter().map(String::as_str).min()
    );
    let owner = legacy.generated.one(Scenario::UnlinkedFile);
    let linked = files.find_one(doc! {"ticket_id": owner}).await.unwrap().unwrap();
    assert_eq!(linked.get_str("sha256").unwrap(), hello);
    target.drop().await.unwrap();
    legacy.drop().await;
}
