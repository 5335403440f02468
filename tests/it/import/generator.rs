//! Databases in the shapes of the reference backend (contract http-tickets 2 and 3, engine-core 1): tickets of every step
//! type in every state, and one scenario for each state that the reference's defects leave inconsistent.

use super::ticket_builder::{Drawn, TicketBuilder, iso, people};
use bson::{Bson, Document, doc};
use mongodb::Database;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use workflow_ops::domain::time::Timestamp;

/// How many documents one insert has.
const INSERTED: usize = 2_000;

/// What a generated ticket is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    // Sound and live.
    AtForm,
    AtApproval,
    AtParallelApproval,
    AtTask,
    AtAssignedTask,
    HeldTask,
    QuestionToRequester,
    QuestionToAgent,
    HandoverPending,
    ChangePending,
    InBranches,
    LateBranch,
    InEmbedded,
    // Sound and ended.
    Completed,
    CompletedThroughBranches,
    CompletedAfterChange,
    Rejected,
    Skipped,
    Cancelled,
    // Inconsistent, by the rule that repairs it.
    RejectedBesideQuestion,
    CancelledWhileHeld,
    VoteOutlivedStep,
    ChangeOutlivedTicket,
    RevivedTicket,
    OrphanOfFailedCreation,
    SecondOpenQuestion,
    QuestionNobodyWaitsFor,
    WaitWithoutQuestion,
    WaitForSomebodyElse,
    SecondActiveAssignment,
    AssignmentNeverTookEffect,
    SecondPendingHandover,
    HandoverOfFormerAgent,
    HandoverOfNoTask,
    SecondPendingChangeRequest,
    PauseWithoutChangeRequest,
    WorkThatEscapedThePause,
    HoldOfNoTask,
    SameApproverTwice,
    StateOfAnotherType,
    JoinThatWaits,
    StatusRecomputed,
    BranchRecomputed,
    ChangeRequestHalfApplied,
    FabricatedObjectId,
    PersonWithoutAddress,
    UnlinkedFile,
    VersionIsMissing,
    UnknownAuditEvent,
    ApprovalDecidedButOpen,
    ApprovalWithoutApprovers,
    StepCutShort,
    FlowStopped,
    FlowStoppedBehindWizard,
    BranchStopped,
    JoinRefused,
    EmbeddedRunStopped,
    EndForgotten,
    NeedsAdministrator,
}

use Scenario::*;

/// Every scenario.
pub(crate) const ALL: [Scenario; 59] = [
    AtForm,
    AtApproval,
    AtParallelApproval,
    AtTask,
    AtAssignedTask,
    HeldTask,
    QuestionToRequester,
    QuestionToAgent,
    HandoverPending,
    ChangePending,
    InBranches,
    LateBranch,
    InEmbedded,
    Completed,
    CompletedThroughBranches,
    CompletedAfterChange,
    Rejected,
    Skipped,
    Cancelled,
    RejectedBesideQuestion,
    CancelledWhileHeld,
    VoteOutlivedStep,
    ChangeOutlivedTicket,
    RevivedTicket,
    OrphanOfFailedCreation,
    SecondOpenQuestion,
    QuestionNobodyWaitsFor,
    WaitWithoutQuestion,
    WaitForSomebodyElse,
    SecondActiveAssignment,
    AssignmentNeverTookEffect,
    SecondPendingHandover,
    HandoverOfFormerAgent,
    HandoverOfNoTask,
    SecondPendingChangeRequest,
    PauseWithoutChangeRequest,
    WorkThatEscapedThePause,
    HoldOfNoTask,
    SameApproverTwice,
    StateOfAnotherType,
    JoinThatWaits,
    StatusRecomputed,
    BranchRecomputed,
    ChangeRequestHalfApplied,
    FabricatedObjectId,
    PersonWithoutAddress,
    UnlinkedFile,
    VersionIsMissing,
    UnknownAuditEvent,
    ApprovalDecidedButOpen,
    ApprovalWithoutApprovers,
    StepCutShort,
    FlowStopped,
    FlowStoppedBehindWizard,
    BranchStopped,
    JoinRefused,
    EmbeddedRunStopped,
    EndForgotten,
    NeedsAdministrator,
];

/// The sound ones, of which a company has most.
const SOUND: usize = 19;

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
    let mut each = ALL.into_iter();
    for _ in 0..count {
        let scenario = each.next().unwrap_or_else(|| {
            let among = if random.random_bool(0.7) {
                0..SOUND
            } else {
                SOUND..ALL.len()
            };
            ALL[random.random_range(among)]
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
struct Sink {
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

    fn add(&mut self, collection: &'static str, document: Document) {
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

/// The workflows that tickets run.
#[expect(clippy::too_many_lines, reason = "one workflow after the other")]
fn workflows() -> Vec<Drawn> {
    let edge = |from: &str, to: &str, event: &str| json!({"transition_id": format!("t_{from}_{to}"), "from_step_id": from, "to_step_id": to, "on_event": event, "priority": 0});
    let form = |id: &str| {
        json!({"step_id": id, "step_name": "Request", "step_type": "FORM_STEP", "order": 0, "is_start": true, "fields": [
            {"field_key": "item", "field_label": "Item", "field_type": "TEXT", "required": true, "order": 0},
            {"field_key": "amount", "field_label": "Amount", "field_type": "NUMBER", "required": false, "order": 1}]})
    };
    let approval = |id: &str| {
        json!({"step_id": id, "step_name": "Approval", "step_type": "APPROVAL_STEP", "order": 1,
            "approver_resolution": "REQUESTER_MANAGER", "spoc_email": "maria.lopez@example.com", "sla": {"due_minutes": 2880}})
    };
    let task = |id: &str, name: &str| json!({"step_id": id, "step_name": name, "step_type": "TASK_STEP", "order": 2, "instructions": "Do it", "execution_notes_required": false});
    let end = |id: &str| json!({"step_id": id, "step_name": "Done", "step_type": "NOTIFY_STEP", "order": 9, "is_terminal": true, "recipients": ["requester"]});
    let fork = |id: &str, policy: &str, a: &str, b: &str| {
        json!({"step_id": id, "step_name": "Split", "step_type": "FORK_STEP", "order": 3, "failure_policy": policy, "branches": [
            {"branch_id": "b1", "branch_name": "First", "start_step_id": a, "color": "#336699"},
            {"branch_id": "b2", "branch_name": "Second", "start_step_id": b}]})
    };
    let join = |id: &str, fork: &str, mode: &str| json!({"step_id": id, "step_name": "Meet", "step_type": "JOIN_STEP", "order": 5, "source_fork_step_id": fork, "join_mode": mode});
    let drawn = |number: u32, name: &str, start: &str, steps: Vec<Value>, edges: Vec<Value>| Drawn {
        workflow_id: format!("WF-{number:012x}"),
        version_id: format!("WFV-{number:012x}"),
        number: 1,
        name: name.to_owned(),
        definition: json!({"steps": steps, "transitions": edges, "start_step_id": start}),
    };
    vec![
        drawn(
            1,
            "Laptop request",
            "form",
            vec![
                form("form"),
                approval("approve"),
                task("work", "Provision"),
                end("end"),
            ],
            vec![
                edge("form", "approve", "SUBMIT_FORM"),
                edge("approve", "work", "APPROVE"),
                edge("work", "end", "COMPLETE_TASK"),
            ],
        ),
        drawn(
            2,
            "Onboarding",
            "form",
            vec![
                form("form"),
                approval("approve"),
                fork("fork", "FAIL_ALL", "left", "right"),
                task("left", "Workplace"),
                json!({"step_id": "right", "step_name": "Access", "step_type": "APPROVAL_STEP", "order": 4,
                    "parallel_approval": "ALL", "parallel_approvers": ["maria.lopez@example.com", "nina.patel@example.com"]}),
                join("join", "fork", "ALL"),
                json!({"step_id": "check", "step_name": "Check", "step_type": "SUB_WORKFLOW_STEP", "order": 6,
                    "sub_workflow_id": "WF-000000000003", "sub_workflow_version": 1, "sub_workflow_name": "Background check"}),
                end("end"),
            ],
            vec![
                edge("form", "approve", "SUBMIT_FORM"),
                edge("approve", "fork", "APPROVE"),
                edge("left", "join", "COMPLETE_TASK"),
                edge("right", "join", "APPROVE"),
                edge("join", "check", "COMPLETE_TASK"),
                edge("check", "end", "COMPLETE_TASK"),
            ],
        ),
        drawn(
            3,
            "Background check",
            "look",
            vec![
                task("look", "Look"),
                json!({"step_id": "sign", "step_name": "Sign", "step_type": "APPROVAL_STEP", "order": 1, "is_terminal": true,
                    "approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": "maria.lopez@example.com"}),
            ],
            vec![edge("look", "sign", "COMPLETE_TASK")],
        ),
        drawn(
            4,
            "Whoever is first",
            "form",
            vec![
                form("form"),
                fork("fork", "CONTINUE_OTHERS", "left", "right"),
                task("left", "One way"),
                task("right", "Other way"),
                join("join", "fork", "ANY"),
                end("end"),
            ],
            vec![
                edge("form", "fork", "SUBMIT_FORM"),
                edge("left", "join", "COMPLETE_TASK"),
                edge("right", "join", "COMPLETE_TASK"),
                edge("join", "end", "COMPLETE_TASK"),
            ],
        ),
        drawn(
            5,
            "Notice only",
            "form",
            vec![
                json!({"step_id": "form", "step_name": "Notice", "step_type": "FORM_STEP", "order": 0, "is_start": true, "is_terminal": true, "fields": []}),
            ],
            vec![],
        ),
        drawn(
            6,
            "Dead end",
            "form",
            vec![form("form"), task("work", "Lost")],
            vec![],
        ),
    ]
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
        InEmbedded | EmbeddedRunStopped | CompletedThroughBranches => {
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

/// Everything that is no ticket, sound and unsound.
#[expect(clippy::too_many_lines, reason = "one document after the other")]
fn beside(sink: &mut Sink, now: Timestamp) {
    let people = people();
    let ann = people[0].snapshot();
    let at = |minutes: i64| Bson::from(iso(now.plus_minutes(-minutes)));
    let definition = || doc! {"steps": [{"step_id": "x", "step_name": "X", "step_type": "TELEPORT"}], "transitions": [], "start_step_id": "x"};
    let version = |id: &str, workflow: &str, number: i32, minutes: i64| {
        doc! {"_id": id, "workflow_version_id": id, "workflow_id": workflow, "version_number": number, "name": "Odd", "description": Bson::Null,
        "category": "IT", "tags": [], "definition": definition(), "published_by": ann.clone(), "published_at": at(minutes)}
    };
    // Deleted for good, two versions under one number, unreadable steps, no current version.
    sink.add(
        "workflow_versions",
        version("WFV-0000000000a1", "WF-0000000000aa", 1, 900),
    );
    sink.add(
        "workflow_versions",
        version("WFV-0000000000b1", "WF-0000000000bb", 1, 900),
    );
    sink.add(
        "workflow_versions",
        version("WFV-0000000000b2", "WF-0000000000bb", 1, 800),
    );
    sink.add("workflows", doc! {"_id": "WF-0000000000bb", "workflow_id": "WF-0000000000bb", "name": "Odd", "status": "PUBLISHED",
        "definition": "not an object", "created_by": ann.clone(), "created_at": at(1000), "updated_at": Bson::DateTime(now.to_bson()),
        "published_version": Bson::Null, "current_version": Bson::Null, "version": 3, "tags": ["a"], "category": "IT"});
    for (id, minutes) in [("LKP-000000000001", 500), ("LKP-000000000002", 400)] {
        sink.add("workflow_lookups", doc! {"_id": id, "lookup_id": id, "workflow_id": "WF-000000000001", "name": "Sites",
            "source_step_id": "form", "source_field_key": "item", "is_active": true, "version": 1, "created_by": ann.clone(), "created_at": at(minutes),
            "entries": [{"entry_id": "LKPE-000000000001", "key": "A", "display_label": "A", "is_active": true, "users": [
                {"aad_id": Bson::Null, "email": "ivan.novak@example.com", "display_name": "Ivan", "is_primary": false, "order": 0}]}]});
    }
    let access = |id: &str, email: &str, agent: bool, active: bool, minutes: i64| {
        doc! {"_id": id, "user_access_id": id, "aad_id": Bson::Null, "email": email, "display_name": "P", "has_designer_access": false,
        "has_manager_access": false, "has_agent_access": agent, "agent_source": "TASK_ASSIGNMENT", "agent_granted_by": "a@example.com",
        "onboard_source": "TASK_ASSIGNMENT", "granted_by": "a@example.com", "granted_at": at(minutes), "updated_at": Bson::Null, "is_active": active}
    };
    sink.add(
        "user_access",
        access("ua-000000000001", "Tom.Becker@example.com", true, true, 900),
    );
    sink.add(
        "user_access",
        access("ua-000000000002", "tom.becker@example.com", true, true, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000003", "gone@example.com", true, false, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000004", "empty@example.com", false, true, 100),
    );
    sink.add(
        "user_access",
        access("ua-000000000005", "ivan.novak@example.com", true, true, 100),
    );
    sink.add("admin_users", doc! {"_id": "ADM-000000000001", "admin_user_id": "ADM-000000000001", "aad_id": Bson::Null, "email": "admin.root@example.com",
        "display_name": "Ada Root", "role": "SUPER_ADMIN", "granted_by": "SYSTEM_SETUP", "granted_at": at(9000), "is_active": true});
    sink.add("admin_users", doc! {"_id": "ADM-000000000002", "admin_user_id": "ADM-000000000002", "email": "old@example.com",
        "display_name": "Old", "role": "ADMIN", "granted_at": at(9000), "is_active": false, "deactivated_at": at(50), "deactivated_by": "admin.root@example.com"});
    for number in 0..20 {
        let id = format!("AAE-{number:012x}");
        sink.add("admin_audit", doc! {"_id": &id, "audit_id": &id, "action": "UPDATE_USER_ACCESS", "actor_email": "admin.root@example.com",
            "actor_display_name": "Ada Root", "target_email": "tom.becker@example.com", "details": {"agent": true}, "timestamp": at(number), "ip_address": Bson::Null});
    }
    let wording = |id: &str, key: &str, subject: &str, body: &str, minutes: i64| {
        doc! {"_id": id, "template_id": id, "template_key": key, "workflow_id": Bson::Null, "custom_subject": subject, "custom_body": body,
        "is_active": true, "created_at": at(minutes), "created_by": "admin.root@example.com"}
    };
    sink.add(
        "email_template_overrides",
        wording("ETM-000000000001", "TICKET_CREATED", "Old", "<p>Old</p>", 900),
    );
    sink.add(
        "email_template_overrides",
        wording(
            "ETM-000000000002",
            "TICKET_CREATED",
            "New",
            "<p>New</p><script>x()</script>",
            100,
        ),
    );
    sink.add(
        "email_template_overrides",
        wording("ETM-000000000003", "NO_SUCH_KEY", "X", "<p>X</p>", 100),
    );
    let mail = |id: &str, key: &str, recipients: Vec<Bson>, status: &str| {
        doc! {"_id": id, "notification_id": id, "ticket_id": Bson::Null, "notification_type": "EMAIL", "template_key": key, "recipients": recipients,
        "payload": {"ticket_title": "T"}, "status": status, "retry_count": 0, "created_at": at(60), "sent_at": Bson::DateTime(now.plus_minutes(-59).to_bson())}
    };
    let to = |names: &[&str]| {
        names
            .iter()
            .map(|name| Bson::from(format!("{name}@example.com")))
            .collect::<Vec<_>>()
    };
    sink.add(
        "notification_outbox",
        mail("NTF-000000000001", "TICKET_CREATED", to(&["ann.lee"]), "SENT"),
    );
    sink.add(
        "notification_outbox",
        mail(
            "NTF-000000000002",
            "APPROVED",
            to(&["ann.lee", "mark.stone"]),
            "SENT",
        ),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000003", "APPROVED", to(&["ann.lee"]), "PENDING"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000004", "APPROVED", vec![Bson::Null], "PENDING"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000005", "NO_SUCH_KEY", to(&["ann.lee"]), "SENT"),
    );
    sink.add(
        "notification_outbox",
        mail("NTF-000000000006", "APPROVED", to(&["ann.lee"]), "CANCELLED"),
    );
    let notice = |id: &str, minutes: i64| {
        doc! {"_id": id, "notification_id": id, "recipient_email": "ann.lee@example.com", "recipient_aad_id": Bson::Null, "category": "TICKET",
        "title": "Request received", "message": "It is here", "ticket_id": Bson::Null, "action_url": "/tickets", "actor_email": Bson::Null,
        "is_read": false, "created_at": at(minutes)}
    };
    sink.add("inapp_notifications", notice("NTF-0000000000a1", 10));
    sink.add("inapp_notifications", notice("NTF-0000000000a2", 60 * 24 * 400));
    sink.add("in_app_notifications", notice("NTF-0000000000a3", 20));
    // Belonging to nobody.
    sink.add("ticket_steps", doc! {"_id": "STEP-00000000dead", "ticket_step_id": "STEP-00000000dead", "ticket_id": "TKT-00000000dead", "step_id": "x", "state": "ACTIVE"});
    let file = |id: &str, ticket: &str, path: &str, size: i64| {
        doc! {"_id": id, "attachment_id": id, "ticket_id": ticket, "context": "ticket", "original_filename": "a.txt", "stored_filename": "a.txt",
        "mime_type": "text/plain", "size_bytes": size, "uploaded_by": ann.clone(), "uploaded_at": at(100), "storage_path": path}
    };
    sink.add(
        "attachments",
        file("ATT-000000000001", "", "temp/ATT-000000000001_a.txt", 5),
    );
    sink.add("attachments", file("ATT-000000000002", "", "temp/missing.txt", 5));
    sink.add("attachments", file("ATT-000000000003", "", "../outside.txt", 5));
}
