//! Bounds on what drafting costs: requests and tokens of a person, calls at the same time.

use super::stage::{ANN, DANA, DRAFT, KEN, LAPTOP, Stage, always, answer, made_by_model};
use crate::support::{Behaviour, Reply};
use bson::{Document, doc};
use reqwest::StatusCode;
use serde_json::json;

async fn draft_as(stage: &Stage, who: &str) -> Reply {
    stage
        .app
        .person(who)
        .post(DRAFT, json!({"prompt_text": LAPTOP}))
        .await
}

#[tokio::test]
async fn a_person_has_a_number_of_drafts_a_minute() {
    let stage = Stage::with(&[("GENAI_REQUESTS_PER_MINUTE", "2")]).await;
    stage.server.otherwise(always(&answer()));
    made_by_model(draft_as(&stage, DANA).await);
    made_by_model(draft_as(&stage, DANA).await);
    let refused = draft_as(&stage, DANA).await.expect(429);
    assert_eq!(refused.code(), "RATE_LIMIT_EXCEEDED");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    made_by_model(draft_as(&stage, KEN).await);
    assert_eq!(stage.server.requests().len(), 3);
}

#[tokio::test]
async fn a_person_has_a_number_of_tokens_a_day() {
    let stage = Stage::with(&[("GENAI_TOKENS_PER_DAY", "50000")]).await;
    stage.server.otherwise(always(&answer()));
    made_by_model(draft_as(&stage, DANA).await);
    let usage = stage.app.database().collection::<Document>("model_usage");
    let counted = usage.find_one(doc! {}).await.unwrap().unwrap();
    let tokens = counted.get_i64("tokens").unwrap();
    assert_eq!(tokens, 33, "what was reserved became what the provider counts");
    usage
        .update_one(doc! {}, doc! {"$set": {"tokens": 49_000_i64}})
        .await
        .unwrap();
    let refused = draft_as(&stage, DANA).await.expect(429);
    assert_eq!(refused.code(), "RATE_LIMIT_EXCEEDED");
    assert_eq!(
        refused.header("retry-after"),
        "52200",
        "the day ends at midnight UTC"
    );
    made_by_model(draft_as(&stage, KEN).await);
    stage.app.clock.advance(24 * 60 * 60 * 1_000);
    made_by_model(draft_as(&stage, DANA).await);
    assert_eq!(stage.server.requests().len(), 3);
}

#[tokio::test]
async fn tokens_that_run_out_during_repairs_leave_the_draft_that_is_there() {
    // Enough for the question and its answer, not for an answer of 16 000 characters sent back.
    let stage = Stage::with(&[("GENAI_TOKENS_PER_DAY", "11000")]).await;
    let mut broken = answer();
    for step in broken["steps"].as_array_mut().unwrap() {
        step["description"] = json!("word ".repeat(800));
    }
    broken["transitions"][2]["to_step_id"] = json!("archive");
    stage.server.otherwise(always(&broken));
    let body = made_by_model(draft_as(&stage, DANA).await);
    assert_eq!(body["ai_metadata"]["attempts"], 1, "a repair is a larger request");
}

#[tokio::test]
async fn hanging_calls_are_few_and_delay_nobody_else() {
    let stage = Stage::with(&[("GENAI_MAX_CONCURRENT_CALLS", "8")]).await;
    stage.server.otherwise(Behaviour::Hang);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let designer = stage.designer();
        asking.spawn(async move { designer.post(DRAFT, json!({"prompt_text": LAPTOP})).await });
    }
    // Eight run, four times as many wait, the rest is told to come back.
    for _ in 0..10 {
        let refused = asking.join_next().await.unwrap().unwrap();
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
        assert_eq!(refused.header("retry-after"), "2");
    }
    stage.server.wait_for_open(8).await;
    let plain = stage.app.person(DANA);
    let workflow = {
        let designer = &plain;
        let created = designer
            .post("/api/v1/workflows", json!({"name": "While the model hangs"}))
            .await
            .expect(201);
        created.body["workflow_id"].as_str().unwrap().to_owned()
    };
    let path = format!("/api/v1/workflows/{workflow}");
    plain
        .put(&format!("{path}/draft"), json!({"definition": answer()}))
        .await
        .expect(200);
    plain.post_nothing(&format!("{path}/publish")).await.expect(200);
    let ticket = json!({"workflow_id": workflow, "title": "Laptop", "initial_form_values": {"model": "Light"},
                        "initial_form_step_ids": ["ask"]});
    let raised = stage
        .app
        .person(ANN)
        .post("/api/v1/tickets", ticket)
        .await
        .expect(201);
    let id = raised.body["ticket_id"].as_str().unwrap();
    let detail = stage
        .app
        .person(ANN)
        .get(&format!("/api/v1/tickets/{id}"))
        .await
        .expect(200);
    let steps = detail.body["steps"].as_array().unwrap();
    let ok = steps.iter().find(|step| step["step_id"] == "ok").unwrap();
    let approve = format!(
        "/api/v1/tickets/{id}/steps/{}/approve",
        ok["ticket_step_id"].as_str().unwrap()
    );
    stage
        .app
        .person("mark.stone")
        .post(&approve, json!({}))
        .await
        .expect(200);
    assert_eq!(
        stage.server.open_requests(),
        8,
        "all of it happened while they hang"
    );
    assert_eq!(stage.server.requests().len(), 8);
    asking.abort_all();
    stage.server.wait_for_open(0).await;
}
