use super::wire::{Weather, Wire};
use super::{Row, after, said};
use crate::proof::processes::free_ports;
use crate::proof::replica_set::ReplicaSet;
use crate::support::{
    Reply, TestApp, TestClient, client_send, eventually, eventually_within, issuer_key, mongo,
    program_environment,
};
use crate::tickets::stage::{ANN, Stage, Ticket};
use reqwest::Method;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use workflow_ops::repositories::embedded::EmbeddedServer;

const DEPENDENCY: &str = "Database";

/// Writes a note as the requester under a key of its own.
async fn write(client: &TestClient, ticket: &str, key: &str) -> Reply {
    let path = format!("/api/v1/tickets/{ticket}/add-requester-note");
    let note = client.request(Method::POST, &path).header("Idempotency-Key", key);
    client_send(note.json(&json!({"content": key}))).await
}

/// How many notes the ticket has, and its version.
async fn notes(ticket: &Ticket<'_>) -> (usize, i64) {
    let head = ticket.detail().await["ticket"].clone();
    (
        head["requester_notes"].as_array().unwrap().len(),
        head["version"].as_i64().unwrap(),
    )
}

/// The service itself as a process on this database, which ends or serves.
fn serve(folder: &Path, uri: &str, port: u16) -> Command {
    let key = folder.join("key.der");
    std::fs::write(&key, issuer_key()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_workflow-ops"));
    program_environment(&mut program, folder, &key);
    let name = format!("t{}", workflow_ops::domain::id::random_key());
    program
        .env("MONGO_URI", uri)
        .env("MONGO_DB", name)
        .env("BIND_ADDR", format!("127.0.0.1:{port}"))
        .arg("serve");
    program
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_finds_no_database_at_its_start_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let ports = free_ports(2);
    let nobody = format!("mongodb://127.0.0.1:{}/?directConnection=true", ports[0]);
    let begun = Instant::now();
    let ended = serve(folder.path(), &nobody, ports[1]).output().unwrap();
    let took = after(begun);
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert!(!ended.status.success());
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    let last = errors.trim().lines().last().unwrap_or_default();
    let (said, why) = last.split_at(last.find(": Kind").unwrap_or(last.len()));
    assert_eq!(said, "workflow-ops: the database does not answer");
    assert!(why.contains("Connection refused"), "{why}");

    let mut started = serve(folder.path(), mongo::uri(), ports[1])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let ready = format!("http://127.0.0.1:{}/health/ready", ports[1]);
    eventually("the service is ready", async || {
        reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let recovered = after(begun);
    started.kill().unwrap();
    started.wait().unwrap();
    Row {
        order: 10,
        dependency: DEPENDENCY,
        fault: "down when the service starts",
        answer: format!(
            "none: the process ends {took} with `{said}` and why, for its supervisor to start it again"
        ),
        recovery: format!("started with the database there it is ready {recovered}"),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_connections_break_takes_effect_once_when_the_database_is_back() {
    let wire = Wire::to_database().await;
    let stage = Stage::behind(&wire, &[]).await;
    let ticket = stage.raise(ANN, "Broken").await;
    let ann = stage.person(ANN);
    wire.turn(Weather::Silent);
    let begun = Instant::now();
    let writing = tokio::spawn({
        let (ann, id) = (ann.clone(), ticket.id.clone());
        async move { write(&ann, &id, "broken").await }
    });
    eventually("the request is with the database", async || wire.held() > 0).await;
    wire.turn(Weather::Broken);
    wire.turn(Weather::Fair);
    let reply = writing.await.unwrap();
    let took = after(begun);
    assert!(matches!(reply.status.as_u16(), 200 | 503), "{}", reply.text);
    write(&ann, &ticket.id, "broken").await.expect(200);
    assert_eq!(notes(&ticket).await, (1, 2));
    Row {
        order: 20,
        dependency: DEPENDENCY,
        fault: "connections lost in the middle of a command",
        answer: format!("{} {took}", said(&reply)),
        recovery: "the repeat under the same key finds the command carried out once".to_owned(),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_clients_are_told_to_come_back() {
    let wire = Wire::to_database().await;
    let stage = Stage::behind(&wire, &[]).await;
    let ticket = stage.raise(ANN, "Away").await;
    let ann = stage.person(ANN);
    wire.turn(Weather::Broken);
    let begun = Instant::now();
    let reply = write(&ann, &ticket.id, "away").await.expect(503);
    let took = after(begun);
    assert!(!reply.header("retry-after").is_empty());
    let read = ann.get(&ticket.path("")).await.expect(503);
    let live = stage.app.anonymous().get("/health/live").await.expect(200);
    let ready = stage.app.anonymous().get("/health/ready").await.expect(503);
    wire.turn(Weather::Fair);
    let begun = Instant::now();
    eventually("the service writes again", async || {
        write(&ann, &ticket.id, "away").await.status == 200
    })
    .await;
    let recovered = after(begun);
    assert_eq!(notes(&ticket).await, (1, 2));
    Row {
        order: 30,
        dependency: DEPENDENCY,
        fault: "down",
        answer: format!(
            "writes {} {took}, reads {}; `/health/live` {}, `/health/ready` {}",
            said(&reply),
            said(&read),
            live.status.as_u16(),
            ready.status.as_u16()
        ),
        recovery: format!("answered again {recovered}, the repeated command carried out once"),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_database_makes_slow_answers_and_a_very_slow_one_bounded_refusals() {
    let wire = Wire::to_database().await;
    let stage = Stage::behind(&wire, &[("REQUEST_TIMEOUT_SECONDS", "5")]).await;
    let ticket = stage.raise(ANN, "Slow").await;
    let ann = stage.person(ANN);
    wire.turn(Weather::Slow(Duration::from_millis(200)));
    let begun = Instant::now();
    let slow = write(&ann, &ticket.id, "slow").await.expect(200);
    let took = after(begun);
    Row {
        order: 40,
        dependency: DEPENDENCY,
        fault: "slow: 200 ms each way",
        answer: format!("{} {took}", said(&slow)),
        recovery: "none needed".to_owned(),
    }
    .keep();

    wire.turn(Weather::Silent);
    let begun = Instant::now();
    let silent = write(&ann, &ticket.id, "silent").await.expect(503);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(!silent.header("retry-after").is_empty());
    let took = after(begun);
    wire.turn(Weather::Fair);
    let begun = Instant::now();
    eventually("the service writes again", async || {
        write(&ann, &ticket.id, "silent").await.status == 200
    })
    .await;
    let recovered = after(begun);
    assert_eq!(notes(&ticket).await, (2, 3));
    Row {
        order: 50,
        dependency: DEPENDENCY,
        fault: "answers nothing any more (with `REQUEST_TIMEOUT_SECONDS=5`)",
        answer: format!("{} {took}", said(&silent)),
        recovery: format!("answered again {recovered}, the repeated command carried out once"),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_primary_nothing_is_acknowledged_and_with_one_everything_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut members = ReplicaSet::start(folder.path()).await;
    let app = TestApp::with(&[("MONGO_URI", &members.uri())]).await;
    app.grant_people_their_rights().await;
    let stage = Stage::on(app, Stage::usual()).await;
    let ticket = stage.raise(ANN, "Leaderless").await;
    let ann = stage.person(ANN);
    let primary = members.primary().await;
    let other = (primary + 1) % 3;
    members.kill(other);
    members.kill(primary);
    let begun = Instant::now();
    let reply = write(&ann, &ticket.id, "leaderless").await.expect(503);
    assert!(!reply.header("retry-after").is_empty());
    let took = after(begun);
    let read = ann.get(&ticket.path("")).await.expect(503);
    members.start_again(primary);
    let begun = Instant::now();
    eventually_within(Duration::from_mins(2), "the service writes again", async || {
        write(&ann, &ticket.id, "leaderless").await.status == 200
    })
    .await;
    let recovered = after(begun);
    assert_eq!(notes(&ticket).await, (1, 2));
    Row {
        order: 60,
        dependency: DEPENDENCY,
        fault: "without a primary: one of three members left",
        answer: format!("writes {} {took}, reads {}", said(&reply), said(&read)),
        recovery: format!(
            "with two members again answered {recovered}, the repeated command carried out once"
        ),
    }
    .keep();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_database_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        crate::proof::tell("left out: this machine lets no small file system be mounted");
        return;
    };
    let mut server = EmbeddedServer::start(folder.path(), mongo::program().as_deref())
        .await
        .unwrap();
    let uri = secrecy::ExposeSecret::expose_secret(&server.uri()).to_owned();
    let app = TestApp::with(&[("MONGO_URI", &uri)]).await;
    app.grant_people_their_rights().await;
    let stage = Stage::on(app, Stage::usual()).await;
    let ticket = stage.raise(ANN, "Full").await;
    let ann = stage.person(ANN);
    disk.fill("ballast", 256 * 1024);
    let mut acknowledged = 0;
    let begun = Instant::now();
    let refused = loop {
        assert!(begun.elapsed() < Duration::from_mins(1), "the disk is never full");
        // Long texts fill what is left.
        let key = format!("{acknowledged}-{}", "x".repeat(200));
        let path = ticket.path("/add-requester-note");
        let text = format!("{acknowledged} {}", "long ".repeat(900));
        let note = ann
            .request(Method::POST, &path)
            .header("Idempotency-Key", &key)
            .json(&json!({"content": text}));
        let reply = client_send(note).await;
        if reply.status != 200 {
            break reply;
        }
        acknowledged += 1;
    };
    let refused = refused.expect(503);
    // The database ends itself when it cannot write its journal, and says why; a start that finds no room does too.
    let full = format!(
        "no room is left on the disk of {}; make room and start again",
        folder.path().display()
    );
    assert_eq!(server.died().await, full);
    drop(server);
    disk.fill("rest", 4 * 1024);
    let too_early = EmbeddedServer::start(folder.path(), mongo::program().as_deref()).await;
    assert_eq!(too_early.unwrap_err().to_string(), full);
    disk.empty();
    let mut again = None;
    eventually("the database runs again", async || {
        let started = EmbeddedServer::start(folder.path(), mongo::program().as_deref()).await;
        again = started.ok();
        again.is_some()
    })
    .await;
    let server = again.unwrap();
    let begun = Instant::now();
    eventually("the service writes again", async || {
        write(&ann, &ticket.id, "room").await.status == 200
    })
    .await;
    let recovered = after(begun);
    let detail = ticket.detail().await;
    let version = detail["ticket"]["version"].as_i64().unwrap();
    assert!(version >= acknowledged + 2, "{version} of {acknowledged}");
    server.stop().await;
    Row {
        order: 70,
        dependency: DEPENDENCY,
        fault: "its disk full",
        answer: format!("{}; the database ends itself", said(&refused)),
        recovery: format!(
            "with room and started again, answered {recovered}; everything acknowledged is there"
        ),
    }
    .keep();
}

/// A file system in memory with little room.
struct SmallDisk<'a> {
    folder: &'a Path,
}

impl<'a> SmallDisk<'a> {
    fn mount(folder: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=420m", "tmpfs"])
            .arg(folder)
            .stderr(Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    /// Leaves less room than a piece.
    fn fill(&self, name: &str, piece: usize) {
        let ballast = std::fs::File::create(self.folder.join(name)).unwrap();
        let piece = vec![0_u8; piece];
        while std::io::Write::write_all(&mut &ballast, &piece).is_ok() {}
    }

    fn empty(&self) {
        for name in ["ballast", "rest"] {
            std::fs::remove_file(self.folder.join(name)).unwrap();
        }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder).status();
    }
}
