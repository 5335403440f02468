use crate::support::{ServiceProcess, SmtpServer, TestApp, eventually_within, mail_to};
use bson::doc;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;
use std::time::Duration;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::outbox_row::OutboxRow;

/// Mails a process sends at the same time.
const IN_FLIGHT: usize = 8;
const MAILS: usize = 300;
const KILLS: usize = 5;

#[tokio::test]
async fn killed_processes_lose_no_mail_and_double_at_most_what_was_in_flight() {
    let server = SmtpServer::slow(60);
    let app = TestApp::new().await;
    let mut settings = server.settings();
    settings.push(("NOTIFICATION_LOCK_DURATION_SECONDS", "5".to_owned()));
    settings.push(("SCHEDULER_INTERVAL_SECONDS", "1".to_owned()));
    let start = || ServiceProcess::start(app.database().name(), &settings);
    let rows = mails_of_now(MAILS);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();

    let mut processes = vec![start(), start(), start()];
    let seed: u64 = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    // Each kill falls into the middle of the work.
    let mut moments: Vec<usize> = (0..KILLS)
        .map(|_| random.random_range(5..MAILS * 5 / 6))
        .collect();
    moments.sort_unstable();
    for enough in moments {
        let patience = Duration::from_secs(90);
        eventually_within(patience, "mails are being sent", || async {
            server.mails().len() >= enough
        })
        .await;
        let victim = random.random_range(0..processes.len());
        processes[victim].kill();
        processes[victim] = start();
    }
    let collection = app.database().collection::<OutboxRow>("notification_outbox");
    let unsent = || async {
        collection
            .count_documents(doc! {"status": {"$ne": "SENT"}})
            .await
            .unwrap()
    };
    eventually_within(Duration::from_secs(90), "everything is sent", || async {
        unsent().await == 0
    })
    .await;
    assert!(
        processes.into_iter().all(ServiceProcess::stop),
        "the survivors end well"
    );

    let taken = server.by_recipient();
    assert_eq!(taken.len(), MAILS, "no mail is lost, seed {seed}");
    let doubled: usize = taken.values().map(|ids| ids.len() - 1).sum();
    assert!(
        doubled <= KILLS * IN_FLIGHT,
        "{doubled} doubled sends by {KILLS} kills, seed {seed}"
    );
    for (recipient, ids) in &taken {
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(
            distinct.len(),
            1,
            "{recipient} got one mail under several Message-IDs: {ids:?}, seed {seed}"
        );
    }
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_leaves_no_lease_behind() {
    let server = SmtpServer::slow(200);
    let app = TestApp::new().await;
    let process = ServiceProcess::start(app.database().name(), &server.settings());
    let rows = mails_of_now(60);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    server.wait_for(8).await;
    assert!(process.stop());
    let collection = app.database().collection::<OutboxRow>("notification_outbox");
    let leased = collection
        .count_documents(doc! {"locked_by": {"$ne": null}})
        .await
        .unwrap();
    assert_eq!(leased, 0);
    let taken = server.by_recipient();
    let sent = collection.count_documents(doc! {"status": "SENT"}).await.unwrap();
    assert_eq!(taken.len() as u64, sent, "what was taken is recorded");
    assert!(taken.values().all(|ids| ids.len() == 1));
}

#[tokio::test]
async fn three_processes_at_once_send_each_of_a_thousand_mails_once() {
    let server = SmtpServer::start();
    let app = TestApp::new().await;
    let rows = mails_of_now(1_000);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    let mut settings = server.settings();
    settings.push(("SCHEDULER_INTERVAL_SECONDS", "1".to_owned()));
    let processes: Vec<_> = (0..3)
        .map(|_| ServiceProcess::start(app.database().name(), &settings))
        .collect();
    let collection = app.database().collection::<OutboxRow>("notification_outbox");
    let sent = || async { collection.count_documents(doc! {"status": "SENT"}).await.unwrap() };
    eventually_within(Duration::from_secs(90), "everything is sent", || async {
        sent().await == 1_000
    })
    .await;
    assert!(processes.into_iter().all(ServiceProcess::stop));
    let taken = server.by_recipient();
    assert_eq!(
        (taken.len(), taken.values().map(Vec::len).sum::<usize>()),
        (1_000, 1_000)
    );
}

/// Mails enqueued now by the machine's clock, which these processes go by; older ones they would tidy away once sent.
fn mails_of_now(count: usize) -> Vec<OutboxRow> {
    let now = Clock::System.now();
    let dated = |n: usize| OutboxRow {
        created_at: now,
        due_at: Some(now),
        ..mail_to(&format!("r{n}@contoso.example"))
    };
    (0..count).map(dated).collect()
}
