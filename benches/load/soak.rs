//! A soak: the mixed load at half of what the service can do, for a long time, and what memory it takes meanwhile.

use crate::rounds::{Pace, Plan, Stage, whole};
use crate::scenario::Scenario;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How many clients there are.
const CLIENTS: usize = 32;
/// How many pieces the rate is found out with.
const SAMPLE: usize = 10_000;
/// How long a piece of the soak lasts, in seconds; memory is read after each.
const STRETCH: f64 = 15.0;
/// Memory is compared with what it was after this share of the time, when caches are full.
const SETTLED: f64 = 0.2;

/// What a soak came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SoakFigures {
    /// How long it lasted, in minutes.
    pub(crate) minutes: f64,
    /// Requests a second.
    pub(crate) per_second: f64,
    /// 99 of 100 requests took at most this, in milliseconds: the worst stretch.
    pub(crate) p99: f64,
    /// Resident memory after each stretch, in mebibytes.
    pub(crate) resident: Vec<f64>,
}

impl SoakFigures {
    /// Resident memory once the caches were full, and at the end: means over a fifth of the time, in mebibytes.
    pub(crate) fn growth(&self) -> (f64, f64) {
        let fifth = whole(crate::rounds::real(self.resident.len()) * SETTLED).max(1);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / crate::rounds::real(part.len().max(1));
        let settled = self
            .resident
            .iter()
            .copied()
            .skip(fifth)
            .take(fifth)
            .collect::<Vec<_>>();
        let last = self
            .resident
            .iter()
            .copied()
            .rev()
            .take(fifth)
            .collect::<Vec<_>>();
        (mean(&settled), mean(&last))
    }
}

/// Soaks one process for so many minutes.
pub(crate) async fn measure(stage: &Stage<'_>, minutes: f64) -> anyhow::Result<SoakFigures> {
    let plan = Plan {
        scenario: Scenario::Mixed,
        clients: CLIENTS,
        rounds: 1,
        seconds: STRETCH,
    };
    let full = stage.service_round(plan, SAMPLE, Pace::AsFastAsPossible).await?;
    let rate = full.per_second / 2.0;
    crate::say(&format!(
        "soak: {rate:.0} requests a second, half of what the service can do"
    ));
    let begun = Instant::now();
    let mut figures = SoakFigures {
        minutes,
        per_second: rate,
        p99: 0.0,
        resident: Vec::new(),
    };
    while begun.elapsed() < Duration::from_secs_f64(minutes * 60.0) {
        let round = stage
            .service_round(plan, whole(rate * STRETCH), Pace::PerSecond(rate))
            .await?;
        figures.p99 = figures.p99.max(round.p99);
        let mut resident = 0_f64;
        for service in stage.services {
            resident = resident.max(service.pid.resident()?);
        }
        figures.resident.push(resident);
        crate::say(&format!(
            "soak: {:5.1} min, {:.0}/s, p99 {:.1} ms, {resident:.1} MiB",
            begun.elapsed().as_secs_f64() / 60.0,
            round.per_second,
            round.p99,
        ));
    }
    let (settled, last) = figures.growth();
    crate::say(&format!(
        "soak: {settled:.1} MiB once settled, {last:.1} MiB at the end"
    ));
    Ok(figures)
}
