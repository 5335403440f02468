//! The figures as a table on the terminal, and kept for `docs/performance.md`.

use crate::rounds::{Figures, Round, median, shown};
use serde::Serialize;
use std::io::Write;

/// Where figures of load are kept, one run after another.
pub(crate) const LOAD: &str = "storage/bench/load.jsonl";
/// Where figures of growing numbers of tickets are kept.
pub(crate) const SCALE: &str = "storage/bench/scale.jsonl";
/// Where figures of the hot ticket are kept.
pub(crate) const HOT: &str = "storage/bench/hot.jsonl";

/// Where figures of soaks are kept.
pub(crate) const SOAK: &str = "storage/bench/soak.jsonl";

fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The head of the table.
pub(crate) fn head() {
    line(
        "scenario  cl pr | bare/s service/s ratio (spread)     | p50 ms bare service | p99 ms bare service ratio | lag99 | cpu µs: bare db+own | service db+svc+gen | MiB | db operations bare service | against one process (spread)",
    );
}

/// One row of it.
pub(crate) fn row(figures: &Figures) {
    let of = |rounds: &[Round], value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
    let ratios = shown(figures.ratios(|round| round.per_second));
    let late = figures
        .ratios(|round| round.p99)
        .map_or(f64::NAN, |late| late.median);
    line(&format!(
        "{:9} {:2} {:2} | {:6.0} {:6.0} {ratios} | {:6.1} {:6.1} | {:6.1} {:6.1} {:5.2} | {:5.0} | {:5.0}+{:4.0} | {:5.0}+{:4.0}+{:4.0} | {:.0} | {:.1} {:.1} | {}",
        figures.scenario,
        figures.clients,
        figures.processes,
        of(&figures.bare, |round| round.per_second),
        of(&figures.service, |round| round.per_second),
        of(&figures.bare, |round| round.p50),
        of(&figures.service, |round| round.p50),
        of(&figures.bare, |round| round.p99),
        of(&figures.service, |round| round.p99),
        late,
        figures.relay_lag.unwrap_or(f64::NAN),
        of(&figures.bare, |round| round.cpu[0]),
        of(&figures.bare, |round| round.cpu[2]),
        of(&figures.service, |round| round.cpu[0]),
        of(&figures.service, |round| round.cpu[1]),
        of(&figures.service, |round| round.cpu[2]),
        figures.resident,
        of(&figures.bare, |round| round.operations),
        of(&figures.service, |round| round.operations),
        shown(figures.against_single()),
    ));
}

/// Keeps the figures of this run beside those of earlier ones.
pub(crate) fn keep<T: Serialize>(figures: &[T], file: &str) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    for one in figures {
        writeln!(file, "{}", serde_json::to_string(one)?)?;
    }
    Ok(())
}
