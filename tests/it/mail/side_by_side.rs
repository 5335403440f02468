//! Several mails at a time: how many, which, and in what order.

use super::app_sending_to;
use crate::support::{START, SmtpServer, TestApp, mail_to};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::collections::BTreeSet;
use workflow_ops::domain::time::Timestamp;
use workflow_ops::repositories::outbox_repo::{Claimed, OutboxRepo};
use workflow_ops::repositories::outbox_row::{OutboxRow, OutboxStatus};

/// Mails a process sends at the same time, unless it is told.
const USUAL: usize = 8;

/// `count` mails, each due a second after the one before, the last one now.
fn backlog(recipient: &str, count: usize) -> Vec<OutboxRow> {
    let dated = |n: usize| {
        let at = START.plus_millis(1_000 * (i64::try_from(n + 1).unwrap() - i64::try_from(count).unwrap()));
        OutboxRow {
            created_at: at,
            due_at: Some(at),
            ..mail_to(&format!("{recipient}{n}@contoso.example"))
        }
    };
    (0..count).map(dated).collect()
}

async fn stored(app: &TestApp) -> Vec<OutboxRow> {
    use futures::TryStreamExt;
    let rows = app.database().collection::<OutboxRow>("notification_outbox");
    rows.find(bson::doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}

async fn claim(outbox: &OutboxRepo, limit: usize) -> Vec<String> {
    let now: Timestamp = START;
    let claimed = outbox.claim(limit, now, now.plus_minutes(1)).await.unwrap();
    let key = |claimed| match claimed {
        Claimed::Row(_, row) => row.key,
        Claimed::Malformed(lease, why) => panic!("{lease:?}: {why}"),
    };
    claimed.into_iter().map(key).collect()
}

#[tokio::test]
async fn a_backlog_is_sent_several_mails_at_a_time_and_never_more_than_the_bound() {
    for (setting, bound) in [(None, USUAL), (Some("3"), 3)] {
        let server = SmtpServer::start();
        let mut settings = server.settings();
        settings.extend(setting.map(|most| ("MAIL_MAX_CONCURRENT_SENDS", most.to_owned())));
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let app = TestApp::with(&settings).await;
        let rows = backlog("hold-", 40);
        app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
        let drain = app.app.notifications.drain.clone();
        let draining = tokio::spawn(async move { drain.drain().await });
        let held = server.wait_for(bound).await;
        assert_eq!(app.app.notifications.drain.in_flight(), bound as u64);
        server.let_go();
        assert_eq!(draining.await.unwrap().unwrap(), 40);

        let oldest: BTreeSet<&str> = rows
            .iter()
            .take(bound)
            .map(|row| row.recipients[0].as_str())
            .collect();
        let first: BTreeSet<&str> = held.iter().map(|mail| mail.to[0].as_str()).collect();
        assert_eq!(first, oldest, "those that have been due longest go first");
        let taken = server.mails();
        let most = taken.iter().map(|mail| mail.at_once).max();
        assert_eq!((taken.len(), most), (40, Some(bound)));
        assert!(
            stored(&app)
                .await
                .iter()
                .all(|row| row.status == OutboxStatus::Sent
                    && row.attempts_total == 1
                    && row.locked_by.is_none())
        );
    }
}

#[tokio::test]
async fn a_backlog_before_a_server_that_is_away_keeps_its_places_and_its_attempts() {
    let server = SmtpServer::start();
    let app = app_sending_to(&server).await;
    drop(server);
    let rows = backlog("r", 40);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    let tried = app.app.notifications.drain.drain().await.unwrap();
    assert!(tried <= USUAL, "{tried}");
    assert_eq!(app.app.notifications.drain.away_since(), Some(START));
    let stored = stored(&app).await;
    let waits = |row: &&OutboxRow| {
        row.status == OutboxStatus::Pending && row.retry_count == 0 && row.locked_by.is_none()
    };
    assert_eq!(stored.iter().filter(waits).count(), 40);
    let untried = |row: &&OutboxRow| row.attempts_total == 0 && row.due_at == Some(row.created_at);
    assert_eq!(stored.iter().filter(untried).count(), 40 - tried);
}

#[tokio::test]
async fn the_mails_that_have_been_due_longest_are_claimed_first() {
    let app = TestApp::new().await;
    let outbox = &app.app.notifications.outbox;
    let rows = backlog("r", 50);
    let seed: u64 = rand::random();
    let mut shuffled = rows.clone();
    shuffled.shuffle(&mut StdRng::seed_from_u64(seed));
    outbox.insert_absent(&shuffled).await.unwrap();
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    for expected in keys.chunks(20) {
        assert_eq!(claim(outbox, 20).await, expected, "seed {seed}");
    }
    assert_eq!(claim(outbox, 20).await, [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_claim_at_once_get_each_mail_once_and_all_of_them() {
    let app = TestApp::new().await;
    let rows = backlog("r", 300);
    app.app.notifications.outbox.insert_absent(&rows).await.unwrap();
    let claimers = (0..6).map(|_| {
        let outbox = app.app.notifications.outbox.clone();
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let claimed = claim(&outbox, 16).await;
                if claimed.is_empty() {
                    return all;
                }
                all.extend(claimed);
            }
        })
    });
    let claimed: Vec<String> = futures::future::join_all(claimers)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!((claimed.len(), distinct.len()), (300, 300));
    assert!(stored(&app).await.iter().all(|row| row.attempts_total == 1));
}

#[tokio::test]
async fn mails_that_are_given_back_can_be_claimed_again_at_once_and_count_no_attempt() {
    let app = TestApp::new().await;
    let outbox = &app.app.notifications.outbox;
    outbox.insert_absent(&backlog("r", 3)).await.unwrap();
    let claimed = outbox.claim(2, START, START.plus_minutes(1)).await.unwrap();
    let leases: Vec<_> = claimed.iter().map(|claimed| claimed.lease().clone()).collect();
    assert_eq!(outbox.release(&leases).await.unwrap(), 2);
    assert_eq!(outbox.release(&leases).await.unwrap(), 0, "they are nobody's now");
    assert_eq!(claim(outbox, 3).await.len(), 3);
    assert!(stored(&app).await.iter().all(|row| row.attempts_total == 1));
}
