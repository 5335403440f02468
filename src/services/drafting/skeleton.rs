//! The draft without a model: a form, the manager's approval, a task and a notice to the requester.

use crate::domain::json::JsonObject;
use crate::domain::person::Email;
use crate::domain::workflow::Definition;
use serde_json::{Value, json};

/// A plain workflow that a designer can go on from; `contact` approves for requesters without a manager.
pub(super) fn skeleton(contact: &Email) -> Definition {
    let field = |key: &str, label: &str, kind: &str, required: bool, order: usize| {
        json!({"field_key": key, "field_label": label, "field_type": kind, "required": required,
               "order": order, "section_id": "section_request"})
    };
    let mut priority = field("priority", "Priority", "SELECT", true, 2);
    if let Some(map) = priority.as_object_mut() {
        map.insert("options".to_owned(), json!(["Low", "Medium", "High"]));
    }
    let steps = json!([
        {"step_id": "step_request", "step_name": "Request", "step_type": "FORM_STEP", "order": 0, "is_start": true,
         "sections": [{"section_id": "section_request", "section_title": "Your request", "order": 0}],
         "fields": [
            field("title", "Title", "TEXT", true, 0),
            field("description", "Description", "TEXTAREA", true, 1),
            priority,
            field("due_date", "Needed by", "DATE", false, 3),
         ]},
        {"step_id": "step_approval", "step_name": "Manager approval", "step_type": "APPROVAL_STEP", "order": 1,
         "approver_resolution": "REQUESTER_MANAGER", "spoc_email": contact.as_str()},
        {"step_id": "step_work", "step_name": "Carry out the request", "step_type": "TASK_STEP", "order": 2,
         "instructions": "Carry out the request and note what was done.", "execution_notes_required": true},
        {"step_id": "step_done", "step_name": "Tell the requester", "step_type": "NOTIFY_STEP", "order": 3,
         "is_terminal": true, "notification_template": "TICKET_COMPLETED", "recipients": ["requester"]},
    ]);
    let edge = |id: &str, from: &str, event: &str, to: &str| {
        json!({"transition_id": id, "from_step_id": from, "to_step_id": to, "on_event": event,
               "trigger_event": null, "condition": null, "priority": 0})
    };
    let transitions = json!([
        edge("t_1", "step_request", "SUBMIT_FORM", "step_approval"),
        edge("t_2", "step_approval", "APPROVE", "step_work"),
        edge("t_3", "step_work", "COMPLETE_TASK", "step_done"),
    ]);
    let mut definition = JsonObject::new();
    definition.insert("steps".to_owned(), steps);
    definition.insert("transitions".to_owned(), transitions);
    definition.insert("start_step_id".to_owned(), Value::from("step_request"));
    Definition(definition)
}
