use crate::support::TestApp;
use crate::tickets::stage::{ANN, Stage};
use serde_json::json;
use std::time::Duration;
use workflow_ops::scheduler::{self, jobs};
use workflow_ops::telemetry;

#[tokio::test]
async fn strangers_learn_nothing_but_statuses() {
    let app = TestApp::with_people().await;
    let database = app.database().name();
    let health = app.anonymous().get("/health").await.expect(200);
    assert_eq!(
        health.body,
        json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION"), "mongo": {"status": "healthy", "connection": "ok"}})
    );
    let known = app.person("ann.lee").get("/health").await.expect(200).body;
    assert_eq!(known["environment"], "development");
    assert_eq!(known["mongo"]["database"], database);
    let admin = app
        .person("ann.lee")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(
        admin["email"]["last_send"],
        json!(null),
        "there, though nothing was sent"
    );
    assert!(admin["email"].as_object().unwrap().contains_key("last_send"));
}

#[tokio::test]
async fn metrics_say_what_waits_what_is_late_and_how_requests_go() {
    let _ = telemetry::init_metrics();
    let stage = Stage::new().await;
    stage.raise(ANN, "Measured").await;
    let app = &stage.app.app;
    app.execute.relay().drain().await.unwrap();
    app.notifications.drain.drain().await.unwrap();
    let jobs = jobs::all(&app.settings);
    let gauges = jobs.iter().find(|job| job.name == "gauges").unwrap();
    scheduler::run_once(app, gauges).await.unwrap();
    // The relay's own worker measures its lag, a moment after the drain above has done its work.
    let measured = async {
        loop {
            let text = stage.app.anonymous().get("/metrics").await.expect(200).text;
            if text.contains("workflow_relay_lag_seconds") {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(10), measured)
        .await
        .expect("the relay says how late it is");
    for wanted in [
        "workflow_outbox_depth ",
        "workflow_outbox_oldest_due_seconds ",
        "workflow_relay_open_tickets ",
        "workflow_relay_lag_seconds",
        "workflow_timers_overdue ",
        "workflow_tasks_orphaned ",
        "workflow_mail_results_total{result=\"sent\"} ",
        "http_requests_total{method=\"POST\",route=\"/api/v1/tickets\",status=\"201\"} ",
        "http_request_duration_seconds",
    ] {
        assert!(
            text.lines().any(|line| line.starts_with(wanted)),
            "no {wanted} in\n{text}"
        );
    }
}
