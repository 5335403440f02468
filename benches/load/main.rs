//! Measures the service over HTTP beside a bare driver that reads and writes the same documents; started by
//! `scripts/bench`, described in `docs/performance.md`.

#![expect(
    clippy::disallowed_methods,
    reason = "clients of a measurement are tasks that end with it, so nothing has to track them"
)]

mod bare;
mod hot;
mod http;
mod page;
mod people;
mod process;
mod questions;
mod report;
mod rounds;
mod scale;
mod scenario;
mod service;
mod shapes;
mod soak;
mod stock;
mod template;

use anyhow::Context;
use bare::Bare;
use clap::Parser;
use people::{Headcount, People};
use process::Pid;
use rounds::{Figures, Plan, Stage};
use scenario::{Scenario, World};
use secrecy::ExposeSecret;
use service::{Service, Setup};
use shapes::Rehearsal;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workflow_ops::repositories::embedded::EmbeddedServer;
use workflow_ops::repositories::{indexes, mongo};

/// Most connections, as the service's own default.
const POOL: u32 = 64;
/// Tickets of each reader, of which every sixth waits for approval.
const PAGES: usize = 18;

/// Speed of the service beside the bare driver.
#[derive(Debug, Parser)]
#[command(name = "workflow-ops-bench")]
struct Flags {
    /// What to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Scenario::Detail, Scenario::Inbox, Scenario::Create, Scenario::Approve, Scenario::Complete])]
    scenarios: Vec<Scenario>,
    /// Numbers of clients.
    #[arg(long, value_delimiter = ',', default_values_t = [32])]
    clients: Vec<usize>,
    /// Numbers of processes of the service.
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    processes: Vec<usize>,
    /// Instead measure every kind of request at these numbers of tickets, in this order.
    #[arg(long, value_delimiter = ',')]
    scale: Vec<usize>,
    /// Also let fifty people vote on one ticket at the same moment.
    #[arg(long)]
    hot: bool,
    /// Also keep the mixed load up for so many minutes at half of what the service can do, and watch its memory.
    #[arg(long, value_name = "MINUTES")]
    soak: Option<f64>,
    /// Rounds of each side.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds that a round takes on the slower side.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The service's program; the one beside this program when absent.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Let the service run its background jobs, mail included, during the measurements.
    #[arg(long)]
    jobs: bool,
    /// Keeps the figures and writes the tables of docs/performance.md.
    #[arg(long)]
    keep: bool,
}

/// Writes a line for the person who waits.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run(flags))
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    let folder = std::env::current_dir()?
        .join("storage/bench")
        .join(std::process::id().to_string());
    std::fs::create_dir_all(&folder)?;
    let server = EmbeddedServer::start(&folder, None).await?;
    let measured = measure_all(&flags, &server, &folder).await;
    server.stop().await;
    if measured.is_ok() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    let figures = measured?;
    if flags.keep {
        report::keep(&figures, report::LOAD)?;
        page::write()?;
    }
    Ok(())
}

async fn measure_all(flags: &Flags, server: &EmbeddedServer, folder: &Path) -> anyhow::Result<Vec<Figures>> {
    let uri = server.uri().expose_secret().to_owned();
    let database = mongo::connect(&server.uri(), "bench", POOL).await?;
    indexes::ensure(&database).await?;
    if !flags.scale.is_empty() {
        return scale_up(flags, &uri, &database, folder).await;
    }
    let count = Headcount {
        readers: 64,
        actors: 64,
    };
    let people = People::invent(folder, count)?;
    let rehearsal = Rehearsal::open(&uri, database.name(), &people, folder).await?;
    let world = prepare(&rehearsal, &database, &people).await?;
    let ballot = if flags.hot {
        Some(rehearsal.ballot(&people).await?)
    } else {
        None
    };
    let pid = std::fs::read_to_string(folder.join("pid"))?;
    let mongod = Pid::of(pid.trim().parse().context("the server's number cannot be read")?);
    let bare = Bare::start(&database);
    let setup = Setup {
        program: service::program(flags.program.as_deref())?,
        uri,
        database: "bench".to_owned(),
        folder: folder.to_owned(),
        people: people.file.clone(),
        jobs: flags.jobs,
    };
    let mut all = Vec::new();
    report::head();
    let mut services = Vec::new();
    for _ in 0..flags.processes.iter().copied().max().unwrap_or_default() {
        services.push(Service::start(&setup).await?);
    }
    let with = |processes: usize| Stage {
        world: &world,
        bare: &bare,
        services: services.get(..processes).unwrap_or(&services),
        mongod,
    };
    for scenario in &flags.scenarios {
        for clients in &flags.clients {
            let plan = Plan {
                scenario: *scenario,
                clients: *clients,
                rounds: flags.rounds,
                seconds: flags.seconds,
            };
            let measured = with(services.len()).measure(plan, &flags.processes).await?;
            measured.iter().for_each(report::row);
            all.extend(measured);
        }
    }
    for processes in &flags.processes {
        let stage = with(*processes);
        if let Some(minutes) = flags.soak {
            let figures = soak::measure(&stage, minutes).await?;
            if flags.keep {
                report::keep(&[figures], report::SOAK)?;
            }
        }
        if let Some(ballot) = &ballot {
            let figures = hot::measure(&rehearsal, ballot, &bare, stage.services, flags.rounds).await?;
            if flags.keep {
                report::keep(&[figures], report::HOT)?;
            }
        }
    }
    for service in services {
        service.stop().await?;
    }
    Ok(all)
}

/// Measures the same requests at growing numbers of tickets.
async fn scale_up(
    flags: &Flags,
    uri: &str,
    database: &mongodb::Database,
    folder: &Path,
) -> anyhow::Result<Vec<Figures>> {
    let people = People::invent(folder, scale::headcount(&flags.scale))?;
    let rehearsal = Rehearsal::open(uri, database.name(), &people, folder).await?;
    let setup = Setup {
        program: service::program(flags.program.as_deref())?,
        uri: uri.to_owned(),
        database: database.name().to_owned(),
        folder: folder.to_owned(),
        people: people.file.clone(),
        jobs: flags.jobs,
    };
    let figures = scale::measure(&rehearsal, &people, &setup, &flags.scale).await?;
    if flags.keep {
        report::keep(&figures, report::SCALE)?;
    }
    Ok(Vec::new())
}

/// Rehearses the journeys and lays in the tickets that are only read.
async fn prepare(
    rehearsal: &Rehearsal,
    database: &mongodb::Database,
    people: &People,
) -> anyhow::Result<World> {
    let mut teams = Vec::new();
    for requesters in [&people.readers, &people.actors] {
        let played = requesters.iter().zip(people.agents.iter().cycle());
        let played = played.map(|(requester, agent)| rehearsal.journey(requester, agent));
        let played = futures::future::try_join_all(played).await?;
        teams.push(played.into_iter().map(Arc::new).collect::<Vec<_>>());
    }
    let actors = teams.pop().unwrap_or_default();
    let readers = teams.pop().unwrap_or_default();
    let mut pages = Vec::new();
    for (commands, share) in [(1, 3), (2, 3), (3, 3), (4, PAGES - 9)] {
        pages.extend(stock::lay_in(rehearsal.database(), &readers, commands, readers.len() * share).await?);
    }
    Ok(World {
        database: database.clone(),
        workflow: rehearsal.workflow.clone(),
        actors,
        pages,
        readers: people.readers.clone(),
    })
}
