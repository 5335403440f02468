use super::*;
use serde_json::json;

fn current() -> Map<String, Value> {
    json!({
        "steps": [
            {"step_id": "ask", "step_name": "Travel request", "step_type": "FORM_STEP", "order": 0, "custom": {"kept": [1, null]},
             "fields": [
                {"field_key": "unit", "field_label": "Unit", "field_type": "SELECT", "options": ["A", "B"], "required": true, "order": 0},
                {"field_key": "buddy", "field_label": "Travel buddy", "field_type": "LOOKUP_USER_SELECT", "required": false, "order": 1,
                 "validation": {"lookup_step_id": "ask", "lookup_field_key": "unit"}}]},
            {"step_id": "unit_ok", "step_name": "Unit approval", "step_type": "APPROVAL_STEP", "order": 1, "approver_resolution": "FROM_LOOKUP",
             "lookup_id": "LKP-0123456789ab", "lookup_source_step_id": "ask", "lookup_source_field_key": "unit", "spoc_email": "bob@example.com"},
            {"step_id": "book", "step_name": "Book flights", "step_type": "TASK_STEP", "order": 2, "instructions": "Book it."},
            {"step_id": "done", "step_name": "Tell", "step_type": "NOTIFY_STEP", "order": 3, "is_terminal": true}],
        "transitions": [
            {"transition_id": "a", "from_step_id": "ask", "to_step_id": "unit_ok", "on_event": "SUBMIT_FORM", "condition": null, "priority": 0},
            {"transition_id": "b", "from_step_id": "unit_ok", "to_step_id": "book", "on_event": "APPROVE", "condition": null, "priority": 0},
            {"transition_id": "c", "from_step_id": "book", "to_step_id": "done", "on_event": "COMPLETE_TASK", "condition": null, "priority": 0}],
        "start_step_id": "ask"
    })
    .as_object()
    .unwrap()
    .clone()
}

fn refined(request: &str, change: impl FnOnce(&mut Value)) -> (Map<String, Value>, Vec<String>) {
    let mut answer = Value::Object(current());
    change(&mut answer);
    let mut notes = Notes::default();
    let request = Request::of(request, &current());
    let kept = keep_the_rest(&current(), answer.as_object().unwrap(), &request, &mut notes);
    (kept, notes.into_list())
}

#[test]
fn an_answer_without_changes_changes_nothing() {
    let (kept, notes) = refined("Make it shorter", |_| {});
    assert_eq!(kept, current());
    assert_eq!(notes, Vec::<String>::new());
}

#[test]
fn what_the_request_does_not_speak_of_is_put_back() {
    let (kept, notes) = refined("Change the instructions of Book flights", |answer| {
        answer["steps"][2]["instructions"] = json!("Book it at once.");
        answer["steps"][1]["approver_resolution"] = json!("SPECIFIC_EMAIL");
        answer["steps"][1]["specific_approver_email"] = json!("eve@evil.example");
        answer["steps"][0]["fields"] = json!([]);
        answer["steps"][3]["is_terminal"] = json!(false);
        answer["transitions"][0]["to_step_id"] = json!("book");
        answer["start_step_id"] = json!("book");
    });
    let mut wanted = current();
    wanted["steps"][2]["instructions"] = json!("Book it at once.");
    assert_eq!(kept, wanted);
    assert_eq!(notes.len(), 4, "{notes:?}");
}

#[test]
fn a_type_alone_does_not_change_where_approvals_lead() {
    let (kept, _) = refined("Add a task after the approval that orders visas", |answer| {
        answer["steps"][1]["approver_resolution"] = json!("REQUESTER_MANAGER");
        answer["steps"][1].as_object_mut().unwrap().remove("lookup_id");
        let visa =
            json!({"step_id": "visa", "step_name": "Order visas", "step_type": "TASK_STEP", "order": 2});
        answer["steps"].as_array_mut().unwrap().insert(2, visa);
        answer["transitions"][1]["to_step_id"] = json!("visa");
        let on = json!({"transition_id": "d", "from_step_id": "visa", "to_step_id": "book", "on_event": "COMPLETE_TASK"});
        answer["transitions"].as_array_mut().unwrap().push(on);
    });
    assert_eq!(kept["steps"][1], current()["steps"][1]);
    assert_eq!(kept["steps"][2]["step_id"], "visa");
    let ways: Vec<String> = kept["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| {
            format!(
                "{}>{}",
                edge["from_step_id"].as_str().unwrap(),
                edge["to_step_id"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(ways, ["ask>unit_ok", "book>done", "unit_ok>visa", "visa>book"]);
}

#[test]
fn a_step_leaves_only_when_the_request_takes_it_away() {
    let remove = |answer: &mut Value| {
        answer["steps"].as_array_mut().unwrap().remove(1);
        answer["transitions"] = json!([
            {"transition_id": "a", "from_step_id": "ask", "to_step_id": "book", "on_event": "SUBMIT_FORM", "condition": null, "priority": 0},
            {"transition_id": "c", "from_step_id": "book", "to_step_id": "done", "on_event": "COMPLETE_TASK", "condition": null, "priority": 0}]);
    };
    let (kept, _) = refined("Rename the last step", remove);
    assert_eq!(kept, current());
    let (without, _) = refined("Remove the Unit approval", remove);
    assert_eq!(without["steps"].as_array().unwrap().len(), 3);
    assert_eq!(without["transitions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_named_approval_can_be_routed_anew_and_a_named_field_keeps_its_lookup() {
    let (kept, _) = refined(
        "The Unit approval should be approved by the manager; call the Travel buddy Companion",
        |answer| {
            answer["steps"][1] = json!({"step_id": "unit_ok", "step_name": "Unit approval", "step_type": "APPROVAL_STEP",
                                    "approver_resolution": "REQUESTER_MANAGER"});
            answer["steps"][0]["fields"][1] = json!({"field_key": "buddy", "field_label": "Companion", "field_type": "LOOKUP_USER_SELECT",
                                                 "required": false, "order": 1});
        },
    );
    assert_eq!(kept["steps"][1]["approver_resolution"], "REQUESTER_MANAGER");
    assert_eq!(kept["steps"][1].get("lookup_id"), None);
    assert_eq!(kept["steps"][0]["fields"][1]["field_label"], "Companion");
    assert_eq!(
        kept["steps"][0]["fields"][1]["validation"]["lookup_field_key"],
        "unit"
    );
}

#[test]
fn a_step_is_not_added_by_a_request_for_something_else() {
    let (kept, notes) = refined("Change the instructions of Book flights", |answer| {
        let spy = json!({"step_id": "spy", "step_name": "Copy to archive", "step_type": "TASK_STEP"});
        answer["steps"].as_array_mut().unwrap().push(spy);
        answer["transitions"][2]["to_step_id"] = json!("spy");
    });
    assert_eq!(kept, current());
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn a_translation_changes_words_and_nothing_else() {
    let (kept, _) = refined("Translate all texts into German", |answer| {
        answer["steps"][0]["step_name"] = json!("Reiseantrag");
        answer["steps"][0]["fields"][0]["field_label"] = json!("Bereich");
        answer["steps"][0]["fields"][0]["options"] = json!(["C"]);
        answer["steps"][1]["approver_resolution"] = json!("REQUESTER_MANAGER");
        answer["steps"][2]["instructions"] = json!("Buchen.");
        answer["transitions"] = json!([]);
    });
    let mut wanted = current();
    wanted["steps"][0]["step_name"] = json!("Reiseantrag");
    wanted["steps"][0]["fields"][0]["field_label"] = json!("Bereich");
    wanted["steps"][2]["instructions"] = json!("Buchen.");
    assert_eq!(kept, wanted);
}

#[test]
fn a_field_is_added_and_the_others_stay() {
    let (kept, _) = refined("Add a field for the cost centre to the form", |answer| {
        answer["steps"][0]["fields"] = json!([
            {"field_key": "cost_centre", "field_label": "Cost centre", "field_type": "TEXT", "required": true, "order": 0},
            {"field_key": "unit", "field_label": "Department", "field_type": "TEXT", "required": false, "order": 1}]);
    });
    let mut wanted = current();
    wanted["steps"][0]["fields"].as_array_mut().unwrap().push(
        json!({"field_key": "cost_centre", "field_label": "Cost centre", "field_type": "TEXT", "required": true, "order": 0}),
    );
    assert_eq!(kept, wanted);
}

#[test]
fn who_stays_the_approver_keeps_the_object_id() {
    let mut before = current();
    before["steps"][1] = json!({"step_id": "unit_ok", "step_name": "Unit approval", "step_type": "APPROVAL_STEP",
        "approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": "bob@example.com", "specific_approver_aad_id": "oid-bob"});
    let answer = |address: &str| {
        let mut answer = before.clone();
        let step = answer["steps"][1].as_object_mut().unwrap();
        step.insert("specific_approver_email".to_owned(), json!(address));
        step.remove("specific_approver_aad_id");
        let request = Request::of("Unit approval: approved by whom the address says", &before);
        let kept = keep_the_rest(&before, &answer, &request, &mut Notes::default());
        kept["steps"][1].clone()
    };
    assert_eq!(answer("bob@example.com")["specific_approver_aad_id"], "oid-bob");
    assert_eq!(answer("carl@example.com").get("specific_approver_aad_id"), None);
}

#[test]
fn the_start_moves_only_in_front_of_the_old_one() {
    let first = json!({"step_id": "first", "step_name": "Check budget", "step_type": "FORM_STEP", "order": 0, "fields": []});
    let with = |edge: Option<Value>| {
        refined("Add a form to check the budget first", |answer| {
            answer["steps"].as_array_mut().unwrap().insert(0, first.clone());
            answer["start_step_id"] = json!("first");
            answer["transitions"].as_array_mut().unwrap().extend(edge);
        })
        .0
    };
    let edge = json!({"transition_id": "n", "from_step_id": "first", "to_step_id": "ask", "on_event": "SUBMIT_FORM",
                      "condition": null, "priority": 0});
    assert_eq!(with(Some(edge))["start_step_id"], "first");
    assert_eq!(with(None)["start_step_id"], "ask");
}
