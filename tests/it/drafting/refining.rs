//! Refining changes what it was asked to change, whatever a model does to the rest.

use super::drafts::published;
use super::stage::{DANA, REFINE, Stage, always, answer, answer_without_a_join};
use crate::support::{Behaviour, Reply, TestApp};
use serde_json::{Value, json};

/// A definition with everything that is easily lost: a lookup field, an approval by lookup, parallel approvers with
/// object ids, an embedded workflow, keys of somebody else's, ids that are no words.
async fn travel(app: &TestApp) -> Value {
    let embedded = published(app, &workflow_definition(&answer())).await;
    json!({
        "steps": [
            {"step_id": "step_1712", "step_name": "Travel request", "step_type": "FORM_STEP", "order": 0, "is_start": true,
             "x_layout": {"column": 2, "color": null},
             "sections": [{"section_id": "s1", "section_title": "Trip", "order": 0, "is_repeating": false}],
             "fields": [
                {"field_key": "unit", "field_label": "Unit", "field_type": "SELECT", "required": true, "order": 0, "options": ["A", "B"], "section_id": "s1"},
                {"field_key": "head", "field_label": "Head of unit", "field_type": "LOOKUP_USER_SELECT", "required": false, "order": 1,
                 "validation": {"lookup_step_id": "step_1712", "lookup_field_key": "unit"}},
                {"field_key": "cost", "field_label": "Total cost", "field_type": "NUMBER", "required": true, "order": 2, "validation": {"min_value": 0}}]},
            {"step_id": "step_1713", "step_name": "Unit sign-off", "step_type": "APPROVAL_STEP", "order": 1, "approver_resolution": "FROM_LOOKUP",
             "lookup_id": "LKP-0123456789ab", "lookup_source_step_id": "step_1712", "lookup_source_field_key": "unit", "spoc_email": "bob@example.com"},
            {"step_id": "step_1714", "step_name": "Board", "step_type": "APPROVAL_STEP", "order": 2, "approver_resolution": "SPECIFIC_EMAIL",
             "parallel_approval": "ALL", "parallel_approvers": ["maria.lopez@example.com", "omar.haddad@example.com"],
             "parallel_approvers_info": [{"email": "maria.lopez@example.com", "aad_id": "oid-maria", "display_name": "Maria Lopez"}],
             "primary_approver_email": "omar.haddad@example.com"},
            {"step_id": "step_1715", "step_name": "Equipment", "step_type": "SUB_WORKFLOW_STEP", "order": 3,
             "sub_workflow_id": embedded, "sub_workflow_version": 1, "sub_workflow_name": "Laptop"},
            {"step_id": "step_1716", "step_name": "Book flights", "step_type": "TASK_STEP", "order": 4, "instructions": "Book it.",
             "execution_notes_required": false, "sla": {"due_minutes": 600}},
            {"step_id": "step_1717", "step_name": "Closing note", "step_type": "NOTIFY_STEP", "order": 5, "is_terminal": true, "recipients": ["requester"]}],
        "transitions": [
            {"transition_id": "t_1", "from_step_id": "step_1712", "to_step_id": "step_1713", "on_event": "SUBMIT_FORM", "trigger_event": null, "condition": null, "priority": 0},
            {"transition_id": "t_2", "from_step_id": "step_1713", "to_step_id": "step_1714", "on_event": "APPROVE", "trigger_event": null,
             "condition": {"logic": "AND", "conditions": [{"field": "form_values.cost", "operator": "GREATER_THAN", "value": "1000"}]}, "priority": 5},
            {"transition_id": "t_3", "from_step_id": "step_1713", "to_step_id": "step_1715", "on_event": "APPROVE", "trigger_event": null, "condition": null, "priority": 0},
            {"transition_id": "t_4", "from_step_id": "step_1714", "to_step_id": "step_1715", "on_event": "APPROVE", "trigger_event": null, "condition": null, "priority": 0},
            {"transition_id": "t_5", "from_step_id": "step_1715", "to_step_id": "step_1716", "on_event": "COMPLETE_TASK", "trigger_event": null, "condition": null, "priority": 0},
            {"transition_id": "t_6", "from_step_id": "step_1716", "to_step_id": "step_1717", "on_event": "COMPLETE_TASK", "trigger_event": null, "condition": null, "priority": 0}],
        "start_step_id": "step_1712",
    })
}

/// A definition without what only answers of models have, in the form in which it is stored.
fn workflow_definition(answer: &Value) -> Value {
    let mut definition = answer.clone();
    definition.as_object_mut().unwrap().remove("assumptions");
    for edge in definition["transitions"].as_array_mut().unwrap() {
        let edge = edge.as_object_mut().unwrap();
        let rest = ["condition", "priority"].map(|key| (key.to_owned(), edge.shift_remove(key).unwrap()));
        edge.insert("trigger_event".to_owned(), Value::Null);
        edge.extend(rest);
    }
    definition
}

#[track_caller]
fn refined(reply: Reply) -> (Value, Vec<String>) {
    let reply = reply.expect(200);
    assert_eq!(reply.body["ai_powered"], true, "{}", reply.text);
    assert_eq!(reply.body["validation"]["is_valid"], true, "{}", reply.text);
    assert_eq!(reply.body["ai_metadata"]["refinement"], true);
    let notes = reply.body["repairs"].as_array().unwrap();
    let notes = notes
        .iter()
        .map(|note| note.as_str().unwrap().to_owned())
        .collect();
    (reply.body["draft_definition"].clone(), notes)
}

/// What models do to a definition that they were not asked to do.
fn vandalised(current: &Value) -> Vec<(&'static str, Value)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut answer = current.clone();
        change(&mut answer);
        answer
    };
    vec![
        (
            "drops the lookup of a field",
            with(&|d| {
                d["steps"][0]["fields"][1] = json!({"field_key": "head", "field_label": "Head of unit", "field_type": "TEXT", "required": false, "order": 1});
            }),
        ),
        (
            "drops a field and a section",
            with(&|d| {
                d["steps"][0]["fields"].as_array_mut().unwrap().remove(0);
                d["steps"][0]["sections"] = json!([]);
            }),
        ),
        (
            "sends the approval by lookup to the manager",
            with(&|d| {
                d["steps"][1] = json!({"step_id": "step_1713", "step_name": "Unit sign-off", "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER"});
            }),
        ),
        (
            "forgets parallel approvers",
            with(&|d| {
                d["steps"][2]["parallel_approvers"] = json!(["maria.lopez@example.com"]);
                d["steps"][2]
                    .as_object_mut()
                    .unwrap()
                    .remove("parallel_approvers_info");
            }),
        ),
        (
            "turns the embedded workflow into a task",
            with(&|d| {
                d["steps"][3] =
                    json!({"step_id": "step_1715", "step_name": "Equipment", "step_type": "TASK_STEP"});
            }),
        ),
        (
            "renames all steps",
            with(&|d| {
                for (number, step) in d["steps"].as_array_mut().unwrap().iter_mut().enumerate() {
                    if number != 4 {
                        step["step_name"] = json!(format!("Step number {number}"));
                    }
                }
            }),
        ),
        (
            "reverses the order and drops foreign keys",
            with(&|d| {
                d["steps"][0].as_object_mut().unwrap().remove("x_layout");
                d["steps"].as_array_mut().unwrap().reverse();
                for (number, step) in d["steps"].as_array_mut().unwrap().iter_mut().enumerate() {
                    step["order"] = json!(number);
                }
            }),
        ),
        (
            "drops steps",
            with(&|d| {
                d["steps"].as_array_mut().unwrap().drain(1..4);
                d["transitions"] = json!([
                {"transition_id": "n", "from_step_id": "step_1712", "to_step_id": "step_1716", "on_event": "SUBMIT_FORM"},
                {"transition_id": "m", "from_step_id": "step_1716", "to_step_id": "step_1717", "on_event": "COMPLETE_TASK"}]);
            }),
        ),
        (
            "draws new ids for transitions and forgets a condition",
            with(&|d| {
                for (number, edge) in d["transitions"].as_array_mut().unwrap().iter_mut().enumerate() {
                    edge["transition_id"] = json!(format!("edge-{number}"));
                    edge["condition"] = Value::Null;
                    edge["priority"] = json!(0);
                }
            }),
        ),
        (
            "reroutes around the approvals",
            with(&|d| {
                d["transitions"][0]["to_step_id"] = json!("step_1716");
            }),
        ),
        (
            "starts elsewhere",
            with(&|d| d["start_step_id"] = json!("step_1716")),
        ),
    ]
}

#[tokio::test]
async fn whatever_a_model_does_to_the_rest_is_put_back() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    for (what, mut answer) in vandalised(&current) {
        let steps = answer["steps"].as_array_mut().unwrap();
        let task = steps
            .iter_mut()
            .find(|step| step["step_id"] == "step_1716")
            .unwrap();
        task["instructions"] = json!("Book it within a day.");
        stage.server.otherwise(always(&answer));
        let reply = stage
            .refine(&current, "Change the instructions of Book flights: within a day")
            .await;
        let (definition, _) = refined(reply);
        let mut wanted = current.clone();
        wanted["steps"][4]["instructions"] = json!("Book it within a day.");
        assert_eq!(definition, wanted, "a model that {what}");
    }
}

#[tokio::test]
async fn a_new_step_comes_in_and_nothing_else_moves() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    for (what, answer) in vandalised(&current) {
        let mut answer = answer;
        let visa = json!({"step_id": "visa", "step_name": "Order visas", "step_type": "TASK_STEP", "instructions": "Order them."});
        answer["steps"].as_array_mut().unwrap().push(visa);
        for edge in answer["transitions"].as_array_mut().unwrap() {
            if edge["to_step_id"] == "step_1717" {
                edge["to_step_id"] = json!("visa");
            }
        }
        answer["transitions"].as_array_mut().unwrap().push(
            json!({"transition_id": "v", "from_step_id": "visa", "to_step_id": "step_1717", "on_event": "COMPLETE_TASK"}),
        );
        stage.server.otherwise(always(&answer));
        let reply = stage
            .refine(&current, "Add a task that orders visas at the very end")
            .await;
        let (definition, _) = refined(reply);
        let steps = definition["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 7, "a model that {what}");
        for old in current["steps"].as_array().unwrap() {
            let now = steps
                .iter()
                .find(|step| step["step_id"] == old["step_id"])
                .unwrap();
            let mut wanted = old.clone();
            wanted["order"] = now["order"].clone();
            assert_eq!(*now, wanted, "a model that {what}");
        }
        let edges = definition["transitions"].as_array().unwrap();
        let old: Vec<Value> = current["transitions"].as_array().unwrap()[..5].to_vec();
        assert_eq!(edges[..5], old, "a model that {what}");
        let ways: Vec<String> = edges[5..]
            .iter()
            .map(|edge| {
                format!(
                    "{}>{}",
                    edge["from_step_id"].as_str().unwrap(),
                    edge["to_step_id"].as_str().unwrap()
                )
            })
            .collect();
        assert_eq!(ways, ["step_1716>visa", "visa>step_1717"], "a model that {what}");
    }
}

#[tokio::test]
async fn what_was_left_undone_is_told() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    let mut answer = current.clone();
    answer["steps"][1]["approver_resolution"] = json!("REQUESTER_MANAGER");
    stage.server.otherwise(always(&answer));
    let (definition, notes) = refined(stage.refine(&current, "Make it nicer for everybody").await);
    assert_eq!(definition, current);
    assert!(
        notes.iter().any(|note| note.contains("Unit sign-off")),
        "{notes:?}"
    );
}

#[tokio::test]
async fn an_approval_that_the_request_is_about_is_rerouted() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    let mut answer = current.clone();
    answer["steps"][1] = json!({"step_id": "step_1713", "step_name": "Unit sign-off", "step_type": "APPROVAL_STEP",
        "approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": "nina.patel@example.com"});
    stage.server.otherwise(always(&answer));
    let request = "Unit sign-off is approved by nina.patel@example.com from now on";
    let (definition, _) = refined(stage.refine(&current, request).await);
    let step = &definition["steps"][1];
    assert_eq!(step["specific_approver_email"], "nina.patel@example.com");
    assert_eq!(step.get("lookup_id"), None);
    assert_eq!(definition["steps"][2], current["steps"][2]);
}

#[tokio::test]
async fn a_change_opens_no_way_around_an_approval() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    let mut answer = current.clone();
    let fast =
        json!({"step_id": "fast", "step_name": "Fast lane", "step_type": "NOTIFY_STEP", "is_terminal": true});
    answer["steps"].as_array_mut().unwrap().push(fast);
    answer["transitions"].as_array_mut().unwrap().push(json!({
        "transition_id": "f", "from_step_id": "step_1712", "to_step_id": "fast", "on_event": "SUBMIT_FORM", "priority": 99,
        "condition": {"logic": "AND", "conditions": [{"field": "form_values.cost", "operator": "IS_NOT_EMPTY", "value": ""}]}}));
    stage.server.otherwise(always(&answer));
    let reply = stage
        .refine(&current, "Add a notification for the travel agency")
        .await
        .expect(200);
    assert_eq!(reply.body["ai_powered"], false);
    assert_eq!(reply.body["draft_definition"], current);
    let repair = stage.said_by("user").pop().unwrap();
    assert!(repair.contains("APPROVAL_BYPASSED"), "{repair}");
}

#[tokio::test]
async fn a_definition_that_is_not_finished_can_be_refined_and_says_what_is_missing() {
    let stage = Stage::new().await;
    let current = json!({
        "steps": [
            {"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "fields": []},
            {"step_id": "ok", "step_name": "Board", "step_type": "APPROVAL_STEP", "approver_resolution": "SPECIFIC_EMAIL"}],
        "transitions": [{"transition_id": "a", "from_step_id": "ask", "to_step_id": "ok", "on_event": "SUBMIT_FORM", "condition": null, "priority": 0}],
        "start_step_id": "ask"});
    let mut answer = current.clone();
    answer["steps"][0]["fields"] =
        json!([{"field_key": "cost", "field_label": "Cost", "field_type": "NUMBER", "required": true}]);
    stage.server.otherwise(always(&answer));
    let reply = stage
        .refine(&current, "Add a field for the cost to the form")
        .await
        .expect(200);
    assert_eq!(reply.body["ai_powered"], true, "{}", reply.text);
    assert_eq!(reply.body["validation"]["is_valid"], false);
    assert_eq!(
        reply.body["draft_definition"]["steps"][0]["fields"][0]["field_key"],
        "cost"
    );
    assert_eq!(
        stage.server.requests().len(),
        1,
        "faults that were there before are nobody's repair"
    );
}

#[tokio::test]
async fn changes_that_cannot_be_used_leave_the_definition_as_it_is() {
    let stage = Stage::new().await;
    let current = travel(&stage.app).await;
    let mut fork = answer_without_a_join()["steps"][4].clone();
    fork["branches"][0]["start_step_id"] = json!("step_1716");
    let mut answer = current.clone();
    answer["steps"].as_array_mut().unwrap().push(fork);
    stage.server.otherwise(always(&answer));
    let reply = stage
        .refine(&current, "Add a fork before the flights")
        .await
        .expect(200);
    assert_eq!(reply.body["ai_powered"], false);
    assert_eq!(reply.body["draft_definition"], current);
    assert_eq!(reply.body["validation"]["is_valid"], true);
    assert_eq!(stage.server.requests().len(), 3);
}

#[tokio::test]
async fn without_a_model_the_definition_comes_back_with_what_is_really_wrong_with_it() {
    let app = TestApp::with_people().await;
    let mut current = workflow_definition(&answer());
    let refine = async |current: &Value| {
        let body = json!({"current_definition": current, "refinement_prompt": "Add a step"});
        app.person(DANA).post(REFINE, body).await.expect(200)
    };
    let same = refine(&current).await;
    assert_eq!(same.body["draft_definition"], current);
    assert_eq!(same.body["ai_powered"], false);
    assert_eq!(same.body["validation"]["is_valid"], true);
    current["transitions"][2]["to_step_id"] = json!("nowhere");
    let broken = refine(&current).await;
    assert_eq!(broken.body["validation"]["is_valid"], false);
    assert_eq!(
        broken.body["validation"]["errors"][0]["type"],
        "INVALID_TRANSITION_TO"
    );
}

#[tokio::test]
async fn a_model_that_fails_is_a_clear_error_because_nothing_was_changed() {
    let stage = Stage::new().await;
    for behaviour in [
        Behaviour::Status(500, "server_error", None),
        Behaviour::Status(401, "invalid_api_key", None),
        Behaviour::Malformed,
    ] {
        stage.server.otherwise(behaviour);
        let refused = stage
            .refine(&answer(), "Add a task for the visa")
            .await
            .expect(502);
        assert_eq!(refused.code(), "OPENAI_ERROR");
        assert!(!refused.text.contains("secret words"), "{}", refused.text);
    }
}
