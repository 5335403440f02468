//! The full bars: fifty thousand tickets, three kills, and the speed beside a bare driver. Run by `scripts/prove-import`.

use super::interrupted::{finish, kill_three_times, program, report_of};
use super::stage::{Legacy, open, same_documents, settings, target};
use crate::support::START;
use bson::{RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::Database;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::indexes;
use workflow_ops::services::import::Mode;

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn count() -> usize {
    std::env::var("IMPORT_TICKETS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(50_000)
}

/// What an import reads of tickets, and what it makes of them.
const READ: [&str; 9] = [
    "tickets",
    "ticket_steps",
    "approval_tasks",
    "assignments",
    "info_requests",
    "handover_requests",
    "sla_acknowledgments",
    "audit_events",
    "change_requests",
];
const MADE: [&str; 6] = [
    "tickets",
    "ticket_commands",
    "audit_events",
    "ticket_notes",
    "form_versions",
    "work_history",
];

/// The bare driver: reads the same documents and inserts the resulting ones, as many at once as the import does; the time
/// in which the resulting ones are fetched does not count.
async fn bare(legacy: &Database, made: &Database) -> Duration {
    const AT_ONCE: usize = 2_000;
    let into = open(&format!("b{}", &random_key()[..16])).await;
    indexes::ensure(&into).await.unwrap();
    let mut counted = Duration::ZERO;
    let begun = Instant::now();
    for name in READ {
        let mut documents = legacy
            .collection::<RawDocumentBuf>(name)
            .find(doc! {})
            .await
            .unwrap();
        while documents.advance().await.unwrap() {}
    }
    counted += begun.elapsed();
    for name in MADE {
        let mut documents = made
            .collection::<RawDocumentBuf>(name)
            .find(doc! {})
            .await
            .unwrap();
        loop {
            let mut batch = Vec::with_capacity(AT_ONCE);
            while batch.len() < AT_ONCE
                && let Some(document) = documents.try_next().await.unwrap()
            {
                batch.push(document);
            }
            if batch.is_empty() {
                break;
            }
            let (first, second) = batch.split_at(batch.len() / 2);
            let target = into.collection::<RawDocumentBuf>(name);
            let insert = |part: &[RawDocumentBuf]| {
                let (target, part) = (target.clone(), part.to_vec());
                async move {
                    if !part.is_empty() {
                        target.insert_many(part).ordered(false).await.unwrap();
                    }
                }
            };
            let begun = Instant::now();
            tokio::join!(insert(first), insert(second));
            counted += begun.elapsed();
        }
    }
    into.drop().await.unwrap();
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; scripts/prove-import runs it"]
async fn fifty_thousand_tickets_come_over_at_no_less_than_half_the_speed_of_a_bare_driver() {
    let count = count();
    let legacy = Legacy::with(count, 50, START).await;
    let target = target().await;
    let settings = settings(legacy.folder.path());
    let importer = legacy
        .importer(&target, Mode::Write, &Clock::fixed(START), &settings)
        .await
        .unwrap();
    let begun = Instant::now();
    importer.import().await.unwrap();
    let imported = begun.elapsed();
    drop(importer);
    let begun = Instant::now();
    let report = legacy.import(&target, Mode::Write, &Clock::fixed(START)).await;
    let again = begun.elapsed();
    let bare = bare(&legacy.database, &target).await;
    let rate = |took: Duration| f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64();
    let ratio = bare.as_secs_f64() / imported.as_secs_f64();
    say(&report.to_text());
    say(&format!(
        "| import of {count} tickets | {:.1} s, {:.0} tickets/s |",
        imported.as_secs_f64(),
        rate(imported)
    ));
    say(&format!(
        "| bare driver, same documents | {:.1} s, {:.0} tickets/s |",
        bare.as_secs_f64(),
        rate(bare)
    ));
    say(&format!(
        "| speed of the import to that of the bare driver | {ratio:.2} |"
    ));
    say(&format!(
        "| verification, and a second import that changes nothing | {:.1} s |",
        again.as_secs_f64()
    ));
    assert_eq!(report.verified.as_ref().unwrap().unexplained, 0);
    assert_eq!(report.inserted, 0);
    target.drop().await.unwrap();
    legacy.drop().await;
    assert!(ratio >= 0.5, "the import reaches {ratio:.2} of the bare driver");
}

/// Runs the import to its end; also says how much memory it held at most, in mebibytes, as the system counts it.
fn finish_measured(legacy: &Legacy, target: &Database, storage: &Path) -> (String, u64) {
    let said = storage.join("said");
    let mut child = program(legacy, target, storage)
        .stdout(File::create(&said).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let held = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(held.unwrap_or(0));
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    let said = std::fs::read_to_string(said).unwrap();
    assert!(ended.success(), "{said}");
    (said, peak / 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; scripts/prove-import runs it"]
async fn fifty_thousand_tickets_killed_three_times_come_over_like_uninterrupted() {
    let count = count();
    let seed = rand::random::<u64>();
    let legacy = Legacy::with(count, 50, START).await;
    let storage = tempfile::tempdir().unwrap();
    let (killed, whole) = (target().await, target().await);
    let at = kill_three_times(&legacy, &killed, storage.path(), count as u64, seed).await;
    say(&format!(
        "| killed when there were so many tickets (seed {seed}) | {at:?} |"
    ));
    let resumed = finish(&legacy, &killed, storage.path());
    let (uninterrupted, peak) = finish_measured(&legacy, &whole, storage.path());
    assert_eq!(report_of(&resumed), report_of(&uninterrupted));
    let documents = match same_documents(&killed, &whole).await {
        Ok(same) => same,
        Err((ours, theirs)) => panic!("seed {seed}: {ours}\n is not\n{theirs}"),
    };
    say(&format!(
        "| documents equal to those of an uninterrupted import | {documents} |"
    ));
    say(&format!(
        "| most memory the program held at a time | {peak} MiB |"
    ));
    assert!(peak < 600, "{peak} MiB");
    for database in [killed, whole] {
        let _: Result<(), _> = database.drop().await;
    }
    legacy.drop().await;
}
