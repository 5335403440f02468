//! Every action: done by the right person, refused to the wrong one, refused at the wrong time, harmless when repeated.

use super::stage::{ANN, CHLOE, IVAN, JULIA, MARK, Stage};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_goes_from_the_wizard_to_completion() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Everything").await;
    ticket.approve().await;
    ticket.assign(IVAN).await;
    ticket
        .must(
            IVAN,
            "work",
            "save-draft",
            json!({"draft_values": {"$set": {"a.b": 1}}}),
        )
        .await;
    assert_eq!(
        ticket.step("work").await["data"]["draft_values"],
        json!({"$set": {"a.b": 1}})
    );
    let answer = ticket
        .must(IVAN, "work", "complete", json!({"output_values": {}}))
        .await;
    assert_eq!(answer["ticket"]["status"], "COMPLETED");
    assert_eq!(answer["newest_audit_events"][0]["event_type"], "TICKET_COMPLETED");
    let detail = ticket.detail().await;
    assert_eq!(detail["actionable_tasks"], json!([]));
    assert!(detail["ticket"]["completed_at"].as_str().unwrap().ends_with('Z'));
    for key in [
        "description",
        "due_at",
        "pending_end_step_id",
        "form_versions",
        "pending_change_request_id",
    ] {
        assert!(
            detail["ticket"].get(key).is_some(),
            "{key} is rendered although it is null"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identical_create_within_a_minute_is_one_ticket_and_bad_values_make_none() {
    let stage = Stage::new().await;
    let ann = stage.person(ANN);
    let first = ann.post("/api/v1/tickets", stage.wizard("Twice")).await;
    let again = ann.post("/api/v1/tickets/", stage.wizard("Twice")).await;
    assert_eq!(first.body, again.body);
    let mut wrong = stage.wizard("Wrong");
    wrong["initial_form_values"] = json!({});
    let refused = ann.post("/api/v1/tickets", wrong).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body["error"]["code"], "VALIDATION_ERROR");
    assert_eq!(refused.body["detail"]["message"], "What is required");
    let list = ann.get("/api/v1/tickets").await;
    assert_eq!(list.body["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn archived_and_unknown_workflows_raise_no_tickets() {
    let stage = Stage::new().await;
    let designer = stage.person("dana.wolf");
    let mut unknown = stage.wizard("x");
    unknown["workflow_id"] = json!("WF-000000000000");
    assert_eq!(
        stage.person(ANN).post("/api/v1/tickets", unknown).await.status,
        404
    );
    designer
        .delete(&format!("/api/v1/workflows/{}", stage.workflow))
        .await;
    let archived = stage.person(ANN).post("/api/v1/tickets", stage.wizard("x")).await;
    assert_eq!(archived.body["error"]["code"], "WORKFLOW_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wrong_person_the_wrong_time_and_unknown_objects_are_told_apart() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Mine").await;
    let other = stage.raise(ANN, "Other").await;
    assert_eq!(stage.person(CHLOE).get(&ticket.path("")).await.status, 403);
    assert_eq!(
        stage
            .person(CHLOE)
            .get(&ticket.path("/previous-agents"))
            .await
            .status,
        403
    );
    assert_eq!(
        stage
            .person(ANN)
            .get("/api/v1/tickets/TKT-000000000000")
            .await
            .status,
        404
    );
    assert_eq!(
        stage.person(ANN).get("/api/v1/tickets/not-an-id").await.status,
        404
    );
    assert_eq!(ticket.act(ANN, "ok", "approve", json!({})).await.status, 403);
    assert_eq!(ticket.act(CHLOE, "ok", "reject", json!({})).await.status, 403);
    let foreign_step = other.step("ok").await["ticket_step_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mixed = stage
        .person(MARK)
        .post(&ticket.path(&format!("/steps/{foreign_step}/approve")), json!({}))
        .await;
    assert_eq!(
        (mixed.status.as_u16(), mixed.body["error"]["code"].as_str()),
        (404, Some("STEP_NOT_FOUND"))
    );
    ticket.approve().await;
    assert_eq!(ticket.act(MARK, "ok", "approve", json!({})).await.status, 200);
    let changed_mind = ticket.act(MARK, "ok", "reject", json!({})).await;
    assert_eq!(changed_mind.body["error"]["code"], "INVALID_STATE");
    assert_eq!(
        ticket
            .act(
                MARK,
                "work",
                "reassign",
                json!({"agent_email": "ivan.novak@example.com"})
            )
            .await
            .status,
        409
    );
    assert_eq!(
        ticket
            .act(MARK, "work", "assign", json!({"agent_email": "no address"}))
            .await
            .status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_asked_and_answered() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Question").await;
    ticket
        .must(MARK, "ok", "request-info", json!({"question_text": "Why?"}))
        .await;
    let detail = ticket.detail().await;
    assert_eq!(detail["ticket"]["status"], "WAITING_FOR_REQUESTER");
    assert_eq!(
        detail["info_requests"][0]["requested_from_step_type"],
        "REQUESTER"
    );
    assert_eq!(
        detail["actionable_tasks"][0]["available_actions"],
        json!(["respond_info"])
    );
    assert_eq!(
        ticket
            .act(MARK, "ok", "request-info", json!({"question_text": "And?"}))
            .await
            .status,
        409
    );
    ticket
        .must(ANN, "ok", "respond-info", json!({"response_text": "Because."}))
        .await;
    assert_eq!(ticket.detail().await["ticket"]["status"], "IN_PROGRESS");
    let agent = format!("{IVAN}@example.com::Work");
    ticket
        .must(
            MARK,
            "ok",
            "request-info",
            json!({"question_text": "Ivan?", "requested_from_email": agent}),
        )
        .await;
    let inbox = stage.person(IVAN).get("/api/v1/tickets/my-info-requests").await;
    assert_eq!(inbox.body[0]["question_text"], "Ivan?");
    assert_eq!(
        ticket
            .act(CHLOE, "ok", "respond-info", json!({"response_text": "me"}))
            .await
            .status,
        403
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_held_resumed_handed_over_and_noted() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Task").await;
    ticket.approve().await;
    ticket.assign(IVAN).await;
    let due = ticket.step("work").await["due_at"].as_str().unwrap().to_owned();
    ticket
        .must(IVAN, "work", "hold", json!({"reason": "parts"}))
        .await;
    assert_eq!(ticket.act(IVAN, "work", "complete", json!({})).await.status, 409);
    stage.app.clock.advance(600_000);
    let path = ticket.step_path("work", "resume").await;
    assert_eq!(stage.person(IVAN).post_nothing(&path).await.status, 200);
    assert_ne!(ticket.step("work").await["due_at"].as_str().unwrap(), due);
    ticket
        .must(
            IVAN,
            "work",
            "request-handover",
            json!({"reason": "leave", "suggested_agent_email": "julia.rossi@example.com"}),
        )
        .await;
    let pending = stage
        .person(IVAN)
        .get("/api/v1/tickets/agent/pending-handovers")
        .await;
    let handover = pending.body["items"][0]["handover_request"]["handover_request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let decide = json!({"handover_request_id": handover, "approved": true, "new_agent_email": "julia.rossi@example.com"});
    assert_eq!(
        ticket
            .act(IVAN, "work", "decide-handover", decide.clone())
            .await
            .status,
        403
    );
    ticket.must(MARK, "work", "decide-handover", decide).await;
    ticket
        .must(JULIA, "work", "add-note", json!({"content": "On it."}))
        .await;
    ticket
        .must(JULIA, "work", "add-note", json!({"content": "On it."}))
        .await;
    let step = ticket.step("work").await;
    assert_eq!(step["assigned_to"]["email"], "julia.rossi@example.com");
    assert_eq!(step["data"]["notes"].as_array().unwrap().len(), 1);
    let note = stage
        .person(ANN)
        .post(&ticket.path("/add-requester-note"), json!({"content": "Thanks"}))
        .await;
    assert_eq!(note.body["ticket"]["requester_notes"][0]["content"], "Thanks");
    let cancelled = ticket
        .step_path("work", &format!("cancel-handover/{handover}"))
        .await;
    assert_eq!(stage.person(IVAN).post_nothing(&cancelled).await.status, 409);
    let unknown = ticket.step_path("work", "cancel-handover/HND-000000000000").await;
    assert_eq!(stage.person(IVAN).post_nothing(&unknown).await.status, 404);
    assert_eq!(
        ticket
            .act(JULIA, "work", "acknowledge-sla", json!({}))
            .await
            .status,
        409
    );
    stage.app.clock.advance(4 * 3_600_000);
    ticket
        .must(JULIA, "work", "acknowledge-sla", json!({"notes": "late"}))
        .await;
    let agents = stage.person(ANN).get(&ticket.path("/previous-agents")).await;
    let names: Vec<&str> = agents
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["display_name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"Ivan Novak") && names.contains(&"Julia Rossi") && names.contains(&"Mark Stone"),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_request_pauses_the_work_and_is_reviewed_by_who_approved() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Change").await;
    let propose = |text: &str| json!({"ticket_id": ticket.id, "proposed_form_values": {"what": text}, "reason": "typo"});
    let early = stage
        .person(ANN)
        .post("/api/v1/change-requests", propose("Other"))
        .await;
    assert_eq!(early.status, 409);
    ticket.approve().await;
    assert_eq!(
        stage
            .person(MARK)
            .post("/api/v1/change-requests", propose("Other"))
            .await
            .status,
        403
    );
    let made = stage
        .person(ANN)
        .post("/api/v1/change-requests", propose("Other"))
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    let id = made.body["change_request"]["change_request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = &made.body["change_request"]["field_changes"][0];
    assert_eq!(
        (&change["field_label"], &change["old_value"], &change["new_value"]),
        (&json!("What"), &json!("A thing"), &json!("Other"))
    );
    assert_eq!(ticket.detail().await["ticket"]["status"], "WAITING_FOR_CR");
    assert_eq!(
        ticket
            .act(
                MARK,
                "work",
                "assign",
                json!({"agent_email": "ivan.novak@example.com"})
            )
            .await
            .status,
        409
    );
    assert_eq!(
        stage.person(MARK).get("/api/v1/change-requests/count").await.body["count"],
        1
    );
    let path = format!("/api/v1/change-requests/{id}");
    assert_eq!(stage.person(CHLOE).get(&path).await.status, 403);
    assert_eq!(
        stage
            .person(MARK)
            .post(&format!("{path}/approve"), json!({"action": "REJECT"}))
            .await
            .status,
        400
    );
    let approved = stage
        .person(MARK)
        .post(&format!("{path}/approve"), json!({"action": "approve"}))
        .await;
    assert_eq!(
        approved.body["change_request"]["to_version"], 2,
        "{}",
        approved.text
    );
    assert_eq!(
        stage
            .person(MARK)
            .post(&format!("{path}/approve"), json!({"action": "APPROVE"}))
            .await
            .status,
        200
    );
    assert_eq!(stage.person(ANN).delete(&path).await.status, 409);
    let detail = ticket.detail().await;
    assert_eq!(detail["ticket"]["form_values"]["what"], "Other");
    assert_eq!(detail["ticket"]["form_versions"].as_array().unwrap().len(), 2);
    let compared = stage
        .person(ANN)
        .get(&format!(
            "/api/v1/change-requests/tickets/{}/compare?version_1=2&version_2=1",
            ticket.id
        ))
        .await;
    assert_eq!(
        compared.body["field_changes"][0]["form_name"], "Ask",
        "{}",
        compared.text
    );
    let same = stage
        .person(ANN)
        .get(&format!(
            "/api/v1/change-requests/tickets/{}/compare?version_1=2&version_2=2",
            ticket.id
        ))
        .await;
    assert_eq!(same.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_ticket_refuses_everything_but_the_repeat() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Cancelled").await;
    assert_eq!(
        stage
            .person(MARK)
            .post(&ticket.path("/cancel"), json!({}))
            .await
            .status,
        403
    );
    assert_eq!(
        stage
            .person(ANN)
            .post(&ticket.path("/cancel"), json!({"reason": "no"}))
            .await
            .status,
        200
    );
    assert_eq!(
        stage
            .person(ANN)
            .post(&ticket.path("/cancel"), json!({"reason": "no"}))
            .await
            .status,
        200
    );
    for (who, action, body) in [
        (MARK, "approve", json!({})),
        (MARK, "request-info", json!({"question_text": "?"})),
        (MARK, "add-note", json!({"content": "x"})),
    ] {
        assert_eq!(ticket.act(who, "ok", action, body).await.status, 409, "{action}");
    }
    let note = stage
        .person(ANN)
        .post(&ticket.path("/add-requester-note"), json!({"content": "x"}))
        .await;
    assert_eq!(note.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manager_skips_a_task_with_a_reason_and_an_approver_skips_the_ticket() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Skip a task").await;
    ticket.approve().await;
    let answer = ticket
        .must(MARK, "work", "skip", json!({"reason": "not needed"}))
        .await;
    assert_eq!(answer["ticket"]["status"], "COMPLETED");
    let ticket = stage.raise(ANN, "Skip all").await;
    let answer = ticket.must(MARK, "ok", "skip", json!({"comment": "no"})).await;
    assert_eq!(answer["ticket"]["status"], "SKIPPED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_refused_and_a_known_one_needs_no_body_again() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Versions").await;
    let seen = stage.person(ANN).get(&ticket.path("")).await;
    let tag = seen.headers["etag"].to_str().unwrap().to_owned();
    let again = stage
        .person(ANN)
        .request(reqwest::Method::GET, &ticket.path(""))
        .header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), 304);
    ticket.approve().await;
    let cancel = stage
        .person(ANN)
        .request(reqwest::Method::POST, &ticket.path("/cancel"))
        .header("if-match", &tag);
    let stale = cancel.json(&json!({})).send().await.unwrap();
    assert_eq!(stale.status(), 412);
    let body = json!({"expected_version": 1});
    let conflict = stage.person(ANN).post(&ticket.path("/cancel"), body).await;
    assert_eq!(
        (conflict.status.as_u16(), conflict.body["error"]["code"].as_str()),
        (409, Some("CONCURRENCY_CONFLICT"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_repeats_the_first_success_and_refuses_another_body() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Key").await;
    let note = |text: &str| {
        let request = stage
            .person(ANN)
            .request(reqwest::Method::POST, &ticket.path("/add-requester-note"));
        request
            .header("idempotency-key", "note-1")
            .json(&json!({"content": text}))
    };
    let first: Value = note("one").send().await.unwrap().json().await.unwrap();
    let again: Value = note("one").send().await.unwrap().json().await.unwrap();
    assert_eq!(
        first["ticket"]["requester_notes"],
        again["ticket"]["requester_notes"]
    );
    assert_eq!(note("two").send().await.unwrap().status(), 422);
}
