use super::wire::{Weather, Wire};
use super::{Row, said};
use crate::support::{SmtpServer, TestApp, eventually};
use crate::tickets::stage::{ANN, Stage};
use bson::{Document, doc};
use std::time::Instant;

const DEPENDENCY: &str = "Mail server";
const MINUTE: i64 = 60_000;

/// A service whose mail server is at the other end of a line.
async fn stage_behind(wire: &Wire) -> Stage {
    let port = wire.port().to_string();
    let settings = [
        ("MAIL_TRANSPORT", "smtp"),
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", port.as_str()),
        ("SMTP_TLS", "none"),
        ("MAIL_FROM", "ops@contoso.example"),
        ("NOTIFICATION_LOCK_DURATION_SECONDS", "5"),
    ];
    let app = TestApp::with(&settings).await;
    app.grant_people_their_rights().await;
    Stage::on(app, Stage::usual()).await
}

async fn count(stage: &Stage, status: &str) -> u64 {
    let outbox = stage.app.database().collection::<Document>("notification_outbox");
    outbox.count_documents(doc! {"status": status}).await.unwrap()
}

/// A command while the mail server is like this is answered at once; its mails wait, and go out once each afterwards.
async fn waits(order: u16, fault: &'static str, weather: Weather) {
    let server = SmtpServer::start();
    let wire = Wire::to(&format!("127.0.0.1:{}", server.port)).await;
    let stage = stage_behind(&wire).await;
    wire.turn(weather);
    let begun = Instant::now();
    let reply = stage
        .person(ANN)
        .post("/api/v1/tickets", stage.wizard("Mail"))
        .await
        .expect(201);
    let took = super::after(begun);
    stage.app.app.execute.relay().drain().await.unwrap();
    stage.app.app.notifications.drain.drain().await.unwrap();
    let waiting = count(&stage, "PENDING").await;
    assert!(waiting > 0);
    assert_eq!(
        (count(&stage, "SENT").await, count(&stage, "FAILED").await),
        (0, 0)
    );
    assert!(server.mails().is_empty());
    wire.turn(Weather::Fair);
    eventually("everything is sent", async || {
        stage.app.clock.advance(10 * MINUTE);
        stage.app.app.notifications.drain.drain().await.unwrap();
        count(&stage, "SENT").await == waiting
    })
    .await;
    let taken = server.by_recipient();
    assert!(taken.values().all(|ids| ids.len() == 1), "{taken:?}");
    Row {
        order,
        dependency: DEPENDENCY,
        fault,
        answer: format!(
            "the command {} {took}; its mails wait in the outbox",
            said(&reply)
        ),
        recovery: format!("all {waiting} waiting mails are sent, once each, when their next attempt is due"),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_mail_server_is_down_commands_are_answered_and_mails_wait() {
    waits(300, "down", Weather::Broken).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_mail_server_answers_nothing_commands_are_answered_and_mails_wait() {
    waits(310, "slow: answers nothing in time", Weather::Silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_mail_server_talks_nonsense_commands_are_answered_and_mails_wait() {
    waits(320, "lying: answers that are no SMTP", Weather::Garbled).await;
}
