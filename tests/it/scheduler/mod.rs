//! Background jobs: they run, never overlap, run in one process where they must, and say how they are doing.

use crate::support::{START, TestApp, eventually, mail_to};
use bson::{Document, doc};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use workflow_ops::repositories::outbox_listed::StoredRow;
use workflow_ops::repositories::outbox_row::OutboxStatus;
use workflow_ops::scheduler::job::{Job, Ticker, Where};
use workflow_ops::scheduler::status::JobStatus;
use workflow_ops::scheduler::{self, jobs};

const DAY_MINUTES: i64 = 24 * 60;

fn status(app: &TestApp, job: &str) -> JobStatus {
    app.app.jobs.snapshot().remove(job).unwrap()
}

#[tokio::test]
async fn every_job_runs_soon_after_the_start_and_reports_itself() {
    let app = TestApp::with_people().await;
    scheduler::start(&app.app).await.unwrap();
    eventually("every job has run", || async {
        app.app.jobs.snapshot().values().all(|job| job.runs > 0)
    })
    .await;
    assert!(app.app.jobs.is_ticking());
    let health = app
        .person("sven.berg")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(health["scheduler"]["running"], true);
    assert_eq!(health["scheduler"]["status"], "healthy", "{health}");
    let jobs = health["scheduler"]["jobs"].as_object().unwrap();
    let names: Vec<_> = jobs::all(&app.app.settings).iter().map(|job| job.name).collect();
    assert!(names.iter().all(|name| jobs.contains_key(*name)), "{jobs:?}");
    assert_eq!(jobs["retention"]["failures"], 0);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["tickets"]["relay_parked"], json!(0));
}

#[tokio::test]
async fn a_process_without_jobs_says_so() {
    let app = TestApp::with(&[("SCHEDULER_ENABLED", "false")]).await;
    app.grant_people_their_rights().await;
    scheduler::start(&app.app).await.unwrap();
    let health = app
        .person("sven.berg")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(
        (
            health["scheduler"]["running"].clone(),
            health["scheduler"]["enabled"].clone()
        ),
        (json!(false), json!(false))
    );
}

#[tokio::test]
async fn a_job_never_overlaps_itself() {
    let app = TestApp::new().await;
    let (running, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let (counted, waits) = (Arc::clone(&running), Arc::clone(&go_on));
    let job = Job::new("slow", Duration::from_secs(1), Where::Everywhere, move |_| {
        let (counted, waits) = (Arc::clone(&counted), Arc::clone(&waits));
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            waits.notified().await;
            Ok(1)
        }
    });
    let ticker = Ticker::new(app.app.clone(), job);
    ticker.tick();
    eventually("the first run starts", || async {
        running.load(Ordering::SeqCst) == 1
    })
    .await;
    ticker.tick();
    ticker.tick();
    assert_eq!(
        (running.load(Ordering::SeqCst), status(&app, "slow").overlaps),
        (1, 2)
    );
    go_on.notify_one();
    eventually("the run ends", || async { status(&app, "slow").runs == 1 }).await;
    eventually("the next tick runs", || async {
        ticker.tick();
        running.load(Ordering::SeqCst) == 2
    })
    .await;
    go_on.notify_one();
}

#[tokio::test]
async fn a_job_that_panics_or_fails_is_counted_and_runs_again() {
    let app = TestApp::with_people().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let job = Job::new("broken", Duration::from_secs(1), Where::OneProcess, move |_| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run != 0, "the first run panics");
            anyhow::ensure!(run != 1, "the second run fails");
            Ok(0)
        }
    });
    let ticker = Ticker::new(app.app.clone(), job);
    for run in 1..=5 {
        eventually("it runs", || async {
            app.clock.advance(2_000);
            ticker.tick();
            status(&app, "broken").runs >= run
        })
        .await;
        let failures = status(&app, "broken").failures;
        assert_eq!(failures, run.min(2));
        assert_eq!(
            status(&app, "broken").has_failed_lately(),
            run < 5,
            "after run {run}"
        );
    }
}

#[tokio::test]
async fn the_scheduler_survives_a_drain_that_panics_and_says_so_in_health() {
    let app = TestApp::with_people().await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let second = Duration::from_secs(1);
    let drain = Job::new("outbox_drain", second, Where::Everywhere, move |app| {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(run != 0, "the first run panics");
            Ok(u64::try_from(app.notifications.drain.drain().await?)?)
        }
    });
    let other = Job::new("other", second, Where::Everywhere, |_| async { Ok(0) });
    let row = mail_to("ann@contoso.example");
    let outbox = &app.app.notifications.outbox;
    outbox.insert_absent(std::slice::from_ref(&row)).await.unwrap();
    scheduler::start_jobs(&app.app, vec![drain, other]).await.unwrap();
    eventually("the drain has failed", || async {
        status(&app, "outbox_drain").failures == 1
    })
    .await;
    let health = || async {
        let admin = app.person("sven.berg");
        admin.get("/api/v1/admin/health").await.expect(200).body
    };
    let ill = health().await;
    assert_eq!(ill["status"], "degraded");
    assert_eq!(ill["scheduler"]["status"], "degraded");
    let drain = &ill["scheduler"]["jobs"]["outbox_drain"];
    assert_eq!(
        (&drain["status"], &drain["failures"]),
        (&json!("degraded"), &json!(1))
    );
    assert!(drain["last_failure_at"].is_string(), "{drain}");
    let (ran, others) = (status(&app, "outbox_drain").runs, status(&app, "other").runs);
    eventually("both go on", || async {
        status(&app, "outbox_drain").runs > ran && status(&app, "other").runs > others
    })
    .await;
    let row: StoredRow = outbox.find(row.notification_id.as_str()).await.unwrap().unwrap();
    assert_eq!(row.mail().unwrap().status, OutboxStatus::Sent, "mail flows again");
    let well = health().await;
    assert_eq!(well["scheduler"]["running"], true);
    assert_eq!(well["scheduler"]["jobs"]["outbox_drain"]["failures"], 1);
}

#[tokio::test]
async fn a_job_for_one_process_is_taken_over_when_that_process_ends() {
    let one = TestApp::new().await;
    let two = one.second_process(&[]).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let job = Job::new("alone", Duration::from_mins(1), Where::OneProcess, move |_| {
        let counted = Arc::clone(&counted);
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(1)
        }
    });
    let (first, second) = (
        Ticker::new(one.app.clone(), job.clone()),
        Ticker::new(two.app.clone(), job),
    );
    let ran = |app: &TestApp| status(app, "alone").runs;
    first.tick();
    second.tick();
    eventually("one of them runs it", || async { ran(&one) + ran(&two) == 1 }).await;
    let heir = if ran(&one) == 1 {
        (&two, &second)
    } else {
        (&one, &first)
    };
    eventually("the other one knows of the run", || async {
        heir.1.tick();
        status(heir.0, "alone").last_run_at.is_some()
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    // The owner is gone without a word; its lease ends, and the other one goes on.
    one.clock.advance(600_000);
    eventually("the other takes over", || async {
        heir.1.tick();
        ran(heir.0) == 1
    })
    .await;
}

#[tokio::test]
async fn a_failure_shows_in_the_health_of_the_processes_that_leave_the_job_to_another() {
    let one = TestApp::with_people().await;
    let two = one.second_process(&[]).await;
    let job = Job::new("failing", Duration::from_mins(1), Where::OneProcess, |_| async {
        anyhow::bail!("the disk is full")
    });
    let (first, second) = (
        Ticker::new(one.app.clone(), job.clone()),
        Ticker::new(two.app.clone(), job),
    );
    eventually("the job has run in the one process", || async {
        first.tick();
        status(&one, "failing").runs == 1
    })
    .await;
    eventually("the other process knows", || async {
        second.tick();
        status(&two, "failing").has_failed_lately()
    })
    .await;
    let (here, there) = (status(&one, "failing"), status(&two, "failing"));
    assert_eq!((there.runs, there.failures), (0, 0), "it did not run there");
    assert_eq!(there.last_failure_at, here.last_failure_at);
    let health = two
        .person("sven.berg")
        .get("/api/v1/admin/health")
        .await
        .expect(200)
        .body;
    assert_eq!(health["scheduler"]["status"], "degraded");
    assert_eq!(health["scheduler"]["jobs"]["failing"]["status"], "degraded");
    assert_eq!(health["status"], "degraded");
}

#[tokio::test]
async fn retention_removes_what_is_done_and_old_and_nothing_else() {
    let app = TestApp::new().await;
    let at = |days: i64, status: &str| {
        let mut row = bson::serialize_to_document(&mail_to("ann@contoso.example")).unwrap();
        row.insert("status", status);
        row.insert("created_at", START.plus_minutes(-days * DAY_MINUTES));
        row
    };
    let rows = [
        at(181, "SENT"),
        at(181, "CANCELLED"),
        at(181, "FAILED"),
        at(181, "PENDING"),
        at(179, "SENT"),
    ];
    let outbox = app.database().collection::<Document>("notification_outbox");
    outbox.insert_many(rows).await.unwrap();
    let jobs = jobs::all(&app.app.settings);
    let retention = jobs.iter().find(|job| job.name == "retention").unwrap();
    let bells = app.database().collection::<Document>("inapp_notifications");
    let notice =
        |days: i64| doc! {"_id": format!("n{days}"), "expires_at": START.plus_minutes(days * DAY_MINUTES)};
    bells.insert_many([notice(-1), notice(1)]).await.unwrap();
    assert_eq!(scheduler::run_once(&app.app, retention).await.unwrap(), 3);
    assert_eq!(bells.count_documents(doc! {}).await.unwrap(), 1);
    assert_eq!(outbox.count_documents(doc! {}).await.unwrap(), 3);
}

#[tokio::test]
async fn a_lease_that_ended_long_ago_is_no_longer_shown() {
    let app = TestApp::new().await;
    let row = mail_to("ann@contoso.example");
    let outbox = &app.app.notifications.outbox;
    outbox.insert_absent(std::slice::from_ref(&row)).await.unwrap();
    let claimed = outbox.claim(1, START, START.plus_minutes(1)).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let jobs = jobs::all(&app.app.settings);
    let cleanup = jobs.iter().find(|job| job.name == "lease_cleanup").unwrap();
    let locked = || async {
        let row = outbox.find(row.notification_id.as_str()).await.unwrap().unwrap();
        row.mail().unwrap().locked_by.is_some()
    };
    app.clock.advance(90_000);
    scheduler::run_once(&app.app, cleanup).await.unwrap();
    assert!(locked().await, "it ended less than a minute ago");
    app.clock.advance(60_000);
    scheduler::run_once(&app.app, cleanup).await.unwrap();
    assert!(!locked().await);
    let now = app.clock.now();
    let again = outbox.claim(1, now, now.plus_minutes(1)).await.unwrap();
    assert_eq!(again.len(), 1);
}
