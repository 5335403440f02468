use crate::support::{START, TestApp};
use bson::{Document, doc};
use serde_json::json;
use workflow_ops::repositories::{indexes, ticket_figures};

async fn insert_tickets(app: &TestApp, tickets: impl IntoIterator<Item = Document>) {
    let tickets: Vec<_> = tickets.into_iter().collect();
    app.database()
        .collection::<Document>("tickets")
        .insert_many(tickets)
        .await
        .unwrap();
}

fn ticket(id: i64, status: &str, idle_days: i64, due_in_minutes: Option<i64>) -> Document {
    let due_at = due_in_minutes.map(|minutes| START.plus_minutes(minutes));
    let figures = doc! {"due_at": due_at, "tasks": 2, "tasks_open": 1, "tasks_done": 1, "approvals_pending": 1, "handovers": 1};
    let work =
        doc! {"status": status, "updated_at": START.plus_minutes(-idle_days * 1_440 - 1), "figures": figures};
    doc! {"_id": format!("TKT-{id:012}"), "version": 1_i64, "work": work, "tail": []}
}

#[tokio::test]
async fn the_command_centre_has_every_figure_and_counts_only_live_tickets_as_active() {
    let app = TestApp::with_people().await;
    insert_tickets(
        &app,
        [
            ticket(1, "IN_PROGRESS", 0, Some(-5)),
            ticket(2, "IN_PROGRESS", 4, Some(30)),
            ticket(3, "WAITING_FOR_REQUESTER", 20, None),
            ticket(4, "COMPLETED", 20, Some(-5)),
            ticket(5, "REJECTED", 20, None),
        ],
    )
    .await;
    let path = "/api/v1/admin/agent-metrics";
    app.person("ken.ito").get(path).await.expect(403);
    let body = app.person("sven.berg").get(path).await.expect(200).body;
    assert_eq!(
        body["tickets"],
        json!({"total": 5, "active": 3, "completed": 1, "in_progress": 2, "waiting_for_requester": 1, "cancelled": 0})
    );
    assert_eq!(
        body["sla"],
        json!({"overdue": 1, "approaching": 1, "on_track": 1, "compliance_rate": 75.0})
    );
    assert_eq!(
        body["stuck_tickets"],
        json!({"idle_3_to_7_days": 1, "idle_7_to_14_days": 0, "idle_over_14_days": 1, "total": 2})
    );
    assert_eq!(
        body["task_steps"],
        json!({"total": 10, "pending": 5, "completed": 5})
    );
    assert_eq!(
        (
            body["approvals"]["pending"].clone(),
            body["handover_requests"]["total"].clone()
        ),
        (json!(5), json!(5))
    );
    assert_eq!(body["notifications"]["email_healthy"], true);
    assert_eq!(body["notifications"]["last_success_minutes_ago"], json!(null));
    assert!(body["users"]["admins"].as_i64().unwrap() >= 2);
    assert_eq!(body["generated_at"], "2026-01-05T09:30:00.000Z");
}

#[tokio::test]
async fn figures_are_kept_for_five_seconds_and_shared_between_processes() {
    let app = TestApp::with_people().await;
    let second = app.second_process(&[]).await;
    let total = |app: &TestApp| {
        let admin = app.person("sven.berg");
        async move { admin.get("/api/v1/admin/agent-metrics").await.expect(200).body["tickets"]["total"].clone() }
    };
    assert_eq!(total(&app).await, 0);
    insert_tickets(&app, [ticket(1, "IN_PROGRESS", 0, None)]).await;
    assert_eq!(total(&second).await, 0);
    app.clock.advance(5_000);
    assert_eq!(total(&second).await, 1);
    assert_eq!(total(&app).await, 1);
}

#[tokio::test]
async fn the_figures_of_tickets_are_read_from_one_index_alone() {
    let app = TestApp::new().await;
    insert_tickets(&app, (0..50).map(|id| ticket(id, "IN_PROGRESS", 0, Some(id)))).await;
    let command = doc! {
        "aggregate": "tickets", "pipeline": ticket_figures::pipeline(START), "cursor": {}, "hint": "all_status_figures",
    };
    let plan = format!("{}", indexes::explain(app.database(), command).await.unwrap());
    assert!(plan.contains("\"totalDocsExamined\": 0"), "{plan}");
}

#[tokio::test]
async fn audit_searches_are_bounded_and_for_administrators() {
    let app = TestApp::with_people().await;
    let path = "/api/v1/admin/ticket-audit";
    app.person("ken.ito")
        .get(&format!("{path}?ticket_id=x"))
        .await
        .expect(403);
    let admin = app.person("sven.berg");
    for unbounded in [
        "",
        "?event_type=APPROVE",
        "?from_date=2026-01-01",
        "?from_date=2026-01-01&to_date=2026-03-01",
    ] {
        admin.get(&format!("{path}{unbounded}")).await.expect(400);
    }
    for bounded in [
        "?ticket_id=TKT-0123456789ab&event_type=APPROVE&event_type=REJECT&actor_email=(",
        "?correlation_id=COR-1",
        "?from_date=2026-01-01&to_date=2026-01-31&limit=100&skip=5",
    ] {
        assert_eq!(
            admin.get(&format!("{path}{bounded}")).await.expect(200).body["total"],
            0
        );
    }
    admin
        .get(&format!("{path}?ticket_id=x&event_type=NOPE"))
        .await
        .expect(400);
}
