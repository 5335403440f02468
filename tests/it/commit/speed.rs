//! Figures of the commit path beside the bare driver, in one run on one machine; started by hand, for the report.

use super::oracle;
use super::process::Process;
use super::stage::{MARK, approve, assign, complete, create, note, publish, run, stage};
use bson::{Document, doc};
use futures::future::join_all;
use std::io::Write;
use std::time::{Duration, Instant};
use workflow_ops::app::App;
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::Clock;
use workflow_ops::domain::workflow::VersionRef;

fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs `work` on `clients` tasks for a while; returns how often per second, and the 50th and 99th percentile.
async fn rate<F, A>(clients: usize, work: F) -> (f64, Duration, Duration)
where
    F: Fn(usize) -> A,
    A: Future<Output = ()>,
{
    let until = Instant::now() + Duration::from_secs(4);
    let begun = Instant::now();
    let each = join_all((0..clients).map(|client| {
        let work = &work;
        async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                work(client).await;
                took.push(begun.elapsed());
            }
            took
        }
    }))
    .await;
    let seconds = begun.elapsed().as_secs_f64();
    let mut all: Vec<Duration> = each.into_iter().flatten().collect();
    all.sort_unstable();
    let at = |share: usize| all[(all.len() - 1) * share / 100];
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let count = all.len() as f64;
    (count / seconds, at(50), at(99))
}

/// The bare driver: reads and compare-and-sets documents of a ticket's size, one per client.
async fn bare(app: &App, clients: usize) -> (f64, Duration, Duration) {
    let ticket = oracle::all(app, "tickets").await.remove(0);
    let bare = app.database.collection::<Document>("bare");
    let aggregate = ticket.get_document("ticket").unwrap().clone();
    for client in 0..clients {
        let id = i64::try_from(client).unwrap();
        let new =
            doc! {"_id": id, "version": 1_i64, "ticket": aggregate.clone(), "tail": [], "recent_keys": []};
        let _ = bare.insert_one(new).await;
    }
    rate(clients, |client| {
        let (bare, aggregate) = (bare.clone(), aggregate.clone());
        async move {
            let id = i64::try_from(client).unwrap();
            let read = bare.find_one(doc! {"_id": id}).await.unwrap().unwrap();
            let version = read.get_i64("version").unwrap();
            let change = doc! {
                "$set": {"ticket": aggregate, "version": version + 1},
                "$push": {"recent_keys": {"$each": [random_key()], "$slice": -256}},
            };
            bare.update_one(doc! {"_id": id, "version": version}, change)
                .await
                .unwrap();
        }
    })
    .await
}

async fn journey(app: &App, version: &VersionRef) {
    let ticket = create(app, version, &random_key()).await.ticket;
    let ticket = run(app, MARK, &ticket.id, approve(&ticket)).await.unwrap().ticket;
    let ticket = run(app, MARK, &ticket.id, assign(&ticket)).await.unwrap().ticket;
    run(app, super::stage::IVAN, &ticket.id, complete(&ticket))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it by name"]
async fn figures() {
    let (app, version) = stage().await;
    let hot = create(&app, &version, "hot").await.ticket;
    for clients in [32, 128] {
        let (per_second, median, late) = bare(&app, clients).await;
        say(&format!(
            "bare read and write, {clients} clients: {per_second:.0}/s, p50 {median:?}, p99 {late:?}"
        ));
        let tickets = join_all((0..clients).map(|n| {
            let (app, version) = (&app, &version);
            async move {
                create(app, version, &format!("{n} {}", random_key()))
                    .await
                    .ticket
            }
        }))
        .await;
        let (per_second, median, late) = rate(clients, |client| {
            let (app, ticket) = (&app, tickets[client].clone());
            async move {
                run(app, MARK, &ticket.id, note(&ticket, &random_key()))
                    .await
                    .unwrap();
            }
        })
        .await;
        say(&format!(
            "notes on many tickets, {clients} clients: {per_second:.0}/s, p50 {median:?}, p99 {late:?}"
        ));
        let (per_second, median, late) = rate(clients, |_| async {
            run(&app, MARK, &hot.id, note(&hot, &random_key())).await.unwrap();
        })
        .await;
        say(&format!(
            "notes on one ticket, {clients} clients: {per_second:.0}/s, p50 {median:?}, p99 {late:?}"
        ));
        let (per_second, median, late) = rate(clients, |_| journey(&app, &version)).await;
        say(&format!(
            "journeys of 4 commands, {clients} clients: {per_second:.0}/s, p50 {median:?}, p99 {late:?}"
        ));
        let begun = Instant::now();
        app.execute.relay().drain().await.unwrap();
        say(&format!("the relay's rest took {:?}", begun.elapsed()));
    }
    let two = Process::on(app.database.clone(), Clock::System);
    let _ = publish(&two.database).await;
    let (per_second, median, late) = rate(64, |client| {
        let (app, hot) = (if client % 2 == 0 { &app } else { &two }, &hot);
        async move {
            run(app, MARK, &hot.id, note(hot, &random_key())).await.unwrap();
        }
    })
    .await;
    say(&format!(
        "notes on one ticket, two processes, 64 clients: {per_second:.0}/s, p50 {median:?}, p99 {late:?}"
    ));
}
