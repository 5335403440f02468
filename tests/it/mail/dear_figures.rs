//! Figures over everything that take long: however many ask for them, they are computed once.

use crate::commit::process::Process;
use crate::support::{START, eventually};
use futures::FutureExt;
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use workflow_ops::domain::json::JsonObject;
use workflow_ops::repositories::statistics_repo::{Figures, StatisticsRepo};
use workflow_ops::services::statistics::{Compute, Statistics};

const NAME: &str = "everything";

/// Figures whose computation waits until it is let go.
struct Slow {
    compute: Compute,
    begun: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Slow {
    fn new() -> Self {
        let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let compute: Compute = {
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            Arc::new(move |_now| {
                let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
                async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    Ok(JsonObject::from_iter([("mails".to_owned(), 7.into())]))
                }
                .boxed()
            })
        };
        Self { compute, begun, gate }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dear_figures_are_answered_as_they_were_while_one_computation_renews_them() {
    let app = Process::new().await;
    let statistics = Statistics::new(&app.database, &app.clock, &app.tasks);
    let repo = StatisticsRepo::new(&app.database);
    let old = Figures {
        name: NAME.to_owned(),
        values: JsonObject::new(),
        generated_at: START,
        cost_ms: 10_000,
    };
    repo.store(&old).await.unwrap();
    let slow = Slow::new();
    let asked = join_all((0..20).map(|_| statistics.get(NAME, &slow.compute))).await;
    assert!(asked.into_iter().all(|answer| answer.unwrap() == old));
    eventually("the computation has begun", async || {
        slow.begun.load(Ordering::SeqCst) > 0
    })
    .await;
    assert_eq!(statistics.get(NAME, &slow.compute).await.unwrap(), old);
    assert_eq!(slow.begun.load(Ordering::SeqCst), 1);
    slow.gate.add_permits(1);
    eventually("the new figures are kept", async || {
        repo.load(NAME).await.unwrap().unwrap() != old
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_that_nobody_waits_for_any_more_are_computed_to_their_end() {
    let app = Process::new().await;
    let statistics = Statistics::new(&app.database, &app.clock, &app.tasks);
    let slow = Slow::new();
    let asking = tokio::spawn({
        let (statistics, compute) = (statistics.clone(), Arc::clone(&slow.compute));
        async move { statistics.get(NAME, &compute).await }
    });
    eventually("the computation has begun", async || {
        slow.begun.load(Ordering::SeqCst) > 0
    })
    .await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    let others = (0..8).map(|_| statistics.get(NAME, &slow.compute));
    slow.gate.add_permits(1);
    for answer in join_all(others).await {
        assert_eq!(answer.unwrap().values.get("mails"), Some(&7.into()));
    }
    assert_eq!(slow.begun.load(Ordering::SeqCst), 1);
}
