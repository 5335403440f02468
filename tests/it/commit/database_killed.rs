//! `kill -9` of the database under load: what was acknowledged is there once after its restart.

use super::oracle;
use super::process::{Process, new_database};
use super::stage::{ANN, MARK, create_request, key, note, person, publish, request};
use crate::support::eventually;
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use workflow_ops::domain::error::ServiceError;
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::Clock;
use workflow_ops::domain::workflow::VersionRef;
use workflow_ops::repositories::embedded::EmbeddedServer;
use workflow_ops::services::execute::Executed;

/// How often the database is killed.
const KILLS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_the_death_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path()).await;
    let app = Process::on(new_database(server.uri().expose_secret()).await, Clock::System);
    let version = publish(&app.database).await;
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicUsize::new(0);
    let kills = async {
        for _ in 0..KILLS {
            let before = acknowledged.load(Ordering::SeqCst);
            eventually("the service recovers", async || {
                acknowledged.load(Ordering::SeqCst) >= before + 20
            })
            .await;
            kill(folder.path());
            let _ = server.died().await;
            drop(server);
            server = start(folder.path()).await;
        }
        stop.store(true, Ordering::SeqCst);
        server
    };
    let load = futures::future::join_all((0..4).map(|_| work(&app, &version, &stop, &acknowledged)));
    let (server, commands) = tokio::join!(kills, load);
    let commands: Vec<(String, String)> = commands.into_iter().flatten().collect();
    oracle::check(&app).await;
    let recorded: Vec<(String, String)> = oracle::all(&app, "ticket_commands")
        .await
        .iter()
        .map(|row| {
            let key = row.get_document("body").unwrap().get_str("key").unwrap();
            (row.get_str("ticket_id").unwrap().to_owned(), key.to_owned())
        })
        .collect();
    for command in &commands {
        let times = recorded.iter().filter(|known| *known == command).count();
        assert_eq!(
            times, 1,
            "{command:?} was acknowledged and is there {times} times"
        );
    }
    drop(app);
    server.stop().await;
}

async fn start(folder: &Path) -> EmbeddedServer {
    EmbeddedServer::start(folder, None).await.unwrap()
}

fn kill(folder: &Path) {
    let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", pid.trim()])
        .status()
        .unwrap();
    assert!(killed.success());
}

/// Raises tickets and writes notes on them until told to stop; returns what was acknowledged.
async fn work(
    app: &Process,
    version: &VersionRef,
    stop: &AtomicBool,
    acknowledged: &AtomicUsize,
) -> Vec<(String, String)> {
    let mut done = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let word = random_key();
        let mut wish = create_request(version, &word);
        wish.idempotency = Some(key(&word, &word));
        let created = until_answered(|| app.execute.create(wish.clone())).await;
        let id = created.ticket.id.clone();
        done.push((id.to_string(), key(&word, &word).stored(&person(ANN))));
        let mut wish = request(MARK, &id, note(&created.ticket, &word));
        wish.idempotency = Some(key(&word, &word));
        until_answered(|| app.execute.run(wish.clone())).await;
        done.push((id.to_string(), key(&word, &word).stored(&person(MARK))));
        acknowledged.fetch_add(2, Ordering::SeqCst);
    }
    done
}

async fn until_answered<F, A>(mut send: F) -> Executed
where
    F: FnMut() -> A,
    A: Future<Output = Result<Executed, ServiceError>>,
{
    let begun = Instant::now();
    loop {
        match send().await {
            Ok(executed) => return executed,
            Err(ServiceError::Unavailable { .. }) => {
                assert!(begun.elapsed() < Duration::from_secs(90), "never answered");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
