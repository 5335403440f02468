//! The program itself, killed in the middle of an import and started again.

use super::stage::{Legacy, same_documents, target};
use crate::support::{START, mongo};
use bson::{Document, doc};
use mongodb::Database;
use pretty_assertions::assert_eq;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use workflow_ops::domain::id::random_key;

/// The program with nothing of this process's environment, importing.
pub(crate) fn program(legacy: &Legacy, target: &Database, storage: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_workflow-ops"));
    program
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ENVIRONMENT", "development")
        .env("MONGO_URI", mongo::uri())
        .env("MONGO_DB", target.name())
        .env("STORAGE_PATH", storage)
        .env("LOG_LEVEL", "error")
        .current_dir(storage)
        .stdin(Stdio::null())
        .args([
            "import-legacy",
            "--from",
            mongo::uri(),
            "--db",
            legacy.name(),
            "--attachments",
        ])
        .arg(legacy.folder.path());
    program
}

/// Runs the import to its end.
pub(crate) fn finish(legacy: &Legacy, target: &Database, storage: &Path) -> String {
    let output = program(legacy, target, storage).output().unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{said}\n{complained}");
    said
}

fn start(legacy: &Legacy, target: &Database, storage: &Path) -> Child {
    program(legacy, target, storage)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills an import at three random moments, each when some more tickets are there; returns at how many.
pub(crate) async fn kill_three_times(
    legacy: &Legacy,
    target: &Database,
    storage: &Path,
    count: u64,
    seed: u64,
) -> Vec<u64> {
    let mut random = StdRng::seed_from_u64(seed);
    let tickets = target.collection::<Document>("tickets");
    let mut killed_at = Vec::new();
    for kill in 1..=3_u64 {
        let wanted = random.random_range((kill - 1) * count / 4..kill * count / 4);
        let mut child = start(legacy, target, storage);
        let begun = Instant::now();
        let there = loop {
            let there = tickets.count_documents(doc! {}).await.unwrap();
            let ended = child.try_wait().unwrap().is_some();
            if there >= wanted || ended || begun.elapsed() > Duration::from_mins(5) {
                break there;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        child.kill().unwrap();
        child.wait().unwrap();
        killed_at.push(there);
    }
    killed_at
}

/// What a report says behind the progress.
pub(crate) fn report_of(said: &str) -> &str {
    said.split_once("collection  ").unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_three_times_ends_like_one_that_was_not() {
    let seed = std::env::var("IMPORT_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    let legacy = Legacy::with(400, seed, START).await;
    let storage = tempfile::tempdir().unwrap();
    let (killed, whole) = (target().await, target().await);
    let killed_at = kill_three_times(&legacy, &killed, storage.path(), 400, seed).await;
    let resumed = finish(&legacy, &killed, storage.path());
    let uninterrupted = finish(&legacy, &whole, storage.path());
    assert_eq!(
        report_of(&resumed),
        report_of(&uninterrupted),
        "seed {seed}, killed at {killed_at:?}"
    );
    let seen = format!("seed {seed}, killed at {killed_at:?}");
    match same_documents(&killed, &whole).await {
        Ok(same) => assert!(same > 4_000, "{same}, {seen}"),
        Err((ours, theirs)) => assert_eq!(ours, theirs, "{seen}"),
    }
    killed.drop().await.unwrap();
    whole.drop().await.unwrap();
    legacy.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_ends_with_an_error_when_a_difference_is_not_explained() {
    let legacy = Legacy::with(60, 7, START).await;
    let storage = tempfile::tempdir().unwrap();
    let target = target().await;
    finish(&legacy, &target, storage.path());
    let lost = doc! {"_id": legacy.generated.one(super::scenario::Scenario::Completed)};
    legacy
        .database
        .collection::<Document>("tickets")
        .update_one(lost, doc! {"$set": {"title": random_key()}})
        .await
        .unwrap();
    let output = program(&legacy, &target, storage.path()).output().unwrap();
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        complaint.contains("1 differences are not explained"),
        "{complaint}"
    );
    target.drop().await.unwrap();
    legacy.drop().await;
}
