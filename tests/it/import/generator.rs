//! Databases in the shapes of the reference backend (contract http-tickets 2 and 3, engine-core 1): tickets of every step
//! type in every state, and one scenario for each state that the reference's defects leave inconsistent.

use super::beside::{SHARED_FILE, beside};
use super::scenario::Scenario;
use super::ticket_builder::{Drawn, TicketBuilder};
use super::workflows::workflows;
use bson::{Bson, Document, doc};
use mongodb::Database;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use workflow_ops::domain::time::Timestamp;

use Scenario::*;

/// How many documents one insert has.
const INSERTED: usize = 2_000;

/// What was generated.
#[derive(Debug, Default)]
pub(crate) struct Generated {
    /// The tickets of each scenario.
    pub(crate) tickets: BTreeMap<Scenario, Vec<String>>,
}

impl Generated {
    /// The first ticket of a scenario.
    pub(crate) fn one(&self, scenario: Scenario) -> &str {
        &self.tickets[&scenario][0]
    }
}

/// Fills `database` with `count` tickets and everything around them; the same seed makes the same documents.
pub(crate) async fn generate(database: &Database, count: usize, seed: u64, now: Timestamp) -> Generated {
    let mut random = StdRng::seed_from_u64(seed);
    let drawn = workflows();
    let mut sink = Sink::new(database);
    for workflow in &drawn {
        sink.add("workflows", workflow.template(now));
        sink.add("workflow_versions", workflow.version(now));
    }
    beside(&mut sink, now);
    let mut generated = Generated::default();
    // One of each, then what a company has: most are sound.
    let all = Scenario::all();
    let (sound, unsound): (Vec<Scenario>, Vec<Scenario>) =
        all.iter().partition(|scenario| scenario.repaired_by().is_none());
    let mut each = all.into_iter();
    for _ in 0..count {
        let scenario = each.next().unwrap_or_else(|| {
            let among = if random.random_bool(0.7) { &sound } else { &unsound };
            among[random.random_range(0..among.len())]
        });
        let began = now.plus_minutes(-random.random_range(3_000..120_000));
        let ticket = play(scenario, &drawn, &mut random, began);
        generated
            .tickets
            .entry(scenario)
            .or_default()
            .push(ticket.id.clone());
        for (collection, document) in ticket.into_documents() {
            sink.add(collection, document);
        }
        sink.flush_full().await;
    }
    sink.flush().await;
    index(database).await;
    generated
}

/// Documents on their way.
pub(crate) struct Sink {
    database: Database,
    waiting: BTreeMap<&'static str, Vec<Document>>,
}

impl Sink {
    fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            waiting: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, collection: &'static str, document: Document) {
        self.waiting.entry(collection).or_default().push(document);
    }

    async fn flush_full(&mut self) {
        for (collection, documents) in &mut self.waiting {
            if documents.len() >= INSERTED {
                let documents = std::mem::take(documents);
                self.database
                    .collection(collection)
                    .insert_many(documents)
                    .ordered(false)
                    .await
                    .unwrap();
            }
        }
    }

    async fn flush(&mut self) {
        for (collection, documents) in std::mem::take(&mut self.waiting) {
            if !documents.is_empty() {
                self.database
                    .collection(collection)
                    .insert_many(documents)
                    .ordered(false)
                    .await
                    .unwrap();
            }
        }
    }
}

/// The reference's indexes by ticket; handovers and acknowledgements have none.
async fn index(database: &Database) {
    for collection in [
        "ticket_steps",
        "approval_tasks",
        "assignments",
        "info_requests",
        "audit_events",
        "change_requests",
        "attachments",
    ] {
        let index = mongodb::IndexModel::builder().keys(doc! {"ticket_id": 1}).build();
        database
            .collection::<Document>(collection)
            .create_index(index)
            .await
            .unwrap();
    }
}

/// Plays a ticket to the state of a scenario.
#[expect(clippy::too_many_lines, reason = "one arm a scenario")]
fn play(scenario: Scenario, drawn: &[Drawn], random: &mut StdRng, began: Timestamp) -> TicketBuilder {
    let mut t = TicketBuilder::begin(&drawn[0], random, began);
    let parallel = |random: &mut StdRng| {
        let mut t = TicketBuilder::begin(&drawn[1], random, began);
        t.wizard("form");
        t.ask("approve", &["mark.stone"], None);
        t.vote("approve", 0, "APPROVED");
        t.complete("approve", Some("APPROVED"));
        t.fork("fork", &[("b1", "First", "left"), ("b2", "Second", "right")]);
        t.activate("left", "ACTIVE");
        t.ask("right", &["maria.lopez", "nina.patel"], Some("ALL"));
        t.created();
        t
    };
    let whoever = |random: &mut StdRng| {
        let mut t = TicketBuilder::begin(&drawn[3], random, began);
        t.wizard("form");
        t.fork("fork", &[("b1", "First", "left"), ("b2", "Second", "right")]);
        t.activate("left", "ACTIVE");
        t.assign("left", "ivan.novak");
        t.activate("right", "ACTIVE");
        t.assign("right", "julia.rossi");
        t.created();
        t
    };
    match scenario {
        AtForm => {
            t.activate("form", "ACTIVE");
            t.created();
            return t;
        }
        InBranches => return parallel(random),
        InNestedBranches => {
            let mut t = TicketBuilder::begin(&drawn[6], random, began);
            t.wizard("form");
            t.fork("fork", &[("b1", "First", "inner"), ("b2", "Second", "side")]);
            t.activate("side", "ACTIVE");
            // The branches of the inner fork take the place of the outer ones (HZ-9b).
            t.fork("inner", &[("b1", "First", "left"), ("b2", "Second", "right")]);
            for key in ["left", "right"] {
                t.activate(key, "ACTIVE");
                t.assign(key, "ivan.novak");
            }
            t.created();
            return t;
        }
        LateBranch | EndForgotten => {
            let mut t = whoever(random);
            t.complete_task("left");
            t.branch("b1", "COMPLETED");
            t.complete("join", None);
            t.set("join_proceeded", true);
            let end = t.step_id("end");
            t.set("pending_end_step_id", end);
            if scenario == EndForgotten {
                t.complete_task("right");
                t.branch("b2", "COMPLETED");
            }
            return t;
        }
        InEmbedded
        | EmbeddedRunStopped
        | EmbeddedRunRejected
        | EmbeddedRunCancelled
        | CompletedThroughBranches => {
            let mut t = parallel(random);
            t.assign("left", "ivan.novak");
            t.complete_task("left");
            t.vote("right", 0, "APPROVED");
            t.vote("right", 1, "APPROVED");
            t.complete("right", Some("APPROVED"));
            t.complete("join", None);
            t.set("active_branches", Bson::Array(Vec::new()));
            t.embed("check", &drawn[2]);
            t.activate("look", "ACTIVE");
            t.assign("look", "tom.becker");
            if scenario == EmbeddedRunStopped {
                t.complete_task("look");
            }
            if scenario == EmbeddedRunRejected {
                t.complete_task("look");
                t.ask("sign", &["maria.lopez"], None);
                t.vote("sign", 0, "REJECTED");
                t.complete("sign", Some("REJECTED"));
                t.state("sign", "REJECTED");
            }
            if scenario == EmbeddedRunCancelled {
                t.end_assignments();
                for key in ["look", "sign"] {
                    t.complete(key, Some("CANCELLED"));
                    t.state(key, "CANCELLED");
                }
            }
            if scenario == CompletedThroughBranches {
                t.complete_task("look");
                t.ask("sign", &["maria.lopez"], None);
                t.vote("sign", 0, "APPROVED");
                t.complete("sign", Some("APPROVED"));
                t.complete("check", Some("COMPLETED"));
                t.complete("end", None);
                t.finish("COMPLETED", "TICKET_COMPLETED");
            }
            return t;
        }
        RejectedBesideQuestion => {
            let mut t = parallel(random);
            t.assign("left", "ivan.novak");
            t.question("left", "ivan.novak", None, "REQUESTER");
            t.state("left", "WAITING_FOR_REQUESTER");
            t.vote("right", 0, "REJECTED");
            t.complete("right", Some("REJECTED"));
            t.state("right", "REJECTED");
            t.finish("REJECTED", "REJECT");
            return t;
        }
        JoinThatWaits => {
            let mut t = parallel(random);
            t.state("join", "WAITING_FOR_BRANCHES");
            return t;
        }
        BranchRecomputed => {
            let mut t = parallel(random);
            t.branch("b2", "COMPLETED");
            return t;
        }
        BranchStopped => {
            let mut t = parallel(random);
            t.assign("left", "ivan.novak");
            t.complete_task("left");
            return t;
        }
        JoinRefused => {
            let mut t = parallel(random);
            t.assign("left", "ivan.novak");
            t.complete_task("left");
            t.branch("b1", "COMPLETED");
            t.vote("right", 0, "APPROVED");
            t.vote("right", 1, "APPROVED");
            t.complete("right", Some("APPROVED"));
            t.branch("b2", "COMPLETED");
            return t;
        }
        ApprovalDecidedButOpen => {
            let mut t = parallel(random);
            t.vote("right", 0, "APPROVED");
            t.vote("right", 1, "APPROVED");
            t.edit("right", |step| {
                step.insert("parallel_pending_approvers", vec!["nina.patel@example.com"]);
            });
            return t;
        }
        SameApproverTwice => {
            let mut t = parallel(random);
            t.one_more_vote("right", "nina.patel");
            return t;
        }
        AtParallelApproval => {
            let mut t = parallel(random);
            t.vote("right", 0, "APPROVED");
            return t;
        }
        FlowStoppedBehindWizard => {
            let mut t = TicketBuilder::begin(&drawn[4], random, began);
            t.wizard("form");
            t.created();
            return t;
        }
        NeedsAdministrator => {
            let mut t = TicketBuilder::begin(&drawn[5], random, began);
            t.wizard("form");
            t.created();
            return t;
        }
        OrphanOfFailedCreation => return t,
        NothingEntered => {
            t.created();
            return t;
        }
        VersionIsMissing => {
            t.wizard("form");
            t.ask("approve", &["mark.stone"], None);
            t.created();
            t.set("workflow_version_id", "WFV-0000000000ff");
            t.set("workflow_version", 9);
            return t;
        }
        _ => {}
    }
    t.wizard("form");
    t.ask("approve", &["mark.stone"], None);
    t.created();
    match scenario {
        AtApproval => return t,
        QuestionToRequester => {
            t.question("approve", "mark.stone", None, "REQUESTER");
            t.state("approve", "WAITING_FOR_REQUESTER");
            t.set("status", "WAITING_FOR_REQUESTER");
            return t;
        }
        SecondOpenQuestion => {
            t.question("approve", "mark.stone", None, "REQUESTER");
            t.question("approve", "mark.stone", None, "REQUESTER");
            t.state("approve", "WAITING_FOR_REQUESTER");
            t.set("status", "WAITING_FOR_REQUESTER");
            return t;
        }
        QuestionNobodyWaitsFor => {
            t.question("approve", "mark.stone", None, "REQUESTER");
            return t;
        }
        WaitWithoutQuestion => {
            t.state("approve", "WAITING_FOR_REQUESTER");
            t.set("status", "WAITING_FOR_REQUESTER");
            return t;
        }
        WaitForSomebodyElse => {
            t.question("approve", "mark.stone", Some("ivan.novak"), "UNKNOWN");
            t.state("approve", "WAITING_FOR_REQUESTER");
            t.set("status", "WAITING_FOR_REQUESTER");
            return t;
        }
        HoldOfNoTask => {
            t.hold("approve", "mark.stone");
            return t;
        }
        HandoverOfNoTask => {
            t.handover("approve", "mark.stone", "PENDING");
            return t;
        }
        StatusRecomputed => {
            t.set("status", "WAITING_FOR_AGENT");
            return t;
        }
        ApprovalWithoutApprovers => {
            t.forget_votes();
            return t;
        }
        FabricatedObjectId => {
            t.edit_ticket(|ticket| {
                ticket
                    .get_document_mut("manager_snapshot")
                    .unwrap()
                    .insert("aad_id", "mock-mark.stone");
            });
            return t;
        }
        PersonWithoutAddress => {
            t.edit_ticket(|ticket| {
                ticket
                    .get_document_mut("manager_snapshot")
                    .unwrap()
                    .insert("email", "");
            });
            return t;
        }
        UnknownAuditEvent => {
            t.audit("TELEPORTED", None, doc! {"to": "the moon"});
            return t;
        }
        UnlinkedFile => {
            t.loose_file();
            return t;
        }
        SharedLooseFile => {
            t.name_file(SHARED_FILE);
            return t;
        }
        Rejected | Skipped => {
            let (word, event) = if scenario == Rejected {
                ("REJECTED", "REJECT")
            } else {
                ("SKIPPED", "SKIP")
            };
            t.vote("approve", 0, word);
            t.complete("approve", Some(word));
            t.state("approve", word);
            t.finish(word, event);
            return t;
        }
        RevivedTicket => {
            t.question("approve", "mark.stone", None, "REQUESTER");
            t.vote("approve", 0, "SKIPPED");
            t.complete("approve", Some("SKIPPED"));
            t.finish("SKIPPED", "SKIP");
            t.answer_last_question();
            t.set("status", "IN_PROGRESS");
            t.state("approve", "WAITING_FOR_APPROVAL");
            return t;
        }
        VoteOutlivedStep => {
            t.one_more_vote("approve", "maria.lopez");
            t.edit("approve", |step| {
                step.insert("parallel_approval_rule", "ANY");
            });
        }
        _ => {}
    }
    t.vote("approve", 0, "APPROVED");
    t.complete("approve", Some("APPROVED"));
    if scenario == FlowStopped {
        return t;
    }
    t.activate("work", "ACTIVE");
    match scenario {
        AtTask => return t,
        AssignmentNeverTookEffect => {
            t.assignment("work", "ivan.novak", "ACTIVE");
            return t;
        }
        StateOfAnotherType => {
            t.state("work", "WAITING_FOR_APPROVAL");
            return t;
        }
        _ => {}
    }
    t.assign("work", "ivan.novak");
    t.note("work", "mark.stone", "Please hurry");
    match scenario {
        HeldTask => t.hold("work", "ivan.novak"),
        QuestionToAgent => {
            t.question("work", "ivan.novak", Some("mark.stone"), "APPROVAL_STEP");
            t.state("work", "WAITING_FOR_AGENT");
            t.set("status", "WAITING_FOR_AGENT");
        }
        HandoverPending => t.handover("work", "ivan.novak", "PENDING"),
        SecondPendingHandover => {
            t.handover("work", "ivan.novak", "PENDING");
            t.handover("work", "ivan.novak", "PENDING");
        }
        HandoverOfFormerAgent => {
            t.handover("work", "julia.rossi", "PENDING");
        }
        SecondActiveAssignment => {
            t.assignment("work", "julia.rossi", "ACTIVE");
        }
        ChangePending | SecondPendingChangeRequest | WorkThatEscapedThePause => {
            if scenario == SecondPendingChangeRequest {
                t.change("PENDING", "older");
            }
            let id = t.change("PENDING", "changed");
            t.set("pending_change_request_id", id);
            t.set("status", "WAITING_FOR_CR");
            if scenario != WorkThatEscapedThePause {
                t.state("work", "WAITING_FOR_CR");
            }
        }
        PauseWithoutChangeRequest => {
            t.set("status", "WAITING_FOR_CR");
            t.state("work", "WAITING_FOR_CR");
        }
        Cancelled => {
            t.end_assignments();
            t.state("work", "SKIPPED");
            t.finish("CANCELLED", "CANCEL_TICKET");
        }
        CancelledWhileHeld => {
            t.hold("work", "ivan.novak");
            t.handover("work", "ivan.novak", "PENDING");
            t.finish("CANCELLED", "CANCEL_TICKET");
        }
        _ => {
            t.complete_task("work");
            if scenario == StepCutShort {
                t.activate("end", "ACTIVE");
                return t;
            }
            t.complete("end", None);
            t.finish("COMPLETED", "TICKET_COMPLETED");
            if matches!(scenario, CompletedAfterChange | ChangeRequestHalfApplied) {
                t.change("APPROVED", "changed");
                t.form_versions(scenario == ChangeRequestHalfApplied);
            }
            if scenario == ChangeOutlivedTicket {
                let id = t.change("PENDING", "too late");
                t.set("pending_change_request_id", id);
            }
        }
    }
    t
}
