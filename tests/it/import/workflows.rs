//! The workflows that generated tickets run: every type of step, forks of both policies, an embedded workflow.

use super::ticket_builder::Drawn;
use serde_json::{Value, json};

/// The workflows that tickets run.
#[expect(clippy::too_many_lines, reason = "one workflow after the other")]
pub(crate) fn workflows() -> Vec<Drawn> {
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
        drawn(
            7,
            "Within each other",
            "form",
            vec![
                form("form"),
                fork("fork", "FAIL_ALL", "inner", "side"),
                fork("inner", "FAIL_ALL", "left", "right"),
                task("left", "One way"),
                task("right", "Other way"),
                join("inner_join", "inner", "ALL"),
                task("side", "Beside"),
                join("join", "fork", "ALL"),
                end("end"),
            ],
            vec![
                edge("form", "fork", "SUBMIT_FORM"),
                edge("left", "inner_join", "COMPLETE_TASK"),
                edge("right", "inner_join", "COMPLETE_TASK"),
                edge("inner_join", "join", "COMPLETE_TASK"),
                edge("side", "join", "COMPLETE_TASK"),
                edge("join", "end", "COMPLETE_TASK"),
            ],
        ),
    ]
}
