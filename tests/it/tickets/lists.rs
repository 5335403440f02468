//! Lists and dashboards: each person sees what concerns them, filtered before paging, in a stable order.

use super::stage::{ANN, CHLOE, IVAN, MARK, Stage};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn own_tickets_are_filtered_searched_and_sorted() {
    let stage = Stage::new().await;
    for title in ["Beta (1+1)", "alpha", "Gamma"] {
        stage.raise(ANN, title).await;
        stage.app.clock.advance(60_000);
    }
    stage.raise("ben.cole", "Ben's").await;
    let ann = stage.person(ANN);
    let titles = |body: &serde_json::Value| -> Vec<String> {
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ann.get("/api/v1/tickets?aad_id=ignored").await;
    assert_eq!(titles(&all.body), ["Gamma", "alpha", "Beta (1+1)"]);
    assert_eq!(all.body["items"][0]["first_approval_completed"], false);
    let page = ann.get("/api/v1/tickets?page=2&page_size=1").await;
    assert_eq!(
        (titles(&page.body), &page.body["total"]),
        (vec!["alpha".to_owned()], &json!(3))
    );
    let beyond = ann.get("/api/v1/tickets?page=9").await;
    assert_eq!(
        (titles(&beyond.body).len(), &beyond.body["total"]),
        (0, &json!(3))
    );
    assert_eq!(
        titles(&ann.get("/api/v1/tickets?q=(1%2B1").await.body),
        ["Beta (1+1)"]
    );
    assert_eq!(
        titles(&ann.get("/api/v1/tickets?sort_by=title&sort_order=asc").await.body),
        ["Beta (1+1)", "Gamma", "alpha"]
    );
    assert_eq!(ann.get("/api/v1/tickets?status=COMPLETED").await.body["total"], 0);
    assert_eq!(
        ann.get("/api/v1/tickets?statuses=IN_PROGRESS,COMPLETED")
            .await
            .body["total"],
        3
    );
    assert_eq!(
        ann.get("/api/v1/tickets?date_to=2026-01-04").await.body["total"],
        0
    );
    assert_eq!(
        ann.get("/api/v1/tickets?has_pending_cr=true").await.body["total"],
        0
    );
    for wrong in [
        "page=0",
        "page_size=101",
        "statuses=NOPE",
        "status=NOPE",
        "mine=perhaps",
        "date_from=yesterday",
    ] {
        assert_eq!(
            ann.get(&format!("/api/v1/tickets?{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
    assert_eq!(
        stage.person(CHLOE).get("/api/v1/tickets?mine=false").await.body["total"],
        0
    );
    assert_eq!(
        stage.person(MARK).get("/api/v1/tickets?mine=false").await.body["total"],
        4
    );
    assert_eq!(
        stage
            .person("admin.root")
            .get("/api/v1/tickets?mine=false")
            .await
            .body["total"],
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_managers_screens_follow_the_work() {
    let stage = Stage::new().await;
    let first = stage.raise(ANN, "First").await;
    stage.app.clock.advance(1_000);
    stage.raise("ben.cole", "Second").await;
    let mark = stage.person(MARK);
    let approvals = mark.get("/api/v1/tickets/manager/approvals").await;
    assert_eq!(approvals.body["total"], 2);
    assert_eq!(approvals.body["items"][0]["ticket"]["title"], "First");
    assert_eq!(approvals.body["items"][0]["approval_task"]["decision"], "PENDING");
    first.approve().await;
    assert_eq!(
        mark.get("/api/v1/tickets/manager/approvals").await.body["total"],
        1
    );
    let assignments = mark.get("/api/v1/tickets/manager/assignments").await;
    assert_eq!(assignments.body["items"][0]["step"]["step_name"], "Work");
    first.assign(IVAN).await;
    assert_eq!(
        mark.get("/api/v1/tickets/manager/assignments").await.body["total"],
        0
    );
    let history = mark.get("/api/v1/tickets/manager/history").await;
    assert_eq!(
        (&history.body["total"], &history.body["items"][0]["step_name"]),
        (&json!(1), &json!("Approve"))
    );
    assert_eq!(history.body["items"][0]["approval_decision"], "APPROVED");
    assert_eq!(
        mark.get("/api/v1/tickets/manager/history?q=([").await.body["total"],
        0
    );
    assert_eq!(
        mark.get("/api/v1/tickets/manager/history?status=all&q=first")
            .await
            .body["total"],
        1
    );
    first
        .must(IVAN, "work", "request-handover", json!({"reason": "leave"}))
        .await;
    assert_eq!(
        mark.get("/api/v1/tickets/manager/handovers").await.body["total"],
        1
    );
    stage.app.clock.advance(2 * 3_600_000);
    let dashboard = mark.get("/api/v1/tickets/manager/dashboard").await;
    assert_eq!(dashboard.body["workload"]["total_tickets"], 2);
    assert_eq!(
        dashboard.body["workload"]["status_counts"]
            .as_object()
            .unwrap()
            .len(),
        10
    );
    assert_eq!(dashboard.body["overdue_steps"].as_array().unwrap().len(), 1);
    assert_eq!(
        dashboard.body["agent_workload"][0]["email"],
        "ivan.novak@example.com"
    );
    let nothing = stage.person(CHLOE).get("/api/v1/tickets/manager/dashboard").await;
    assert_eq!(nothing.body["workload"]["total_tickets"], 0);
    assert_eq!(nothing.body["overdue_steps"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_screens_follow_the_work() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Work").await;
    ticket.approve().await;
    ticket.assign(IVAN).await;
    let ivan = stage.person(IVAN);
    let tasks = ivan.get("/api/v1/tickets/agent/tasks").await;
    assert_eq!(
        tasks.body["items"][0]["assigned_by"]["email"],
        "mark.stone@example.com"
    );
    stage.app.clock.advance(2 * 3_600_000);
    let dashboard = ivan.get("/api/v1/tickets/agent/dashboard").await;
    assert_eq!(
        dashboard.body["summary"]["overdue_tasks"], 1,
        "{}",
        dashboard.text
    );
    ticket.must(IVAN, "work", "complete", json!({})).await;
    assert_eq!(ivan.get("/api/v1/tickets/agent/tasks").await.body["total"], 0);
    let history = ivan.get("/api/v1/tickets/agent/history?date_filter=today").await;
    assert_eq!(
        (&history.body["total"], &history.body["items"][0]["step"]["state"]),
        (&json!(1), &json!("COMPLETED"))
    );
    let dashboard = ivan.get("/api/v1/tickets/agent/dashboard").await;
    assert_eq!(dashboard.body["recent_completed"].as_array().unwrap().len(), 1);
}
