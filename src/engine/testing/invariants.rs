//! What holds of every ticket after every command, and how people bring a ticket to its end.

use super::graphs::{answers, rows_done};
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::ticket::{
    ApprovalDecision, AssignmentStatus, HandoverStatus, InfoRequestStatus, JoinProgress, Phase, Step, Ticket,
};
use crate::domain::workflow::StepType;
use crate::engine::approval_tally::{Tally, tally};
use crate::engine::testing::{World, complete, named, object};
use crate::engine::{Command, Verdict, scopes, work_index};
use serde_json::json;

/// Everybody who plays; `mia` is the manager, `root` an administrator, `luke` is found in lookup tables, `eve` has no part in anything.
pub(crate) const PEOPLE: [&str; 10] = [
    "ann", "mia", "one", "two", "carl", "cora", "bob", "root", "eve", "luke",
];

/// What holds after every command.
pub(crate) fn check(world: &World) {
    let ticket = world.ticket();
    for step in &ticket.steps {
        check_what_belongs_to(ticket, step);
    }
    check_joins(world);
    check_waiting_ends(ticket);
    if ticket.is_live() {
        let waits_for_people = ticket.steps.iter().any(|step| {
            step.is_live() && matches!(step.kind, StepType::Form | StepType::Approval | StepType::Task)
        });
        assert!(
            waits_for_people,
            "nobody can move this ticket: {:?}",
            world.live()
        );
        assert_eq!(ticket.status, ticket.derived_status());
    } else {
        check_ended(ticket);
    }
    let index = work_index::derive(ticket, &world.definitions);
    assert_eq!(index.rows.is_empty(), index.queues.is_empty());
    assert!(index.rows.iter().all(|row| !row.who.is_empty()));
    assert_eq!(index.next_timer_at, ticket.next_timer_at());
}

/// A question, an assignment, a handover and votes end with their step, there is one of each at most, and an approval
/// ends only as its votes decide.
fn check_what_belongs_to(ticket: &Ticket, step: &Step) {
    let of = |id: &TicketStepId| *id == step.id;
    let questions = ticket
        .info_requests
        .iter()
        .filter(|info| of(&info.ticket_step_id) && info.status == InfoRequestStatus::Open);
    let assignments = ticket
        .assignments
        .iter()
        .filter(|one| of(&one.ticket_step_id) && one.status == AssignmentStatus::Active);
    let handovers = ticket
        .handovers
        .iter()
        .filter(|one| of(&one.ticket_step_id) && one.status == HandoverStatus::Pending);
    let open = [questions.count(), assignments.count(), handovers.count()];
    assert!(open.iter().all(|count| *count <= 1), "{open:?} on {}", step.key);
    let votes: Vec<ApprovalDecision> = ticket
        .approval_tasks_of(&step.id)
        .map(|task| task.decision)
        .collect();
    if step.phase.is_ended() {
        assert_eq!(open, [0, 0, 0], "open on the ended step {}", step.key);
        assert!(
            !votes.contains(&ApprovalDecision::Pending),
            "a vote is pending on the ended step {}",
            step.key
        );
        assert!(step.completed_at.is_some() && step.paused_at.is_none() && !step.is_held());
    }
    let Some(round) = step.approval.as_ref().filter(|_| step.kind == StepType::Approval) else {
        assert!(
            step.kind != StepType::Approval
                || !matches!(step.phase, Phase::Completed | Phase::Rejected | Phase::Live)
        );
        return;
    };
    // Who had not voted when it was decided was cancelled with the step.
    let as_decided = votes.into_iter().map(|vote| match vote {
        ApprovalDecision::Cancelled => ApprovalDecision::Pending,
        ApprovalDecision::Pending
        | ApprovalDecision::Approved
        | ApprovalDecision::Rejected
        | ApprovalDecision::Skipped => vote,
    });
    let decided = tally(round.rule, round.veto, as_decided);
    let expected = match step.phase {
        Phase::Completed => Some(Tally::Approved),
        Phase::Rejected => Some(Tally::Rejected),
        Phase::Live => Some(Tally::Open),
        // Skipped by its votes, or with the ticket.
        Phase::Skipped | Phase::Cancelled | Phase::NotStarted => None,
    };
    assert!(
        expected.is_none_or(|expected| expected == decided),
        "{} is {:?} by {decided:?}",
        step.key,
        step.phase
    );
}

/// A join passes at most once for each time its fork started, and is recorded each time.
fn check_joins(world: &World) {
    let ticket = world.ticket();
    let passed = ticket
        .steps
        .iter()
        .filter(|step| step.kind == StepType::Join && step.phase == Phase::Completed);
    assert_eq!(passed.clone().count(), world.count(AuditEventType::JoinCompleted));
    for join in passed.clone() {
        let same = passed
            .clone()
            .filter(|other| other.key == join.key && other.container == join.container);
        let started = ticket
            .forks
            .iter()
            .filter(|fork| fork.join.as_ref() == Some(&join.key) && fork.container == join.container);
        assert!(
            same.count() <= started.count(),
            "the join {} passed more often than its fork",
            join.key
        );
    }
}

/// An end waits only in its own open run, not entered yet, and only while a late branch of that run works.
fn check_waiting_ends(ticket: &Ticket) {
    for end in ticket.pending_ends() {
        let step = ticket.step(end).unwrap();
        let container = step.container.as_ref();
        assert_eq!(ticket.pending_end_in(container), Some(end));
        assert_eq!(step.phase, Phase::NotStarted, "{} waits and has passed", step.key);
        assert!(container.is_none_or(|container| ticket.step(container).unwrap().is_live()));
        assert!(
            scopes::has_late_branches(ticket, container),
            "{} waits for nobody",
            step.key
        );
    }
}

fn check_ended(ticket: &Ticket) {
    assert!(ticket.steps.iter().all(|step| step.phase.is_ended()));
    assert!(
        ticket.timers.is_empty()
            && ticket.pending_change_request().is_none()
            && ticket.pending_ends().next().is_none()
    );
    assert!(
        ticket
            .forks
            .iter()
            .all(|fork| fork.progress != JoinProgress::Waiting)
    );
    assert!(ticket.completed_at.is_some());
}

/// Lets the right people do the next thing until the ticket ends; it must end.
pub(crate) fn finish(world: &mut World) {
    for _ in 0..400 {
        if !world.ticket().is_live() {
            return;
        }
        bring_on(world);
    }
    panic!("this ticket does not end: {:?}", world.live());
}

/// Lets somebody do the next thing; somebody must be able to.
pub(crate) fn bring_on(world: &mut World) {
    for command in ways_on(world.ticket()) {
        // Work may have gone to an address alone, for somebody whom the directory does not know.
        for who in PEOPLE.into_iter().chain(["nobody"]) {
            if let Ok(Verdict::Applied(_)) = world.play(who, command.clone()) {
                check(world);
                return;
            }
        }
    }
    panic!(
        "nobody can bring this ticket on: {:?} {:?}",
        world.live(),
        world.ticket().status
    );
}

/// Commands that bring a ticket on, the helpful ones first.
fn ways_on(ticket: &Ticket) -> Vec<Command> {
    let mut ways = Vec::new();
    if let Some(request) = ticket.pending_change_request() {
        ways.push(Command::RejectChangeRequest {
            change_request: request.id.clone(),
            notes: None,
        });
    }
    for step in ticket.steps.iter().filter(|step| step.is_live()) {
        let id = step.id.clone();
        if step.is_held() {
            ways.push(Command::Resume { step: id.clone() });
        }
        if ticket.open_question(&id).is_some() {
            ways.push(Command::RespondInfo {
                step: id.clone(),
                response_text: "answer".into(),
                attachment_ids: vec![],
            });
        }
        match step.kind {
            StepType::Form => ways.push(submit(id, true)),
            StepType::Approval => ways.extend([
                Command::Approve {
                    step: id.clone(),
                    comment: None,
                },
                Command::ReassignApproval {
                    step: id,
                    approver: named("one"),
                    reason: None,
                },
            ]),
            StepType::Task => {
                ways.push(Command::Assign {
                    step: id.clone(),
                    agent: named("bob"),
                });
                ways.push(complete(id.clone()));
                ways.push(complete_filled_in(step));
                // Whoever has it may not be among those who play.
                ways.push(Command::Reassign {
                    step: id,
                    agent: named("bob"),
                    reason: None,
                });
            }
            StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => {}
        }
    }
    ways
}

/// Completes a task of a random graph with the form of the agent, for each row if there are rows.
pub(crate) fn complete_filled_in(step: &Step) -> Command {
    let rows = step.task.as_ref().and_then(|task| rows_done(task, true));
    Command::CompleteTask {
        step: step.id.clone(),
        execution_notes: None,
        output_values: rows.unwrap_or_else(|| object(json!({"done": "yes"}))),
        attachment_ids: vec![],
    }
}

/// Fills in a form of a random graph, in one of two ways.
pub(crate) fn submit(step: TicketStepId, one: bool) -> Command {
    Command::SubmitForm {
        step,
        form_values: object(answers(one)),
        attachment_ids: vec![],
    }
}

/// The fold of the recorded commands, read back from the text they are stored as, is the aggregate byte for byte.
pub(crate) fn check_replay(world: &mut World) {
    for played in &mut world.history {
        let (command, sheet) = (
            serde_json::to_string(&played.command),
            serde_json::to_string(&played.sheet),
        );
        played.command = serde_json::from_str(&command.unwrap()).unwrap();
        played.sheet = serde_json::from_str(&sheet.unwrap()).unwrap();
    }
    let bytes = |ticket: &Ticket| bson::serialize_to_vec(ticket).unwrap();
    assert_eq!(
        bytes(&world.replayed()),
        bytes(world.ticket()),
        "the fold of the recorded commands differs"
    );
}
