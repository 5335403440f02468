use super::{app_sending_to, drain};
use crate::support::{START, ServiceProcess, SmtpServer, TestApp, eventually, eventually_within, mail_to};
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
async fn a_killed_process_doubles_the_mails_it_had_handed_over_and_none_that_it_had_only_claimed() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    let rows = held_mails(40);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    let mut process = ServiceProcess::start(app.database().name(), &server.settings());
    server.wait_for(IN_FLIGHT).await;
    assert!(
        leased(&app).await > IN_FLIGHT as u64,
        "more are claimed than sent"
    );
    process.kill();
    server.let_go();
    // Two minutes later the leases have ended.
    app.clock
        .advance(Clock::System.now().plus_minutes(2).millis() - START.millis());
    drain(&app).await;

    let taken = server.by_recipient();
    assert_eq!(taken.len(), rows.len(), "no mail is lost");
    let sends: usize = taken.values().map(Vec::len).sum();
    assert_eq!(sends, rows.len() + IN_FLIGHT);
    for (recipient, ids) in &taken {
        let distinct: BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 1, "{recipient}: {ids:?}");
    }
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_gives_back_what_it_has_not_started_and_ends_the_rest() {
    let server = SmtpServer::start();
    let app = TestApp::new().await;
    let process = ServiceProcess::start(app.database().name(), &server.settings());
    let rows = held_mails(60);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    server.wait_for(IN_FLIGHT).await;
    process.ask_to_stop();
    eventually("what was only claimed is given back", || async {
        leased(&app).await == IN_FLIGHT as u64
    })
    .await;
    server.let_go();
    assert!(process.ended_well());

    assert_eq!(leased(&app).await, 0, "no lease is left behind");
    let taken = server.by_recipient();
    assert!(taken.values().all(|ids| ids.len() == 1));
    let collection = app.database().collection::<OutboxRow>("notification_outbox");
    let sent = collection.count_documents(doc! {"status": "SENT"}).await.unwrap();
    assert_eq!(
        (taken.len(), sent),
        (IN_FLIGHT, IN_FLIGHT as u64),
        "what was taken is recorded"
    );
    let untouched = doc! {
        "status": "PENDING", "attempts_total": 0, "$expr": {"$eq": ["$due_at", "$created_at"]},
    };
    let untouched = collection.count_documents(untouched).await.unwrap();
    assert_eq!(untouched, 60 - IN_FLIGHT as u64, "the others keep their places");
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

/// How many mails somebody has claimed.
async fn leased(app: &TestApp) -> u64 {
    let collection = app.database().collection::<OutboxRow>("notification_outbox");
    let leased = doc! {"locked_by": {"$ne": null}};
    collection.count_documents(leased).await.unwrap()
}

/// Mails enqueued now by the machine's clock, which these processes go by; older ones they would tidy away once sent.
fn mails_of_now(count: usize) -> Vec<OutboxRow> {
    mails_to("r", count)
}

/// The same, to recipients whose mails the server answers when it is told to.
fn held_mails(count: usize) -> Vec<OutboxRow> {
    mails_to("hold-", count)
}

fn mails_to(recipient: &str, count: usize) -> Vec<OutboxRow> {
    let now = Clock::System.now();
    let dated = |n: usize| OutboxRow {
        created_at: now,
        due_at: Some(now),
        ..mail_to(&format!("{recipient}{n}@contoso.example"))
    };
    (0..count).map(dated).collect()
}
