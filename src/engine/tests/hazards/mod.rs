//! Hazards of contract engine-actions 9 that the other files do not cover; each test is named after its hazard.
//! `docs/hazards.md` lists all of them.

mod page;
mod people;
mod records;
mod states;

use crate::domain::person::Email;
use crate::domain::refusal::Refusal;
use crate::engine::Command;
use crate::engine::command::InfoTarget;
use crate::engine::testing::*;
use serde_json::{Value, json};

fn both(id: &str) -> Value {
    step(
        id,
        "APPROVAL_STEP",
        json!({
            "approver_resolution": "SPECIFIC_EMAIL",
            "parallel_approvers": ["carl@example.com", "cora@example.com", "carl@example.com"],
            "parallel_approval": "ALL",
            "primary_approver_email": "carl@example.com",
        }),
    )
}

/// carl and cora approve, then a task.
fn in_parallel() -> World {
    World::raised(definition(
        vec![both("check"), task("deliver"), end("done")],
        &[
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "done"),
        ],
    ))
}

fn assign(world: &World, key: &str, agent: &str) -> Command {
    Command::Assign {
        step: world.id(key),
        agent: named(agent),
    }
}

fn ask(world: &World, key: &str, name: &str) -> Command {
    let email = Email::try_from(format!("{name}@example.com")).unwrap();
    let target = Some(InfoTarget {
        email,
        step_name: None,
    });
    Command::RequestInfo {
        step: world.id(key),
        question_text: "Why?".into(),
        target,
        subject: None,
        attachment_ids: vec![],
    }
}

fn propose(values: Value) -> Command {
    Command::CreateChangeRequest {
        proposed_form_values: object(values),
        proposed_attachment_ids: None,
        reason: "typo".into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "takes the answer as it comes")]
fn is_denied<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::PermissionDenied(_)))
}

#[expect(clippy::needless_pass_by_value, reason = "takes the answer as it comes")]
fn is_refused_by_state<T: std::fmt::Debug>(result: Result<T, Refusal>) -> bool {
    matches!(result, Err(Refusal::InvalidState(_)))
}

/// ann asks, carl approves first and gus second.
fn changeable() -> World {
    let flow = definition(
        vec![
            form("ask"),
            approval("check", "carl"),
            task("deliver"),
            approval("sign", "gus"),
            end("done"),
        ],
        &[
            ("ask", "SUBMIT_FORM", "check"),
            ("check", "APPROVE", "deliver"),
            ("deliver", "COMPLETE_TASK", "sign"),
            ("sign", "APPROVE", "done"),
        ],
    );
    let mut world = World::of(workflow("flow", flow));
    world.create(json!({"ask_text": "one"}), &["ask"]).unwrap();
    world.approve("carl", "check");
    world
}
