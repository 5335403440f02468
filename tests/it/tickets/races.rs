//! Two people, or two tabs, at the same moment through two processes on one database: every race that contract
//! engine-actions 9.3 and engine-core HZ-36 to HZ-41 name, each many times.

use super::stage::{ANN, CHLOE, IVAN, JULIA, MARK, Stage, Ticket};
use crate::commit::oracle;
use crate::support::{Reply, TestApp};
use bson::{Document, doc};
use futures::future::{join, join_all};
use serde_json::{Value, json};
use std::future::Future;

/// How often each race is run.
const TIMES: usize = 25;

/// Two processes on one database.
struct Arena {
    stage: Stage,
    other: TestApp,
}

/// What one person sends.
struct Move {
    who: &'static str,
    path: String,
    body: Value,
}

impl Move {
    /// An action on a step of a ticket.
    async fn on(ticket: &Ticket<'_>, who: &'static str, step: &str, action: &str, body: Value) -> Self {
        let path = ticket.step_path(step, action).await;
        Self { who, path, body }
    }
}

impl Arena {
    async fn new() -> Self {
        Self::around(Stage::new().await).await
    }

    async fn around(stage: Stage) -> Self {
        let other = stage.app.second_process(&[]).await;
        Self { stage, other }
    }

    /// Sends both at once, one through each process; which goes where alternates with `round`.
    async fn both(&self, round: usize, one: Move, two: Move) -> (Reply, Reply) {
        let (first, second) = if round.is_multiple_of(2) {
            (&self.stage.app, &self.other)
        } else {
            (&self.other, &self.stage.app)
        };
        let (one_client, two_client) = (first.person(one.who), second.person(two.who));
        join(
            one_client.post(&one.path, one.body),
            two_client.post(&two.path, two.body),
        )
        .await
    }

    /// A ticket whose task waits for an agent.
    async fn approved(&self, round: usize) -> Ticket<'_> {
        let ticket = self.stage.raise(ANN, &format!("Race {round}")).await;
        ticket.approve().await;
        ticket
    }

    /// A ticket whose task is with ivan.
    async fn assigned(&self, round: usize) -> Ticket<'_> {
        let ticket = self.approved(round).await;
        ticket.assign(IVAN).await;
        ticket
    }

    /// The stored aggregate.
    async fn stored(&self, ticket: &Ticket<'_>) -> Document {
        let tickets = self.stage.app.database().collection::<Document>("tickets");
        let stored = tickets.find_one(doc! {"_id": &ticket.id}).await.unwrap().unwrap();
        stored.get_document("ticket").unwrap().clone()
    }

    /// How many rows of a list of the aggregate have this status.
    async fn count(&self, ticket: &Ticket<'_>, list: &str, status: &str) -> usize {
        let stored = self.stored(ticket).await;
        let rows = stored
            .get_array(list)
            .unwrap()
            .iter()
            .filter_map(bson::Bson::as_document);
        rows.filter(|row| {
            row.get_str("status")
                .is_ok_and(|is| is.eq_ignore_ascii_case(status))
        })
        .count()
    }

    /// How often something is in the ticket's audit trail.
    async fn audited(&self, ticket: &Ticket<'_>, event: &str) -> usize {
        let detail = ticket.detail().await;
        let events = detail["audit_events"].as_array().unwrap();
        events.iter().filter(|known| known["event_type"] == event).count()
    }

    /// Every command is recorded once, every entry is where it belongs once, every ticket is the fold of its commands.
    async fn check(&self) {
        oracle::check(&self.stage.app.app).await;
    }
}

/// Runs a race [`TIMES`] times side by side.
async fn many<F: Future<Output = ()>>(race: impl Fn(usize) -> F) {
    join_all((0..TIMES).map(race)).await;
}

/// Exactly one of the two took effect; the other met a state that no longer fits. `true` when it was the first.
#[track_caller]
fn one_wins((one, two): &(Reply, Reply)) -> bool {
    let statuses = (one.status.as_u16(), two.status.as_u16());
    assert!(
        matches!(statuses, (200 | 201, 409) | (409, 200 | 201)),
        "{statuses:?}\n{}\n{}",
        one.text,
        two.text
    );
    two.status == 409
}

#[track_caller]
fn both_succeed((one, two): &(Reply, Reply)) {
    let statuses = (one.status.as_u16(), two.status.as_u16());
    assert_eq!(statuses, (200, 200), "\n{}\n{}", one.text, two.text);
}

fn to(name: &str) -> Value {
    json!({"agent_email": format!("{name}@example.com")})
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_of_two_questions_at_once_one_is_asked() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let ask = |text: &str| json!({"question_text": text});
        let one = Move::on(&ticket, IVAN, "work", "request-info", ask("Which one?")).await;
        let two = Move {
            body: ask("And when?"),
            path: one.path.clone(),
            who: IVAN,
        };
        let replies = arena.both(round, one, two).await;
        one_wins(&replies);
        assert_eq!(arena.count(&ticket, "info_requests", "OPEN").await, 1);
        assert_eq!(ticket.detail().await["ticket"]["status"], "WAITING_FOR_REQUESTER");
        assert_eq!(arena.audited(&ticket, "REQUEST_INFO").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_of_two_agents_assigned_at_once_one_has_the_task() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.approved(round).await;
        let one = Move::on(&ticket, MARK, "work", "assign", to(IVAN)).await;
        let two = Move {
            body: to(JULIA),
            path: one.path.clone(),
            who: MARK,
        };
        let replies = arena.both(round, one, two).await;
        let winner = if one_wins(&replies) { IVAN } else { JULIA };
        assert_eq!(
            ticket.step("work").await["assigned_to"]["email"],
            format!("{winner}@example.com")
        );
        assert_eq!(arena.count(&ticket, "assignments", "ACTIVE").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_after_two_reassignments_at_once_one_agent_has_the_task() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let one = Move::on(&ticket, MARK, "work", "reassign", to(JULIA)).await;
        let two = Move {
            body: to(CHLOE),
            path: one.path.clone(),
            who: MARK,
        };
        both_succeed(&arena.both(round, one, two).await);
        assert_eq!(arena.count(&ticket, "assignments", "ACTIVE").await, 1);
        assert_eq!(arena.count(&ticket, "assignments", "REASSIGNED").await, 2);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_of_two_handovers_asked_for_at_once_one_is_pending() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let one = Move::on(
            &ticket,
            IVAN,
            "work",
            "request-handover",
            json!({"reason": "leave"}),
        )
        .await;
        let two = Move {
            body: json!({"reason": "too much"}),
            path: one.path.clone(),
            who: IVAN,
        };
        one_wins(&arena.both(round, one, two).await);
        assert_eq!(arena.count(&ticket, "handovers", "PENDING").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_a_handover_is_decided_or_withdrawn_never_both() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        ticket.must(IVAN, "work", "request-handover", json!({"reason": "leave"})).await;
        let pending = arena.stored(&ticket).await;
        let id = pending.get_array("handovers").unwrap()[0].as_document().unwrap().get_str("id").unwrap().to_owned();
        let decision = json!({"handover_request_id": id, "approved": true, "new_agent_email": "julia.rossi@example.com"});
        let one = Move::on(&ticket, MARK, "work", "decide-handover", decision).await;
        let two = Move::on(&ticket, IVAN, "work", &format!("cancel-handover/{id}"), json!({})).await;
        let (decided, cancelled) = arena.both(round, one, two).await;
        // Whoever withdraws too late is no longer the agent: the state is what stops him, not his person.
        let approved = one_wins(&(decided, cancelled));
        let agent = if approved { JULIA } else { IVAN };
        assert_eq!(ticket.step("work").await["assigned_to"]["email"], format!("{agent}@example.com"));
        assert_eq!(arena.audited(&ticket, "HANDOVER_APPROVED").await, usize::from(approved));
        assert_eq!(arena.audited(&ticket, "HANDOVER_CANCELLED").await, usize::from(!approved));
    })
    .await;
    arena.check().await;
}

/// Proposes a change of the form and returns the path of the change request.
async fn proposed(arena: &Arena, ticket: &Ticket<'_>) -> String {
    let reply = arena
        .stage
        .person(ANN)
        .post("/api/v1/change-requests", proposal(ticket))
        .await;
    assert!(reply.status.is_success(), "{}", reply.text);
    let id = reply.body["change_request"]["change_request_id"]
        .as_str()
        .unwrap();
    format!("/api/v1/change-requests/{id}")
}

fn proposal(ticket: &Ticket<'_>) -> Value {
    json!({"ticket_id": ticket.id, "proposed_form_values": {"what": "Another thing"}, "reason": "Changed my mind"})
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_a_change_is_accepted_or_withdrawn_never_both() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let path = proposed(&arena, &ticket).await;
        let (reviewer, requester) = (arena.stage.person(MARK), arena.other.person(ANN));
        let approve = format!("{path}/approve");
        let replies = join(
            reviewer.post(&approve, json!({"action": "APPROVE"})),
            requester.delete(&path),
        )
        .await;
        let approved = one_wins(&replies);
        let detail = ticket.detail().await;
        assert_eq!(detail["ticket"]["form_version"], if approved { 2 } else { 1 });
        assert_eq!(detail["ticket"]["status"], "IN_PROGRESS");
        assert_eq!(
            arena.audited(&ticket, "CHANGE_REQUEST_APPROVED").await,
            usize::from(approved)
        );
        assert_eq!(
            arena.audited(&ticket, "CHANGE_REQUEST_CANCELLED").await,
            usize::from(!approved)
        );
        assert_eq!(arena.audited(&ticket, "CHANGE_REQUEST_WORKFLOW_RESUMED").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t6_no_ticket_is_completed_through_the_pause_of_a_change_request() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let one = Move::on(&ticket, IVAN, "work", "complete", json!({"output_values": {}})).await;
        let two = Move {
            who: ANN,
            path: "/api/v1/change-requests".to_owned(),
            body: proposal(&ticket),
        };
        let completed = one_wins(&arena.both(round, one, two).await);
        let status = ticket.detail().await["ticket"]["status"].clone();
        assert_eq!(status, if completed { "COMPLETED" } else { "WAITING_FOR_CR" });
        assert_eq!(
            arena.count(&ticket, "change_requests", "PENDING").await,
            usize::from(!completed)
        );
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t7_of_two_changes_proposed_at_once_one_is_pending() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let path = "/api/v1/change-requests".to_owned();
        let mut other = proposal(&ticket);
        other["proposed_form_values"]["what"] = json!("A third thing");
        let one = Move {
            who: ANN,
            path: path.clone(),
            body: proposal(&ticket),
        };
        one_wins(
            &arena
                .both(
                    round,
                    one,
                    Move {
                        who: ANN,
                        path,
                        body: other,
                    },
                )
                .await,
        );
        assert_eq!(arena.count(&ticket, "change_requests", "PENDING").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t8_a_change_accepted_twice_at_once_is_one_version() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let path = format!("{}/approve", proposed(&arena, &ticket).await);
        let approve = || Move {
            who: MARK,
            path: path.clone(),
            body: json!({"action": "APPROVE"}),
        };
        both_succeed(&arena.both(round, approve(), approve()).await);
        assert_eq!(ticket.detail().await["ticket"]["form_version"], 2);
        let versions = format!("/api/v1/change-requests/tickets/{}/versions", ticket.id);
        assert_eq!(arena.stage.person(ANN).get(&versions).await.body["total"], 2);
        assert_eq!(arena.audited(&ticket, "CHANGE_REQUEST_APPROVED").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_notes_neither_refuse_each_other_nor_other_work() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let note = |text: &str| json!({"content": text});
        let path = ticket.step_path("work", "add-note").await;
        let (mine, own) = (arena.stage.person(MARK), arena.other.person(IVAN));
        let (message, requester) = (ticket.path("/add-requester-note"), arena.other.person(ANN));
        let hold = ticket.step_path("work", "hold").await;
        let replies = join_all([
            mine.post(&path, note("one")),
            own.post(&path, note("two")),
            mine.post(&path, note("three")),
            requester.post(&message, note("four")),
            own.post(&hold, json!({"reason": "parts"})),
        ])
        .await;
        for reply in replies {
            assert_eq!(reply.status, 200, "{}", reply.text);
        }
        assert_eq!(arena.audited(&ticket, "NOTE_ADDED").await, 3);
        assert_eq!(arena.audited(&ticket, "REQUESTER_NOTE_ADDED").await, 1);
        assert_eq!(ticket.step("work").await["state"], "ON_HOLD");
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_hz_41_a_ticket_is_cancelled_whole_or_completed_whole() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.assigned(round).await;
        let one = Move {
            who: ANN,
            path: ticket.path("/cancel"),
            body: json!({}),
        };
        let two = Move::on(&ticket, IVAN, "work", "complete", json!({"output_values": {}})).await;
        let cancelled = one_wins(&arena.both(round, one, two).await);
        let detail = ticket.detail().await;
        assert_eq!(
            detail["ticket"]["status"],
            if cancelled { "CANCELLED" } else { "COMPLETED" }
        );
        for step in detail["steps"].as_array().unwrap() {
            let state = step["state"].as_str().unwrap();
            assert!(matches!(state, "COMPLETED" | "SKIPPED" | "CANCELLED"), "{step}");
        }
        assert_eq!(arena.count(&ticket, "assignments", "ACTIVE").await, 0);
        assert_eq!(
            arena.audited(&ticket, "CANCEL_TICKET").await,
            usize::from(cancelled)
        );
        assert_eq!(
            arena.audited(&ticket, "TICKET_COMPLETED").await,
            usize::from(!cancelled)
        );
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_given_or_refused_by_one_person_in_two_tabs_never_both() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.stage.raise(ANN, &format!("Race {round}")).await;
        let one = Move::on(&ticket, MARK, "ok", "approve", json!({})).await;
        let two = Move::on(&ticket, MARK, "ok", "reject", json!({"comment": "no"})).await;
        let approved = one_wins(&arena.both(round, one, two).await);
        let status = ticket.detail().await["ticket"]["status"].clone();
        assert_eq!(status, if approved { "IN_PROGRESS" } else { "REJECTED" });
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_an_answer_and_the_end_of_its_ticket_at_once_leave_nothing_open() {
    let arena = Arena::new().await;
    many(async |round| {
        let ticket = arena.stage.raise(ANN, &format!("Race {round}")).await;
        ticket
            .must(MARK, "ok", "request-info", json!({"question_text": "Why?"}))
            .await;
        let one = Move::on(
            &ticket,
            ANN,
            "ok",
            "respond-info",
            json!({"response_text": "Because."}),
        )
        .await;
        let two = Move::on(&ticket, MARK, "ok", "reject", json!({"comment": "no"})).await;
        let (answered, refused) = arena.both(round, one, two).await;
        assert_eq!(refused.status, 200, "{}", refused.text);
        assert!(matches!(answered.status.as_u16(), 200 | 409), "{}", answered.text);
        assert_eq!(ticket.detail().await["ticket"]["status"], "REJECTED");
        assert_eq!(arena.count(&ticket, "info_requests", "OPEN").await, 0);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hz_36_two_approvers_who_decide_at_once_complete_the_step() {
    let arena = Arena::around(Stage::of(with_two_approvers()).await).await;
    many(async |round| {
        let ticket = arena.stage.raise(ANN, &format!("Race {round}")).await;
        let one = Move::on(&ticket, MARK, "ok", "approve", json!({})).await;
        let two = Move {
            who: "nina.patel",
            path: one.path.clone(),
            body: json!({}),
        };
        both_succeed(&arena.both(round, one, two).await);
        let detail = ticket.detail().await;
        assert_eq!(detail["ticket"]["status"], "COMPLETED");
        assert_eq!(arena.audited(&ticket, "APPROVE").await, 2);
        assert_eq!(arena.audited(&ticket, "TICKET_COMPLETED").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hz_38_two_last_branches_that_end_at_once_join_once() {
    let arena = Arena::around(Stage::of(with_two_branches()).await).await;
    many(async |round| {
        let ticket = arena.stage.raise(ANN, &format!("Race {round}")).await;
        ticket.must(MARK, "left", "assign", to(IVAN)).await;
        ticket.must(MARK, "right", "assign", to(JULIA)).await;
        let one = Move::on(&ticket, IVAN, "left", "complete", json!({"output_values": {}})).await;
        let two = Move::on(&ticket, JULIA, "right", "complete", json!({"output_values": {}})).await;
        both_succeed(&arena.both(round, one, two).await);
        assert_eq!(ticket.detail().await["ticket"]["status"], "COMPLETED");
        assert_eq!(arena.audited(&ticket, "TICKET_COMPLETED").await, 1);
    })
    .await;
    arena.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hz_40_the_same_request_sent_twice_at_once_is_one_ticket() {
    let arena = Arena::new().await;
    many(async |round| {
        let create = || Move {
            who: ANN,
            path: "/api/v1/tickets".to_owned(),
            body: arena.stage.wizard(&format!("Race {round}")),
        };
        let (one, two) = arena.both(round, create(), create()).await;
        assert_eq!(
            (one.status.as_u16(), two.status.as_u16()),
            (201, 201),
            "\n{}\n{}",
            one.text,
            two.text
        );
        assert_eq!(one.body["ticket_id"], two.body["ticket_id"]);
    })
    .await;
    let list = arena.stage.person(ANN).get("/api/v1/tickets").await;
    assert_eq!(list.body["total"], TIMES);
    arena.check().await;
}

fn ask() -> Value {
    let field = json!({"field_key": "what", "field_label": "What", "field_type": "TEXT", "required": true, "order": 0});
    json!({"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field]})
}

fn end() -> Value {
    json!({"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true})
}

fn with_two_approvers() -> Value {
    json!({
        "start_step_id": "ask",
        "steps": [
            ask(),
            {"step_id": "ok", "step_name": "Approve", "step_type": "APPROVAL_STEP", "approver_resolution": "SPECIFIC_EMAIL",
             "parallel_approval": "ALL", "parallel_approvers": ["mark.stone@example.com", "nina.patel@example.com"],
             "primary_approver_email": "mark.stone@example.com"},
            end(),
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "ok", "to_step_id": "done", "on_event": "APPROVE"},
        ],
    })
}

fn with_two_branches() -> Value {
    let task = |id: &str| json!({"step_id": id, "step_name": id, "step_type": "TASK_STEP", "execution_notes_required": false});
    let branch = |id: &str| json!({"branch_id": format!("b_{id}"), "branch_name": id, "start_step_id": id});
    json!({
        "start_step_id": "ask",
        "steps": [
            ask(),
            {"step_id": "split", "step_name": "Split", "step_type": "FORK_STEP", "failure_policy": "FAIL_ALL",
             "branches": [branch("left"), branch("right")]},
            task("left"),
            task("right"),
            {"step_id": "meet", "step_name": "Meet", "step_type": "JOIN_STEP", "source_fork_step_id": "split", "join_mode": "ALL"},
            end(),
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "split", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "left", "to_step_id": "meet", "on_event": "COMPLETE_TASK"},
            {"from_step_id": "right", "to_step_id": "meet", "on_event": "COMPLETE_TASK"},
            {"from_step_id": "meet", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
        ],
    })
}
