//! The tables of `docs/performance.md`, from the figures that were kept: of each measurement the last run.

use crate::hot::HotFigures;
use crate::questions::ScaleFigures;
use crate::report::{HOT, LOAD, SCALE, SOAK};
use crate::rounds::{Figures, Ratios, Round, median, shown};
use crate::soak::SoakFigures;
use anyhow::Context;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Write;

const PAGE: &str = "docs/performance.md";

/// Writes the tables between their markers.
pub(crate) fn write() -> anyhow::Result<()> {
    let mut page = std::fs::read_to_string(PAGE)?;
    for (section, table) in [
        ("machine", machine()?),
        ("load", load()?),
        ("hot", hot()?),
        ("scale", scale()?),
        ("soak", soak()?),
    ] {
        let (begin, end) = (
            format!("<!-- bench:{section} -->\n"),
            format!("<!-- /bench:{section} -->"),
        );
        let (head, rest) = page
            .split_once(&begin)
            .with_context(|| format!("{PAGE} lacks {begin}"))?;
        let (_, tail) = rest
            .split_once(&end)
            .with_context(|| format!("{PAGE} lacks {end}"))?;
        page = format!("{head}{begin}{table}{end}{tail}");
    }
    std::fs::write(PAGE, page)?;
    Ok(())
}

fn kept<T: DeserializeOwned>(file: &str) -> anyhow::Result<Vec<T>> {
    let Ok(text) = std::fs::read_to_string(file) else {
        return Ok(Vec::new());
    };
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn machine() -> anyhow::Result<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |line| line.trim_start_matches([' ', '\t', ':']));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{cores} cores of {model}, {} GiB of memory, Linux {}; everything on this one machine: the database server (MongoDB 6.0.5, \
         one-member replica set, 0.5 GB cache), the service, and the clients.\n",
        kib.unwrap_or_default() / 1_048_576,
        kernel.trim(),
    ))
}

fn load() -> anyhow::Result<String> {
    let mut newest = BTreeMap::new();
    for (order, figures) in kept::<Figures>(LOAD)?.into_iter().enumerate() {
        let key = (figures.processes, figures.scenario.clone(), figures.clients);
        let first = newest.get(&key).map_or(order, |(first, _)| *first);
        newest.insert(key, (first, figures));
    }
    let mut rows: Vec<(usize, Figures)> = newest.into_values().collect();
    rows.sort_by_key(|(first, figures)| (figures.processes, *first));
    let mut text = String::from(
        "| Load | Clients | Processes | Bare driver /s | Service /s | Ratio (spread) | p50 ms bare / service | p99 ms bare / service | p99 ratio | Against one process (spread) | Relay lag p99 ms | CPU µs a piece: bare db + driver | CPU µs a piece: service db + service + client | MiB |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (_, figures) in &rows {
        let of = |rounds: &[Round], value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let ratios = bold(figures.ratios(|round| round.per_second));
        let late = figures
            .ratios(|round| round.p99)
            .map_or(f64::NAN, |late| late.median);
        let lag = figures.relay_lag.filter(|_| {
            !matches!(
                figures.scenario.as_str(),
                "detail" | "first-look" | "inbox" | "dashboard"
            )
        });
        writeln!(
            text,
            "| {} | {} | {} | {:.0} | {:.0} | {ratios} | {:.1} / {:.1} | {:.1} / {:.1} | {:.2} | {} | {} | {:.0} + {:.0} | {:.0} + {:.0} + {:.0} | {:.0} |",
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
            shown(figures.against_single()),
            lag.map_or_else(|| "-".to_owned(), |lag| format!("{lag:.0}")),
            of(&figures.bare, |round| round.cpu[0]),
            of(&figures.bare, |round| round.cpu[2]),
            of(&figures.service, |round| round.cpu[0]),
            of(&figures.service, |round| round.cpu[1]),
            of(&figures.service, |round| round.cpu[2]),
            figures.resident,
        )?;
    }
    Ok(text)
}

/// The same with the median set off.
fn bold(ratios: Option<Ratios>) -> String {
    ratios.map_or_else(
        || "-".to_owned(),
        |Ratios { median, least, most }| format!("**{median:.2}** ({least:.2}-{most:.2})"),
    )
}

fn hot() -> anyhow::Result<String> {
    let mut newest = BTreeMap::new();
    for figures in kept::<HotFigures>(HOT)? {
        newest.insert(figures.processes, figures);
    }
    let mut text = String::from(
        "| Processes | 50 votes at once, ms | 50 serial bare updates, ms | Ratio (spread) |\n|---|---|---|---|\n",
    );
    for figures in newest.into_values() {
        let pairs = figures.service.iter().zip(&figures.bare);
        let ratios = bold(Ratios::of(pairs.map(|(service, bare)| service / bare).collect()));
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {ratios} |",
            figures.processes,
            median(figures.service),
            median(figures.bare),
        )?;
    }
    Ok(text)
}

fn soak() -> anyhow::Result<String> {
    let mut text = String::from(
        "| Minutes | Requests /s | p99 ms, worst 15 s | MiB once settled | MiB at the end |\n|---|---|---|---|---|\n",
    );
    if let Some(figures) = kept::<SoakFigures>(SOAK)?.pop() {
        let (settled, last) = figures.growth();
        writeln!(
            text,
            "| {:.0} | {:.0} | {:.1} | {settled:.1} | {last:.1} |",
            figures.minutes, figures.per_second, figures.p99,
        )?;
    }
    Ok(text)
}

fn scale() -> anyhow::Result<String> {
    let mut requests: Vec<String> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    let mut newest = BTreeMap::new();
    for figures in kept::<ScaleFigures>(SCALE)? {
        if !requests.contains(&figures.request) {
            requests.push(figures.request.clone());
        }
        if !sizes.contains(&figures.tickets) {
            sizes.push(figures.tickets);
        }
        newest.insert((figures.request.clone(), figures.tickets), figures);
    }
    sizes.sort_unstable();
    let mut text = String::from("| Request |");
    for size in &sizes {
        write!(text, " {size} tickets: p50 / p99 ms |")?;
    }
    text.push_str(" p50 last / first | p99 last / first |\n|---|");
    text.push_str(&"---|".repeat(sizes.len() + 2));
    text.push('\n');
    for request in &requests {
        write!(text, "| {request} |")?;
        let of = |size: &usize| newest.get(&(request.clone(), *size));
        for size in &sizes {
            match of(size) {
                Some(figures) => write!(text, " {:.1} / {:.1} |", figures.p50, figures.p99)?,
                None => text.push_str(" - |"),
            }
        }
        let ends = sizes.first().and_then(of).zip(sizes.last().and_then(of));
        match ends {
            Some((first, last)) => {
                writeln!(
                    text,
                    " {:.2} | {:.2} |",
                    last.p50 / first.p50,
                    last.p99 / first.p99
                )?;
            }
            None => text.push_str(" - | - |\n"),
        }
    }
    Ok(text)
}
