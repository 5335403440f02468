//! Rounds of load on either side, alternating, and what they come to.

use crate::bare::Bare;
use crate::http::Connection;
use crate::process::Pid;
use crate::scenario::{Piece, Scenario, World};
use crate::service::{Service, address_of};
use bson::{Bson, Document, doc};
use mongodb::Database;
use mongodb::options::Hint;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How a scenario is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// What.
    pub(crate) scenario: Scenario,
    /// By how many clients at the same time.
    pub(crate) clients: usize,
    /// How many rounds each side gets.
    pub(crate) rounds: usize,
    /// How long a round of the slower side takes, in seconds.
    pub(crate) seconds: f64,
}

/// How often it is looked whether the service's relay is done; the bare driver's needs no looks.
const LOOK: Duration = Duration::from_millis(10);

/// Who carries the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'a> {
    /// What scenarios draw on.
    pub(crate) world: &'a World,
    /// The bare driver.
    pub(crate) bare: &'a Bare,
    /// The processes of the service.
    pub(crate) services: &'a [Service],
    /// The database server.
    pub(crate) mongod: Pid,
}

/// One round of one side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Pieces per second, until everything they caused was written.
    pub(crate) per_second: f64,
    /// Half of the pieces took at most this, in milliseconds.
    pub(crate) p50: f64,
    /// 99 of 100 took at most this, in milliseconds.
    pub(crate) p99: f64,
    /// Processor time per piece, in microseconds: database server, service, and this program.
    pub(crate) cpu: [f64; 3],
    /// Operations of the database server per piece, batched rows counted one by one.
    #[serde(default)]
    pub(crate) operations: f64,
}

/// What a scenario came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// What was measured.
    pub(crate) scenario: String,
    /// By how many clients.
    pub(crate) clients: usize,
    /// Against how many processes of the service.
    pub(crate) processes: usize,
    /// Pieces in a round.
    pub(crate) pieces: usize,
    /// The bare driver's rounds.
    pub(crate) bare: Vec<Round>,
    /// The service's rounds, in the same order.
    pub(crate) service: Vec<Round>,
    /// The rounds of a single process beside those of several.
    #[serde(default)]
    pub(crate) single: Vec<Round>,
    /// The relay's lag, 99th percentile, in milliseconds.
    pub(crate) relay_lag: Option<f64>,
    /// The largest process's resident memory at the end, in mebibytes.
    pub(crate) resident: f64,
}

impl Figures {
    /// Service over bare driver, round by round.
    pub(crate) fn ratios(&self, of: impl Fn(&Round) -> f64) -> Option<Ratios> {
        let pairs = self.service.iter().zip(&self.bare);
        Ratios::of(pairs.map(|(service, bare)| of(service) / of(bare)).collect())
    }

    /// Several processes over a single one, round by round, where both were measured.
    pub(crate) fn against_single(&self) -> Option<Ratios> {
        let pairs = self.service.iter().zip(&self.single);
        let ratios = pairs.map(|(several, single)| several.per_second / single.per_second);
        Ratios::of(ratios.collect())
    }
}

/// Ratios as a table shows them.
pub(crate) fn shown(ratios: Option<Ratios>) -> String {
    ratios.map_or_else(|| "-".to_owned(), |ratios| ratios.to_string())
}

/// Ratios of several pairs of rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ratios {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Ratios {
    /// `None` when there are none.
    pub(crate) fn of(ratios: Vec<f64>) -> Option<Self> {
        let least = ratios.iter().copied().reduce(f64::min)?;
        let most = ratios.iter().copied().reduce(f64::max)?;
        let median = median(ratios);
        Some(Self { median, least, most })
    }
}

impl fmt::Display for Ratios {
    /// The median, and the least and the most in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ({:.2}-{:.2})", self.median, self.least, self.most)
    }
}

/// The middle of some numbers.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let at = |index: usize| numbers.get(index).copied().unwrap_or(f64::NAN);
    let middle = numbers.len() / 2;
    if numbers.len().is_multiple_of(2) && middle > 0 {
        f64::midpoint(at(middle - 1), at(middle))
    } else {
        at(middle)
    }
}

/// How fast pieces are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// One after another.
    AsFastAsPossible,
    /// So many in a second, if there are enough clients for it.
    PerSecond(f64),
}

/// Which side a round is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Bare,
    /// So many processes of the service, the first ones.
    Service(usize),
}

impl Stage<'_> {
    /// Measures one scenario with several numbers of processes: a short round of each side to warm up and to learn how
    /// many pieces fill a round, then rounds in turn, each side first in turn. So all sides meet the same database,
    /// which grows fuller and slower. Each process has seen every page that is looked at again.
    pub(crate) async fn measure(&self, plan: Plan, processes: &[usize]) -> anyhow::Result<Vec<Figures>> {
        let few = (plan.clients * 8).max(64);
        let known = few.max(self.world.looked_at_again(plan.scenario));
        for one in self.services {
            let services = std::slice::from_ref(one);
            Stage { services, ..*self }
                .round(plan, Side::Service(1), known)
                .await?;
        }
        let served = processes.iter().map(|count| Side::Service(*count));
        let mut sides: Vec<Side> = std::iter::once(Side::Bare).chain(served).collect();
        let mut slowest = f64::MAX;
        for side in &sides {
            slowest = slowest.min(self.round(plan, *side, few).await?.per_second);
        }
        let pieces = whole(slowest * plan.seconds).clamp(plan.clients * 4, 40_000);
        let mut rounds: HashMap<Side, Vec<Round>> = HashMap::new();
        for _ in 0..plan.rounds {
            for side in &sides {
                let round = self.round(plan, *side, pieces).await?;
                rounds.entry(*side).or_default().push(round);
            }
            sides.rotate_left(1);
        }
        let mut resident = 0_f64;
        let mut relay_lag: Option<f64> = None;
        for one in self.services {
            resident = resident.max(one.pid.resident()?);
            relay_lag = relay_lag
                .into_iter()
                .chain(one.relay_lag().await?)
                .reduce(f64::max);
        }
        let of = |side: Side| rounds.get(&side).cloned().unwrap_or_default();
        let figures = |count: &usize| Figures {
            scenario: plan.scenario.word(),
            clients: plan.clients,
            processes: *count,
            pieces,
            bare: of(Side::Bare),
            service: of(Side::Service(*count)),
            single: if *count > 1 {
                of(Side::Service(1))
            } else {
                Vec::new()
            },
            relay_lag,
            resident,
        };
        Ok(processes.iter().map(figures).collect())
    }

    /// One round of the service at some pace.
    pub(crate) async fn service_round(&self, plan: Plan, count: usize, pace: Pace) -> anyhow::Result<Round> {
        let all = Side::Service(self.services.len());
        self.paced_round(plan, all, count, pace).await
    }

    async fn round(&self, plan: Plan, side: Side, count: usize) -> anyhow::Result<Round> {
        self.paced_round(plan, side, count, Pace::AsFastAsPossible).await
    }

    async fn paced_round(&self, plan: Plan, side: Side, count: usize, pace: Pace) -> anyhow::Result<Round> {
        let pieces: Arc<[Piece]> = self.world.pieces(plan.scenario, count).await?.into();
        let next = Arc::new(AtomicUsize::new(0));
        let mut clients = Vec::new();
        for client in 0..plan.clients {
            let worker = match side {
                Side::Bare => Worker::Bare(self.bare.clone()),
                Side::Service(count) => Worker::Http(Box::new(
                    Connection::open(address_of(self.services, client % count.max(1))?).await?,
                )),
            };
            clients.push((worker, Arc::clone(&pieces), Arc::clone(&next)));
        }
        // No round pays for writing to disk what the one before, or laying in its tickets, has left in memory.
        let admin = self.world.database.client().database("admin");
        admin.run_command(doc! {"fsync": 1}).await?;
        let before = self.cpu()?;
        let operations = self.operations().await?;
        let begun = Instant::now();
        let running: Vec<_> = clients
            .into_iter()
            .map(|(worker, pieces, next)| tokio::spawn(worker.run(pieces, next, pace)))
            .collect();
        let mut took = Vec::with_capacity(count);
        for client in running {
            took.extend(client.await??);
        }
        match side {
            Side::Bare => self.bare.settle().await,
            Side::Service(_) => settle(&self.world.database).await?,
        }
        let elapsed = begun.elapsed().as_secs_f64();
        let after = self.cpu()?;
        let mut cpu = [0.0; 3];
        for (used, (before, after)) in cpu.iter_mut().zip(before.into_iter().zip(after)) {
            *used = after.saturating_sub(before).as_secs_f64() * 1e6 / real(count);
        }
        took.sort_unstable();
        Ok(Round {
            per_second: real(count) / elapsed,
            p50: at_share(&took, 50),
            p99: at_share(&took, 99),
            cpu,
            operations: (self.operations().await? - operations) / real(count),
        })
    }

    async fn operations(&self) -> anyhow::Result<f64> {
        let status = self.world.database.run_command(doc! {"serverStatus": 1}).await?;
        let counters = status.get_document("opcounters")?;
        let of = |name: &str| match counters.get(name) {
            Some(Bson::Int64(count)) => *count,
            Some(Bson::Int32(count)) => i64::from(*count),
            Some(_) | None => 0,
        };
        let all: i64 = ["insert", "query", "update", "delete", "getmore", "command"]
            .map(of)
            .iter()
            .sum();
        Ok(real(usize::try_from(all)?))
    }

    fn cpu(&self) -> anyhow::Result<[Duration; 3]> {
        let mut services = Duration::ZERO;
        for one in self.services {
            services += one.pid.cpu()?;
        }
        Ok([self.mongod.cpu()?, services, Pid::own().cpu()?])
    }
}

/// One client.
enum Worker {
    Http(Box<Connection>),
    Bare(Bare),
}

impl Worker {
    /// Takes pieces until there are none; answers how long each took.
    async fn run(
        mut self,
        pieces: Arc<[Piece]>,
        next: Arc<AtomicUsize>,
        pace: Pace,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        let started = Instant::now();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(number) else { break };
            if let Pace::PerSecond(rate) = pace {
                let at = started + Duration::from_secs_f64(real(number) / rate);
                tokio::time::sleep_until(at.into()).await;
            }
            let begun = Instant::now();
            match &mut self {
                Self::Http(connection) => piece.over_http(connection).await?,
                Self::Bare(bare) => piece.bare(bare).await?,
            }
            took.push(begun.elapsed());
        }
        Ok(took)
    }
}

/// Waits until the service's relay has carried on everything. Each look passes what has left the tails lately, at the
/// server's cost and so the service's.
pub(crate) async fn settle(database: &Database) -> anyhow::Result<()> {
    let tickets = database.collection::<Document>("tickets");
    loop {
        let open = tickets
            .count_documents(doc! {"tail.0": {"$exists": true}})
            // Left to itself the server looks at every ticket, and the service's rounds would pay for it.
            .hint(Hint::Name("open_tail".to_owned()))
            .limit(1)
            .await?;
        if open == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The duration that this share of sorted durations does not exceed, in milliseconds.
pub(crate) fn at_share(sorted: &[Duration], percent: usize) -> f64 {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted
        .get(at)
        .map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of a few thousand"
)]
pub(crate) fn whole(number: f64) -> usize {
    number.max(0.0) as usize
}
