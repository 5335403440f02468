//! The program at its capacity and at three times of it, one class of routes after the other.
//!
//! The lines to the database and to the model are slow, so that the program's own bounds and nothing of this machine
//! decide what its capacity is, and those who flood it take nothing from it.

use super::figures::{Figures, percentile};
use super::flood::{Class, Flood};
use crate::commit::process::{application, database};
use crate::faults::wire::{Weather, Wire};
use crate::proof::processes::{Process, free_ports};
use crate::proof::tell;
use crate::support::{
    ModelServer, TestClient, eventually, eventually_within, grant_people_their_rights, issuer_key, mongo,
    program_environment,
};
use crate::tickets::stage::Stage;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::indexes;

/// What may be in the program at the same time; a third of it each for reads and changes, a ninth each for the others.
const MOST: usize = 90;
/// How much slower a request may be at three times the capacity than at the capacity itself, 99 of 100.
const MOST_SLOWER: f64 = 2.0;
/// How much of the capacity must be left at three times of it.
const LEAST_SERVED: f64 = 0.8;
/// What the flood may add to the resident memory.
const RISE_KIB: u64 = 32 << 10;
/// Tickets that notes are written on.
const TICKETS: usize = 100;

/// What one class came to.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    class: &'static str,
    capacity: f64,
    p50: f64,
    p99: f64,
    offered: f64,
    served: f64,
    flooded_p50: f64,
    flooded_p99: f64,
    refused: usize,
    refused_p99: f64,
    others: usize,
    memory_kib: u64,
    flooded_memory_kib: u64,
    /// What must not be, one line each.
    pub(super) violations: Vec<String>,
}

/// Measures all classes.
pub(super) async fn take(program: &Path, time: Duration) -> Vec<Measured> {
    let site = Site::build(program).await;
    let mut all = Vec::new();
    for (class, places) in [
        (Class::Read, 24),
        (Class::Change, 24),
        (Class::File, 8),
        (Class::Model, 8),
    ] {
        let measured = site.measure(class, places, time).await;
        tell(&serde_json::to_string(&measured).unwrap());
        all.push(measured);
    }
    all
}

/// The program and what it depends on.
struct Site {
    process: Process,
    database: Database,
    ann: TestClient,
    tickets: Arc<Vec<String>>,
    _folder: tempfile::TempDir,
    _lines: [Wire; 2],
    _model: ModelServer,
}

impl Site {
    async fn build(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("t{}", random_key());
        let database = database(mongo::uri(), &name).await;
        indexes::ensure(&database).await.unwrap();
        let app = application(database.clone(), Clock::System, folder.path());
        grant_people_their_rights(&app).await;
        let model = ModelServer::start().await;
        let lines = [
            Wire::to_database().await,
            Wire::to(model.origin.trim_start_matches("http://")).await,
        ];
        let address = format!("127.0.0.1:{}", free_ports(1)[0]);
        let key = folder.path().join("key.der");
        std::fs::write(&key, issuer_key()).unwrap();
        let mut command = Command::new(program);
        program_environment(&mut command, folder.path(), &key);
        command
            .envs(model.settings())
            .env("OPENAI_BASE_URL", format!("http://{}/v1", lines[1].address()))
            .env("GENAI_REQUESTS_PER_MINUTE", "10000")
            .env("GENAI_TOKENS_PER_DAY", "1000000000")
            .env("MONGO_URI", lines[0].uri())
            .env("MONGO_DB", &name)
            .env("BIND_ADDR", &address)
            .env("REQUESTS_PER_SECOND_PER_PERSON", "0")
            .env("MAX_CONCURRENT_REQUESTS", MOST.to_string())
            .arg("serve");
        let process = Process::start(folder.path(), "service", &mut command);
        let base = format!("http://{address}");
        let http = reqwest::Client::builder()
            .timeout(Duration::from_mins(1))
            .no_proxy()
            .build()
            .unwrap();
        let nobody = TestClient::at(http.clone(), &base, None);
        eventually("the program is ready", || async {
            let ready = http.get(format!("{base}/health/ready")).send().await;
            ready.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        let signed_in = async |who: &str| {
            let asked = json!({"email": format!("{who}@example.com")});
            let minted = nobody.post("/dev/token", asked).await.expect(200);
            TestClient::at(http.clone(), &base, minted.body["access_token"].as_str())
        };
        let ann = signed_in("ann.lee").await;
        let tickets = raised(&signed_in("dana.wolf").await, &ann).await;
        lines[0].turn(Weather::Slow(Duration::from_millis(100)));
        lines[1].turn(Weather::Slow(Duration::from_millis(200)));
        Self {
            process,
            database,
            ann,
            tickets: Arc::new(tickets),
            _folder: folder,
            _lines: lines,
            _model: model,
        }
    }

    async fn measure(&self, class: Class, places: usize, time: Duration) -> Measured {
        let flood = Flood::of(class, &self.ann, &self.tickets);
        // Caches fill, connections open.
        flood.of_callers(places, time / 4).await;
        let usual = flood.of_callers(places, time).await;
        let memory_kib = self.process.memory_kib("VmRSS");
        let flooded = flood.of_rate(usual.rate() * 3.0, time).await;
        let flooded_memory_kib = self.process.memory_kib("VmRSS");
        let mut violations = self.lost(class, &usual, &flooded).await;
        violations.extend(breaches(&usual, &flooded));
        if flooded_memory_kib > memory_kib + RISE_KIB {
            violations.push(format!("{memory_kib} KiB became {flooded_memory_kib}"));
        }
        Measured {
            class: class.as_str(),
            capacity: usual.rate().round(),
            p50: percentile(&usual.served, 50),
            p99: percentile(&usual.served, 99),
            offered: flooded.offered().round(),
            served: flooded.rate().round(),
            flooded_p50: percentile(&flooded.served, 50),
            flooded_p99: percentile(&flooded.served, 99),
            refused: flooded.refused.len(),
            refused_p99: percentile(&flooded.refused, 99),
            others: usual.others.len() + flooded.others.len(),
            memory_kib,
            flooded_memory_kib,
            violations,
        }
    }

    /// Notes that were accepted and are not there once, and refused ones that are there.
    async fn lost(&self, class: Class, usual: &Figures, flooded: &Figures) -> Vec<String> {
        if class != Class::Change {
            return Vec::new();
        }
        let tickets = self.database.collection::<Document>("tickets");
        eventually_within(Duration::from_mins(2), "every tail is empty", || async {
            let open = doc! {"tail.0": {"$exists": true}};
            tickets.count_documents(open).await.unwrap() == 0
        })
        .await;
        let rows = self.database.collection::<Document>("ticket_notes");
        let rows: Vec<Document> = rows.find(doc! {}).await.unwrap().try_collect().await.unwrap();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &rows {
            let content = row.get_document("body").unwrap().get_str("content").unwrap();
            *times.entry(content).or_default() += 1;
        }
        let there = |note: &String| times.get(note.as_str()).copied().unwrap_or_default();
        let accepted = usual.kept.iter().chain(&flooded.kept);
        let lost = accepted
            .filter(|note| there(note) != 1)
            .map(|note| format!("\"{note}\" was accepted and is there {} times", there(note)));
        let refused = usual.turned_away.iter().chain(&flooded.turned_away);
        let kept = refused
            .filter(|note| there(note) != 0)
            .map(|note| format!("\"{note}\" was refused and is there"));
        lost.chain(kept).collect()
    }
}

/// What must not be of the answers themselves.
fn breaches(usual: &Figures, flooded: &Figures) -> Vec<String> {
    let mut breaches: Vec<String> = usual.others.iter().chain(&flooded.others).cloned().collect();
    if !usual.refused.is_empty() {
        breaches.push(format!("{} were refused at the capacity", usual.refused.len()));
    }
    if flooded.offered() < usual.rate() * 2.7 {
        breaches.push("the flood was no flood".to_owned());
    }
    if flooded.rate() < usual.rate() * LEAST_SERVED {
        let (before, now) = (usual.rate(), flooded.rate());
        breaches.push(format!("{before:.0} a second became {now:.0}"));
    }
    let (before, now) = (percentile(&usual.served, 99), percentile(&flooded.served, 99));
    if now > before * MOST_SLOWER {
        breaches.push(format!("{before} ms became {now} ms"));
    }
    breaches
}

/// Raises tickets of a workflow that is published for them.
async fn raised(dana: &TestClient, ann: &TestClient) -> Vec<String> {
    let workflow = Stage::publish(dana, &Stage::usual()).await;
    let mut tickets = Vec::new();
    for number in 0..TICKETS {
        let wish = json!({
            "workflow_id": workflow, "title": format!("Ticket {number}"), "initial_form_values": {"what": "A thing"},
            "initial_form_step_ids": ["ask"],
        });
        let reply = ann.post("/api/v1/tickets", wish).await.expect(201);
        tickets.push(reply.body["ticket_id"].as_str().unwrap().to_owned());
    }
    tickets
}
