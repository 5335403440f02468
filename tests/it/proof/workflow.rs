//! The one workflow of the trial: approvals side by side, a fork with its join, tasks.

use serde_json::{Value, json};

/// The workflow's name.
pub(super) const NAME: &str = "Proof";

/// Form, manager's approval, approval of three side by side, a fork of a task and an approval of two, its join, a
/// closing task, a task that is due after a minute, the end.
pub(super) fn definition() -> Value {
    let field = |key: &str| json!({"field_key": key, "field_label": key, "field_type": "TEXT", "required": true, "order": 0});
    json!({
        "start_step_id": "ask",
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": [field("what"), field("course")]},
            {"step_id": "manager", "step_name": "Manager", "step_type": "APPROVAL_STEP",
             "approver_resolution": "REQUESTER_MANAGER", "sla": {"due_minutes": 2880}},
            {"step_id": "board", "step_name": "Board", "step_type": "APPROVAL_STEP", "parallel_approval": "ALL",
             "parallel_approvers": ["maria.lopez@example.com", "nina.patel@example.com", "omar.haddad@example.com"]},
            {"step_id": "split", "step_name": "Split", "step_type": "FORK_STEP", "failure_policy": "FAIL_ALL",
             "branches": [
                {"branch_id": "left", "branch_name": "Left", "start_step_id": "build"},
                {"branch_id": "right", "branch_name": "Right", "start_step_id": "check"}]},
            {"step_id": "build", "step_name": "Build", "step_type": "TASK_STEP", "branch_id": "left",
             "parent_fork_step_id": "split", "execution_notes_required": false},
            {"step_id": "check", "step_name": "Check", "step_type": "APPROVAL_STEP", "branch_id": "right",
             "parent_fork_step_id": "split", "parallel_approval": "ALL",
             "parallel_approvers": ["maria.lopez@example.com", "nina.patel@example.com"]},
            {"step_id": "meet", "step_name": "Meet", "step_type": "JOIN_STEP", "source_fork_step_id": "split", "join_mode": "ALL"},
            {"step_id": "work", "step_name": "Work", "step_type": "TASK_STEP", "execution_notes_required": false},
            {"step_id": "soon", "step_name": "Soon", "step_type": "TASK_STEP", "execution_notes_required": false,
             "sla": {"due_minutes": 1}},
            {"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "is_terminal": true,
             "notification_template": "TICKET_COMPLETED", "recipients": ["requester"]},
        ],
        "transitions": [
            {"from_step_id": "ask", "to_step_id": "manager", "on_event": "SUBMIT_FORM"},
            {"from_step_id": "manager", "to_step_id": "soon", "on_event": "APPROVE", "priority": 3, "condition": takes("late")},
            {"from_step_id": "manager", "to_step_id": "board", "on_event": "APPROVE", "priority": 2, "condition": takes("board")},
            {"from_step_id": "manager", "to_step_id": "split", "on_event": "APPROVE", "priority": 1, "condition": takes("fork")},
            {"from_step_id": "manager", "to_step_id": "work", "on_event": "APPROVE", "priority": 0},
            {"from_step_id": "board", "to_step_id": "work", "on_event": "APPROVE"},
            {"from_step_id": "build", "to_step_id": "meet", "on_event": "COMPLETE_TASK"},
            {"from_step_id": "check", "to_step_id": "meet", "on_event": "APPROVE"},
            {"from_step_id": "meet", "to_step_id": "work", "on_event": "COMPLETE_TASK"},
            {"from_step_id": "work", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
            {"from_step_id": "soon", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
        ],
    })
}

fn takes(course: &str) -> Value {
    json!({"logic": "AND", "conditions": [{"field": "form_values.course", "operator": "EQUALS", "value": course}]})
}
