//! The crash proof: people at work over HTTP on two processes and three database nodes, all of which are killed, and an
//! oracle that knows what was acknowledged. The short form runs with every test run, the long one by
//! `scripts/prove-crash`.

mod blows;
mod callers;
mod courses;
mod deeds;
mod ledger;
mod load;
pub(crate) mod oracle;
pub(crate) mod processes;
mod promises;
pub(crate) mod replica_set;
mod services;
mod tampering;
mod trial;
mod workflow;

use ledger::Blow;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
pub(crate) use trial::tell;
use trial::{Outcome, Trial, carry_out};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_processes_and_nodes_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial {
        seed: rand::random(),
        folder: folder.path().to_owned(),
        program: PathBuf::from(env!("CARGO_BIN_EXE_workflow-ops")),
        limit: Duration::from_secs(18),
        tickets: 50,
        kills: 6,
    };
    let outcome = carry_out(&trial).await;
    tell(&summary(&trial, &outcome));
    assert!(
        outcome.violations.is_empty(),
        "seed {}: {:#?}",
        trial.seed,
        outcome.violations
    );
    assert!(
        outcome.record.ended.len() >= 10,
        "only {} tickets",
        outcome.record.ended.len()
    );
    assert!(
        outcome.record.kills() >= 2,
        "only {} kills",
        outcome.record.kills()
    );
}

/// The long form: `CRASH_SEED`, `CRASH_MINUTES`, `CRASH_TICKETS`, `CRASH_KILLS`, `CRASH_FOLDER`, `CRASH_PROGRAM`; its
/// result is a line of JSON in the file `CRASH_RESULT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; scripts/prove-crash runs it"]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts/prove-crash tells what to do by the environment"
)]
async fn long() {
    let given = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let number = |name: &str| given(name).parse::<u64>().unwrap();
    let trial = Trial {
        seed: number("CRASH_SEED"),
        folder: PathBuf::from(given("CRASH_FOLDER")),
        program: PathBuf::from(given("CRASH_PROGRAM")),
        limit: Duration::from_mins(number("CRASH_MINUTES")),
        tickets: usize::try_from(number("CRASH_TICKETS")).unwrap(),
        kills: usize::try_from(number("CRASH_KILLS")).unwrap(),
    };
    let outcome = carry_out(&trial).await;
    for violation in &outcome.violations {
        tell(&format!("VIOLATION {violation}"));
    }
    tell(&summary(&trial, &outcome));
    let record = &outcome.record;
    let result = json!({
        "seed": trial.seed,
        "seconds": record.seconds,
        "tickets": record.ended.len(),
        "commands": record.commands(),
        "repeats": outcome.repeats,
        "sent_twice_at_once": outcome.doubled_commands,
        "reads_checked": outcome.reads,
        "rows_checked": outcome.found.rows,
        "kills": record.kills(),
        "blows": record.blows.iter().map(|(blow, times)| (format!("{blow:?}"), *times)).collect::<std::collections::BTreeMap<_, _>>(),
        "mails": outcome.mails.sent,
        "mails_doubled": outcome.mails.doubled,
        "mails_allowed": outcome.mails.allowed,
        "replay": outcome.replayed,
        "violations": outcome.violations,
        "is_enough": record.ended.len() >= trial.tickets && record.kills() >= trial.kills,
    });
    std::fs::write(given("CRASH_RESULT"), format!("{result}\n")).unwrap();
    assert!(
        outcome.violations.is_empty(),
        "{} violations",
        outcome.violations.len()
    );
}

fn summary(trial: &Trial, outcome: &Outcome) -> String {
    let record = &outcome.record;
    format!(
        "seed {}: {} tickets ended, {} commands acknowledged, {} reads checked, {} rows compared, {} kills ({} of the \
         primary), {} mails of which {} doubled ({} allowed), {} s; {}; {} violations",
        trial.seed,
        record.ended.len(),
        record.commands(),
        outcome.reads,
        outcome.found.rows,
        record.kills(),
        record.count(Blow::PrimaryKilled),
        outcome.mails.sent,
        outcome.mails.doubled,
        outcome.mails.allowed,
        record.seconds,
        outcome.replayed,
        outcome.violations.len(),
    )
}
