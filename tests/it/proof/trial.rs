//! One trial: a replica set, two service processes, people at work, blows, and then the questions.

use super::blows::Dealer;
use super::callers::{Callers, Door};
use super::ledger::{Ledger, Record};
use super::load::Load;
use super::oracle::{self, Found};
use super::processes::{end_left_overs, leave_nothing_running};
use super::promises::{self, Mails};
use super::replica_set::ReplicaSet;
use super::services::Services;
use super::workflow;
use crate::commit::process::{application, database};
use crate::support::{SmtpServer, grant_people_their_rights, issuer_key, program_environment};
use bson::{Document, doc};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use workflow_ops::app::App;
use workflow_ops::clients::development_directory::DevelopmentDirectory;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::indexes;

/// The file that names the workflow; people work from then on.
const WORKFLOW: &str = "workflow";
/// The database's name.
const DATABASE: &str = "proof";
/// How long the service may carry nothing on although something is left; how much is left depends on the machine.
const STANDSTILL: Duration = Duration::from_mins(2);

/// What is tried.
#[derive(Debug)]
pub(super) struct Trial {
    /// What every choice follows from.
    pub(super) seed: u64,
    /// Where everything is kept; a trial goes on with what it finds there.
    pub(super) folder: PathBuf,
    /// The program under trial.
    pub(super) program: PathBuf,
    /// How much load there is in any case, what was broken off included.
    pub(super) limit: Duration,
    /// How many tickets go to their end.
    pub(super) tickets: usize,
    /// How many processes are killed.
    pub(super) kills: usize,
}

/// What a trial came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) record: Record,
    pub(super) found: Found,
    pub(super) mails: Mails,
    pub(super) repeats: u64,
    pub(super) doubled_commands: u64,
    pub(super) reads: u64,
    pub(super) replayed: String,
    /// Everything that must not be, one line each.
    pub(super) violations: Vec<String>,
}

/// Carries the trial out.
pub(super) async fn carry_out(trial: &Trial) -> Outcome {
    tell(&format!("seed {}, in {}", trial.seed, trial.folder.display()));
    end_left_overs(&trial.folder);
    let is_new = !trial.folder.join(WORKFLOW).exists();
    if is_new {
        // What was broken off before anybody worked begins again.
        let _ = std::fs::remove_dir_all(&trial.folder);
    }
    std::fs::create_dir_all(&trial.folder).unwrap();
    leave_nothing_running(&trial.folder);
    let key = trial.folder.join("development-issuer.der");
    if !key.exists() {
        std::fs::write(&key, issuer_key()).unwrap();
    }
    let ledger = Ledger::open(&trial.folder);
    let mut members = ReplicaSet::start(&trial.folder).await;
    let uri = members.uri();
    let database = database(&uri, DATABASE).await;
    indexes::ensure(&database).await.unwrap();
    let app = application(database, Clock::System, &trial.folder);
    if is_new {
        grant_people_their_rights(&app).await;
    }
    let smtp = SmtpServer::in_folder(&trial.folder.join("mail"));
    let mut settings = smtp.settings();
    settings.extend([
        ("MONGO_URI", uri.clone()),
        ("MONGO_DB", DATABASE.to_owned()),
        ("LOG_LEVEL", "warn,mongodb=error".to_owned()),
        ("REQUESTS_PER_SECOND_PER_PERSON", "0".to_owned()),
        ("SCHEDULER_INTERVAL_SECONDS", "1".to_owned()),
        ("NOTIFICATION_LOCK_DURATION_SECONDS", "5".to_owned()),
        (
            "ATTACHMENTS_BASE_PATH",
            trial.folder.join("attachments").display().to_string(),
        ),
    ]);
    let mut services = Services::start(&trial.folder, &trial.program, settings).await;
    let directory = DevelopmentDirectory::load(&app.settings.directory.people_file).unwrap();
    let callers = Callers::sign_in(&services.addresses(), &directory).await;
    let workflow = published(&callers, &trial.folder).await;
    tell("the service runs; people begin to work");
    strain(trial, &ledger, &callers, workflow, &mut members, &mut services).await;
    tell("nothing disturbs the service any more; it carries on what is left");
    members.until_all_take_part().await;
    settle(&app, &ledger).await;
    if !services.stop() {
        ledger.violate("a service process did not end well when asked to".to_owned());
    }
    tell("the questions");
    let record = ledger.record();
    let found = oracle::look(&app).await;
    let broken = promises::kept(&app, &record).await;
    let mails = promises::delivered(&app, &smtp.mails(), &record).await;
    let replayed = replayed_by_command(trial, &uri);
    let mut violations = record.violations.clone();
    violations.extend(found.violations.iter().cloned());
    violations.extend(broken);
    violations.extend(mails.violations.iter().cloned());
    if let Err(what) = &replayed {
        violations.push(what.clone());
    }
    Outcome {
        record,
        found,
        mails,
        repeats: callers.repeats.load(Ordering::Relaxed),
        doubled_commands: callers.doubled.load(Ordering::Relaxed),
        reads: callers.reads.load(Ordering::Relaxed),
        replayed: replayed.unwrap_or_default(),
        violations,
    }
}

/// People work and blows fall until there were enough of both, or the time is over.
async fn strain(
    trial: &Trial,
    ledger: &Ledger,
    callers: &Callers,
    workflow: String,
    members: &mut ReplicaSet,
    services: &mut Services,
) {
    let stop = AtomicBool::new(false);
    let calm = AtomicBool::new(false);
    let load = Load {
        seed: trial.seed,
        workflow,
        callers,
        ledger,
        stop: &stop,
    };
    let begun = Instant::now();
    let spent = Duration::from_secs(ledger.look(|record| record.seconds));
    let limit = trial.limit.saturating_sub(spent);
    let watch = async {
        let mut told = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let (ended, kills, violations) =
                ledger.look(|record| (record.ended.len(), record.kills(), record.violations.len()));
            if told.elapsed() > Duration::from_secs(30) {
                ledger.spend(told.elapsed().as_secs());
                told = Instant::now();
                tell(&format!(
                    "{ended} tickets, {kills} kills, {violations} violations"
                ));
            }
            let is_enough = ended >= trial.tickets && kills >= trial.kills;
            if is_enough || begun.elapsed() > limit {
                ledger.spend(told.elapsed().as_secs());
                return;
            }
        }
    };
    // The kills that are left are spread over what the tickets that are left will take.
    let pause = || {
        let (ended, kills) = ledger.look(|record| (record.ended.len(), record.kills()));
        let left = limit.mul_f64(0.85).saturating_sub(begun.elapsed());
        let blows = trial.kills.saturating_sub(kills).max(1);
        let is_late = ended >= trial.tickets;
        // Of twelve blows nine are kills.
        let even = left / u32::try_from(blows * 4 / 3 + 1).unwrap();
        if is_late {
            Duration::from_millis(200)
        } else {
            even.min(Duration::from_secs(20))
        }
    };
    let mut dealer = Dealer::new(trial.seed, ledger);
    let work = async {
        load.run().await;
        calm.store(true, Ordering::SeqCst);
    };
    let watch = async {
        watch.await;
        stop.store(true, Ordering::SeqCst);
        // Blows fall until the last ticket has ended, but not for ever.
        let patience = Instant::now();
        while !calm.load(Ordering::SeqCst) && patience.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        calm.store(true, Ordering::SeqCst);
    };
    tokio::join!(work, watch, dealer.deal(members, services, pause, &calm));
}

/// The id of the workflow, published the first time.
async fn published(callers: &Callers, folder: &Path) -> String {
    let known = folder.join(WORKFLOW);
    if let Ok(id) = std::fs::read_to_string(&known) {
        return id;
    }
    let dana = callers.client(Door::One, "dana.wolf@example.com");
    let created = dana
        .post("/api/v1/workflows", json!({"name": workflow::NAME}))
        .await
        .expect(201);
    let id = created.body["workflow_id"].as_str().unwrap().to_owned();
    let draft = json!({"definition": workflow::definition()});
    let saved = dana
        .put(&format!("/api/v1/workflows/{id}/draft"), draft)
        .await
        .expect(200);
    assert_eq!(
        saved.body["validation"]["is_valid"],
        Value::Bool(true),
        "{}",
        saved.text
    );
    dana.post_nothing(&format!("/api/v1/workflows/{id}/publish"))
        .await
        .expect(200);
    std::fs::write(known, &id).unwrap();
    id
}

/// Waits until every tail is empty and every mail is sent, by the service alone.
async fn settle(app: &App, ledger: &Ledger) {
    let tickets = app.database.collection::<Document>("tickets");
    let outbox = app.database.collection::<Document>("notification_outbox");
    let mut moved = (Instant::now(), (u64::MAX, u64::MAX));
    loop {
        let open = tickets.count_documents(doc! {"tail.0": {"$exists": true}});
        let waiting = outbox.count_documents(doc! {"status": {"$ne": "SENT"}});
        // The last blow may still have the members choose a primary; who does not answer has moved nothing.
        let told = tokio::join!(open.into_future(), waiting.into_future());
        let (tails, mails) = if let (Ok(tails), Ok(mails)) = told {
            (tails, mails)
        } else {
            (u64::MAX, u64::MAX)
        };
        if (tails, mails) == (0, 0) {
            return;
        }
        let (since, least) = moved;
        if tails < least.0 || mails < least.1 {
            moved = (Instant::now(), (tails.min(least.0), mails.min(least.1)));
        } else if since.elapsed() > STANDSTILL {
            ledger.violate(format!(
                "{tails} tails are not empty and {mails} mails not sent, and nothing has moved for {} s",
                STANDSTILL.as_secs()
            ));
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// `workflow-ops replay`, as an operator runs it.
fn replayed_by_command(trial: &Trial, uri: &str) -> Result<String, String> {
    let storage = trial.folder.join("replay");
    std::fs::create_dir_all(&storage).unwrap();
    let mut command = std::process::Command::new(&trial.program);
    program_environment(
        &mut command,
        &storage,
        &trial.folder.join("development-issuer.der"),
    );
    let output = command
        .env("MONGO_URI", uri)
        .env("MONGO_DB", DATABASE)
        .arg("replay")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(said);
    }
    Err(format!(
        "workflow-ops replay: {said} {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Says how it goes.
pub(crate) fn tell(what: &str) {
    let mut errors = std::io::stderr().lock();
    let _ = writeln!(errors, "proof: {what}");
}
