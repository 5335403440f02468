//! Briefing, analysis, explanation, figures and suggestions: real facts, with and without a model.

use super::stage::{ANN, BEN, IVAN, MARK, ROOT, Stage};
use crate::support::Behaviour;
use rstest::rstest;
use serde_json::{Value, json};

async fn get(stage: &Stage, who: &str, path: &str) -> Value {
    let reply = stage
        .person(who)
        .get(&format!("/api/v1/ai-chat/{path}"))
        .await
        .expect(200);
    assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    reply.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_briefing_without_a_model_tells_the_real_figures_steps_and_dates() {
    let stage = Stage::without_model().await;
    let empty = get(&stage, ANN, "nova-pulse").await;
    assert_eq!(empty["overall_summary"], "You have not raised a ticket yet.");
    assert_eq!(empty["smart_recommendations"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&empty["ai_powered"], &empty["ticket_briefings"]),
        (&json!(false), &json!([]))
    );
    let done = stage.raise(ANN, "Mouse", json!({})).await;
    stage.approve_and_assign(&done).await;
    stage
        .act(IVAN, &done, "work", "complete", json!({}))
        .await
        .expect(200);
    let asked = stage.raise(ANN, "Laptop", json!({})).await;
    stage.approve_and_assign(&asked).await;
    let question = json!({"question_text": "Which colour?", "requested_from": "ann.lee@example.com"});
    stage
        .act(IVAN, &asked, "work", "request-info", question)
        .await
        .expect(200);
    stage.app.clock.advance(60_000);
    let assigned = stage.raise(ANN, "Screen", json!({})).await;
    stage.approve_and_assign(&assigned).await;
    stage.raise(BEN, "Of Ben", json!({})).await;
    let briefing = get(&stage, ANN, "nova-pulse").await;
    assert_eq!(
        briefing["overall_summary"],
        "2 of your tickets are open. One question waits for your answer."
    );
    let told: Vec<_> = briefing["ticket_briefings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["ticket_id"], &one["priority_score"], &one["sentiment"]))
        .collect();
    let expected = [
        (&json!(asked), &json!(90), &json!("urgent")),
        (&json!(assigned), &json!(50), &json!("neutral")),
        (&json!(done), &json!(20), &json!("positive")),
    ];
    assert_eq!(told, expected);
    let first = &briefing["ticket_briefings"][0];
    assert_eq!(first["ai_action"], "Answer the question on “Deliver”.");
    assert_eq!(
        briefing["ticket_briefings"][1]["ai_summary"],
        "“Deliver” is being worked on, with Ivan, due 2026-01-05 10:31 UTC."
    );
    assert_eq!(
        briefing["ticket_briefings"][2]["ai_summary"],
        "It was completed on 2026-01-05."
    );
    assert_eq!(
        briefing["productivity_insight"],
        "1 of your 3 tickets are completed."
    );
    assert_eq!(briefing["generated_at"], "2026-01-05T09:31:00.000Z");
    assert_eq!(
        (&briefing["greeting"], &briefing["ai_powered"]),
        (&json!("Hello, Ann Lee."), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_without_a_model_tells_every_step_and_who_has_to_act() {
    let stage = Stage::without_model().await;
    let id = stage
        .raise(ANN, "Laptop", json!({"what": "X1", "priority": "high"}))
        .await;
    let path = format!("explain-ticket/{id}");
    let waiting = get(&stage, MARK, &path).await;
    assert_eq!(
        waiting["pending_actions"][0],
        "You can act on “Approve”: approve, reject, request info."
    );
    assert_eq!(waiting["next_steps"], json!(["“Deliver” is to be done."]));
    stage.approve_and_assign(&id).await;
    let explained = get(&stage, ANN, &path).await;
    assert_eq!(
        explained["current_step_detail"],
        json!({"name": "Deliver", "type": "TASK_STEP", "state": "ACTIVE", "assignee": "Ivan Novak",
               "assignee_email": "ivan.novak@example.com"})
    );
    assert_eq!(
        explained["current_state"],
        "“Deliver” is being worked on, with Ivan Novak."
    );
    assert_eq!(
        explained["timeline_estimate"],
        "“Deliver” is due 2026-01-05 10:30 UTC."
    );
    assert_eq!(
        explained["pending_actions"],
        json!(["“Deliver” waits for Ivan Novak."])
    );
    assert_eq!(explained["key_details"]["Progress"], "2/3");
    assert_eq!(explained["key_details"]["Manager"], "Mark Stone");
    assert_eq!(
        (&explained["priority"], &explained["ai_confidence"]),
        (&json!("HIGH"), &json!("medium"))
    );
    let steps: Vec<_> = explained["workflow_steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            (
                &step["order"],
                &step["name"],
                &step["state"],
                &step["assignee"],
                &step["is_current"],
            )
        })
        .collect();
    assert_eq!(
        steps[1],
        (
            &json!(2),
            &json!("Approve"),
            &json!("COMPLETED"),
            &json!("Mark Stone"),
            &json!(false)
        )
    );
    assert_eq!(
        steps[2],
        (
            &json!(3),
            &json!("Deliver"),
            &json!("ACTIVE"),
            &json!("Ivan Novak"),
            &json!(true)
        )
    );
    stage
        .act(IVAN, &id, "work", "complete", json!({}))
        .await
        .expect(200);
    let ended = get(&stage, ANN, &path).await;
    assert_eq!(
        (&ended["ai_confidence"], &ended["current_step_detail"]),
        (&json!("high"), &Value::Null)
    );
    assert_eq!(ended["next_steps"], json!([]));
    assert_eq!(
        ended["summary"],
        "Ann Lee raised this “Laptop request” ticket on 2026-01-05. It was completed on 2026-01-05."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_chooses_the_words_of_an_explanation_and_facts_stay_facts() {
    let stage = Stage::new().await;
    let id = stage.raise(ANN, "Laptop", json!({"what": "SECRET-VALUE"})).await;
    stage.model.then(Behaviour::Json(json!({
        "summary": format!("{id} is about a laptop."), "current_state": "Mark decides.",
        "next_steps": ["Delivery"], "timeline_estimate": null, "confidence": "high",
        "key_details": {"Progress": "99/99", "Colour": "grey", "Bad": {"a": 1}},
    })));
    let explained = get(&stage, ANN, &format!("explain-ticket/{id}")).await;
    assert_eq!(explained["summary"], format!("{id} is about a laptop."));
    assert_eq!(
        (&explained["next_steps"], &explained["ai_confidence"]),
        (&json!(["Delivery"]), &json!("high"))
    );
    assert_eq!(
        explained["key_details"]["Progress"], "1/3",
        "figures are not the model's"
    );
    assert_eq!(explained["key_details"]["Colour"], "grey");
    assert_eq!(explained["key_details"].get("Bad"), None);
    assert_eq!(
        (&explained["status"], &explained["ai_powered"]),
        (&json!("IN_PROGRESS"), &json!(true))
    );
    assert!(
        !stage.told().contains("SECRET-VALUE"),
        "form values are not told for an explanation"
    );
    assert!(!stage.told().contains("@example.com"), "nor are addresses");
}

#[rstest]
#[case::no_json(Behaviour::Text("I cannot.".to_owned()))]
#[case::wrong_schema(Behaviour::Json(json!({"overall_summary": 7, "summary": [], "current_state": {}})))]
#[case::a_list(Behaviour::Json(json!([1])))]
#[case::cut(Behaviour::Truncated("{\"overall_summary\": \"It".to_owned()))]
#[case::malformed(Behaviour::Malformed)]
#[case::failing(Behaviour::Status(500, "internal", None))]
#[case::hanging(Behaviour::Hang)]
#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_usable_words_leaves_the_facts(#[case] behaviour: Behaviour) {
    let stage = Stage::with(&[("GENAI_TIMEOUT_SECONDS", "1")]).await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    stage.model.otherwise(behaviour);
    let briefing = get(&stage, ANN, "nova-pulse").await;
    assert_eq!(briefing["overall_summary"], "One of your tickets is open.");
    let analysis = get(&stage, ANN, "full-analysis").await;
    assert_eq!(analysis["ticket_briefings"][0]["ticket_id"], json!(id));
    let explained = get(&stage, ANN, &format!("explain-ticket/{id}")).await;
    assert_eq!(
        explained["current_state"],
        "“Approve” is waiting for approval, with Mark Stone."
    );
    for answer in [briefing, analysis, explained] {
        assert_eq!(answer["ai_powered"], false, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_analysis_counts_everything_and_clamps_its_limit() {
    let stage = Stage::new().await;
    for at in 0..23 {
        stage
            .raise(ANN, &format!("Ticket {at}"), json!({"what": "SECRET-VALUE"}))
            .await;
        stage.app.clock.advance(1_000);
    }
    for (query, in_sentences) in [
        ("", 20),
        ("?ai_limit=-5", 1),
        ("?ai_limit=5", 5),
        ("?ai_limit=99999", 20),
    ] {
        let analysis = get(&stage, ANN, &format!("full-analysis{query}")).await;
        assert_eq!(analysis["total_tickets"], 23);
        assert_eq!(analysis["status_breakdown"], json!({"IN_PROGRESS": 23}));
        assert_eq!(
            analysis["ticket_briefings"].as_array().unwrap().len(),
            in_sentences,
            "{query}"
        );
        assert_eq!(
            analysis["other_tickets"].as_array().unwrap().len(),
            23 - in_sentences,
            "{query}"
        );
        assert_eq!(analysis["ticket_briefings"][0]["title"], "Ticket 22");
    }
    assert!(!stage.told().contains("SECRET-VALUE"));
    let told = stage.model.requests()[0].said_by("user");
    assert!(
        told.contains("Ticket 13") && !told.contains("Ticket 12"),
        "ten tickets are told"
    );
    stage
        .person(ANN)
        .get("/api/v1/ai-chat/full-analysis?ai_limit=many")
        .await
        .expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_and_what_is_to_be_noticed_are_the_persons_own() {
    let stage = Stage::without_model().await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    let waiting = get(&stage, MARK, "stats/manager").await;
    assert_eq!(
        (&waiting["stats"]["pending_approvals"], &waiting["persona"]),
        (&json!(1), &json!("manager"))
    );
    assert_eq!(
        get(&stage, MARK, "insights/manager").await["insights"][0]["title"],
        "Approvals wait for you: 1"
    );
    stage.approve_and_assign(&id).await;
    stage.app.clock.advance(2 * 3_600_000);
    assert_eq!(
        get(&stage, IVAN, "stats/agent").await["stats"]["overdue_tasks"],
        1
    );
    let insight = &get(&stage, IVAN, "insights/agent").await["insights"][0];
    assert_eq!(
        (&insight["type"], &insight["title"]),
        (&json!("warning"), &json!("Overdue tasks: 1"))
    );
    assert_eq!(
        get(&stage, ANN, "stats/requester").await["stats"]["open_tickets"],
        1
    );
    assert_eq!(
        get(&stage, "dana.wolf", "stats/designer").await["stats"]["published_workflows"],
        1
    );
    stage.ask(ANN, "Hello?").await.expect(200);
    let system = get(&stage, ROOT, "stats/admin").await["stats"].clone();
    assert_eq!(system["tickets"]["total"], 1);
    assert_eq!(
        system["ai_conversations"],
        json!({"total_sessions": 1, "today_sessions": 1, "total_messages": 2})
    );
    assert_eq!(get(&stage, BEN, "stats/requester").await["stats"]["tickets"], 0);
    let quiet = get(&stage, BEN, "insights/requester").await;
    assert_eq!(quiet["insights"][0]["title"], "Nothing waits for you");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_questions_are_suggested_and_an_unknown_persona_gets_the_requesters() {
    let stage = Stage::without_model().await;
    let own = get(&stage, ANN, "suggested-prompts/requester").await;
    assert_eq!(own["prompts"].as_array().unwrap().len(), 5);
    let unknown = get(&stage, ANN, "suggested-prompts/wizard").await;
    assert_eq!(
        (&unknown["prompts"], &unknown["persona"]),
        (&own["prompts"], &json!("wizard"))
    );
    for prompt in own["prompts"].as_array().unwrap() {
        let reply = stage.ask(ANN, prompt.as_str().unwrap()).await.expect(200);
        assert_eq!(reply.body["ai_powered"], false);
    }
}

#[rstest]
#[case::own(
    ANN,
    "requester",
    "What is the status of my tickets?",
    "with Ivan Novak, due 2026-01-05 10:30 UTC"
)]
#[case::tasks(
    IVAN,
    "agent",
    "Which tasks are assigned to me?",
    "Tasks assigned to you, those due first at first: 1"
)]
#[case::approvals(
    MARK,
    "manager",
    "Which approvals wait for me?",
    "Approvals that wait for you: 1"
)]
#[case::team(MARK, "manager", "Anything?", "- managed tickets: 2")]
#[case::catalog(
    ANN,
    "requester",
    "Which workflows are in the catalog?",
    "**Laptop request**: A laptop for work"
)]
#[case::designer("dana.wolf", "designer", "Anything?", "- published workflows: 1")]
#[case::admin(ROOT, "admin", "Anything?", "- tickets, total: 2")]
#[tokio::test(flavor = "multi_thread")]
async fn a_question_without_a_model_is_answered_from_real_data(
    #[case] who: &str,
    #[case] persona: &str,
    #[case] question: &str,
    #[case] expected: &str,
) {
    let stage = Stage::without_model().await;
    let id = stage.raise(ANN, "Laptop", json!({})).await;
    stage.approve_and_assign(&id).await;
    stage.raise(BEN, "Screen", json!({})).await;
    let reply = stage.ask_as(who, persona, question).await.expect(200);
    let response = reply.body["response"].as_str().unwrap();
    assert!(response.contains("No language model is configured"), "{response}");
    assert!(response.contains(expected), "{response}");
    let about = stage
        .ask_as(who, persona, &format!("And {id}?"))
        .await
        .expect(200);
    let response = about.body["response"].as_str().unwrap().to_owned();
    let may_see = stage
        .person(who)
        .get(&format!("/api/v1/tickets/{id}"))
        .await
        .status
        == 200;
    assert_eq!(
        response.contains("“Deliver” is being worked on, with Ivan Novak."),
        may_see,
        "{response}"
    );
}
