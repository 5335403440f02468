//! Lists and dashboards: each person sees what concerns them, filtered before paging, in a stable order.

use super::stage::{ANN, CHLOE, IVAN, MARK, Stage};
use serde_json::{Value, json};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_equal_rows_neither_overlap_nor_leave_gaps() {
    let stage = Stage::new().await;
    let original = stage.raise(ANN, "Equal").await;
    original.approve().await;
    let tickets = stage.app.database().collection::<bson::Document>("tickets");
    let original = tickets
        .find_one(bson::doc! {"_id": &original.id})
        .await
        .unwrap()
        .unwrap();
    let copies = (0..59).map(|n| {
        let mut copy = original.clone();
        let id = format!("TKT-{n:012x}");
        copy.insert("_id", &id);
        copy.get_document_mut("ticket").unwrap().insert("id", &id);
        copy
    });
    tickets.insert_many(copies).await.unwrap();
    let lists = [
        (ANN, "/api/v1/tickets?"),
        (ANN, "/api/v1/tickets?sort_order=asc&"),
        (ANN, "/api/v1/tickets?sort_by=title&"),
        (ANN, "/api/v1/tickets?sort_by=created_at&sort_order=asc&"),
        (ANN, "/api/v1/tickets?sort_by=status&"),
        (ANN, "/api/v1/tickets?q=equal&"),
        (MARK, "/api/v1/tickets?mine=false&"),
        ("admin.root", "/api/v1/tickets?mine=false&"),
        (
            "admin.root",
            "/api/v1/tickets?mine=false&sort_by=title&sort_order=asc&",
        ),
        ("admin.root", "/api/v1/tickets?mine=false&sort_by=status&"),
        (MARK, "/api/v1/tickets/manager/assignments?"),
    ];
    for (who, list) in lists {
        let person = stage.person(who);
        let mut ids = Vec::new();
        for page in 1..=9 {
            let body = person
                .get(&format!("{list}page={page}&page_size=7"))
                .await
                .expect(200)
                .body;
            assert_eq!(body["total"], 60, "{who} {list}");
            let items = body["items"].as_array().unwrap();
            ids.extend(items.iter().map(|item| {
                let ticket = if item["ticket"].is_object() {
                    &item["ticket"]
                } else {
                    item
                };
                ticket["ticket_id"].as_str().unwrap().to_owned()
            }));
        }
        assert_eq!(ids.len(), 60, "{who} {list}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 60, "{who} {list}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_the_newest_fifty_events_of_a_long_life_wherever_they_are() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Long").await;
    let path = ticket.path("/add-requester-note");
    for n in 0..60 {
        let note = json!({"content": format!("note {n}")});
        stage.person(ANN).post(&path, note).await.expect(200);
        if n == 30 {
            stage.app.app.execute.relay().drain().await.unwrap();
        }
    }
    let before = ticket.detail().await;
    let events = before["audit_events"].as_array().unwrap();
    assert_eq!(events.len(), 50);
    assert!(
        events
            .iter()
            .all(|event| event["event_type"] == "REQUESTER_NOTE_ADDED"),
        "{events:?}"
    );
    let times: Vec<&str> = events
        .iter()
        .map(|event| event["timestamp"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    stage.app.app.execute.relay().drain().await.unwrap();
    // Another caller's page is made anew.
    let after = stage.person(MARK).get(&ticket.path("")).await.expect(200).body;
    assert_eq!(after["audit_events"], before["audit_events"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_page_is_answered_304_and_a_changed_one_is_not() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Cached").await;
    ticket.approve().await;
    ticket.assign(IVAN).await;
    stage.app.app.execute.relay().drain().await.unwrap();
    let detail = ticket.path("");
    let reads = [
        (ANN, detail.as_str()),
        (ANN, "/api/v1/tickets"),
        (ANN, "/api/v1/tickets?mine=false&q=cached"),
        (MARK, "/api/v1/tickets/manager/approvals"),
        (MARK, "/api/v1/tickets/manager/assignments"),
        (MARK, "/api/v1/tickets/manager/handovers"),
        (MARK, "/api/v1/tickets/manager/history"),
        (MARK, "/api/v1/tickets/manager/dashboard"),
        (MARK, "/api/v1/tickets/my-info-requests"),
        (IVAN, "/api/v1/tickets/agent/tasks"),
        (IVAN, "/api/v1/tickets/agent/dashboard"),
        (IVAN, "/api/v1/tickets/agent/history"),
        (IVAN, "/api/v1/tickets/agent/info-requests"),
        (IVAN, "/api/v1/tickets/agent/pending-handovers"),
        (MARK, "/api/v1/change-requests/my-pending"),
        (IVAN, "/api/v1/notifications"),
        (ANN, "/api/v1/workflows/catalog"),
    ];
    let again = |who: &str, path: &str, tag: &str| {
        let request = stage.person(who).request(reqwest::Method::GET, path);
        crate::support::client_send(request.header("if-none-match", tag))
    };
    let mut tags = Vec::new();
    for (who, path) in reads {
        let first = stage.person(who).get(path).await.expect(200);
        let tag = first.header("etag").to_owned();
        assert!(!tag.is_empty(), "{path}");
        assert_eq!(first.header("cache-control"), "private, no-cache", "{path}");
        let vary = first
            .headers
            .get_all("vary")
            .iter()
            .map(|value| value.to_str().unwrap());
        let vary = vary.collect::<Vec<_>>().join(",").to_lowercase();
        assert!(
            vary.contains("authorization") && vary.contains("origin"),
            "{path}: {vary}"
        );
        let second = again(who, path, &tag).await.expect(304);
        assert_eq!(
            (second.text.as_str(), second.header("etag")),
            ("", tag.as_str()),
            "{path}"
        );
        tags.push(tag);
    }
    let version = ticket.detail().await["ticket"]["version"].as_i64().unwrap();
    assert_eq!(tags[0], format!("\"{version}\""));
    ticket
        .must(IVAN, "work", "hold", json!({"reason": "parts"}))
        .await;
    for ((who, path), tag) in reads.iter().zip(&tags).take(2) {
        again(who, path, tag).await.expect(200);
    }
    let tasks = reads
        .iter()
        .position(|(_, path)| path.ends_with("agent/tasks"))
        .unwrap();
    again(IVAN, reads[tasks].1, &tags[tasks]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_show_the_notes_on_their_steps_at_once_and_later() {
    let stage = Stage::new().await;
    let ticket = stage.raise(ANN, "Noted").await;
    let notes = async |who: &str, path: &str| -> Vec<String> {
        let body = stage.person(who).get(path).await.expect(200).body;
        let notes = body["items"][0]["step"]["data"]["notes"]
            .as_array()
            .unwrap()
            .clone();
        notes
            .iter()
            .map(|note| note["content"].as_str().unwrap().to_owned())
            .collect()
    };
    ticket
        .must(MARK, "ok", "add-note", json!({"content": "looks fine"}))
        .await;
    let approvals = "/api/v1/tickets/manager/approvals";
    assert_eq!(notes(MARK, approvals).await, ["looks fine"]);
    ticket.approve().await;
    ticket.assign(IVAN).await;
    ticket
        .must(IVAN, "work", "add-note", json!({"content": "one"}))
        .await;
    stage.app.app.execute.relay().drain().await.unwrap();
    ticket
        .must(MARK, "work", "add-note", json!({"content": "two"}))
        .await;
    ticket
        .must(IVAN, "work", "request-handover", json!({"reason": "leave"}))
        .await;
    for (who, path) in [
        (IVAN, "/api/v1/tickets/agent/tasks"),
        (IVAN, "/api/v1/tickets/agent/pending-handovers"),
        (MARK, "/api/v1/tickets/manager/handovers"),
    ] {
        assert_eq!(notes(who, path).await, ["one", "two"], "{path}");
    }
}

#[tokio::test]
async fn an_approver_sees_whom_else_to_ask_and_each_branch_in_its_colour() {
    let approval = |id: &str| json!({"step_id": id, "step_name": id, "step_type": "APPROVAL_STEP", "approver_resolution": "REQUESTER_MANAGER"});
    let mut definition = Stage::usual();
    definition["steps"] = json!([
        definition["steps"][0],
        {"step_id": "split", "step_name": "Split", "step_type": "FORK_STEP", "branches": [
            {"branch_id": "b_one", "branch_name": "One", "start_step_id": "one", "color": "#3b82f6"},
            {"branch_id": "b_two", "branch_name": "Two", "start_step_id": "two"},
        ]},
        approval("one"),
        approval("two"),
        {"step_id": "meet", "step_name": "Meet", "step_type": "JOIN_STEP", "source_fork_step_id": "split"},
        definition["steps"][3],
    ]);
    definition["transitions"] = json!([
        {"from_step_id": "ask", "to_step_id": "split", "on_event": "SUBMIT_FORM"},
        {"from_step_id": "one", "to_step_id": "meet", "on_event": "APPROVE"},
        {"from_step_id": "two", "to_step_id": "meet", "on_event": "APPROVE"},
        {"from_step_id": "meet", "to_step_id": "done", "on_event": "COMPLETE_TASK"},
    ]);
    let stage = Stage::of(definition).await;
    stage.raise(ANN, "Two parts").await;
    let approvals = stage
        .person(MARK)
        .get("/api/v1/tickets/manager/approvals")
        .await
        .expect(200)
        .body;
    let ticket = &approvals["items"][0]["ticket"];
    assert_eq!(ticket["manager"]["email"], "mark.stone@example.com");
    assert_eq!(ticket["manager"], ticket["manager_snapshot"]);
    let branches = ticket["active_branches"].as_array().unwrap();
    let colours: Vec<_> = branches.iter().map(|branch| &branch["color"]).collect();
    assert_eq!(colours, [&json!("#3b82f6"), &Value::Null]);
}
