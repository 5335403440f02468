use super::delivery::stored;
use super::{app_sending_to, drain};
use crate::support::{AUTHORITY, START, ServiceProcess, SmtpServer, TestApp, eventually, mail_to};
use serde_json::json;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::repositories::outbox_row::{OutboxRow, OutboxStatus};

const MINUTE: i64 = 60_000;

async fn enqueue(app: &TestApp, recipients: &[&str]) -> Vec<OutboxRow> {
    let rows: Vec<_> = recipients.iter().map(|recipient| mail_to(recipient)).collect();
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    rows
}

/// A minute with a tenth of jitter either way, `minutes` times.
fn about(at: Timestamp, minutes: i64, now: Timestamp) -> bool {
    let late = at.millis() - now.millis();
    (late - minutes * MINUTE).abs() <= minutes * MINUTE / 10
}

#[tokio::test]
async fn a_refused_recipient_or_content_fails_at_once() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let rows = enqueue(&app, &["refuse-1@contoso.example", "content-1@contoso.example"]).await;
    drain(&app).await;
    for (row, code) in rows.iter().zip(["550", "554"]) {
        let row = stored(&app, row).await;
        assert_eq!(
            (row.status, row.retry_count, row.attempts_total),
            (OutboxStatus::Failed, 1, 1)
        );
        assert!(
            row.last_error.as_ref().unwrap().contains(code),
            "{:?}",
            row.last_error
        );
        assert_eq!((row.next_retry_at, row.failed_at), (None, Some(START)));
    }
    assert_eq!(app.app.notifications.drain.away_since(), None);
}

#[tokio::test]
async fn a_busy_server_is_tried_again_with_growing_pauses_until_it_takes_the_mail() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let row = enqueue(&app, &["busy-1@contoso.example", "ann@contoso.example"])
        .await
        .remove(0);
    for (failures, minutes) in [(1, 1), (2, 2)] {
        drain(&app).await;
        let waiting = stored(&app, &row).await;
        assert_eq!(
            (waiting.status, waiting.retry_count),
            (OutboxStatus::Pending, failures)
        );
        assert!(
            waiting.last_error.as_ref().unwrap().contains("451"),
            "{:?}",
            waiting.last_error
        );
        assert!(about(waiting.next_retry_at.unwrap(), minutes, app.clock.now()));
        assert_eq!(drain(&app).await, 0, "nothing is due before its time");
        assert_eq!(server.mails().len(), 1, "the other mail was not held up");
        app.clock.advance(minutes * MINUTE * 11 / 10);
    }
    drain(&app).await;
    let sent = stored(&app, &row).await;
    assert_eq!(
        (sent.status, sent.last_error, sent.next_retry_at),
        (OutboxStatus::Sent, None, None)
    );
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn attempts_are_limited_by_the_system_configuration() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    app.grant_people_their_rights().await;
    app.person("admin.root")
        .put("/api/v1/admin/config", json!({"notification_retry_max": 2}))
        .await
        .expect(200);
    let row = enqueue(&app, &["drop-1@contoso.example"]).await.remove(0);
    drain(&app).await;
    assert_eq!(stored(&app, &row).await.status, OutboxStatus::Pending);
    app.clock.advance(2 * MINUTE);
    drain(&app).await;
    let failed = stored(&app, &row).await;
    assert_eq!((failed.status, failed.retry_count), (OutboxStatus::Failed, 2));
}

#[tokio::test]
async fn a_connection_dropped_in_mid_message_costs_only_that_mail_an_attempt() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let rows = enqueue(&app, &["drop-1@contoso.example", "ann@contoso.example"]).await;
    drain(&app).await;
    let dropped = stored(&app, &rows[0]).await;
    assert_eq!((dropped.status, dropped.retry_count), (OutboxStatus::Pending, 1));
    assert_eq!(stored(&app, &rows[1]).await.status, OutboxStatus::Sent);
}

#[tokio::test]
async fn a_server_that_never_answers_one_message_does_not_hold_up_the_others() {
    let server = SmtpServer::start();
    let mut settings = server.settings();
    settings.push(("NOTIFICATION_LOCK_DURATION_SECONDS", "6".to_owned()));
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let app = TestApp::with(&settings).await;
    let hanging = enqueue(&app, &["hang-1@contoso.example", "hang-2@contoso.example"]).await;
    let others: Vec<String> = (0..40).map(|n| format!("r{n}@contoso.example")).collect();
    enqueue(&app, &others.iter().map(String::as_str).collect::<Vec<_>>()).await;
    app.app.notifications.drain.sweep().await.unwrap();
    eventually("the other mails are sent", || async {
        server.mails().len() == 40
    })
    .await;
    for row in &hanging {
        let row = stored(&app, row).await;
        assert_eq!(row.retry_count, 0, "the others did not wait for the time-out");
    }
    drain(&app).await;
    for row in hanging {
        let row = stored(&app, &row).await;
        assert_eq!((row.status, row.retry_count), (OutboxStatus::Pending, 1));
        assert!(
            row.last_error.as_ref().unwrap().contains("time-out"),
            "{:?}",
            row.last_error
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_costs_no_attempt_and_mail_flows_when_it_is_back() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let port = closed.to_string();
    let away = [
        ("MAIL_TRANSPORT", "smtp"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_TLS", "none"),
    ];
    let app = TestApp::with(&away).await;
    let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
    for _ in 0..3 {
        drain(&app).await;
        app.clock.advance(10 * MINUTE);
    }
    let waiting = stored(&app, &row).await;
    assert_eq!((waiting.status, waiting.retry_count), (OutboxStatus::Pending, 0));
    assert!(waiting.last_error.unwrap().starts_with("smtp connect"));
    assert_eq!(app.app.notifications.drain.away_since(), Some(START));

    let server = SmtpServer::start();
    let settings = server.settings();
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let restarted = app.second_process(&settings).await;
    drain(&restarted).await;
    assert_eq!(stored(&app, &row).await.status, OutboxStatus::Sent);
}

#[tokio::test]
async fn a_server_without_a_trusted_certificate_gets_no_mail() {
    for (server, tls) in [
        (SmtpServer::with_tls(), "implicit"),
        (SmtpServer::with_starttls(), "starttls"),
    ] {
        let settings = server.settings_with_tls(tls);
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let app = TestApp::with(&settings).await;
        let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
        drain(&app).await;
        let waiting = stored(&app, &row).await;
        assert_eq!(
            (waiting.status, waiting.retry_count),
            (OutboxStatus::Pending, 0),
            "{tls}"
        );
        let reason = waiting.last_error.unwrap().to_lowercase();
        assert!(reason.contains("certificate"), "{tls}: {reason}");
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_offers_no_starttls_gets_no_mail_in_the_clear() {
    let server = SmtpServer::start();
    let settings = server.settings_with_tls("starttls");
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let app = TestApp::with(&settings).await;
    let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
    drain(&app).await;
    assert_eq!(stored(&app, &row).await.retry_count, 0);
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn mail_goes_over_tls_when_the_machine_trusts_the_servers_authority() {
    for (server, tls) in [
        (SmtpServer::with_tls(), "implicit"),
        (SmtpServer::with_starttls(), "starttls"),
    ] {
        let app = TestApp::new().await;
        let mut settings = server.settings_with_tls(tls);
        settings.push(("SSL_CERT_FILE", AUTHORITY.to_owned()));
        let _process = ServiceProcess::start(app.database().name(), &settings);
        enqueue(&app, &["ann@contoso.example"]).await;
        assert_eq!(server.wait_for(1).await.len(), 1, "{tls}");
    }
}

#[tokio::test]
async fn a_server_that_accepts_connections_and_says_nothing_counts_as_away() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let settings = [
        ("MAIL_TRANSPORT", "smtp"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", &port),
        ("SMTP_TLS", "none"),
        ("NOTIFICATION_LOCK_DURATION_SECONDS", "5"),
    ];
    let app = TestApp::with(&settings).await;
    let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
    drain(&app).await;
    let waiting = stored(&app, &row).await;
    assert_eq!((waiting.status, waiting.retry_count), (OutboxStatus::Pending, 0));
    assert!(waiting.last_error.unwrap().contains("time-out"));
    drop(silent);
}

#[tokio::test]
async fn switched_off_mail_is_cancelled_and_says_so() {
    let app = TestApp::with(&[("MAIL_TRANSPORT", "disabled")]).await;
    let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
    drain(&app).await;
    let row = stored(&app, &row).await;
    assert_eq!(row.status, OutboxStatus::Cancelled);
    assert!(row.last_error.unwrap().contains("MAIL_TRANSPORT"));
}

#[tokio::test]
async fn a_slow_sender_whose_lease_ended_changes_nothing() {
    let app = TestApp::new().await;
    let outbox = &app.app.notifications.outbox;
    let row = enqueue(&app, &["ann@contoso.example"]).await.remove(0);
    let claim = async |now: Timestamp| {
        let claimed = outbox.claim(10, now, now.plus_minutes(1)).await.unwrap();
        let leases: Vec<_> = claimed.iter().map(|claimed| claimed.lease().clone()).collect();
        leases
    };
    let slow = claim(START).await;
    assert!(claim(START).await.is_empty(), "a leased row is nobody else's");
    let later = START.plus_minutes(2);
    let quick = claim(later).await;
    assert!(!outbox.mark_failed(&slow[0], 1, "late", later).await.unwrap());
    assert_eq!(outbox.release(&slow).await.unwrap(), 0);
    assert_eq!(outbox.release(&quick).await.unwrap(), 1);
    assert_eq!(stored(&app, &row).await.status, OutboxStatus::Pending);
}
