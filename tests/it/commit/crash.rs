//! `kill -9` of processes under load, at random moments: what was acknowledged is there once, and nothing is there twice.
//!
//! The processes are this test program again, running [`child`] alone; each acknowledged command is a line of their
//! output.

use super::oracle;
use super::process::{application, database, new_database};
use super::stage::{
    ANN, IVAN, MARK, approve, assign, complete, create_request, key, note, person, publish, request,
};
use crate::support::mongo;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use workflow_ops::app::App;
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::{TicketId, WorkflowId, random_key};
use workflow_ops::domain::ticket::Ticket;
use workflow_ops::domain::time::Clock;
use workflow_ops::domain::workflow::VersionRef;
use workflow_ops::engine::Command;
use workflow_ops::services::execute::Executed;

/// How many processes are killed.
const KILLS: usize = 24;
/// Tickets that one process works on at the same time.
const WORKERS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_killed_processes_acknowledged_is_there_once() {
    let uri = mongo::uri();
    let database = new_database(uri).await;
    let version = publish(&database).await;
    let folder = tempfile::tempdir().unwrap();
    let app = application(database.clone(), Clock::System, folder.path());
    let hot = app
        .execute
        .create(create_request(&version, "hot"))
        .await
        .unwrap()
        .ticket;
    let scene = Scene {
        uri,
        database: database.name().to_owned(),
        workflow: version.workflow_id.to_string(),
        hot: hot.id.to_string(),
        storage: folder.path().to_owned(),
    };
    let kill_all = tokio::task::spawn_blocking(move || kill_again_and_again(&scene));
    let acknowledged = kill_all.await.unwrap();
    assert!(
        acknowledged.len() > 100,
        "only {} commands were acknowledged",
        acknowledged.len()
    );
    let tickets = oracle::check(&app).await;
    assert!(tickets > KILLS / 2, "{tickets} tickets");
    check_keys(&app, &acknowledged).await;
    let lines = format!(
        "{KILLS} kills, {tickets} tickets, {} acknowledged commands\n",
        acknowledged.len()
    );
    std::io::stderr().write_all(lines.as_bytes()).unwrap();
}

/// Each acknowledged key is recorded once on its ticket, and no key of any command twice.
async fn check_keys(app: &App, acknowledged: &BTreeSet<(String, String)>) {
    let mut recorded: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in oracle::all(app, "ticket_commands").await {
        let ticket = row.get_str("ticket_id").unwrap().to_owned();
        let key = row
            .get_document("body")
            .unwrap()
            .get_str("key")
            .unwrap()
            .to_owned();
        *recorded.entry((ticket, key)).or_default() += 1;
    }
    for (command, count) in &recorded {
        assert_eq!(*count, 1, "{command:?} was applied {count} times");
    }
    for command in acknowledged {
        assert!(
            recorded.contains_key(command),
            "{command:?} was acknowledged and is lost"
        );
    }
}

/// Where the processes work.
struct Scene {
    uri: &'static str,
    database: String,
    workflow: String,
    hot: String,
    storage: std::path::PathBuf,
}

/// Keeps two processes running and kills one of them at a random moment, again and again.
fn kill_again_and_again(scene: &Scene) -> BTreeSet<(String, String)> {
    let (lines, heard) = mpsc::channel();
    let mut acknowledged = BTreeSet::new();
    let mut running = [scene.start(&lines), scene.start(&lines)];
    for kill in 0..KILLS {
        // The first line proves that there is load; then a random moment.
        let listened = Instant::now();
        let moment = Duration::from_millis(rand::random_range(1..250));
        let mut until = None;
        while until.is_none_or(|until| Instant::now() < until) {
            assert!(
                listened.elapsed() < Duration::from_mins(1),
                "no process acknowledges anything"
            );
            if let Ok(line) = heard.recv_timeout(Duration::from_millis(20)) {
                acknowledged.insert(line);
                until.get_or_insert(Instant::now() + moment);
            }
        }
        let victim = kill % 2;
        running[victim].kill().unwrap();
        running[victim].wait().unwrap();
        running[victim] = scene.start(&lines);
    }
    for child in &mut running {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    drop(lines);
    acknowledged.extend(heard);
    acknowledged
}

impl Scene {
    fn start(&self, lines: &mpsc::Sender<(String, String)>) -> Child {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "commit::crash::child", "--ignored", "--nocapture"])
            .env(
                "CRASH_SCENE",
                format!("{} {} {} {}", self.uri, self.database, self.workflow, self.hot),
            )
            .env("CRASH_STORAGE", &self.storage)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let mut words = line.split(' ');
                // A line that the kill cut short is no acknowledgement.
                if let (Some("ack"), Some(ticket), Some(key), Some("."), None) = (
                    words.next(),
                    words.next(),
                    words.next(),
                    words.next(),
                    words.next(),
                ) {
                    let _ = lines.send((ticket.to_owned(), key.to_owned()));
                }
            }
        });
        child
    }
}

/// One of the processes that are killed; does nothing when it is not started by the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of the crash test, started by it"]
#[expect(
    clippy::disallowed_methods,
    reason = "the crash test tells its processes by the environment"
)]
async fn child() {
    let (Ok(scene), Ok(storage)) = (std::env::var("CRASH_SCENE"), std::env::var("CRASH_STORAGE")) else {
        return;
    };
    let words: Vec<&str> = scene.split(' ').collect();
    let database = database(words[0], words[1]).await;
    let app = application(database, Clock::System, Path::new(&storage));
    let version = VersionRef {
        workflow_id: WorkflowId::from_stored(words[2]),
        version_number: 1,
    };
    let hot = TicketId::from_stored(words[3]);
    let sweeps = async {
        loop {
            let _ = app.execute.relay().sweep().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let load = join_all((0..WORKERS).map(|_| work_for_ever(&app, &version, &hot)));
    tokio::join!(sweeps, load);
}

async fn work_for_ever(app: &App, version: &VersionRef, hot: &TicketId) {
    loop {
        let word = random_key();
        let mut wish = create_request(version, &word);
        let idempotency = key(&word, &word);
        let stored = idempotency.stored(&person(ANN));
        wish.idempotency = Some(idempotency);
        let Some(created) = until_answered(|| app.execute.create(wish.clone())).await else {
            continue;
        };
        acknowledge(&created.ticket.id, &stored);
        let ticket = created.ticket;
        let _ = act(app, MARK, &ticket, note(&ticket, &word)).await;
        let Some(ticket) = act(app, MARK, &ticket, approve(&ticket)).await else {
            continue;
        };
        let _ = act(app, MARK, &ticket, assign(&ticket)).await;
        let _ = act(app, IVAN, &ticket, complete(&ticket)).await;
        if let Ok(Some(hot)) = app_read(app, hot).await {
            let _ = act(app, MARK, &hot, note(&hot, &word)).await;
        }
    }
}

async fn act(app: &App, who: &str, ticket: &Ticket, command: Command) -> Option<std::sync::Arc<Ticket>> {
    let word = random_key();
    let idempotency = key(&word, &word);
    let stored = idempotency.stored(&person(who));
    let mut wish = request(who, &ticket.id, command);
    wish.idempotency = Some(idempotency);
    let done = until_answered(|| app.execute.run(wish.clone())).await?;
    acknowledge(&ticket.id, &stored);
    Some(done.ticket)
}

async fn app_read(app: &App, id: &TicketId) -> mongodb::error::Result<Option<Ticket>> {
    let tickets = workflow_ops::repositories::ticket_repo::TicketRepo::new(&app.database);
    Ok(tickets.read(id).await?.map(|stored| stored.ticket))
}

/// Repeats under the same key while the service is busy, as a client does.
async fn until_answered<F, A>(mut send: F) -> Option<Executed>
where
    F: FnMut() -> A,
    A: Future<Output = Result<Executed, ServiceError>>,
{
    loop {
        match send().await {
            Ok(executed) => return Some(executed),
            Err(ServiceError::Unavailable { .. }) => {}
            Err(_) => return None,
        }
    }
}

fn acknowledge(ticket: &TicketId, key: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "ack {ticket} {key} .");
    let _ = out.flush();
}
